"""A centred, scaled outcome and an orthonormal basis of the fixed effects.

Cross-products square the condition of what they are made of. With X = Q R and the outcome
replaced by its least-squares residual over its standard deviation, they are as well
conditioned as the data allow, whatever the coding of the model or the unit of the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from trialkit.errors import DataError
from trialkit.typing import FloatArray

__all__ = ["Basis", "has_full_rank", "orthonormal_basis"]

# A column whose part outside the columns before it is below this share of its length carries
# no more than rounding.
RANK_TOLERANCE = 1e-9
# Cholesky of X'X loses half the digits: with a smaller pivot Householder's QR takes over.
CHOLESKY_PIVOT = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Row map from (x, y) to (x R^-1, (y - x b) / scale).

    `factor` R (P, P) is upper triangular, `start` b (P,) the least-squares coefficients,
    `scale` their residual standard deviation.
    """

    factor: FloatArray
    start: FloatArray
    scale: float

    def rows(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Rows of z = [Q, r] (N, P + 1)."""
        out = np.empty((x.shape[0], x.shape[1] + 1))
        # x R^-1 by back substitution; the right-hand side is R^-T x'.
        out[:, :-1] = _solved(self.factor, x.T, transposed=True).T
        out[:, -1] = (y - x @ self.start) / self.scale
        return out

    def contrasts(self, matrix: FloatArray) -> FloatArray:
        """Rows of contrasts (r, P) of the model's coefficients, in the basis Q."""
        return np.ascontiguousarray(_solved(self.factor, matrix.T, transposed=True).T)

    def coefficients(self, gamma: FloatArray) -> FloatArray:
        """Coefficients (P,) of the model from those in the basis."""
        return np.asarray(self.start + self.scale * _solved(self.factor, gamma))

    def covariance(self, phi: FloatArray) -> FloatArray:
        """Covariance (P, P) of the model's coefficients from that in the basis."""
        full = _solved(self.factor, _solved(self.factor, phi).T)
        return np.asarray(self.scale**2 * (full + full.T) / 2)

    @property
    def log_determinant(self) -> float:
        """Logarithm of |X'X|."""
        return 2.0 * float(np.log(np.abs(np.diagonal(self.factor))).sum())


def has_full_rank(x: FloatArray) -> bool:
    """Whether no column of x (N, P) is a combination of the others."""
    return _factor(x, None) is not None


def orthonormal_basis(x: FloatArray, y: FloatArray, weights: FloatArray | None = None) -> Basis:
    """Basis of the columns of x (N, P), rows weighted by `weights` (N,).

    Raises DataError where the columns are linearly dependent, where no residual degree of
    freedom is left, and where the outcome is fitted exactly.
    """
    n_rows, n_columns = x.shape
    if n_rows <= n_columns:
        raise DataError(
            f"{n_rows} observations cannot support {n_columns} fixed effects and a covariance."
        )
    factor = _factor(x, weights)
    if factor is None:
        raise DataError("The fixed effects are linearly dependent.")
    start = np.zeros(n_columns)
    residual = y
    for _ in range(2):  # once more: normal equations leave half the digits
        weighted = residual if weights is None else weights * residual
        start = start + _solved(factor, _solved(factor, x.T @ weighted, transposed=True))
        residual = y - x @ start
    weighted = residual if weights is None else weights * residual
    scale = float(np.sqrt(residual @ weighted / (n_rows - n_columns)))
    spread = float(np.abs(y).max())
    if not scale > n_rows * np.finfo(np.float64).eps * spread:
        raise DataError("The fixed effects fit the outcome exactly: no residual is left.")
    return Basis(factor=factor, start=np.asarray(start), scale=scale)


def _factor(x: FloatArray, weights: FloatArray | None) -> FloatArray | None:
    """Upper triangular R with R'R = X'WX, or None where the columns are dependent."""
    gram = x.T @ (x if weights is None else weights[:, None] * x)
    length = np.sqrt(np.diagonal(gram))
    if not (length > 0).all():
        return None
    scaled = _cholesky(gram / np.outer(length, length))
    if scaled is None or np.diagonal(scaled).min() < CHOLESKY_PIVOT:
        root = x if weights is None else np.sqrt(weights)[:, None] * x
        scaled = np.asarray(linalg.qr(root / length, mode="r")[0][: x.shape[1]])
        if np.abs(np.diagonal(scaled)).min() < RANK_TOLERANCE:
            return None
    return np.asarray(scaled * length)


def _solved(factor: FloatArray, right: FloatArray, *, transposed: bool = False) -> FloatArray:
    """R^-1 b, or R^-T b, for R (P, P) upper triangular with a diagonal that is not zero."""
    # LAPACK itself: scipy.linalg's wrapper takes longer than a solution of this size.
    solution, _ = linalg.lapack.dtrtrs(factor, right, trans=int(transposed))
    return np.asarray(solution)


def _cholesky(matrix: FloatArray) -> FloatArray | None:
    try:
        return np.asarray(linalg.cholesky(matrix))
    except linalg.LinAlgError:
        return None
