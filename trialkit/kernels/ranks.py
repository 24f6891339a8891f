"""Midranks, and the ties that floating-point arithmetic hides.

A change computed as 3.6 - 6.5 differs from one computed as 4.1 - 7.0 in the sixteenth digit.
As measurements the two are equal; ranked as they stand, they would be ordered by rounding
error. Values closer than `NEAR_TIE` times the largest magnitude are therefore one value.
"""

from __future__ import annotations

import numpy as np

from trialkit.typing import FloatArray, IntArray

__all__ = ["NEAR_TIE", "join_near_ties", "midranks", "tie_sizes"]

# No clinical measurement carries twelve significant digits, and the rounding error of a few
# additions stays far below this.
NEAR_TIE = 1e-12


def join_near_ties(values: FloatArray, *, scale: float | None = None) -> tuple[FloatArray, int]:
    """`values` (n,) with near ties made equal, and how many values that moved.

    `scale` is the magnitude that the rounding error belongs to (None: the largest absolute
    value). Of values that belong together, the smallest stands for all.
    """
    if values.size == 0:
        return values.copy(), 0
    magnitude = float(np.max(np.abs(values))) if scale is None else scale
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    starts = np.concatenate(([True], np.diff(in_order) > NEAR_TIE * magnitude))
    joined = np.empty_like(values)
    joined[order] = in_order[starts][np.cumsum(starts) - 1]
    return joined, int(np.count_nonzero(joined != values))


def midranks(values: FloatArray) -> FloatArray:
    """Ranks (n,) from 1, tied values sharing the mean of their ranks."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    mean_rank: FloatArray = last - (sizes - 1) / 2
    return mean_rank[group]


def tie_sizes(values: FloatArray) -> IntArray:
    """How many values share each distinct value, in increasing order of the value."""
    return np.unique(values, return_counts=True)[1].astype(np.int64)
