"""Censored values with a subject effect and an effect of each of a subject's cells, by ML.

y_icr = x_icr beta + b_i + p_ic + e_icr with b_i ~ N(0, tau^2), p_ic ~ N(0, omega^2) and e_icr ~
N(0, sigma^2): cells c are conditions (phases), r the draws within one. Given the subject effect
the cells are independent, so that the likelihood of a subject is an integral over b of a
product of integrals over one p each: adaptive Gauss-Hermite quadrature inside the same (Liu &
Pierce 1994, doi:10.1093/biomet/81.3.624), every integrand log-concave. Derivatives are
posterior expectations on the same nodes (Louis 1982).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["CensoredNested", "cell_scores", "censored_nested", "nested_log_likelihood"]

# Nodes a subject and a cell at most: each value is held at their product. They are right to 1e-8
# or so where an effect's standard deviation is up to seven times the one around it.
MOST_NODES = 320
MODE_STEPS = 100
# The nodes may lie about a point beside the mode.
MODE_PRECISION = 1e-5
# A standard deviation this small a share of sigma is none: the information about it vanishes.
ZERO_EFFECT = 1e-3
# Share of the spread at which the search for a standard deviation starts at least.
SMALLEST_SHARE = 0.2
# Subjects whose nodes are held in memory at once.
BLOCK = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CensoredNested:
    """Coefficients (p,), their covariance (p, p) by the observed information, and scales.

    `tau` and `omega` are the standard deviations of the subjects' and the cells' effects, zero
    at their bound.
    """

    coef: FloatArray
    vcov: FloatArray
    sigma: float
    tau: float
    omega: float
    log_likelihood: float
    converged: bool

    @property
    def params(self) -> FloatArray:
        """(beta, log sigma, tau, omega)."""
        return np.array([*self.coef, np.log(self.sigma), self.tau, self.omega])


@dataclass(frozen=True, slots=True, eq=False)
class _Values:
    """y (s, c, r; 0 where missing), side, present, x (s, c, r, p) of some subjects."""

    y: FloatArray
    side: IntArray
    present: FloatArray
    x: FloatArray

    @property
    def n_measured(self) -> FloatArray:
        """Measured values of each cell (s, c)."""
        return np.asarray(np.sum(self.present * (self.side == 0), axis=2))


@dataclass(frozen=True, slots=True, eq=False)
class _Inner:
    """Nodes p (s, q, c, k), their share of the cell's integral, its logarithm (s, q, c).

    `index`, `slope`, `curvature` (s, q, c, r, k) are those of the terms at the nodes.
    """

    p: FloatArray
    weight: FloatArray
    log_integral: FloatArray
    index: FloatArray
    slope: FloatArray
    curvature: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Outer:
    """Nodes b (s, q), their posterior weight, the subjects' log-likelihood (s,), what is inside."""

    b: FloatArray
    weight: FloatArray
    log_likelihood: FloatArray
    inner: _Inner


def censored_nested(
    y: FloatArray, side: IntArray, x: FloatArray, *, start: FloatArray | None = None
) -> CensoredNested:
    """Fit y (s, c, r; NaN missing) on x (s, c, r, p); `side` (s, c, r) is 0, -1 or +1.

    The columns of x must be independent over the values, and some cell must hold two. `start`
    are the `params` of a similar fit.
    """
    n_coef = x.shape[3]
    problem = _Problem(_blocks(y, side, x))
    objective = Objective(value=problem.value, derivatives=problem.derivatives, n_coef=n_coef)
    if start is None:
        first = _start(y, x)
    else:
        first = start.copy()
        # At an effect of zero the slope in it is zero, too, wherever the maximum is.
        first[-2:] = np.maximum(first[-2:], SMALLEST_SHARE * np.exp(first[-3]))
    return _result(maximise(objective, first), n_coef)


def _start(y: FloatArray, x: FloatArray) -> FloatArray:
    """Least squares on the bounds, the spread of the residuals shared as their means vary."""
    start = least_squares_start(y, x, n_effects=2)
    n_coef = x.shape[3]
    present = ~np.isnan(y)
    rest = np.where(present, y - x @ start[:n_coef], 0.0)
    spread = float(np.sqrt(np.sum(rest**2) / present.sum()))
    by_cell = rest.sum(axis=2) / np.maximum(present.sum(axis=2), 1)
    by_subject = by_cell.mean(axis=1)
    parts = (
        np.where(present, rest - by_cell[:, :, None], 0.0),
        by_subject,
        by_cell - by_subject[:, None],
    )
    found = [float(np.sqrt(np.mean(part**2))) for part in parts]
    sigma, tau, omega = (min(max(value, SMALLEST_SHARE * spread), spread) for value in found)
    # Bounds stand closer together than what lies beyond them.
    start[n_coef:] = np.log(max(sigma, 1e-12)), max(tau, 1e-12), max(omega, 1e-12)
    return start


