"""Exact intervals for counts: one proportion, one rate, the difference of two proportions."""

from __future__ import annotations

from math import isqrt

import numpy as np
from scipy import special

from trialkit.typing import FloatArray, IntArray

__all__ = ["clopper_pearson", "exact_difference", "fisher_p", "poisson_limits"]

# Values of the nuisance proportion at which a tail probability is maximised, and the rounds in
# which the best cell is divided again; the tail is a polynomial of degree n + n_ref in it.
GRID = 201
REFINEMENTS = 3
# A tail below this share of the level on the first grid does not reach it between its points.
NEAR = 0.8
# Limits are found to this width.
WIDTH = 1e-7
# Two tables whose statistics differ by no more than this share one place in the order.
SAME_STATISTIC = 1e-9


def clopper_pearson(x: int, n: int, ci_level: float) -> tuple[float, float]:
    """Clopper-Pearson limits of x / n."""
    tail = (1 - ci_level) / 2
    low = 0.0 if x == 0 else float(special.betaincinv(x, n - x + 1, tail))
    high = 1.0 if x == n else float(special.betaincinv(x + 1, n - x, 1 - tail))
    return low, high


def poisson_limits(x: int, exposure: float, ci_level: float) -> tuple[float, float]:
    """Garwood's limits of the rate x / exposure."""
    tail = (1 - ci_level) / 2
    low = 0.0 if x == 0 else float(special.gammaincinv(x, tail))
    high = float(special.gammainccinv(x + 1, tail))
    return low / exposure, high / exposure


def fisher_p(x: int, n: int, x_ref: int, n_ref: int) -> float:
    """Fisher's exact two-sided p: all tables no more likely than the one seen."""
    total = x + x_ref
    support = np.arange(max(0, total - n_ref), min(n, total) + 1)
    log_mass = _log_choose(n, support) + _log_choose(n_ref, total - support)
    mass = np.exp(log_mass - log_mass.max())
    seen = mass[x - support[0]]
    # R's tolerance for tables equally likely but for rounding.
    return min(1.0, float(mass[mass <= seen * (1 + 1e-7)].sum() / mass.sum()))


def exact_difference(
    x: int, n: int, x_ref: int, n_ref: int, ci_level: float
) -> tuple[float, float]:
    """Chan and Zhang's limits of x / n - x_ref / n_ref: two one-sided unconditional tests.

    Tables are ordered by the score statistic at each difference; the tail probability is
    maximised over the reference proportion. As SAS's EXACT RISKDIFF(METHOD=SCORE).
    """
    tail = (1 - ci_level) / 2
    low = _lower_limit(x, n, x_ref, n_ref, tail)
    # Failures in place of events turn the difference round.
    high = -_lower_limit(n - x, n, n_ref - x_ref, n_ref, tail)
    return low, high


def _lower_limit(x: int, n: int, x_ref: int, n_ref: int, tail: float) -> float:
    """Smallest difference that a test against larger ones does not refute at level `tail`."""
    estimate = x / n - x_ref / n_ref
    low, high = -1.0, estimate
    exceeds, at = _exceeds(x, n, x_ref, n_ref, -1 + WIDTH, tail, 0.5)
    if exceeds:
        return -1.0
    while high - low > WIDTH:
        middle = (low + high) / 2
        exceeds, at = _exceeds(x, n, x_ref, n_ref, middle, tail, at)
        if exceeds:
            high = middle
        else:
            low = middle
    return low


def _exceeds(
    x: int, n: int, x_ref: int, n_ref: int, difference: float, tail: float, guess: float
) -> tuple[bool, float]:
    """Whether P(statistic at least the one seen) is above `tail` for some nuisance value.

    With the value at which it was largest; `guess`, that of a difference nearby, is tried first.
    """
    region = _first_extreme(x, n, x_ref, n_ref, difference)
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    near = np.array([min(max(guess, low), high)])
    if _tail(region, n, n_ref, near, difference)[0] > tail:
        return True, float(near[0])
    for _ in range(1 + REFINEMENTS):
        grid = np.linspace(low, high, GRID)
        tails = _tail(region, n, n_ref, grid, difference)
        place = int(np.argmax(tails))
        if tails[place] > tail:
            return True, float(grid[place])
        if tails[place] < NEAR * tail:
            break
        low, high = float(grid[max(place - 1, 0)]), float(grid[min(place + 1, GRID - 1)])
    return False, float(grid[place])


