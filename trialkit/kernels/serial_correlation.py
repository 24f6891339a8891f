"""Daily measurements of few subjects: AR(1) by day, with or without a level of each subject.

V_i = residual * phi^|day - day'| + between, by REML. Missing days count: two days apart, the
correlation is phi squared. Natural parameters (residual, phi, between), the last only with
random subjects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.basis import Basis, orthonormal_basis
from trialkit.kernels.profiled import Pooled, Profiled, profile_out
from trialkit.kernels.small_sample import SmallSample, inverse_information
from trialkit.typing import FloatArray, IntArray

__all__ = ["SerialFit", "fit_serial"]

MAX_ITERATIONS = 100
MAX_HALVINGS = 40
# Half the deviance a Newton step can still gain, in the units of the deviance.
CONVERGED = 1e-18
# Start of the search: the best of these correlations and shares of the subjects' variance.
START_PHI = (0.05, 0.3, 0.5, 0.7, 0.85, 0.95)
START_RATIO = (0.1, 0.5, 1.0, 3.0)
LARGEST_PHI = 1 - 1e-9
# Where the between-subject variance shrinks below this share of the residual one it is none.
VANISHED = 1e-8
# Below this share, steps that gain nothing any more are on their way there.
VANISHING = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SerialFit:
    """`coef` (P,), `vcov` (P, P), and the parameters in the caller's units.

    `between` is None without random subjects; `is_at_bound` where it is held at zero.
    `deviance` is -2 restricted log-likelihood with R nlme's constants.
    """

    coef: FloatArray
    vcov: FloatArray
    residual: float
    phi: float
    between: float | None
    is_at_bound: bool
    deviance: float
    basis: Basis
    small_sample: SmallSample


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """One subject: rows of [Q, r], and the distances of its days."""

    z: FloatArray
    distance: FloatArray


def fit_serial(
    x: FloatArray, y: FloatArray, subject: IntArray, day: FloatArray, *, random_subject: bool
) -> SerialFit:
    """Fit y (N,) ~ x (N, P) of subjects (codes (N,)) on `day` (N,), each day once a subject.

    Raises ConvergenceError where the correlation goes to zero or one, or no optimum is found.
    """
    basis = orthonormal_basis(x, y)
    z = basis.rows(x, y)
    blocks = []
    for code in np.unique(subject):
        own = np.flatnonzero(subject == code)
        own = own[np.argsort(day[own])]
        blocks.append(_Block(z[own], np.abs(day[own][:, None] - day[own][None])))
    theta, is_at_bound = _optimum(blocks, random_subject)
    state = _state(theta, blocks)
    if state is None:
        raise ConvergenceError("The covariance at the optimum is not positive definite.")
    scale, free = basis.scale, y.size - x.shape[1]
    constant = free * (np.log(2 * np.pi) + 2 * np.log(scale)) + basis.log_determinant
    return SerialFit(
        coef=basis.coefficients(state.gamma),
        vcov=basis.covariance(state.phi),
        residual=float(scale**2 * theta[0]),
        phi=float(theta[1]),
        between=(float(scale**2 * theta[2]) if theta.size == 3 else 0.0)
        if random_subject
        else None,
        is_at_bound=is_at_bound,
        deviance=float(state.deviance + constant),
        basis=basis,
        small_sample=SmallSample(
            phi=state.phi,
            slopes=state.slopes,
            products=state.products,
            weights=inverse_information(state.observed / 2, what="observed"),
        ),
    )


def _optimum(blocks: list[_Block], random_subject: bool) -> tuple[FloatArray, bool]:
    """Natural parameters at the optimum; without the between-subject variance at its bound."""
    ratios = START_RATIO if random_subject else (0.0,)
    starts = [
        np.array([1 / (1 + ratio), phi, ratio / (1 + ratio)][: 3 if ratio else 2])
        for phi in START_PHI
        for ratio in ratios
    ]
    best = min(range(len(starts)), key=lambda k: _deviance(starts[k], blocks))
    found = _newton(starts[best], blocks)
    if found is not None:
        return found, False
    # The between-subject variance went to zero: what is left has its own optimum.
    without = _newton(np.array([1.0, 0.5]), blocks)
    if without is None:
        raise ConvergenceError("The serial correlation has no optimum between zero and one.")
    return without, True


def _newton(theta: FloatArray, blocks: list[_Block]) -> FloatArray | None:
    """Newton on (log residual, logit phi, log between); None where between goes to zero."""
    state = _state(theta, blocks)
    for _ in range(MAX_ITERATIONS):
        if state is None:
            break
        jacobian, bend = _links(theta)
        gradient = jacobian * state.gradient
        hessian = np.outer(jacobian, jacobian) * state.observed + np.diag(bend * state.gradient)
        values, vectors = linalg.eigh(hessian)
        along = vectors.T @ gradient
        size = np.maximum(np.abs(values), 1e-8 * np.abs(values).max())
        step, decrement = -vectors @ (along / size), float(along @ (along / size)) / 2
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        if decrement < CONVERGED * (1 + abs(state.deviance)):
            return theta
        moved = _search(theta, step, state.deviance, decrement, blocks)
        if moved is None:
            # Nothing left to gain above rounding.
            if decrement < 1e-9:
                return theta
            break
        theta, state = moved
        if theta.size == 3 and theta[2] < VANISHED * theta[0]:
            return None
        if not 1e-9 < theta[1] < LARGEST_PHI:
            raise ConvergenceError(
                f"The serial correlation goes to {theta[1]:.2g}: use correlation='independent', "
                "or check that the days are in days."
            )
    if theta.size == 3 and theta[2] < VANISHING * theta[0]:
        return None
    raise ConvergenceError(
        f"The serial correlation has no optimum between zero and one (last {theta[1]:.2g}): where "
        "days do not correlate, or alternate, use correlation='independent'."
    )


def _search(
    theta: FloatArray, step: FloatArray, deviance: float, decrement: float, blocks: list[_Block]
) -> tuple[FloatArray, Profiled] | None:
    share = 1.0
    for _ in range(MAX_HALVINGS):
        moved = _retract(theta, share * step)
        state = _state(moved, blocks)
        slack = 1e-12 * (1 + abs(deviance))
        if (
            state is not None
            and deviance - state.deviance >= 1e-4 * share * min(decrement, 1.0) - slack
        ):
            return moved, state
        share /= 2
    return None


def _links(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First and second derivatives of theta in its working coordinates."""
    phi = theta[1]
    first = theta.copy()
    first[1] = phi * (1 - phi)
    bend = first.copy()
    bend[1] = first[1] * (1 - 2 * phi)
    return first, bend


