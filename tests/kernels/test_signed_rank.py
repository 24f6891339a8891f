"""Signed ranks against all sign patterns and against scipy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from trialkit.kernels.signed_rank import exact_p, exact_walsh_count, normal_p, signed_rank, walsh


@pytest.mark.parametrize("values", [[1.2, -0.4, 3.1, 2.2, -0.1], [1, -1, 2, 2, 0, 3.0]])
def test_exact_p_counts_all_sign_patterns(values: list[float]) -> None:
    test = signed_rank(np.array(values))
    all_v = [
        sum(r for r, up in zip(test.ranks, signs, strict=True) if up)
        for signs in product((0, 1), repeat=test.n)
    ]
    lower = np.mean([v <= test.v for v in all_v])
    upper = np.mean([v >= test.v for v in all_v])
    assert exact_p(test, "less") == pytest.approx(lower)
    assert exact_p(test, "greater") == pytest.approx(upper)
    assert exact_p(test, "two-sided") == pytest.approx(min(1, 2 * min(lower, upper)))


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_normal_limit_is_scipys(alternative: str) -> None:
    d = np.random.default_rng(1).normal(0.2, 1, 70)
    truth = stats.wilcoxon(d, correction=True, method="asymptotic", alternative=alternative)
    found = normal_p(signed_rank(d), alternative)[1]  # type: ignore[arg-type]
    assert found == pytest.approx(truth.pvalue, rel=1e-12)


def test_the_interval_of_walsh_averages_holds_its_level() -> None:
    # n = 8: P(V <= 3) = 5/256 < 0.025 < P(V <= 4) = 7/256.
    assert exact_walsh_count(8, 0.025, exact=True) == 4
    assert exact_walsh_count(3, 0.025, exact=True) == 0
    assert walsh(np.array([1.0, 2.0, 4.0])).tolist() == [1, 1.5, 2, 2.5, 3, 4]
