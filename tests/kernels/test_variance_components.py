"""Variance components by cells against dense matrices, the random intercept and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

from trialkit.errors import ConvergenceError
from trialkit.kernels.random_intercept import fit_random_intercept
from trialkit.kernels.variance_components import ComponentsFit, fit_components
from trialkit.typing import FloatArray, IntArray

Data = tuple[FloatArray, FloatArray, IntArray, IntArray]


def trial(
    seed: int = 1, *, between: float = 1.0, period: float = 0.8, error: tuple[float, ...] = (1.0,)
) -> Data:
    """Outcome of subjects with one to three cells of one to four rows; x has four columns."""
    rng = np.random.default_rng(seed)
    size = np.array(
        [[3, 2, 4], [1, 1, 1], [2, 2, 0], [2, 2, 0], [4, 0, 0], [1, 3, 2], [2, 4, 3], [1, 2, 0]] * 2
    )
    subject, cell = np.repeat(np.argwhere(size > 0), size[size > 0], axis=0).T
    n = subject.size
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2)), cell == 1])
    scale = np.array(error)[cell % len(error)]
    y = x @ [2.0, 1.0, -1.0, 0.5] + between * rng.normal(size=size.shape[0])[subject]
    y = y + period * rng.normal(size=size.shape)[subject, cell] + scale * rng.normal(size=n)
    shuffled = rng.permutation(n)
    return x[shuffled], y[shuffled], subject[shuffled], cell[shuffled]


def nested(data: Data, *, bounded: bool = True) -> ComponentsFit:
    """Subjects, their cells, and one error."""
    x, y, subject, cell = data
    return fit_components(
        x,
        y,
        subject,
        cell=cell,
        kind=np.zeros_like(cell),
        has_cell_variance=True,
        bounded=bounded,
    )


def by_cell(data: Data, *, bounded: bool = True) -> ComponentsFit:
    """Subjects, and an error for each cell's code."""
    x, y, subject, cell = data
    return fit_components(
        x, y, subject, cell=cell, kind=cell, has_cell_variance=False, bounded=bounded
    )


def parts_of(fit: Any, data: Data) -> list[FloatArray]:
    """The dense G_s of a model, from its definition."""
    _, y, subject, cell = data
    same = (subject[:, None] == subject[None]).astype(float)
    if fit is nested:
        return [same, same * (cell[:, None] == cell[None]), np.eye(y.size)]
    return [same, *(np.diag((cell == each).astype(float)) for each in range(3))]


def deviance(theta: FloatArray, data: Data, parts: list[FloatArray]) -> float:
    """-2 restricted log-likelihood from the full covariance matrix."""
    x, y = data[:2]
    v = sum(t * part for t, part in zip(theta, parts, strict=True))
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    return float(
        np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(information)[1]
        + residual @ inverse @ residual
        + (y.size - x.shape[1]) * np.log(2 * np.pi)
    )


def hessian(theta: FloatArray, data: Data, parts: list[FloatArray]) -> FloatArray:
    q, step = theta.size, 1e-3 * theta
    out = np.empty((q, q))
    for i in range(q):
        for j in range(q):
            e, f = np.eye(q)[i] * step, np.eye(q)[j] * step
            values = [
                deviance(theta + a * e + b * f, data, parts) * a * b
                for a in (1, -1)
                for b in (1, -1)
            ]
            out[i, j] = sum(values) / (4 * step[i] * step[j])
    return out


@pytest.mark.parametrize(
    ("model", "seed"), [(nested, 1), (nested, 2), (by_cell, 1), (by_cell, 2), (by_cell, 3)]
)
def test_the_optimum_is_that_of_the_dense_likelihood(model: Any, seed: int) -> None:
    data = trial(seed, error=(0.6, 1.5, 1.0) if model is by_cell else (1.0,))
    fit, parts = model(data), parts_of(model, data)
    found = optimize.minimize(
        lambda u: deviance(np.exp(u), data, parts),
        np.zeros(len(parts)),
        method="BFGS",
        options={"gtol": 1e-6},
    )
    assert fit.at_bound == ()
    np.testing.assert_allclose(fit.theta, np.exp(found.x), rtol=1e-4)
    np.testing.assert_allclose(fit.deviance, deviance(fit.theta, data, parts), rtol=1e-12)
    assert fit.deviance <= found.fun + 1e-10


