"""Cumulative incidence of one cause among several, its variance, and Gray's test.

Counts at each distinct event time; the incidence of cause c steps by S(t-) d_c / n, with S the
Kaplan-Meier curve of any event (Aalen and Johansen). Tied events of a cause enter the variances
with the factor (n - d) / (n - 1), as in R's cmprsk. Causes are coded 0 (censored), 1, 2, ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.typing import FloatArray, IntArray

__all__ = ["GrayTest", "Incidence", "cumulative_incidence", "gray_test"]


# A variance below this share of the number of events is rounding.
VARIANCE_FLOOR = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Incidence:
    """Incidence and its variance after each distinct event time of any cause (M,)."""

    time: FloatArray
    incidence: FloatArray
    variance: FloatArray

    def at(self, time: float) -> tuple[float, float]:
        """Incidence and variance at `time`."""
        row = int(np.searchsorted(self.time, time, side="right")) - 1
        return (0.0, 0.0) if row < 0 else (float(self.incidence[row]), float(self.variance[row]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GrayTest:
    """Score of each group (k,), its covariance, and the chi-square on k - 1 degrees of freedom."""

    score: FloatArray
    covariance: FloatArray
    statistic: float
    df: int
    p_value: float


def cumulative_incidence(time: FloatArray, cause: IntArray, of: int) -> Incidence:
    """Incidence of cause `of` in one sample of times (n,) and causes (n,)."""
    moments = np.unique(time[cause > 0])
    n = _counts_from(time, moments)
    own, other = (
        _counts_at(time[cause == of], moments),
        _counts_at(time[(cause > 0) & (cause != of)], moments),
    )
    after = np.cumprod((n - own - other) / n)
    before = np.concatenate([[1.0], after[:-1]])[: moments.size]
    incidence = np.cumsum(before * own / n)
    # d / n^2 shrunk for ties, times S(t-)^2: the variance of one cause's step.
    own_step = before**2 * own / n**2 * _tie_factor(n, own)
    other_step = before**2 * other / n**2 * _tie_factor(n, other)
    with np.errstate(divide="ignore"):
        inverse = np.where(after > 0, 1 / after, 0.0)
    # At time t a step at s counts ((F(t) - F(s)) / S(s))^2 or (1 - the same)^2: a quadratic in
    # F(t), whose three sums run along.
    shift = incidence * inverse
    a = np.cumsum((own_step + other_step) * inverse**2)
    b = np.cumsum(other_step * inverse * shift + own_step * inverse * (1 + shift))
    c = np.cumsum(other_step * shift**2 + own_step * (1 + shift) ** 2)
    variance = incidence**2 * a - 2 * incidence * b + c
    return Incidence(time=moments, incidence=incidence, variance=np.maximum(variance, 0.0))


def gray_test(
    *,
    time: FloatArray,
    cause: IntArray,
    of: int,
    group: IntArray,
    n_groups: int,
    stratum: IntArray,
) -> GrayTest:
    """Gray's test that cause `of` has one cumulative incidence in all groups, over strata."""
    score, covariance = np.zeros(n_groups), np.zeros((n_groups, n_groups))
    for code in np.unique(stratum):
        chosen = stratum == code
        part = _GrayStratum(time[chosen], cause[chosen], of, group[chosen], n_groups)
        score += part.score
        covariance += part.covariance()
    kept = np.arange(1, n_groups)
    inner = covariance[np.ix_(kept, kept)]
    # An arm that was never at risk with another has no variance, but for rounding, and no test.
    floor = VARIANCE_FLOOR * max(1.0, float(np.sum(cause == of)))
    is_defined = bool(np.linalg.eigvalsh(inner)[0] > floor)
    statistic = float(score[kept] @ np.linalg.solve(inner, score[kept])) if is_defined else np.nan
    return GrayTest(
        score=score,
        covariance=covariance,
        statistic=statistic,
        df=n_groups - 1,
        p_value=float(special.chdtrc(n_groups - 1, statistic)),
    )


