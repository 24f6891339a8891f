"""One sample of right-censored times: risk sets, Kaplan-Meier, Nelson-Aalen, restricted mean.

Vocabulary: a *life table* has one row a distinct time (M,), event or censoring, in order. The
number at risk counts those whose time is not below it, so that a censoring tied with an event
stays at risk for that event.

lifelines gives the same curve and log-log limits to the last digit, and is a check in the
tests; it has neither Greenwood's standard error nor log and plain limits, limits of zero where
R and SAS have none, no midpoint where the curve runs flat at one half, and no sampling variance
of the restricted mean. All of these are sums over this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from scipy import special

from trialkit.kernels.near_times import meant_time
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "LifeTable",
    "RestrictedMean",
    "life_table",
    "probability_limits",
    "quantile_of_curve",
    "restricted_mean",
]

# A survival that misses p by less than this has met it: products of fractions carry rounding.
CURVE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LifeTable:
    """Counts at each distinct time (M,), and the curves that step there.

    `survival` is Kaplan-Meier after the events at each time, `se` Greenwood's; `hazard` is
    Nelson-Aalen's cumulative hazard, `hazard_se` from the sum of d / n^2.
    """

    time: FloatArray
    n_risk: IntArray
    n_event: IntArray
    n_censored: IntArray
    survival: FloatArray
    se: FloatArray
    hazard: FloatArray
    hazard_se: FloatArray

    def position(self, time: float) -> int:
        """Row of the last distinct time not above `time`; -1 before the first."""
        return int(np.searchsorted(self.time, self.meant(time), side="right")) - 1

    def meant(self, time: float) -> float:
        """The distinct time that `time` is but for rounding, or `time` itself."""
        return meant_time(time, self.time)

    def at(self, curve: FloatArray, time: float, *, start: float) -> float:
        """Value of one of the step curves at `time`; `start` before its first step."""
        row = self.position(time)
        return start if row < 0 else float(curve[row])

    def at_risk(self, time: float) -> int:
        """Number whose time is not below `time`."""
        row = int(np.searchsorted(self.time, self.meant(time), side="left"))
        return int(self.n_risk[row]) if row < self.time.size else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictedMean:
    """Area under the curve up to tau, its sampling variance, and the events before tau."""

    mean: float
    variance: float
    n_event: int


def life_table(time: FloatArray, event: BoolArray) -> LifeTable:
    """Life table of times (n,) with `event` (n,) true where the event was seen."""
    distinct, inverse = np.unique(time, return_inverse=True)
    n_event = np.bincount(inverse, weights=event, minlength=distinct.size).astype(np.int64)
    n_here = np.bincount(inverse, minlength=distinct.size).astype(np.int64)
    n_risk = time.size - np.concatenate([[0], np.cumsum(n_here)[:-1]]).astype(np.int64)
    survivors = n_risk - n_event
    survival: FloatArray = np.cumprod(survivors / n_risk).astype(np.float64)
    # Where nobody is left the survival is zero and Greenwood's sum has no value.
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = np.cumsum(n_event / (n_risk * survivors.astype(float)))
        se = survival * np.sqrt(greenwood)
    return LifeTable(
        time=distinct,
        n_risk=n_risk,
        n_event=n_event,
        n_censored=n_here - n_event,
        survival=survival,
        se=np.where(survival > 0, se, nan),
        hazard=np.cumsum(n_event / n_risk),
        hazard_se=np.sqrt(np.cumsum(n_event / n_risk.astype(float) ** 2)),
    )


def probability_limits(
    estimate: float, se: float, *, ci_level: float, kind: str
) -> tuple[float, float]:
    """Limits of a probability by a normal on the plain, log or log(-log) scale; NaN where none.

    A probability of zero has no logarithm; zero and one have no log(-log). Plain and log limits
    are cut at 0 and 1.
    """
    z = float(special.ndtri(0.5 + ci_level / 2))
    if not np.isfinite(se) or (kind != "plain" and estimate <= 0):
        return nan, nan
    if kind == "plain":
        return max(0.0, estimate - z * se), min(1.0, estimate + z * se)
    if kind == "log":
        factor = float(np.exp(z * se / estimate))
        return estimate / factor, min(1.0, estimate * factor)
    if estimate >= 1:
        return nan, nan
    shift = float(np.exp(z * se / (estimate * abs(np.log(estimate)))))
    return estimate**shift, estimate ** (1 / shift)


def quantile_of_curve(time: FloatArray, curve: FloatArray, probability: float) -> float:
    """The time by which a falling step curve reaches 1 - probability; NaN where it does not.

    Where the curve runs flat at exactly that height, the midpoint of the flat piece (to the
    last time, where the curve ends on it): R's quantile() of a survfit. Its printed summary
    has the beginning of a piece that the curve ends on.
    """
    target = 1 - probability
    known = ~np.isnan(curve)
    time, curve = time[known], curve[known]
    below = np.flatnonzero(curve < target + CURVE_TOLERANCE)
    if below.size == 0:
        return nan
    first = int(below[0])
    if abs(curve[first] - target) >= CURVE_TOLERANCE:
        return float(time[first])
    under = np.flatnonzero(curve < target - CURVE_TOLERANCE)
    last = int(under[0]) if under.size else time.size - 1
    return float((time[first] + time[last]) / 2)


def restricted_mean(table: LifeTable, tau: float) -> RestrictedMean:
    """Mean time to the event within [0, tau], with the variance of that mean.

    The variance sums (area under the curve after t)^2 d / (n (n - d)) over event times below
    tau; it is the sampling variance, not that of min(T, tau).
    """
    chosen = (table.time < tau) & (table.n_event > 0)
    time, survival = table.time[chosen], table.survival[chosen]
    widths = np.diff(np.concatenate([[0.0], time, [tau]]))
    areas = widths * np.concatenate([[1.0], survival])
    after = np.cumsum(areas[::-1])[::-1][1:]
    n, d = table.n_risk[chosen].astype(float), table.n_event[chosen].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = after**2 * d / (n * (n - d))
    # Once the curve has reached zero nothing lies after it.
    variance = float(np.sum(np.where(n > d, terms, 0.0)))
    return RestrictedMean(mean=float(areas.sum()), variance=variance, n_event=int(d.sum()))
