"""Printed figures stand for intervals; what follows from them is a range."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.errors import DataError, SpecError
from trialkit.kernels.rounding import printed_interval, reachable_range


@pytest.mark.parametrize(
    ("text", "low", "high", "decimals"),
    [
        ("0.10", 0.095, 0.105, 2),
        ("-1.3", -1.35, -1.25, 1),
        ("27", 26.5, 27.5, 0),
        ("0", -0.5, 0.5, 0),
        ("<0.001", -math.inf, 0.001, 3),
        (">0.99", 0.99, math.inf, 2),
        ("\u22120\u00b734", -0.345, -0.335, 2),
    ],
)
def test_interval_of_a_printed_figure(text: str, low: float, high: float, decimals: int) -> None:
    figure = printed_interval(text)
    assert (figure.low, figure.high, figure.decimals) == (low, high, decimals)


def test_trailing_zeros_narrow_the_interval() -> None:
    wide, narrow = printed_interval("1.2"), printed_interval("1.20")
    assert (wide.unit, narrow.unit) == (0.1, 0.01)
    assert wide.contains(1.16)
    assert not narrow.contains(1.16)


@pytest.mark.parametrize("text", ["", "26/49", "73.9%", "1,234", "abc", "1.", "--1", "1e3", "nan"])
def test_what_is_not_a_printed_figure_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is not a printed figure"):
        printed_interval(text)


@given(st.decimals(-50, 50, places=4), st.integers(0, 3))
@settings(deadline=None, max_examples=100)
def test_every_value_prints_inside_its_own_interval(value: Decimal, decimals: int) -> None:
    for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN):
        text = str(value.quantize(Decimal(1).scaleb(-decimals), rounding=rounding))
        assert printed_interval(text).contains(float(value))


def test_a_monotone_function_has_its_range_at_the_corners() -> None:
    found = reachable_range(lambda x, y: x - 2 * y, {"x": (1.0, 2.0), "y": (0.0, 3.0)})
    assert (found.low, found.high, found.is_at_corners) == (-5.0, 2.0, True)


def test_an_interior_extreme_is_found() -> None:
    found = reachable_range(
        lambda x, y: (x - 0.3) ** 2 + (y - 0.6) ** 2, {"x": (0.0, 1.0), "y": (0.0, 1.0)}
    )
    assert found.low == pytest.approx(0, abs=1e-5)
    assert found.high == pytest.approx(0.7**2 + 0.6**2)
    assert not found.is_at_corners


def test_exact_inputs_give_one_point() -> None:
    found = reachable_range(lambda x: x * x, {"x": (3.0, 3.0)})
    assert (found.low, found.high) == (9.0, 9.0)


def test_a_quantity_without_value_in_the_box_is_refused() -> None:
    with pytest.raises(DataError, match="has no value at x=-1"):
        reachable_range(lambda x: math.nan if x < 0 else x, {"x": (-1.0, 1.0)})


def test_reversed_and_too_many_inputs_are_refused() -> None:
    with pytest.raises(SpecError, match="not an interval"):
        reachable_range(lambda x: x, {"x": (1.0, 0.0)})
    with pytest.raises(SpecError, match="at most 12"):
        reachable_range(
            lambda **point: sum(point.values()), {f"x{k}": (0.0, 1.0) for k in range(13)}
        )
