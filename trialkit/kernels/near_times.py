"""Times that differ by rounding alone are one time.

0.1 + 0.2 is not 0.3 to a computer; ties and risk sets must not depend on it. The tolerance is
that of R's survival (timefix): a gap of at most the square root of the machine's precision, as
a share of the mean time.
"""

from __future__ import annotations

import numpy as np

from trialkit.typing import FloatArray

__all__ = ["meant_time", "tied_times"]

TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


def tied_times(time: FloatArray) -> FloatArray:
    """Times (n,) with each that rounding sets apart from a smaller one put back to it."""
    distinct, inverse = np.unique(time, return_inverse=True)
    is_new = np.concatenate([[True], np.diff(distinct) > _gap(distinct)])
    if is_new.all():
        return time
    return np.asarray(distinct[is_new][np.cumsum(is_new) - 1][inverse.ravel()])


def meant_time(time: float, distinct: FloatArray) -> float:
    """The one of the ordered `distinct` times (M,) that `time` is but for rounding; or itself."""
    place = int(np.searchsorted(distinct, time))
    for other in distinct[max(place - 1, 0) : place + 1].tolist():
        if abs(other - time) <= _gap(distinct):
            return float(other)
    return time


def _gap(distinct: FloatArray) -> float:
    return TOLERANCE * float(np.abs(distinct).mean())
