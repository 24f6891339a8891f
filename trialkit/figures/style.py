"""One quiet style, applied to an Axes and never to matplotlib's global settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ARM_COLORS", "INK", "MUTED", "log_axis", "new_axes", "quiet"]

# Ratios of the ends of a logarithmic axis.
SHORT_RANGE, MANY_POWERS = 6.0, 1000.0
INK = "#1a1a1a"
MUTED = "#8a8a8a"
# Distinguishable in print and to colour-blind readers (Okabe & Ito 2008); the reference arm
# is always the grey one.
ARM_COLORS = ("#6f6f6f", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def new_axes(width: float, height: float) -> Axes:
    """An Axes on a new pyplot figure: a notebook shows it at the end of the cell."""
    from matplotlib import pyplot as plt

    _, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return axes


def quiet(ax: Axes) -> Axes:
    """Drop the box, keep thin axes and small grey ticks."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
        ax.spines[side].set_linewidth(0.8)
    ax.tick_params(colors=INK, labelsize=9, width=0.8)
    ax.xaxis.label.set_fontsize(9)
    ax.yaxis.label.set_fontsize(9)
    return ax


def log_axis(ax: Axes, left: float, right: float) -> None:
    """A logarithmic x axis from `left` to `right` with plain numbers.

    They stand at 1, 2 and 5 times each power of ten where there is room, at powers alone over
    three and more of them, and at even steps within less than one.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    ax.set_xscale("log")
    ax.set_xlim(left, right)
    subs = (1.0, 2.0, 5.0) if right < MANY_POWERS * left else (1.0,)
    is_short = right < SHORT_RANGE * left
    ax.xaxis.set_major_locator(
        MaxNLocator(nbins=6, steps=[1, 2, 5, 10]) if is_short else LogLocator(base=10, subs=subs)
    )
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
