"""Reasons that exclude one another: cumulative incidence, Gray's test, subdistribution hazards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.cox import chosen_causes
from trialkit.analyses.cox_table import log_ratio_rows, undefined_ratios
from trialkit.analyses.event_times import (
    cause_codes,
    checked_times,
    event_times,
    names_of,
    regression_frame,
    require_reference,
)
from trialkit.analyses.kaplan_meier import INTERVALS, level_estimate
from trialkit.data.vectors import number_vector, require_frame, require_one_row_each
from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.competing_risks import Incidence
from trialkit.kernels.competing_risks import cumulative_incidence as incidence_of
from trialkit.kernels.competing_risks import gray_test as gray_of
from trialkit.kernels.fine_gray import fine_gray_fit
from trialkit.kernels.life_table import probability_limits
from trialkit.kernels.near_times import meant_time, tied_times
from trialkit.results import Estimate, EstimateTable, TestTable, check_level
from trialkit.results.tables import TestResult
from trialkit.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["IncidenceTable", "cumulative_incidence", "fine_gray", "gray_test"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IncidenceTable(EstimateTable):
    """Cumulative incidence, keys `cause, arm, time`."""

    def plot(self, ax: Axes | None = None) -> Axes:
        """One rising curve for each arm and cause."""
        from trialkit.figures.survival import incidence_curves

        frame = self.frame()
        labels, times, curves = [], [], []
        for cause in dict.fromkeys(self.keys["cause"]):
            for arm in dict.fromkeys(self.keys["arm"]):
                own = frame[(frame["cause"] == cause) & (frame["arm"] == arm)]
                labels.append(f"{cause}, {arm}")
                times.append(own["time"].to_numpy(dtype=np.float64))
                curves.append(own["estimate"].to_numpy(dtype=np.float64))
        end = float(frame["time"].max())
        return incidence_curves(
            labels=labels, times=times, curves=curves, end=end, x_label=self.variable, ax=ax
        )


def cumulative_incidence(
    data: pd.DataFrame,
    *,
    time: str,
    cause: str,
    arm: str | None = None,
    reference: object = None,
    censored: object = None,
    times: Sequence[float] | None = None,
    ci: Literal["log-log", "log", "plain"] = "log-log",
    subject: str | None = None,
    ci_level: float = 0.95,
) -> IncidenceTable:
    """Probability of having left for each reason by each time, by arm (Aalen-Johansen).

    One row of `data` is one subject. `cause` holds the reason at `time`; `censored` is its
    label where there was none (None: missing or blank, or 0 in a column of numbers). Keys:
    cause, arm, time (every time an arm lost someone, or those of `times`). Extra: `n_event`, of
    this cause up to then. Variance as R's cmprsk; `ci` is the scale of the interval, "log-log"
    as in SAS. The incidences of all causes and the share without any add up to one, which one
    minus Kaplan-Meier by reason would not.

    Reference: Aalen & Johansen (1978) Scand J Stat 5:141-150.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"DAY": [2, 3, 4, 6], "WHY": ["AE", "LOE", None, "AE"]})
    >>> table = cumulative_incidence(data, time="DAY", cause="WHY", times=[4])
    >>> table.frame()[["cause", "estimate"]].values.tolist()
    [['AE', 0.25], ['LOE', 0.25]]
    """
    check_choice("ci", ci, INTERVALS)
    check_level(ci_level)
    found = event_times(
        data,
        time=time,
        cause=cause,
        censored=censored,
        arm=arm,
        reference=reference,
        subject=subject,
    )
    asked = None if times is None else sorted(checked_times(times))
    rows: list[Estimate] = []
    columns: dict[str, list[object]] = {name: [] for name in ("cause", "arm", "time", "n_event")}
    for number, label in enumerate(found.causes, start=1):
        for code, arm_label in enumerate(found.arms):
            own = found.of_arm(code)
            own_time, own_cause = found.time[own], found.cause[own]
            curve = incidence_of(own_time, own_cause, number)
            last, distinct = _known_until(own_time, own_cause), np.unique(own_time)
            for moment in curve.time.tolist() if asked is None else asked:
                at = meant_time(moment, distinct)
                n_event = int(np.sum((own_cause == number) & (own_time <= at)))
                rows.append(
                    _incidence_row(
                        curve, f"{label}, {arm_label}", at, last, own_time.size, ci, ci_level
                    )
                )
                for name, value in zip(
                    columns, (label, arm_label, float(moment), n_event), strict=True
                ):
                    columns[name].append(value)
    n_event_column = tuple(columns.pop("n_event"))
    return IncidenceTable(
        estimates=tuple(rows),
        keys={name: tuple(values) for name, values in columns.items()},
        extras={"n_event": n_event_column},
        variable=time,
        notes=found.notes,
    )


def gray_test(
    data: pd.DataFrame,
    *,
    time: str,
    cause: str,
    arm: str,
    reference: object = None,
    strata: str | Sequence[str] | None = None,
    censored: object = None,
    subject: str | None = None,
) -> TestTable:
    """Gray's test, for each reason, that its cumulative incidence is the same in all arms.

    `cause` and `censored` as in `cumulative_incidence`; `strata` sums over strata. Key: cause;
    extras `n`, `n_event`. Chi-square with one degree of freedom fewer than arms (rho = 0), as
    R's cmprsk.

    Reference: Gray (1988) Ann Stat 16:1141-1154, doi:10.1214/aos/1176350951.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPPDDDDD"),
    ...                      "DAY": [2, 3, 5, 6, 8, 4, 5, 7, 8, 9],
    ...                      "WHY": ["AE", "LOE", "AE", "LOE", None] * 2})
    >>> table = gray_test(data, time="DAY", cause="WHY", arm="ARM")
    >>> [round(p, 3) for p in table.frame()["p_value"]]
    [0.903, 0.9]
    """
    found = event_times(
        data,
        time=time,
        cause=cause,
        censored=censored,
        arm=arm,
        reference=reference,
        strata=strata,
        subject=subject,
        min_arms=2,
    )
    tests, counts = [], []
    for number in range(1, len(found.causes) + 1):
        test = gray_of(
            time=found.time,
            cause=found.cause,
            of=number,
            group=found.codes,
            n_groups=len(found.arms),
            stratum=found.stratum,
        )
        within = f", stratified by {', '.join(names_of(strata))}" if names_of(strata) else ""
        tests.append(
            TestResult(
                num_df=float(test.df),
                den_df=inf,
                statistic=test.statistic,
                p_value=test.p_value,
                method=f"Gray's test{within}",
            )
        )
        counts.append(int(np.sum(found.cause == number)))
    untested = [
        f"No test of {label!r}: the arms were not at risk together when it happened."
        for label, test in zip(found.causes, tests, strict=True)
        if np.isnan(test.statistic)
    ]
    return TestTable(
        tests=tuple(tests),
        keys={"cause": found.causes},
        extras={"n": (found.n,) * len(tests), "n_event": tuple(counts)},
        variable=time,
        notes=(*found.notes, *untested),
    )


def fine_gray(
    data: pd.DataFrame,
    *,
    time: str,
    cause: str,
    arm: str,
    reference: object,
    covariates: str | Sequence[str] = (),
    censored: object = None,
    causes: Sequence[object] | None = None,
    subject: str | None = None,
    ci_level: float = 0.95,
) -> EstimateTable:
    """Subdistribution hazard ratios of each reason, each other arm over the reference.

    Keys: cause, term; `scale` is "ratio". `cause`, `censored` and `causes` as in
    `cause_specific`. A ratio below one goes with a lower cumulative incidence of that reason,
    the others at play; it is not a rate among those still in the trial. The censoring curve is
    that of all arms together and the errors are Fine and Gray's robust ones, as R's cmprsk;
    extra `se_naive` has the inverse information. Among several, a cause whose model has no
    maximum (none in some arm) is a row with a `status`.

    Reference: Fine & Gray (1999), doi:10.1080/01621459.1999.10474144.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPPDDDDD"),
    ...                      "DAY": [2, 3, 5, 6, 8, 4, 5, 7, 8, 9],
    ...                      "WHY": ["AE", "LOE", "AE", "LOE", None] * 2})
    >>> table = fine_gray(data, time="DAY", cause="WHY", arm="ARM", reference="P")
    >>> [round(r, 3) for r in table.frame()["estimate"]]
    [0.88, 0.88]
    """
    check_level(ci_level)
    frame = require_frame(data)
    require_reference(reference, arm)
    codes, all_causes = cause_codes(frame, cause, censored)
    if (number_vector(frame, time) < 0).any():
        raise DataError(f"Column {time!r} has negative times.")
    if subject is not None:
        require_one_row_each(frame, subject)
    model = regression_frame(
        frame, outcome=time, arm=arm, reference=reference, covariates=names_of(covariates)
    )
    names = list(model.columns[1:])
    rows: list[Estimate] = []
    columns: dict[str, list[object]] = {n: [] for n in ("cause", "term", "n_event", "se_naive")}
    wanted = chosen_causes(all_causes, causes, cause)
    for label in wanted:
        is_cause = codes[model.rows] == all_causes.index(label) + 1
        method = f"Fine-Gray ({label}), robust errors"
        try:
            if not is_cause.any():
                raise DataError(f"No event of {label!r} among the {model.n} analysed rows.")
            fit = fine_gray_fit(
                time=tied_times(model.response),
                cause=codes[model.rows],
                of=all_causes.index(label) + 1,
                x=np.asarray(model.matrix[:, 1:]),
                names=names,
            )
            naive = np.sqrt(np.diag(fit.naive_vcov)).tolist()
            errors = np.sqrt(np.diag(fit.vcov))
            rows += log_ratio_rows(
                names, fit.coef, errors, n=model.n, ci_level=ci_level, method=method
            )
        except (ConvergenceError, DataError) as problem:
            if len(wanted) == 1:
                raise
            naive = [np.nan] * len(names)
            rows += undefined_ratios(names, problem, n=model.n, method=method, ci_level=ci_level)
        columns["cause"] += [label] * len(names)
        columns["term"] += names
        columns["n_event"] += [int(is_cause.sum())] * len(names)
        columns["se_naive"] += naive
    fixed = {name: tuple(values) for name, values in columns.items()}
    return EstimateTable(
        estimates=tuple(rows),
        keys={name: fixed[name] for name in ("cause", "term")},
        extras={name: fixed[name] for name in ("n_event", "se_naive")},
        variable=time,
        notes=model.notes,
    )


def _known_until(time: FloatArray, cause: IntArray) -> float:
    """The last observed time, or infinity where nobody was left after it."""
    last = float(time.max())
    return last if (cause[time == last] == 0).any() else inf


def _incidence_row(
    curve: Incidence, label: str, moment: float, last: float, n: int, ci: str, ci_level: float
) -> Estimate:
    value, variance = curve.at(moment)
    se, status = sqrt(variance), "ok"
    if moment > last:
        value = se = np.nan
        status = f"after the last observed time ({last:g})"
    limits = probability_limits(value, se, ci_level=ci_level, kind=ci)
    if status == "ok" and np.isnan(limits[0]):
        status = "no interval where the incidence is zero or one"
    return level_estimate(
        label, value, se, limits, ci_level, n, f"Aalen-Johansen, {ci} interval", status=status
    )
