"""What the likelihoods of censored normal values with random effects have in common.

A term is the log density of a measured value, or the log probability beyond its bound, as a
function of its index a = (y - mean) / sigma. Parameters are the coefficients, log sigma, and
the standard deviations of the random effects, which are free in sign: the likelihood is even in
them, so that a variance of zero is an interior point and Newton's method needs no bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from scipy import special

from trialkit.kernels.tobit_rows import LOG_SQRT_2PI, censored_hazard
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "Maximum",
    "Objective",
    "censored_terms",
    "coefficient_covariance",
    "least_squares_start",
    "maximise",
]

NEWTON_STEPS = 200
DECREMENT = 1e-18
# A gain this small share of the value is lost in the error of a quadrature: so near the maximum
# Newton's steps need no search, and a few of them reach it.
UNSEEN, NEAR, MOST_UNSEEN = 1e-7, 1e-3, 6
# Where no step gains anything and this little is left to gain, the maximum is found.
SETTLED = 1e-9
HALVINGS = 40
SMALL_STEP = 1e-5
# The most that a step changes a coefficient or effect, in units of the first sigma, and log sigma.
LONGEST, LONGEST_LOG = 10.0, 2.0
# sigma below this share of its first value: the likelihood rises for ever.
SMALLEST_SIGMA = 1e-6
# An information matrix, scaled to a unit diagonal, with a smaller eigenvalue has no inverse.
FLAT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """A log-likelihood, and it with its gradient and Hessian; `n_coef` stand before log sigma."""

    value: Callable[[FloatArray], float]
    derivatives: Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]
    n_coef: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maximum:
    """Where the search ended: parameters, log-likelihood, Hessian."""

    params: FloatArray
    value: float
    hessian: FloatArray
    converged: bool


def censored_terms(
    side: IntArray, present: FloatArray, a: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log density or probability at index `a`, its first and second derivative in a.

    `side` and `present` have the shape of `a` or lack its last axes. Measured values lack the
    -log sigma of their density.
    """
    extra = (np.newaxis,) * (a.ndim - side.ndim)
    which, seen = side[(..., *extra)], present[(..., *extra)]
    b = -which * a
    hazard = censored_hazard(b)
    measured = which == 0
    value = np.where(measured, -0.5 * a * a - LOG_SQRT_2PI, special.log_ndtr(b))
    first = np.where(measured, -a, -which * hazard)
    # Between 0 and 1; far in the tail the sum has lost its digits.
    second = np.where(measured, -1.0, -np.clip(hazard * (hazard + b), 0.0, 1.0))
    return value * seen, first * seen, second * seen


def least_squares_start(y: FloatArray, x: FloatArray, *, n_effects: int) -> FloatArray:
    """Least squares on the bounds, the spread shared evenly between effects and residuals."""
    present = ~np.isnan(y)
    rows, values = x[present], y[present]
    beta = np.linalg.lstsq(rows, values, rcond=None)[0]
    spread = float(np.sqrt(np.mean((values - rows @ beta) ** 2)))
    spread = max(spread, 1e-6 * float(np.max(np.abs(values), initial=1e-12)), 1e-12)
    share = spread / np.sqrt(n_effects + 1)
    return np.concatenate([beta, [log(share)], np.full(n_effects, share)])


def maximise(objective: Objective, start: FloatArray) -> Maximum:
    """Newton's method from `start`, with halved steps; it may end without a maximum."""
    params, first_sigma = start, start[objective.n_coef]
    # Longer steps are guesses about a far part of the surface.
    longest = np.full(start.size, LONGEST * np.exp(first_sigma))
    longest[objective.n_coef] = LONGEST_LOG
    value, gradient, hessian = objective.derivatives(params)
    converged, near = False, 0
    for _ in range(NEWTON_STEPS):
        step = _ascent(gradient, hessian)
        decrement = float(step @ gradient)
        # Where the likelihood rises for ever it flattens, and the steps do not shrink.
        small = bool(np.all(np.abs(step) < SMALL_STEP * np.maximum(1.0, np.abs(params))))
        if small and decrement < DECREMENT * max(1.0, abs(value)):
            converged = True
            break
        if near < MOST_UNSEEN and _is_unseen(params, value, step, decrement):
            params, near = params + step, near + 1
            value, gradient, hessian = objective.derivatives(params)
            continue
        params, moved = _line_search(objective, params, value, step, longest)
        value, gradient, hessian = objective.derivatives(params)
        if params[objective.n_coef] < log(SMALLEST_SIGMA) + first_sigma:
            break
        if not moved:
            converged = small and decrement < SETTLED
            break
    return Maximum(params=params, value=value, hessian=hessian, converged=converged)


def _is_unseen(params: FloatArray, value: float, step: FloatArray, decrement: float) -> bool:
    short = bool(np.all(np.abs(step) < NEAR * np.maximum(1.0, np.abs(params))))
    return short and decrement < UNSEEN * max(1.0, abs(value))


def _ascent(gradient: FloatArray, hessian: FloatArray) -> FloatArray:
    """Newton's step where the likelihood is concave, turned uphill where it is not."""
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-12))
    values, vectors = np.linalg.eigh(-hessian / np.outer(scale, scale))
    size = np.maximum(np.abs(values), 1e-8)
    return np.asarray(vectors @ ((vectors.T @ (gradient / scale)) / size) / scale)


def _line_search(
    objective: Objective,
    params: FloatArray,
    value: float,
    step: FloatArray,
    longest: FloatArray,
) -> tuple[FloatArray, bool]:
    share = 1.0 / max(1.0, float(np.max(np.abs(step) / longest)))
    for _ in range(HALVINGS):
        trial = params + share * step
        if objective.value(trial) > value:
            return trial, True
        share /= 2
    return params, False


def coefficient_covariance(hessian: FloatArray, kept: BoolArray, n_coef: int) -> FloatArray | None:
    """Covariance of the coefficients, the parameters not `kept` held fixed; None if singular."""
    used = -hessian[np.ix_(kept, kept)]
    scale = np.sqrt(np.maximum(np.diagonal(used), 1e-300))
    scaled = used / np.outer(scale, scale)
    if np.linalg.eigvalsh(scaled)[0] <= FLAT:
        return None
    return np.asarray((np.linalg.inv(scaled) / np.outer(scale, scale))[:n_coef, :n_coef])
