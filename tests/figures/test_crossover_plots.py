"""Figures of a crossover: what is drawn where, and what is counted instead of drawn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from trialkit.figures.crossover_plots import (
    paired_treatments,
    period_means,
    residuals_by_period,
    subject_profiles,
)
from trialkit.figures.style import ARM_COLORS, INK, MUTED


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def test_pairs_are_coloured_by_their_own_direction() -> None:
    reference, test = np.array([5.0, 4.0, 6.0, 3.0]), np.array([4.0, 6.0, 6.0, 1.0])
    axes = paired_treatments(
        reference=reference, test=test, labels=("Placebo", "LDN"), n_incomplete=2, y_label="Pain"
    )
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert len(drawn) == 5
    for line, low, high in zip(drawn[:4], reference, test, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), [low, high])
        expected = ARM_COLORS[1] if high < low else ARM_COLORS[2] if high > low else MUTED
        assert colors.to_hex(line.get_color()) == expected
    np.testing.assert_allclose(drawn[4].get_ydata(), [4.5, 4.25])
    assert drawn[4].get_color() == INK
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Placebo", "LDN"]
    assert axes.get_xlabel() == "4 subjects; 2 without a pair not drawn"
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["Lower (2)", "Higher (1)", "Mean"]


def test_pairs_go_onto_the_axes_given() -> None:
    _, axes = plt.subplots()
    found = paired_treatments(
        reference=np.array([1.0]), test=np.array([2.0]), labels=("a", "b"), ax=axes
    )
    assert found is axes
    assert axes.get_xlabel() == "1 subjects"


def test_profiles_stand_side_by_side_by_sequence() -> None:
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0], [np.nan, np.nan]])
    axes = subject_profiles(
        values=values,
        sequence=np.array([0, 0, 1, 1]),
        sequences=["AB", "BA"],
        periods=["1", "2"],
        y_label="Pain",
    )
    means = [line for line in axes.lines if line.get_color() == INK]
    np.testing.assert_allclose(means[0].get_ydata(), [2.0, 2.0])
    np.testing.assert_array_equal(means[0].get_xdata(), [0, 1])
    np.testing.assert_array_equal(means[1].get_xdata(), [2, 3])
    assert len(axes.lines) == 5
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "1", "2"]
    assert [text.get_text() for text in axes.texts] == ["AB (n = 2)", "BA (n = 1)"]


def test_means_have_their_t_interval_and_the_treatments_marker() -> None:
    axes = period_means(
        values=np.array([1.0, 3.0, 2.0, 4.0, 6.0]),
        sequence=np.zeros(5, dtype=np.int64),
        period=np.array([0, 0, 1, 1, 1]),
        treatment=np.array([0, 0, 1, 1, 1]),
        sequences=["AB"],
        periods=["1", "2"],
        treatments=["Placebo", "LDN"],
        ci_level=0.95,
        y_label="pain",
    )
    points = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert [float(line.get_ydata()[0]) for line in points] == [2.0, 4.0]
    assert [line.get_marker() for line in points] == ["o", "s"]
    (low, high) = axes.collections[0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((2 - 12.7062047, 2 + 12.7062047))
    assert axes.get_ylabel() == "Mean pain (95% CI)"


def test_residuals_stand_over_their_period() -> None:
    residual, period = np.array([1.0, -1.0, 0.5]), np.array([0, 0, 1])
    axes = residuals_by_period(residual=residual, period=period, periods=["1", "2"])
    (points,) = (line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(points.get_ydata(), residual)
    np.testing.assert_array_equal(np.round(np.asarray(points.get_xdata())), period)
