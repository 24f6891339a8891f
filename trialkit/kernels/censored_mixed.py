"""Gaussian model with a normal subject effect and censored values, by maximum likelihood.

y_ij = x_ij beta + b_i + e_ij with b_i ~ N(0, tau^2) and e_ij ~ N(0, sigma^2); a value is
measured, or known to lie below (-1) or above (+1) its bound. The subject effect is integrated
out by adaptive Gauss-Hermite quadrature, centred for every subject at the mode of its
log-concave integrand (Liu & Pierce 1994, doi:10.1093/biomet/81.3.624). Derivatives are
posterior expectations (Louis 1982), on the same nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from trialkit.kernels.censored_newton import (
    Maximum,
    Objective,
    censored_terms,
    coefficient_covariance,
    least_squares_start,
    maximise,
)
from trialkit.kernels.hermite_rule import hermite_rule
from trialkit.kernels.tobit_rows import LOG_SQRT_2PI
from trialkit.typing import FloatArray, IntArray

__all__ = ["CensoredMixed", "censored_mixed", "log_likelihood", "subject_scores"]

MODE_STEPS = 100
# A subject effect this small a share of sigma is none: the information about it vanishes.
ZERO_TAU = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CensoredMixed:
    """Coefficients (p,), their covariance (p, p) by the observed information, and scales.

    `tau` is the standard deviation of the subject effect, zero at its bound.
    """

    coef: FloatArray
    vcov: FloatArray
    sigma: float
    tau: float
    log_likelihood: float
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """The integrand's logarithm at the nodes and its slopes; (s, q) and (s, k, q)."""

    u: FloatArray
    log_value: FloatArray
    index: FloatArray
    slope: FloatArray
    curvature: FloatArray


def censored_mixed(y: FloatArray, side: IntArray, x: FloatArray) -> CensoredMixed:
    """Fit y (s, k; NaN missing) of s subjects with up to k values each on x (s, k, p).

    `side` (s, k) is 0, -1 or +1. The columns of x must be independent over the values.
    """
    objective = Objective(
        value=lambda params: float(np.sum(_integral(_terms(y, side, x, params))[0])),
        derivatives=lambda params: _derivatives(y, side, x, params),
        n_coef=x.shape[2],
    )
    return _result(maximise(objective, least_squares_start(y, x, n_effects=1)))


def log_likelihood(
    y: FloatArray, side: IntArray, x: FloatArray, coef: FloatArray, sigma: float, tau: float
) -> float:
    """Logarithm of the likelihood at these parameters."""
    params = np.concatenate([coef, [log(sigma), tau]])
    return float(np.sum(_integral(_terms(y, side, x, params))[0]))


def subject_scores(y: FloatArray, side: IntArray, x: FloatArray, fit: CensoredMixed) -> FloatArray:
    """Derivative of the log-likelihood in the mean of each value (s, k); NaN where missing."""
    params = np.concatenate([fit.coef, [log(fit.sigma), fit.tau]])
    terms = _terms(y, side, x, params)
    weight = _integral(terms)[1]
    score = -np.sum(weight[:, None, :] * terms.slope, axis=2) / fit.sigma
    return np.where(np.isnan(y), np.nan, score)


