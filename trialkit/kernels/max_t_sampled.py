"""What each further t statistic adds to the chance that some of them pass a threshold.

P(some of T_1..T_k passes) = sum over i of P(T_i passes) P(none before i passes | T_i passes).
The first factor is exact, the second is averaged over fixed quasi-random points: T_i in its
tail, the scale given T_i, then the statistics before it one after the other inside their
limits (the separation of variables of Genz 1992, doi:10.1080/10618600.1992.10477010). Because
the average is of a conditional probability, a small total keeps its relative accuracy. Shifted
copies of the points give the error.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from trialkit.typing import FloatArray

__all__ = ["further_terms"]

N_POINTS = 8191
N_SHIFTS = 8
# Fixed: chance has no part in the result. Any other value serves as well.
SHIFT_SEED = 19551001
# A statistic that the earlier ones determine has no spread of its own left.
DETERMINED = 1e-7
# Keeps quantiles finite; a point this close to an end weighs nothing.
SMALLEST = 1e-300


def further_terms(
    correlation: FloatArray, *, first: int, threshold: float, df: float, two_sided: bool
) -> tuple[float, float]:
    """Sum of the terms i >= `first` for correlations (k, k), and three standard errors of it."""
    k = correlation.shape[0]
    sides = 2.0 if two_sided else 1.0
    single = sides * float(_t_tail(np.array(threshold), df))
    points = _points(k + 1)
    totals = np.zeros(N_SHIFTS)
    for shift in range(N_SHIFTS):
        for i in range(first, k):
            totals[shift] += single * _none_before(
                correlation[: i + 1, : i + 1], threshold, df, points[shift], two_sided=two_sided
            )
    return float(totals.mean()), 3.0 * float(totals.std(ddof=1)) / np.sqrt(N_SHIFTS)


def _points(dimension: int) -> list[FloatArray]:
    """Shifted copies of a Richtmyer lattice (n, dimension), folded so that ends meet."""
    roots = np.sqrt(_primes(dimension).astype(np.float64))
    lattice = np.outer(np.arange(1, N_POINTS + 1), roots)
    shifts = np.random.default_rng(SHIFT_SEED).random((N_SHIFTS, dimension))
    return [1.0 - np.abs(2.0 * np.mod(lattice + shift, 1.0) - 1.0) for shift in shifts]


def _primes(count: int) -> np.ndarray:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % prime for prime in found):
            found.append(candidate)
        candidate += 1
    return np.array(found)


def _none_before(
    correlation: FloatArray, threshold: float, df: float, points: FloatArray, *, two_sided: bool
) -> float:
    """P(no earlier statistic passes | the last one is above the threshold)."""
    last, scale = _last_and_scale(threshold, df, points)
    x = threshold * scale
    rho = correlation[-1, :-1]
    factor = _cholesky(correlation[:-1, :-1] - np.outer(rho, rho))
    drawn = np.zeros((points.shape[0], rho.size))
    none = np.ones(points.shape[0])
    for i in range(rho.size):
        mean, spread = rho[i] * last + drawn @ factor[i], factor[i, i]
        if spread <= DETERMINED:
            passes = (np.abs(mean) > x) if two_sided else (mean > x)
            none[passes] = 0.0
            continue
        high = special.ndtr((x - mean) / spread)
        low = special.ndtr((-x - mean) / spread) if two_sided else np.zeros_like(mean)
        none *= np.maximum(high - low, 0.0)
        inside = low + points[:, i + 2] * np.maximum(high - low, 0.0)
        drawn[:, i] = special.ndtri(np.clip(inside, SMALLEST, 1.0 - 1e-16))
    return float(none.mean())


def _last_and_scale(
    threshold: float, df: float, points: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The last statistic's normal numerator and its scale S, given that it passes (n,), (n,)."""
    tail = np.maximum(points[:, 0] * float(_t_tail(np.array(threshold), df)), SMALLEST)
    if df == np.inf:
        return np.asarray(-special.ndtri(tail)), np.ones(points.shape[0])
    t = -special.stdtrit(df, tail)
    # Given T = t, (df + t^2) S^2 is chi-square with df + 1 degrees of freedom.
    chi_square = 2.0 * special.gammaincinv((df + 1.0) / 2.0, points[:, 1])
    scale = np.sqrt(chi_square / (df + t**2))
    return np.asarray(t * scale, dtype=np.float64), np.asarray(scale, dtype=np.float64)


def _t_tail(threshold: FloatArray, df: float) -> FloatArray:
    return np.asarray(special.ndtr(-threshold) if df == np.inf else special.stdtr(df, -threshold))


def _cholesky(covariance: FloatArray) -> FloatArray:
    """Lower factor of a covariance that may be singular: determined rows get no spread."""
    k = covariance.shape[0]
    factor = np.zeros((k, k))
    for i in range(k):
        for j in range(i):
            if factor[j, j] > 0:
                rest = covariance[i, j] - factor[i, :j] @ factor[j, :j]
                factor[i, j] = rest / factor[j, j]
        own = covariance[i, i] - factor[i, :i] @ factor[i, :i]
        factor[i, i] = np.sqrt(own) if own > DETERMINED**2 else 0.0
    return factor
