"""Every structure against a dense implementation with numerical derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.dense_check import RTOL, check
from kernels.mmrm.dense_model import DenseModel, natural_sigma
from kernels.mmrm.trials import Trial, small_trial

from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.information import covariance_information, natural_parameters
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.structures import STRUCTURES

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
