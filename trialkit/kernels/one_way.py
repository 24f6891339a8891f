"""Variance between groups against variance within them: one-way F and Welch's F."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialkit.typing import FloatArray

__all__ = ["FTest", "one_way_f", "welch_f"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """An F statistic with its degrees of freedom; the p-value is the upper tail."""

    statistic: float
    num_df: float
    den_df: float

    @property
    def p_value(self) -> float:
        """P(F >= statistic)."""
        from scipy import special

        return float(special.fdtrc(self.num_df, self.den_df, self.statistic))


def one_way_f(groups: Sequence[FloatArray]) -> FTest:
    """F of equal means, equal variances assumed; k - 1 and N - k degrees of freedom."""
    sizes, means, squares = _moments(groups)
    between = np.sum(sizes * (means - np.sum(sizes * means) / np.sum(sizes)) ** 2)
    num_df, den_df = len(groups) - 1, int(np.sum(sizes)) - len(groups)
    statistic = (between / num_df) / (np.sum(squares) / den_df)
    return FTest(statistic=float(statistic), num_df=num_df, den_df=den_df)


def welch_f(groups: Sequence[FloatArray]) -> FTest:
    """F of equal means, variances free (Welch 1951): weights n / s^2, its own denominator df."""
    sizes, means, squares = _moments(groups)
    weights = sizes * (sizes - 1) / squares
    k, total = len(groups), np.sum(weights)
    between = np.sum(weights * (means - np.sum(weights * means) / total) ** 2) / (k - 1)
    spread = np.sum((1 - weights / total) ** 2 / (sizes - 1))
    statistic = between / (1 + 2 * (k - 2) / (k**2 - 1) * spread)
    return FTest(statistic=float(statistic), num_df=k - 1, den_df=float((k**2 - 1) / (3 * spread)))


def _moments(groups: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Size, mean and sum of squares about the mean of each group, (k,) each."""
    sizes = np.array([group.size for group in groups], dtype=np.float64)
    means = np.array([np.mean(group) for group in groups])
    squares = np.array([np.sum((group - np.mean(group)) ** 2) for group in groups])
    return sizes, means, squares
