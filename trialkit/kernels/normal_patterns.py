"""A multivariate normal from incomplete rows: EM estimates, and Little's test of MCAR.

Rows with the same observed columns form a *pattern*; sums over a pattern are all that either
needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.errors import ConvergenceError, DataError
from trialkit.typing import BoolArray, FloatArray

__all__ = ["LittleTest", "NormalFit", "fit_normal", "little_test"]

MAX_ROUNDS = 20_000
# Smallest eigenvalue of the visits' correlations that is not rounding.
SINGULAR = 1e-10
REPEATED = "A visit repeats others exactly: their covariance has no inverse."
# Largest change of a standardised parameter in one round of EM at which it has settled; EM
# slows down with the missing share, so that the distance left is a multiple of it.
SETTLED = 1e-11


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalFit:
    """Maximum likelihood mean (p,) and covariance (p, p) under missing at random."""

    mean: FloatArray
    covariance: FloatArray
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LittleTest:
    """Little's d^2, its degrees of freedom and p-value; how many patterns entered."""

    statistic: float
    df: int
    p_value: float
    n_patterns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pattern:
    seen: BoolArray  # (p,)
    n: int
    mean: FloatArray  # of the observed columns
    scatter: FloatArray  # about that mean


def fit_normal(rows: FloatArray) -> NormalFit:
    """EM from rows (n, p) with NaN where missing; each has at least one value."""
    center, scale = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
    patterns = _patterns((rows - center) / scale)
    p = rows.shape[1]
    mean, covariance = np.zeros(p), np.eye(p)
    for count in range(1, MAX_ROUNDS + 1):
        try:
            new_mean, new_covariance = _em_round(patterns, mean, covariance)
        except np.linalg.LinAlgError as problem:
            raise DataError(REPEATED) from problem
        change = max(
            float(np.abs(new_mean - mean).max()), float(np.abs(new_covariance - covariance).max())
        )
        mean, covariance = new_mean, new_covariance
        if change < SETTLED:
            return NormalFit(
                mean=center + scale * mean,
                covariance=covariance * np.outer(scale, scale),
                rounds=count,
            )
    raise ConvergenceError(
        f"The covariance of the visits did not settle in {MAX_ROUNDS} rounds of EM: too few "
        "subjects were seen at some visits together."
    )


def little_test(rows: FloatArray) -> LittleTest:
    """Little's test on rows (n, p) with NaN where missing."""
    fit = fit_normal(rows)
    root = np.sqrt(np.diag(fit.covariance))
    if np.linalg.eigvalsh(fit.covariance / np.outer(root, root))[0] < SINGULAR:
        raise DataError(REPEATED)
    patterns = _patterns(rows)
    statistic, df = 0.0, -rows.shape[1]
    for pattern in patterns:
        away = pattern.mean - fit.mean[pattern.seen]
        inner = fit.covariance[np.ix_(pattern.seen, pattern.seen)]
        statistic += pattern.n * float(away @ np.linalg.solve(inner, away))
        df += int(pattern.seen.sum())
    p_value = float(special.chdtrc(df, statistic)) if df > 0 else float("nan")
    return LittleTest(statistic=statistic, df=df, p_value=p_value, n_patterns=len(patterns))


def _patterns(rows: FloatArray) -> list[_Pattern]:
    seen, inverse = np.unique(~np.isnan(rows), axis=0, return_inverse=True)
    found = []
    for code, columns in enumerate(seen):
        if not columns.any():
            continue
        own = rows[inverse.ravel() == code][:, columns]
        mean = own.mean(axis=0)
        found.append(
            _Pattern(seen=columns, n=len(own), mean=mean, scatter=(own - mean).T @ (own - mean))
        )
    return found


def _em_round(
    patterns: list[_Pattern], mean: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    p, total = mean.size, sum(pattern.n for pattern in patterns)
    sums, squares = np.zeros(p), np.zeros((p, p))
    for pattern in patterns:
        o, m = pattern.seen, ~pattern.seen
        slope = np.zeros((p, int(o.sum())))
        slope[o] = np.eye(int(o.sum()))
        slope[m] = np.linalg.solve(covariance[np.ix_(o, o)], covariance[np.ix_(o, m)]).T
        filled = mean + slope @ (pattern.mean - mean[o])
        left = np.zeros((p, p))
        left[np.ix_(m, m)] = covariance[np.ix_(m, m)] - slope[m] @ covariance[np.ix_(o, m)]
        sums += pattern.n * filled
        squares += slope @ pattern.scatter @ slope.T
        squares += pattern.n * (np.outer(filled, filled) + left)
    new_mean = sums / total
    return new_mean, squares / total - np.outer(new_mean, new_mean)