def _terms(y: FloatArray, side: IntArray, x: FloatArray, params: FloatArray) -> _Terms:
    """Nodes about each subject's mode, and what the derivatives need there."""
    beta, sigma, tau = params[:-2], float(np.exp(params[-2])), float(params[-1])
    present = (~np.isnan(y)).astype(np.float64)
    a0 = np.where(present > 0, (y - x @ beta) / sigma, 0.0)
    ratio = tau / sigma
    mode = np.zeros(y.shape[0])
    for _ in range(MODE_STEPS):
        _, first, second = censored_terms(side, present, a0 - ratio * mode[:, None])
        gradient = -ratio * first.sum(axis=1) - mode
        bend = 1.0 - ratio**2 * second.sum(axis=1)
        # Log-concave with curvature of at least one: the Newton step never overshoots by more
        # than this bound allows.
        move = np.clip(gradient / bend, -3.0, 3.0)
        mode = mode + move
        if np.max(np.abs(move), initial=0.0) < 1e-12:
            break
    _, _, second = censored_terms(side, present, a0 - ratio * mode[:, None])
    width = sqrt(2) / np.sqrt(1.0 - ratio**2 * second.sum(axis=1))
    nodes, log_weights = hermite_rule(ratio)
    u = mode[:, None] + width[:, None] * nodes
    index = a0[:, :, None] - ratio * u[:, None, :]
    value, slope, curvature = censored_terms(side, present, index)
    n_measured = np.sum(present * (side == 0), axis=1)
    log_value = (
        value.sum(axis=1)
        - n_measured[:, None] * params[-2]
        - 0.5 * u**2
        - LOG_SQRT_2PI
        + log_weights
        + np.log(width)[:, None]
    )
    return _Terms(u, log_value, index * present[:, :, None], slope, curvature)


def _integral(terms: _Terms) -> tuple[FloatArray, FloatArray]:
    """Log-likelihood of each subject (s,) and the posterior weights of its nodes (s, q)."""
    top = terms.log_value.max(axis=1, keepdims=True)
    share = np.exp(terms.log_value - top)
    total = share.sum(axis=1, keepdims=True)
    return (top + np.log(total))[:, 0], share / total


def _derivatives(
    y: FloatArray, side: IntArray, x: FloatArray, params: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood, gradient and Hessian in (beta, log sigma, tau)."""
    terms = _terms(y, side, x, params)
    by_subject, weight = _integral(terms)
    sigma = float(np.exp(params[-2]))
    p = x.shape[2]
    present = ~np.isnan(y)
    measured = np.sum(present & (side == 0), axis=1)
    # d index / d parameters: -x / sigma, -index, -u / sigma; (s, k, q, p + 2).
    slope_of_index = np.empty((*terms.index.shape, p + 2))
    slope_of_index[..., :p] = -x[:, :, None, :] / sigma
    slope_of_index[..., p] = -terms.index
    slope_of_index[..., p + 1] = -terms.u[:, None, :] / sigma
    first = np.sum(terms.slope[..., None] * slope_of_index, axis=1)
    first[..., p] -= measured[:, None]
    gradient = np.sum(weight[..., None] * first, axis=1)
    weighted = slope_of_index * (weight[:, None, :] * terms.curvature)[..., None]
    size = p + 2
    hessian = weighted.reshape(-1, size).T @ slope_of_index.reshape(-1, size)
    # The index's own second derivatives: those in log sigma return the first, sign changed.
    expected = weight[:, None, :] * terms.slope
    cross = -np.sum(expected[..., None] * slope_of_index, axis=(0, 1, 2))
    hessian[p, :] += cross
    hessian[:, p] += cross
    hessian[p, p] -= cross[p]
    spread = first - gradient[:, None, :]
    hessian += (spread * weight[..., None]).reshape(-1, size).T @ spread.reshape(-1, size)
    return float(by_subject.sum()), gradient.sum(axis=0), hessian


def _result(found: Maximum) -> CensoredMixed:
    p = found.params.size - 2
    sigma, tau = float(np.exp(found.params[-2])), abs(float(found.params[-1]))
    at_bound = tau < ZERO_TAU * sigma
    kept = np.ones(p + 2, dtype=np.bool_)
    kept[-1] = not at_bound
    vcov = coefficient_covariance(found.hessian, kept, p) if found.converged else None
    return CensoredMixed(
        coef=found.params[:p].copy(),
        vcov=np.full((p, p), np.nan) if vcov is None else vcov,
        sigma=sigma,
        tau=0.0 if at_bound else tau,
        log_likelihood=found.value,
        converged=vcov is not None,
    )