def _tail(region: IntArray, n: int, n_ref: int, p_ref: FloatArray, difference: float) -> FloatArray:
    """Probability of tables from `region` (n_ref + 1,) on, at each reference proportion (G,)."""
    arm = _binomial(n, np.clip(p_ref + difference, 0.0, 1.0))
    ref = _binomial(n_ref, np.clip(p_ref, 0.0, 1.0))
    at_least = np.zeros((arm.shape[0], n + 2))
    at_least[:, :-1] = np.cumsum(arm[:, ::-1], axis=1)[:, ::-1]
    tails: FloatArray = np.einsum("gj,gj->g", at_least[:, region], ref)
    return tails


def _binomial(n: int, p: FloatArray) -> FloatArray:
    """Probabilities of 0 ... n events (G, n + 1)."""
    k = np.arange(n + 1)
    is_inner = (p > 0) & (p < 1)
    inner = np.where(is_inner, p, 0.5)
    log_mass = _log_choose(n, k) + np.log(inner)[:, None] * k + np.log1p(-inner)[:, None] * (n - k)
    certain = np.where(p[:, None] >= 1, k == n, k == 0)
    mass: FloatArray = np.where(is_inner[:, None], np.exp(log_mass), certain)
    return mass


def _log_choose(n: int, k: FloatArray | np.ndarray) -> FloatArray:
    whole = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.asarray(whole, dtype=np.float64)


def _first_extreme(x: int, n: int, x_ref: int, n_ref: int, difference: float) -> IntArray:
    """Fewest events of the arm (n_ref + 1,) whose table is as extreme as the one seen.

    For each number of events in the reference; n + 1 where no table is. The score statistic
    rises with the arm's events, so that a column's tables are extreme from one on.
    """
    seen = _statistic(np.array(x), n, np.array(x_ref), n_ref, difference)
    enough = seen - SAME_STATISTIC * max(1.0, abs(float(seen)))
    b = np.arange(n_ref + 1)
    # Two looks of about sqrt(n) tables each: at the first table of each block, then inside one.
    size = isqrt(n) + 1
    begins = np.arange(0, n + 1, size)[:, None]
    later = np.sum(_statistic(begins, n, b, n_ref, difference) < enough, axis=0)
    begin = np.maximum(later - 1, 0) * size
    inside = begin + np.arange(size)[:, None]
    # Tables past n are copies of the last, and are not counted.
    values = _statistic(np.minimum(inside, n), n, b, n_ref, difference)
    return np.asarray(begin + np.sum((values < enough) & (inside <= n), axis=0), dtype=np.int64)


def _statistic(a: IntArray, n: int, b: IntArray, n_ref: int, difference: float) -> FloatArray:
    """Score statistic of a events of n against b of n_ref, at a difference."""
    p_ref = _restricted_reference(a.astype(float), n, b.astype(float), n_ref, difference)
    p_arm = p_ref + difference
    variance = p_arm * (1 - p_arm) / n + p_ref * (1 - p_ref) / n_ref
    numerator = a / n - b / n_ref - difference
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = numerator / np.sqrt(np.maximum(variance, 0.0))
    # No variance: the table fits the difference exactly, or cannot arise under it.
    flat = variance <= 1e-15
    at_ends = np.where(np.abs(numerator) < 1e-12, 0.0, np.copysign(np.inf, numerator))
    return np.asarray(np.where(flat, at_ends, statistic), dtype=np.float64)


def _restricted_reference(
    a: FloatArray, n: int, b: FloatArray, n_ref: int, difference: float
) -> FloatArray:
    """Reference proportion of greatest likelihood at a fixed difference (Farrington-Manning)."""
    ratio = n_ref / n
    p_arm, p_ref = a / n, b / n_ref
    # theta is n_ref / n: the cubic in the arm's proportion.
    c3 = 1 + ratio
    c2 = -(1 + ratio + p_arm + ratio * p_ref + difference * (ratio + 2))
    c1 = difference**2 + difference * (2 * p_arm + ratio + 1) + p_arm + ratio * p_ref
    c0 = -p_arm * difference * (1 + difference)
    v = (c2 / (3 * c3)) ** 3 - c2 * c1 / (6 * c3**2) + c0 / (2 * c3)
    inside = np.maximum((c2 / (3 * c3)) ** 2 - c1 / (3 * c3), 0.0)
    u = np.where(v >= 0, 1.0, -1.0) * np.sqrt(inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = np.where(u != 0, v / u**3, 0.0)
    angle = (np.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3
    arm = 2 * u * np.cos(angle) - c2 / (3 * c3)
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    return np.asarray(np.clip(arm - difference, low, high), dtype=np.float64)
