"""Spread of a change worked back from an interval or a p-value of the two-sample t-test."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor, sqrt

from trialkit.kernels.grid_moments import MomentSums

__all__ = ["change_sums", "sd_from_interval", "sd_from_p"]


def sd_from_interval(low: str, high: str, sizes: Mapping[str, int]) -> float:
    """Pooled SD behind a printed 95 percent interval of a difference in means."""
    from scipy.stats import t

    half_width = (float(high) - float(low)) / 2
    return half_width / float(t.ppf(0.975, _df(sizes))) / _per_sd(sizes)


def sd_from_p(p_value: str, difference: Fraction, sizes: Mapping[str, int]) -> float:
    """Pooled SD behind a printed two-sided p-value of a difference in means."""
    from scipy.stats import t

    return float(abs(difference)) / float(t.isf(float(p_value) / 2, _df(sizes))) / _per_sd(sizes)


def _df(sizes: Mapping[str, int]) -> int:
    return sum(sizes.values()) - len(sizes)


def _per_sd(sizes: Mapping[str, int]) -> float:
    """Standard error of a difference in means for an SD of one."""
    return sqrt(sum(1 / n for n in sizes.values()))


def change_sums(
    sizes: Mapping[str, int], totals: Mapping[str, int], *, sd: float, band: float, step: Fraction
) -> dict[str, MomentSums]:
    """Sums of each group's change for one SD in all groups, give or take a share `band`."""
    sums = {}
    for group, n in sizes.items():
        total = totals[group]
        ends = [(n - 1) * (sd * (1 + sign * band) / step) ** 2 + total**2 / n for sign in (-1, 1)]
        sums[group] = MomentSums(
            n=n, total=total, squares_low=ceil(ends[0]), squares_high=floor(ends[1])
        )
    return sums
