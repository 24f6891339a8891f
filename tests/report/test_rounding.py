"""Numbers are rounded half away from zero, on their decimal form."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.report.rounding import common_decimals, format_p, round_half_away


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.285, 2, "0.29"),  # its binary neighbour lies below the half
        (0.125, 2, "0.13"),
        (-0.125, 2, "-0.13"),
        (2.5, 0, "3"),
        (-2.5, 0, "-3"),
        (1.005, 2, "1.01"),
        (0.5, 0, "1"),
        (-0.004, 2, "0.00"),
        (0.0, 3, "0.000"),
        (1e-300, 2, "0.00"),
        (123456789.125, 2, "123456789.13"),
        (12.0, 2, "12.00"),
        (1e20, 2, "1.000e+20"),
        (nan, 2, ""),
        (inf, 2, "∞"),
        (-inf, 2, "-∞"),
    ],
)
def test_half_goes_away_from_zero(value: float, decimals: int, text: str) -> None:
    assert round_half_away(value, decimals) == text


@settings(deadline=None, max_examples=200)
@given(st.floats(-1e12, 1e12), st.integers(0, 6))
def test_a_rounded_number_is_the_nearest_and_mirrors_its_negative(
    value: float, decimals: int
) -> None:
    text = round_half_away(value, decimals)
    assert abs(Decimal(text) - Decimal(repr(value))) <= Decimal(5).scaleb(-decimals - 1)
    mirrored = round_half_away(-value, decimals)
    assert Decimal(mirrored) == -Decimal(text)


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (0.27, "0.270"),
        (0.0005, "<0.001"),
        (0.00099999, "<0.001"),
        (0.001, "0.001"),
        (0.0125, "0.013"),
        (0.9995, ">0.999"),
        (0.999, "0.999"),
        (0.0, "<0.001"),
        (1.0, ">0.999"),
        (nan, ""),
    ],
)
def test_p_values_have_three_decimals_and_two_ends(p_value: float, text: str) -> None:
    assert format_p(p_value) == text


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([0.34, -0.95, 0.27], 3),
        ([1.26, 0.83], 2),
        ([54.3, 1.0], 2),
        ([0.00123], 5),
        ([1e-12], 6),
        ([1e9], 2),
        ([nan, inf, 0.0], 2),
        ([], 2),
        ([9.99], 2),
        ([10.0], 2),
    ],
)
def test_a_column_shares_decimals_that_show_its_largest(values: list[float], decimals: int) -> None:
    assert common_decimals(values) == decimals
