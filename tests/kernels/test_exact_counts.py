"""Exact intervals for counts: against their own definition and published limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close
from scipy import stats

from trialkit.kernels.exact_counts import (
    _first_extreme,
    _statistic,
    clopper_pearson,
    exact_difference,
    fisher_p,
    poisson_limits,
)


@pytest.mark.parametrize(("x", "n"), [(0, 10), (3, 10), (10, 10), (39, 100)])
def test_clopper_pearson_has_its_tails(x: int, n: int) -> None:
    low, high = clopper_pearson(x, n, 0.9)
    if x > 0:
        assert_close(stats.binom.sf(x - 1, n, low), 0.05, 1e-9)
    if x < n:
        assert_close(stats.binom.cdf(x, n, high), 0.05, 1e-9)
    assert low <= x / n <= high


@pytest.mark.parametrize("x", [0, 4, 60])
def test_poisson_limits_have_their_tails(x: int) -> None:
    low, high = poisson_limits(x, 12.0, 0.95)
    if x > 0:
        assert_close(stats.poisson.sf(x - 1, 12 * low), 0.025, 1e-9)
    assert_close(stats.poisson.cdf(x, 12 * high), 0.025, 1e-9)


@pytest.mark.parametrize("table", [(3, 10, 7, 12), (0, 8, 5, 9), (36, 100, 39, 100)])
def test_fisher_equals_scipy(table: tuple[int, int, int, int]) -> None:
    x, n, x_ref, n_ref = table
    theirs = stats.fisher_exact([[x, n - x], [x_ref, n_ref - x_ref]])[1]
    assert_close(fisher_p(x, n, x_ref, n_ref), theirs, 1e-9)


def test_no_events_in_either_arm_is_the_one_sided_clopper_pearson_limit() -> None:
    # With nothing in the reference the worst case is a reference proportion of zero.
    low, high = exact_difference(0, 10, 0, 10, 0.95)
    assert_close(high, 1 - 0.025**0.1, 1e-6)
    assert_close(low, -high, 1e-9)


def test_published_limits_of_chan_and_zhang() -> None:
    # 7 of 34 against 1 of 34: 0.019 to 0.36.
    low, high = exact_difference(7, 34, 1, 34, 0.95)
    assert round(low, 3) == 0.019
    assert round(high, 2) == 0.36


@pytest.mark.parametrize("table", [(5, 12, 2, 9), (1, 20, 4, 18)])
def test_swapping_the_arms_turns_the_interval(table: tuple[int, int, int, int]) -> None:
    x, n, x_ref, n_ref = table
    low, high = exact_difference(x, n, x_ref, n_ref, 0.95)
    back = exact_difference(x_ref, n_ref, x, n, 0.95)
    assert_close([low, high], [-back[1], -back[0]], 1e-6, atol=1e-6)
    assert low < x / n - x_ref / n_ref < high


def test_coverage_is_never_below_the_level() -> None:
    n, n_ref, level = 8, 7, 0.9
    limits = {
        (a, b): exact_difference(a, n, b, n_ref, level)
        for a in range(n + 1)
        for b in range(n_ref + 1)
    }
    for p, p_ref in [(0.5, 0.5), (0.1, 0.4), (0.9, 0.2), (0.05, 0.05)]:
        covered = sum(
            stats.binom.pmf(a, n, p) * stats.binom.pmf(b, n_ref, p_ref)
            for (a, b), (low, high) in limits.items()
            if low - 1e-6 <= p - p_ref <= high + 1e-6
        )
        assert covered >= level - 1e-9


def test_everyone_against_no_one_reaches_one() -> None:
    low, high = exact_difference(7, 7, 0, 7, 0.95)
    assert high == pytest.approx(1.0)
    assert 0 < low < 1
    assert np.isfinite(low)


@given(
    n=st.integers(1, 40),
    n_ref=st.integers(1, 40),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    difference=st.floats(-0.999, 0.999),
)
@settings(deadline=None, max_examples=150)
def test_extreme_tables_are_those_from_one_on(
    n: int, n_ref: int, share: tuple[float, float], difference: float
) -> None:
    x, x_ref = round(share[0] * n), round(share[1] * n_ref)
    first = _first_extreme(x, n, x_ref, n_ref, difference)
    a, b = np.arange(n + 1)[:, None], np.arange(n_ref + 1)
    statistic = _statistic(a, n, b, n_ref, difference)
    seen = statistic[x, x_ref]
    extreme = statistic >= seen - 1e-9 * max(1.0, abs(seen))
    assert np.array_equal(extreme, a >= first)


def test_limits_are_where_the_largest_tail_crosses_the_level() -> None:
    x, n, x_ref, n_ref = 4, 9, 1, 7
    low, high = exact_difference(x, n, x_ref, n_ref, 0.9)

    def largest_tail(difference: float) -> float:
        a, b = np.arange(n + 1)[:, None], np.arange(n_ref + 1)
        statistic = _statistic(a, n, b, n_ref, difference)
        extreme = statistic >= statistic[x, x_ref] - 1e-9
        return max(
            float(
                np.sum(
                    extreme * stats.binom.pmf(a, n, p + difference) * stats.binom.pmf(b, n_ref, p)
                )
            )
            for p in np.linspace(max(0, -difference), min(1, 1 - difference), 4001)
        )

    assert largest_tail(low - 1e-5) < 0.05 < largest_tail(low + 1e-4)
    assert exact_difference(n - x, n, n_ref - x_ref, n_ref, 0.9)[0] == -high
