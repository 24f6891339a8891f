"""Direct products of periods and visits: derivatives, the fit against dense matrices, refusals."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from kernels.mmrm.dense_check import check
from kernels.mmrm.dense_model import (
    DenseModel,
    SigmaOf,
    difference,
    natural_sigma,
    second_difference,
)
from kernels.mmrm.trials import small_trial

from trialkit.errors import SpecError
from trialkit.kernels.mmrm.diagnosis import CovarianceProblem
from trialkit.kernels.mmrm.direct_product import (
    PERIOD_STRUCTURES,
    DirectProduct,
    PeriodsByVisits,
    direct_product,
)
from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.information import natural_parameters
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.structures import STRUCTURES

VISIT_STRUCTURES = tuple(name for name in STRUCTURES if name != "spatial-exponential")
P, M = 2, 3
N_PERIODS = {"unstructured": 3, "compound-symmetry": 2}
N_VISITS = {
    "unstructured": 5,
    "toeplitz": 2,
    "toeplitz-het": 4,
    "ar1": 1,
    "ar1-het": 3,
    "compound-symmetry": 1,
    "compound-symmetry-het": 3,
    "ante-dependence": 2,
    "ante-dependence-het": 4,
}
PAIRS = [(a, b) for a in PERIOD_STRUCTURES for b in VISIT_STRUCTURES]


def asked(periods: str, visits: str, n_periods: int = P) -> PeriodsByVisits:
    return PeriodsByVisits(periods=periods, visits=visits, n_periods=n_periods)


def built(periods: str, visits: str) -> tuple[DirectProduct, np.ndarray]:
    made = direct_product(asked(periods, visits), n_visits=M)
    rng = np.random.default_rng(3)
    root = rng.normal(size=(P * M, P * M)) * 0.3 + 1.3 * np.eye(P * M) + 0.4
    return made, made.starts(root @ root.T)[0]


def dense_sigma(periods: str, visits: str, m: int = M) -> SigmaOf:
    """The direct product of its natural parameters, entry by entry; the same for all times."""
    cut = N_PERIODS[periods]

    @lru_cache(maxsize=4)  # all subjects ask for the same one after another
    def of(values: bytes) -> np.ndarray:
        theta, time = np.frombuffer(values), np.zeros(m)
        a = natural_sigma(periods, P)(theta[:cut], time)
        b = natural_sigma(visits, m)(np.concatenate([[1.0], theta[cut:]]), time)
        return np.kron(a, b)

    return lambda theta, _time: of(theta.tobytes())


@pytest.mark.parametrize(("periods", "visits"), PAIRS)
def test_natural_parameters_and_their_derivatives(periods: str, visits: str) -> None:
    made, theta = built(periods, visits)
    natural = made.natural(theta)
    count = N_PERIODS[periods] + N_VISITS[visits]
    assert natural.values.size == made.n_parameters == count
    truth = dense_sigma(periods, visits)
    time = np.zeros(M)
    np.testing.assert_allclose(truth(natural.values, time), made.sigma(theta)[0], atol=1e-12)
    h = np.full(theta.size, 1e-3)
    assert natural.second is not None
    for s in range(theta.size):
        first = difference(lambda t: truth(t, time), natural.values, s, h[s])
        np.testing.assert_allclose(natural.first[s, 0], first, atol=1e-9)
        for t in range(s + 1):
            second = second_difference(lambda z: truth(z, time), natural.values, s, t, h)
            np.testing.assert_allclose(natural.second[s, t, 0], second, atol=1e-7)
            np.testing.assert_allclose(natural.second[t, s, 0], second, atol=1e-7)


@pytest.mark.parametrize(("periods", "visits"), PAIRS)
def test_chart_gives_the_derivatives_of_a_retraction(periods: str, visits: str) -> None:
    made, theta = built(periods, visits)
    chart = made.chart(theta)
    zero, h = np.zeros(theta.size), np.full(theta.size, 1e-3)

    def moved(step: np.ndarray) -> np.ndarray:
        return made.sigma(made.retract(theta, step))[0]

    np.testing.assert_allclose(moved(zero), made.sigma(theta)[0], atol=1e-12)
    gradient = np.random.default_rng(0).normal(size=(1, P * M, P * M))
    gradient = gradient + gradient.swapaxes(1, 2)
    curvature = chart.curvature(gradient)
    for s in range(theta.size):
        np.testing.assert_allclose(chart.first[s, 0], difference(moved, zero, s, h[s]), atol=1e-9)
        for t in range(s + 1):
            second = second_difference(moved, zero, s, t, h)
            for value in (curvature[s, t], curvature[t, s]):
                np.testing.assert_allclose(value, np.sum(gradient * second), atol=1e-5)


def test_starts_recover_a_direct_product_whatever_its_factors() -> None:
    a, b = np.array([[2.0, 0.8], [0.8, 1.0]]), np.array([[3.0, 1.2], [1.2, 2.0]])
    made = direct_product(asked("unstructured", "unstructured"), n_visits=2)
    theta = made.starts(np.kron(a, b))[0]
    np.testing.assert_allclose(made.sigma(theta)[0], np.kron(a, b), rtol=1e-10)
    of_periods, of_visits = made.factors(theta)
    np.testing.assert_allclose(of_visits, b / b[0, 0], rtol=1e-10)
    np.testing.assert_allclose(of_periods, a * b[0, 0], rtol=1e-10)


def fitted(
    periods: str, visits: str, *, m: int = M, n: int = 12, seed: int = 1, reml: bool = True
) -> tuple[MarginalFit, DenseModel]:
    trial = small_trial(m=P * m, n=n, seed=seed)
    lay = layout(subject=trial.subject, visit=trial.visit, n_visits=P * m)
    x = trial.x[:, : 2 + P * m]
    fit = fit_marginal(x, trial.y, layout=lay, covariance=asked(periods, visits), reml=reml)
    natural = natural_parameters(fit)[0].values.copy()
    natural[: N_PERIODS[periods]] *= fit.basis.scale**2
    dense = DenseModel(
        x=x,
        y=trial.y,
        subject=trial.subject,
        visit=trial.visit,
        sigma=[dense_sigma(periods, visits, m)],
        theta=natural,
        n_theta=natural.size,
        group=np.zeros_like(trial.group),
        time=trial.time,
        n_visits=P * m,
        weights=np.ones(trial.y.size),
        reml=reml,
    )
    return fit, dense


@pytest.mark.parametrize(
    ("periods", "visits"),
    [
        ("unstructured", "ar1"),
        ("compound-symmetry", "toeplitz-het"),
    ],
)
def test_direct_product_agrees_with_dense_matrices(periods: str, visits: str) -> None:
    check(*fitted(periods, visits), second_order=True)


def test_unstructured_by_unstructured_agrees_with_dense_matrices() -> None:
    check(*fitted("unstructured", "unstructured", m=2), second_order=True)


def test_maximum_likelihood_agrees_with_dense_matrices() -> None:
    check(*fitted("compound-symmetry", "unstructured", m=2, reml=False), second_order=True)


@pytest.mark.parametrize("periods", PERIOD_STRUCTURES)
def test_one_visit_a_period_is_the_covariance_of_the_periods(periods: str) -> None:
    trial = small_trial(m=3, n=14)
    lay = layout(subject=trial.subject, visit=trial.visit, n_visits=3)
    plain = fit_marginal(trial.x, trial.y, layout=lay, covariance=periods)
    for visits in ("unstructured", "ar1", "toeplitz-het"):
        product = fit_marginal(trial.x, trial.y, layout=lay, covariance=asked(periods, visits, 3))
        assert product.n_parameters == plain.n_parameters
        assert natural_parameters(product)[0].second is None
        np.testing.assert_allclose(product.sigma[0], plain.sigma[0], rtol=1e-8)
        np.testing.assert_allclose(product.deviance, plain.deviance, rtol=1e-12)


def test_what_is_not_offered_is_refused() -> None:
    with pytest.raises(SpecError, match="period_covariance='ar1' is not offered"):
        direct_product(asked("ar1", "ar1"), n_visits=2)
    with pytest.raises(SpecError, match="same in every period"):
        direct_product(asked("unstructured", "spatial-exponential"), n_visits=2)


def test_pairs_never_seen_together_are_refused_by_their_axis() -> None:
    rng = np.random.default_rng(2)
    # Either period alone: a subject has cells (0, 1) or (2, 3).
    first = np.repeat(np.arange(8) % 2, 2)
    subject = np.repeat(np.arange(8), 2)
    visit = 2 * first + np.tile([0, 1], 8)
    y, x = rng.normal(size=16), np.ones((16, 1))
    lay = layout(subject=subject, visit=visit, n_visits=4)
    with pytest.raises(CovarianceProblem, match="never together") as caught:
        fit_marginal(x, y, layout=lay, covariance=asked("unstructured", "ar1"))
    assert (caught.value.axis, caught.value.visits) == ("periods", (0, 1))
    # Either visit alone: cells (0, 2) or (1, 3).
    lay = layout(subject=subject, visit=first + np.tile([0, 2], 8), n_visits=4)
    with pytest.raises(CovarianceProblem, match="never together") as caught:
        fit_marginal(x, y, layout=lay, covariance=asked("unstructured", "unstructured"))
    assert (caught.value.axis, caught.value.visits) == ("visits", (0, 1))
    assert caught.value.n_together == 0
