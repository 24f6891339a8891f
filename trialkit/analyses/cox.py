"""Hazard ratios by Cox's proportional hazards model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from trialkit.analyses.choices import check_choice
from trialkit.analyses.event_times import (
    cause_codes,
    event_flags,
    names_of,
    regression_frame,
    require_reference,
)
from trialkit.data.model_frame import ModelFrame
from trialkit.data.vectors import number_vector, require_frame, require_one_row_each, stratum_codes
from trialkit.errors import DataError, SpecError
from trialkit.kernels.cox import CoxFit, cox_fit
from trialkit.kernels.proportional_hazards import (
    TRANSFORMS,
    baseline_hazard,
    score_tests_of_time,
)
from trialkit.results import Estimate, EstimateTable, TestTable, check_alternative, check_level
from trialkit.results.tables import TestResult
from trialkit.typing import Alternative, BoolArray, FloatArray, IntArray

__all__ = ["CoxTable", "cause_specific", "cox", "log_ratio_rows"]

TIES = ("efron", "breslow", "exact")
Ties = Literal["efron", "breslow", "exact"]
Transform = Literal["km", "rank", "identity", "log"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CoxTable(EstimateTable):
    """Hazard ratios, key `term`, with the tests and curves that belong to the fit."""

    fit: CoxFit
    term_columns: tuple[tuple[str, tuple[int, ...]], ...]
    stratum_labels: tuple[str, ...]

    @property
    def log_likelihood(self) -> float:
        """Log partial likelihood at the estimate."""
        return self.fit.log_likelihood

    @property
    def log_likelihood_null(self) -> float:
        """Log partial likelihood with every coefficient zero."""
        return self.fit.log_likelihood_null

    def tests(self) -> TestTable:
        """Likelihood ratio, Wald and score tests that no covariate matters, key `test`."""
        coef, vcov = self.fit.coef, self.fit.vcov
        statistics = {
            "likelihood-ratio": 2 * (self.log_likelihood - self.log_likelihood_null),
            "wald": float(coef @ np.linalg.solve(vcov, coef)),
            "score": self.fit.score_test,
        }
        return TestTable(
            tests=tuple(
                _chi_square(value, coef.size, f"Cox model, {name}")
                for name, value in statistics.items()
            ),
            keys={"test": tuple(statistics)},
            variable=self.variable,
        )

    def proportional_hazards(self, transform: Transform = "km") -> TestTable:
        """Score test, by term and GLOBAL, that log hazard ratios do not drift with g(t).

        g is one minus Kaplan-Meier ("km"), the rank of the time, the time ("identity") or its
        logarithm. The full score test of R's survival from version 3 on, which differs from
        the older correlation of scaled Schoenfeld residuals. Not offered for exact ties.

        Reference: Grambsch & Therneau (1994) Biometrika 81:515-526, doi:10.1093/biomet/81.3.515.
        """
        check_choice("transform", transform, TRANSFORMS)
        if self.fit.ties == "exact":
            raise SpecError("The test of proportional hazards needs ties='efron' or 'breslow'.")
        if transform == "log" and self.fit.rows.time[self.fit.rows.event].min() <= 0:
            raise DataError("transform='log' needs event times above zero.")
        groups = [np.array(columns, dtype=np.int64) for _, columns in self.term_columns]
        results = score_tests_of_time(self.fit, transform, groups)
        method = f"proportional hazards score test, g(t) = {transform}"
        return TestTable(
            tests=tuple(_chi_square(value, df, method) for value, df in results),
            keys={"term": (*(name for name, _ in self.term_columns), "GLOBAL")},
            extras={"transform": (transform,) * len(results)},
            variable=self.variable,
        )

    def baseline_hazard(self) -> pd.DataFrame:
        """Cumulative hazard with every covariate at zero: stratum, time, cumulative_hazard."""
        if self.fit.ties == "exact":
            raise SpecError("The baseline hazard needs ties='efron' or 'breslow'.")
        parts = []
        for code, label in enumerate(self.stratum_labels):
            time, hazard = baseline_hazard(self.fit, code)
            parts.append(
                pd.DataFrame({"stratum": label, "time": time, "cumulative_hazard": hazard})
            )
        return pd.concat(parts, ignore_index=True)


def cox(
    data: pd.DataFrame,
    *,
    time: str,
    event: str,
    arm: str,
    reference: object,
    covariates: str | Sequence[str] = (),
    strata: str | Sequence[str] = (),
    ties: Ties = "efron",
    robust: bool = False,
    subject: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> CoxTable:
    """Hazard ratios of the event, each other arm over the reference and a unit of each covariate.

    Rows, `time` and `event` as in `kaplan_meier`. Key: term, in formulaic's spelling
    ("TRT01P[T.LDN 4.5 mg]"); `scale` is "ratio", and `se` and `statistic` are on the log
    scale. `covariates` are columns (text as factors) or terms such as "C(SITE)"; `strata` have
    baseline hazards of their own. `ties`: "efron" (R's default), "breslow" (SAS's), "exact"
    (discrete time). `robust=True` gives Lin and Wei's sandwich errors. Rows with a missing
    value are excluded and counted.

    Assumes that hazards are proportional; `.proportional_hazards()` tests it, `rmst` does
    without. `.tests()`, `.baseline_hazard()` and the log likelihoods complete the fit.

    Raises DataError for aliased or constant covariates, ConvergenceError where a coefficient
    runs to infinity.

    References: Cox (1972) J R Stat Soc B 34:187-220; Efron (1977),
    doi:10.1080/01621459.1977.10480613; Lin & Wei (1989), doi:10.1080/01621459.1989.10478874.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPDDDD"), "DAY": [2, 3, 4, 6, 5, 7, 8, 9],
    ...                      "DISC": [1, 1, 1, 1, 1, 0, 1, 0]})
    >>> table = cox(data, time="DAY", event="DISC", arm="ARM", reference="P")
    >>> round(table.single().estimate, 4)
    0.1158
    """
    _check(ties, robust, ci_level, alternative)
    frame = require_frame(data)
    require_reference(reference, arm)
    flags, known = event_flags(frame, event)
    model = _model(frame.loc[known], time, arm, reference, covariates, strata, subject)
    lost = int((~known).sum())
    notes = (*((f"{lost} rows excluded, {event} missing.",) if lost else ()), *model.notes)
    return _fitted(
        model,
        flags[known][model.rows],
        _strata_of(frame.loc[known], model, strata),
        ties=ties,
        robust=robust,
        ci_level=ci_level,
        alternative=alternative,
        strata=names_of(strata),
        notes=notes,
    )


def cause_specific(
    data: pd.DataFrame,
    *,
    time: str,
    cause: str,
    arm: str,
    reference: object,
    covariates: str | Sequence[str] = (),
    strata: str | Sequence[str] = (),
    censored: object = None,
    causes: Sequence[object] | None = None,
    ties: Ties = "efron",
    subject: str | None = None,
    ci_level: float = 0.95,
) -> EstimateTable:
    """Cause-specific hazard ratios: one Cox model a reason, the other reasons censored.

    Keys: cause, term; otherwise as `cox`. `cause` and `censored` as in `cumulative_incidence`;
    `causes` picks some of them. A ratio says how fast the reason comes among those still in the
    trial; it does not say how many will ever leave for it (see `fine_gray` for that).

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPPDDDDD"),
    ...                      "DAY": [2, 3, 5, 6, 8, 4, 5, 7, 8, 9],
    ...                      "WHY": ["AE", "LOE", "AE", "LOE", None] * 2})
    >>> table = cause_specific(data, time="DAY", cause="WHY", arm="ARM", reference="P")
    >>> [round(r, 4) for r in table.frame()["estimate"]]
    [0.6241, 0.6687]
    """
    _check(ties, False, ci_level, "two-sided")
    frame = require_frame(data)
    codes, all_causes = cause_codes(frame, cause, censored)
    model = _model(frame, time, arm, reference, covariates, strata, subject)
    rows: list[Estimate] = []
    keys: dict[str, list[object]] = {"cause": [], "term": []}
    n_events: list[object] = []
    for label in chosen_causes(all_causes, causes, cause):
        found = codes[model.rows] == all_causes.index(label) + 1
        table = _fitted(
            model,
            found,
            _strata_of(frame, model, strata),
            ties=ties,
            robust=False,
            ci_level=ci_level,
            alternative="two-sided",
            strata=names_of(strata),
            notes=(),
            of=f"cause-specific ({label}) ",
        )
        rows.extend(table.estimates)
        keys["cause"].extend([label] * len(table))
        keys["term"].extend(table.keys["term"])
        n_events.extend(table.extras["n_event"])
    return EstimateTable(
        estimates=tuple(rows),
        keys={name: tuple(values) for name, values in keys.items()},
        extras={"n_event": tuple(n_events)},
        variable=time,
        notes=model.notes,
    )


def chosen_causes(
    present: tuple[object, ...], wanted: Sequence[object] | None, column: str
) -> tuple[object, ...]:
    """The causes asked for, in their order; SpecError for one that does not occur."""
    if wanted is None:
        return present
    for label in wanted:
        if label not in present:
            raise SpecError(
                f"causes= names {label!r}, which {column!r} does not hold: "
                f"{', '.join(map(repr, present))}."
            )
    return tuple(wanted)


def log_ratio_rows(
    names: Sequence[str],
    coef: FloatArray,
    se: FloatArray,
    *,
    n: int,
    method: str,
    ci_level: float,
    alternative: Alternative = "two-sided",
) -> tuple[Estimate, ...]:
    """One ratio a coefficient, from its log and standard error, normal reference."""
    return tuple(
        Estimate.from_z(
            label=name,
            estimate=float(b),
            se=float(e),
            n=n,
            method=method,
            ci_level=ci_level,
            alternative=alternative,
            scale="ratio",
        )
        for name, b, e in zip(names, coef, se, strict=True)
    )


def _check(ties: str, robust: bool, ci_level: float, alternative: str) -> None:
    check_choice("ties", ties, TIES)
    check_level(ci_level)
    check_alternative(alternative)
    if robust and ties == "exact":
        raise SpecError("robust=True needs ties='efron' or 'breslow'.")


def _model(
    frame: pd.DataFrame,
    time: str,
    arm: str,
    reference: object,
    covariates: str | Sequence[str],
    strata: str | Sequence[str],
    subject: str | None,
) -> ModelFrame:
    times = number_vector(frame, time)
    if (times < 0).any():
        raise DataError(f"Column {time!r} has {int((times < 0).sum())} negative time(s).")
    if subject is not None:
        require_one_row_each(frame, subject)
    return regression_frame(
        frame,
        outcome=time,
        arm=arm,
        reference=reference,
        covariates=names_of(covariates),
        complete=names_of(strata),
    )


def _strata_of(
    frame: pd.DataFrame, model: ModelFrame, strata: str | Sequence[str]
) -> tuple[IntArray, tuple[str, ...]]:
    names = names_of(strata)
    if not names:
        return np.zeros(model.n, dtype=np.int64), ("all",)
    analysed = frame.iloc[model.rows]
    codes, size = stratum_codes(analysed, names)
    first = [int(np.flatnonzero(codes == code)[0]) for code in range(size)]
    labels = tuple(" | ".join(str(analysed[name].iloc[row]) for name in names) for row in first)
    return codes, labels


def _fitted(
    model: ModelFrame,
    event: BoolArray,
    stratum: tuple[IntArray, tuple[str, ...]],
    *,
    ties: str,
    robust: bool,
    ci_level: float,
    alternative: Alternative,
    strata: tuple[str, ...],
    notes: tuple[str, ...],
    of: str = "",
) -> CoxTable:
    if not event.any():
        raise DataError(f"No event among the {model.n} analysed rows.")
    terms = [term for term in model.terms if term.name != "Intercept"]
    names = list(model.columns[1:])
    fit = cox_fit(
        time=model.response,
        event=event,
        x=np.asarray(model.matrix[:, 1:]),
        stratum=stratum[0],
        names=names,
        ties=ties,
    )
    vcov = fit.vcov
    if robust:
        influence = fit.score_residuals() @ fit.vcov
        vcov = influence.T @ influence
    within = f", stratified by {', '.join(strata)}" if strata else ""
    errors = ", Lin-Wei robust errors" if robust else ""
    n_event = int(event.sum())
    return CoxTable(
        estimates=log_ratio_rows(
            names,
            fit.coef,
            np.sqrt(np.diag(vcov)),
            n=model.n,
            ci_level=ci_level,
            method=f"{of}Cox model, {ties} ties{within}{errors}",
            alternative=alternative,
        ),
        keys={"term": tuple(names)},
        extras={"n_event": (n_event,) * len(names)},
        variable=model.outcome,
        notes=notes,
        fit=fit,
        term_columns=tuple(
            (term.name, tuple(range(term.columns.start - 1, term.columns.stop - 1)))
            for term in terms
        ),
        stratum_labels=stratum[1],
    )


def _chi_square(statistic: float, df: int, method: str) -> TestResult:
    return TestResult(
        num_df=float(df),
        den_df=inf,
        statistic=statistic,
        p_value=float(special.chdtrc(df, statistic)),
        method=method,
    )
