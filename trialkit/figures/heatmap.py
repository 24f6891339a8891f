"""A matrix of standardized values as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import INK, MUTED, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["heatmap"]

INCHES_A_ROW = 0.17
INCHES_A_COLUMN = 0.26
# The label of the colour bar needs as much.
SMALLEST_HEIGHT = 2.8
# Beyond so many standard deviations the colour says no more.
EDGE = 2.5


def heatmap(
    *,
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    marked: ArrayLike | None = None,
    breaks: Sequence[int] = (),
    bar_label: str = "",
    x_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw `values` (m, n), blue below zero and red above, missing cells grey.

    Cells that are `marked` (m, n) have a dot. `breaks` are columns before which a white line
    stands. In grey print the two ends are dark and the middle light: the sign is then read from
    the numbers.
    """
    matrix = np.asarray(values, dtype=float)
    height = max(SMALLEST_HEIGHT, 1.3 + INCHES_A_ROW * matrix.shape[0])
    axes = new_axes(2.4 + INCHES_A_COLUMN * matrix.shape[1], height) if ax is None else ax
    from matplotlib import colormaps

    palette = colormaps["RdBu_r"].with_extremes(bad=MUTED)
    image = axes.imshow(
        np.ma.masked_invalid(matrix),
        cmap=palette,
        vmin=-EDGE,
        vmax=EDGE,
        aspect="auto",
        interpolation="nearest",
    )
    if marked is not None:
        at_row, at_column = np.nonzero(np.asarray(marked, dtype=bool) & np.isfinite(matrix))
        axes.scatter(at_column, at_row, s=5, color=INK, linewidths=0)
    for place in breaks:
        axes.axvline(place - 0.5, color="white", linewidth=2)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=6.5)
    axes.set_xticks(range(len(columns)), list(columns), fontsize=6.5, rotation=90)
    axes.set_xlabel(x_label, fontsize=8)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(bar_label, fontsize=8)
    return axes
