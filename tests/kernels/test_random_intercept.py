"""Random intercepts by strata against dense matrices and numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.random_intercept import fit_random_intercept
from trialkit.kernels.within_subject import between_within_sums, fit_within, within_aliased
from trialkit.typing import FloatArray, IntArray


def trial(seed: int = 1, between: float = 1.0) -> tuple[FloatArray, FloatArray, IntArray]:
    rng = np.random.default_rng(seed)
    size = np.array([4, 4, 3, 2, 1, 4, 3, 3, 2, 4, 4, 1])
    subject = np.repeat(np.arange(size.size), size)
    x = np.column_stack([np.ones(subject.size), rng.normal(size=(subject.size, 2)), subject % 2])
    y = x @ [2.0, 1.0, -1.0, 0.5] + between * rng.normal(size=size.size)[subject]
    return x, y + rng.normal(size=subject.size), subject


def deviance(theta: FloatArray, x: FloatArray, y: FloatArray, subject: IntArray) -> float:
    """-2 restricted log-likelihood from the full covariance matrix."""
    same = (subject[:, None] == subject[None]).astype(float)
    v = theta[0] * same + theta[1] * np.eye(y.size)
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    return float(
        np.linalg.slogdet(v)[1]
        + np.linalg.slogdet(information)[1]
        + residual @ inverse @ residual
        + (y.size - x.shape[1]) * np.log(2 * np.pi)
    )


def hessian(theta: FloatArray, *data: FloatArray) -> FloatArray:
    step = 1e-3 * theta
    out = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            e, f = np.eye(2)[i] * step, np.eye(2)[j] * step
            values = [
                deviance(theta + a * e + b * f, *data) * a * b for a in (1, -1) for b in (1, -1)
            ]
            out[i, j] = sum(values) / (4 * step[i] * step[j])
    return out


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_optimum_is_that_of_the_dense_likelihood(seed: int) -> None:
    x, y, subject = trial(seed)
    fit = fit_random_intercept(x, y, subject, bounded=True)
    found = optimize.minimize(
        lambda u: deviance(np.exp(u), x, y, subject),
        np.zeros(2),
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-12},
    )
    np.testing.assert_allclose([fit.between, fit.within], np.exp(found.x), rtol=1e-5)
    np.testing.assert_allclose(fit.deviance, found.fun, rtol=1e-11)
    assert not fit.is_at_bound


@pytest.mark.parametrize("expected", [True, False])
def test_information_and_kenward_roger_against_dense_matrices(expected: bool) -> None:
    x, y, subject = trial()
    fit = fit_random_intercept(x, y, subject, bounded=True)
    known, scale = fit.small_sample(expected=expected), fit.basis.scale**2
    same = (subject[:, None] == subject[None]).astype(float)
    parts = [same, np.eye(y.size)]
    inverse = np.linalg.inv(fit.between * same + fit.within * np.eye(y.size))
    phi = np.linalg.inv(x.T @ inverse @ x)
    np.testing.assert_allclose(fit.vcov, phi, rtol=1e-9)
    if expected:
        p = inverse - inverse @ x @ phi @ x.T @ inverse
        information = np.array([[np.trace(p @ a @ p @ b) for b in parts] for a in parts]) / 2
        rtol = 1e-9
    else:
        theta = np.array([fit.between, fit.within])
        information = hessian(theta, x, y, subject) / 2
        rtol = 1e-4
    weights = np.linalg.inv(information)
    np.testing.assert_allclose(known.weights * scale**2, weights, rtol=rtol)
    weights = known.weights * scale**2
    total = np.zeros_like(phi)
    for s, a in enumerate(parts):
        for t, b in enumerate(parts):
            q = x.T @ inverse @ a @ inverse @ b @ inverse @ x
            p_s, p_t = (x.T @ inverse @ part @ inverse @ x for part in (a, b))
            total += weights[s, t] * (q - p_s @ phi @ p_t)
    adjusted = phi + 2 * phi @ total @ phi
    np.testing.assert_allclose(fit.basis.covariance(known.adjusted()), adjusted, rtol=1e-9)


def test_complete_balanced_data_give_the_variances_of_the_anova() -> None:
    rng = np.random.default_rng(5)
    subject = np.repeat(np.arange(10), 3)
    y = 2 * rng.normal(size=10)[subject] + rng.normal(size=30)
    fit = fit_random_intercept(np.ones((30, 1)), y, subject, bounded=True)
    means = y.reshape(10, 3).mean(axis=1)
    within = y.reshape(10, 3).var(axis=1, ddof=1).mean()
    np.testing.assert_allclose(fit.within, within, rtol=1e-9)
    np.testing.assert_allclose(fit.between, means.var(ddof=1) - within / 3, rtol=1e-9)


def test_unbounded_goes_below_zero_and_bounded_stops_there() -> None:
    rng = np.random.default_rng(5)
    subject = np.repeat(np.arange(10), 2)
    y = np.where(np.arange(20) % 2, 1.0, -1.0) * rng.normal(size=10)[subject]
    y = y + 0.1 * rng.normal(size=20)
    x = np.ones((20, 1))
    free = fit_random_intercept(x, y, subject, bounded=False)
    held = fit_random_intercept(x, y, subject, bounded=True)
    assert free.between < 0
    assert not free.is_at_bound
    assert held.between == 0
    assert held.is_at_bound
    np.testing.assert_allclose(held.within, y.var(ddof=1), rtol=1e-12)
    means = y.reshape(10, 2).mean(axis=1)
    np.testing.assert_allclose(free.between + free.within / 2, means.var(ddof=1), rtol=1e-9)
    # Dropping the between-subject variance leaves the df of one residual variance.
    df = held.small_sample(expected=True).without(0).df(held.basis.contrasts(np.ones((1, 1))))
    np.testing.assert_allclose(df, 19.0, rtol=1e-10)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_estimates_follow_the_unit_of_the_outcome(unit: float) -> None:
    x, y, subject = trial()
    fit = fit_random_intercept(x, y, subject, bounded=True)
    scaled = fit_random_intercept(x, 3 * unit + unit * y, subject, bounded=True)
    np.testing.assert_allclose(scaled.between, unit**2 * fit.between, rtol=1e-7)
    np.testing.assert_allclose(scaled.vcov, unit**2 * fit.vcov, rtol=1e-7)


def test_without_two_variances_there_is_no_fit() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match="within-subject variance"):
        fit_random_intercept(np.ones((6, 1)), rng.normal(size=6), np.arange(6), bounded=True)
    subject = np.repeat([0, 1], 5)
    x = np.column_stack([np.ones(10), subject])
    with pytest.raises(DataError, match="between-subject variance"):
        fit_random_intercept(x, rng.normal(size=10), subject, bounded=True)


def test_a_vanishing_within_variance_is_an_error() -> None:
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(8), 2)
    y = rng.normal(size=8)[subject]
    with pytest.raises(ConvergenceError, match="within variance goes to zero"):
        fit_random_intercept(np.ones((16, 1)), y, subject, bounded=True)


def test_absorbed_subjects_are_subjects_as_columns() -> None:
    x, y, subject = trial(4)
    x = x[:, :3]
    fit = fit_within(x, y, subject)
    dummies = (subject[:, None] == np.arange(12)[None]).astype(float)
    full = np.column_stack([dummies, x[:, 1:]])
    b, rss, *_ = np.linalg.lstsq(full, y, rcond=None)
    df = y.size - 14
    assert fit.df_residual == df
    np.testing.assert_allclose(fit.mse, rss[0] / df, rtol=1e-10)
    row = np.zeros((3, 14))
    row[0, :12], row[1, 12], row[2, 13] = 1 / 12, 1.0, 1.0
    np.testing.assert_allclose(fit.coef, row @ b, rtol=1e-9)
    vcov = row @ np.linalg.inv(full.T @ full) @ row.T * rss[0] / df
    np.testing.assert_allclose(fit.vcov, vcov, rtol=1e-9)
    _, rss0, *_ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(fit.subject_sum_sq, rss0[0] - rss[0], rtol=1e-9)
    assert fit.subject_df == 11


def test_what_is_constant_within_subjects_is_aliased_with_them() -> None:
    x, _, subject = trial()
    assert within_aliased(x[:, 1:], subject).tolist() == [False, False, True]


def test_sums_of_squares_between_groups_and_within_them() -> None:
    y = np.array([1.0, 2.0, 3.0, 5.0, 4.0, 9.0])
    subject, group = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 0, 1, 1])
    found = between_within_sums(y, subject, group)
    # Group means 2.75 and 6.5 around 4; subject means 1.5, 4 around 2.75.
    assert found == pytest.approx((4 * 1.25**2 + 2 * 2.5**2, 1, 4 * 1.25**2, 1))
