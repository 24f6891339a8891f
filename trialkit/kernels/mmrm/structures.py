"""Covariance structures of the visits: Sigma of its parameters, with exact derivatives.

*Natural* parameters are those of SAS's documentation, in which Kenward and Roger's second
derivatives are taken: the elements of Sigma where it is linear in them (unstructured,
toeplitz, compound symmetry), otherwise variances and correlations (spatial: variance and
range). An optimiser moves on a *chart*: coordinates around the current Sigma in which every
step stays inside the parameters' ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from trialkit.errors import SpecError
from trialkit.kernels.mmrm import correlations
from trialkit.typing import FloatArray, IntArray

__all__ = [
    "STRUCTURES",
    "Chart",
    "Factor",
    "Natural",
    "ScaledCorrelation",
    "Structure",
    "Unstructured",
    "positive_definite",
    "structure",
]


# Share of the diagonal kept in a starting covariance that is not positive definite.
SHRINKAGE = (0.0, 0.1, 0.3, 0.6, 0.9, 1.0)
# Smallest eigenvalue, over the largest, of an acceptable starting correlation.
START_EIGENVALUE = 1e-3


class Chart(Protocol):
    """Derivatives of Sigma in local coordinates of the optimiser."""

    @property
    def first(self) -> FloatArray:
        """Derivatives of Sigma: (q, c, m, m)."""

    def curvature(self, gradient: FloatArray) -> FloatArray:
        """<gradient, d2 Sigma>: (q, q), for the gradient (c, m, m) of a function of Sigma."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedChart:
    """Each parameter through a link of its own; `second` (q, q, c, m, m)."""

    first: FloatArray
    second: FloatArray

    def curvature(self, gradient: FloatArray) -> FloatArray:
        """The inner products with the second derivatives."""
        return np.asarray(np.tensordot(self.second, gradient, axes=3))


