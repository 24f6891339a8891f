"""Step curves of survival or incidence, with the numbers at risk below them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from trialkit.figures.style import ARM_COLORS, INK, MUTED, new_axes, quiet
from trialkit.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["incidence_curves", "survival_curves"]

TICKS = 6


class Curve(Protocol):
    """What is drawn of one arm."""

    @property
    def time(self) -> FloatArray:
        """Distinct times."""

    @property
    def survival(self) -> FloatArray:
        """Curve after each of them."""

    @property
    def n_censored(self) -> IntArray:
        """Censored at each of them."""

    def at_risk(self, time: float) -> int:
        """Number at risk just before a time."""


def survival_curves(
    *,
    labels: Sequence[str],
    tables: Sequence[Curve],
    bands: Sequence[tuple[FloatArray, FloatArray]],
    x_label: str,
    y_label: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw one curve an arm from one downwards, its band, and a table of numbers at risk."""
    axes = new_axes(6.4, 3.6 + 0.22 * len(labels)) if ax is None else ax
    for row, (label, table, (low, high)) in enumerate(zip(labels, tables, bands, strict=True)):
        color = ARM_COLORS[row % len(ARM_COLORS)]
        time = np.concatenate([[0.0], table.time])
        curve = np.concatenate([[1.0], table.survival])
        axes.step(time, curve, where="post", color=color, linewidth=1.5, label=label)
        below, above = (np.concatenate([[1.0], limit]) for limit in (low, high))
        axes.fill_between(time, below, above, step="post", color=color, alpha=0.12, linewidth=0)
        marked = table.n_censored > 0
        axes.plot(table.time[marked], table.survival[marked], "|", color=color, markersize=6)
    end = max(float(table.time[-1]) for table in tables)
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    if len(labels) > 1:
        axes.legend(frameon=False, fontsize=9, loc="lower left")
    _numbers_at_risk(axes, labels, tables, end)
    return quiet(axes)


def incidence_curves(
    *,
    labels: Sequence[str],
    times: Sequence[FloatArray],
    curves: Sequence[FloatArray],
    end: float,
    x_label: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw one rising curve a label, from zero."""
    axes = new_axes(6.4, 3.6) if ax is None else ax
    styles = ("-", "--", ":", "-.")
    for row, (label, time, curve) in enumerate(zip(labels, times, curves, strict=True)):
        axes.step(
            np.concatenate([[0.0], time, [end]]),
            np.concatenate([[0.0], curve, curve[-1:] if curve.size else [0.0]]),
            where="post",
            color=ARM_COLORS[row % len(ARM_COLORS)],
            linestyle=styles[(row // len(ARM_COLORS)) % len(styles)],
            label=label,
        )
    axes.set_xlim(0, end)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel("Cumulative incidence")
    axes.legend(frameon=False, fontsize=8)
    return quiet(axes)


def _numbers_at_risk(
    axes: Axes, labels: Sequence[str], tables: Sequence[Curve], end: float
) -> None:
    from matplotlib.ticker import MaxNLocator

    ticks = [t for t in MaxNLocator(TICKS).tick_values(0, end) if 0 <= t <= end]
    axes.set_xticks(ticks)
    # In points below the axis: the layout may shrink the axes without moving the table.
    style: dict[str, Any] = {
        "xycoords": axes.get_xaxis_transform(),
        "textcoords": "offset points",
        "fontsize": 8,
        "va": "top",
        "annotation_clip": False,
    }
    axes.annotate("Number at risk", (0, 0), (0, -38), color=MUTED, ha="left", **style)
    for row, (label, table) in enumerate(zip(labels, tables, strict=True), start=1):
        color = ARM_COLORS[(row - 1) % len(ARM_COLORS)] if len(labels) > 1 else INK
        height = -38 - 12 * row
        axes.annotate(label, (0, 0), (-14, height), color=color, ha="right", **style)
        for tick in ticks:
            count = str(table.at_risk(tick))
            axes.annotate(count, (tick, 0), (0, height), color=color, ha="center", **style)
