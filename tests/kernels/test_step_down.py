"""Westfall-Young step-down by blocks against the definition, and the arrangements."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from trialkit.kernels.arrangements import Labels, Signs, blocks
from trialkit.kernels.step_down import step_down_max, step_down_min


def slow_max(table: np.ndarray) -> np.ndarray:
    """Column 0 is observed: for each hypothesis the maxima over it and all less extreme ones."""
    order = np.argsort(-table[:, 0], kind="stable")
    adjusted, largest = np.empty(table.shape[0]), 0.0
    for place, row in enumerate(order):
        below = table[order[place:]].max(axis=0)
        largest = max(largest, float(np.mean(below >= table[row, 0])))
        adjusted[row] = largest
    return adjusted


def slow_min(table: np.ndarray) -> np.ndarray:
    p = np.array([[np.mean(row >= value) for value in row] for row in table])
    return slow_max(-p)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_blocks_do_not_matter(size: int) -> None:
    rng = np.random.default_rng(1)
    table = np.abs(np.round(rng.normal(size=(9, 64)), 1))  # with ties
    found = step_down_max(
        table[:, 0], (table[:, i : i + size] for i in range(0, 64, size)), includes_observed=True
    )
    np.testing.assert_array_equal(found.step_down, slow_max(table))
    single = [np.mean(table.max(axis=0) >= value) for value in table[:, 0]]
    np.testing.assert_array_equal(found.single_step, single)
    assert found.n == 64
    low = step_down_min(9, lambda rows: table[rows], found.raw, n_at_once=size)
    np.testing.assert_allclose(low.step_down, slow_min(table), rtol=1e-14)


@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_many_rows_are_taken_in_groups(shift: float) -> None:
    rng = np.random.default_rng(3)
    table = np.abs(np.round(rng.normal(size=(237, 90)), 1))
    table[:60, 0] += shift
    for size in (90, 13):
        found = step_down_max(
            table[:, 0],
            (table[:, i : i + size] for i in range(0, 90, size)),
            includes_observed=True,
        )
        np.testing.assert_array_equal(found.step_down, slow_max(table))


def test_a_sample_counts_the_observed_arrangement() -> None:
    observed = np.array([5.0, 1.0])
    found = step_down_max(observed, [np.zeros((2, 99))], includes_observed=False)
    assert found.n == 100
    np.testing.assert_array_equal(found.step_down, [0.01, 0.01])


def test_adjusted_p_values_are_ordered_and_not_below_the_raw_ones() -> None:
    table = np.abs(np.random.default_rng(2).normal(size=(20, 200)))
    found = step_down_max(table[:, 0], [table], includes_observed=True)
    order = np.argsort(-table[:, 0])
    assert (np.diff(found.step_down[order]) >= 0).all()
    assert (found.step_down >= found.raw).all()
    assert (found.step_down <= found.single_step).all()


def test_all_signs_once_and_the_observed_first() -> None:
    signs = np.concatenate(list(Signs(n=5).complete(7)))
    assert signs.shape == (32, 5)
    assert (signs[0] == 1).all()
    assert len({tuple(row) for row in signs}) == 32


def test_all_labels_within_strata_once() -> None:
    labels = Labels(
        labels=np.array([1, 0, 0, 1, 1, 0, 0.0]), strata=np.array([0, 0, 0, 1, 1, 1, 1])
    )
    found = np.concatenate(list(labels.complete(4)))
    assert labels.count == comb(3, 1) * comb(4, 2) == found.shape[0]
    assert len({tuple(row) for row in found}) == labels.count
    assert (found[:, :3].sum(axis=1) == 1).all()
    drawn = np.concatenate(list(labels.sample(25, 10, np.random.default_rng(3))))
    assert drawn.shape == (25, 7)
    assert (drawn[:, :3].sum(axis=1) == 1).all()
    assert (drawn[:, 3:].sum(axis=1) == 2).all()


def test_samples_are_uniform_and_given_rows_come_in_blocks() -> None:
    drawn = np.concatenate(list(Signs(n=3).sample(4000, 333, np.random.default_rng(4))))
    assert np.abs(drawn.mean(axis=0)).max() < 0.06
    np.testing.assert_array_equal(np.concatenate(list(blocks(drawn, 71))), drawn)
