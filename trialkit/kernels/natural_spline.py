"""Columns that span the natural cubic splines with knots at the quantiles of a covariate."""

from __future__ import annotations

import numpy as np

from trialkit.typing import FloatArray

__all__ = ["natural_spline"]


def natural_spline(covariate: FloatArray, n_columns: int) -> FloatArray:
    """Basis (n, n_columns), the constant included, of natural cubic splines of `covariate`.

    Boundary knots stand at its ends, `n_columns` - 2 interior knots at its equally spaced
    quantiles (R's type 7, as `splines::ns(x, df, intercept = TRUE)`). The span is that of
    `ns`; the columns are not. Knots that coincide are counted once.
    """
    low, high = float(covariate.min()), float(covariate.max())
    if n_columns == 1 or low == high:
        return np.ones((covariate.size, 1))
    u = (covariate - low) / (high - low)
    shares = np.linspace(0, 1, n_columns)
    knots = np.unique(np.quantile(u, shares))
    last = knots[-1]

    def cubic(knot: float) -> FloatArray:
        rise = np.maximum(u - knot, 0.0) ** 3 - np.maximum(u - last, 0.0) ** 3
        return np.asarray(rise / (last - knot))

    tail = cubic(float(knots[-2]))
    bends = [cubic(float(knot)) - tail for knot in knots[:-2]]
    return np.column_stack([np.ones_like(u), u, *bends])
