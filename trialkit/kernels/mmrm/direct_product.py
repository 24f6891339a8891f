"""The covariance of periods by visits as a direct product: A of the periods (x) B of the visits.

A is a covariance (unstructured or compound symmetry), and B carries no scale of its own: its
first variance is one, as in SAS's TYPE=UN@AR(1), UN@CS and UN@UN. A homogeneous B is then a
correlation matrix; a heterogeneous or unstructured one has the variances relative to the first
visit's. Natural parameters are those of A, followed by those of B but its first variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from trialkit.errors import SpecError
from trialkit.kernels.mmrm.structures import (
    Chart,
    Factor,
    Natural,
    positive_definite,
    structure,
)
from trialkit.typing import FloatArray

__all__ = ["PERIOD_STRUCTURES", "DirectProduct", "PeriodsByVisits", "direct_product"]

PERIOD_STRUCTURES = ("unstructured", "compound-symmetry")
# Rounds of the search for the direct product nearest to an empirical covariance.
N_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodsByVisits:
    """A direct product by the names of its factors; the cells are visits within periods."""

    periods: str
    visits: str
    n_periods: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChart:
    """The charts of both factors; that of the visits without its first coordinate, the scale."""

    first: FloatArray
    periods: Chart
    visits: Chart
    a: FloatArray
    b: FloatArray

    def curvature(self, gradient: FloatArray) -> FloatArray:
        """Inner products with the second derivatives of A (x) B."""
        p, m = self.a.shape[0], self.b.shape[0]
        each = gradient[0].reshape(p, m, p, m)
        of_periods = self.periods.curvature(np.einsum("ijkl,jl->ik", each, self.b)[None])
        of_visits = self.visits.curvature(np.einsum("ijkl,ik->jl", each, self.a)[None])[1:, 1:]
        across = np.einsum(
            "ijkl,sik,tjl->st", each, self.periods.first[:, 0], self.visits.first[1:, 0]
        )
        return np.asarray(np.block([[of_periods, across], [across.T, of_visits]]))


@dataclass(frozen=True, slots=True)
class DirectProduct:
    """A (x) B; theta are the working parameters of A, then those of B but its first (one)."""

    periods: Factor
    visits: Factor

    @property
    def n_parameters(self) -> int:
        """Those of both factors less the scale that they share."""
        return self.periods.n_parameters + self.visits.n_parameters - 1

    def factors(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """A (p, p) and B (m, m)."""
        of_periods, of_visits = self._split(theta)
        return self.periods.sigma(of_periods)[0], self.visits.sigma(of_visits)[0]

    def _split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        cut = self.periods.n_parameters
        return theta[:cut], np.concatenate([[1.0], theta[cut:]])

    def _joined(self, of_periods: FloatArray, of_visits: FloatArray) -> FloatArray:
        """Theta of factors of any scale."""
        scale = of_visits[0]
        return np.concatenate(
            [
                self.periods.rescaled(of_periods, scale),
                self.visits.rescaled(of_visits, 1 / scale)[1:],
            ]
        )

    def sigma(self, theta: FloatArray) -> FloatArray:
        """The direct product: (1, p m, p m)."""
        a, b = self.factors(theta)
        return _products(a, b)[None]

    def natural(self, theta: FloatArray) -> Natural:
        """Natural parameters of A and B; Sigma is linear in either alone, not in both."""
        of_periods, of_visits = self._split(theta)
        one, other = self.periods.natural(of_periods), self.visits.natural(of_visits)
        a, b = self.factors(theta)
        left, right = one.first[:, 0], other.first[1:, 0]
        q, v = left.shape[0], right.shape[0]
        m = a.shape[0] * b.shape[0]
        second = np.zeros((q + v, q + v, 1, m, m))
        if one.second is not None:
            second[:q, :q, 0] = _products(one.second[:, :, 0], b)
        if other.second is not None:
            second[q:, q:, 0] = _products(a, other.second[1:, 1:, 0])
        second[:q, q:, 0] = _products(left[:, None], right[None])
        second[q:, :q] = second[:q, q:].swapaxes(0, 1)
        first = np.concatenate([_products(left, b), _products(a, right)])
        return Natural(
            values=np.concatenate([one.values, other.values[1:]]),
            first=first[:, None],
            second=second if v or one.second is not None else None,
        )

    def chart(self, theta: FloatArray) -> Chart:
        """Coordinates of both factors' charts."""
        of_periods, of_visits = self._split(theta)
        one, other = self.periods.chart(of_periods), self.visits.chart(of_visits)
        a, b = self.factors(theta)
        first = np.concatenate([_products(one.first[:, 0], b), _products(a, other.first[1:, 0])])
        return ProductChart(first=first[:, None], periods=one, visits=other, a=a, b=b)

    def retract(self, theta: FloatArray, step: FloatArray) -> FloatArray:
        """A step in both factors; the scale that B takes on goes to A."""
        of_periods, of_visits = self._split(theta)
        cut = self.periods.n_parameters
        return self._joined(
            self.periods.retract(of_periods, step[:cut]),
            self.visits.retract(of_visits, np.concatenate([[0.0], step[cut:]])),
        )

    def starts(self, covariance: FloatArray) -> list[FloatArray]:
        """The factors' starts near the direct product nearest to an empirical covariance."""
        a, b = _nearest(positive_definite(covariance), self._n_visits)
        pairs = product(self.periods.starts(a), self.visits.starts(b))
        return [self._joined(of_periods, of_visits) for of_periods, of_visits in pairs]

    @property
    def _n_visits(self) -> int:
        return self.visits.n_visits


def _products(left: FloatArray, right: FloatArray) -> FloatArray:
    """Direct products of matrices (..., p, p) and (..., m, m): (..., p m, p m)."""
    out = left[..., :, None, :, None] * right[..., None, :, None, :]
    size = left.shape[-1] * right.shape[-1]
    return np.asarray(out.reshape(*out.shape[:-4], size, size))


def _nearest(covariance: FloatArray, n_visits: int) -> tuple[FloatArray, FloatArray]:
    """A and B by turns, each the likelihood's best given the other."""
    p = covariance.shape[0] // n_visits
    each = covariance.reshape(p, n_visits, p, n_visits)
    b = np.einsum("ijil->jl", each) / p
    for _ in range(N_ROUNDS):
        a = np.einsum("ijkl,lj->ik", each, np.linalg.inv(b)) / n_visits
        b = np.einsum("ijkl,ki->jl", each, np.linalg.inv(a)) / p
    return a, b


def direct_product(asked: PeriodsByVisits, *, n_visits: int) -> DirectProduct:
    """The structure for `asked.n_periods` periods of `n_visits` visits each."""
    if asked.periods not in PERIOD_STRUCTURES:
        raise SpecError(
            f"period_covariance={asked.periods!r} is not offered; allowed: "
            f"{', '.join(PERIOD_STRUCTURES)}."
        )
    if asked.visits == "spatial-exponential":
        raise SpecError(
            "A spatial structure is no factor of a direct product: the times of the visits would "
            "have to be the same in every period."
        )
    return DirectProduct(
        structure(asked.periods, n_visits=asked.n_periods),
        structure(asked.visits, n_visits=n_visits),
    )
