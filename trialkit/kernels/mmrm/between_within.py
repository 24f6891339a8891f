"""Between-within degrees of freedom, by the rule of R's mmrm."""

from __future__ import annotations

import numpy as np

from trialkit.kernels.mmrm.layout import Layout
from trialkit.typing import BoolArray, FloatArray

# A weight below this share of the contrast's largest is rounding.
ROUNDING = 1e-10

__all__ = ["between_within_df", "coefficient_df", "is_between"]


def is_between(x: FloatArray, layout: Layout) -> BoolArray:
    """Columns of x (N, P) that do not change within any subject: (P,)."""
    ordered = x[layout.order]
    same_subject = layout.subject[1:] == layout.subject[:-1]
    changed = (ordered[1:] != ordered[:-1]) & same_subject[:, None]
    return np.asarray(~changed.any(axis=0))


def coefficient_df(x: FloatArray, layout: Layout, *, intercept: int | None) -> FloatArray:
    """Degrees of freedom (P,) of single coefficients.

    A coefficient whose column varies between subjects only has n - (number of those, with the
    intercept) df; one that varies within subjects has N - n - (number of those). The
    intercept (its column, or None) goes with the latter where there are any.
    """
    between = is_between(x, layout)
    n, n_observations = layout.n_subjects, layout.order.size
    n_between = int(between.sum())
    n_within = between.size - n_between
    df = np.where(between, n - n_between, n_observations - n - n_within).astype(np.float64)
    if intercept is not None and n_within > 0:
        df[intercept] = n_observations - n - n_within
    return df


def between_within_df(rows: FloatArray, single: FloatArray) -> FloatArray:
    """Degrees of freedom (r,) of contrasts (r, P): the smallest of the coefficients involved."""
    involved = np.abs(rows) > ROUNDING * np.abs(rows).max(axis=1, keepdims=True)
    return np.asarray(np.where(involved, single, np.inf).min(axis=1))
