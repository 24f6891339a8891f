"""Recomputed figures are drawn in units of the last printed digit."""

from __future__ import annotations

import numpy as np
import pytest

from trialkit.figures.agreement import EDGE, agreement


def test_places_ranges_and_edges() -> None:
    axes = agreement(
        labels=["inside", "far above", "no range"],
        published=[0.27, 0.27, 49],
        unit=[0.01, 0.01, 1],
        reproduced=[0.272, 9.0, 48],
        low=[0.26, 5.0, np.nan],
        high=[0.28, 12.0, np.nan],
    )
    lines = [line for line in axes.lines if len(line.get_ydata()) == 2 and line.get_ydata()[0] < 3]
    ranges = [
        list(line.get_xdata()) for line in lines if line.get_ydata()[0] == line.get_ydata()[1]
    ]
    assert ranges[0] == pytest.approx([-1, 1])
    assert ranges[1] == [EDGE, EDGE]
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [line.get_xdata()[0] for line in points] == pytest.approx([0.2, EDGE, -1])
    assert [line.get_marker() for line in points] == ["o", ">", "o"]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "inside",
        "far above",
        "no range",
    ]
    low, high = axes.get_ylim()
    assert low > high  # the first row on top


def test_it_draws_into_a_given_axes_even_nothing() -> None:
    from trialkit.figures.style import new_axes

    ax = new_axes(4, 3)
    drawn = agreement(labels=[], published=[], unit=[], reproduced=[], low=[], high=[], ax=ax)
    assert drawn is ax
    assert [text.get_text() for text in ax.texts] == ["nothing to compare"]
