"""Covariance structures: exact derivatives against numerical ones, on charts and in natural
parameters."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.dense_model import difference, natural_sigma, second_difference

from trialkit.errors import SpecError
from trialkit.kernels.mmrm.structures import STRUCTURES, Structure, structure

M = 4
COUNTS = {
    "unstructured": 10,
    "toeplitz": 4,
    "toeplitz-het": 7,
    "ar1": 2,
    "ar1-het": 5,
    "compound-symmetry": 2,
    "compound-symmetry-het": 5,
    "ante-dependence": 4,
    "ante-dependence-het": 7,
    "spatial-exponential": 2,
}
TIME = np.array([0.0, 1.0, 2.5, 6.0])


def built(name: str) -> tuple[Structure, np.ndarray]:
    distance = np.abs(TIME[:, None] - TIME[None, :])[None]
    made = structure(name, n_visits=M, distance=distance)
    rng = np.random.default_rng(3)
    root = rng.normal(size=(M, M)) * 0.4 + 1.2 * np.eye(M) + 0.5
    return made, made.starts(root @ root.T)[0]


def test_every_structure_has_its_count() -> None:
    assert set(COUNTS) == set(STRUCTURES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_natural_parameters_and_their_derivatives(name: str) -> None:
    made, theta = built(name)
    natural = made.natural(theta)
    assert natural.values.size == made.n_parameters == COUNTS[name]
    truth = natural_sigma(name, M)
    np.testing.assert_allclose(truth(natural.values, TIME), made.sigma(theta)[0], atol=1e-12)
    h = np.full(theta.size, 1e-3)
    for s in range(theta.size):
        first = difference(lambda t: truth(t, TIME), natural.values, s, h[s])
        np.testing.assert_allclose(natural.first[s, 0], first, atol=1e-9)
        for t in range(theta.size):
            second = second_difference(lambda z: truth(z, TIME), natural.values, s, t, h)
            ours = 0.0 if natural.second is None else natural.second[s, t, 0]
            np.testing.assert_allclose(ours, second, atol=1e-7)


@pytest.mark.parametrize("name", STRUCTURES)
def test_chart_gives_the_derivatives_of_a_retraction(name: str) -> None:
    made, theta = built(name)
    chart = made.chart(theta)
    zero, h = np.zeros(theta.size), np.full(theta.size, 1e-3)

    def moved(step: np.ndarray) -> np.ndarray:
        return made.sigma(made.retract(theta, step))[0]

    np.testing.assert_allclose(moved(zero), made.sigma(theta)[0], atol=1e-12)
    gradient = np.random.default_rng(0).normal(size=(1, M, M))
    gradient = gradient + gradient.swapaxes(1, 2)
    curvature = chart.curvature(gradient)
    for s in range(theta.size):
        np.testing.assert_allclose(chart.first[s, 0], difference(moved, zero, s, h[s]), atol=1e-9)
        for t in range(theta.size):
            second = second_difference(moved, zero, s, t, h)
            np.testing.assert_allclose(curvature[s, t], np.sum(gradient * second), atol=1e-6)


@pytest.mark.parametrize("name", STRUCTURES)
def test_starts_are_positive_definite_even_from_an_indefinite_matrix(name: str) -> None:
    made, _ = built(name)
    wild = np.array(
        [[1.0, 0.9, -0.9, 0.5], [0.9, 2.0, 0.9, -1.4], [-0.9, 0.9, 3.0, 1.6], [0.5, -1.4, 1.6, 4]]
    )
    assert np.linalg.eigvalsh(wild)[0] < 0
    for theta in made.starts(wild):
        assert np.linalg.eigvalsh(made.sigma(theta)[0])[0] > 0


@pytest.mark.parametrize("name", STRUCTURES)
def test_one_visit_has_one_variance(name: str) -> None:
    made = structure(name, n_visits=1, distance=np.zeros((1, 1, 1)))
    assert made.n_parameters == 1
    np.testing.assert_allclose(made.sigma(made.starts(np.array([[2.5]]))[0]), [[[2.5]]])


def test_unknown_structure_and_missing_times_are_refused() -> None:
    with pytest.raises(SpecError, match="covariance='cubic' is not offered"):
        structure("cubic", n_visits=3)
    with pytest.raises(SpecError, match="needs the times"):
        structure("spatial-exponential", n_visits=3)
