"""Least squares with an effect for each subject, the subjects absorbed.

Equal to least squares with one indicator a subject, at a cost that does not grow with their
square: slopes come from deviations from the subjects' means. The intercept is then the mean of
the subjects' effects, every subject with equal weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.kernels.linear import aliased_columns, least_squares
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "WithinFit",
    "between_within_sums",
    "deviations",
    "fit_within",
    "residual_mean_square",
    "within_aliased",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WithinFit:
    """`coef` (P,) and `vcov` (P, P) of an intercept (first) and slopes; `mse` on `df_residual`.

    `subject_sum_sq` is what the subjects explain beside the slopes, on `subject_df`.
    """

    coef: FloatArray
    vcov: FloatArray
    residuals: FloatArray
    mse: float
    df_residual: int
    subject_sum_sq: float
    subject_df: int


def deviations(values: FloatArray, subject: IntArray) -> FloatArray:
    """Rows (N, ...) less the mean of their subject (codes (N,) from 0)."""
    return np.asarray(values - _means(values, subject)[subject])


def within_aliased(x: FloatArray, subject: IntArray) -> BoolArray:
    """Which columns (P,) the subjects and the columns to the left determine."""
    from_means = deviations(x, subject)
    # Rounding of a column that is constant within every subject is no variation.
    length = np.linalg.norm(x, axis=0)
    from_means[:, np.linalg.norm(from_means, axis=0) <= 1e-10 * length] = 0.0
    return aliased_columns(from_means)


def fit_within(x: FloatArray, y: FloatArray, subject: IntArray) -> WithinFit:
    """Fit y (N,) on x (N, P), an intercept first, and an effect of each subject.

    The caller has seen to it that no slope is aliased and that residual df are left.
    """
    n_subjects = int(subject.max()) + 1
    slopes, outcome = deviations(x[:, 1:], subject), deviations(y, subject)
    fit = least_squares(x=slopes, y=outcome, aliased=np.zeros(slopes.shape[1], dtype=np.bool_))
    df_residual = y.size - n_subjects - slopes.shape[1]
    mse = fit.residual_sum_sq / df_residual
    centre = _means(x[:, 1:], subject).mean(axis=0)
    level = float(_means(y, subject).mean() - centre @ fit.coef)
    sizes = np.bincount(subject, minlength=n_subjects)
    vcov = np.empty((x.shape[1], x.shape[1]))
    vcov[1:, 1:] = fit.cross_inverse
    vcov[0, 1:] = vcov[1:, 0] = -fit.cross_inverse @ centre
    vcov[0, 0] = np.sum(1.0 / sizes) / n_subjects**2 + centre @ fit.cross_inverse @ centre
    without = least_squares(x=x, y=y, aliased=aliased_columns(x))
    return WithinFit(
        coef=np.concatenate([[level], fit.coef]),
        vcov=mse * vcov,
        residuals=fit.residuals,
        mse=mse,
        df_residual=df_residual,
        subject_sum_sq=without.residual_sum_sq - fit.residual_sum_sq,
        subject_df=without.df_residual - df_residual,
    )


def residual_mean_square(x: FloatArray, y: FloatArray, subject: IntArray) -> tuple[float, int]:
    """Residual variance and df of y (n,) on x (n, P) and subjects; aliased columns left out.

    NaN where no degree of freedom is left. Subject codes need not be consecutive.
    """
    _, codes = np.unique(subject, return_inverse=True)
    codes = codes.astype(np.int64)
    aliased = within_aliased(x, codes)
    df = y.size - int(codes.max()) - 1 - int((~aliased).sum())
    if df <= 0:
        return float("nan"), 0
    fit = least_squares(x=deviations(x, codes), y=deviations(y, codes), aliased=aliased)
    return fit.residual_sum_sq / df, df


def between_within_sums(
    y: FloatArray, subject: IntArray, group: IntArray
) -> tuple[float, int, float, int]:
    """Sums of squares and df of groups, and of subjects within groups, nothing else adjusted.

    `group` (N,) is constant within a subject.
    """
    group_means = _means(y, group)
    subject_means = _means(y, subject)
    group_sum = float(np.sum((group_means[group] - y.mean()) ** 2))
    within = float(np.sum((subject_means[subject] - group_means[group]) ** 2))
    n_groups, n_subjects = group_means.shape[0], subject_means.shape[0]
    return group_sum, n_groups - 1, within, n_subjects - n_groups


def _means(values: FloatArray, subject: IntArray) -> FloatArray:
    n_subjects = int(subject.max()) + 1
    sums = np.zeros((n_subjects, *values.shape[1:]))
    np.add.at(sums, subject, values)
    counts = np.bincount(subject, minlength=n_subjects)
    return np.asarray(sums / counts.reshape(-1, *(1,) * (values.ndim - 1)))
