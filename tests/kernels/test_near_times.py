"""Times that differ by rounding alone are one time; others are not."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.kernels.near_times import meant_time, tied_times


def test_the_sum_of_a_tenth_and_two_is_three_tenths() -> None:
    times = np.array([0.1 + 0.2, 0.5, 0.3, 0.3])
    np.testing.assert_array_equal(tied_times(times), [0.3, 0.5, 0.3, 0.3])
    assert meant_time(0.3, np.array([0.1, 0.1 + 0.2])) == 0.1 + 0.2
    assert meant_time(0.2, np.array([0.1, 0.3])) == 0.2


def test_beyond_the_ends_and_without_any_spread() -> None:
    distinct = np.array([2.0, 4.0])
    assert [meant_time(t, distinct) for t in (0.0, 4.0 + 1e-12, 9.0)] == [0.0, 4.0, 9.0]
    np.testing.assert_array_equal(tied_times(np.zeros(3)), np.zeros(3))
    np.testing.assert_array_equal(tied_times(np.array([5.0])), [5.0])


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=30), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=60)
def test_whole_days_in_any_unit_stay_apart(days: list[int], unit: float) -> None:
    times = np.array(days) * unit
    np.testing.assert_array_equal(tied_times(times), times)
