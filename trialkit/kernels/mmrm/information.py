"""Information of the covariance parameters, and what the small-sample methods need of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.likelihood import Likelihood, Point, block_diagonal
from trialkit.kernels.mmrm.structures import Natural
from trialkit.typing import FloatArray

__all__ = ["Information", "covariance_information", "natural_parameters"]

# Curvature of the deviance per relative change of Sigma, over the largest such: below this a
# direction of the covariance is not determined by the data.
MIN_RELATIVE_CURVATURE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class Information:
    """Covariance W (q, q) of the natural parameters, and the coefficients' slopes in them.

    `slopes` (q, P, P) are X'V^-1 V_s V^-1 X on the basis Q; `naturals` one a group. All in the
    scaled units of the fit.
    """

    covariance: FloatArray
    slopes: FloatArray
    naturals: list[Natural]
    is_expected: bool


def natural_parameters(fit: MarginalFit) -> list[Natural]:
    """Natural parameters of each group at the optimum, in scaled units."""
    return [s.natural(t) for s, t in zip(fit.structures, fit.optimum.thetas, strict=True)]


def covariance_information(
    fit: MarginalFit, *, expected: bool = False, naturals: list[Natural] | None = None
) -> Information:
    """Inverse of the observed (or expected) information of the covariance parameters.

    `naturals` replaces the structures' own parameters by others. Raises ConvergenceError where
    the information is singular: the data do not determine every parameter.
    """
    parameters = natural_parameters(fit) if naturals is None else naturals
    likelihood, point = fit.likelihood, fit.optimum.point
    firsts = [natural.first for natural in parameters]
    slopes = likelihood.slopes(point, firsts)
    fixed = likelihood.coefficient_terms(point, slopes, expected=expected)
    if expected:
        own = likelihood.curvature(_expected_point(likelihood, point), firsts, expected=True)
    else:
        own = likelihood.curvature(point, firsts) + _bend(likelihood, point, parameters)
    # The Hessian is that of -2 log-likelihood: twice the information.
    return Information(
        covariance=2.0 * _inverse(own + fixed),
        slopes=slopes.matrix,
        naturals=parameters,
        is_expected=expected,
    )


def _expected_point(likelihood: Likelihood, point: Point) -> Point:
    """The point with the fixed effects' own variance (REML) in place of the residuals."""
    width = point.gamma.size + 1
    weight = np.zeros((width, width))
    if likelihood.reml:
        weight[:-1, :-1] = point.phi
    return replace(point, spread=likelihood.moments.spread(weight))


def _bend(likelihood: Likelihood, point: Point, parameters: list[Natural]) -> FloatArray:
    """The Hessian's part of d2 Sigma."""
    blocks = []
    for natural, each in zip(parameters, likelihood.sigma_gradient(point), strict=True):
        q = natural.first.shape[0]
        if natural.second is None:
            blocks.append(np.zeros((q, q)))
            continue
        total = each.sum(axis=0, keepdims=True) if natural.first.shape[1] == 1 else each
        blocks.append(np.tensordot(natural.second, total, axes=3))
    return block_diagonal(blocks)


def _inverse(hessian: FloatArray) -> FloatArray:
    """Inverse of a positive definite Hessian, parameters first brought to one scale."""
    root = np.sqrt(np.abs(np.diagonal(hessian)))
    root = np.where(root > 0, root, 1.0)
    values, vectors = np.linalg.eigh(hessian / np.outer(root, root))
    if values[0] <= MIN_RELATIVE_CURVATURE * values[-1]:
        raise ConvergenceError(
            "The information of the covariance parameters is singular: the data do not "
            "determine all of them."
        )
    half = vectors / np.sqrt(values) / root[:, None]
    return np.asarray(half @ half.T)
