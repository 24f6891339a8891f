"""Every structure against a dense implementation with numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.dense_model import DenseModel, natural_sigma
from kernels.mmrm.trials import Trial, small_trial

from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.information import covariance_information, natural_parameters
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance, kenward_roger_f
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.satterthwaite import satterthwaite_df
from trialkit.kernels.mmrm.structures import STRUCTURES

# Differences of the fourth order with steps of 1e-3 leave about this much.
RTOL = 2e-6
MAX_DECREMENT = 1e-9
LINEAR = ("unstructured", "toeplitz", "compound-symmetry")


def fitted(
    trial: Trial, name: str, *, grouped: bool = False, weighted: bool = False, reml: bool = True
) -> tuple[MarginalFit, DenseModel]:
    is_spatial = name == "spatial-exponential"
    lay = layout(
        subject=trial.subject,
        visit=trial.visit,
        n_visits=trial.n_visits,
        group=trial.group if grouped else None,
        n_groups=2 if grouped else 1,
        time=trial.time if is_spatial else None,
    )
    weights = trial.weights if weighted else None
    fit = fit_marginal(trial.x, trial.y, layout=lay, covariance=name, reml=reml, weights=weights)
    thetas = []
    for natural in natural_parameters(fit):
        unit = np.full(natural.values.size, fit.basis.scale**2)
        if name not in LINEAR:
            n_var = trial.n_visits if name.endswith("-het") else 1
            unit[n_var:] = 1.0
        thetas.append(natural.values * unit)
    dense = DenseModel(
        x=trial.x,
        y=trial.y,
        subject=trial.subject,
        visit=trial.visit,
        sigma=[natural_sigma(name, trial.n_visits)] * len(thetas),
        theta=np.concatenate(thetas),
        n_theta=thetas[0].size,
        group=trial.group if grouped else np.zeros_like(trial.group),
        time=trial.time,
        n_visits=trial.n_visits,
        weights=trial.weights if weighted else np.ones(trial.y.size),
        reml=reml,
    )
    return fit, dense


def check(fit: MarginalFit, dense: DenseModel, *, second_order: bool) -> None:
    beta, phi = dense.gls(dense.theta)
    np.testing.assert_allclose(fit.coef, beta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.vcov, phi, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fit.deviance, dense.deviance(dense.theta), rtol=1e-12)
    # A gradient is zero where its Newton step is a small share of a standard error.
    decrement = dense.gradient @ dense.w @ dense.gradient
    assert decrement < MAX_DECREMENT
    contrasts = fit.basis.contrasts(np.eye(beta.size))
    slopes = np.array([dense.slope(s) for s in range(dense.theta.size)])
    for expected in (False, True):
        information = covariance_information(fit, expected=expected)
        w = dense.expected_w if expected else dense.w
        gradient = np.einsum("ij,qjk,ki->iq", phi, slopes, phi)
        df = 2 * np.diag(phi) ** 2 / np.einsum("iq,qs,is->i", gradient, w, gradient)
        np.testing.assert_allclose(satterthwaite_df(fit, information, contrasts), df, rtol=RTOL)
        if not dense.reml:
            continue
        adjusted = adjusted_covariance(fit, information, second_order=second_order)
        truth = dense.kenward_roger(second_order=second_order, w=w)
        np.testing.assert_allclose(fit.basis.covariance(adjusted), truth, rtol=RTOL, atol=1e-8)
        rows = np.eye(beta.size)[-3:]
        test = kenward_roger_f(fit, information, adjusted, fit.basis.contrasts(rows))
        scale, df_f = f_moments_to_scale(*dense.f_moments(rows, w), 3)
        estimate = rows @ beta
        wald = estimate @ np.linalg.solve(rows @ truth @ rows.T, estimate) / 3
        np.testing.assert_allclose([test.scale, test.den_df], [scale, df_f], rtol=1e-5)
        np.testing.assert_allclose(test.statistic, scale * wald, rtol=1e-5)


def f_moments_to_scale(a1: float, a2: float, r: int) -> tuple[float, float]:
    """Mean and variance of the F statistic, matched to lambda F(r, m)."""
    b = (a1 + 6 * a2) / (2 * r)
    g = ((r + 1) * a1 - (r + 4) * a2) / ((r + 2) * a2)
    c1, c2, c3 = np.array([g, r - g, r + 2 - g]) / (3 * r + 2 * (1 - g))
    e = 1 / (1 - a2 / r)
    v = 2 / r * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    m = 4 + (r + 2) / (r * v / (2 * e**2) - 1)
    return m / (e * (m - 2)), m


@pytest.mark.parametrize("name", STRUCTURES)
def test_structure_agrees_with_dense_matrices(name: str) -> None:
    fit, dense = fitted(small_trial(m=3, n=14), name)
    check(fit, dense, second_order=True)
    adjusted = adjusted_covariance(fit, covariance_information(fit), second_order=False)
    truth = dense.kenward_roger(second_order=False, w=dense.w)
    np.testing.assert_allclose(fit.basis.covariance(adjusted), truth, rtol=RTOL, atol=1e-8)


@pytest.mark.parametrize("name", ["unstructured", "ante-dependence-het"])
def test_four_visits_agree_with_dense_matrices(name: str) -> None:
    fit, dense = fitted(small_trial(m=4, n=22, seed=3), name)
    np.testing.assert_allclose(fit.vcov, dense.gls(dense.theta)[1], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fit.deviance, dense.deviance(dense.theta), rtol=1e-12)
    assert np.abs(dense.gradient).max() < 1e-4


@pytest.mark.parametrize("name", ["unstructured", "ar1-het", "compound-symmetry"])
def test_covariance_by_group_agrees_with_dense_matrices(name: str) -> None:
    m = 2 if name == "unstructured" else 3
    check(*fitted(small_trial(m=m, n=16, seed=2), name, grouped=True), second_order=True)


@pytest.mark.parametrize("name", ["unstructured", "ar1", "toeplitz-het"])
def test_weights_agree_with_dense_matrices(name: str) -> None:
    check(*fitted(small_trial(m=3, seed=4), name, weighted=True), second_order=True)


@pytest.mark.parametrize("name", ["unstructured", "ar1-het", "spatial-exponential"])
def test_maximum_likelihood_agrees_with_dense_matrices(name: str) -> None:
    check(*fitted(small_trial(m=3, seed=5), name, reml=False), second_order=True)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_own_times_agree_with_dense_matrices(grouped: bool, weighted: bool) -> None:
    trial = small_trial(m=3, n=20, seed=6, own_times=True)
    fit, dense = fitted(trial, "spatial-exponential", grouped=grouped, weighted=weighted)
    check(fit, dense, second_order=True)
