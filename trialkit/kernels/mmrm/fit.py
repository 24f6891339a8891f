"""The marginal model of repeated measures: its estimates, in the caller's units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.basis import Basis, orthonormal_basis
from trialkit.kernels.mmrm.diagnosis import refuse_unseen
from trialkit.kernels.mmrm.direct_product import PeriodsByVisits, direct_product
from trialkit.kernels.mmrm.layout import Layout
from trialkit.kernels.mmrm.likelihood import Likelihood
from trialkit.kernels.mmrm.optimise import Optimum, maximise
from trialkit.kernels.mmrm.patterns import Patterns
from trialkit.kernels.mmrm.start import empirical_covariances
from trialkit.kernels.mmrm.structures import Structure, structure
from trialkit.kernels.mmrm.subject_rows import Moments, moments
from trialkit.typing import FloatArray

__all__ = ["MarginalFit", "fit_marginal", "fit_moments"]

# Deviances closer than this are one optimum, reached twice.
SAME_OPTIMUM = 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginalFit:
    """A fitted marginal model; x and y themselves are not kept.

    `coef` (P,), `vcov` (P, P) unadjusted, `sigma` one (c, m, m) a group (c is 1, or the
    number of the group's patterns where times differ), `deviance` -2 log-likelihood
    (restricted, without the constant log|X'X|, as SAS and R's mmrm print it).
    """

    coef: FloatArray
    vcov: FloatArray
    sigma: list[FloatArray]
    deviance: float
    reml: bool
    n_observations: int
    basis: Basis
    likelihood: Likelihood
    structures: list[Structure]
    optimum: Optimum

    @property
    def n_parameters(self) -> int:
        """Number of covariance parameters q."""
        return sum(s.n_parameters for s in self.structures)

    @property
    def gamma(self) -> FloatArray:
        """Coefficients (P,) on the basis Q, in scaled units, those of the centring included."""
        return np.asarray(self.basis.factor @ self.coef / self.basis.scale)

    @property
    def patterns(self) -> Patterns:
        """Which visits were seen."""
        return self.likelihood.patterns


def fit_marginal(
    x: FloatArray,
    y: FloatArray,
    *,
    layout: Layout,
    covariance: str | PeriodsByVisits = "unstructured",
    reml: bool = True,
    weights: FloatArray | None = None,
) -> MarginalFit:
    """Fit y (N,) ~ x (N, P) with covariance of the visits within subjects.

    For a direct product the layout's visits are the cells: the visits of the first period, then
    those of the second, and so on. With `weights` (N,) the covariance of a subject is
    W^-1/2 Sigma W^-1/2. Raises DataError where the fixed effects are dependent or fit exactly,
    ConvergenceError where the likelihood has no optimum that can be found.
    """
    basis = orthonormal_basis(x, y, weights)
    return fit_moments(
        moments(x, y, layout=layout, basis=basis, weights=weights),
        patterns=layout,
        basis=basis,
        covariance=covariance,
        reml=reml,
        n_observations=y.size,
        log_weights=0.0 if weights is None else float(np.log(weights).sum()),
    )


def fit_moments(
    data: Moments,
    *,
    patterns: Patterns,
    basis: Basis,
    covariance: str | PeriodsByVisits,
    reml: bool,
    n_observations: int,
    log_weights: float = 0.0,
) -> MarginalFit:
    """The same from moments alone, such as cross-products summed over shards of the data.

    `basis` is the one the moments were made on, `log_weights` the sum of the logarithms of
    the observations' weights.
    """
    refuse_unseen(patterns, covariance)
    likelihood = Likelihood(patterns=patterns, moments=data, reml=reml)
    structures = [_group_structure(covariance, patterns, group) for group in likelihood.groups]
    n_columns = basis.start.size
    empirical = empirical_covariances(patterns, data, n_columns + 1)
    starts = [s.starts(each) for s, each in zip(structures, empirical, strict=True)]
    optimum = _best(likelihood, structures, [list(thetas) for thetas in zip(*starts, strict=True)])
    scale, point = basis.scale, optimum.point
    free = n_observations - (n_columns if reml else 0)
    deviance = point.deviance + free * (np.log(2 * np.pi) + 2 * np.log(scale)) - log_weights
    if reml:
        deviance += basis.log_determinant
    return MarginalFit(
        coef=basis.coefficients(point.gamma),
        vcov=basis.covariance(point.phi),
        sigma=[
            scale**2 * s.sigma(theta) for s, theta in zip(structures, optimum.thetas, strict=True)
        ],
        deviance=float(deviance),
        reml=reml,
        n_observations=n_observations,
        basis=basis,
        likelihood=likelihood,
        structures=structures,
        optimum=optimum,
    )


def _best(
    likelihood: Likelihood, structures: list[Structure], starts: list[list[FloatArray]]
) -> Optimum:
    """The lowest deviance reached from any start; the first refusal where none succeeds."""
    best: Optimum | None = None
    refusal: ConvergenceError | None = None
    for thetas in starts:
        try:
            found = maximise(likelihood, structures, thetas)
        except ConvergenceError as problem:
            refusal = refusal or problem
            continue
        if best is None or found.point.deviance < best.point.deviance - SAME_OPTIMUM:
            best = found
    if best is None:
        raise refusal or ConvergenceError("There is no starting covariance.")
    return best


def _group_structure(
    covariance: str | PeriodsByVisits, patterns: Patterns, group: int
) -> Structure:
    if isinstance(covariance, PeriodsByVisits):
        n_visits = patterns.n_visits // covariance.n_periods
        return direct_product(covariance, n_visits=n_visits)
    distance = None
    if patterns.time is not None:
        time = patterns.time[patterns.group_slice(group)]
        distance = np.abs(time[:, :, None] - time[:, None, :])
    return structure(covariance, n_visits=patterns.n_visits, distance=distance)
