"""statsmodels' generalised estimating equations, checked before and after."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from trialkit.analyses.gee_outcome import Family
from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.separation import recession_direction
from trialkit.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from statsmodels.genmod.generalized_estimating_equations import GEE

__all__ = ["GeeEstimates", "GeeProblem", "fit_gee"]

# The last step of the coefficients in standard errors: what is left is nobody's second digit.
CONVERGED = 1e-7
# Where the equations stop, as a share of the outcomes' sum: a few digits above rounding.
SCORE_TOLERANCE = 1e-11
MAX_ITERATIONS = 200
# A subject whose leverage is one to this has coefficients of its own.
OWN_COEFFICIENTS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeeProblem:
    """Outcome `y` (n,), columns `x` (n, P) with an intercept first, `subject` codes (n,).

    Ordinal: `y` are the categories' positions 0 to k - 1, and the fit has k - 1 intercepts,
    of the odds of exceeding each category but the last, in the place of the one. `subjects`
    are the labels behind the codes.
    """

    y: FloatArray
    x: FloatArray
    subject: IntArray
    subjects: Sequence[object]
    family: Family
    log_exposure: FloatArray | None
    is_exchangeable: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeeEstimates:
    """`coef` (P,), sandwich covariances (P, P); `association` is the working correlation.

    `dispersion` is Pearson's chi-square over the number of rows; both are NaN where the working
    model has none.
    """

    coef: FloatArray
    robust: FloatArray
    bias_reduced: FloatArray
    association: float
    dispersion: float


def fit_gee(problem: GeeProblem, names: Sequence[str]) -> GeeEstimates:
    """Solve the estimating equations; `names` (P,) are the coefficients' for messages.

    The moments of the working correlation are divided by the number of rows and pairs, as R's
    geepack does: less the number of coefficients (R's gee, statsmodels' default) a correlation
    of two periods can exceed one. Raises DataError for coefficients that are infinite or belong
    to one subject, ConvergenceError where the equations are not solved.
    """
    _refuse_separation(problem, names)
    _refuse_own_coefficients(problem)
    shift, scale = 0.0, 1.0
    if problem.family == "gaussian":  # tolerances in the outcome's own unit
        shift, scale = float(problem.y.mean()), float(problem.y.std())
    model = _model(problem, (problem.y - shift) / scale)
    fit = _solved(model, problem, names)
    association = float(model.cov_struct.dep_params) if problem.is_exchangeable else nan
    coef = np.asarray(fit.params, dtype=np.float64) * scale
    coef[0] += shift
    return GeeEstimates(
        coef=coef,
        robust=_symmetric(fit.cov_robust) * scale**2,
        bias_reduced=_symmetric(fit.cov_robust_bc) * scale**2,
        association=association,
        dispersion=_dispersion(problem, coef),
    )


def _model(problem: GeeProblem, y: FloatArray) -> GEE:
    from statsmodels.genmod import families
    from statsmodels.genmod.cov_struct import Exchangeable, Independence
    from statsmodels.genmod.generalized_estimating_equations import GEE, OrdinalGEE

    if problem.family == "ordinal":
        return OrdinalGEE(y, problem.x[:, 1:], groups=problem.subject)
    family = {
        "poisson": families.Poisson,
        "binomial": families.Binomial,
        "gaussian": families.Gaussian,
    }[problem.family]()
    structure = Exchangeable() if problem.is_exchangeable else Independence()
    return GEE(
        y,
        problem.x,
        groups=problem.subject,
        family=family,
        cov_struct=structure,
        offset=problem.log_exposure,
    )


def _solved(model: GEE, problem: GeeProblem, names: Sequence[str]) -> Any:
    weight = float(np.abs(problem.y).sum()) if problem.family != "gaussian" else problem.y.size
    choices: dict[str, Any] = {"cov_type": "bias_reduced", "maxiter": MAX_ITERATIONS}
    if problem.family != "ordinal":
        choices["ddof_scale"] = 0
    with warnings.catch_warnings(record=True) as said, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            fit = model.fit(ctol=SCORE_TOLERANCE * (1.0 + weight), **choices)
        except (np.linalg.LinAlgError, ValueError) as error:
            _refuse_replaced(said)
            raise ConvergenceError(f"The estimating equations have no solution: {error}.") from None
    _refuse_replaced(said)
    if problem.is_exchangeable:
        _refuse_impossible(
            float(model.cov_struct.dep_params), int(np.bincount(problem.subject).max())
        )
    spread = np.sqrt(np.diagonal(fit.cov_naive)) if fit is not None else np.array([nan])
    step = nan
    if np.isfinite(spread).all() and fit.fit_history["score"]:
        moved = fit.cov_naive @ np.asarray(fit.fit_history["score"][-1]) / fit.scale
        step = float(np.max(np.abs(moved) / spread))
    if not step <= CONVERGED:
        heard = sorted({str(item.message) for item in said})
        raise ConvergenceError(
            f"The estimating equations of {', '.join(names)} were not solved in {MAX_ITERATIONS} "
            f"steps{': ' + '; '.join(heard) if heard else ''}. Use correlation='independence', or "
            "take an effect out."
        )
    return fit


def _refuse_replaced(said: Sequence[warnings.WarningMessage]) -> None:
    """Where a covariance is not definite, statsmodels goes on with another and warns."""
    if any("SPD" in str(item.message) or "PSD" in str(item.message) for item in said):
        raise ConvergenceError(
            "A working covariance of the estimating equations is not positive definite: a category "
            "is all but empty. Merge it with its neighbour."
        )


def _refuse_separation(problem: GeeProblem, names: Sequence[str]) -> None:
    if problem.family == "gaussian":
        return
    x, y = problem.x, problem.y
    if problem.family == "ordinal":
        x, side = _stacked(x, y)
    elif problem.family == "poisson":
        side = np.where(y > 0, 0, -1)
    else:
        side = np.where(y > 0, 1, -1)
    direction = recession_direction(x, side.astype(np.int64))
    if direction is None:
        return
    named = [name for name, size in zip(names, direction, strict=True) if size != 0]
    raise DataError(
        f"The coefficients of {', '.join(named)} are infinite: where these effects meet, no row "
        "has an event, or all have (for categories: all lie on one side of a cut). Take an effect "
        "out (period_effect=False, sequence_effect=False), or use an exact method such as "
        "trialkit.crossover_binary()."
    )


def _stacked(x: FloatArray, y: FloatArray) -> tuple[FloatArray, IntArray]:
    """One row an observation and cut: whether the category exceeds it."""
    cuts = np.arange(int(y.max()))
    intercepts = np.tile(np.eye(cuts.size), (y.size, 1))
    side = np.where(y[:, None] > cuts, 1, -1).ravel()
    return np.hstack([intercepts, np.repeat(x[:, 1:], cuts.size, axis=0)]), side.astype(np.int64)


def _refuse_own_coefficients(problem: GeeProblem) -> None:
    """A subject that alone determines a coefficient has residuals of zero, and no variance."""
    q, _ = np.linalg.qr(problem.x)
    for code in range(int(problem.subject.max()) + 1):
        own = q[problem.subject == code]
        if np.linalg.norm(own, 2) ** 2 > 1 - OWN_COEFFICIENTS:
            raise DataError(
                f"Subject {problem.subjects[code]!r} alone determines an effect of the model (a "
                "sequence, period or treatment of its own): the sandwich covariance does not "
                "exist. Take the effect out, or leave the subject out."
            )


def _refuse_impossible(association: float, n_rows: int) -> None:
    lowest = -1.0 / (n_rows - 1) if n_rows > 1 else -1.0
    if not lowest < association < 1:  # also where it is not a number
        raise ConvergenceError(
            f"The working correlation is {association:.4g}, outside {lowest:.4g} to 1: there is no "
            "such covariance. Use correlation='independence'."
        )


def _dispersion(problem: GeeProblem, coef: FloatArray) -> float:
    if problem.family == "ordinal":
        return nan
    means = problem.x @ coef + (0.0 if problem.log_exposure is None else problem.log_exposure)
    variance = np.ones_like(means)
    if problem.family == "poisson":
        means = variance = np.exp(means)
    elif problem.family == "binomial":
        means = special.expit(means)
        variance = means * (1 - means)
    return float(np.mean((problem.y - means) ** 2 / variance))


def _symmetric(covariance: FloatArray) -> FloatArray:
    return np.asarray((covariance + covariance.T) / 2, dtype=np.float64)