class _Problem:
    """The likelihood of all subjects; the integrals of the last parameters are kept."""

    def __init__(self, parts: list[_Values]) -> None:
        self.parts = parts
        self.last: tuple[FloatArray, list[_Outer]] | None = None

    def _integrals(self, params: FloatArray) -> list[_Outer]:
        if self.last is None or not np.array_equal(self.last[0], params):
            self.last = (params.copy(), [_outer(part, params) for part in self.parts])
        return self.last[1]

    def value(self, params: FloatArray) -> float:
        return float(sum(outer.log_likelihood.sum() for outer in self._integrals(params)))

    def derivatives(self, params: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        found = [
            _derivatives(part, outer, params)
            for part, outer in zip(self.parts, self._integrals(params), strict=True)
        ]
        gradient, hessian = (np.sum(each, axis=0) for each in zip(*found, strict=True))
        return self.value(params), gradient, hessian


def nested_log_likelihood(
    y: FloatArray, side: IntArray, x: FloatArray, params: FloatArray
) -> float:
    """Logarithm of the likelihood at (beta, log sigma, tau, omega)."""
    return _Problem(_blocks(y, side, x)).value(params)


def cell_scores(y: FloatArray, side: IntArray, x: FloatArray, fit: CensoredNested) -> FloatArray:
    """Derivative of the log-likelihood in the mean of each value (s, c, r); NaN where missing."""
    params, found = fit.params, []
    for part in _blocks(y, side, x):
        outer = _outer(part, params)
        weight = outer.weight[:, :, None, None] * outer.inner.weight
        found.append(-np.einsum("sqck,sqcrk->scr", weight, outer.inner.slope) / fit.sigma)
    return np.where(np.isnan(y), np.nan, np.concatenate(found))


def _blocks(y: FloatArray, side: IntArray, x: FloatArray) -> list[_Values]:
    present = ~np.isnan(y)
    filled = np.where(present, y, 0.0)

    def parts() -> Iterator[_Values]:
        for start in range(0, y.shape[0], BLOCK):
            some = slice(start, start + BLOCK)
            yield _Values(filled[some], side[some], present[some].astype(np.float64), x[some])

    return list(parts())


def _inner(part: _Values, params: FloatArray, b: FloatArray) -> _Inner:
    """Integrals over the cells' effects at subject effects b (s, q)."""
    p = part.x.shape[3]
    sigma, tau, omega = float(np.exp(params[p])), float(params[p + 1]), float(params[p + 2])
    ratio = omega / sigma
    at_zero = (part.y - part.x @ params[:p]) / sigma * part.present
    base = at_zero[:, None] - (tau / sigma) * b[:, :, None, None]
    side, present = part.side[:, None], part.present[:, None]
    mode = np.zeros(base.shape[:3])
    for _ in range(MODE_STEPS):
        _, first, second = censored_terms(side, present, base - ratio * mode[..., None])
        move = -(ratio * first.sum(axis=3) + mode) / (1.0 - ratio**2 * second.sum(axis=3))
        # Log-concave with curvature of at least one: longer steps overshoot.
        mode = mode + np.clip(move, -3.0, 3.0)
        if np.max(np.abs(move), initial=0.0) < MODE_PRECISION:
            break
    _, _, second = censored_terms(side, present, base - ratio * mode[..., None])
    width = np.sqrt(2.0 / (1.0 - ratio**2 * second.sum(axis=3)))
    places, log_weights = hermite_rule(ratio, most=MOST_NODES)
    nodes = mode[..., None] + width[..., None] * places
    index = base[..., None] - ratio * nodes[:, :, :, None, :]
    value, slope, curvature = censored_terms(side, present, index)
    logs = value.sum(axis=3) - 0.5 * nodes**2 - LOG_SQRT_2PI + log_weights
    integral, weight = _normalised(logs + np.log(width)[..., None])
    seen = part.present[:, None, :, :, None]
    return _Inner(nodes, weight, integral, index * seen, slope, curvature)


def _normalised(logs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithm of the sum of exponentials over the last axis, and the shares in it."""
    top = logs.max(axis=-1, keepdims=True)
    share = np.exp(logs - top)
    total = share.sum(axis=-1, keepdims=True)
    return (top + np.log(total))[..., 0], share / total


def _outer(part: _Values, params: FloatArray) -> _Outer:
    """Integrals over the subject effect, about the mode that it has jointly with the cells'."""
    p = part.x.shape[3]
    mode, curvature = _joint_mode(part, params)
    width = np.sqrt(2.0 / curvature)
    sigma, tau, omega = float(np.exp(params[p])), float(params[p + 1]), float(params[p + 2])
    # Integrated over the cells' effects, a value lies about the subject's with both spreads.
    nodes, log_weights = hermite_rule(tau / float(np.hypot(sigma, omega)), most=MOST_NODES)
    b = mode[:, None] + width[:, None] * nodes
    inner = _inner(part, params, b)
    logs = inner.log_integral.sum(axis=2) - 0.5 * b**2 - LOG_SQRT_2PI + log_weights
    integral, weight = _normalised(logs + np.log(width)[:, None])
    return _Outer(b, weight, integral - part.n_measured.sum(axis=1) * params[p], inner)


def _joint_mode(part: _Values, params: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The subject effect (s,) at the mode of all effects, and its curvature given the cells'."""
    p = part.x.shape[3]
    sigma = float(np.exp(params[p]))
    outer, inner = float(params[p + 1]) / sigma, float(params[p + 2]) / sigma
    at_zero = (part.y - part.x @ params[:p]) / sigma * part.present
    b, cell = np.zeros(part.y.shape[0]), np.zeros(part.y.shape[:2])
    for _ in range(MODE_STEPS):
        index = at_zero - outer * b[:, None, None] - inner * cell[:, :, None]
        _, first, second = censored_terms(part.side, part.present, index)
        slope, bend = first.sum(axis=2), -second.sum(axis=2)
        own = 1.0 + inner**2 * bend
        # What the cells leave of the information on b once their effects follow it.
        curvature = 1.0 + outer**2 * np.sum(bend / own, axis=1)
        pull = -inner * slope - cell
        gradient = -outer * slope.sum(axis=1) - b - outer * inner * np.sum(bend * pull / own, 1)
        move = gradient / curvature
        cell_move = (pull - outer * inner * bend * move[:, None]) / own
        # Log-concave with curvature of at least one: longer steps overshoot.
        longest = np.maximum(np.abs(move), np.abs(cell_move).max(axis=1))
        share = np.minimum(1.0, 3.0 / np.maximum(longest, 3.0))
        b, cell = b + share * move, cell + share[:, None] * cell_move
        if np.max(longest, initial=0.0) < MODE_PRECISION:
            break
    return b, curvature


def _derivatives(part: _Values, outer: _Outer, params: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gradient and Hessian in (beta, log sigma, tau, omega)."""
    inner = outer.inner
    p, sigma = part.x.shape[3], float(np.exp(params[part.x.shape[3]]))
    size = p + 3
    # d index / d parameters: -x / sigma, -index, -b / sigma, -p / sigma; (s, q, c, r, k, size).
    slopes = np.empty((*inner.index.shape, size))
    slopes[..., :p] = -part.x[:, None, :, :, None, :] / sigma
    slopes[..., p] = -inner.index
    slopes[..., p + 1] = -outer.b[:, :, None, None, None] / sigma
    slopes[..., p + 2] = -inner.p[:, :, :, None, :] / sigma
    first = np.einsum("sqcrk,sqcrkt->sqckt", inner.slope, slopes)
    first[..., p] -= part.n_measured[:, None, :, None]
    weight = outer.weight[:, :, None, None] * inner.weight
    flat = slopes.reshape(-1, size)
    expected = (weight[:, :, :, None, :] * inner.curvature).reshape(-1, 1)
    hessian = flat.T @ (flat * expected)
    # The index's own second derivatives: those in log sigma return the first, sign changed.
    cross = -flat.T @ (weight[:, :, :, None, :] * inner.slope).reshape(-1)
    hessian[p, :] += cross
    hessian[:, p] += cross
    hessian[p, p] -= cross[p]
    # Var(score) = E Var(score | b), its cells independent, + Var E(score | b).
    by_cell = np.einsum("sqck,sqckt->sqct", inner.weight, first)
    rest = (first - by_cell[:, :, :, None, :]).reshape(-1, size)
    hessian += rest.T @ (rest * weight.reshape(-1, 1))
    by_node = by_cell.sum(axis=2)
    gradient = np.einsum("sq,sqt->st", outer.weight, by_node)
    between = (by_node - gradient[:, None, :]).reshape(-1, size)
    hessian += between.T @ (between * outer.weight.reshape(-1, 1))
    return gradient.sum(axis=0), hessian


def _result(found: Maximum, n_coef: int) -> CensoredNested:
    sigma = float(np.exp(found.params[n_coef]))
    effects = np.abs(found.params[n_coef + 1 :])
    effects = np.where(effects < ZERO_EFFECT * sigma, 0.0, effects)
    kept: BoolArray = np.concatenate([np.ones(n_coef + 1, dtype=np.bool_), effects > 0])
    vcov = coefficient_covariance(found.hessian, kept, n_coef) if found.converged else None
    return CensoredNested(
        coef=found.params[:n_coef].copy(),
        vcov=np.full((n_coef, n_coef), np.nan) if vcov is None else vcov,
        sigma=sigma,
        tau=float(effects[0]),
        omega=float(effects[1]),
        log_likelihood=found.value,
        converged=vcov is not None,
    )