class _GrayStratum:
    """Score and variance sums of one stratum, event time by event time (Gray 1988, section 2)."""

    def __init__(
        self, time: FloatArray, cause: IntArray, of: int, group: IntArray, n_groups: int
    ) -> None:
        self.score = np.zeros(n_groups)
        # The influence of an event in group k on the score of group i is a sum of two parts:
        # one known at its time, and one proportional to `weight` accumulated by the end.
        self.fixed = np.zeros((n_groups, n_groups))
        self.mixed = np.zeros((n_groups, n_groups))
        self.spread = np.zeros(n_groups)
        self.weight = np.zeros((n_groups, n_groups))
        before = np.ones(n_groups)  # Kaplan-Meier of any event, just before
        own = np.zeros(n_groups)  # incidence of the cause by group, just before
        pooled = 0.0
        for moment in np.unique(time[cause > 0]):
            here = time == moment
            risk = np.bincount(group[time >= moment], minlength=n_groups).astype(float)
            d1 = np.bincount(group[here & (cause == of)], minlength=n_groups).astype(float)
            d2 = np.bincount(group[here & (cause > 0) & (cause != of)], minlength=n_groups).astype(
                float
            )
            pooled, before, own = self._step(risk, d1, d2, before, own, pooled)

    def _step(
        self,
        risk: FloatArray,
        d1: FloatArray,
        d2: FloatArray,
        before: FloatArray,
        own: FloatArray,
        pooled: float,
    ) -> tuple[float, FloatArray, FloatArray]:
        present = risk > 0
        safe = np.where(present, risk, 1.0)
        after = np.where(present, before * (risk - d1 - d2) / safe, before)
        scaled = np.where(present, risk / np.where(before > 0, before, 1.0), 0.0)
        total = float(scaled.sum())
        exposed = scaled * (1 - own)
        n1 = float(d1.sum())
        moved = pooled + n1 / total
        part = np.diag(scaled) - np.outer(scaled, scaled) / total
        self.weight += part * n1 / (total * (1 - pooled))
        if n1 > 0:
            self.score += np.where(present, d1 - n1 * exposed / exposed.sum(), 0.0)
        for k in np.flatnonzero(present).tolist():
            ratio = (1 - moved) / after[k] if after[k] > 0 else 0.0
            if n1 > 0:
                ties = 1 - (n1 - 1) / (total * before[k] - 1) if n1 > 1 else 1.0
                variance = ties * before[k] * n1 / (total * risk[k])
                lead = 1 - ratio if after[k] > 0 else 1.0
                self._add(k, part[:, k] - lead * self.weight[:, k], lead, variance)
            if d2[k] > 0 and after[k] > 0:
                ties = 1 - (d2[k] - 1) / (risk[k] - 1) if d2[k] > 1 else 1.0
                variance = ties * before[k] ** 2 * d2[k] / risk[k] ** 2
                self._add(k, ratio * self.weight[:, k], -ratio, variance)
        own = np.where(present, own + before * d1 / safe, own)
        return moved, after, own

    def _add(self, k: int, fixed: FloatArray, lead: float, variance: float) -> None:
        self.fixed += np.outer(fixed, fixed) * variance
        self.mixed[:, k] += fixed * lead * variance
        self.spread[k] += lead**2 * variance

    def covariance(self) -> FloatArray:
        """Covariance of the scores (k, k)."""
        cross = self.weight @ self.mixed.T
        return self.fixed + cross + cross.T + (self.weight * self.spread) @ self.weight.T


def _counts_from(time: FloatArray, moments: FloatArray) -> FloatArray:
    """Number at risk at each moment."""
    ordered = np.sort(time)
    return (time.size - np.searchsorted(ordered, moments, side="left")).astype(float)


def _counts_at(time: FloatArray, moments: FloatArray) -> FloatArray:
    """Number of times equal to each moment."""
    return np.bincount(np.searchsorted(moments, time), minlength=moments.size).astype(float)


def _tie_factor(n: FloatArray, d: FloatArray) -> FloatArray:
    return np.where(d > 1, 1 - (d - 1) / np.maximum(n - 1, 1), 1.0)
