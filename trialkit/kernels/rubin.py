"""Rubin's rules: one answer from the answers of m imputed data sets.

Shapes: estimates and their variances (m, k), a column a quantity; covariances (m, k, k).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from trialkit.typing import FloatArray

__all__ = ["Pooled", "PooledWald", "barnard_rubin_df", "pool", "pool_wald"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooled:
    """Rubin's rules for k quantities, every field (k,).

    `within` is the mean variance, `between` the variance of the estimates over imputations,
    `total` = within + (1 + 1/m) between; `increase` the relative increase of variance due to
    missing values, `share` (lambda) that part of the total, `df` Barnard and Rubin's degrees of
    freedom, `missing_information` the fraction of information missing.
    """

    estimate: FloatArray
    within: FloatArray
    between: FloatArray
    total: FloatArray
    increase: FloatArray
    share: FloatArray
    df: FloatArray
    missing_information: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledWald:
    """Joint test of k quantities; `increase` is the average relative increase of variance."""

    statistic: float
    num_df: float
    den_df: float
    p_value: float
    increase: float


def pool(estimates: FloatArray, variances: FloatArray, df_complete: float) -> Pooled:
    """Pool estimates (m, k) with variances (m, k); `df_complete` may be infinite."""
    m = estimates.shape[0]
    estimate, within = estimates.mean(axis=0), variances.mean(axis=0)
    between = estimates.var(axis=0, ddof=1)
    extra = (1 + 1 / m) * between
    total = within + extra
    with np.errstate(divide="ignore", invalid="ignore"):
        increase = np.where(within > 0, extra / within, np.where(extra > 0, np.inf, 0.0))
        share = np.where(total > 0, extra / total, 0.0)
    df = barnard_rubin_df(share, m, df_complete)
    with np.errstate(invalid="ignore"):
        missing = np.where(np.isfinite(increase), (increase + 2 / (df + 3)) / (increase + 1), 1.0)
    return Pooled(
        estimate=estimate,
        within=within,
        between=between,
        total=total,
        increase=np.asarray(increase),
        share=np.asarray(share),
        df=df,
        missing_information=np.asarray(missing),
    )


def barnard_rubin_df(share: FloatArray, m: int, df_complete: float) -> FloatArray:
    """Degrees of freedom (k,) at `share` (lambda) of the variance between imputations.

    Barnard & Rubin (1999) for a complete-data analysis with `df_complete`; Rubin's (1987)
    (m - 1) / lambda^2 where that is infinite.
    """
    with np.errstate(divide="ignore"):
        large = (m - 1) / share**2
    if df_complete == np.inf:
        return np.asarray(large)
    observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
    # 1 / (1/a + 1/b): no loss where `large` is infinite, zero where `observed` is.
    with np.errstate(divide="ignore"):
        return np.asarray(1 / (1 / large + 1 / observed))


def pool_wald(estimates: FloatArray, covariances: FloatArray) -> PooledWald:
    """Test that all k quantities are zero, from (m, k) with covariances (m, k, k).

    D1 of Li, Raghunathan & Rubin (1991): the total covariance is taken proportional to the one
    within imputations, so that few imputations suffice.
    """
    m, k = estimates.shape
    mean, within = estimates.mean(axis=0), covariances.mean(axis=0)
    deviation = estimates - mean
    between = deviation.T @ deviation / (m - 1)
    factor = linalg.cho_factor(within)
    increase = (1 + 1 / m) * float(np.trace(linalg.cho_solve(factor, between))) / k
    statistic = float(mean @ linalg.cho_solve(factor, mean)) / (k * (1 + increase))
    den_df = _wald_df(k * (m - 1), k, increase)
    tail = (
        special.chdtrc(k, k * statistic)
        if den_df == np.inf
        else special.fdtrc(k, den_df, statistic)
    )
    return PooledWald(
        statistic=statistic,
        num_df=float(k),
        den_df=den_df,
        p_value=float(tail),
        increase=increase,
    )


def _wald_df(t: int, k: int, increase: float) -> float:
    if increase <= 0:
        return float("inf")
    if t > 4:
        return 4 + (t - 4) * (1 + (1 - 2 / t) / increase) ** 2
    # Rubin's (1987) form for fewer than five degrees of freedom between imputations.
    return t * (1 + 1 / k) * (1 + 1 / increase) ** 2 / 2
