"""Tail probabilities of the largest of k correlated t statistics, and their critical value.

`MaxT` chooses among three ways, from the correlations alone: exact by an integral over the
angle when the statistics span two dimensions (any two comparisons; all pairs of three arms),
exact by two or three integrals when one or two common factors give the correlations
(comparisons with a control and at most one covariate; nearly every set of four), and otherwise
with the first few exact and the rest by a fixed quasi-random average whose error is reported.
Small probabilities are computed as such, never as one minus a large one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log
from typing import Literal

import numpy as np
from scipy import optimize, special

from trialkit.kernels.max_t_factors import factor_loadings, factor_tail
from trialkit.kernels.max_t_polar import polar_factor, polar_tail
from trialkit.kernels.max_t_sampled import further_terms
from trialkit.typing import FloatArray

__all__ = ["MaxT", "max_t"]

ROOT_TOLERANCE = 1e-12
# Finer than the error of a sampled probability, and a few evaluations fewer.
SAMPLED_ROOT_TOLERANCE = 1e-8

Way = Literal["polar", "factors", "sampled"]
DESCRIPTIONS = {
    "polar": "exact, integral over the angle",
    "factors": "exact, integral over common factors",
    "sampled": "quasi-random average over fixed points",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaxT:
    """The maximum of k t statistics; `factor` is what the chosen `way` needs."""

    n_statistics: int
    way: Way
    factor: FloatArray

    def tail(self, threshold: float, *, df: float, two_sided: bool) -> tuple[float, float]:
        """P(max |T_i| > threshold), or of T_i when one-sided, with its error (0: exact)."""
        if np.isnan(threshold) or np.isnan(df):
            return float("nan"), 0.0
        if self.n_statistics == 1:
            single = _lower_tail(-abs(threshold) if two_sided else -threshold, df)
            return (min(1.0, 2.0 * single) if two_sided else single), 0.0
        if self.way == "polar":
            p = polar_tail(self.factor, threshold=threshold, df=df, two_sided=two_sided)
            return p, 0.0
        if self.way == "factors":
            p = factor_tail(self.factor, threshold=threshold, df=df, two_sided=two_sided)
            return p, 0.0
        if two_sided and threshold <= 0:
            return 1.0, 0.0
        start = _exact_start(self.factor)
        exact, _ = start.tail(threshold, df=df, two_sided=two_sided)
        rest, error = further_terms(
            self.factor,
            first=start.n_statistics,
            threshold=threshold,
            df=df,
            two_sided=two_sided,
        )
        return exact + rest, error

    def critical_value(self, alpha: float, *, df: float, two_sided: bool) -> float:
        """The c with P(max |T_i| > c) = alpha, or of T_i when one-sided."""
        tails = 2.0 if two_sided else 1.0
        # One statistic needs less, k of them at most what Bonferroni gives.
        low = _upper_quantile(alpha / tails, df)
        high = _upper_quantile(alpha / tails / self.n_statistics, df)
        margin = 1e-6 * max(1.0, abs(high))

        def excess(c: float) -> float:
            return log(self.tail(c, df=df, two_sided=two_sided)[0]) - log(alpha)

        finest = SAMPLED_ROOT_TOLERANCE if self.way == "sampled" else ROOT_TOLERANCE
        return float(optimize.brentq(excess, low - margin, high + margin, xtol=finest, rtol=finest))


def max_t(correlation: FloatArray) -> MaxT:
    """Prepare the maximum of statistics with these correlations (k, k), singular or not."""
    k = correlation.shape[0]
    polar = polar_factor(correlation)
    if polar is not None:
        return MaxT(n_statistics=k, way="polar", factor=polar)
    loadings = factor_loadings(correlation)
    if loadings is not None:
        return MaxT(n_statistics=k, way="factors", factor=loadings)
    return MaxT(n_statistics=k, way="sampled", factor=correlation)


def _exact_start(correlation: FloatArray) -> MaxT:
    """The first four, three or two statistics: as many as have an exact way."""
    for count in (4, 3):
        start = max_t(correlation[:count, :count])
        if start.way != "sampled":
            return start
    return max_t(correlation[:2, :2])


def _lower_tail(statistic: float, df: float) -> float:
    return float(special.ndtr(statistic) if df == inf else special.stdtr(df, statistic))


def _upper_quantile(probability: float, df: float) -> float:
    if df == inf:
        return -float(special.ndtri(probability))
    return -float(special.stdtrit(df, probability))
