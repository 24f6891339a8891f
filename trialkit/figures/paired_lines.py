"""Each subject's values under two conditions, joined by a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import ARM_COLORS, INK, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["paired_lines"]


def paired_lines(
    *,
    reference: ArrayLike,
    condition: ArrayLike,
    is_censored: ArrayLike,
    names: tuple[str, str],
    title: str = "",
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw `reference` and `condition` (n,); `is_censored` (n, 2) are hollow, at their bound.

    The heavy line joins the means of what is drawn.
    """
    values = np.column_stack([np.asarray(reference, float), np.asarray(condition, float)])
    hollow = np.asarray(is_censored, dtype=bool)
    axes = new_axes(3.2, 3.6) if ax is None else ax
    for row in values:
        axes.plot([0, 1], row, color=ARM_COLORS[0], linewidth=0.9, zorder=1)
    for place in (0, 1):
        for mask, fill in ((~hollow[:, place], ARM_COLORS[1]), (hollow[:, place], "white")):
            axes.scatter(
                np.full(int(mask.sum()), place),
                values[mask, place],
                s=24,
                facecolor=fill,
                edgecolor=ARM_COLORS[1],
                linewidth=0.9,
                zorder=2,
            )
    if np.isfinite(values).any(axis=0).all():
        axes.plot([0, 1], np.nanmean(values, axis=0), color=INK, linewidth=2.2, zorder=3)
    axes.set_xlim(-0.25, 1.25)
    axes.set_xticks([0, 1], list(names))
    axes.set_ylabel(y_label)
    axes.set_title(title, fontsize=9)
    return quiet(axes)
