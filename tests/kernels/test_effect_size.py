"""Variances of standardised differences by simulation-free facts and by Monte Carlo."""

from __future__ import annotations

from math import exp, lgamma, log, pi, sqrt

import numpy as np
import pytest

from trialkit.kernels import effect_size as kernel


@pytest.mark.parametrize("df", [2, 3, 17, 95, 4000])
def test_the_correction_is_the_ratio_of_gammas(df: int) -> None:
    truth = exp(lgamma(df / 2) - lgamma((df - 1) / 2) - 0.5 * log(df / 2))
    assert kernel.hedges_correction(df) == pytest.approx(truth, rel=1e-11)


def test_the_correction_has_its_known_values() -> None:
    assert kernel.hedges_correction(2) == pytest.approx(1 / sqrt(pi), rel=1e-14)
    # Hedges' (1981) approximation 1 - 3/(4 df - 1) is good to four digits at df = 50.
    assert kernel.hedges_correction(50) == pytest.approx(1 - 3 / 199, abs=2e-5)


def test_the_unbiased_variance_of_g_is_unbiased() -> None:
    # Mean of the estimate against the variance of g over 200000 simulated trials of 6 and 5.
    rng = np.random.default_rng(20260302)
    x, y = rng.normal(0.8, 1, (200_000, 6)), rng.normal(0, 1, (200_000, 5))
    pooled = np.sqrt((5 * x.var(axis=1, ddof=1) + 4 * y.var(axis=1, ddof=1)) / 9)
    g = kernel.hedges_correction(9) * (x.mean(axis=1) - y.mean(axis=1)) / pooled
    estimates = np.array([kernel.unbiased_g_variance(value, 6, 5) for value in g[:20_000]])
    assert g.mean() == pytest.approx(0.8, abs=5 * g.std() / sqrt(g.size))
    assert estimates.mean() == pytest.approx(g.var(), rel=0.02)


def test_the_delta_method_with_a_baseline_sd_has_no_covariance_term() -> None:
    # Outcome change correlated with baseline at -0.7 and of another SD; 60 subjects an arm.
    rng = np.random.default_rng(20260303)
    n, reps, effect = 60, 40_000, 0.9
    base = rng.normal(0, 1.4, (reps, 2, n))
    change = -0.7 * base + rng.normal(0, 1.1, (reps, 2, n))
    change[:, 0] += effect
    sd_base = np.sqrt(base.var(axis=2, ddof=1).mean(axis=1))
    d = (change[:, 0].mean(axis=1) - change[:, 1].mean(axis=1)) / sd_base
    se = sqrt(2 / n * ((0.7 * 1.4) ** 2 + 1.1**2))
    truth = kernel.baseline_variance(effect / 1.4, se, 1.4, 2 * n - 2)
    assert d.var() == pytest.approx(truth, rel=0.04)
    without_sd = (se / 1.4) ** 2
    assert d.var() > 1.005 * without_sd


def test_glass_delta_with_unequal_variances() -> None:
    rng = np.random.default_rng(20260304)
    n_x, n_y, sd_x, sd_y, reps = 50, 70, 3.0, 1.5, 40_000
    x, y = rng.normal(1.8, sd_x, (reps, n_x)), rng.normal(0, sd_y, (reps, n_y))
    delta = (x.mean(axis=1) - y.mean(axis=1)) / y.std(axis=1, ddof=1)
    truth = kernel.control_variance(1.8 / sd_y, n_x, n_y, sd_x / sd_y)
    assert delta.var() == pytest.approx(truth, rel=0.05)
    equal_variances_assumed = kernel.control_variance(1.8 / sd_y, n_x, n_y, 1.0)
    assert delta.var() > 1.3 * equal_variances_assumed
