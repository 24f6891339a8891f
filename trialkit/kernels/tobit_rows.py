"""Gaussian regression of many censored responses at once, by maximum likelihood.

In Olsen's parameters gamma = beta / sigma and theta = 1 / sigma the log-likelihood is concave
(Olsen 1978, doi:10.2307/1913081), so that Newton's method with halved steps finds the one
maximum. A value censored at its bound says that the truth lies below (-1) or above (+1) it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi

import numpy as np
from scipy import special

from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["TobitRows", "censored_hazard", "tobit_rows", "tobit_scores"]

NEWTON_STEPS = 100
# The decrement is the log-likelihood still to be gained, twice over: at this size the last
# digits of the parameters no longer move.
DECREMENT = 1e-22
# Beyond so small a share of the first scale, the likelihood rises for ever: no maximum.
LARGEST_THETA = 1e8
HALVINGS = 40
SMALL_STEP = 1e-5
LOG_SQRT_2PI = 0.5 * log(2 * pi)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TobitRows:
    """By row (m,): coefficients (m, p), their covariance (m, p, p), sigma, log-likelihood.

    The covariance is the inverse of the observed information in (beta, log sigma). Rows
    that did not converge are NaN, and `converged` is false.
    """

    coef: FloatArray
    vcov: FloatArray
    sigma: FloatArray
    log_likelihood: FloatArray
    converged: BoolArray


def tobit_rows(y: FloatArray, side: IntArray, x: FloatArray) -> TobitRows:
    """Fit each response y (m, n) on its design x (m, n, p); or (n, p), the same for all.

    `side` (m, n) is 0 for a measured value, -1 for one known to lie below y, +1 above; a
    missing y is NaN. The columns of a row's design must be independent over its values.
    """
    m = y.shape[0]
    design = np.broadcast_to(x, (m, *x.shape)) if x.ndim == 2 else x
    present = ~np.isnan(y)
    data = _Data(
        v=np.concatenate([-design, np.where(present, y, 0.0)[:, :, None]], axis=2)
        * present[:, :, None],
        present=present,
        side=np.where(present, side, 0),
        n_measured=np.sum(present & (side == 0), axis=1).astype(np.float64),
    )
    params = _start(data, design)
    first_theta, value = params[:, -1].copy(), _value(data, params)
    converged = np.zeros(m, dtype=np.bool_)
    active = np.isfinite(value) & (data.n_measured > 0)
    for _ in range(NEWTON_STEPS):
        rows = np.flatnonzero(active)
        if rows.size == 0:
            break
        part = data.take(rows)
        gradient, information = _derivatives(part, params[rows])
        step, solved = _solve(information, gradient)
        decrement = np.sum(step * gradient, axis=1)
        active[rows[~solved]] = False
        new, new_value, moved = _line_search(part, params[rows], value[rows], step)
        params[rows], value[rows] = new, new_value
        # Where the likelihood rises for ever it flattens, and the steps do not shrink.
        small = np.all(np.abs(step) < SMALL_STEP * np.maximum(1.0, np.abs(new)), axis=1)
        done = solved & (((decrement < DECREMENT) & small) | ~moved)
        converged[rows[done]] = (decrement[done] < 1e-8) & small[done]
        active[rows[done]] = False
        active[rows[params[rows, -1] > LARGEST_THETA * first_theta[rows]]] = False
    return _results(data, params, value, converged)


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """The index is a = v (gamma, theta) = theta y - x gamma: v (m, n, p + 1)."""

    v: FloatArray
    present: BoolArray
    side: IntArray
    n_measured: FloatArray

    def take(self, rows: IntArray) -> _Data:
        return _Data(self.v[rows], self.present[rows], self.side[rows], self.n_measured[rows])


def _start(data: _Data, design: FloatArray) -> FloatArray:
    """Least squares on the bounds, with a scale not too small."""
    masked = -data.v[:, :, :-1]
    cross = np.matmul(np.swapaxes(masked, 1, 2), masked)
    target = np.matmul(np.swapaxes(masked, 1, 2), data.v[:, :, -1:])
    p = design.shape[2]
    ridge = 1e-10 * np.trace(cross, axis1=1, axis2=2)[:, None, None] / p * np.eye(p)
    beta = np.linalg.solve(cross + ridge, target)[:, :, 0]
    rest = (data.v[:, :, -1] - np.matmul(masked, beta[:, :, None])[:, :, 0]) * data.present
    n = np.maximum(data.present.sum(axis=1), 1)
    spread = np.sqrt(np.sum(rest**2, axis=1) / n)
    size = np.sqrt(np.sum(data.v[:, :, -1] ** 2, axis=1) / n)
    theta = 1 / np.maximum(spread, 1e-6 * np.maximum(size, 1e-300))
    return np.asarray(np.column_stack([beta * theta[:, None], theta]))


def _index(data: _Data, params: FloatArray) -> FloatArray:
    return np.asarray(np.matmul(data.v, params[:, :, None])[:, :, 0])


def _value(data: _Data, params: FloatArray) -> FloatArray:
    a = _index(data, params)
    theta = params[:, -1]
    terms = np.where(data.side == 0, -0.5 * a * a - LOG_SQRT_2PI, special.log_ndtr(-data.side * a))
    positive = theta > 0
    with np.errstate(invalid="ignore"):
        total = np.sum(np.where(data.present, terms, 0.0), axis=1)
        total += data.n_measured * np.log(np.where(positive, theta, 1.0))
    return np.where(positive, total, -np.inf)


def censored_hazard(b: FloatArray) -> FloatArray:
    """phi(b) / Phi(b), also far in the lower tail."""
    return np.asarray(np.exp(-0.5 * b * b - LOG_SQRT_2PI - special.log_ndtr(b)))


def _slopes(data: _Data, a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First and minus the second derivative of each term in its index a."""
    b = -data.side * a
    hazard = censored_hazard(b)
    first = np.where(data.side == 0, -a, -data.side * hazard)
    second = np.where(data.side == 0, 1.0, hazard * (hazard + b))
    return first * data.present, second * data.present


