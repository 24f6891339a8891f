"""Log-rank tests of times to an event: plain, weighted, stratified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.event_times import EventTimes, event_times, names_of
from trialkit.errors import DataError, SpecError
from trialkit.kernels.log_rank import LogRank, log_rank
from trialkit.results import TestTable
from trialkit.results.tables import TestResult

__all__ = ["LogRankTable", "logrank"]

WEIGHTS = ("fleming-harrington", "gehan", "tarone-ware")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LogRankTable(TestTable):
    """The test, key `term`; `by_arm` has the weighted observed and expected events."""

    arms: tuple[object, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    variance: tuple[float, ...]  # of observed minus expected, by arm

    def by_arm(self) -> pd.DataFrame:
        """One row an arm: arm, observed, expected (weighted), variance of their difference."""
        return pd.DataFrame(
            {
                "arm": list(self.arms),
                "observed": list(self.observed),
                "expected": list(self.expected),
                "variance": list(self.variance),
            }
        )


def logrank(
    data: pd.DataFrame,
    *,
    time: str,
    event: str,
    arm: str,
    reference: object = None,
    strata: str | Sequence[str] | None = None,
    rho: float = 0.0,
    gamma: float = 0.0,
    weight: Literal["fleming-harrington", "gehan", "tarone-ware"] = "fleming-harrington",
    subject: str | None = None,
) -> LogRankTable:
    """Log-rank test that the time to the event has one distribution in all arms.

    Rows, `time` and `event` as in `kaplan_meier`. Each event time weighs
    S(t-)^rho (1 - S(t-))^gamma, S being Kaplan-Meier's curve of all arms of the stratum: (0, 0)
    is the log-rank test, (1, 0) Peto and Prentice's for early, (0, 1) one for late differences;
    `weight="gehan"` weighs by the number at risk, "tarone-ware" by its square root. `strata`
    sums over strata. Chi-square with one degree of freedom fewer than arms, two-sided.

    Key: term, the arm column. Extras: `n`, `n_event`, and for two arms `z`, negative where the
    other arm has fewer events than expected; `.by_arm()` gives observed and expected events. A
    weight chosen after seeing the curves has no valid p-value.

    Raises DataError for a single arm or no event; SpecError for powers with another weight.

    Reference: Fleming & Harrington (1991) Counting Processes and Survival Analysis, Wiley.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPDDDD"), "DAY": [2, 3, 4, 6, 5, 7, 8, 9],
    ...                      "DISC": [1, 1, 1, 1, 1, 0, 1, 0]})
    >>> table = logrank(data, time="DAY", event="DISC", arm="ARM", reference="P")
    >>> round(table.frame()["statistic"].item(), 4)
    4.9176
    """
    check_choice("weight", weight, WEIGHTS)
    for name, power in (("rho", rho), ("gamma", gamma)):
        if not isinstance(power, int | float | np.number) or not 0 <= power < inf:
            raise SpecError(f"{name}={power!r} must be a finite number not below zero.")
    if weight != "fleming-harrington" and (rho or gamma):
        raise SpecError(f"rho= and gamma= belong to fleming-harrington, not weight={weight!r}.")
    found = event_times(
        data,
        time=time,
        event=event,
        arm=arm,
        reference=reference,
        strata=strata,
        subject=subject,
        min_arms=2,
    )
    test = log_rank(
        time=found.time,
        event=found.event,
        group=found.codes,
        n_groups=len(found.arms),
        stratum=found.stratum,
        weight=weight,
        rho=rho,
        gamma=gamma,
    )
    if test.df < 1:
        raise DataError(f"No event of {event!r} falls where two arms are at risk.")
    method = _method(weight, rho, gamma, names_of(strata))
    return _table(found, test, arm, time, method)


def _table(found: EventTimes, test: LogRank, arm: str, variable: str, method: str) -> LogRankTable:
    spread = test.covariance.diagonal()
    z = (test.observed[1] - test.expected[1]) / sqrt(spread[1]) if len(found.arms) == 2 else nan
    result = TestResult(
        num_df=float(test.df),
        den_df=inf,
        statistic=test.chi_square,
        p_value=test.p_value,
        method=method,
    )
    return LogRankTable(
        tests=(result,),
        keys={"term": (arm,)},
        extras={"n": (found.n,), "n_event": (int(found.event.sum()),), "z": (float(z),)},
        variable=variable,
        notes=found.notes,
        arms=found.arms,
        observed=tuple(test.observed.tolist()),
        expected=tuple(test.expected.tolist()),
        variance=tuple(spread.tolist()),
    )


def _method(weight: str, rho: float, gamma: float, strata: tuple[str, ...]) -> str:
    name = "log-rank"
    if weight != "fleming-harrington":
        name = f"{weight} weighted log-rank"
    elif rho or gamma:
        name = f"Fleming-Harrington log-rank (rho={rho:g}, gamma={gamma:g})"
    return f"{name}, stratified by {', '.join(strata)}" if strata else name
