"""A linear model whose subjects share a variance: V = between 11' + within I, by REML.

Within a subject V has two eigenvalues, so all that a fit needs are cross-products in *strata*:
deviations from the subjects' means (eigenvalue `within`), and the means of all subjects with n
observations (eigenvalue `within` + n `between`), one stratum a value of n. Every derivative of
the likelihood is a weighted sum over the strata; there is nothing to approximate, and no cost
that grows with the number of subjects. `between` may be negative as long as V is positive
definite: compound symmetry.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import optimize

from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.mmrm.basis import Basis, orthonormal_basis
from trialkit.kernels.small_sample import SmallSample, inverse_information
from trialkit.typing import FloatArray, IntArray

__all__ = ["InterceptFit", "fit_random_intercept"]

# log(1 + n between/within) is searched between these: beyond, one of the variances is below
# 1e-11 of the other, and the data do not determine it.
SEARCH_LOW, SEARCH_HIGH = -25.0, 25.0
# Points of the search. The profile has rarely more than one minimum, and its basins are wider.
GRID_STEP = 0.25
# The between-subject variance this small against the within-subject one is at the bound.
AT_BOUND = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strata:
    """Cross-products (e, P + 1, P + 1) of z = [Q, r], dimensions (e,), and sizes n (e,).

    The first stratum is within subjects, with size 0.
    """

    products: FloatArray
    dimension: FloatArray
    size: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InterceptFit:
    """A fit in the caller's units; `is_at_bound` where `between` would go below zero.

    `coef` (P,), `vcov` (P, P) at the estimated variances; `phi` and `gamma` on the basis, in
    its scaled units, as is the SmallSample. `deviance` is -2 restricted log-likelihood with
    its constants, as R's lme4 prints it.
    """

    coef: FloatArray
    vcov: FloatArray
    between: float
    within: float
    deviance: float
    is_at_bound: bool
    n_observations: int
    basis: Basis
    strata: Strata
    phi: FloatArray
    gamma: FloatArray
    # By kind of information: contrasts and variances ask for the same.
    known: dict[bool, SmallSample] = field(default_factory=dict)

    @property
    def theta(self) -> FloatArray:
        """The variances (2,): between, within."""
        return np.array([self.between, self.within])

    @property
    def at_bound(self) -> tuple[int, ...]:
        """Which of the variances are held at zero."""
        return (0,) if self.is_at_bound else ()

    def small_sample(self, *, expected: bool) -> SmallSample:
        """What Kenward-Roger and Satterthwaite need; parameters (between, within), scaled."""
        if expected not in self.known:
            self.known[expected] = self._small_sample(expected=expected)
        return self.known[expected]

    def _small_sample(self, *, expected: bool) -> SmallSample:
        scale = self.basis.scale**2
        between, within = self.between / scale, self.within / scale
        value = within + self.strata.size * between
        first = np.stack([self.strata.size, np.ones_like(value)])
        second = first[:, None] * first[None]
        x, cross, square = _parts(self.strata, self.gamma)
        slopes = np.einsum("se,eij->sij", first / value**2, x)
        products = np.einsum("ste,eij->stij", second / value**3, x)
        turned = slopes @ self.phi
        curved = np.einsum("sij,tji->st", turned, turned)
        plain = np.einsum("ste,e->st", second / value**2, self.strata.dimension)
        leading = np.einsum("stij,ji->st", products, self.phi)
        if expected:
            information = (plain - 2 * leading + curved) / 2
        else:
            drift = np.einsum("se,ei->si", first / value**2, cross)
            residual = np.einsum("ste,e->st", second / value**3, square)
            fitted = drift @ self.phi @ drift.T
            information = (-plain + 2 * leading - curved) / 2 + residual - fitted
        kind = "expected" if expected else "observed"
        return SmallSample(
            phi=self.phi,
            slopes=slopes,
            products=products,
            weights=inverse_information(information, what=kind),
        )


def fit_random_intercept(
    x: FloatArray, y: FloatArray, subject: IntArray, *, bounded: bool
) -> InterceptFit:
    """Fit y (N,) ~ x (N, P) with a variance between subjects (codes (N,) from 0), by REML.

    `bounded` holds that variance at zero or above; otherwise it may fall below, as far as V
    stays positive definite. Raises DataError where the data cannot tell the two variances
    apart, ConvergenceError where the likelihood has no optimum inside.
    """
    basis = orthonormal_basis(x, y)
    strata = _strata(basis.rows(x, y), subject)
    profile = _Profile.of(strata, x.shape[1])
    _require_two_variances(strata, x, subject)
    ratio = profile.best_ratio(bounded=bounded)
    at = profile.at(ratio)
    gamma, phi = at.gamma, at.inverse * at.within
    scale = basis.scale
    free = y.size - x.shape[1]
    deviance = profile.deviance(at) + free * (1 + np.log(2 * np.pi) + 2 * np.log(scale))
    return InterceptFit(
        coef=basis.coefficients(gamma),
        vcov=basis.covariance(phi),
        between=float(scale**2 * ratio * at.within),
        within=float(scale**2 * at.within),
        deviance=float(deviance + basis.log_determinant),
        is_at_bound=bool(bounded and ratio <= AT_BOUND),
        n_observations=y.size,
        basis=basis,
        strata=strata,
        phi=phi,
        gamma=gamma,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _At:
    """The profile at one ratio: derivative in the ratio, and the estimates there.

    `weight` (e,) of the strata, `pooled` (P + 1, P + 1) their weighted cross-products.
    """

    weight: FloatArray
    pooled: FloatArray
    slope: float
    within: float
    gamma: FloatArray
    inverse: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """-2 restricted log-likelihood as a function of between / within alone.

    `flat` (e, (P + 1)^2) are the cross-products of the strata, `free` the residual df.
    """

    strata: Strata
    flat: FloatArray
    free: float
    largest: float

    @classmethod
    def of(cls, strata: Strata, n_columns: int) -> _Profile:
        """The profile of a model with `n_columns` fixed effects."""
        return cls(
            strata=strata,
            flat=strata.products.reshape(strata.size.size, -1),
            free=float(strata.dimension.sum()) - n_columns,
            largest=float(strata.size.max()),
        )

    def at(self, ratio: float) -> _At:
        """Profile out the coefficients and the scale."""
        weight = 1.0 / (1.0 + self.strata.size * ratio)
        rate = self.strata.size * weight
        pooled = (weight @ self.flat).reshape(self.strata.products.shape[1:])
        # The columns are orthonormal, so that this inverse is as well conditioned as the data.
        inverse = np.linalg.inv(pooled[:-1, :-1])
        gamma = inverse @ pooled[:-1, -1]
        direction = np.append(-gamma, 1.0)
        within = float(direction @ pooled @ direction) / self.free
        # The derivative of `pooled` in the ratio, but for its sign.
        falling = ((rate * weight) @ self.flat).reshape(pooled.shape)
        slope = (
            float(self.strata.dimension @ rate)
            - float(direction @ falling @ direction) / within
            - float(np.vdot(falling[:-1, :-1], inverse))
        )
        return _At(weight, pooled, slope, within, gamma, (inverse + inverse.T) / 2)

    def deviance(self, at: _At) -> float:
        """-2 restricted log-likelihood, without constants."""
        return (
            -float(self.strata.dimension @ np.log(at.weight))
            + self.free * float(np.log(at.within))
            + float(np.linalg.slogdet(at.pooled[:-1, :-1])[1])
        )

    def best_ratio(self, *, bounded: bool) -> float:
        """The ratio of the smallest deviance, to the precision of its derivative's root."""
        low = 0.0 if bounded else SEARCH_LOW
        grid = np.linspace(low, SEARCH_HIGH, round((SEARCH_HIGH - low) / GRID_STEP) + 1)
        best = int(np.argmin(self._deviances(grid)))
        left, right = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
        if best == grid.size - 1 or (best == 0 and not bounded):
            vanishing = "within" if best else "between-subject total"
            raise ConvergenceError(
                f"The {vanishing} variance goes to zero: the likelihood has no optimum inside."
            )
        if best == 0 and self.at(0.0).slope >= 0:
            return 0.0
        u = optimize.brentq(self._slope, left, right, xtol=1e-13, rtol=1e-13)
        return self._ratio(float(u))

    def _deviances(self, grid: FloatArray) -> FloatArray:
        """The deviance at every u = log(1 + n ratio) of a grid (g,), all at once."""
        ratio = np.expm1(grid) / self.largest
        weight = 1.0 / (1.0 + np.outer(ratio, self.strata.size))
        pooled = (weight @ self.flat).reshape(-1, *self.strata.products.shape[1:])
        # The last pivot is what the fixed effects leave of the outcome.
        log_square, log_determinant = _log_pivots(pooled)
        return np.asarray(
            self.free * (log_square - np.log(self.free))
            - np.log(weight) @ self.strata.dimension
            + log_determinant
        )

    def _ratio(self, u: float) -> float:
        return float(np.expm1(u) / self.largest)

    def _slope(self, u: float) -> float:
        """Derivative of the deviance in u = log(1 + n ratio)."""
        return self.at(self._ratio(u)).slope * float(np.exp(u)) / self.largest


