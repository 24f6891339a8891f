"""Hazard ratios by Cox's proportional hazards model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.cox_table import CoxTable, log_ratio_rows, undefined_ratios
from trialkit.analyses.event_times import (
    cause_codes,
    event_flags,
    names_of,
    regression_frame,
    require_reference,
)
from trialkit.data.model_frame import ModelFrame
from trialkit.data.vectors import number_vector, require_frame, require_one_row_each, stratum_codes
from trialkit.errors import ConvergenceError, DataError, SpecError
from trialkit.kernels.cox import cox_fit
from trialkit.kernels.near_times import tied_times
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level
from trialkit.typing import Alternative, BoolArray, IntArray

__all__ = ["cause_specific", "chosen_causes", "cox"]

TIES = ("efron", "breslow", "exact")
Ties = Literal["efron", "breslow", "exact"]


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

    Assumes that hazards are proportional (`.proportional_hazards()` tests it, `rmst` does
    without) and censoring independent of the event given the covariates, which cannot be tested.
    `.tests()`, `.baseline_hazard()` and the log likelihoods complete the fit.

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
    trial; it does not say how many will ever leave for it (see `fine_gray` for that). Among
    several, a cause whose model has no maximum (none in some arm) is a row with a `status`.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPPDDDDD"),
    ...                      "DAY": [2, 3, 5, 6, 8, 4, 5, 7, 8, 9],
    ...                      "WHY": ["AE", "LOE", "AE", "LOE", None] * 2})
    >>> table = cause_specific(data, time="DAY", cause="WHY", arm="ARM", reference="P")
    >>> [round(r, 4) for r in table.frame()["estimate"]]
    [0.624, 0.669]
    """
    _check(ties, False, ci_level, "two-sided")
    frame = require_frame(data)
    codes, all_causes = cause_codes(frame, cause, censored)
    model = _model(frame, time, arm, reference, covariates, strata, subject)
    rows: list[Estimate] = []
    keys: dict[str, list[object]] = {"cause": [], "term": []}
    n_events: list[object] = []
    wanted = chosen_causes(all_causes, causes, cause)
    names = list(model.columns[1:])
    for label in wanted:
        found = codes[model.rows] == all_causes.index(label) + 1
        of = f"cause-specific ({label}) "
        try:
            rows += _fitted(
                model,
                found,
                _strata_of(frame, model, strata),
                ties=ties,
                robust=False,
                ci_level=ci_level,
                alternative="two-sided",
                strata=names_of(strata),
                notes=(),
                of=of,
            ).estimates
        except (ConvergenceError, DataError) as problem:
            if len(wanted) == 1:
                raise
            rows += undefined_ratios(
                names, problem, n=model.n, method=f"{of}Cox model", ci_level=ci_level
            )
        keys["cause"] += [label] * len(names)
        keys["term"] += names
        n_events += [int(found.sum())] * len(names)
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
    if not present:
        raise DataError(f"Column {column!r} holds no cause: no event in any row.")
    if wanted is None:
        return present
    if isinstance(wanted, str) or not wanted:
        raise SpecError(f"causes={wanted!r}: give a list of values of {column!r}.")
    for label in wanted:
        if label not in present:
            raise SpecError(
                f"causes= names {label!r}, which {column!r} does not hold: "
                f"{', '.join(map(repr, present))}."
            )
    return tuple(wanted)


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
        time=tied_times(model.response),
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
