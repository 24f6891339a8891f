"""Recomputed figures about the printed ones, in units of the last printed digit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import INK, MUTED, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["agreement"]

INCHES_A_ROW = 0.28
# Ten units is where a range stops saying anything; beyond the edge an arrow stands.
EDGE = 12.0
BAND = "#e8e8e8"


def agreement(
    *,
    labels: Sequence[str],
    published: ArrayLike,
    unit: ArrayLike,
    reproduced: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    ax: Axes | None = None,
) -> Axes:
    """Draw (reproduced - published) / unit, one line a row, the first row on top.

    All arrays have shape (m,). `unit` is one unit of the last printed digit, so that figures of
    any scale share the axis and the band of half a unit to either side holds what prints the
    same. A finite `low` to `high` is drawn as a line. What lies beyond the edge is an arrow there.
    """
    centre, step, ours, lower, upper = (
        np.asarray(values, dtype=float) for values in (published, unit, reproduced, low, high)
    )
    axes = new_axes(8.5, 1.0 + INCHES_A_ROW * max(len(labels), 2)) if ax is None else ax
    axes.axvspan(-0.5, 0.5, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    for row in range(len(labels)):
        ends = (np.array([lower[row], upper[row]]) - centre[row]) / step[row]
        if np.isfinite(ends).all():
            axes.plot(np.clip(ends, -EDGE, EDGE), [row, row], color=INK, linewidth=1.2, zorder=2)
        place = (ours[row] - centre[row]) / step[row]
        if np.isfinite(place):
            beyond = abs(place) > EDGE
            marker = (">" if place > 0 else "<") if beyond else "o"
            axes.plot(
                np.clip(place, -EDGE, EDGE),
                row,
                marker,
                color=INK,
                markersize=5,
                zorder=3,
            )
    axes.set_xlim(-EDGE * 1.05, EDGE * 1.05)
    if not labels:
        axes.text(0.0, 0.0, "nothing to compare", color=MUTED, fontsize=8, ha="center")
    axes.set_ylim(max(len(labels), 1) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), list(labels))
    axes.set_xlabel("Reproduced - published [last digit]")
    axes.tick_params(axis="y", length=0)
    quiet(axes).spines["left"].set_visible(False)
    return axes