@dataclass(frozen=True, slots=True, kw_only=True)
class CongruenceChart:
    """Sigma(E) = L exp(E) L' around L L'; `generators` (q, m, m) span the symmetric E."""

    first: FloatArray
    generators: FloatArray
    root: FloatArray

    def curvature(self, gradient: FloatArray) -> FloatArray:
        """Inner products with d2 Sigma = L (E_s E_t + E_t E_s) L' / 2."""
        inner = self.root.T @ gradient[0] @ self.root
        q = self.generators.shape[0]
        left = (inner @ self.generators).reshape(q, -1)
        half = left @ self.generators.transpose(0, 2, 1).reshape(q, -1).T
        return np.asarray((half + half.T) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Natural:
    """Natural parameters (q,), dSigma (q, c, m, m), and d2Sigma (q, q, c, m, m) or None."""

    values: FloatArray
    first: FloatArray
    second: FloatArray | None


class Structure(Protocol):
    """A covariance of the m visits with q parameters; `theta` are its working parameters."""

    @property
    def n_parameters(self) -> int:
        """Number of parameters q."""

    def sigma(self, theta: FloatArray) -> FloatArray:
        """Sigma (c, m, m); c is 1, or the number of patterns where times differ."""

    def natural(self, theta: FloatArray) -> Natural:
        """Natural parameters and derivatives at theta."""

    def chart(self, theta: FloatArray) -> Chart:
        """Derivatives in the optimiser's coordinates around theta."""

    def retract(self, theta: FloatArray, step: FloatArray) -> FloatArray:
        """Theta after a step (q,) in those coordinates."""

    def starts(self, covariance: FloatArray) -> list[FloatArray]:
        """Thetas near an empirical covariance (m, m), the nearest first.

        More than one where the likelihood may have several optima.
        """


class Factor(Structure, Protocol):
    """A structure that can be a factor of a direct product; theta's first is a variance."""

    @property
    def n_visits(self) -> int:
        """Number of visits m."""

    def rescaled(self, theta: FloatArray, factor: float) -> FloatArray:
        """Theta of `factor` times Sigma."""


@dataclass(frozen=True, slots=True)
class Unstructured:
    """Every variance and covariance free; theta are the elements of the lower triangle.

    The chart is Sigma(E) = L exp(E) L': coordinates in which neither the scale of a visit nor
    a correlation near one slows the search, and every point is positive definite.
    """

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """Elements of the lower triangle, m (m + 1) / 2."""
        return self.n_visits * (self.n_visits + 1) // 2

    def _indices(self) -> tuple[IntArray, IntArray]:
        return _lower_triangle(self.n_visits)

    def sigma(self, theta: FloatArray) -> FloatArray:
        """The matrix of the elements: (1, m, m)."""
        row, column = self._indices()
        out = np.empty((self.n_visits, self.n_visits))
        out[row, column] = theta
        out[column, row] = theta
        return out[None]

    def natural(self, theta: FloatArray) -> Natural:
        """Elements of Sigma; linear."""
        return Natural(values=theta, first=_elements(self.n_visits)[:, None], second=None)

    def chart(self, theta: FloatArray) -> Chart:
        """Orthonormal symmetric generators, carried by the Cholesky factor."""
        root = np.linalg.cholesky(self.sigma(theta)[0])
        generators = _generators(self.n_visits)
        return CongruenceChart(
            first=(root @ generators @ root.T)[:, None],
            generators=generators,
            root=root,
        )

    def retract(self, theta: FloatArray, step: FloatArray) -> FloatArray:
        """L exp(E) L'."""
        root = np.linalg.cholesky(self.sigma(theta)[0])
        row, column = self._indices()
        generator = np.zeros((self.n_visits, self.n_visits))
        generator[row, column] = np.where(row == column, step, step / np.sqrt(2.0))
        values, vectors = np.linalg.eigh(generator)
        half = root @ vectors * np.exp(np.clip(values, -60, 60) / 2)
        return np.asarray((half @ half.T)[row, column])

    def starts(self, covariance: FloatArray) -> list[FloatArray]:
        """The elements of the covariance, shrunk until positive definite."""
        row, column = self._indices()
        return [np.asarray(positive_definite(covariance)[row, column])]

    def rescaled(self, theta: FloatArray, factor: float) -> FloatArray:
        """Every element times the factor."""
        return theta * factor


@dataclass(frozen=True, slots=True)
class ScaledCorrelation:
    """Variances (one, or one a visit) times a correlation family; theta = (variances, rho).

    With `is_linear` the natural parameters are the elements of Sigma (variance and
    covariances of a homogeneous structure whose correlations enter one by one).
    """

    correlation: correlations.Correlation
    is_heterogeneous: bool
    is_linear: bool = False

    @property
    def n_visits(self) -> int:
        """Number of visits m."""
        return self.correlation.n_visits

    @property
    def _n_variances(self) -> int:
        return self.correlation.n_visits if self.is_heterogeneous else 1

    @property
    def n_parameters(self) -> int:
        """Variances and correlations."""
        return self._n_variances + self.correlation.n_parameters

    def _split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        return theta[: self._n_variances], theta[self._n_variances :]

    def _outer(self, variances: FloatArray) -> FloatArray:
        """Products of standard deviations: (m, m)."""
        root = np.sqrt(np.broadcast_to(variances, (self.correlation.n_visits,)))
        return np.outer(root, root)

    def sigma(self, theta: FloatArray) -> FloatArray:
        """Standard deviations around the correlation."""
        variances, rho = self._split(theta)
        return np.asarray(self._outer(variances) * self.correlation.matrix(rho))

    def _variance_shares(self, variances: FloatArray) -> FloatArray:
        """U with dSigma / dv_j = Sigma * U_j: (v, m, m)."""
        m = self.correlation.n_visits
        if not self.is_heterogeneous:
            return np.full((1, m, m), 1.0 / variances[0])
        eye = np.eye(m)
        return np.asarray((eye[:, :, None] + eye[:, None, :]) / (2 * variances)[:, None, None])

    def _derivatives(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """First (q, c, m, m) and second (q, q, c, m, m) derivatives in theta."""
        variances, rho = self._split(theta)
        outer, sigma = self._outer(variances), self.sigma(theta)
        share = self._variance_shares(variances)[:, None]
        turned = outer * self.correlation.first(rho)
        first = np.concatenate([sigma[None] * share, turned])
        v = variances.size
        second = np.empty((first.shape[0], *first.shape))
        second[:v, :v] = sigma * share[:, None] * share[None]
        # d(1/v)/dv = -1/v^2: U_j falls as U_j / v_j.
        second[np.arange(v), np.arange(v)] -= sigma * share / variances[:, None, None, None]
        second[:v, v:] = share[:, None] * turned[None]
        second[v:, :v] = second[:v, v:].swapaxes(0, 1)
        second[v:, v:] = outer * self.correlation.second(rho)
        return first, second

    def natural(self, theta: FloatArray) -> Natural:
        """Elements of Sigma where linear, otherwise variances and correlations."""
        if not self.is_linear:
            first, second = self._derivatives(theta)
            return Natural(values=theta, first=first, second=second)
        variances, rho = self._split(theta)
        eye = np.eye(self.correlation.n_visits)[None, None]
        bands = self.correlation.first(rho)
        return Natural(
            values=np.concatenate([variances, variances[0] * rho]),
            first=np.concatenate([eye, bands]),
            second=None,
        )

    def chart(self, theta: FloatArray) -> Chart:
        """Logarithms of variances, and the correlations' own links."""
        variances, rho = self._split(theta)
        first, second = self._derivatives(theta)
        _, slope, bend = self.correlation.from_free(self.correlation.to_free(rho))
        slopes = np.concatenate([variances, slope])[:, None, None, None]
        bends = np.concatenate([variances, bend])[:, None, None, None]
        curved = second * slopes[:, None] * slopes[None]
        diagonal = np.arange(slopes.shape[0])
        curved[diagonal, diagonal] += first * bends
        return LinkedChart(first=first * slopes, second=curved)

    def retract(self, theta: FloatArray, step: FloatArray) -> FloatArray:
        """A step in the logarithms and links."""
        variances, rho = self._split(theta)
        moved = variances * np.exp(np.clip(step[: variances.size], -60, 60))
        free = self.correlation.to_free(rho) + step[variances.size :]
        return np.concatenate([moved, self.correlation.from_free(free)[0]])

    def starts(self, covariance: FloatArray) -> list[FloatArray]:
        """Mean variance (or each), with correlations shrunk until positive definite.

        With several correlations the likelihood can have several optima: also from half the
        empirical correlations, and from nearly none.
        """
        variances = np.diagonal(covariance)
        correlation = covariance / np.sqrt(np.outer(variances, variances))
        used = variances if self.is_heterogeneous else np.array([variances.mean()])
        shares = (0.0, 0.5, 0.9) if self.correlation.n_parameters > 1 else (0.0,)
        return [np.concatenate([used, self._rho(correlation, share)]) for share in shares]

    def rescaled(self, theta: FloatArray, factor: float) -> FloatArray:
        """The variances times the factor."""
        variances, rho = self._split(theta)
        return np.concatenate([variances * factor, rho])

    def _rho(self, correlation: FloatArray, shrunk: float) -> FloatArray:
        """Admissible correlation parameters near an empirical correlation, shrunk at least so."""
        eye = np.eye(correlation.shape[0])
        for share in (s for s in (shrunk, *SHRINKAGE) if s >= shrunk):
            rho = self.correlation.start((1 - share) * correlation + share * eye)
            if _is_positive_definite(self.correlation.matrix(rho)):
                break
        return rho


@lru_cache(maxsize=64)
def _lower_triangle(n_visits: int) -> tuple[IntArray, IntArray]:
    """Rows and columns of the lower triangle, row by row."""
    row, column = np.tril_indices(n_visits)
    row.flags.writeable = column.flags.writeable = False
    return row, column


@lru_cache(maxsize=64)
def _elements(n_visits: int) -> FloatArray:
    """Derivatives of Sigma in the elements of its lower triangle: (q, m, m)."""
    row, column = _lower_triangle(n_visits)
    q = np.arange(row.size)
    out = np.zeros((row.size, n_visits, n_visits))
    out[q, row, column] = 1.0
    out[q, column, row] = 1.0
    out.flags.writeable = False
    return out


@lru_cache(maxsize=64)
def _generators(n_visits: int) -> FloatArray:
    """An orthonormal basis of the symmetric matrices: (q, m, m)."""
    row, column = _lower_triangle(n_visits)
    out = _elements(n_visits) / np.where(row == column, 1.0, np.sqrt(2.0))[:, None, None]
    out.flags.writeable = False
    return out


def _is_positive_definite(matrices: FloatArray) -> bool:
    values = np.linalg.eigvalsh(matrices)
    return bool((values[:, 0] > START_EIGENVALUE * values[:, -1]).all())


def positive_definite(covariance: FloatArray) -> FloatArray:
    """The covariance, its correlations shrunk until it is safely positive definite."""
    root = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(root, root)
    eye = np.eye(root.size)
    for share in SHRINKAGE:
        shrunk = (1 - share) * correlation + share * eye
        if _is_positive_definite(shrunk[None]):
            break
    return np.asarray(shrunk * np.outer(root, root))


STRUCTURES = (
    "unstructured",
    "toeplitz",
    "toeplitz-het",
    "ar1",
    "ar1-het",
    "compound-symmetry",
    "compound-symmetry-het",
    "ante-dependence",
    "ante-dependence-het",
    "spatial-exponential",
)


def structure(name: str, *, n_visits: int, distance: FloatArray | None = None) -> Factor:
    """The structure of that name for m visits; `distance` (c, m, m) for the spatial one."""
    if name not in STRUCTURES:
        raise SpecError(f"covariance={name!r} is not offered; allowed: {', '.join(STRUCTURES)}.")
    if name == "unstructured":
        return Unstructured(n_visits)
    family = name.removesuffix("-het")
    is_heterogeneous = name.endswith("-het")
    if n_visits == 1:
        return ScaledCorrelation(correlations.Uncorrelated(1), False)
    if family == "spatial-exponential":
        if distance is None:
            raise SpecError("The spatial structure needs the times of the visits.")
        return ScaledCorrelation(correlations.Exponential(distance), False)
    families: dict[str, Callable[[int], correlations.Correlation]] = {
        "toeplitz": correlations.Toeplitz,
        "ar1": correlations.Autoregressive,
        "compound-symmetry": correlations.CompoundSymmetry,
        "ante-dependence": correlations.AnteDependence,
    }
    is_linear = not is_heterogeneous and family in ("toeplitz", "compound-symmetry")
    return ScaledCorrelation(families[family](n_visits), is_heterogeneous, is_linear)
