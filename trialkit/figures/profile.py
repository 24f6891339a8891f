"""Means with intervals over visits, one line an arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import ARM_COLORS, MUTED, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["profile"]

# Arms stand beside each other at a visit, this share of the narrowest gap apart.
DODGE = 0.06


def profile(
    *,
    visits: Sequence[str],
    centre: Mapping[str, ArrayLike],
    low: Mapping[str, ArrayLike],
    high: Mapping[str, ArrayLike],
    positions: ArrayLike | None = None,
    has_zero_line: bool = False,
    x_label: str = "",
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw `centre[arm]` (v,) with `low[arm]` and `high[arm]` (v,) over the v `visits`.

    The first arm is the reference and grey. `positions` (v,) place the visits on the axis
    (weeks, say), increasing; evenly spaced without. A NaN leaves a gap. Each line is labelled
    at its last value, so that the figure reads in black and white.
    """
    where = np.arange(len(visits), dtype=float)
    if positions is not None:
        where = np.asarray(positions, dtype=float)
    gap = float(np.min(np.diff(where))) if where.size > 1 else 1.0
    axes = new_axes(6.0, 3.6) if ax is None else ax
    for index, arm in enumerate(centre):
        middle, lower, upper = (
            np.asarray(values[arm], dtype=float) for values in (centre, low, high)
        )
        x = where + DODGE * gap * (index - (len(centre) - 1) / 2)
        color = ARM_COLORS[index % len(ARM_COLORS)]
        axes.vlines(x, lower, upper, color=color, linewidth=1.2)
        axes.plot(x, middle, "-o", color=color, linewidth=1.4, markersize=5, label=str(arm))
        known = np.flatnonzero(~np.isnan(middle))
        if known.size:
            # Beyond the bars of every arm at that visit.
            beside = where[known[-1]] + DODGE * gap * (len(centre) - 1) / 2
            axes.annotate(
                str(arm),
                (beside, middle[known[-1]]),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=color,
            )
    if has_zero_line:
        axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
    axes.set_xticks(where, list(visits))
    axes.set_xlim(where[0] - 0.3 * gap, where[-1] + 0.3 * gap)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    return quiet(axes)
