"""Least squares of completed outcomes at every visit, for many sets of subject weights at once.

Estimates are linear in the outcome. An outcome that is a sum of parts (as imputed, one more
unit in an arm) is analysed part by part, and any combination of the parts afterwards costs
nothing. Shapes: B sets of weights, n subjects, K coefficients, m visits, S parts, R rows of
contrasts or means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.typing import BoolArray, FloatArray

__all__ = ["PartFits", "fit_parts", "is_determined", "subject_means"]

# A direction of Z'WZ below this share of the largest is not determined.
RANK_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartFits:
    """`estimate` (B, R, m, S) of each part; `scale` (B, R) L (Z'WZ)^-1 L'.

    `gram` (B, m, S, S) are the cross-products of the parts' residuals: the residual sum of
    squares of a combination d is d' gram d.
    """

    estimate: FloatArray
    scale: FloatArray
    gram: FloatArray


def fit_parts(z: FloatArray, weights: FloatArray, rows: FloatArray, values: FloatArray) -> PartFits:
    """Fit values (B, n, m, S) on z (n, K) with weights (B, n); read off rows L (B, R, K)."""
    n_sets, n, m, parts = values.shape
    weighted = weights[:, :, None] * z
    cross = weighted.swapaxes(1, 2) @ z
    right = weighted.swapaxes(1, 2) @ values.reshape(n_sets, n, -1)
    coef = np.linalg.solve(cross, right)
    solved = np.linalg.solve(cross, rows.swapaxes(1, 2))
    residual = values - (z @ coef).reshape(values.shape)
    each = residual.transpose(0, 2, 1, 3)
    return PartFits(
        estimate=(rows @ coef).reshape(n_sets, rows.shape[1], m, parts),
        scale=np.einsum("brk,bkr->br", rows, solved),
        gram=each.swapaxes(2, 3) @ (weights[:, None, :, None] * each),
    )


def is_determined(z: FloatArray, weights: FloatArray) -> BoolArray:
    """Which weights (B, n) leave all coefficients of z (n, K) determined: (B,)."""
    cross = (weights[:, :, None] * z).swapaxes(1, 2) @ z
    root = np.sqrt(np.diagonal(cross, axis1=1, axis2=2))
    root = np.where(root > 0, root, 1.0)
    values = np.linalg.eigvalsh(cross / (root[:, :, None] * root[:, None, :]))
    return np.asarray(values[:, 0] > RANK_TOLERANCE * values[:, -1])


def subject_means(weights: FloatArray, per_subject: FloatArray) -> FloatArray:
    """Weighted means (B, R, K) over subjects of rows (R, n, K)."""
    share = weights / weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("bn,rnk->brk", share, per_subject, optimize=True))
