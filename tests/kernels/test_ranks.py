from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trialkit.kernels.ranks import join_near_ties, midranks, tie_sizes


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=30))
def test_midranks_are_scipys(values: list[int]) -> None:
    array = np.array(values, float)
    np.testing.assert_array_equal(midranks(array), stats.rankdata(array))
    assert int(np.sum(tie_sizes(array))) == array.size


def test_values_that_differ_by_rounding_error_become_one() -> None:
    changes = np.array([3.6 - 6.5, 4.1 - 7.0, 5.0, 0.6 - 3.5])
    assert np.unique(changes).size == 3
    joined, n_moved = join_near_ties(changes)
    assert np.unique(joined).size == 2
    assert n_moved == int(np.sum(joined != changes)) > 0
    np.testing.assert_array_equal(midranks(joined), [2, 2, 4, 2])


def test_distinct_measurements_stay_apart_and_exact_ones_untouched() -> None:
    values = np.array([1.0001, 1.0002, -3.0, 1.0001])
    joined, n_moved = join_near_ties(values)
    np.testing.assert_array_equal(joined, values)
    assert n_moved == 0


def test_the_scale_says_what_rounding_error_belongs_to() -> None:
    values = np.array([0.0, 1e-13])
    assert join_near_ties(values)[1] == 0
    assert join_near_ties(values, scale=100.0)[1] == 1


def test_no_values_have_no_ranks() -> None:
    assert join_near_ties(np.array([]))[0].size == 0
