"""Estimates with intervals, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from trialkit.figures.style import INK, MUTED, log_axis, new_axes, quiet

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["forest"]

INCHES_A_ROW = 0.32


def forest(
    *,
    labels: Sequence[str],
    estimate: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    is_ratio: bool = False,
    has_reference_line: bool = True,
    x_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw `estimate` (m,) with `low` and `high` (m,), the first row on top.

    An infinite end runs to the edge as an arrow; a row without an estimate keeps its line
    and says "not estimated". Ratios are drawn on a logarithmic axis about one.
    """
    centre, lower, upper = (np.asarray(values, dtype=float) for values in (estimate, low, high))
    axes = new_axes(6.0, 1.0 + INCHES_A_ROW * max(len(labels), 2)) if ax is None else ax
    left, right = _limits(centre, lower, upper, is_ratio=is_ratio)
    if is_ratio:
        log_axis(axes, left, right)
    for row in range(len(labels)):
        if np.isnan(centre[row]):
            axes.text(
                0.5,
                row,
                "not estimated",
                color=MUTED,
                fontsize=8,
                ha="center",
                va="center",
                transform=axes.get_yaxis_transform(),
            )
            continue
        ends = np.clip([lower[row], upper[row]], left, right)
        axes.plot(ends, [row, row], color=INK, linewidth=1.2, solid_capstyle="butt")
        for end, limit, marker in ((ends[0], lower[row], "<"), (ends[1], upper[row], ">")):
            if end != limit and not np.isnan(limit):
                axes.plot(end, row, marker, color=INK, markersize=5)
        axes.plot(centre[row], row, "s", color=INK, markersize=5)
    if has_reference_line:
        axes.axvline(1.0 if is_ratio else 0.0, color=MUTED, linewidth=0.8, zorder=0)
    axes.set_xlim(left, right)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), list(labels))
    axes.set_xlabel(x_label)
    axes.tick_params(axis="y", length=0)
    quiet(axes).spines["left"].set_visible(False)
    return axes


def _limits(
    centre: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, is_ratio: bool
) -> tuple[float, float]:
    """Axis ends that hold every finite number and the line of no effect, with a margin."""
    values = np.concatenate([centre, lower, upper, [1.0 if is_ratio else 0.0]])
    usable = np.isfinite(values) & ((values > 0) if is_ratio else True)
    scaled = np.log(values[usable]) if is_ratio else values[usable]
    margin = 0.06 * (np.ptp(scaled) or 1.0)
    left, right = float(scaled.min() - margin), float(scaled.max() + margin)
    return (float(np.exp(left)), float(np.exp(right))) if is_ratio else (left, right)
