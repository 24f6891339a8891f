"""Wilcoxon's signed-rank statistic: exact and normal p-values, Walsh averages."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, sqrt

import numpy as np
from scipy import special

from trialkit.kernels.ranks import midranks, tie_sizes
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = ["SignedRank", "exact_p", "exact_walsh_count", "normal_p", "signed_rank", "walsh"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SignedRank:
    """V, the sum of the ranks of positive differences; zeros are left out (Wilcoxon)."""

    v: float
    n: int
    n_zero: int
    ranks: FloatArray  # of the absolute differences that are not zero
    sd: float

    @property
    def mean(self) -> float:
        """Expectation of V without an effect."""
        return float(self.ranks.sum()) / 2


def signed_rank(differences: FloatArray) -> SignedRank:
    """V of `differences` (n,), with the variance corrected for ties."""
    used = differences[differences != 0]
    sizes = np.abs(used)
    ranks = midranks(sizes) if used.size else np.empty(0)
    ties = tie_sizes(sizes).astype(float) if used.size else np.empty(0)
    n = used.size
    variance = n * (n + 1) * (2 * n + 1) / 24 - float(np.sum(ties**3 - ties)) / 48
    return SignedRank(
        v=float(ranks[used > 0].sum()),
        n=n,
        n_zero=differences.size - n,
        ranks=ranks,
        sd=sqrt(max(variance, 0.0)),
    )


def _sums(scores: IntArray) -> FloatArray:
    """How many of the 2^n sign patterns give each sum of positive scores, as shares."""
    shares = np.zeros(int(scores.sum()) + 1)
    shares[0] = 1.0
    reach = 0
    for score in np.sort(scores):
        moved = shares[: reach + 1].copy()
        shares[: reach + 1] = moved / 2
        shares[score : score + reach + 1] += moved / 2
        reach += int(score)
    return shares


def exact_p(test: SignedRank, alternative: Alternative) -> float:
    """Share of the sign patterns whose V is at least as extreme, given the ties."""
    scores = np.rint(2 * test.ranks).astype(np.int64)
    shares, observed = _sums(scores), round(2 * test.v)
    lower, upper = float(shares[: observed + 1].sum()), float(shares[observed:].sum())
    if alternative == "less":
        return min(1.0, lower)
    if alternative == "greater":
        return min(1.0, upper)
    return min(1.0, 2 * min(lower, upper))


def normal_p(test: SignedRank, alternative: Alternative) -> tuple[float, float]:
    """Standardised V, half a unit nearer its mean, and its p-value."""
    distance = test.v - test.mean
    shift = {"two-sided": float(np.sign(distance)), "greater": 1.0, "less": -1.0}[alternative]
    z = (distance - shift / 2) / test.sd
    if alternative == "two-sided":
        return z, 2 * float(special.ndtr(-abs(z)))
    return z, float(special.ndtr(z if alternative == "less" else -z))


def walsh(differences: FloatArray) -> FloatArray:
    """The n (n + 1) / 2 means of two differences, or one with itself, in order."""
    i, j = np.triu_indices(differences.size)
    return np.asarray(np.sort((differences[i] + differences[j]) / 2))


def exact_walsh_count(n: int, tail: float, *, exact: bool) -> int:
    """Position k of the Walsh averages that bound the shift; zero where none does.

    Exact: the largest k with P(V <= k - 1) <= `tail`; else by the normal limit of V.
    """
    total = n * (n + 1) // 2
    if exact:
        cumulative = np.cumsum(_sums(np.arange(1, n + 1)))
        return int(np.searchsorted(cumulative, tail * (1 + 1e-12), side="right"))
    half = -float(special.ndtri(tail)) * sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return max(0, floor(total / 2 - half))