def _log_pivots(pooled: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logs of the outcome's Schur complement (g,) and of |X'WX| (g,), of (g, P + 1, P + 1)."""
    try:
        pivots = 2 * np.log(np.diagonal(np.linalg.cholesky(pooled), axis1=1, axis2=2))
        return pivots[:, -1], pivots[:, :-1].sum(axis=1)
    except np.linalg.LinAlgError:
        information, right = pooled[:, :-1, :-1], pooled[:, :-1, -1]
        gamma = np.linalg.solve(information, right[:, :, None])[:, :, 0]
        square = pooled[:, -1, -1] - np.einsum("gi,gi->g", right, gamma)
        # Where nothing is left within subjects the deviance falls without end.
        floor = np.finfo(np.float64).tiny
        return np.log(np.maximum(square, floor)), np.linalg.slogdet(information)[1]


def _strata(z: FloatArray, subject: IntArray) -> Strata:
    size = np.bincount(subject)
    sums = np.column_stack([np.bincount(subject, weights=column) for column in z.T])
    means = sums / size[:, None]
    deviations = z - means[subject]
    products, dimension = [deviations.T @ deviations], [float(z.shape[0] - size.size)]
    values = np.flatnonzero(np.bincount(size))
    for n in values:
        own = means[size == n]
        products.append(n * own.T @ own)
        dimension.append(float(own.shape[0]))
    return Strata(
        products=np.stack(products),
        dimension=np.array(dimension),
        size=np.concatenate([[0.0], values]),
    )


def _parts(strata: Strata, gamma: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per stratum: X'X (e, P, P), X'r (e, P) and r'r (e,) with r the residual at gamma."""
    x = strata.products[:, :-1, :-1]
    fitted = x @ gamma
    cross = strata.products[:, :-1, -1] - fitted
    direction = np.append(-gamma, 1.0)
    square = np.einsum("i,eij,j->e", direction, strata.products, direction)
    return x, cross, np.maximum(square, 0.0)


def _require_two_variances(strata: Strata, x: FloatArray, subject: IntArray) -> None:
    """Both variances need degrees of freedom beside the fixed effects."""
    n_subjects = int(subject.max()) + 1
    within = strata.products[0, :-1, :-1]
    rank = int((np.linalg.eigvalsh(within) > 1e-9).sum())
    if strata.dimension[0] - rank <= 0:
        raise DataError(
            f"{strata.dimension[0]:.0f} comparison(s) within subjects and {rank} effects on "
            "them leave no degree of freedom for the within-subject variance."
        )
    if n_subjects - (x.shape[1] - rank) <= 0:
        raise DataError(
            f"{n_subjects} subjects and {x.shape[1] - rank} effects between them leave no "
            "degree of freedom for the between-subject variance."
        )
