"""Robust covariance and its df, between-within, Fai-Cornelius: against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.trials import small_trial
from scipy import linalg

from trialkit.errors import ConvergenceError, DataError, SpecError
from trialkit.kernels.mmrm.between_within import (
    between_within_df,
    coefficient_df,
    is_between,
)
from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.information import covariance_information
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance, kenward_roger_f
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.robust import robust_covariance
from trialkit.kernels.mmrm.satterthwaite import fai_cornelius, satterthwaite_df
from trialkit.kernels.mmrm.subject_rows import padded_rows


@pytest.mark.parametrize("kind", ["CR0", "CR2", "CR3"])
@pytest.mark.parametrize("weighted", [False, True])
def test_robust_covariance_by_dense_matrices(kind: str, weighted: bool) -> None:
    trial = small_trial(n=16, m=3, seed=2)
    weights = trial.weights if weighted else np.ones(trial.y.size)
    lay = layout(subject=trial.subject, visit=trial.visit, n_visits=3)
    fit = fit_marginal(
        trial.x, trial.y, layout=lay, covariance="ar1", weights=weights if weighted else None
    )
    rows = padded_rows(
        trial.x,
        trial.y,
        layout=lay,
        basis=fit.basis,
        weights=weights if weighted else None,
    )
    robust = robust_covariance(fit, rows, kind)
    vcov, df = dense_robust(fit, trial, weights, kind)
    np.testing.assert_allclose(fit.basis.covariance(robust.vcov), vcov, rtol=1e-8, atol=1e-12)
    ours = robust.df(fit.basis.contrasts(np.eye(fit.coef.size)))
    np.testing.assert_allclose(ours, df, rtol=1e-8)


def dense_robust(fit: MarginalFit, trial, weights: np.ndarray, kind: str):
    """Everything whitened as one (N, N) problem; the df from the eigenvalues of G'G."""
    order = np.lexsort((trial.visit, trial.subject))
    subject, visit = trial.subject[order], trial.visit[order]
    root = np.zeros((order.size, order.size))
    blocks = [np.flatnonzero(subject == i) for i in sorted(set(subject.tolist()))]
    for rows in blocks:
        own = np.ix_(visit[rows], visit[rows])
        w = np.sqrt(weights[order][rows])
        root[np.ix_(rows, rows)] = linalg.cholesky(
            fit.sigma[0][0][own] / np.outer(w, w), lower=True
        )
    x = np.linalg.solve(root, trial.x[order])
    y = np.linalg.solve(root, trial.y[order])
    phi = np.linalg.inv(x.T @ x)
    hat = x @ phi @ x.T
    residual = y - hat @ y
    power = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}[kind]
    parts = []
    for rows in blocks:
        own = np.eye(rows.size) - hat[np.ix_(rows, rows)]
        values, vectors = np.linalg.eigh(own)
        parts.append((vectors * values**power) @ vectors.T @ x[rows] @ phi)
    meat = [part.T @ residual[rows] for part, rows in zip(parts, blocks, strict=True)]
    vcov = np.array(meat).T @ np.array(meat)
    df = []
    for column in range(x.shape[1]):
        g = np.column_stack(
            [
                (np.eye(order.size) - hat)[:, rows] @ part[:, column]
                for part, rows in zip(parts, blocks, strict=True)
            ]
        )
        values = np.linalg.eigvalsh(g.T @ g)
        df.append(values.sum() ** 2 / np.sum(values**2))
    return vcov, np.array(df)


def test_a_subject_alone_in_a_coefficient_has_cr0_only() -> None:
    trial = small_trial(n=16, m=3, seed=2)
    x = np.column_stack([trial.x, trial.subject == 0])
    lay = layout(subject=trial.subject, visit=trial.visit, n_visits=3)
    fit = fit_marginal(x, trial.y, layout=lay, covariance="ar1")
    rows = padded_rows(x, trial.y, layout=lay, basis=fit.basis, weights=None)
    for kind in ("CR2", "CR3"):
        with pytest.raises(DataError, match=f"1 subject.*{kind}.*CR0 is defined"):
            robust_covariance(fit, rows, kind)
    assert np.isfinite(robust_covariance(fit, rows, "CR0").vcov).all()
    with pytest.raises(SpecError, match="vcov='CR1' is not offered"):
        robust_covariance(fit, rows, "CR1")


def test_between_within_counts_columns() -> None:
    subject, visit = np.repeat(np.arange(6), 3), np.tile(np.arange(3), 6)
    arm = (subject % 2).astype(float)
    x = np.column_stack([np.ones(18), arm, visit == 1, visit == 2])
    lay = layout(subject=subject, visit=visit, n_visits=3)
    np.testing.assert_array_equal(is_between(x, lay), [True, True, False, False])
    contrasts = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 1, 0, 1e-17]])
    df = between_within_df(contrasts, coefficient_df(x, lay, intercept=0))
    # 6 subjects less intercept and arm; 18 rows less 6 subjects and two visits.
    np.testing.assert_array_equal(df, [4, 10, 4, 10, 4])
    without = between_within_df(np.eye(2), coefficient_df(x[:, :2], lay, intercept=0))
    np.testing.assert_array_equal(without, [4, 4])


def test_fai_cornelius_limits() -> None:
    rows, vcov = np.eye(2), np.diag([1.0, 4.0])
    estimate = np.array([1.0, 2.0])

    def of(*df: float):
        return lambda contrasts: np.array(df[: len(contrasts)])

    assert fai_cornelius(rows, vcov, estimate, of(7.0, 7.0)) == (1.0, 7.0)
    assert fai_cornelius(rows, vcov, estimate, of(np.inf, np.inf)) == (1.0, np.inf)
    _, df = fai_cornelius(rows, vcov, estimate, of(10.0, 6.0))
    expected = 10 / 8 + 6 / 4
    assert df == pytest.approx(2 * expected / (expected - 2))
    assert fai_cornelius(rows, vcov, estimate, of(1.5, 1.0))[1] == 1.0
    one = fai_cornelius(rows[:1], vcov, estimate[:1], of(5.0))
    assert one == (1.0, 5.0)


def test_one_contrast_has_scale_one_and_satterthwaite_df() -> None:
    trial = small_trial(n=16, m=3, seed=2)
    lay = layout(subject=trial.subject, visit=trial.visit, n_visits=3)
    fit = fit_marginal(trial.x, trial.y, layout=lay)
    information = covariance_information(fit)
    row = fit.basis.contrasts(np.eye(fit.coef.size)[[2]])
    adjusted = adjusted_covariance(fit, information)
    test = kenward_roger_f(fit, information, adjusted, row)
    assert test.scale == pytest.approx(1.0, rel=1e-9)
    assert test.den_df == pytest.approx(satterthwaite_df(fit, information, row)[0], rel=1e-9)


def test_a_flat_likelihood_is_refused() -> None:
    """A range that only shrinks: nothing correlates, and no range is the best."""
    rng = np.random.default_rng(5)
    n = 40
    y = rng.normal(size=(n, 3))
    y[:, 1] = -0.5 * y[:, 0] + y[:, 1]
    subject, visit = np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)
    lay = layout(subject=subject, visit=visit, n_visits=3, time=10.0 * visit)
    with pytest.raises(ConvergenceError):
        fit_marginal(np.eye(3)[visit], y.ravel(), layout=lay, covariance="spatial-exponential")
