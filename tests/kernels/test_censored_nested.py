"""The censored model with nested effects against integration on a grid and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from trialkit.kernels.censored_mixed import censored_mixed
from trialkit.kernels.censored_nested import (
    cell_scores,
    censored_nested,
    nested_log_likelihood,
)

GRID = np.linspace(-9.5, 9.5, 761)


def draws(
    n: int = 8, r: int = 3, *, seed: int = 1, limit: float = 2.4, omega: float = 0.4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = 3 + rng.normal(0, 1, n)[:, None, None] + rng.normal(0, omega, (n, 2, 1))
    y = y + rng.normal(0, 0.5, (n, 2, r))
    y[:, 1] -= 0.6
    side = np.where(y < limit, -1, np.where(y > 4.5, 1, 0)).astype(np.int64)
    x = np.zeros((n, 2, r, 2))
    x[..., 0] = 1
    x[:, 1, :, 1] = 1
    return np.clip(y, limit, 4.5), side, x


def brute_force(y: np.ndarray, side: np.ndarray, x: np.ndarray, params: np.ndarray) -> float:
    """Both integrals by the trapezoidal rule on one wide grid, without looking for a mode."""
    beta, sigma, tau, omega = params[:-3], np.exp(params[-3]), params[-2], params[-1]
    weight = stats.norm.pdf(GRID) * (GRID[1] - GRID[0])
    total = 0.0
    for yi, si, xi in zip(y, side, x, strict=True):
        over_b = np.ones(GRID.size)
        for yc, sc, xc in zip(yi, si, xi, strict=True):
            inside = np.ones((GRID.size, GRID.size))
            for value, which, row in zip(yc, sc, xc, strict=True):
                if np.isnan(value):
                    continue
                z = (value - row @ beta - tau * GRID[:, None] - omega * GRID[None, :]) / sigma
                inside *= stats.norm.pdf(z) / sigma if which == 0 else stats.norm.cdf(-which * z)
            over_b *= inside @ weight
        total += np.log(over_b @ weight)
    return float(total)


def params_of(fit: object) -> np.ndarray:
    return np.array([*fit.coef, np.log(fit.sigma), fit.tau, fit.omega])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("params", "tolerance"),
    [
        ((3.0, -0.5, -0.7, 0.9, 0.4), 2e-8),
        ((2.5, 0.2, -0.4, -1.3, 0.7), 2e-8),
        ((3.2, -1.0, -0.9, 0.3, -0.9), 2e-8),  # cells' effects of twice the residuals
        ((3.2, -1.0, -1.6, 0.3, 1.0), 2e-8),  # of five times
        ((3.0, -0.5, -1.2, 2.4, 0.2), 2e-8),  # subjects' effects of eight times
    ],
)
def test_the_likelihood_is_that_of_brute_force(params: tuple[float, ...], tolerance: float) -> None:
    y, side, x = draws(n=5, r=2, seed=11)
    assert {-1, 0, 1} == set(side.ravel())
    y[3, 1, 1] = np.nan
    y[2, 0] = np.nan
    values = np.array(params)
    assert nested_log_likelihood(y, side, x, values) == pytest.approx(
        brute_force(y, side, x, values), abs=tolerance
    )


def test_the_maximum_is_one_and_its_covariance_the_inverse_hessian() -> None:
    y, side, x = draws(seed=2)
    fit = censored_nested(y, side, x)
    assert fit.converged
    assert fit.omega > 0
    best = params_of(fit)
    assert fit.log_likelihood == pytest.approx(nested_log_likelihood(y, side, x, best), abs=1e-9)
    h, hessian = 1e-3, np.empty((5, 5))
    for i in range(5):
        for j in range(i + 1):
            value = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                p = best.copy()
                p[i] += a * h
                p[j] += b * h
                value += a * b * nested_log_likelihood(y, side, x, p)
            hessian[i, j] = hessian[j, i] = value / (4 * h * h)
    np.testing.assert_allclose(fit.vcov, np.linalg.inv(-hessian)[:2, :2], rtol=2e-3)
    for i in range(5):
        up, down = best.copy(), best.copy()
        up[i] += 1e-4
        down[i] -= 1e-4
        slope = nested_log_likelihood(y, side, x, up) - nested_log_likelihood(y, side, x, down)
        assert slope / 2e-4 == pytest.approx(0, abs=2e-6)


def test_without_censoring_it_is_normal_theory() -> None:
    """Maximum likelihood of the multivariate normal, by a general optimiser."""
    y, _, x = draws(n=9, seed=5, limit=-99.0)
    y[2, 1, 2] = y[4, 0, 0] = np.nan
    side = np.zeros(y.shape, dtype=np.int64)
    fit = censored_nested(y, side, x)

    def negative(p: np.ndarray) -> float:
        sigma, tau, omega = np.exp(p[2:])
        total = 0.0
        for yi, xi in zip(y.reshape(9, -1), x.reshape(9, 6, 2), strict=True):
            v = tau**2 + omega**2 * np.kron(np.eye(2), np.ones((3, 3))) + sigma**2 * np.eye(6)
            known = ~np.isnan(yi)
            own = v[np.ix_(known, known)]
            total += stats.multivariate_normal.logpdf(yi[known], (xi @ p[:2])[known], own)
        return -float(total)

    start = np.array([*fit.coef, *np.log([fit.sigma, fit.tau, fit.omega])])
    truth = optimize.minimize(negative, start + 0.1, method="BFGS", options={"gtol": 1e-7})
    np.testing.assert_allclose(start, truth.x, atol=2e-5)
    assert fit.log_likelihood == pytest.approx(-truth.fun, abs=1e-8)


def test_balanced_draws_give_the_paired_t_of_their_means() -> None:
    y, _, x = draws(n=9, seed=6, limit=-99.0, omega=0.8)
    fit = censored_nested(y, np.zeros(y.shape, dtype=np.int64), x)
    d = y[:, 1].mean(axis=1) - y[:, 0].mean(axis=1)
    assert fit.omega > 0
    assert fit.coef[1] == pytest.approx(d.mean(), rel=1e-7)
    assert np.sqrt(fit.vcov[1, 1] * 9 / 8) == pytest.approx(d.std(ddof=1) / 3, rel=1e-5)


def test_without_an_effect_of_the_cells_it_is_the_model_with_subjects_alone() -> None:
    y, side, x = draws(seed=4, omega=0.0)
    fit = censored_nested(y, side, x)
    plain = censored_mixed(y.reshape(8, -1), side.reshape(8, -1), x.reshape(8, -1, 2))
    assert fit.omega == 0
    np.testing.assert_allclose(fit.coef, plain.coef, atol=1e-6)
    np.testing.assert_allclose(fit.vcov, plain.vcov, rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-7)


def test_scores_are_derivatives_in_each_mean() -> None:
    y, side, x = draws(seed=2)
    y[0, 0, 1] = np.nan
    fit = censored_nested(y, side, x)
    scores = cell_scores(y, side, x, fit)
    assert np.isnan(scores[0, 0, 1])
    for place in ((0, 0, 0), (3, 1, 2), (7, 1, 0)):
        slopes = []
        for step in (1e-4, -1e-4):
            moved = y.copy()
            moved[place] -= step
            slopes.append(nested_log_likelihood(moved, side, x, params_of(fit)))
        assert scores[place] == pytest.approx((slopes[0] - slopes[1]) / 2e-4, rel=1e-4, abs=1e-6)


def test_subjects_beyond_one_block_count_all() -> None:
    y, side, x = draws(n=20, seed=8)
    params = np.array([3.0, -0.5, -0.7, 0.9, 0.4])
    parts = [
        nested_log_likelihood(y[i : i + 5], side[i : i + 5], x[i : i + 5], params)
        for i in (0, 5, 10, 15)
    ]
    assert nested_log_likelihood(y, side, x, params) == pytest.approx(sum(parts), abs=1e-9)
