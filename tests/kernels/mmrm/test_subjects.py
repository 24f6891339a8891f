"""Residuals, scores, conditional means and simulated outcomes."""

from __future__ import annotations

import numpy as np
from kernels.mmrm.trials import small_trial
from scipy import linalg

from trialkit.kernels.mmrm.fit import fit_marginal
from trialkit.kernels.mmrm.information import natural_parameters
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.subject_rows import padded_rows
from trialkit.kernels.mmrm.subjects import (
    coefficient_scores,
    conditional,
    covariance_scores,
    scaled_residuals,
    simulate,
)


def everything(*, reml: bool = True, seed: int = 2):
    trial = small_trial(n=20, m=3, seed=seed)
    lay = layout(
        subject=trial.subject, visit=trial.visit, n_visits=3, group=trial.group, n_groups=2
    )
    fit = fit_marginal(trial.x, trial.y, layout=lay, weights=trial.weights, reml=reml)
    rows = padded_rows(trial.x, trial.y, layout=lay, basis=fit.basis, weights=trial.weights)
    return trial, fit, rows, lay


def blocks(trial, fit):
    for i in range(20):
        rows = np.flatnonzero(trial.subject == i)
        rows = rows[np.argsort(trial.visit[rows])]
        sigma = fit.sigma[trial.group[rows[0]]][0][np.ix_(trial.visit[rows], trial.visit[rows])]
        root = np.sqrt(trial.weights[rows])
        yield i, rows, sigma / np.outer(root, root)


def test_scaled_residuals_are_whitened_by_the_lower_factor() -> None:
    trial, fit, padded, lay = everything()
    ours = scaled_residuals(fit, padded, lay)
    residual = trial.y - trial.x @ fit.coef
    for _, rows, v in blocks(trial, fit):
        root = linalg.cholesky(v, lower=True)
        np.testing.assert_allclose(
            ours[rows], linalg.solve_triangular(root, residual[rows], lower=True), rtol=1e-7
        )


def test_scores_are_each_subjects_part_and_sum_to_zero() -> None:
    trial, fit, padded, lay = everything()
    ours = coefficient_scores(fit, padded, lay)
    residual = trial.y - trial.x @ fit.coef
    for i, rows, v in blocks(trial, fit):
        truth = trial.x[rows].T @ np.linalg.solve(v, residual[rows])
        np.testing.assert_allclose(ours[i], truth, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.sum(axis=0), 0, atol=1e-8 * np.abs(ours).max())


def test_covariance_scores_sum_to_zero_under_maximum_likelihood() -> None:
    _, fit, padded, lay = everything(reml=False)
    firsts = [natural.first for natural in natural_parameters(fit)]
    ours = covariance_scores(fit, padded, lay, firsts)
    assert ours.shape == (20, 12)
    np.testing.assert_allclose(ours.sum(axis=0), 0, atol=1e-6 * np.abs(ours).max())
    assert np.abs(ours).max() > 0.1


def test_conditional_distribution_of_the_unseen() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(3, 3))
    sigma = root @ root.T
    seen = np.array([[True, False, True], [False, False, False], [True, True, True]])
    residual = np.where(seen, rng.normal(size=(3, 3)), 0.0)
    ours = conditional(sigma[None], seen, residual)
    observed, unseen = [0, 2], [1]
    regression = sigma[np.ix_(unseen, observed)] @ np.linalg.inv(sigma[np.ix_(observed, observed)])
    np.testing.assert_allclose(ours.shift[0, 1], regression @ residual[0, observed])
    np.testing.assert_allclose(ours.shift[0, observed], residual[0, observed])
    left = sigma[1, 1] - regression @ sigma[np.ix_(observed, unseen)]
    np.testing.assert_allclose(ours.variance[0, 1, 1], left[0, 0])
    assert (ours.variance[0][observed] == 0).all()
    np.testing.assert_allclose(ours.variance[1], sigma)
    np.testing.assert_array_equal(ours.shift[1], 0)
    np.testing.assert_allclose(ours.shift[2], residual[2])


def test_simulated_outcomes_have_the_fitted_moments() -> None:
    trial, fit, _, lay = everything()
    mean = trial.x @ fit.coef
    rng = np.random.default_rng(7)
    draws = np.array(
        [simulate(fit, mean, rng, layout=lay, weights=trial.weights) for _ in range(4000)]
    )
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=6 * draws.std() / np.sqrt(4000))
    for _, rows, v in list(blocks(trial, fit))[:5]:
        np.testing.assert_allclose(np.cov(draws[:, rows].T), v, atol=0.12 * np.abs(v).max(), rtol=0)
    again = simulate(fit, mean, np.random.default_rng(7), layout=lay, weights=trial.weights)
    np.testing.assert_array_equal(again, draws[0])
