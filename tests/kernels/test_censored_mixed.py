"""The censored mixed model against brute-force integration and its closed-form limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special, stats

from trialkit.kernels.censored_mixed import (
    _derivatives,
    censored_mixed,
    log_likelihood,
    subject_scores,
)
from trialkit.kernels.tobit_rows import tobit_rows


def pairs(n: int = 10, seed: int = 1, limit: float = 2.4) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    b = rng.normal(0, 1, n)
    y = np.column_stack([3 + b, 2.4 + b]) + rng.normal(0, 0.5, (n, 2))
    low = np.where(np.arange(n) % 2, limit, limit + 0.3)[:, None]
    side = np.where(y < low, -1, np.where(y > 3.3, 1, 0)).astype(np.int64)
    x = np.zeros((n, 2, 2))
    x[:, :, 0] = 1
    x[:, 1, 1] = 1
    return np.clip(y, low, 3.3), side, x


def brute_force(y: np.ndarray, side: np.ndarray, x: np.ndarray, params: np.ndarray) -> float:
    """Each subject's integral by adaptive Simpson-like quadrature over the whole line."""
    beta, sigma, tau = params[:-2], np.exp(params[-2]), params[-1]
    total = 0.0
    for yi, si, xi in zip(y, side, x, strict=True):

        def density(
            u: float, yi: np.ndarray = yi, si: np.ndarray = si, xi: np.ndarray = xi
        ) -> float:
            value = stats.norm.pdf(u)
            for value_j, side_j, x_j in zip(yi, si, xi, strict=True):
                if np.isnan(value_j):
                    continue
                mean = x_j @ beta + tau * u
                if side_j == 0:
                    value *= stats.norm.pdf(value_j, mean, sigma)
                elif side_j < 0:
                    value *= stats.norm.cdf(value_j, mean, sigma)
                else:
                    value *= stats.norm.sf(value_j, mean, sigma)
            return float(value)

        total += np.log(
            integrate.quad(density, -10, 10, epsabs=0, epsrel=1e-11, limit=400, points=[-2, 0, 2])[
                0
            ]
        )
    return float(total)


def test_the_likelihood_is_that_of_brute_force() -> None:
    y, side, x = pairs()
    y[3, 1] = np.nan
    assert {-1, 0, 1} == set(side.ravel())
    for shift in (0.0, 0.3, -0.4):
        params = np.array([3.0 + shift, -0.5, np.log(0.6) + shift, 0.9 - shift])
        ours = log_likelihood(y, side, x, params[:2], float(np.exp(params[2])), params[3])
        assert ours == pytest.approx(brute_force(y, side, x, params), abs=1e-8)


@pytest.mark.parametrize("tau", [1.9, 2.1, 3.9, 5.0, 6.9, 10.0, 13.9, 20.0, -20.0])
def test_effects_much_larger_than_the_residuals_are_integrated_as_well(tau: float) -> None:
    """A subject beyond both bounds has a probability that is nearly a step in its effect."""
    bounds = np.array([[-1.0, -1.0], [0.5, -2.0], [3.0, 1.0], [-1.1 * abs(tau), -abs(tau)]])
    side = np.full(bounds.shape, -1)
    x = np.ones((1, 2, 1))
    for bound, which in zip(bounds, side, strict=True):
        steps = np.concatenate([(c + np.array([-9.0, -3.0, 0.0, 3.0, 9.0])) / tau for c in bound])
        edges = np.unique(np.concatenate([[-12.0, 12.0], np.clip(steps, -12, 12)]))

        def density(u: float, bound: np.ndarray = bound) -> float:
            return float(stats.norm.pdf(u) * np.prod(special.ndtr(bound - tau * u)))

        parts = [
            integrate.quad(density, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pairwise(edges)
        ]
        ours = log_likelihood(bound[None], which[None], x, np.zeros(1), 1.0, tau)
        assert ours == pytest.approx(np.log(sum(parts)), abs=2e-8)


def test_the_maximum_is_one() -> None:
    y, side, x = pairs()
    fit = censored_mixed(y, side, x)
    assert fit.converged
    best = np.concatenate([fit.coef, [np.log(fit.sigma), fit.tau]])
    top = brute_force(y, side, x, best)
    assert fit.log_likelihood == pytest.approx(top, abs=1e-8)
    for i in range(4):
        for step in (-0.02, 0.02):
            moved = best.copy()
            moved[i] += step
            assert brute_force(y, side, x, moved) < top


def test_the_covariance_is_the_inverse_of_a_numerical_hessian() -> None:
    y, side, x = pairs(seed=4)
    fit = censored_mixed(y, side, x)
    best = np.concatenate([fit.coef, [np.log(fit.sigma), fit.tau]])
    h = 1e-3
    hessian = np.empty((4, 4))
    for i in range(4):
        for j in range(4):
            total = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                p = best.copy()
                p[i] += a * h
                p[j] += b * h
                total += a * b * log_likelihood(y, side, x, p[:2], float(np.exp(p[2])), p[3])
            hessian[i, j] = total / (4 * h * h)
    np.testing.assert_allclose(fit.vcov, np.linalg.inv(-hessian)[:2, :2], rtol=1e-3)
    gradient = _derivatives(y, side, x, best)[1]
    np.testing.assert_allclose(gradient, 0, atol=1e-7)


def test_without_censoring_pairs_give_the_mean_difference() -> None:
    rng = np.random.default_rng(9)
    b = rng.normal(0, 1, 9)
    y = np.column_stack([b, b - 0.4]) + rng.normal(0, 0.4, (9, 2))
    x = np.zeros((9, 2, 2))
    x[:, :, 0], x[:, 1, 1] = 1, 1
    fit = censored_mixed(y, np.zeros((9, 2), dtype=np.int64), x)
    d = y[:, 1] - y[:, 0]
    assert fit.coef[1] == pytest.approx(d.mean(), rel=1e-8)
    se = np.sqrt(fit.vcov[1, 1] * 9 / 8)
    assert se == pytest.approx(d.std(ddof=1) / 3, rel=1e-6)


def test_without_a_subject_effect_it_is_the_tobit() -> None:
    # Negatively correlated pairs: the variance of the subjects is at its bound.
    y, side, x = pairs(n=12, seed=2)
    order = np.argsort(-y[:, 1])
    y[:, 0] = np.sort(y[:, 0])
    side[:, 0] = side[np.argsort(y[:, 0], kind="stable"), 0] * 0
    y[:, 1], side[:, 1] = y[order, 1], side[order, 1]
    fit = censored_mixed(y, side, x)
    flat = tobit_rows(y.reshape(1, -1), side.reshape(1, -1), x.reshape(-1, 2))
    assert fit.tau == 0.0
    np.testing.assert_allclose(fit.coef, flat.coef[0], atol=1e-6)
    np.testing.assert_allclose(fit.vcov, flat.vcov[0], rtol=1e-4)


def test_scores_are_derivatives_in_each_mean() -> None:
    y, side, x = pairs(seed=6)
    fit = censored_mixed(y, side, x)
    scores = subject_scores(y, side, x, fit)

    def value(i: int, j: int, step: float) -> float:
        moved = y.copy()
        moved[i, j] -= step
        return log_likelihood(moved, side, x, fit.coef, fit.sigma, fit.tau)

    for i, j in ((0, 0), (3, 1), (7, 1)):
        slope = (value(i, j, 1e-4) - value(i, j, -1e-4)) / 2e-4
        assert scores[i, j] == pytest.approx(slope, rel=1e-5, abs=1e-7)
