"""Gaussian model with a normal subject effect and censored values, by maximum likelihood.

y_ij = x_ij beta + b_i + e_ij with b_i ~ N(0, tau^2) and e_ij ~ N(0, sigma^2); a value is
measured, or known to lie below (-1) or above (+1) its bound. The subject effect is integrated
out by adaptive Gauss-Hermite quadrature, centred for every subject at the mode of its
log-concave integrand (Liu & Pierce 1994, doi:10.1093/biomet/81.3.624). Derivatives are
posterior expectations (Louis 1982), on the same nodes.

tau is free in sign: the likelihood is even in it, so that a variance of zero is an interior
point and Newton's method needs no bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from scipy import special

from trialkit.kernels.tobit_rows import LOG_SQRT_2PI, censored_hazard
from trialkit.typing import FloatArray, IntArray

__all__ = ["CensoredMixed", "censored_mixed", "log_likelihood", "subject_scores"]

# Nodes a subject: one more changes the likelihood of a few dozen pairs by less than 1e-9.
N_NODES = 40
NODES, WEIGHTS = np.polynomial.hermite.hermgauss(N_NODES)
LOG_WEIGHTS = np.log(WEIGHTS) + NODES**2
NEWTON_STEPS = 200
MODE_STEPS = 100
DECREMENT = 1e-18
HALVINGS = 40
SMALL_STEP = 1e-5
# A subject effect this small a share of sigma is none: the information about it vanishes.
ZERO_TAU = 1e-3
# sigma below this share of its first value: the likelihood rises for ever.
SMALLEST_SIGMA = 1e-6


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
    params = _start(y, x)
    first_sigma = params[-2]
    value, gradient, hessian = _derivatives(y, side, x, params)
    converged = False
    for _ in range(NEWTON_STEPS):
        step = _ascent(gradient, hessian)
        decrement = float(step @ gradient)
        # Where the likelihood rises for ever it flattens, and the steps do not shrink.
        small = bool(np.all(np.abs(step) < SMALL_STEP * np.maximum(1.0, np.abs(params))))
        if small and decrement < DECREMENT * max(1.0, abs(value)):
            converged = True
            break
        params, moved = _line_search(y, side, x, params, value, step)
        value, gradient, hessian = _derivatives(y, side, x, params)
        if params[-2] < log(SMALLEST_SIGMA) + first_sigma:
            break
        if not moved:
            converged = small and decrement < 1e-9
            break
    return _result(params, value, hessian, converged)


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


def _start(y: FloatArray, x: FloatArray) -> FloatArray:
    """Least squares on the bounds, the spread shared between subjects and residuals."""
    present = ~np.isnan(y)
    rows, values = x[present], y[present]
    beta = np.linalg.lstsq(rows, values, rcond=None)[0]
    spread = float(np.sqrt(np.mean((values - rows @ beta) ** 2)))
    spread = max(spread, 1e-6 * float(np.max(np.abs(values), initial=1e-12)), 1e-12)
    return np.concatenate([beta, [log(spread / sqrt(2)), spread / sqrt(2)]])


def _slopes(
    side: IntArray, present: FloatArray, a: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log density or probability at index a, first and second derivative in a."""
    which = side[..., None] if a.ndim > side.ndim else side
    seen = present[..., None] if a.ndim > present.ndim else present
    b = -which * a
    hazard = censored_hazard(b)
    measured = which == 0
    value = np.where(measured, -0.5 * a * a - LOG_SQRT_2PI, special.log_ndtr(b))
    first = np.where(measured, -a, -which * hazard)
    second = np.where(measured, -1.0, -hazard * (hazard + b))
    return value * seen, first * seen, second * seen


def _terms(y: FloatArray, side: IntArray, x: FloatArray, params: FloatArray) -> _Terms:
    """Nodes about each subject's mode, and what the derivatives need there."""
    beta, sigma, tau = params[:-2], float(np.exp(params[-2])), float(params[-1])
    present = (~np.isnan(y)).astype(np.float64)
    a0 = np.where(present > 0, (y - x @ beta) / sigma, 0.0)
    ratio = tau / sigma
    mode = np.zeros(y.shape[0])
    for _ in range(MODE_STEPS):
        _, first, second = _slopes(side, present, a0 - ratio * mode[:, None])
        gradient = -ratio * first.sum(axis=1) - mode
        bend = 1.0 - ratio**2 * second.sum(axis=1)
        # Log-concave with curvature of at least one: the Newton step never overshoots by more
        # than this bound allows.
        move = np.clip(gradient / bend, -3.0, 3.0)
        mode = mode + move
        if np.max(np.abs(move), initial=0.0) < 1e-12:
            break
    _, _, second = _slopes(side, present, a0 - ratio * mode[:, None])
    width = sqrt(2) / np.sqrt(1.0 - ratio**2 * second.sum(axis=1))
    u = mode[:, None] + width[:, None] * NODES
    index = a0[:, :, None] - ratio * u[:, None, :]
    value, slope, curvature = _slopes(side, present, index)
    n_measured = np.sum(present * (side == 0), axis=1)
    log_value = (
        value.sum(axis=1)
        - n_measured[:, None] * params[-2]
        - 0.5 * u**2
        - LOG_SQRT_2PI
        + LOG_WEIGHTS
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


def _ascent(gradient: FloatArray, hessian: FloatArray) -> FloatArray:
    """Newton's step where the likelihood is concave, turned uphill where it is not."""
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(-hessian / np.outer(scale, scale))
    size = np.maximum(np.abs(values), 1e-8)
    return np.asarray(vectors @ ((vectors.T @ (gradient / scale)) / size) / scale)


def _line_search(
    y: FloatArray,
    side: IntArray,
    x: FloatArray,
    params: FloatArray,
    value: float,
    step: FloatArray,
) -> tuple[FloatArray, bool]:
    # A change of log sigma by more than two is a guess about a far part of the surface.
    share = min(1.0, 2.0 / max(abs(float(step[-2])), 1e-300))
    for _ in range(HALVINGS):
        trial = params + share * step
        found = float(np.sum(_integral(_terms(y, side, x, trial))[0]))
        if found > value:
            return trial, True
        share /= 2
    return params, False


def _result(
    params: FloatArray, value: float, hessian: FloatArray, converged: bool
) -> CensoredMixed:
    p = params.size - 2
    sigma, tau = float(np.exp(params[-2])), abs(float(params[-1]))
    at_bound = tau < ZERO_TAU * sigma
    used = hessian[: p + 1, : p + 1] if at_bound else hessian
    vcov = np.full((p, p), np.nan)
    if converged:
        scale = np.sqrt(np.maximum(np.diagonal(-used), 1e-300))
        scaled = -used / np.outer(scale, scale)
        if np.linalg.eigvalsh(scaled)[0] > 1e-10:
            vcov = (np.linalg.inv(scaled) / np.outer(scale, scale))[:p, :p]
        else:
            converged = False
    return CensoredMixed(
        coef=params[:p].copy(),
        vcov=vcov,
        sigma=sigma,
        tau=0.0 if at_bound else tau,
        log_likelihood=value,
        converged=converged,
    )
