"""Scores on a grid with printed moments: found where there are any, refused with a proof."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations_with_replacement
from statistics import mean as average
from statistics import stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.errors import DesignError, SpecError
from trialkit.kernels.grid_moments import (
    decimals_of,
    normal_level,
    raw_stream,
    scores_with_moments,
)
from trialkit.kernels.grid_search import Target, search


def prints(values: Sequence[int], step: Fraction, mean: str, sd: str) -> bool:
    """Whether the moments of the scores round to the printed ones, in plain floats."""
    scores = [float(value * step) for value in values]
    near_mean = abs(average(scores) - float(mean)) <= 0.5 * 10 ** -decimals_of(mean) + 1e-12
    return near_mean and abs(stdev(scores) - float(sd)) <= 0.5 * 10 ** -decimals_of(sd) + 1e-12


@settings(deadline=None, max_examples=40)
@given(
    scores=st.lists(st.integers(0, 10), min_size=2, max_size=60),
    decimals=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**40),
)
def test_printed_moments_of_real_scores_are_found_again(
    scores: list[int], decimals: int, seed: int
) -> None:
    mean, sd = f"{average(scores):.{decimals}f}", f"{stdev(scores):.{decimals}f}"
    found = scores_with_moments(mean, sd, n=len(scores), low=0, high=10, rng=seed)
    assert found.shape == (len(scores),)
    assert found.min() >= 0
    assert found.max() <= 10
    assert prints(found.tolist(), Fraction(1), mean, sd)


@settings(deadline=None, max_examples=12)
@given(scores=st.lists(st.integers(28, 70), min_size=20, max_size=50), seed=st.integers(0, 99))
def test_sevenths_are_found_again(scores: list[int], seed: int) -> None:
    sevenths = [score / 7 for score in scores]
    mean, sd = f"{average(sevenths):.2f}", f"{stdev(sevenths):.2f}"
    found = scores_with_moments(mean, sd, n=len(scores), step="1/7", low=4, high=10, rng=seed)
    assert prints(found.tolist(), Fraction(1, 7), mean, sd)
    assert found.min() >= 28


@pytest.mark.parametrize("n", [2, 3, 4])
def test_refusals_agree_with_enumeration_of_every_vector(n: int) -> None:
    every = list(combinations_with_replacement(range(4), n))
    for tenths in range(0, 31, 2):
        for spread in range(0, 22, 3):
            mean, sd = f"{tenths / 10:.1f}", f"{spread / 10:.1f}"
            exists = any(prints(vector, Fraction(1), mean, sd) for vector in every)
            if exists:
                found = scores_with_moments(mean, sd, n=n, low=0, high=3, rng=tenths)
                assert prints(found.tolist(), Fraction(1), mean, sd)
            else:
                with pytest.raises(DesignError, match=f"No {n} scores in steps of 1"):
                    scores_with_moments(mean, sd, n=n, low=0, high=3, rng=tenths)


@pytest.mark.parametrize(
    ("mean", "sd", "n", "words"),
    [
        ("7.33", "1.48", 47, r"344/47 = 7.3191 and 345/47 = 7.3404 lie outside"),
        ("6.83", "1.96", 49, r"no whole-number total of 49 scores"),
        ("3.44", "2.47", 18, r"no sum of squares of 18 scores"),
        ("9.50", "2.40", 40, r"have a standard deviation from"),
    ],
)
def test_the_refusal_states_the_proof(mean: str, sd: str, n: int, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        scores_with_moments(mean, sd, n=n, low=0, high=10, rng=1)


def test_counts_at_a_cut_are_met_with_the_moments() -> None:
    found = scores_with_moments(
        "6.20", "1.60", n=50, low=0, high=10, rng=5, at_least={8: 10, 5: 45}
    )
    assert prints(found.tolist(), Fraction(1), "6.20", "1.60")
    assert (np.sum(found >= 8), np.sum(found >= 5)) == (10, 45)


def test_counts_that_cannot_be_met_are_refused_without_claiming_a_proof() -> None:
    with pytest.raises(DesignError, match="does not prove there are none"):
        scores_with_moments("6.2", "0.5", n=20, low=0, high=10, rng=5, at_least={10: 20})


def test_seed_decides_the_scores() -> None:
    def draw(rng: int | np.random.Generator) -> list[int]:
        return scores_with_moments("6.2", "1.6", n=50, low=0, high=10, rng=rng).tolist()

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)
    assert draw(np.random.default_rng(3)) == draw(np.random.default_rng(3))


def test_scores_are_in_no_order() -> None:
    found = scores_with_moments("6.2", "1.6", n=50, low=0, high=10, rng=3).tolist()
    assert found != sorted(found)
    assert found != sorted(found, reverse=True)


@pytest.mark.parametrize(("rng", "words"), [(None, "no default seed"), (-1, "from 0 up")])
def test_a_seed_is_needed(rng: int | None, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        scores_with_moments("6.2", "1.6", n=50, low=0, high=10, rng=rng)


def test_branches_of_a_seed_differ() -> None:
    first, again, other = (raw_stream(1, part=part).below(2**60) for part in ("a", "a", "b"))
    assert first == again
    assert first != other


def test_normal_levels_have_the_moments_asked_for() -> None:
    stream = raw_stream(11)
    drawn = [normal_level(stream, mean=Fraction(500), sd=Fraction(100)) for _ in range(4000)]
    # Standard error of the mean 1.6 and of the SD 1.1: four of each.
    assert average(drawn) == pytest.approx(500, abs=6.4)
    assert stdev(drawn) == pytest.approx(100, abs=4.5)


def test_joint_targets_of_two_scores_are_met() -> None:
    stream = raw_stream(7)
    n = 40
    start = [(score, min(score, stream.below(11))) for score in map(stream.below, [11] * n)]
    targets = [
        Target(feature=0, low=280, high=280, scale=n),
        Target(feature=1, low=240, high=240, scale=n),
        Target(feature=2, low=150, high=160, scale=15),
        Target(feature=3, low=70, high=80, scale=8),
        Target(feature=4, low=12, high=12),
    ]
    rows = search(
        start,
        features=lambda row: (
            *row,
            (row[0] - 7) ** 2,
            (row[0] - 7) * (row[1] - 6),
            int(row[1] <= 4),
        ),
        targets=targets,
        levels=[range(11), range(11)],
        admissible=lambda row: row[1] <= row[0] + 3,
        stream=stream,
        moves=40_000,
    )
    assert rows is not None
    x, y = np.array(rows).T
    assert (y <= x + 3).all()
    assert (x.sum(), y.sum()) == (280, 240)
    assert 150 <= np.sum((x - 7) ** 2) <= 160
    assert 70 <= np.sum((x - 7) * (y - 6)) <= 80
    assert (y <= 4).sum() == 12


def test_a_search_that_fails_returns_nothing() -> None:
    impossible = [Target(feature=0, low=100, high=100)]
    rows = search(
        [(1,), (2,)],
        features=lambda row: row,
        targets=impossible,
        levels=[range(3)],
        stream=raw_stream(1),
        moves=50,
    )
    assert rows is None
