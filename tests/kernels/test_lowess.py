"""The robust smoother against R's documented example, another program and its definition."""

from __future__ import annotations

import numpy as np
import pytest

from trialkit.kernels.lowess import lowess

# R's data set `cars` (Ezekiel 1930), and the fitted values of `lowess(cars)` as R prints them.
SPEED = "4 4 7 7 8 9 10 10 10 11 11 12 12 12 12 13 13 13 13 14 14 14 14 15 15 15 16 16 17 17 17 18"
SPEED += " 18 18 18 19 19 19 20 20 20 20 20 22 23 24 24 24 24 25"
DISTANCE = "2 10 4 22 16 10 18 26 34 17 28 14 20 24 28 26 34 34 46 26 36 60 80 20 26 54 32 40 32 40"
DISTANCE += " 50 42 56 76 84 36 46 68 32 48 52 56 64 66 54 70 92 93 120 85"
CARS = {
    4: 4.965459,
    7: 13.1245,
    8: 15.85863,
    9: 18.57969,
    10: 21.28031,
    11: 24.12928,
    12: 27.11955,
    13: 30.02728,
    14: 32.96251,
    15: 36.75773,
    16: 40.43507,
    17: 43.46349,
    18: 46.88548,
    19: 50.79315,
    20: 56.49122,
    22: 67.58582,
    23: 73.0797,
    24: 78.64316,
    25: 84.3287,
}


def test_rs_example() -> None:
    x, y = (np.array(text.split(), dtype=float) for text in (SPEED, DISTANCE))
    found = lowess(x, y, share=2 / 3, iterations=3)
    np.testing.assert_allclose(found, [CARS[int(value)] for value in x], rtol=5e-7)


@pytest.mark.parametrize("share", [0.15, 0.4, 1.0])
def test_another_program(share: float) -> None:
    from statsmodels.nonparametric.smoothers_lowess import lowess as theirs

    rng = np.random.default_rng(20260801)
    x = rng.normal(0, 1, 150)
    y = np.sin(2 * x) + rng.standard_t(3, 150) * 0.3
    expected = theirs(y, x, frac=share, it=3, delta=0.01 * np.ptp(x), return_sorted=False)
    np.testing.assert_allclose(lowess(x, y, share=share, iterations=3), expected, atol=1e-9)


def test_without_refits_it_is_the_weighted_line() -> None:
    rng = np.random.default_rng(4)
    x = np.arange(25.0)
    y = rng.normal(0, 1, 25)
    for i, value in enumerate(lowess(x, y, share=0.4, iterations=0)):
        near = np.argsort(np.abs(x - x[i]), kind="stable")[:10]
        reach = np.sort(np.abs(x - x[i]))[9]
        w = np.clip(1 - (np.abs(x[near] - x[i]) / reach) ** 3, 0, None) ** 3
        line = np.polynomial.polynomial.polyfit(x[near], y[near], 1, w=np.sqrt(w))
        assert value == pytest.approx(line[0] + line[1] * x[i])


def test_straight_lines_and_equal_places_are_kept() -> None:
    x = np.array([3.0, 1, 2, 2, 9, 4, 4, 4])
    np.testing.assert_allclose(lowess(x, 2 - 3 * x, share=0.6, iterations=3), 2 - 3 * x)
    np.testing.assert_allclose(lowess(np.ones(5), np.arange(5.0), share=0.4, iterations=0), 2.0)
