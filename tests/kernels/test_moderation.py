"""Priors of variances: definitions, limits, simulated truth, outliers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from trialkit.kernels.moderation import (
    fit_prior,
    inverse_trigamma,
    log_odds,
    posterior_variance,
    total_df,
)
from trialkit.kernels.moderation_robust import _moments, fit_prior_robust
from trialkit.kernels.natural_spline import natural_spline


@pytest.mark.parametrize("x", [1e-8, 0.03, 0.7, 3.0, 250.0, 1e9])
def test_trigamma_is_inverted(x: float) -> None:
    assert inverse_trigamma(float(special.polygamma(1, x))) == pytest.approx(x, rel=1e-8)


def test_the_prior_is_recovered_from_many_variances() -> None:
    rng = np.random.default_rng(20260412)
    d, d0, s0 = 6.0, 9.0, 0.3
    s2 = s0 * rng.chisquare(d, 20_000) / d * d0 / rng.chisquare(d0, 20_000)
    prior = fit_prior(s2, np.full(s2.size, d))
    assert prior.df[0] == pytest.approx(d0, rel=0.06)
    assert prior.variance[0] == pytest.approx(s0, rel=0.03)
    robust = fit_prior_robust(s2, np.full(s2.size, d))
    assert np.median(robust.df) == pytest.approx(d0, rel=0.12)
    assert robust.variance[0] == pytest.approx(s0, rel=0.03)


def test_variances_that_vary_less_than_chance_get_an_infinite_prior() -> None:
    s2 = np.linspace(0.9, 1.1, 12)
    df = np.full(12, 5.0)
    prior = fit_prior(s2, df)
    assert np.isinf(prior.df).all()
    np.testing.assert_allclose(prior.variance, s2.mean())
    np.testing.assert_allclose(posterior_variance(s2, df, prior), s2.mean())
    np.testing.assert_allclose(total_df(df, prior), 60.0)  # no more than all have together


def test_an_outlying_variance_keeps_its_own_value_under_robust_only() -> None:
    rng = np.random.default_rng(5)
    df = np.full(200, 7.0)
    s2 = rng.chisquare(7, 200) / 7 * 8 / rng.chisquare(8, 200)
    s2[3] = 400.0
    plain, robust = fit_prior(s2, df), fit_prior_robust(s2, df)
    assert robust.df[3] < 0.3 * np.median(robust.df)
    assert np.median(robust.df) > plain.df[0]
    clean = fit_prior(np.delete(s2, 3), df[1:])
    assert abs(np.median(robust.df) - clean.df[0]) < abs(plain.df[0] - clean.df[0])


def test_winsorized_moments_are_those_of_a_simulated_log_f() -> None:
    rng = np.random.default_rng(6)
    for d, d0 in ((7.0, 6.5), (4.0, np.inf)):
        bottom = 1.0 if np.isinf(d0) else rng.chisquare(d0, 400_000) / d0
        z = np.log(rng.chisquare(d, 400_000) / d / bottom)
        clipped = np.clip(z, *np.quantile(z, (0.05, 0.9)))
        mean, variance = _moments(d, d0)
        assert mean == pytest.approx(clipped.mean(), abs=0.01)
        assert variance == pytest.approx(clipped.var(), rel=0.01)


def test_a_trend_is_followed() -> None:
    rng = np.random.default_rng(7)
    x = rng.uniform(0, 10, 4000)
    s2 = np.exp(0.3 * x) * rng.chisquare(8, 4000) / 8 * 10 / rng.chisquare(10, 4000)
    prior = fit_prior(s2, np.full(4000, 8.0), x)
    np.testing.assert_allclose(np.log(prior.variance), 0.3 * x, atol=0.25)
    assert prior.df[0] == pytest.approx(10, rel=0.2)


def test_the_spline_is_cubic_inside_and_straight_at_the_ends() -> None:
    x = np.linspace(-2, 5, 400)
    basis = natural_spline(x, 4)
    assert basis.shape == (400, 4)
    assert np.linalg.matrix_rank(basis) == 4
    second = np.gradient(np.gradient(basis, x, axis=0), x, axis=0)
    assert np.abs(second[[3, -4]]).max() < 0.05 * np.abs(second).max()
    assert natural_spline(np.ones(5), 4).shape == (5, 1)


def test_log_odds_grow_with_the_statistic_and_are_prior_at_none() -> None:
    t = np.array([0.0, 1.0, 3.0, 9.0])
    prior = fit_prior(np.array([0.2, 0.5, 0.3, 0.9]), np.full(4, 7.0))
    found = log_odds(t, np.full(4, 0.4), np.full(4, 14.0), prior)
    assert (np.diff(found) > 0).all()
    assert found[0] < np.log(0.01 / 0.99)


def test_unequal_degrees_of_freedom_keep_their_tail_area() -> None:
    rng = np.random.default_rng(8)
    df = np.where(np.arange(300) % 3 == 0, 4.0, 7.0)
    s2 = rng.chisquare(df) / df * 9 / rng.chisquare(9, 300)
    prior = fit_prior_robust(s2, df)
    assert prior.df.shape == (300,)
    assert 3 < np.median(prior.df) < 30
    assert stats.kstest(s2 / prior.variance, lambda f: stats.f.cdf(f, 6, 9)).pvalue > 1e-4


def test_robust_without_spread_has_an_infinite_prior_from_the_winsorized_mean() -> None:
    rng = np.random.default_rng(9)
    for df in (np.full(200, 5.0), np.where(np.arange(200) % 2, 5.0, 8.0)):
        s2 = 0.4 * rng.chisquare(df) / df
        prior = fit_prior_robust(s2, df)
        assert np.median(prior.df) > 25
        assert prior.variance[0] == pytest.approx(0.4, rel=0.1)


# limma 3.54.1, fitFDistRobustly(s2, df, covariate = x): scale and df2.shrunk. One variance is an
# outlier; with unequal df its tail area is moved to the most df along the trend.
VARIANCES = [0.82, 0.11, 0.55, 0.98, 0.31, 0.19, 0.54, 0.15, 0.42, 0.07, 0.09, 6.5, 0.28, 0.03]
VARIANCES += [0.15, 0.02]
LEVELS = [1.2, 1.9, 0.7, 2.4, 0.3, 3.8, 3.1, 2.2, 4.9, 4.1, 5.6, 4.4, 6.3, 5.2, 7.7, 7.1]
EQUAL = "0.3512470539 0.2437912491 0.3884887915 0.2775982334 0.3684244269 0.1936356575 0.3397905263"
EQUAL += " 0.2643292403 0.1471040973 0.1656572646 0.108616898 0.1578249367 0.08142825722"
EQUAL += " 0.1016302601 0.06728290033 0.07549247249"
UNEQUAL = "0.3519609882 0.2436459981 0.3894982444 0.2789489491 0.3695459423 0.1948131809"
UNEQUAL += " 0.3428495797 0.2649620742 0.1472526231 0.1659078325 0.1086870481 0.1580148228"
UNEQUAL += " 0.0815304785 0.101544245 0.06720113785 0.07549072722"


@pytest.mark.parametrize(
    ("fewer", "scale", "df", "outlier"),
    [
        ({}, EQUAL, 3.29837886, 0.6345939081),
        ({2: 6, 6: 5, 12: 6}, UNEQUAL, 3.290213675, 0.6383956452),
    ],
)
def test_a_robust_trend_is_limmas(
    fewer: dict[int, int], scale: str, df: float, outlier: float
) -> None:
    d = np.array([fewer.get(i, 7) for i in range(16)], dtype=float)
    prior = fit_prior_robust(np.array(VARIANCES), d, np.array(LEVELS))
    np.testing.assert_allclose(prior.variance, np.array(scale.split(), dtype=float), rtol=1e-8)
    expected = np.where(np.arange(16) == 11, outlier, df)
    np.testing.assert_allclose(prior.df, expected, rtol=1e-8)


def test_a_robust_trend_is_followed_past_outliers() -> None:
    rng = np.random.default_rng(10)
    x = rng.uniform(0, 10, 600)
    s2 = np.exp(0.3 * x) * rng.chisquare(8, 600) / 8 * 10 / rng.chisquare(10, 600)
    s2[::40] *= 200
    df = np.full(600, 8.0)
    plain, robust = fit_prior(s2, df, x), fit_prior_robust(s2, df, x)
    np.testing.assert_allclose(np.log(robust.variance), 0.3 * x, atol=0.6)
    assert plain.df[0] < 4 < np.median(robust.df)
    assert (robust.df[::40] < np.median(robust.df)).all()
