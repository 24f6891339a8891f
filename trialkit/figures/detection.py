"""Shares of values within the limits of quantification, by analyte and condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import ARM_COLORS, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["detection_bars"]

INCHES_A_ROW = 0.22


def detection_bars(
    *,
    labels: Sequence[str],
    reference: ArrayLike,
    condition: ArrayLike,
    names: tuple[str, str],
    ax: Axes | None = None,
) -> Axes:
    """Draw the shares `reference` and `condition` (m,), two bars an analyte, the first on top.

    The reference is grey and hatched. The names of both stand above the bars.
    """
    shares = [np.asarray(values, dtype=float) for values in (reference, condition)]
    axes = new_axes(6.0, 1.1 + INCHES_A_ROW * max(len(labels), 2)) if ax is None else ax
    where = np.arange(len(labels))
    for share, shift, color, hatch, name in (
        (shares[0], -0.19, ARM_COLORS[0], "////", names[0]),
        (shares[1], 0.19, ARM_COLORS[1], "", names[1]),
    ):
        axes.barh(
            where + shift,
            100 * share,
            height=0.34,
            facecolor="white" if hatch else color,
            edgecolor=color,
            hatch=hatch,
            linewidth=0.6,
            label=name,
        )
    axes.set_xlim(0, 100)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_yticks(where, list(labels), fontsize=7.5)
    axes.set_xlabel("Within the limits of quantification [%]")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=8)
    return quiet(axes)
