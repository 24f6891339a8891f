"""Weighted log-rank tests of k samples, summed over strata.

The weight of an event time is S(t-)^rho (1 - S(t-))^gamma with S the Kaplan-Meier curve of all
samples of the stratum (Fleming and Harrington), the number at risk (Gehan) or its square root
(Tarone and Ware). Ties take the hypergeometric variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["LogRank", "log_rank"]

# Variances are sums of differences of shares: below this share of the expected events, rounding.
VARIANCE_FLOOR = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogRank:
    """Weighted observed and expected events (k,), and the covariance of their difference."""

    observed: FloatArray
    expected: FloatArray
    covariance: FloatArray
    chi_square: float
    df: int
    p_value: float


def log_rank(
    *,
    time: FloatArray,
    event: BoolArray,
    group: IntArray,
    n_groups: int,
    stratum: IntArray,
    weight: str = "fleming-harrington",
    rho: float = 0.0,
    gamma: float = 0.0,
) -> LogRank:
    """Test of times (n,) in groups 0 ... n_groups - 1 within strata."""
    observed, expected = np.zeros(n_groups), np.zeros(n_groups)
    covariance = np.zeros((n_groups, n_groups))
    for code in np.unique(stratum):
        chosen = stratum == code
        parts = _one_stratum(
            time[chosen], event[chosen], group[chosen], n_groups, (weight, rho, gamma)
        )
        observed += parts[0]
        expected += parts[1]
        covariance += parts[2]
    # A sample that was never at risk together with another has no variance and no part.
    present = np.flatnonzero(covariance.diagonal() > VARIANCE_FLOOR * expected)
    kept = present[1:]
    difference = (observed - expected)[kept]
    inner = covariance[np.ix_(kept, kept)]
    chi_square = float(difference @ np.linalg.solve(inner, difference)) if kept.size else np.nan
    return LogRank(
        observed=observed,
        expected=expected,
        covariance=covariance,
        chi_square=chi_square,
        df=kept.size,
        p_value=float(special.chdtrc(kept.size, chi_square)) if kept.size else np.nan,
    )


def _one_stratum(
    time: FloatArray,
    event: BoolArray,
    group: IntArray,
    n_groups: int,
    weighting: tuple[str, float, float],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    moments = np.unique(time[event])
    if moments.size == 0:
        return np.zeros(n_groups), np.zeros(n_groups), np.zeros((n_groups, n_groups))
    # (M, k): at risk and failing in each group at each event time.
    at_risk = np.empty((moments.size, n_groups))
    failing = np.empty((moments.size, n_groups))
    for code in range(n_groups):
        own = np.sort(time[group == code])
        at_risk[:, code] = own.size - np.searchsorted(own, moments, side="left")
        failed = np.sort(time[(group == code) & event])
        failing[:, code] = np.searchsorted(failed, moments, side="right") - np.searchsorted(
            failed, moments, side="left"
        )
    n, d = at_risk.sum(axis=1), failing.sum(axis=1)
    weights = _weights(n, d, *weighting)
    shares = at_risk / n[:, None]
    spread = weights**2 * d * np.where(n > 1, (n - d) / np.maximum(n - 1, 1), 0.0)
    covariance = np.diag(spread @ shares) - (shares * spread[:, None]).T @ shares
    return weights @ failing, (weights * d) @ shares, covariance


def _weights(n: FloatArray, d: FloatArray, kind: str, rho: float, gamma: float) -> FloatArray:
    if kind == "gehan":
        return n
    if kind == "tarone-ware":
        return np.sqrt(n)
    after = np.cumprod((n - d) / n)
    before = np.concatenate([[1.0], after[:-1]])
    weights: FloatArray = before**rho * (1 - before) ** gamma
    return weights
