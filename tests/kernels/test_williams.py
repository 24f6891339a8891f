"""Squares of treatment orders: Latin, and balanced for first-order carryover."""

from __future__ import annotations

from collections import Counter

import pytest

from trialkit.kernels.williams import cyclic_square, successions, williams_square


def letters(square: tuple[tuple[int, ...], ...]) -> set[str]:
    return {"".join("ABCDEFGHIJ"[entry] for entry in row) for row in square}


def test_the_square_of_two_is_ab_ba() -> None:
    assert letters(williams_square(2)) == {"AB", "BA"}


def test_the_square_of_three_is_all_six_orders() -> None:
    assert letters(williams_square(3)) == {"ABC", "ACB", "BAC", "BCA", "CAB", "CBA"}


def test_the_square_of_four_is_the_published_one() -> None:
    # The square commonly printed for four treatments (Jones & Kenward, Senn): ABDC, BCAD, ...
    assert letters(williams_square(4)) == {"ABDC", "BCAD", "CDBA", "DACB"}


@pytest.mark.parametrize("k", range(2, 11))
def test_each_treatment_follows_each_other_equally_often(k: int) -> None:
    square = williams_square(k)
    assert len(square) == (k if k % 2 == 0 else 2 * k)
    pairs = successions(square)
    assert set(pairs) == {(a, b) for a in range(k) for b in range(k) if a != b}
    assert set(pairs.values()) == {1 if k % 2 == 0 else 2}


@pytest.mark.parametrize("k", range(2, 11))
@pytest.mark.parametrize("make", [williams_square, cyclic_square])
def test_each_treatment_stands_equally_often_in_every_period(make, k: int) -> None:  # type: ignore[no-untyped-def]
    square = make(k)
    assert all(sorted(row) == list(range(k)) for row in square)
    for column in zip(*square, strict=True):
        assert set(Counter(column).values()) == {len(square) // k}


def test_the_cyclic_square_is_not_balanced_for_carryover() -> None:
    assert successions(cyclic_square(3)) == {(0, 1): 2, (1, 2): 2, (2, 0): 2}
