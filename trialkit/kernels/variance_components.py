"""A linear model with several variances, V = sum of theta_s G_s, by REML.

theta are the variance between subjects, that between a subject's cells (periods, where there
are several measurements in each) if the model has it, and that of the error, one for each
class of rows. V is linear in them, so that first derivatives are the G_s and there is no
second; those of the likelihood are exact. A variance may be bounded at zero, or fall below as
long as V is positive definite.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.cell_rows import CellRows, reduce_to_cells
from trialkit.kernels.mmrm.basis import Basis, orthonormal_basis
from trialkit.kernels.profiled import Pooled, Profiled, profile_out
from trialkit.kernels.small_sample import SmallSample, inverse_information
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["ComponentsFit", "fit_components"]

MAX_ITERATIONS = 100
MAX_HALVINGS = 40
# Deviance still to gain (Newton's decrement) below which the next step is the last.
LAST_STEP_BELOW = 1e-12
# Share of the predicted gain that a step must bring; differences below the second share of
# the deviance are rounding.
SUFFICIENT_GAIN, ROUNDING = 1e-4, 1e-12
# Shares of the subjects, and of the cells in what they leave, at which a search may start; and
# the part of the error left to one of its classes, or to all but one, in the searches that
# start with them small: with few subjects the likelihood can have a second maximum there.
START_BETWEEN = (0.05, 0.3, 0.6, 0.9)
START_CELL = (0.1, 0.5)
START_SMALL = 0.05
# V with a smaller eigenvalue than this share of its largest is singular: an error of 1e-4 of the
# largest standard deviation is a fit that goes through the data, where the likelihood rises
# without end. A Hessian, scaled to a unit diagonal, with a smaller one leaves a direction
# undetermined.
SINGULAR_V = 1e-8
FLAT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComponentsFit:
    """A fit in the caller's units; parameters `at_bound` are held at zero.

    `coef` (P,), `vcov` (P, P) at the estimated variances; `theta` (q,): between subjects, then
    between cells where the model has it, then one an error class. `deviance` is -2 restricted
    log-likelihood with its constants, as R's lme4 and nlme print it.
    """

    coef: FloatArray
    vcov: FloatArray
    theta: FloatArray
    at_bound: tuple[int, ...]
    deviance: float
    n_observations: int
    basis: Basis
    profiled: Profiled

    def small_sample(self, *, expected: bool) -> SmallSample:
        """What Kenward-Roger and Satterthwaite need; parameters as in `theta`, scaled."""
        at = self.profiled
        kind = "expected" if expected else "observed"
        return SmallSample(
            phi=at.phi,
            slopes=at.slopes,
            products=at.products,
            weights=inverse_information((at.expected if expected else at.observed) / 2, what=kind),
        )


def fit_components(
    x: FloatArray,
    y: FloatArray,
    subject: IntArray,
    *,
    cell: IntArray,
    kind: IntArray,
    has_cell_variance: bool,
    bounded: bool,
) -> ComponentsFit:
    """Fit y (N,) ~ x (N, P) of subjects (codes (N,) from 0) with cells (codes within a subject).

    `kind` (N,) is the error class of each row, one a cell. `bounded` holds every variance at
    zero or above. Raises ConvergenceError where the data do not determine the variances, or
    the likelihood has no optimum inside.
    """
    basis = orthonormal_basis(x, y)
    cells = reduce_to_cells(basis.rows(x, y), subject, cell, kind)
    likelihood = _Likelihood(cells, _parts(cells, has_cell_variance=has_cell_variance))
    theta, active = _minimum(likelihood, bounded=bounded, n_kinds=int(kind.max()) + 1)
    at = likelihood.at(theta)
    if at is None:
        raise ConvergenceError("The covariance at the optimum is not positive definite.")
    _require_determined(at, active)
    scale, free = basis.scale, y.size - x.shape[1]
    constant = free * (np.log(2 * np.pi) + 2 * np.log(scale)) + basis.log_determinant
    return ComponentsFit(
        coef=basis.coefficients(at.gamma),
        vcov=basis.covariance(at.phi),
        theta=scale**2 * theta,
        at_bound=tuple(int(s) for s in np.flatnonzero(active)),
        deviance=float(at.deviance + constant),
        n_observations=y.size,
        basis=basis,
        profiled=at,
    )


def _parts(cells: CellRows, *, has_cell_variance: bool) -> FloatArray:
    """G (q, K, m, m): the covariance that a unit of each variance gives to a pattern's rows."""
    root = np.sqrt(cells.size)
    parts = [root[:, :, None] * root[:, None, :]]
    identity = np.eye(root.shape[1])
    if has_cell_variance:
        parts.append(cells.size[:, :, None] * identity)
    parts += [
        (cells.kind == each)[:, :, None] * identity for each in range(int(cells.kind.max()) + 1)
    ]
    return np.stack(parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Likelihood:
    """-2 restricted log-likelihood of theta (q,), with G (q, K, m, m)."""

    cells: CellRows
    parts: FloatArray

    def at(self, theta: FloatArray) -> Profiled | None:
        """Value, derivatives and estimates; None where V is not positive definite."""
        cells, parts = self.cells, self.parts
        v = np.tensordot(theta, parts, axes=1)
        # Rows that a pattern does not have get a variance of one: logarithm zero, no part in sums.
        v = v + np.eye(v.shape[1]) * ~cells.is_row[:, :, None]
        values = np.linalg.eigvalsh(v)
        largest = float(np.abs(np.tensordot(theta, parts, axes=1)).max())
        if not (values > SINGULAR_V * largest).all():
            return None
        inverse = np.linalg.inv(v)
        weighted = inverse[cells.pattern] @ cells.rows
        turned = parts[:, cells.pattern] @ weighted
        solved = inverse @ parts
        q, w = parts.shape[0], weighted.shape[-1]
        flat, back = turned.reshape(q, -1, w), (inverse[cells.pattern] @ turned).reshape(q, -1, w)
        own = weighted.reshape(-1, w)
        return profile_out(
            Pooled(
                cross=cells.rows.reshape(-1, w).T @ own,
                slopes=own.T @ flat,
                products=flat.swapaxes(1, 2)[:, None] @ back[None],
                traces=np.einsum("k,skii->s", cells.count, solved),
                pairs=np.einsum("k,skij,tkji->st", cells.count, solved, solved),
                log_determinant=float(cells.count @ np.log(values).sum(axis=1)),
            )
        )

    def scaled(self, theta: FloatArray) -> tuple[FloatArray, Profiled] | None:
        """The multiple of theta (q,) with the smallest deviance, and what is there."""
        at = self.at(theta)
        if at is None:
            return None
        free = float(self.cells.count @ self.cells.is_row.sum(axis=1)) - at.gamma.size
        # Along theta the derivative is `free` less the residuals' quadratic form.
        theta = theta * (free - float(at.gradient @ theta)) / free
        at = self.at(theta)
        return None if at is None else (theta, at)


def _minimum(
    likelihood: _Likelihood, *, bounded: bool, n_kinds: int
) -> tuple[FloatArray, BoolArray]:
    """The variances (q,) of the smallest deviance, and which of them are held at zero."""
    best: tuple[float, FloatArray, BoolArray] | None = None
    failure: ConvergenceError | None = None
    for theta, at in _starts(likelihood, n_kinds):
        try:
            found = _descent(likelihood, theta, at, bounded=bounded)
        except ConvergenceError as error:
            # A descent into a singular covariance is no word against an optimum elsewhere.
            failure = failure or error
            continue
        if best is None or found[0] < best[0]:
            best = found
    if best is None:
        raise failure or ConvergenceError("The starting covariance is not positive definite.")
    return best[1:]


def _descent(
    likelihood: _Likelihood, theta: FloatArray, at: Profiled, *, bounded: bool
) -> tuple[float, FloatArray, BoolArray]:
    """Deviance, variances (q,) and which are held at zero, at the minimum below a start."""
    for _ in range(MAX_ITERATIONS):
        active = (theta <= 0) & (at.gradient > 0) if bounded else np.zeros(theta.size, np.bool_)
        step, active = _newton_step(theta, at, active, bounded=bounded)
        decrement = -float(at.gradient @ step) / 2
        longest = _longest(theta, step) if bounded else 1.0
        is_last = decrement < LAST_STEP_BELOW
        moved = _search(likelihood, theta, at, step, decrement, longest)
        if moved is not None:
            theta, at = moved
        elif not is_last:
            raise ConvergenceError(
                "The covariance becomes singular: a variance of the error goes to zero, and the "
                "likelihood has no optimum inside."
            )
        if is_last:
            return at.deviance, theta, active
    raise ConvergenceError(
        f"The variances have not converged in {MAX_ITERATIONS} iterations: the likelihood may rise "
        "without end towards a singular covariance."
    )


def _starts(likelihood: _Likelihood, n_kinds: int) -> list[tuple[FloatArray, Profiled]]:
    """The best of a few shares of the variances: errors alike, each small, all others small."""
    has_cell = likelihood.parts.shape[0] > 1 + n_kinds
    sizes = [np.ones(n_kinds)]
    if n_kinds > 1:
        own = np.eye(n_kinds) > 0
        sizes += list(np.where(own, START_SMALL, 1.0))
    if n_kinds > 2:
        sizes += list(np.where(own, 1.0, START_SMALL))
    starts = []
    for size in sizes:
        # Where subjects differ little, and where they differ much.
        for shares in (START_BETWEEN[:2], START_BETWEEN[2:]):
            trials = [
                np.array([between, *([(1 - between) * cell] if has_cell else []), *within])
                for between in shares
                for cell in (START_CELL if has_cell else (0.0,))
                for within in [(1 - between) * (1 - cell) * size]
            ]
            known = [pair for theta in trials if (pair := likelihood.scaled(theta)) is not None]
            starts += [min(known, key=lambda pair: pair[1].deviance)] if known else []
    return starts


def _newton_step(
    theta: FloatArray, at: Profiled, active: BoolArray, *, bounded: bool
) -> tuple[FloatArray, BoolArray]:
    """A descent step of the variances that are free; those at zero that it would lower are not."""
    active = active.copy()
    while True:
        step = np.zeros(theta.size)
        free = np.flatnonzero(~active)
        step[free] = -_solve(at, free)
        leaving = (theta <= 0) & (step < 0) & ~active
        if not bounded or not leaving.any():
            return step, active
        active |= leaving


def _solve(at: Profiled, free: IntArray) -> FloatArray:
    """H^-1 g: with the Hessian where that is positive definite, else with its expectation."""
    gradient, own = at.gradient[free], np.ix_(free, free)
    for hessian in (at.observed[own], at.expected[own]):
        scale = np.sqrt(np.abs(np.diagonal(hessian)))
        scale[scale == 0] = 1.0
        values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
        if values[0] > FLAT:
            break
    size = np.maximum(np.abs(values), FLAT)
    return np.asarray((vectors @ (vectors.T @ (gradient / scale) / size)) / scale)


def _longest(theta: FloatArray, step: FloatArray) -> float:
    """Share of the step, at most one, at which the first variance reaches zero."""
    falling = step < 0
    return min(1.0, float(np.min(theta[falling] / -step[falling]))) if falling.any() else 1.0


def _search(
    likelihood: _Likelihood,
    theta: FloatArray,
    at: Profiled,
    step: FloatArray,
    decrement: float,
    longest: float,
) -> tuple[FloatArray, Profiled] | None:
    """The first of the longest step and its halves that gains enough, or None."""
    slack = ROUNDING * (1.0 + abs(at.deviance))
    share = longest
    for _ in range(MAX_HALVINGS):
        moved = theta + share * step
        if longest < 1.0 and share == longest:
            # The variance that ends the step is zero, not a rounding error beside it.
            moved[(step < 0) & (theta + longest * step <= np.abs(theta) * 1e-12)] = 0.0
        trial = likelihood.at(moved)
        if trial is not None:
            gain = at.deviance - trial.deviance
            if gain >= SUFFICIENT_GAIN * share * min(decrement, 1.0) - slack:
                return moved, trial
        share /= 2
    return None


def _require_determined(at: Profiled, active: BoolArray) -> None:
    own = np.ix_(~active, ~active)
    hessian = at.observed[own]
    scale = np.sqrt(np.abs(np.diagonal(hessian)))
    if not (scale > 0).all() or np.linalg.eigvalsh(hessian / np.outer(scale, scale))[0] <= FLAT:
        raise ConvergenceError(
            "The likelihood is flat in a direction of the variances: the data do not determine "
            "all of them."
        )
