"""GRIM and GRIMMER against published examples, brute force and the figures of INNOVA."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement
from math import inf
from statistics import stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.errors import SpecError
from trialkit.kernels.grim import (
    explain_grim,
    feasible_sizes,
    grim_totals,
    grimmer_possible,
    possible_sums,
    sd_bounds,
)
from trialkit.kernels.score_grid import ScoreGrid, grid_step, rounding_interval
from trialkit.kernels.square_sums import enumerate_vector, square_range, vector_with_sums

SCORES = st.lists(st.integers(0, 10), min_size=2, max_size=60)


def prints_as(value: Fraction, printed: str, decimals: int) -> bool:
    """Whether a number may print so, written without the interval helper."""
    return abs(value - Fraction(printed)) * 2 * 10**decimals <= 1


def brute_force(mean: str, sd: str, n: int, high: int) -> bool:
    """Every multiset of whole numbers from 0 to `high`, one by one."""
    for scores in combinations_with_replacement(range(high + 1), n):
        centre = Fraction(sum(scores), n)
        if prints_as(centre, mean, 1) and prints_as(Fraction(str(stdev(scores))), sd, 1):
            return True
    return False


def test_brown_and_heathers_worked_example() -> None:
    # Their running example: a mean of 5.19 from 28 whole-number answers; 5.18 and 5.21 exist.
    assert grim_totals("5.19", decimals=2, n=28).size == 0
    assert list(grim_totals("5.18", decimals=2, n=28)) == [145]
    assert list(grim_totals("5.21", decimals=2, n=28)) == [146]


def test_items_make_the_grid_finer() -> None:
    # Two items averaged: 56 half-steps: 5.20 becomes possible as 291/56.
    assert list(grim_totals("5.20", decimals=2, n=28, step=Fraction(1, 2))) == [291]
    assert list(grim_totals("7.27", decimals=2, n=31, step="1/3")) == [676]


def test_allard_worked_example_passes_grim_and_fails_grimmer() -> None:
    # Analytic-GRIMMER (Allard 2018): n 18, mean 3.44, SD 2.47.
    assert grim_totals("3.44", decimals=2, n=18).size == 1
    verdict = grimmer_possible("3.44", "2.47", mean_decimals=2, sd_decimals=2, n=18)
    assert (verdict.possible, verdict.proof) == (False, "squares")
    assert "parity" in verdict.reason


@pytest.mark.parametrize(("mean", "n", "nearest"), [("7.33", 47, 46), ("6.83", 49, 48)])
def test_three_month_means_of_innova_have_no_integer_total(mean: str, n: int, nearest: int) -> None:
    assert grim_totals(mean, decimals=2, n=n).size == 0
    assert feasible_sizes(mean, decimals=2, n_max=n)[0] == nearest
    assert f"no whole-number total of {n} scores" in explain_grim(mean, decimals=2, n=n)


def test_explanation_names_both_neighbours() -> None:
    text = explain_grim("7.33", decimals=2, n=47)
    assert "344/47 = 7.3191" in text
    assert "345/47 = 7.3404" in text
    assert explain_grim("7.66", decimals=2, n=47).startswith("360/47 = 7.6596: ")
    assert "(16/7)/3" in explain_grim("0.75", decimals=2, n=3, step="1/7")


@pytest.mark.parametrize("total", [-145, 145])
def test_a_mean_on_the_boundary_may_print_either_way(total: int) -> None:
    # 145/20 = 7.25 prints 7.3 (half up) or 7.2 (half to even); the negative likewise.
    sign = "-" if total < 0 else ""
    for printed in ("7.2", "7.3"):
        assert total in grim_totals(sign + printed, decimals=1, n=20)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("high", [2, 4])
def test_grimmer_agrees_with_enumeration_of_every_vector(n: int, high: int) -> None:
    for mean_tenths in range(0, 10 * high + 1, 3):
        for sd_tenths in range(0, 8 * high):
            mean, sd = f"{mean_tenths / 10:.1f}", f"{sd_tenths / 10:.1f}"
            verdict = grimmer_possible(
                mean, sd, mean_decimals=1, sd_decimals=1, n=n, low=0, high=high
            )
            assert verdict.possible == brute_force(mean, sd, n, high), (mean, sd, verdict)
            assert verdict.proof != "undecided"


@settings(deadline=None, max_examples=80)
@given(scores=SCORES)
def test_moments_of_real_scores_are_possible(scores: list[int]) -> None:
    mean, sd = f"{sum(scores) / len(scores):.2f}", f"{stdev(scores):.2f}"
    verdict = grimmer_possible(
        mean, sd, mean_decimals=2, sd_decimals=2, n=len(scores), low=0, high=10
    )
    assert verdict.possible
    if verdict.example is not None:
        found = verdict.example
        assert min(found) >= 0
        assert max(found) <= 10
        assert prints_as(Fraction(sum(found), len(found)), mean, 2)
        assert abs(stdev(found) - float(sd)) <= 0.005 + 1e-12


@settings(deadline=None, max_examples=80)
@given(scores=SCORES)
def test_spreading_and_enumeration_hit_the_sums_they_are_given(scores: list[int]) -> None:
    n, total, squares = len(scores), sum(scores), sum(s * s for s in scores)
    limits = square_range(n=n, total=total, low=0, high=10)
    assert limits is not None
    assert limits[0] <= squares <= limits[1]
    found = vector_with_sums(n=n, total=total, squares=squares, low=0, high=10)
    tried, _ = enumerate_vector(n=n, total=total, squares=squares, low=0, high=10)
    for vector in (found, tried):
        if vector is not None:
            assert (len(vector), sum(vector)) == (n, total)
            assert sum(s * s for s in vector) == squares
            assert min(vector) >= 0
            assert max(vector) <= 10
    assert n > 12 or tried is not None


def test_enumeration_is_complete_where_spreading_gives_up() -> None:
    # 0, 0, 0, 3, 3, 3 is the only vector with these sums and it cannot be reached greedily from
    # every start; the exhaustive search must find it, and must deny a neighbour in parity.
    assert enumerate_vector(n=6, total=9, squares=27, low=0, high=3)[0] == (0, 0, 0, 3, 3, 3)
    assert enumerate_vector(n=3, total=3, squares=7, low=0, high=2) == (None, True)
    assert enumerate_vector(n=400, total=2000, squares=15000, low=0, high=10) == (None, False)
    assert enumerate_vector(n=2, total=-1, squares=1, low=0, high=2) == (None, True)


def test_sums_have_the_parity_of_the_total() -> None:
    moments = {"mean_decimals": 2, "sd_decimals": 2, "n": 47}
    pairs = list(possible_sums("7.66", "1.55", low=0, high=10, **moments))
    assert [total for total, _ in pairs] == [360]
    assert all(squares % 2 == total % 2 for total, group in pairs for squares in group)


@pytest.mark.parametrize("n", [2, 5, 8])
@pytest.mark.parametrize("total", [0, 3, 7, 10])
def test_greatest_and_least_spread_by_brute_force(n: int, total: int) -> None:
    spreads = [
        stdev(scores)
        for scores in combinations_with_replacement(range(6), n)
        if sum(scores) == total
    ]
    least, greatest = sd_bounds(Fraction(total, n), n=n, low=0, high=5, step=1)
    assert least == pytest.approx(min(spreads), abs=1e-12)
    assert greatest == pytest.approx(max(spreads), abs=1e-12)


def test_limits_of_the_spread() -> None:
    assert sd_bounds("3.0", n=10, low=0, high=None, step=1) == (0.0, inf)
    assert sd_bounds("3.0", n=10, low=None, high=10) == (0.0, inf)
    assert sd_bounds("0", n=4, low=0, high=10) == (0.0, 0.0)
    assert sd_bounds("2", n=4, low=2, high=2) == (0.0, 0.0)
    # A printed 0.0 may be up to 0.05: one of two scores at 0.1 on a continuous scale.
    assert sd_bounds("0.0", n=2, low=0, high=10, decimals=1)[1] == pytest.approx(0.1 / 2**0.5)


@pytest.mark.parametrize(
    ("mean", "sd", "proof", "words"),
    [
        ("7.33", "1.48", "grim", "no whole-number total"),
        ("11.00", "1.00", "range", "outside the bounds of one score"),
        ("5.00", "6.00", "range", "have a standard deviation from"),
    ],
)
def test_each_refusal_says_why(mean: str, sd: str, proof: str, words: str) -> None:
    verdict = grimmer_possible(mean, sd, mean_decimals=2, sd_decimals=2, n=47, low=0, high=10)
    assert (verdict.possible, verdict.proof) == (False, proof)
    assert words in verdict.reason


def test_a_search_too_large_to_finish_is_undecided_not_impossible() -> None:
    # One step below the greatest spread of 400 scores: beyond the greedy search, too many to try.
    limits = square_range(n=400, total=2000, low=0, high=10)
    assert limits is not None
    assert vector_with_sums(n=400, total=2000, squares=limits[1] - 2, low=0, high=10) is None
    verdict = grimmer_possible("5", "5.0062", mean_decimals=0, sd_decimals=4, n=400, low=0, high=10)
    assert verdict.possible


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grim_totals("7.333", decimals=2, n=3), "more than 2 decimals"),
        (lambda: grim_totals("7.3", decimals=-1, n=3), "0 or more decimals"),
        (lambda: grim_totals("7.3", decimals=1, n=0), "at least one score"),
        (lambda: grim_totals("7.3", decimals=1, n=3, step=0), "positive fraction"),
        (lambda: grim_totals("7.3", decimals=1, n=3, step=0.1234567), "denominator"),
        (lambda: grim_totals("7.3", decimals=1, n=3, low=5, high=1), "no multiple of 1 lies"),
        (
            lambda: grimmer_possible("7.3", "1.0", mean_decimals=1, sd_decimals=1, n=1),
            "at least two",
        ),
        (lambda: sd_bounds("7.3", n=1, low=0, high=10), "at least two"),
        (lambda: sd_bounds("12", n=4, low=0, high=10), "outside the bounds"),
        (lambda: sd_bounds("7.3", n=3, low=0, high=10, step=1), r"No 3 scores on the grid"),
    ],
)
def test_wrong_arguments_are_named(call: object, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        call()  # type: ignore[operator]


def test_steps_and_intervals_are_exact() -> None:
    assert grid_step(1 / 7) == Fraction(1, 7)
    assert grid_step(0.1) == Fraction(1, 10)
    assert rounding_interval("7.10", 2) == (Fraction(7095, 1000), Fraction(7105, 1000))
    assert ScoreGrid.of(step="1/7", low=0.5, high=9.9) == ScoreGrid(
        step=Fraction(1, 7), low=4, high=69
    )
