"""Where a conclusion changes: along one delta, or over two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import ARM_COLORS, INK, MUTED, new_axes, quiet
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["tipping_curve", "tipping_map"]

# A smaller p-value is drawn as this one: the map is about where the conclusion changes.
SMALLEST_P = 1e-4


def tipping_curve(
    *,
    delta: ArrayLike,
    estimate: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    crossings: ArrayLike,
    null: float = 0.0,
    x_label: str = "Delta",
    y_label: str = "Difference",
    ax: Axes | None = None,
) -> Axes:
    """Estimate and interval, each (g,), along `delta` (g,); a line at each of the crossings."""
    axes = new_axes(5.0, 3.6) if ax is None else ax
    place = np.asarray(delta, dtype=float)
    color = ARM_COLORS[1]
    axes.fill_between(
        place, np.asarray(low, float), np.asarray(high, float), color=color, alpha=0.15, linewidth=0
    )
    axes.plot(place, np.asarray(estimate, dtype=float), color=color, linewidth=1.5)
    axes.axhline(null, color=MUTED, linewidth=0.8, zorder=0)
    for crossing in np.asarray(crossings, dtype=float):
        axes.axvline(crossing, color=INK, linewidth=0.8, linestyle="--")
        axes.annotate(
            f"{crossing:.3g}",
            (crossing, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -2),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=INK,
        )
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return quiet(axes)


def tipping_map(
    *,
    x: ArrayLike,
    y: ArrayLike,
    p_value: ArrayLike,
    is_concluded: ArrayLike,
    border_x: ArrayLike,
    border_y: ArrayLike,
    alpha: float,
    x_label: str = "Delta",
    y_label: str = "Delta, reference",
    ax: Axes | None = None,
) -> Axes:
    """Heat map of p-values (len(y), len(x)) with the border of the conclusion drawn in.

    `is_concluded` (len(y), len(x)) says where the conclusion stands; elsewhere the map is
    hatched, so that print without colour shows it too. `border_x`, `border_y` (b,) are points of
    the border: a line where there is one at each height, else points.
    """
    from matplotlib.colors import LogNorm

    axes = new_axes(5.4, 4.2) if ax is None else ax
    across, up = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    p = np.clip(np.asarray(p_value, dtype=float), SMALLEST_P, 1.0)
    stands = np.asarray(is_concluded, dtype=float)
    mesh = axes.pcolormesh(
        across,
        up,
        p,
        cmap="cividis",
        norm=LogNorm(SMALLEST_P, 1.0),
        shading="nearest",
        rasterized=True,
    )
    if stands.mean() < 1.0:
        axes.contourf(
            _to_borders(across),
            _to_borders(up),
            np.pad(stands, 1, mode="edge"),
            levels=[-0.5, 0.5, 1.5],
            colors="none",
            hatches=["////", ""],
        )
    heights = np.asarray(border_y, dtype=float)
    style = "-" if np.unique(heights).size == heights.size else "."
    axes.plot(np.asarray(border_x, dtype=float), heights, style, color="white", linewidth=2.5)
    axes.plot(np.asarray(border_x, dtype=float), heights, style, color=INK, linewidth=1.0)
    bar = axes.figure.colorbar(mesh, ax=axes)
    bar.set_label(f"p (hatched: not concluded at {alpha:g})", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return quiet(axes)


def _to_borders(centres: FloatArray) -> FloatArray:
    """The middles of the cells, with the outer borders of the first and the last."""
    widths = np.diff(centres) if centres.size > 1 else np.ones(1)
    return np.concatenate([[centres[0] - widths[0] / 2], centres, [centres[-1] + widths[-1] / 2]])
