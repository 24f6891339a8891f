"""Residuals of a model: against fitted values, and against normal quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import INK, MUTED, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["normal_quantiles", "residuals_by_fitted"]


def residuals_by_fitted(
    *, fitted: ArrayLike, residual: ArrayLike, y_label: str = "Residual", ax: Axes | None = None
) -> Axes:
    """Points of `residual` (n,) against `fitted` (n,), with a line at zero."""
    axes = new_axes(5.0, 3.6) if ax is None else ax
    axes.plot(np.asarray(fitted), np.asarray(residual), "o", color=INK, markersize=3, alpha=0.5)
    axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
    axes.set_xlabel("Fitted value")
    axes.set_ylabel(y_label)
    return quiet(axes)


def normal_quantiles(*, residual: ArrayLike, ax: Axes | None = None) -> Axes:
    """Sorted standardised `residual` (n,) against normal quantiles, with the line of equality."""
    from scipy.special import ndtri

    ordered = np.sort(np.asarray(residual, dtype=float))
    quantile = ndtri((np.arange(ordered.size) + 0.5) / ordered.size)
    axes = new_axes(4.2, 4.0) if ax is None else ax
    axes.plot(quantile, ordered, "o", color=INK, markersize=3, alpha=0.6)
    ends = [min(quantile[0], ordered[0]), max(quantile[-1], ordered[-1])]
    axes.plot(ends, ends, color=MUTED, linewidth=0.8, zorder=0)
    axes.set_xlabel("Normal quantile")
    axes.set_ylabel("Scaled residual")
    return quiet(axes)
