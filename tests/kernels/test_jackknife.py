"""The jackknife's variance: that of a mean, and what missing replicates leave open."""

from __future__ import annotations

import numpy as np
from reference.loader import assert_close

from trialkit.kernels.jackknife import jackknife_variance


def leave_one_out_means(values: np.ndarray) -> np.ndarray:
    return np.array([np.delete(values, k, axis=0).mean(axis=0) for k in range(len(values))])


def test_of_a_mean_it_is_the_textbook_variance() -> None:
    values = np.random.default_rng(1).normal(size=(15, 3))
    variance, bound = jackknife_variance(leave_one_out_means(values), 15)
    assert_close(variance, values.var(axis=0, ddof=1) / 15, 1e-12)
    assert_close(bound, variance, 1e-12)


def test_missing_replicates_are_like_the_others_or_at_worst_like_the_farthest() -> None:
    replicates = leave_one_out_means(np.array([1.0, 2, 3, 4, 10]))
    variance, bound = jackknife_variance(replicates[1:], 5)
    deviation = replicates[1:] - replicates[1:].mean()
    assert_close(variance, 4 / 4 * np.sum(deviation**2), 1e-12)
    assert_close(bound, 4 / 5 * (np.sum(deviation**2) + np.max(deviation**2)), 1e-12)
    assert bound > variance
