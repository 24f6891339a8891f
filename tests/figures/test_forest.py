"""What a forest plot shows must be the numbers it was given."""

from __future__ import annotations

import math
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest

from trialkit.figures.forest import forest


def test_estimates_and_interval_ends_stand_where_they_should() -> None:
    axes = forest(labels=["a", "b"], estimate=[-0.3, 0.5], low=[-0.9, 0.1], high=[0.3, 0.9])
    intervals = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    assert any(np.allclose(ends, [-0.9, 0.3]) for ends in intervals)
    assert any(np.allclose(ends, [0.1, 0.9]) for ends in intervals)
    points = [tuple(np.ravel(line.get_data())) for line in axes.lines if len(line.get_xdata()) == 1]
    assert (-0.3, 0.0) in points
    assert (0.5, 1.0) in points
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first row is on top


def test_ratios_are_drawn_on_a_log_axis_about_one() -> None:
    axes = forest(labels=["a"], estimate=[2.0], low=[0.5], high=[8.0], is_ratio=True)
    assert axes.get_xscale() == "log"
    assert any(np.allclose(line.get_xdata(), [1, 1]) for line in axes.lines)


@pytest.mark.parametrize(("low", "high"), [(0.8, 1.3), (0.5, 8.0), (0.02, 40.0), (1e-5, 900.0)])
def test_numbers_of_a_log_axis_do_not_run_into_each_other(low: float, high: float) -> None:
    axes = forest(labels=["a"], estimate=[1.0], low=[low], high=[high], is_ratio=True)
    axes.figure.draw_without_rendering()
    left, right = axes.get_xlim()
    shown = [
        text.get_window_extent()
        for text, at in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
        if left <= at <= right
    ]
    assert len(shown) >= 3
    assert all(a.x1 < b.x0 for a, b in pairwise(shown))


@pytest.mark.parametrize("is_ratio", [False, True])
def test_infinite_ends_stay_inside_the_axes(is_ratio: bool) -> None:
    axes = forest(
        labels=["a", "b"], estimate=[2.0, math.nan], low=[0.0 if is_ratio else -math.inf, math.nan],
        high=[math.inf, math.nan], is_ratio=is_ratio,
    )  # fmt: skip
    left, right = axes.get_xlim()
    assert math.isfinite(left)
    assert math.isfinite(right)
    assert "not estimated" in [text.get_text() for text in axes.texts]


def test_global_settings_are_left_alone() -> None:
    before = dict(mpl.rcParams)
    forest(labels=["a"], estimate=[1.0], low=[0.0], high=[2.0])
    assert dict(mpl.rcParams) == before