def _retract(theta: FloatArray, step: FloatArray) -> FloatArray:
    moved = theta * np.exp(step)
    odds = theta[1] / (1 - theta[1]) * np.exp(step[1])
    moved[1] = odds / (1 + odds)
    return np.asarray(moved)


def _covariance(
    theta: FloatArray, distance: FloatArray
) -> tuple[FloatArray, list[FloatArray], dict[tuple[int, int], FloatArray]]:
    """V, its first derivatives, and its second ones (those that are not zero)."""
    residual, phi = theta[0], theta[1]
    correlation = phi**distance
    slope = distance * correlation / phi
    first = [correlation, residual * slope]
    second = {(0, 1): slope, (1, 1): residual * (distance - 1) * slope / phi}
    v = residual * correlation
    if theta.size == 3:
        v = v + theta[2]
        first.append(np.ones_like(distance))
    return v, first, second


def _deviance(theta: FloatArray, blocks: list[_Block]) -> float:
    """The deviance alone, infinite where V is not positive definite."""
    pooled = np.zeros((blocks[0].z.shape[1],) * 2)
    log_determinant = 0.0
    for block in blocks:
        try:
            root = linalg.cholesky(_covariance(theta, block.distance)[0], lower=True)
        except linalg.LinAlgError:
            return float("inf")
        half = linalg.solve_triangular(root, block.z, lower=True)
        pooled = pooled + half.T @ half
        log_determinant += 2 * float(np.log(np.diagonal(root)).sum())
    sign, information = np.linalg.slogdet(pooled[:-1, :-1])
    gamma = np.linalg.solve(pooled[:-1, :-1], pooled[:-1, -1])
    value = float(pooled[-1, -1] - pooled[-1, :-1] @ gamma)
    return log_determinant + float(information) + value if sign > 0 else float("inf")


def _state(theta: FloatArray, blocks: list[_Block]) -> Profiled | None:
    """The deviance (without constants), its exact gradient and Hessian in theta."""
    q, width = theta.size, blocks[0].z.shape[1]
    pooled = np.zeros((width, width))
    slopes = np.zeros((q, width, width))
    products = np.zeros((q, q, width, width))
    bent: dict[tuple[int, int], FloatArray] = {}
    traces, pairs, bends = np.zeros(q), np.zeros((q, q)), np.zeros((q, q))
    log_determinant = 0.0
    for block in blocks:
        v, first, second = _covariance(theta, block.distance)
        try:
            factor = linalg.cho_factor(v, lower=True)
        except linalg.LinAlgError:
            return None
        log_determinant += 2 * float(np.log(np.diagonal(factor[0])).sum())
        inverse = linalg.cho_solve(factor, np.eye(v.shape[0]))
        weighted = inverse @ block.z
        pooled += block.z.T @ weighted
        solved = [inverse @ f for f in first]
        turned = [f @ weighted for f in first]
        for s in range(q):
            slopes[s] += weighted.T @ turned[s]
            traces[s] += np.trace(solved[s])
            for t in range(q):
                products[s, t] += turned[s].T @ inverse @ turned[t]
                pairs[s, t] += float(np.sum(solved[s] * solved[t].T))
        for key, matrix in second.items():
            bent[key] = bent.get(key, 0.0) + weighted.T @ matrix @ weighted
            bends[key] += float(np.sum(inverse * matrix))
    return profile_out(
        Pooled(
            cross=pooled,
            slopes=slopes,
            products=products,
            traces=traces,
            pairs=pairs,
            log_determinant=log_determinant,
            bent=bent,
            bends=bends,
        )
    )
