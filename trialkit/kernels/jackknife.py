"""Variance of an estimate from its leave-one-out replicates, some of which may be missing."""

from __future__ import annotations

import numpy as np

from trialkit.typing import FloatArray

__all__ = ["jackknife_variance"]


def jackknife_variance(replicates: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Variance (...) of an estimate from B of n replicates (B, ...), and a bound of it.

    (n - 1) / B times the sum of squares around the replicates' mean, which takes those that
    are missing to be like the others; the bound takes each to be as far out as the farthest.
    """
    deviation = replicates - replicates.mean(axis=0)
    squares = np.square(deviation).sum(axis=0)
    far = np.square(deviation).max(axis=0)
    n_kept = replicates.shape[0]
    variance = (n - 1) / n_kept * squares
    return np.asarray(variance), np.asarray((n - 1) / n * (squares + (n - n_kept) * far))
