"""Means over visits, one line an arm, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import ARM_COLORS, MUTED, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["visit_profiles"]

# Arms stand beside each other at a visit by this share of the distance between visits.
DODGE = 0.06


def visit_profiles(
    *,
    visits: Sequence[str],
    arms: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw (mean, low, high), each (m,), of every arm over the m `visits`, in their order.

    The first arm is drawn in grey. A mean that is not a number leaves a gap.
    """
    axes = new_axes(6.0, 3.8) if ax is None else ax
    place = np.arange(len(visits), dtype=float)
    for position, (arm, values) in enumerate(arms.items()):
        mean, low, high = (np.asarray(value, dtype=float) for value in values)
        shift = DODGE * (position - (len(arms) - 1) / 2)
        color = ARM_COLORS[position % len(ARM_COLORS)]
        axes.plot(place + shift, mean, "o-", color=color, linewidth=1.2, markersize=4, label=arm)
        axes.vlines(place + shift, low, high, color=color, linewidth=1.0)
    axes.axhline(0.0, color=MUTED, linewidth=0.6, zorder=0)
    axes.set_xticks(place, list(visits))
    axes.set_ylabel(y_label)
    if len(arms) > 1:
        axes.legend(frameon=False, fontsize=9)
    return quiet(axes)
