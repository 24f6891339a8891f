"""Whether a generalised linear model's coefficients are finite: separation and empty cells.

The likelihood rises for ever along a direction d where no observation's own probability falls
and one rises: each row of X d is then held to one sign (or to zero), which a linear programme
decides exactly.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from trialkit.errors import ConvergenceError
from trialkit.typing import FloatArray, IntArray

__all__ = ["recession_direction"]

# Columns and d are scaled to a largest entry of one: the programme's optimum is zero (up to the
# solver's 1e-7), or of the order of one.
TOLERANCE = 1e-5


def recession_direction(x: FloatArray, side: IntArray) -> FloatArray | None:
    """Direction (P,) in which the likelihood rises for ever, None where there is none.

    `side` (n,) says where row i of x d may go: 1 upwards (an event), -1 downwards (none), 0
    nowhere (a count above zero). The columns of `x` (n, P) are independent.
    """
    length = np.abs(x).max(axis=0)
    scaled = x / length
    free, fixed = side != 0, side == 0
    towards = scaled[free] * side[free][:, None]
    found = optimize.linprog(
        -towards.sum(axis=0),
        A_ub=-towards,
        b_ub=np.zeros(towards.shape[0]),
        A_eq=scaled[fixed] if fixed.any() else None,
        b_eq=np.zeros(int(fixed.sum())) if fixed.any() else None,
        bounds=(-1, 1),
        method="highs",
    )
    if found.fun is None:
        raise ConvergenceError(f"Whether the data separate could not be decided: {found.message}")
    if -float(found.fun) <= TOLERANCE:
        return None
    direction = np.asarray(found.x, dtype=np.float64)
    return np.where(np.abs(direction) > TOLERANCE, direction / length, 0.0)