@pytest.mark.parametrize("model", [nested, by_cell])
@pytest.mark.parametrize("expected", [True, False])
def test_information_and_kenward_roger_against_dense_matrices(model: Any, expected: bool) -> None:
    data = trial(error=(0.6, 1.5, 1.0) if model is by_cell else (1.0,))
    fit, parts = model(data), parts_of(model, data)
    x = data[0]
    known, scale = fit.small_sample(expected=expected), fit.basis.scale**2
    inverse = np.linalg.inv(sum(t * part for t, part in zip(fit.theta, parts, strict=True)))
    phi = np.linalg.inv(x.T @ inverse @ x)
    np.testing.assert_allclose(fit.vcov, phi, rtol=1e-9, atol=1e-12)
    if expected:
        p = inverse - inverse @ x @ phi @ x.T @ inverse
        information = np.array([[np.trace(p @ a @ p @ b) for b in parts] for a in parts]) / 2
        rtol = 1e-8
    else:
        information = hessian(fit.theta, data, parts) / 2
        rtol = 1e-3
    weights = known.weights * scale**2
    np.testing.assert_allclose(weights, np.linalg.inv(information), rtol=rtol, atol=1e-9)
    total = np.zeros_like(phi)
    for s, a in enumerate(parts):
        for t, b in enumerate(parts):
            q = x.T @ inverse @ a @ inverse @ b @ inverse @ x
            p_s, p_t = (x.T @ inverse @ part @ inverse @ x for part in (a, b))
            total += weights[s, t] * (q - p_s @ phi @ p_t)
    adjusted = phi + 2 * phi @ total @ phi
    found = fit.basis.covariance(known.adjusted())
    np.testing.assert_allclose(found, adjusted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("cells", ["one", "several"])
def test_one_error_variance_is_the_random_intercept(seed: int, bounded: bool, cells: str) -> None:
    x, y, subject, cell = trial(seed, between=0.6 * (seed % 3), period=0.0)
    theirs = fit_random_intercept(x, y, subject, bounded=bounded)
    ours = fit_components(
        x,
        y,
        subject,
        cell=np.zeros_like(cell) if cells == "one" else cell,
        kind=np.zeros_like(cell),
        has_cell_variance=False,
        bounded=bounded,
    )
    assert ours.at_bound == theirs.at_bound
    np.testing.assert_allclose(ours.theta, theirs.theta, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.deviance, theirs.deviance, rtol=1e-12)
    np.testing.assert_allclose(ours.coef, theirs.coef, rtol=1e-10)
    np.testing.assert_allclose(ours.vcov, theirs.vcov, rtol=1e-10, atol=1e-14)
    for expected in (True, False) if not ours.at_bound else (True,):
        one, other = (each.small_sample(expected=expected) for each in (ours, theirs))
        np.testing.assert_allclose(one.weights, other.weights, rtol=1e-9)
        np.testing.assert_allclose(one.adjusted(), other.adjusted(), rtol=1e-9, atol=1e-14)


def test_balanced_nested_data_give_the_variances_of_the_anova() -> None:
    rng = np.random.default_rng(5)
    y = 2 * rng.normal(size=(10, 1, 1)) + rng.normal(size=(10, 3, 1)) + rng.normal(size=(10, 3, 4))
    subject, cell = np.repeat(np.arange(10), 12), np.tile(np.repeat(np.arange(3), 4), 10)
    fit = nested((np.ones((120, 1)), y.ravel(), subject, cell))
    means = y.mean(axis=2)
    residual = y.var(axis=2, ddof=1).mean()
    period = means.var(axis=1, ddof=1).mean() - residual / 4
    between = means.mean(axis=1).var(ddof=1) - means.var(axis=1, ddof=1).mean() / 3
    np.testing.assert_allclose(fit.theta, [between, period, residual], rtol=1e-9)


@pytest.mark.parametrize(("model", "seed"), [(nested, 7), (by_cell, 12)])
def test_a_variance_below_zero_is_held_there_or_not(model: Any, seed: int) -> None:
    x, y, subject, cell = trial(seed, between=0.0, period=0.0)
    # Means of subjects that agree more than chance allows.
    means = np.bincount(subject, y) / np.bincount(subject)
    data = (x, y - (0.9 if model is nested else 1.0) * means[subject], subject, cell)
    held, free = model(data), model(data, bounded=False)
    assert 0 in held.at_bound
    assert held.theta[0] == 0
    assert free.at_bound == ()
    assert free.theta[0] < 0
    assert free.deviance < held.deviance
    parts = parts_of(model, data)
    best = optimize.minimize(
        lambda u: deviance(np.append(0.0, np.exp(u)), data, parts),
        np.zeros(len(parts) - 1),
        method="BFGS",
    )
    np.testing.assert_allclose(held.deviance, best.fun, atol=1e-7)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_estimates_follow_the_unit_of_the_outcome(unit: float) -> None:
    x, y, subject, cell = trial()
    fit = by_cell((x, y, subject, cell))
    scaled = by_cell((x, 3 * unit + unit * y, subject, cell))
    np.testing.assert_allclose(scaled.theta, unit**2 * fit.theta, rtol=1e-7)
    np.testing.assert_allclose(scaled.vcov, unit**2 * fit.vcov, rtol=1e-7, atol=1e-12 * unit**2)


def test_variances_that_the_data_do_not_determine_are_an_error() -> None:
    rng = np.random.default_rng(1)
    subject, cell = np.repeat(np.arange(8), 2), np.tile([0, 1], 8)
    y, x = rng.normal(size=16), np.ones((16, 1))
    with pytest.raises(ConvergenceError, match="do not determine"):
        nested((x, y, subject, cell))


def test_a_vanishing_error_is_an_error() -> None:
    rng = np.random.default_rng(1)
    subject, cell = np.repeat(np.arange(8), 4), np.tile([0, 0, 1, 1], 8)
    y = np.repeat(rng.normal(size=16), 2)
    with pytest.raises(ConvergenceError, match="becomes singular"):
        nested((np.ones((32, 1)), y, subject, cell))


def test_one_error_that_vanishes_is_an_error_too() -> None:
    x, y, subject, cell = trial(2)
    # Rows of the first cell repeat each other but for rounding.
    means = np.bincount(subject[cell == 0], y[cell == 0]) / np.bincount(subject[cell == 0])
    rounding = 1e-7 * np.random.default_rng(1).normal(size=y.size)
    y = np.where(cell == 0, means[subject] + rounding, y)
    x = x[:, [0, 3]]
    with pytest.raises(ConvergenceError, match=r"becomes singular|rise without end"):
        by_cell((x, y, subject, cell))
