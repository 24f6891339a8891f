"""Batched tobit against a direct maximisation, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from trialkit.kernels.tobit_rows import tobit_rows, tobit_scores


def negative_log_likelihood(
    params: np.ndarray, y: np.ndarray, side: np.ndarray, x: np.ndarray
) -> float:
    z = (y - x @ params[:-1]) / np.exp(params[-1])
    terms = np.where(side == 0, stats.norm.logpdf(z) - params[-1], 0.0)
    terms = np.where(side < 0, stats.norm.logcdf(z), terms)
    return -float(np.sum(np.where(side > 0, stats.norm.logsf(z), terms)))


def sample(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=n), np.arange(n) % 2])
    truth = x @ np.array([1.0, 0.5, -0.7]) + rng.normal(0, 0.8, n)
    low, high = rng.choice([0.2, 0.5], n), 2.2
    side = np.where(truth < low, -1, np.where(truth > high, 1, 0)).astype(np.int64)
    return np.clip(truth, low, high), side, x


def test_agrees_with_a_general_optimiser() -> None:
    samples = [sample(seed) for seed in range(6)]
    y, side, x = (np.stack(part) for part in zip(*samples, strict=True))
    y[2, 5] = np.nan
    fit = tobit_rows(y, side, x)
    assert fit.converged.all()
    for row in range(6):
        keep = ~np.isnan(y[row])
        data = (y[row][keep], side[row][keep], x[row][keep])
        best = optimize.minimize(
            negative_log_likelihood, [0, 0, 0, 0.0], args=data, method="BFGS", tol=1e-10
        )
        np.testing.assert_allclose(fit.coef[row], best.x[:3], atol=2e-5)
        assert fit.log_likelihood[row] == pytest.approx(-best.fun, abs=1e-8)
        hessian = numerical_hessian(np.append(fit.coef[row], np.log(fit.sigma[row])), data)
        np.testing.assert_allclose(fit.vcov[row], np.linalg.inv(hessian)[:3, :3], rtol=1e-4)


def numerical_hessian(at: np.ndarray, data: tuple[np.ndarray, ...]) -> np.ndarray:
    step, size = 1e-4, at.size
    out = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            total = 0.0
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                point = at.copy()
                point[i] += a * step
                point[j] += b * step
                total += a * b * negative_log_likelihood(point, *data)
            out[i, j] = total / (4 * step**2)
    return out


def test_without_censoring_it_is_least_squares() -> None:
    y, _, x = sample(1)
    fit = tobit_rows(y[None], np.zeros((1, y.size), dtype=np.int64), x)
    beta, rss, _, _ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(fit.coef[0], beta, rtol=1e-10)
    assert fit.sigma[0] == pytest.approx(np.sqrt(rss[0] / y.size), rel=1e-10)


def test_both_sides_are_mirror_images() -> None:
    y, side, x = sample(4)
    right = tobit_rows(-y[None], -side[None], x)
    left = tobit_rows(y[None], side[None], x)
    np.testing.assert_allclose(right.coef, -left.coef, rtol=1e-10)
    np.testing.assert_allclose(right.vcov, left.vcov, rtol=1e-10)


def test_a_likelihood_without_a_maximum_is_not_converged() -> None:
    y, side, x = sample(5)
    side = np.where(x[:, 2] == 1, -1, 0)[None]  # one arm wholly below its limit
    assert not tobit_rows(y[None], side, x).converged[0]
    assert np.isnan(tobit_rows(y[None], np.full_like(side, -1), x).coef).all()


def test_scores_sum_to_zero_against_the_design() -> None:
    y, side, x = sample(6)
    fit = tobit_rows(y[None], side[None], x)
    scores = tobit_scores(y[None], side[None], x, fit)[0]
    np.testing.assert_allclose(x.T @ scores, 0, atol=1e-8)

    def shifted(eps: float, i: int) -> float:
        params = np.append(fit.coef[0], np.log(fit.sigma[0]))
        moved = x.copy()
        return -negative_log_likelihood(params, y - eps * (np.arange(y.size) == i), side, moved)

    for i in (0, 7, 20):
        slope = (shifted(1e-5, i) - shifted(-1e-5, i)) / 2e-5
        assert scores[i] == pytest.approx(slope, rel=1e-6)
