"""The rank-sum statistic: its permutation distribution, its normal limit, its inversion.

U is the Mann-Whitney count of pairs in which x exceeds y, a tie counting one half: R's W.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor, sqrt

import numpy as np

from trialkit.kernels.ranks import midranks, tie_sizes
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = [
    "RankSum",
    "differences_at",
    "exact_cost",
    "exact_count",
    "exact_p_value",
    "large_sample_count",
    "normal_p_value",
    "rank_sum",
]

# qwilcox in R subtracts this from the probability before it walks up the distribution, so
# that a tail of exactly the nominal size is not missed by one unit in the last place.
QUANTILE_SLACK = 10 * np.finfo(np.float64).eps
# Up to this many pairs the differences are held in memory (80 MB); beyond, they are counted.
MAX_PAIRS_IN_MEMORY = 10_000_000
# Halvings after which a handful of distinct differences at most lies between the bounds.
BISECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSum:
    """U with its null moments; `ties` are the sizes of the groups of equal values."""

    u: float
    n_x: int
    n_y: int
    mean: float
    sd: float
    ranks: FloatArray  # (n_x + n_y,), x first
    ties: IntArray

    @property
    def has_ties(self) -> bool:
        """Whether any two of the values are equal."""
        return bool((self.ties > 1).any())


def rank_sum(x: FloatArray, y: FloatArray) -> RankSum:
    """U of `x` (n_x,) against `y` (n_y,); the variance is corrected for ties."""
    pooled = np.concatenate((x, y))
    n_total = pooled.size
    ranks, ties = midranks(pooled), tie_sizes(pooled)
    pairs = x.size * y.size
    lost = float(np.sum(ties.astype(float) ** 3 - ties)) / (n_total * (n_total - 1))
    return RankSum(
        u=float(np.sum(ranks[: x.size])) - x.size * (x.size + 1) / 2,
        n_x=x.size,
        n_y=y.size,
        mean=pairs / 2,
        sd=sqrt(max(0.0, pairs / 12 * (n_total + 1 - lost))),
        ranks=ranks,
        ties=ties,
    )


def normal_p_value(
    test: RankSum, *, continuity: bool, alternative: Alternative
) -> tuple[float, float]:
    """Standardised U and its p-value; `continuity` moves U half a unit towards its mean."""
    from scipy import special

    distance = test.u - test.mean
    if continuity:
        distance -= {"two-sided": float(np.sign(distance)), "greater": 1.0, "less": -1.0}[
            alternative
        ] / 2
    z = distance / test.sd
    if alternative == "two-sided":
        return z, 2 * float(special.ndtr(-abs(z)))
    return z, float(special.ndtr(z if alternative == "less" else -z))


def exact_cost(scores: IntArray, n_chosen: int) -> int:
    """Additions that `subset_sums` would need: what decides whether exact is affordable."""
    largest = int(np.sum(np.sort(scores)[scores.size - n_chosen :]))
    return int(scores.size) * n_chosen * (largest + 1)


def integer_scores(ranks: FloatArray) -> IntArray:
    """Midranks (N,) as the smallest non-negative integers with the same spacing."""
    doubled = np.rint(2 * ranks).astype(np.int64)
    shifted = doubled - doubled.min()
    divisor = int(np.gcd.reduce(shifted))
    scores: IntArray = shifted // max(divisor, 1)
    return scores


def subset_sums(scores: IntArray, n_chosen: int) -> FloatArray:
    """How many subsets of `n_chosen` scores have each sum 0, 1, ... (Streitberg & Rohmel 1986).

    Only additions of non-negative terms: every count keeps its relative precision.
    """
    in_order = np.sort(scores)
    counts = np.zeros((n_chosen + 1, int(np.sum(in_order[scores.size - n_chosen :])) + 1))
    counts[0, 0] = 1.0
    for taken, score in enumerate(in_order, start=1):
        top = min(taken, n_chosen)
        reach = int(np.sum(in_order[taken - top : taken]))  # no sum is larger so far
        counts[1 : top + 1, score : reach + 1] += counts[:top, : reach + 1 - score].copy()
    sums: FloatArray = counts[n_chosen]
    return sums


@lru_cache(maxsize=8)  # the p-value and the interval of one comparison share it
def untied_counts(n_x: int, n_y: int) -> FloatArray:
    """How many allocations of untied ranks give each U = 0, 1, ..., n_x n_y.

    The coefficients of the Gaussian binomial, one factor (1 - q^(n + i)) / (1 - q^i) at a time:
    the division is a running sum along every i-th term. Half is computed and mirrored. The
    subtraction leaves the lower tail exact and costs 1e-12 relative at most at the centre.
    """
    m, n = min(n_x, n_y), max(n_x, n_y)
    size = m * n + 1
    half = np.zeros(size // 2 + 1)
    half[0] = 1.0
    for i in range(1, m + 1):
        reach = min(half.size, i * n + 1)
        terms = np.zeros(reach + -reach % i)
        terms[:reach] = half[:reach]
        terms[n + i : reach] -= half[: max(0, reach - n - i)]
        half[:reach] = np.cumsum(terms.reshape(-1, i), axis=0).ravel()[:reach]
    counts: FloatArray = np.concatenate((half, half[: size - half.size][::-1]))
    counts.flags.writeable = False
    return counts


def exact_p_value(test: RankSum, alternative: Alternative) -> float:
    """Share of all allocations of the ranks whose rank sum is at least as extreme.

    Two-sided: at least as far from its mean, in either direction. Without ties the
    distribution is symmetric and this is twice the smaller tail.
    """
    if test.has_ties:
        scores = integer_scores(test.ranks)
        smaller = min(test.n_x, test.n_y)  # choosing the smaller arm is cheaper
        counts = subset_sums(scores, smaller)
        sums = np.arange(counts.size)
        observed, total = int(np.sum(scores[: test.n_x])), int(np.sum(scores))
        if test.n_x > test.n_y:  # these are sums of y; those of x are the complement
            sums = total - sums
        # Distances from the mean times N, so that the comparison is between integers.
        scale, centre = scores.size, test.n_x * total
    else:
        counts = untied_counts(test.n_x, test.n_y)
        sums, observed = np.arange(counts.size), round(test.u)
        scale, centre = 2, test.n_x * test.n_y
    if alternative == "two-sided":
        extreme = np.abs(scale * sums - centre) >= abs(scale * observed - centre)
    else:
        extreme = sums >= observed if alternative == "greater" else sums <= observed
    return min(1.0, float(np.sum(counts[extreme]) / np.sum(counts)))


def exact_count(n_x: int, n_y: int, tail: float) -> tuple[int, float]:
    """Position k of the order statistics that bound the shift, and the tail area it leaves out.

    k is the smallest u with P(U <= u) >= `tail` without ties (R's qwilcox), and the area is
    P(U <= k - 1). As in R, k = 0 becomes 1 where that leaves out no more than `tail`; else
    k = 0 means that no pairwise difference bounds the shift at this level.
    """
    counts = untied_counts(n_x, n_y)
    cumulative = np.cumsum(counts) / np.sum(counts)
    k = int(np.argmax(cumulative >= tail - QUANTILE_SLACK))
    if k == 0 and cumulative[0] <= tail + QUANTILE_SLACK:
        k = 1
    return k, float(cumulative[k - 1]) if k else 0.0


def large_sample_count(n_x: int, n_y: int, tail: float) -> int:
    """Position k = floor(n_x n_y / 2 - z sqrt(n_x n_y (N + 1) / 12)), zero if below one."""
    from scipy import special

    pairs = n_x * n_y
    half_width = -float(special.ndtri(tail)) * sqrt(pairs * (n_x + n_y + 1) / 12)
    return max(0, floor(pairs / 2 - half_width))


def differences_at(x: FloatArray, y: FloatArray, positions: list[int]) -> list[float]:
    """Order statistics of all n_x n_y differences x - y; `positions` count from 1."""
    if x.size * y.size <= MAX_PAIRS_IN_MEMORY:
        differences = np.subtract.outer(x, y).ravel()
        wanted = [position - 1 for position in positions]
        return [float(v) for v in np.partition(differences, wanted)[wanted]]
    in_order = np.sort(y)[::-1]  # along each row the differences then never decrease
    return [_select(x, in_order, position) for position in positions]


def _select(x: FloatArray, y_falling: FloatArray, position: int) -> float:
    """The smallest difference that at least `position` differences do not exceed."""
    low = float(np.min(x) - y_falling[0])
    high = float(np.max(x) - y_falling[-1])
    if int(np.sum(_row_counts(x, y_falling, low))) >= position:
        return low
    for _ in range(BISECTIONS):  # low holds fewer than `position`, high at least as many
        middle = low + (high - low) / 2
        if int(np.sum(_row_counts(x, y_falling, middle))) >= position:
            high = middle
        else:
            low = middle
    while True:  # of the few values still above low, the next one up
        counts = _row_counts(x, y_falling, low)
        if int(np.sum(counts)) >= position:
            return low
        more = counts < y_falling.size
        low = float(np.min(x[more] - y_falling[counts[more]]))


def _row_counts(x: FloatArray, y_falling: FloatArray, bound: float) -> IntArray:
    """How many computed differences of each x (n_x,) are at most `bound`, by binary search.

    The rounded difference is itself compared, and rounding is monotone, so the counts are
    those of the differences as they would stand in memory.
    """
    first = np.zeros(x.size, dtype=np.int64)
    last = np.full(x.size, y_falling.size, dtype=np.int64)
    while (first < last).any():
        middle = (first + last) // 2
        inside = first < last
        within = np.zeros(x.size, dtype=np.bool_)
        within[inside] = x[inside] - y_falling[middle[inside]] <= bound
        first = np.where(inside & within, middle + 1, first)
        last = np.where(inside & ~within, middle, last)
    return first
