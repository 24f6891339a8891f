"""Permutation distribution by enumeration, order statistics by sorting."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trialkit.kernels import rank_sum as kernel

ALTERNATIVES = ("two-sided", "less", "greater")


def enumerated_p(x: np.ndarray, y: np.ndarray, alternative: str) -> float:
    """Every allocation of the pooled values, one by one, ranks by scipy."""
    ranks = stats.rankdata(np.concatenate((x, y)))
    sums = np.array([sum(ranks[list(c)]) for c in combinations(range(ranks.size), x.size)])
    observed, centre = np.sum(ranks[: x.size]), x.size * (ranks.size + 1) / 2
    extreme = {
        "two-sided": np.abs(sums - centre) >= abs(observed - centre) - 1e-9,
        "greater": sums >= observed - 1e-9,
        "less": sums <= observed + 1e-9,
    }[alternative]
    return float(np.mean(extreme))


@settings(deadline=None, max_examples=40)
@given(
    x=st.lists(st.integers(0, 6), min_size=1, max_size=6),
    y=st.lists(st.integers(0, 6), min_size=1, max_size=6),
    alternative=st.sampled_from(ALTERNATIVES),
)
def test_exact_p_is_the_share_of_all_allocations(
    x: list[int], y: list[int], alternative: str
) -> None:
    a, b = np.array(x, float), np.array(y, float)
    found = kernel.exact_p_value(kernel.rank_sum(a, b), alternative)  # type: ignore[arg-type]
    assert found == pytest.approx(enumerated_p(a, b, alternative), rel=1e-12)


@pytest.mark.parametrize(("n_x", "n_y"), [(4, 9), (25, 31), (60, 12)])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_exact_p_without_ties_is_scipys(n_x: int, n_y: int, alternative: str) -> None:
    rng = np.random.default_rng(7)
    x, y = rng.normal(0.6, 1, n_x), rng.normal(size=n_y)
    found = kernel.exact_p_value(kernel.rank_sum(x, y), alternative)  # type: ignore[arg-type]
    truth = stats.mannwhitneyu(x, y, alternative=alternative, method="exact").pvalue
    assert found == pytest.approx(truth, rel=1e-11)


@pytest.mark.parametrize(("n_x", "n_y"), [(1, 1), (5, 3), (48, 49), (140, 133)])
def test_untied_counts_are_those_of_streitberg_and_rohmel(n_x: int, n_y: int) -> None:
    smaller = min(n_x, n_y)
    slow = kernel.subset_sums(np.arange(n_x + n_y), smaller)[smaller * (smaller - 1) // 2 :]
    fast = kernel.untied_counts(n_x, n_y)
    np.testing.assert_allclose(fast, slow, rtol=1e-12)
    assert fast.sum() == pytest.approx(comb(n_x + n_y, n_x), rel=1e-13)


@pytest.mark.parametrize("continuity", [True, False])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_normal_p_with_ties_is_scipys(continuity: bool, alternative: str) -> None:
    rng = np.random.default_rng(8)
    x, y = rng.integers(0, 8, 23).astype(float), rng.integers(1, 9, 19).astype(float)
    _, found = kernel.normal_p_value(
        kernel.rank_sum(x, y),
        continuity=continuity,
        alternative=alternative,  # type: ignore[arg-type]
    )
    truth = stats.mannwhitneyu(
        x, y, alternative=alternative, method="asymptotic", use_continuity=continuity
    )
    assert found == pytest.approx(truth.pvalue, rel=1e-12)


def test_z_is_zero_at_the_mean_also_with_continuity() -> None:
    test = kernel.rank_sum(np.array([1.0, 4.0]), np.array([2.0, 3.0]))
    assert kernel.normal_p_value(test, continuity=True, alternative="two-sided") == (0.0, 1.0)


@pytest.mark.parametrize(("n_x", "n_y"), [(3, 3), (4, 7), (8, 5), (10, 10)])
@pytest.mark.parametrize("tail", [0.1, 0.05, 0.025, 0.005])
def test_exact_count_leaves_out_no_more_than_the_tail(n_x: int, n_y: int, tail: float) -> None:
    sums = [sum(c) for c in combinations(range(n_x + n_y), n_x)]
    u = np.array(sums) - n_x * (n_x - 1) // 2
    k, outside = kernel.exact_count(n_x, n_y, tail)
    assert np.mean(u <= k) >= tail - 1e-12  # one more would be too much
    assert outside == pytest.approx(np.mean(u <= k - 1), rel=1e-12)
    assert outside <= tail


def test_a_tail_of_exactly_the_nominal_size_is_found() -> None:
    # Two and fourteen: P(U <= 3) = 6/120, and 1 - 0.95 is a little more than 0.05 as a float.
    assert 1 - 0.95 > 0.05
    assert kernel.exact_count(2, 14, 1 - 0.95) == (3, pytest.approx(4 / 120))
    # Three and three: P(U <= 0) = 1/20, so that the extreme differences just reach 95%.
    assert kernel.exact_count(3, 3, 0.05) == (1, pytest.approx(0.05))
    assert kernel.exact_count(3, 3, 0.049) == (0, 0.0)


def test_counts_of_subsets_are_binomial_in_sum() -> None:
    scores = np.array([0, 1, 1, 4, 9], dtype=np.int64)
    counts = kernel.subset_sums(scores, 2)
    assert np.sum(counts) == comb(5, 2)
    assert counts[5] == 2
    assert counts[13] == 1


@settings(deadline=None, max_examples=30)
@given(
    x=st.lists(st.integers(-9, 9), min_size=1, max_size=9),
    y=st.lists(st.integers(-9, 9), min_size=1, max_size=9),
    data=st.data(),
)
def test_counting_finds_the_differences_that_sorting_finds(
    x: list[int], y: list[int], data: st.DataObject
) -> None:
    a, b = np.array(x) / 10, np.array(y) / 10
    position = data.draw(st.integers(1, a.size * b.size))
    truth = np.sort(np.subtract.outer(a, b).ravel())[position - 1]
    assert kernel.differences_at(a, b, [position]) == [truth]
    assert kernel._select(a, np.sort(b)[::-1], position) == truth
