"""Missing visits as a grid, and mean outcomes by time of dropout as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialkit.figures.style import ARM_COLORS, INK, MUTED, new_axes, quiet
from trialkit.typing import BoolArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pattern_grid", "trajectory_lines"]


def pattern_grid(
    *,
    cells: BoolArray,
    counts: Sequence[Sequence[int]],
    visits: Sequence[str],
    arms: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """Draw `cells` (patterns, visits), filled where observed, with `counts` by arm at the right."""
    from matplotlib.patches import Rectangle

    n_rows, n_visits = cells.shape
    width = 2.4 + 0.55 * (n_visits + 2 * len(arms))
    axes = new_axes(width, 1.2 + 0.3 * n_rows) if ax is None else ax
    for row in range(n_rows):
        for column in range(n_visits):
            face = ARM_COLORS[1] if cells[row, column] else "white"
            axes.add_patch(
                Rectangle((column - 0.4, row - 0.4), 0.8, 0.8, facecolor=face, edgecolor=MUTED)
            )
        for place, count in enumerate(counts[row]):
            x = n_visits + 0.5 + 2 * place
            axes.text(x, row, str(count), ha="center", va="center", fontsize=8, color=INK)
    for place, arm in enumerate(arms):
        axes.text(
            n_visits + 0.5 + 2 * place, -0.75, arm, ha="center", va="center", fontsize=8, color=INK
        )
    axes.set_xlim(-0.6, n_visits + 2 * len(arms) - 0.4)
    axes.set_ylim(n_rows - 0.4, -1.2)
    axes.set_xticks(range(n_visits), list(visits), rotation=30, ha="right")
    axes.set_yticks([])
    quiet(axes)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    return axes


def trajectory_lines(
    *,
    lines: Sequence[tuple[str, int, bool, Sequence[int], Sequence[float]]],
    visits: Sequence[str],
    y_label: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw lines of (arm, its number, whether it ended early, visit positions, means).

    Those who left are dashed and end in an open circle.
    """
    axes = new_axes(6.0, 3.6) if ax is None else ax
    named: set[str] = set()
    for arm, code, ended, at, means in lines:
        color = ARM_COLORS[code % len(ARM_COLORS)]
        label = arm if not ended and arm not in named else "_"
        named |= {arm} if not ended else set()
        axes.plot(
            at,
            means,
            color=color,
            linestyle="--" if ended else "-",
            linewidth=1.1 if ended else 1.8,
            label=label,
        )
        axes.plot(
            at[-1],
            means[-1],
            "o",
            color=color,
            markersize=4,
            markerfacecolor="white" if ended else color,
        )
    axes.set_xticks(range(len(visits)), list(visits))
    axes.set_ylabel(y_label)
    if named:
        axes.legend(frameon=False, fontsize=9, title="completed", title_fontsize=8)
    return quiet(axes)
