"""Whether the data determine a linear combination of coefficients.

L b is estimable when L lies in the row space of the design X (n, P): then, and only then, every
least-squares solution gives it the same value.
"""

from __future__ import annotations

import numpy as np

from trialkit.typing import BoolArray, FloatArray

__all__ = ["is_estimable", "null_space"]

# Relative to the longest column (for X) or to L itself: what is left of rounding.
TOLERANCE = 1e-9


def null_space(x: FloatArray) -> FloatArray:
    """Orthonormal basis (P, P - rank) of the coefficients that change no fitted value."""
    scale = np.linalg.norm(x, axis=0)
    scale[scale == 0] = 1.0
    _, singular, rows = np.linalg.svd(x / scale, full_matrices=True)
    rank = int((singular > TOLERANCE * singular[0]).sum())
    # Back to the columns' own units; the directions are then no longer of unit length.
    basis = rows[rank:].T / scale[:, None]
    return np.asarray(np.linalg.qr(basis)[0] if basis.size else basis, dtype=np.float64)


def is_estimable(rows: FloatArray, null: FloatArray) -> BoolArray:
    """For each row of L (m, P), whether it is orthogonal to the null space (P, k) of X."""
    if null.shape[1] == 0:
        return np.ones(rows.shape[0], dtype=np.bool_)
    length = np.linalg.norm(rows, axis=1)
    return np.asarray(
        np.linalg.norm(rows @ null, axis=1) <= TOLERANCE * np.where(length > 0, length, 1.0)
    )
