"""Newton's method with exact derivatives, safeguarded, on the charts of the structures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.diagnosis import SUSPECT_EIGENVALUE, refuse_singular
from trialkit.kernels.mmrm.likelihood import Likelihood, Point, block_diagonal
from trialkit.kernels.mmrm.structures import Chart, Structure
from trialkit.typing import FloatArray

__all__ = ["Optimum", "maximise"]

MAX_ITERATIONS = 200
MAX_HALVINGS = 40
# Deviance still to gain by the quadratic model (Newton decrement). Below the first, the
# Hessian takes in the part of the fixed effects; below the second the next step is the last.
EXACT_BELOW = 1.0
LAST_STEP_BELOW = 1e-13
# A step that leaves more than this share of the decrement was taken with a Hessian whose part
# of the fixed effects is out of date.
STALE_ABOVE = 0.01
# A full step on the log scale beyond this leaves the region where the model can be trusted.
MAX_STEP = 2.0
# Curvature in a direction is taken to be at least this share of the largest.
MIN_CURVATURE = 1e-8
# Share of the predicted gain a step must bring.
SUFFICIENT_GAIN = 1e-4
# Differences of the deviance below this share of it are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Where the search ended: working parameters of each group, and how it went.

    `gradient_norm` is the largest element of the deviance's gradient on the charts (per unit
    of relative change of Sigma); `hessian_range` the smallest and largest curvature there.
    """

    thetas: list[FloatArray]
    point: Point
    iterations: int
    gradient_norm: float
    hessian_range: tuple[float, float]


def maximise(
    likelihood: Likelihood, structures: list[Structure], thetas: list[FloatArray]
) -> Optimum:
    """The optimum of the (restricted) likelihood from these starting parameters.

    Raises ConvergenceError where the start is not admissible, or no step improves, or the
    steps do not end.
    """
    point = _point(likelihood, structures, thetas)
    if point is None:
        raise ConvergenceError("The starting covariance is not positive definite.")
    decrement = last = np.inf
    coefficient_terms: FloatArray | None = None
    for iteration in range(1, MAX_ITERATIONS + 1):
        charts = [s.chart(theta) for s, theta in zip(structures, thetas, strict=True)]
        gradient, hessian = _derivatives(likelihood, point, charts)
        is_stale = decrement > STALE_ABOVE * last
        if decrement < EXACT_BELOW and (coefficient_terms is None or is_stale):
            slopes = likelihood.slopes(point, [chart.first for chart in charts])
            coefficient_terms = likelihood.coefficient_terms(point, slopes)
        if coefficient_terms is not None:
            hessian = hessian + coefficient_terms
        last = decrement
        step, decrement = _newton_step(gradient, hessian)
        is_last = decrement < LAST_STEP_BELOW
        moved = _search(likelihood, structures, thetas, point, step, decrement)
        if moved is None:
            if not is_last:
                refuse_singular(
                    likelihood.patterns, _sigmas(structures, thetas), below=SUSPECT_EIGENVALUE
                )
                raise ConvergenceError(
                    f"No step improves the likelihood at iteration {iteration} "
                    f"(gradient {np.abs(gradient).max():.2g})."
                )
        else:
            thetas, point = moved
            refuse_singular(likelihood.patterns, _sigmas(structures, thetas))
        if is_last:
            return _finish(likelihood, structures, thetas, point, iteration)
    refuse_singular(likelihood.patterns, _sigmas(structures, thetas), below=SUSPECT_EIGENVALUE)
    raise ConvergenceError(f"No convergence in {MAX_ITERATIONS} iterations.")


def _point(
    likelihood: Likelihood, structures: list[Structure], thetas: list[FloatArray]
) -> Point | None:
    return likelihood.at(_sigmas(structures, thetas))


def _sigmas(structures: list[Structure], thetas: list[FloatArray]) -> list[FloatArray]:
    return [s.sigma(theta) for s, theta in zip(structures, thetas, strict=True)]


def _derivatives(
    likelihood: Likelihood, point: Point, charts: list[Chart]
) -> tuple[FloatArray, FloatArray]:
    """Gradient (q,) and Hessian (q, q) on the charts, without the fixed effects' part.

    That part, a share of about P / N of the whole, costs more than all else. The search adds
    it once, near the optimum, and keeps it: cheaper steps lead to the same place.
    """
    gradients, curvatures = [], []
    for chart, each in zip(charts, likelihood.sigma_gradient(point), strict=True):
        total = each.sum(axis=0, keepdims=True) if chart.first.shape[1] == 1 else each
        gradients.append(np.tensordot(chart.first, total, axes=3))
        curvatures.append(chart.curvature(total))
    firsts = [chart.first for chart in charts]
    hessian = likelihood.curvature(point, firsts) + block_diagonal(curvatures)
    return np.concatenate(gradients), hessian


def _newton_step(gradient: FloatArray, hessian: FloatArray) -> tuple[FloatArray, float]:
    """A descent step and the gain it promises; negative curvature is turned round."""
    values, vectors = np.linalg.eigh(hessian)
    size = np.maximum(np.abs(values), MIN_CURVATURE * np.abs(values).max())
    along = vectors.T @ gradient
    step = -vectors @ (along / size)
    decrement = float(along @ (along / size)) / 2
    largest = float(np.abs(step).max())
    return step * min(1.0, MAX_STEP / largest) if largest > 0 else step, decrement


def _search(
    likelihood: Likelihood,
    structures: list[Structure],
    thetas: list[FloatArray],
    point: Point,
    step: FloatArray,
    decrement: float,
) -> tuple[list[FloatArray], Point] | None:
    """The first of the full step and its halves that gains enough, or None."""
    bounds = np.cumsum([s.n_parameters for s in structures])[:-1]
    slack = ROUNDING * (1.0 + abs(point.deviance))
    share = 1.0
    for _ in range(MAX_HALVINGS):
        parts = np.split(share * step, bounds)
        moved = [
            s.retract(theta, part) for s, theta, part in zip(structures, thetas, parts, strict=True)
        ]
        trial = _point(likelihood, structures, moved)
        if trial is not None:
            gain = point.deviance - trial.deviance
            if gain >= SUFFICIENT_GAIN * share * min(decrement, 1.0) - slack:
                return moved, trial
        share /= 2
    return None


def _finish(
    likelihood: Likelihood,
    structures: list[Structure],
    thetas: list[FloatArray],
    point: Point,
    iterations: int,
) -> Optimum:
    charts = [s.chart(theta) for s, theta in zip(structures, thetas, strict=True)]
    gradient, hessian = _derivatives(likelihood, point, charts)
    values = np.linalg.eigvalsh(hessian)
    if values[0] <= MIN_CURVATURE * values[-1]:
        raise ConvergenceError(
            "The likelihood is flat in a direction of the covariance: the data do not determine "
            "all its parameters."
        )
    return Optimum(
        thetas=thetas,
        point=point,
        iterations=iterations,
        gradient_norm=float(np.abs(gradient).max()),
        hessian_range=(float(values[0]), float(values[-1])),
    )
