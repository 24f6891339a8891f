"""One effect in many responses at once: least squares with the other columns projected out.

Vocabulary: a *row* is one response (an analyte) over the n units; the *effect* is the column
g (n,) whose coefficient is wanted; the *nuisance* columns are all the others. Whatever the
design, its effect is one such column: +1 on a paired difference, the arm, the sequence.
Rearranging the design rearranges g alone, so that the fit and its permutations share this
one projection (Frisch-Waugh-Lovell).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from trialkit.kernels.linear import ALIAS_TOLERANCE, aliased_columns
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "SMALLEST_REST",
    "EffectFits",
    "EffectRows",
    "effect_correlations",
    "fit_effect",
    "project",
    "t_of",
]

# Stands for zero beside a correlation of one, and can be divided by.
SMALLEST_REST = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectRows:
    """Responses (m, n) less their projection on the nuisance columns.

    `residuals` stand at zero where a value is missing (`present` false). `basis` holds
    orthonormal nuisance columns: (n, q), the same for every row, or (m, n, q). `rank` (m,)
    counts those a row uses. `sum_sq` (m,) are the squares of the residuals; `directions` (m, n)
    are the residuals at length one (zero where they are zero).
    """

    residuals: FloatArray
    present: BoolArray
    basis: FloatArray
    rank: IntArray
    sum_sq: FloatArray
    directions: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        length = np.sqrt(np.where(self.sum_sq > 0, self.sum_sq, 1.0))
        object.__setattr__(self, "directions", self.residuals / length[:, None])

    @property
    def n(self) -> IntArray:
        """Units with a value, by row (m,)."""
        return np.asarray(self.present.sum(axis=1), dtype=np.int64)

    @property
    def df(self) -> IntArray:
        """Residual degrees of freedom with the effect in the model (m,)."""
        return np.asarray(self.n - self.rank - 1, dtype=np.int64)

    @property
    def is_shared(self) -> bool:
        """Whether every row has the same nuisance columns and no missing value."""
        return self.basis.ndim == 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EffectFits:
    """By row (m,): the effect, its standard error over sigma, and the residual variance.

    NaN where the effect is a combination of the nuisance columns; `sigma2` is NaN without
    degrees of freedom.
    """

    estimate: FloatArray
    unscaled: FloatArray
    sigma2: FloatArray
    df: IntArray
    n: IntArray


def project(y: FloatArray, z: FloatArray, own: FloatArray | None = None) -> EffectRows:
    """Project the responses `y` (m, n; NaN missing) off the nuisance columns `z` (n, q).

    `own` (m, n) is one more nuisance column, a different one for each row (its baseline); a
    unit without it is missing in that row. Columns that depend on others are left out.
    """
    present = ~np.isnan(y) if own is None else ~(np.isnan(y) | np.isnan(own))
    filled = np.where(present, y, 0.0)
    if present.all() and own is None:
        kept = z[:, ~aliased_columns(z)]
        basis = np.linalg.qr(kept)[0]
        rank = np.full(y.shape[0], basis.shape[1], dtype=np.int64)
        residuals = filled - (filled @ basis) @ basis.T
        residuals = residuals - (residuals @ basis) @ basis.T
    else:
        basis, rank = _own_bases(present, z, own)
        for _ in range(2):  # the second pass removes the rounding of the first
            scores = np.matmul(filled[:, None, :], basis)
            filled = filled - np.matmul(scores, np.swapaxes(basis, 1, 2))[:, 0, :]
        residuals = np.where(present, filled, 0.0)
    return EffectRows(
        residuals=residuals,
        present=present,
        basis=basis,
        rank=rank,
        sum_sq=np.sum(residuals**2, axis=1),
    )


def _own_bases(
    present: BoolArray, z: FloatArray, own: FloatArray | None
) -> tuple[FloatArray, IntArray]:
    """Orthonormal nuisance columns of each row (m, n, q); those it cannot use are zero."""
    stacked = np.where(present[:, :, None], z[None, :, :], 0.0)
    if own is not None:
        stacked = np.concatenate([stacked, np.where(present, own, 0.0)[:, :, None]], axis=2)
    if stacked.shape[2] == 0:
        return stacked, np.zeros(stacked.shape[0], dtype=np.int64)
    if stacked.shape[1] < stacked.shape[2]:
        suspect = np.ones(stacked.shape[0], dtype=np.bool_)
        basis = np.zeros_like(stacked)
    else:
        basis, r = np.linalg.qr(stacked)
        lengths = np.sqrt(np.sum(stacked**2, axis=1))
        pivots = np.abs(np.diagonal(r, axis1=1, axis2=2))
        suspect = (pivots <= 10 * ALIAS_TOLERANCE * lengths).any(axis=1)
    rank = np.full(stacked.shape[0], stacked.shape[2], dtype=np.int64)
    for row in np.flatnonzero(suspect):
        kept = stacked[row][:, ~aliased_columns(stacked[row])]
        rank[row] = kept.shape[1]
        basis[row] = 0.0
        basis[row, :, : kept.shape[1]] = np.linalg.qr(kept)[0]
    return basis, rank


def fit_effect(rows: EffectRows, g: FloatArray) -> EffectFits:
    """Least-squares effect of the column `g` (n,) in every row."""
    effect = np.where(rows.present, g, 0.0)
    length = np.sum(effect**2, axis=1)
    for _ in range(2):
        if rows.is_shared:
            effect = effect - (effect @ rows.basis) @ rows.basis.T
        else:
            scores = np.matmul(effect[:, None, :], rows.basis)
            effect = effect - np.matmul(scores, np.swapaxes(rows.basis, 1, 2))[:, 0, :]
    effect = np.where(rows.present, effect, 0.0)
    size = np.sum(effect**2, axis=1)
    known = size > ALIAS_TOLERANCE**2 * length
    safe = np.where(known, size, 1.0)
    estimate = np.sum(effect * rows.residuals, axis=1) / safe
    rest = rows.residuals - estimate[:, None] * effect
    df = rows.df
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma2 = np.where(known & (df > 0), np.sum(rest**2, axis=1) / df, np.nan)
    return EffectFits(
        estimate=np.where(known, estimate, np.nan),
        unscaled=np.where(known, 1 / np.sqrt(safe), np.nan),
        sigma2=sigma2,
        df=df,
        n=rows.n,
    )


def effect_correlations(rows: EffectRows, arrangements: FloatArray) -> FloatArray:
    """Partial correlation of each row with each arrangement of the effect (B, n): (m, B).

    |r| is a monotone function of |t| for given degrees of freedom. Zero where the arrangement
    is a combination of the nuisance columns or the response is constant.
    """
    if rows.is_shared:
        effects = arrangements - (arrangements @ rows.basis) @ rows.basis.T
        size = np.sum(effects**2, axis=1)
        full = np.sum(arrangements**2, axis=1)
        usable = size > ALIAS_TOLERANCE**2 * full
        effects = effects / np.sqrt(np.where(usable, size, np.inf))[:, None]
        return np.asarray(rows.directions @ effects.T)
    # The residuals are orthogonal to the basis already: only the length of g needs it.
    full = rows.present.astype(np.float64) @ (arrangements**2).T
    size = full.copy()
    for column in range(rows.basis.shape[2]):
        size -= (rows.basis[:, :, column] @ arrangements.T) ** 2
    usable = size > ALIAS_TOLERANCE * full
    return np.asarray(rows.directions @ arrangements.T / np.sqrt(np.where(usable, size, np.inf)))


def t_of(correlation: FloatArray, df: FloatArray | IntArray) -> FloatArray:
    """Student's t of partial correlations (m, B), with `df` (m,)."""
    rest = np.maximum(1.0 - correlation**2, SMALLEST_REST)
    return np.asarray(correlation * np.sqrt(np.asarray(df)[:, None] / rest))
