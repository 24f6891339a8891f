"""The curve and the map of a tipping point draw what they are given."""

from __future__ import annotations

import numpy as np

from trialkit.figures.tipping import tipping_curve, tipping_map


def test_curve_marks_each_crossing() -> None:
    x = np.linspace(0, 2, 5)
    axes = tipping_curve(
        delta=x, estimate=x - 1, low=x - 2, high=x, crossings=[0.5, 1.25], x_label="Delta"
    )
    assert [text.get_text() for text in axes.texts] == ["0.5", "1.25"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), x - 1)
    assert axes.get_xlabel() == "Delta"


def test_map_has_the_grid_the_border_and_the_hatching() -> None:
    x, y = np.linspace(0, 2, 4), np.linspace(0, 1, 3)
    p = np.linspace(0.01, 0.5, 12).reshape(3, 4)
    axes = tipping_map(
        x=x, y=y, p_value=p, is_concluded=p < 0.05, border_x=[0.5, 0.6, 0.7], border_y=y, alpha=0.05
    )
    mesh = axes.collections[0]
    np.testing.assert_allclose(np.asarray(mesh.get_array()).ravel(), p.ravel())
    np.testing.assert_allclose(axes.lines[0].get_xdata(), [0.5, 0.6, 0.7])
    assert "0.05" in axes.figure.axes[1].get_ylabel()
    axes.figure.canvas.draw()


def test_a_map_without_any_conclusion_is_hatched_to_its_borders() -> None:
    p = np.full((2, 1), 0.5)
    axes = tipping_map(
        x=[3], y=[0, 1], p_value=p, is_concluded=p < 0.05, border_x=[], border_y=[], alpha=0.05
    )
    hatched = axes.collections[1]
    assert "////" in hatched.hatches
    box = hatched.get_datalim(axes.transData)
    np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [2.5, 3.5, -0.5, 1.5])
    axes.figure.canvas.draw()


def test_map_of_one_conclusion_everywhere_needs_no_border() -> None:
    p = np.full((2, 2), 1e-9)
    axes = tipping_map(
        x=[0, 1], y=[0, 1], p_value=p, is_concluded=p < 1, border_x=[], border_y=[], alpha=0.05
    )
    assert np.asarray(axes.collections[0].get_array()).min() > 1e-9
    axes.figure.canvas.draw()
