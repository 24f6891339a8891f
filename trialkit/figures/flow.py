"""Boxes and arrows: the flow of participants through a trial, one column an arm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialkit.figures.style import INK, MUTED, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["flow_chart"]

COLUMN_INCHES = 3.1
LINE_INCHES = 0.17
BOX_PADDING = 0.16
GAP = 0.35
WRAP = 42


def flow_chart(
    *,
    top: Sequence[str],
    aside: Sequence[str],
    randomized: str,
    stages: Sequence[tuple[str, Sequence[Sequence[str]]]],
    ax: Axes | None = None,
) -> Axes:
    """Draw `top` (lines of the first box), `aside` (those excluded), then a row of boxes a stage.

    `stages` holds a stage's name and, for each arm, the lines of its box. Units are inches
    from the top; the drawing grows with the text.
    """
    columns = [[_wrapped(lines) for lines in boxes] for _, boxes in stages]
    n_arms = max(len(boxes) for boxes in columns)
    width = max(COLUMN_INCHES * n_arms + 0.8, 2 * COLUMN_INCHES + 0.8)
    heads = [_wrapped(top), _wrapped(aside)]
    heights = [max(_height(box) for box in boxes) for boxes in columns]
    total = max(map(_height, heads)) + _height([randomized]) + sum(heights)
    total += GAP * (len(stages) + 2)
    axes = new_axes(width, total) if ax is None else ax
    axes.set_xlim(0, width)
    axes.set_ylim(total, 0)
    axes.set_axis_off()
    centres = [0.8 + COLUMN_INCHES * (i + 0.5) for i in range(n_arms)]
    middle = (centres[0] + centres[-1]) / 2
    y, stem = _enrolment(axes, heads, randomized, middle, width)
    fork = y + GAP / 2
    axes.plot([stem, stem], [y, fork], color=MUTED, linewidth=0.9)
    ends = [min(stem, centres[0]), max(stem, centres[-1])]
    axes.plot(ends, [fork, fork], color=MUTED, linewidth=0.9)
    above = fork
    for (name, _), boxes, height in zip(stages, columns, heights, strict=True):
        start = y + GAP
        for centre, lines in zip(centres, boxes, strict=True):
            _arrow(axes, (centre, above), (centre, start))
            _box(axes, lines, centre, start, height)
        _stage_name(axes, name, start + height / 2)
        y = above = start + height
    return axes


def _stage_name(axes: Axes, name: str, height: float) -> None:
    axes.text(
        0.25,
        height,
        name,
        rotation=90,
        ha="center",
        va="center",
        fontsize=8.5,
        color=MUTED,
        fontweight="bold",
    )


def _enrolment(
    axes: Axes, heads: Sequence[list[str]], randomized: str, middle: float, width: float
) -> tuple[float, float]:
    """The first boxes; where the last of them ends, and its middle."""
    top, aside = heads
    height = max(_height(top), _height(aside))
    left = middle - COLUMN_INCHES / 2 if aside else middle
    right = min(left + COLUMN_INCHES + 0.25, width - COLUMN_INCHES / 2)
    y = 0.0
    if top:
        _box(axes, top, left, GAP / 2, _height(top))
        y = GAP / 2 + height
    if aside:
        _box(axes, aside, right, GAP / 2, _height(aside))
        beside = GAP / 2 + min(_height(top), _height(aside)) / 2
        _arrow(axes, (left + _half(), beside), (right - _half(), beside))
    if top:
        _arrow(axes, (left, GAP / 2 + _height(top)), (left, y + GAP))
    _box(axes, [randomized], left, y + GAP, _height([randomized]))
    return y + GAP + _height([randomized]), left


def _half() -> float:
    return COLUMN_INCHES / 2 - 0.12


def _height(lines: Sequence[str]) -> float:
    return BOX_PADDING + LINE_INCHES * len(lines) if lines else 0.0


def _wrapped(lines: Sequence[str]) -> list[str]:
    from textwrap import wrap

    found: list[str] = []
    for line in lines:
        indent = "    " if line.startswith("  ") else ""
        # A count stays in one piece: wrap breaks at plain spaces only.
        whole = re.sub(r"\(n = (\d+)\)", "(n\u00a0=\u00a0\\1)", line)
        found += wrap(whole, WRAP, initial_indent=indent, subsequent_indent=indent + "  ") or [""]
    return [line.replace("\u00a0", " ") for line in found]


def _box(axes: Axes, lines: Sequence[str], centre: float, top: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (centre - _half(), top),
            2 * _half(),
            height,
            facecolor="white",
            edgecolor=INK,
            linewidth=0.9,
        )
    )
    axes.text(
        centre - _half() + 0.08,
        top + BOX_PADDING / 2,
        "\n".join(lines),
        fontsize=7.5,
        color=INK,
        ha="left",
        va="top",
        linespacing=1.35,
    )


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.9},
    )
