"""Ordinary least squares by QR, with classical and heteroscedasticity-consistent covariance.

Shapes: response y (n,), design X (n, P), coefficients (P,), covariance (P, P). A column that is
a combination of the columns to its left is *aliased*: its coefficient is not determined, and
stands at zero with zero covariance, so that only estimable contrasts may be read from the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from trialkit.errors import SpecError
from trialkit.typing import BoolArray, FloatArray

__all__ = [
    "HC_KINDS",
    "LeastSquares",
    "WaldTest",
    "aliased_columns",
    "hc_covariance",
    "least_squares",
    "ols_covariance",
    "wald_f",
]

HC_KINDS = ("HC0", "HC1", "HC2", "HC3", "HC4")

# A column of unit length whose part outside the span of the columns before it is shorter than
# this carries no more than rounding: with 16 digits, fewer than half would be left.
ALIAS_TOLERANCE = 1e-9
# Where every column keeps this share of its length outside the columns before it, Cholesky's
# pivots of X'X, which lose half the digits, are proof enough that none is aliased.
CLEAR_PIVOT = 1e-4
# Directions of L V L' below this share of its largest carry no information of their own.
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeastSquares:
    """A fit: `coef` (P,), `cross_inverse` (X'X)^-1 (P, P), `residuals` and `leverage` (n,).

    `aliased` (P,) marks the columns left out; `rank` counts the others.
    """

    coef: FloatArray
    cross_inverse: FloatArray
    residuals: FloatArray
    leverage: FloatArray
    residual_sum_sq: float
    df_residual: int
    rank: int
    aliased: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class WaldTest:
    """F test of `num_df` linear hypotheses, against F(num_df, den_df)."""

    statistic: float
    num_df: float
    den_df: float
    p_value: float


def aliased_columns(x: FloatArray) -> BoolArray:
    """Which of the P columns of `x` (n, P) depend linearly on the columns to their left."""
    aliased = np.zeros(x.shape[1], dtype=np.bool_)
    if _is_clearly_independent(x):
        return aliased
    basis = np.empty((x.shape[0], 0))
    for position in range(x.shape[1]):
        length = float(np.linalg.norm(x[:, position]))
        if length == 0:
            aliased[position] = True
            continue
        column = x[:, position] / length
        for _ in range(2):  # once more: the first pass leaves rounding of the order it removes
            column = column - basis @ (basis.T @ column)
        rest = float(np.linalg.norm(column))
        if rest < ALIAS_TOLERANCE:
            aliased[position] = True
        else:
            basis = np.column_stack([basis, column / rest])
    return aliased


def _is_clearly_independent(x: FloatArray) -> bool:
    gram = x.T @ x
    length = np.sqrt(np.diagonal(gram))
    if not (length > 0).all() or not np.isfinite(length).all():
        return False
    try:
        factor = np.linalg.cholesky(gram / np.outer(length, length))
    except np.linalg.LinAlgError:
        return False
    return bool(np.diagonal(factor).min(initial=1.0) > CLEAR_PIVOT)


def least_squares(*, x: FloatArray, y: FloatArray, aliased: BoolArray) -> LeastSquares:
    """Fit `y` (n,) on the columns of `x` (n, P) that are not `aliased` (P,)."""
    kept = np.flatnonzero(~aliased)
    q, r = np.linalg.qr(x[:, kept])
    coef = np.zeros(x.shape[1])
    coef[kept] = linalg.solve_triangular(r, q.T @ y)
    inverse_r = linalg.solve_triangular(r, np.eye(kept.size))
    cross_inverse = np.zeros((x.shape[1], x.shape[1]))
    cross_inverse[np.ix_(kept, kept)] = inverse_r @ inverse_r.T
    residuals = y - q @ (q.T @ y)
    return LeastSquares(
        coef=coef,
        cross_inverse=cross_inverse,
        residuals=residuals,
        leverage=np.sum(q * q, axis=1),
        residual_sum_sq=float(residuals @ residuals),
        df_residual=y.size - kept.size,
        rank=kept.size,
        aliased=aliased,
    )


def ols_covariance(fit: LeastSquares) -> FloatArray:
    """Covariance (P, P) under one residual variance."""
    return fit.residual_sum_sq / fit.df_residual * fit.cross_inverse


def hc_covariance(*, fit: LeastSquares, x: FloatArray, kind: str) -> FloatArray:
    """Sandwich covariance (P, P), consistent when residual variances differ.

    HC0 to HC3 as in MacKinnon & White (1985), HC4 as in Cribari-Neto (2004). HC2 to HC4 need
    every leverage below one; the caller sees to that.
    """
    scaled = x * (fit.residuals * np.sqrt(_hc_factors(fit, kind)))[:, None]
    half = scaled @ fit.cross_inverse
    return np.asarray(half.T @ half, dtype=np.float64)


def _hc_factors(fit: LeastSquares, kind: str) -> FloatArray:
    """What each squared residual (n,) is multiplied by."""
    n, h = fit.residuals.size, fit.leverage
    if kind == "HC0":
        return np.ones(n)
    if kind == "HC1":
        return np.full(n, n / fit.df_residual)
    if kind == "HC2":
        return np.asarray(1 / (1 - h))
    if kind == "HC3":
        return np.asarray(1 / (1 - h) ** 2)
    if kind == "HC4":
        return np.asarray((1 - h) ** -np.minimum(4.0, h / h.mean()))
    raise SpecError(f"vcov={kind!r} is not offered; allowed: {', '.join(HC_KINDS)}.")


def wald_f(
    *, coef: FloatArray, vcov: FloatArray, hypothesis: FloatArray, den_df: float
) -> WaldTest:
    """Wald F test of L coef = 0 for `hypothesis` L (q, P); den_df infinite gives chi-square / q.

    Rows of L that repeat others are counted once: num_df is the rank of L vcov L'.
    """
    value = hypothesis @ coef
    spread = hypothesis @ vcov @ hypothesis.T
    scale = np.sqrt(np.diagonal(spread))
    scale = np.where(scale > 0, scale, 1.0)
    eigenvalues, vectors = np.linalg.eigh(spread / np.outer(scale, scale))
    used = eigenvalues > RANK_TOLERANCE * eigenvalues.max(initial=0.0)
    num_df = int(used.sum())
    if num_df == 0:
        nan = float("nan")
        return WaldTest(statistic=nan, num_df=0, den_df=den_df, p_value=nan)
    projected = vectors[:, used].T @ (value / scale)
    statistic = float(np.sum(projected**2 / eigenvalues[used])) / num_df
    return WaldTest(
        statistic=statistic, num_df=num_df, den_df=den_df, p_value=f_tail(statistic, num_df, den_df)
    )


def f_tail(statistic: float, num_df: float, den_df: float) -> float:
    """P(F > statistic) for F(num_df, den_df), computed in the upper tail."""
    if den_df == np.inf:
        return float(special.chdtrc(num_df, num_df * statistic))
    return float(special.fdtrc(num_df, den_df, statistic))