def _derivatives(data: _Data, params: FloatArray) -> tuple[FloatArray, FloatArray]:
    first, second = _slopes(data, _index(data, params))
    theta = params[:, -1]
    gradient = np.matmul(first[:, None, :], data.v)[:, 0, :]
    gradient[:, -1] += data.n_measured / theta
    information = np.matmul(np.swapaxes(data.v * second[:, :, None], 1, 2), data.v)
    information[:, -1, -1] += data.n_measured / theta**2
    return gradient, information


def _solve(information: FloatArray, gradient: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Newton steps; `solved` is false where the information is singular."""
    scale = np.sqrt(np.diagonal(information, axis1=1, axis2=2))
    usable: BoolArray = np.all(scale > 0, axis=1) & np.all(np.isfinite(information), axis=(1, 2))
    safe = np.where(usable[:, None], scale, 1.0)
    scaled = information / (safe[:, :, None] * safe[:, None, :])
    scaled[~usable] = np.eye(gradient.shape[1])
    usable &= np.linalg.eigvalsh(scaled)[:, 0] > 1e-13
    scaled[~usable] = np.eye(gradient.shape[1])
    step = np.linalg.solve(scaled, (gradient / safe)[:, :, None])[:, :, 0] / safe
    return np.where(usable[:, None], step, 0.0), usable


def _line_search(
    data: _Data, params: FloatArray, value: FloatArray, step: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """The full step, halved until the likelihood does not fall; and whether one was found."""
    share = np.ones(params.shape[0])
    best, best_value = params.copy(), value.copy()
    open_rows = np.ones(params.shape[0], dtype=np.bool_)
    for _ in range(HALVINGS):
        trial = params + share[:, None] * step
        trial_value = _value(data, trial)
        # The last steps move the value by rounding alone.
        slack = 1e-13 * np.maximum(1.0, np.abs(value))
        better = open_rows & (trial_value >= value - slack)
        best[better], best_value[better] = trial[better], trial_value[better]
        open_rows &= ~better
        if not open_rows.any():
            break
        share = np.where(open_rows, share / 2, share)
    return best, best_value, ~open_rows


def _results(data: _Data, params: FloatArray, value: FloatArray, converged: BoolArray) -> TobitRows:
    m, size = params.shape
    p = size - 1
    theta = np.where(converged, params[:, -1], 1.0)
    _, information = _derivatives(data, np.where(converged[:, None], params, 1.0))
    information[~converged] = np.eye(size)
    # beta = gamma / theta and log sigma = -log theta: at the maximum the information
    # changes with the coordinates as a tensor does.
    jacobian = np.zeros((m, p, size))
    jacobian[:, np.arange(p), np.arange(p)] = (1 / theta)[:, None]
    jacobian[:, :, -1] = -params[:, :-1] / theta[:, None] ** 2
    vcov = np.matmul(jacobian, np.linalg.solve(information, np.swapaxes(jacobian, 1, 2)))
    keep = converged[:, None]
    return TobitRows(
        coef=np.where(keep, params[:, :-1] / theta[:, None], np.nan),
        vcov=np.where(keep[:, :, None], vcov, np.nan),
        sigma=np.where(converged, 1 / theta, np.nan),
        log_likelihood=np.where(converged, value, np.nan),
        converged=converged,
    )


def tobit_scores(y: FloatArray, side: IntArray, x: FloatArray, fit: TobitRows) -> FloatArray:
    """Derivative of each term of the log-likelihood in its mean: (m, n), NaN where missing.

    Residuals over sigma^2 where the value is measured; a censored value has the expectation
    that its bound leaves.
    """
    design = np.broadcast_to(x, (y.shape[0], *x.shape)) if x.ndim == 2 else x
    mean = np.matmul(design, fit.coef[:, :, None])[:, :, 0]
    a = (y - mean) / fit.sigma[:, None]
    hazard = censored_hazard(-side * a)
    first = np.where(side == 0, -a, -side * hazard)
    return np.asarray(-first / fit.sigma[:, None])
