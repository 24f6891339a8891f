"""Two binary outcomes of one subject: exact and asymptotic tests of the discordant pairs."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, inf, log, sqrt

import numpy as np
from scipy import special

from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = [
    "McNemar",
    "PermutationTest",
    "fisher_exact",
    "mainland_gart",
    "mcnemar",
    "newcombe_paired",
    "trend_permutation",
]

# Probabilities that agree to this share are one: R's fisher.test uses the same relative slack.
SAME_PROBABILITY = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """McNemar's tests of `up` against `down` discordant pairs; both chi-squares two-sided."""

    chi_square: float
    p_value: float
    chi_square_corrected: float
    p_corrected: float
    p_exact: float
    p_mid: float
    odds_ratio: float
    low: float
    high: float


def mcnemar(
    up: int, down: int, *, ci_level: float, alternative: Alternative = "two-sided"
) -> McNemar:
    """Given up + down > 0 discordant pairs, `up` of them binomial with a half under the null.

    "greater" is more of `up`. Mid-p counts half of what is just as extreme (Fagerland et al.
    2013, doi:10.1186/1471-2288-13-91: 1 less half the probability of equal counts). The interval
    of the conditional odds ratio up / down is Clopper and Pearson's, carried over.
    """
    n, difference = up + down, up - down
    root = sqrt(n)
    shares = [(1 - ci_level) / 2] * 2
    if alternative == "two-sided":
        point = comb(n, up) / 2**n
        exact = min(1.0, 2 * float(special.bdtr(min(up, down), n, 0.5))) if difference else 1.0
        mid = exact - point if difference else 1.0 - point / 2
        plain = 2 * _below(-abs(difference) / root)
        corrected = 2 * _below(-max(abs(difference) - 1, 0) / root)
    else:
        # The count that is rare under the null's other side, and its distance from the middle.
        rare = down if alternative == "greater" else up
        towards = difference if alternative == "greater" else -difference
        exact = float(special.bdtr(rare, n, 0.5))
        mid = exact - comb(n, rare) / 2**n / 2
        plain, corrected = _below(-towards / root), _below(-(towards - 1) / root)
        shares = [1 - ci_level, 0.0] if alternative == "greater" else [0.0, 1 - ci_level]
    low = float(special.betaincinv(up, down + 1, shares[0])) if up else 0.0
    high = float(special.betaincinv(up + 1, down, 1 - shares[1])) if down else 1.0
    return McNemar(
        chi_square=difference**2 / n,
        p_value=plain,
        chi_square_corrected=max(abs(difference) - 1, 0) ** 2 / n,
        p_corrected=corrected,
        p_exact=exact,
        p_mid=mid,
        odds_ratio=up / down if down else inf,
        low=low / (1 - low),
        high=high / (1 - high) if high < 1 else inf,
    )


def _below(z: float) -> float:
    return float(special.ndtr(z))


def fisher_exact(table: IntArray, *, alternative: Alternative = "two-sided") -> float:
    """Fisher's p-value of a 2 by 2 table; two-sided: all tables no more probable than this.

    "greater": tables whose first cell, and so whose odds ratio, is at least as large.
    """
    row, column, total = table.sum(axis=1), table.sum(axis=0), int(table.sum())
    first = np.arange(max(0, row[0] - column[1]), min(row[0], column[0]) + 1)
    weight = [comb(int(column[0]), int(k)) * comb(int(column[1]), int(row[0] - k)) for k in first]
    at = int(table[0, 0]) - int(first[0])
    if alternative == "greater":
        extreme = sum(weight[at:])
    elif alternative == "less":
        extreme = sum(weight[: at + 1])
    else:
        extreme = sum(w for w in weight if w <= weight[at] * (1 + SAME_PROBABILITY))
    return min(1.0, extreme / comb(total, int(row[0])))


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTest:
    """Sum of the scores of one group, standardised by its permutation moments."""

    z: float
    p_value: float
    p_exact: float


