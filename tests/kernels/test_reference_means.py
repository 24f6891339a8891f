"""Strategies against R rbmi's own words, one subject at a time."""

from __future__ import annotations

import numpy as np
import pytest

from trialkit.kernels.completion import Incomplete
from trialkit.kernels.reference_means import (
    STRATEGIES,
    Cell,
    cells,
    mean_rows,
    strategy_covariance,
)

M = 4


def slow_mean(own: np.ndarray, ref: np.ndarray, event: int, strategy: str) -> np.ndarray:
    """The definitions, visit by visit."""
    out = own.copy()
    for j in range(event, M):
        if strategy == "j2r":
            out[j] = ref[j]
        if strategy == "cir":
            out[j] = own[event - 1] + ref[j] - ref[event - 1] if event > 0 else ref[j]
        if strategy == "lmcf" and event > 0:
            out[j] = own[event - 1]
    return ref.copy() if strategy == "cr" and event < M else out


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_means_follow_the_definitions(strategy: str) -> None:
    rng = np.random.default_rng(11)
    own, ref = rng.normal(size=(2, M + 1, M, 3))
    event = np.arange(M + 1)
    rows = mean_rows(own, ref, event, np.array([strategy] * (M + 1)))
    for i in range(M + 1):
        np.testing.assert_array_equal(rows[i], slow_mean(own[i], ref[i], i, strategy))


def covariances(seed: int, n: int = 1) -> np.ndarray:
    half = np.random.default_rng(seed).normal(size=(n, M, M + 2))
    return half @ half.swapaxes(1, 2)


@pytest.mark.parametrize("event", range(1, M))
def test_reference_covariance_keeps_own_past_and_reference_regression(event: int) -> None:
    own, ref = covariances(1), covariances(2)
    mixed = strategy_covariance(own, ref, event, "j2r")[0]
    old, new = slice(0, event), slice(event, M)
    np.testing.assert_allclose(mixed[old, old], own[0][old, old])
    slopes = np.linalg.solve(ref[0][old, old], ref[0][old, new])
    np.testing.assert_allclose(np.linalg.solve(mixed[old, old], mixed[old, new]), slopes)
    left = mixed[new, new] - mixed[new, old] @ np.linalg.solve(mixed[old, old], mixed[old, new])
    own_left = ref[0][new, new] - ref[0][new, old] @ slopes
    np.testing.assert_allclose(left, own_left)
    np.testing.assert_array_equal(strategy_covariance(own, ref, event, "cir")[0], mixed)


def test_covariance_at_the_edges() -> None:
    own, ref = covariances(1), covariances(2)
    for strategy in STRATEGIES:
        assert strategy_covariance(own, ref, M, strategy) is own
    assert strategy_covariance(own, ref, 0, "j2r") is ref
    assert strategy_covariance(own, ref, 2, "cr") is ref
    assert strategy_covariance(own, ref, 2, "mar") is own
    assert strategy_covariance(own, ref, 2, "lmcf") is own


def test_completion_is_the_conditional_mean_and_its_draws_have_the_conditional_moments() -> None:
    sigma = covariances(5)[0]
    y = np.array([[1.0, np.nan, 0.5, np.nan], [np.nan] * M, [1.0, 2.0, 3.0, 4.0]])
    means = np.random.default_rng(0).normal(size=(3, M, 2))
    seen = ~np.isnan(y)
    none = np.full(3, M)
    zero = np.zeros(3, dtype=np.int64)
    data = Incomplete(y=y, means=means, cells=cells(seen, none, np.array(["mar"] * 3), zero, zero))
    coef = np.array([[0.3, -1.0]])
    full = data.completed(coef, sigma[None, None])[0]
    mu = means @ coef[0]
    gap, obs = [1, 3], [0, 2]
    slope = np.linalg.solve(sigma[np.ix_(obs, obs)], sigma[np.ix_(obs, gap)])
    np.testing.assert_allclose(full[0, gap], mu[0, gap] + (y[0, obs] - mu[0, obs]) @ slope)
    np.testing.assert_allclose(full[1], mu[1])
    np.testing.assert_array_equal(full[2], y[2])
    n = 40_000
    noise = np.random.default_rng(1).standard_normal((n, 3, M))
    drawn = data.completed(np.repeat(coef, n, 0), np.repeat(sigma[None, None], n, 0), noise)
    left = sigma[np.ix_(gap, gap)] - sigma[np.ix_(gap, obs)] @ slope
    np.testing.assert_allclose(np.cov(drawn[:, 0, gap].T), left, rtol=0.05, atol=0.05)
    np.testing.assert_allclose(drawn[:, 0, gap].mean(0), full[0, gap], atol=0.05)


def test_cells_merge_what_one_covariance_cannot_tell_apart() -> None:
    seen = np.array([[True, False], [True, False], [True, True], [False, False]])
    event = np.array([1, 2, 2, 0])
    strategy = np.array(["j2r", "mar", "mar", "cr"])
    zero = np.zeros(4, dtype=np.int64)
    assert [c.members.tolist() for c in cells(seen, event, strategy, zero, zero)] == [[0, 1], [3]]
    other = np.array([1, 1, 1, 1])
    split = cells(seen, event, strategy, other, zero)
    assert [c.members.tolist() for c in split] == [[0], [1], [3]]
    assert isinstance(split[0], Cell)
    assert (split[0].event, split[0].strategy) == (1, "j2r")
