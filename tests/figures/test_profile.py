"""Means over visits stand where their numbers say, and each arm is named on the line."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trialkit.figures.profile import profile
from trialkit.figures.style import ARM_COLORS


def draw(**changes: object) -> object:
    settings: dict = {
        "visits": ["Week 4", "Week 12"],
        "centre": {"Placebo": [-0.4, -0.9], "LDN": [-0.6, -1.3]},
        "low": {"Placebo": [-0.8, -1.4], "LDN": [-1.0, -1.7]},
        "high": {"Placebo": [0.0, -0.5], "LDN": [-0.2, -0.8]},
        "positions": [4.0, 12.0],
        **changes,
    }
    return profile(**settings)


def test_each_arm_is_a_line_through_its_means() -> None:
    axes = draw()
    lines = {line.get_label(): line for line in axes.lines}
    assert lines["LDN"].get_ydata().tolist() == [-0.6, -1.3]
    assert lines["Placebo"].get_ydata().tolist() == [-0.4, -0.9]
    assert np.mean([line.get_xdata() for line in lines.values()], axis=0) == pytest.approx([4, 12])
    assert lines["Placebo"].get_color() == ARM_COLORS[0]


def test_intervals_span_low_to_high() -> None:
    segments = [s for bars in draw().collections for s in bars.get_segments()]
    spans = {(round(s[0][1], 6), round(s[1][1], 6)) for s in segments}
    assert spans == {(-0.8, 0.0), (-1.4, -0.5), (-1.0, -0.2), (-1.7, -0.8)}


def test_visits_name_the_axis_and_arms_their_lines() -> None:
    axes = draw()
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Week 4", "Week 12"]
    assert {text.get_text() for text in axes.texts} == {"Placebo", "LDN"}


def test_a_missing_last_visit_moves_the_name_to_the_last_value() -> None:
    axes = draw(centre={"Placebo": [-0.4, -0.9], "LDN": [-0.6, math.nan]})
    named = {text.get_text(): text.xy for text in axes.texts}
    assert named["LDN"][1] == -0.6


def test_one_visit_can_be_drawn() -> None:
    one = {"Placebo": [0.0], "LDN": [-1.0]}
    assert draw(visits=["Week 12"], centre=one, low=one, high=one, positions=None) is not None