def trend_permutation(
    counts: IntArray, scores: IntArray, *, alternative: Alternative = "two-sided"
) -> PermutationTest:
    """Scores (k,) of group 1 against group 0 in `counts` (2, k), labels permuted.

    Exact p: arrangements whose sum lies at least as far from its mean ("greater": at least as
    high, which is group 1's).
    """
    column, sizes = counts.sum(axis=0), counts.sum(axis=1)
    total, chosen = int(column.sum()), int(sizes[1])
    observed = int(counts[1] @ scores)
    mean_score = float(column @ scores) / total
    variance = float(column @ (scores - mean_score) ** 2) / (total - 1)
    spread = chosen * (total - chosen) / total * variance
    z = (observed - chosen * mean_score) / sqrt(spread)
    sums = _sum_distribution(column, scores, chosen)
    centre = chosen * int(column @ scores)
    if alternative == "two-sided":
        distance = abs(total * observed - centre)
        extreme = sum(w for value, w in sums.items() if abs(total * value - centre) >= distance)
        p_value = 2 * _below(-abs(z))
    else:
        side = 1 if alternative == "greater" else -1
        extreme = sum(w for value, w in sums.items() if side * value >= side * observed)
        p_value = _below(-side * z)
    return PermutationTest(
        z=z,
        p_value=p_value,
        p_exact=min(1.0, extreme / comb(total, chosen)),
    )


def _sum_distribution(column: IntArray, scores: IntArray, chosen: int) -> dict[int, int]:
    """How many ways there are to choose subjects with each sum of scores."""
    ways: dict[tuple[int, int], int] = {(0, 0): 1}
    *before, (last, last_score) = zip(column.tolist(), scores.tolist(), strict=True)
    for size, score in before:
        following: dict[tuple[int, int], int] = {}
        for (taken, value), count in ways.items():
            for k in range(min(size, chosen - taken) + 1):
                key = (taken + k, value + k * score)
                following[key] = following.get(key, 0) + count * comb(size, k)
        ways = following
    sums: dict[int, int] = {}
    for (taken, value), count in ways.items():
        rest = chosen - taken  # which the last score must give
        if rest <= last:
            total = value + rest * last_score
            sums[total] = sums.get(total, 0) + count * comb(last, rest)
    return sums


def newcombe_paired(table: IntArray, *, ci_level: float) -> tuple[float, float, float]:
    """Difference of paired shares with Newcombe's score interval (his method 10).

    `table` is [[both, test only], [reference only, neither]]. With the correlation phi of the
    pairs, continuity-corrected towards zero where it is positive.
    """
    (both, test), (reference, neither) = table.tolist()
    n = both + test + reference + neither
    z = -float(special.ndtri((1 - ci_level) / 2))
    first, second = (both + test) / n, (both + reference) / n
    low1, high1 = _wilson(first, n, z)
    low2, high2 = _wilson(second, n, z)
    margins = (both + test) * (reference + neither) * (both + reference) * (test + neither)
    product = both * neither - test * reference
    if product > 0:
        product = max(product - n / 2, 0.0)
    phi = product / sqrt(margins) if margins else 0.0
    difference = first - second
    down1, down2, up1, up2 = first - low1, high2 - second, high1 - first, second - low2
    below = sqrt(max(down1**2 - 2 * phi * down1 * down2 + down2**2, 0.0))
    above = sqrt(max(up2**2 - 2 * phi * up2 * up1 + up1**2, 0.0))
    return difference, difference - below, difference + above


def _wilson(share: float, n: int, z: float) -> tuple[float, float]:
    centre = share + z**2 / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def mainland_gart(table: FloatArray) -> tuple[float, float]:
    """Half the log odds ratio of sequence by sign of period difference, and its standard error.

    `table` [[AB: -1, +1], [BA: -1, +1]]; no cell is zero. Equal to the treatment effect of the
    conditional logistic model with period.
    """
    log_ratio = log(table[0, 0]) + log(table[1, 1]) - log(table[0, 1]) - log(table[1, 0])
    return log_ratio / 2, sqrt(float(np.sum(1 / table))) / 2
