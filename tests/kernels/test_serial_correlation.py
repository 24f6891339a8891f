"""AR(1) by day against dense likelihoods and numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from trialkit.errors import ConvergenceError
from trialkit.kernels.serial_correlation import SerialFit, fit_serial
from trialkit.typing import FloatArray, IntArray

Data = tuple[FloatArray, FloatArray, IntArray, FloatArray]


def diary(seed: int = 1, level: float = 3.0, phi: float = 0.6) -> Data:
    rng = np.random.default_rng(seed)
    subject, day = np.divmod(np.arange(8 * 24), 24)
    error = np.empty((8, 24))
    error[:, 0] = rng.normal(size=8)
    for d in range(1, 24):
        error[:, d] = phi * error[:, d - 1] + np.sqrt(1 - phi**2) * rng.normal(size=8)
    x = np.column_stack([np.ones(subject.size), day >= 12]).astype(float)
    y = 20 - 2 * x[:, 1] + level * rng.normal(size=8)[subject] + 2 * error.ravel()
    kept = rng.random(subject.size) > 0.15
    return x[kept], y[kept], subject[kept], day[kept].astype(float)


def deviance(theta: FloatArray, data: Data) -> float:
    """-2 restricted log-likelihood at (residual, phi[, between]) from the full matrix."""
    x, y, subject, day = data
    same = subject[:, None] == subject[None]
    v = np.where(same, theta[0] * theta[1] ** np.abs(day[:, None] - day[None]), 0.0)
    if theta.size == 3:
        v = v + theta[2] * same
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    return float(
        np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(information)[1]
        + residual @ inverse @ residual
        + (y.size - x.shape[1]) * np.log(2 * np.pi)
    )


def theta_of(fit: SerialFit) -> FloatArray:
    parts = [fit.residual, fit.phi] + ([] if fit.between is None else [fit.between])
    return np.array(parts)


@pytest.mark.parametrize("random_subject", [True, False])
def test_the_optimum_is_that_of_the_dense_likelihood(random_subject: bool) -> None:
    data = diary()
    fit = fit_serial(*data, random_subject=random_subject)
    theta = theta_of(fit)
    np.testing.assert_allclose(deviance(theta, data), fit.deviance, rtol=1e-11)
    found = optimize.minimize(
        lambda u: deviance(theta * np.exp(u), data) if theta[1] * np.exp(u[1]) < 1 else 1e9,
        np.full(theta.size, 0.01),
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-11},
    )
    np.testing.assert_allclose(found.x, 0.0, atol=1e-5)


def test_the_information_is_the_numerical_hessian() -> None:
    data = diary()
    fit = fit_serial(*data, random_subject=True)
    theta = theta_of(fit)
    step = 1e-3 * theta
    numerical = np.empty((3, 3))
    for i, e in enumerate(np.diag(step)):
        for j, f in enumerate(np.diag(step)):
            signs = [(a, b) for a in (1, -1) for b in (1, -1)]
            value = sum(a * b * deviance(theta + a * e + b * f, data) for a, b in signs)
            numerical[i, j] = value / (4 * step[i] * step[j]) / 2
    unit = np.array([fit.basis.scale**2, 1.0, fit.basis.scale**2])
    ours = fit.small_sample.weights * np.outer(unit, unit)
    np.testing.assert_allclose(ours, np.linalg.inv(numerical), rtol=1e-3)


@pytest.mark.parametrize("seed", [1, 4, 6])
def test_without_a_level_of_its_own_the_subject_variance_is_at_the_bound(seed: int) -> None:
    fit = fit_serial(*diary(level=0.0, phi=0.8, seed=seed), random_subject=True)
    assert fit.is_at_bound
    assert fit.between == 0
    alone = fit_serial(*diary(level=0.0, phi=0.8, seed=seed), random_subject=False)
    np.testing.assert_allclose(fit.deviance, alone.deviance, rtol=1e-12)


def test_a_correlation_without_optimum_is_an_error() -> None:
    rng = np.random.default_rng(2)
    subject, day = np.divmod(np.arange(200), 40)
    signs = np.where(day % 2, 1.0, -1.0)
    y = 3 * signs * rng.uniform(0.9, 1.1, size=200)
    with pytest.raises(ConvergenceError):
        fit_serial(np.ones((200, 1)), y, subject, day.astype(float), random_subject=False)
