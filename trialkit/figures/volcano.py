"""Fold change against evidence, one point an analyte, with direct labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import ARM_COLORS, MUTED, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["volcano"]

# Labels closer than this share of the height are moved apart.
LABEL_GAP = 0.035
# A name moved farther than so many gaps could be read as another point's.
FARTHEST = 3


def volcano(
    *,
    labels: Sequence[str],
    log2_fold: ArrayLike,
    p_value: ArrayLike,
    is_marked: ArrayLike,
    x_label: str = "log2 fold change",
    y_label: str = "p-value",
    ax: Axes | None = None,
) -> Axes:
    """Draw -log10 `p_value` (m,) over `log2_fold` (m,); those `is_marked` (m,) get their label.

    Marked points are filled, the others hollow, so that the figure reads in black and white.
    Analytes without an estimate or p-value are not drawn, and names for which there is no room
    are left out; their numbers stand below the axis.
    """
    x, p = (np.asarray(values, dtype=float) for values in (log2_fold, p_value))
    marked = np.asarray(is_marked, dtype=bool)
    axes = new_axes(6.4, 4.6) if ax is None else ax
    drawn = np.isfinite(x) & (p > 0)
    y = np.where(drawn, -np.log10(np.where(drawn, p, 1.0)), np.nan)
    for chosen, fill in ((drawn & ~marked, "none"), (drawn & marked, ARM_COLORS[1])):
        axes.scatter(
            x[chosen], y[chosen], s=26, facecolor=fill, edgecolor=ARM_COLORS[1], linewidth=0.9
        )
    axes.axvline(0.0, color=MUTED, linewidth=0.8, zorder=0)
    top = float(np.nanmax(y, initial=1.0)) * 1.08
    widest = float(np.max(np.abs(x[drawn]), initial=0.1)) * 1.25
    axes.set_xlim(-widest, widest)
    axes.set_ylim(0.0, top)
    named = [labels[int(i)] for i in np.flatnonzero(drawn & marked)]
    n_unnamed = _label(axes, named, x, y, drawn & marked, top)
    missing = int((~drawn).sum())
    said = [f"{missing} without an estimate"] if missing else []
    said += [f"{n_unnamed} marked without room for a name"] if n_unnamed else []
    axes.set_xlabel(f"{x_label} ({'; '.join(said)})" if said else x_label)
    axes.set_ylabel(f"-log10 {y_label}")
    return quiet(axes)


def _label(
    axes: Axes,
    names: Sequence[str],
    x: np.ndarray,
    y: np.ndarray,
    marked: np.ndarray,
    top: float,
) -> int:
    """Names beside their points, outwards, moved apart on either side; how many have no room.

    The highest points are named first; a name that would stand far from its point is left out.
    """
    n_unnamed = 0
    where = np.flatnonzero(marked)
    for side in (-1, 1):
        chosen = [k for k, i in enumerate(where) if (x[i] >= 0) == (side > 0)]
        chosen.sort(key=lambda k: -y[where[k]])
        last = np.inf
        for k in chosen:
            i = where[k]
            height = min(float(y[i]), last - LABEL_GAP * top)
            if y[i] - height > FARTHEST * LABEL_GAP * top:
                n_unnamed += 1
                continue
            last = height
            axes.annotate(
                names[k],
                (x[i], y[i]),
                xytext=(x[i] + side * 0.02 * (axes.get_xlim()[1]), height),
                fontsize=7.5,
                ha="left" if side > 0 else "right",
                va="center",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.5, "shrinkB": 3},
            )
    return n_unnamed
