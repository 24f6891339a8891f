"""Estimates of the analysis with their variance: jackknife, bootstrap, Rubin.

An estimate is a combination d = (1, delta_1, ...) of parts (the outcome as imputed; one unit in
an arm), so its variance is a quadratic form d' C d. Shapes: R rows (contrasts, then the arms'
means), m visits, S parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trialkit.analyses.imputation_ancova import AnalysisModel
from trialkit.analyses.imputation_model import ImputationModel
from trialkit.errors import ConvergenceError
from trialkit.kernels.completion import Incomplete
from trialkit.kernels.mmrm.refit import Refits
from trialkit.kernels.rubin import barnard_rubin_df
from trialkit.kernels.weighted_ancova import PartFits, fit_parts, is_determined
from trialkit.typing import FloatArray, IntArray

__all__ = [
    "Parts",
    "Spread",
    "VarianceKind",
    "bootstrap_weights",
    "bootstrapped",
    "drawn_outcomes",
    "jackknifed",
    "pooled_draws",
]

VarianceKind = Literal["jackknife", "bootstrap", "rubin"]
# Completed data sets held at once: bounds the memory, not the result.
CHUNK = 64
# Beyond this share of refits without an optimum, what is left is not the method that was named.
MAX_FAILED = 0.1

# Completed outcomes (B, n, m) in, their parts (B, n, m, S) out.
Parts = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """Estimates `point` (R, m, S) and what their variance is made of, each (R, m, S, S).

    Jackknife and bootstrap: `between` is the variance. Rubin: `within` imputations and
    `between` them, of `n_copies` imputations, with `df_complete`. `n_failed` refits had no
    optimum; `bound` (R, m, S, S) is the variance were each as far out as the farthest.
    """

    kind: str
    point: FloatArray
    between: FloatArray
    within: FloatArray | None
    bound: FloatArray
    n_copies: int
    n_failed: int
    df_complete: float

    def at(self, d: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Estimate, standard error and df, each (..., R, m), of combinations d (..., S)."""
        estimate = np.einsum("rvs,...s->...rv", self.point, d)
        between = _form(self.between, d)
        if self.within is None:
            return estimate, np.sqrt(between), np.full(estimate.shape, np.inf)
        within = _form(self.within, d)
        extra = (1 + 1 / self.n_copies) * between
        total = within + extra
        share = np.divide(extra, total, out=np.zeros_like(total), where=total > 0)
        df = barnard_rubin_df(share, self.n_copies, self.df_complete)
        return estimate, np.sqrt(total), df

    def bound_at(self, d: FloatArray) -> FloatArray:
        """Standard error (R, m) were each failed refit as far out as the farthest."""
        return np.sqrt(_form(self.bound, d))

    def components(self, d: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Variance within and between imputations, each (R, m)."""
        within = np.zeros_like(self.between) if self.within is None else self.within
        return _form(within, d), _form(self.between, d)


def _form(matrix: FloatArray, d: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(np.einsum("rvst,...s,...t->...rv", matrix, d, d), 0.0))


def jackknifed(
    model: ImputationModel, incomplete: Incomplete, analysis: AnalysisModel, parts: Parts
) -> Spread:
    """Conditional-mean imputation with the variance of leaving each subject out.

    (n - 1) / n times the sum of squares around the leave-one-out mean (Wolbers et al. 2022).
    """
    n = model.grid.n
    refits = model.jackknife
    weights = 1.0 - np.eye(n)
    kept = _kept(refits, "leave-one-out fits", analysis.z, weights)
    weights = weights[kept]
    replicates = _estimates(incomplete, analysis, refits, kept, weights, parts)
    deviation = replicates - replicates.mean(axis=0)
    squares = np.einsum("brvs,brvt->rvst", deviation, deviation)
    n_failed = n - kept.size
    # The farthest replicate in the first part stands for those that are missing.
    size = np.abs(deviation[..., 0]).argmax(axis=0)
    far = np.take_along_axis(deviation, size[None, :, :, None], axis=0)[0]
    bound = squares + n_failed * np.einsum("rvs,rvt->rvst", far, far)
    return Spread(
        kind="jackknife",
        point=_point(model, incomplete, analysis, parts),
        between=(n - 1) / kept.size * squares,
        within=None,
        bound=(n - 1) / n * bound,
        n_copies=n,
        n_failed=n_failed,
        df_complete=np.inf,
    )


def bootstrapped(
    model: ImputationModel,
    incomplete: Incomplete,
    analysis: AnalysisModel,
    parts: Parts,
    samples: tuple[FloatArray, Refits],
) -> Spread:
    """Conditional-mean imputation with the variance over bootstrap samples of subjects."""
    weights, refits = samples
    kept = _kept(refits, "bootstrap fits", analysis.z, weights)
    replicates = _estimates(incomplete, analysis, refits, kept, weights[kept], parts)
    deviation = replicates - replicates.mean(axis=0)
    between = np.einsum("brvs,brvt->rvst", deviation, deviation) / (kept.size - 1)
    return Spread(
        kind="bootstrap",
        point=_point(model, incomplete, analysis, parts),
        between=between,
        within=None,
        bound=between,
        n_copies=weights.shape[0],
        n_failed=weights.shape[0] - kept.size,
        df_complete=np.inf,
    )


def pooled_draws(
    model: ImputationModel,
    incomplete: Incomplete,
    analysis: AnalysisModel,
    parts: Parts,
    samples: tuple[FloatArray, Refits],
    rng: np.random.Generator,
) -> Spread:
    """Approximate-Bayesian multiple imputation pooled by Rubin's rules.

    Each imputation takes the parameters of a bootstrap fit, and draws the missing outcomes of
    the data themselves around their conditional means.
    """
    n_samples = samples[0].shape[0]
    kept = _kept(samples[1], "bootstrap fits")
    weights = np.ones((kept.size, model.grid.n))
    fits = list(_fits(incomplete, analysis, samples[1], kept, weights, parts, rng))
    estimate = np.concatenate([fit.estimate for fit in fits])
    variance = np.concatenate([np.einsum("br,bvst->brvst", fit.scale, fit.gram) for fit in fits])
    deviation = estimate - estimate.mean(axis=0)
    between = np.einsum("brvs,brvt->rvst", deviation, deviation) / (kept.size - 1)
    within = variance.mean(axis=0) / analysis.df_residual
    return Spread(
        kind="rubin",
        point=estimate.mean(axis=0),
        between=between,
        within=within,
        bound=within + (1 + 1 / kept.size) * between,
        n_copies=kept.size,
        n_failed=n_samples - kept.size,
        df_complete=float(analysis.df_residual),
    )


def drawn_outcomes(
    incomplete: Incomplete, samples: tuple[FloatArray, Refits], rng: np.random.Generator
) -> tuple[FloatArray, int]:
    """Completed outcomes (B, n, m) of every draw, and how many bootstrap fits failed."""
    n_samples, refits = samples[0].shape[0], samples[1]
    kept = _kept(refits, "bootstrap fits")
    noise = rng.standard_normal((kept.size, *incomplete.y.shape))
    filled = incomplete.completed(refits.coef[kept], refits.sigma[kept], noise)
    return filled, n_samples - kept.size


def bootstrap_weights(arm: IntArray, n_samples: int, rng: np.random.Generator) -> FloatArray:
    """How often each subject (n,) is drawn in each sample; arms keep their size: (B, n)."""
    out = np.zeros((n_samples, arm.size))
    for code in np.unique(arm):
        members = np.flatnonzero(arm == code)
        out[:, members] = rng.multinomial(
            members.size, np.full(members.size, 1 / members.size), size=n_samples
        )
    return out


def _kept(
    refits: Refits, what: str, z: FloatArray | None = None, weights: FloatArray | None = None
) -> IntArray:
    """Copies that were fitted, and whose analysis on `z` is determined with their `weights`.

    ConvergenceError where too few were.
    """
    is_kept = refits.is_fitted
    if z is not None and weights is not None:
        is_kept &= is_determined(z, weights)
    n, kept = is_kept.size, np.flatnonzero(is_kept)
    if n - kept.size > MAX_FAILED * n:
        first = int(np.flatnonzero(~is_kept)[0])
        reason = refits.problems.get(first, "the analysis has coefficients it cannot determine.")
        raise ConvergenceError(
            f"{n - kept.size} of {n} {what} have no optimum, more than {MAX_FAILED:.0%}; the "
            f"first is number {first + 1}: {reason} A simpler covariance= or fewer covariates may "
            "have one."
        )
    return kept


def _point(
    model: ImputationModel, incomplete: Incomplete, analysis: AnalysisModel, parts: Parts
) -> FloatArray:
    weights = np.ones((1, model.grid.n))
    fits = _fits(incomplete, analysis, model.full, np.array([0]), weights, parts, None)
    return np.asarray(next(fits).estimate[0])


def _estimates(
    incomplete: Incomplete,
    analysis: AnalysisModel,
    refits: Refits,
    kept: IntArray,
    weights: FloatArray,
    parts: Parts,
) -> FloatArray:
    fits = _fits(incomplete, analysis, refits, kept, weights, parts, None)
    return np.concatenate([fit.estimate for fit in fits])


def _fits(
    incomplete: Incomplete,
    analysis: AnalysisModel,
    refits: Refits,
    kept: IntArray,
    weights: FloatArray,
    parts: Parts,
    rng: np.random.Generator | None,
) -> Iterator[PartFits]:
    """The analysis of each completed data set; draws where there is an `rng`."""
    for begin in range(0, kept.size, CHUNK):
        chosen, weight = kept[begin : begin + CHUNK], weights[begin : begin + CHUNK]
        noise = None
        if rng is not None:
            noise = rng.standard_normal((chosen.size, *incomplete.y.shape))
        filled = incomplete.completed(refits.coef[chosen], refits.sigma[chosen], noise)
        means = analysis.rows(weight)
        rows = np.concatenate([means[:, 1:] - means[:, :1], means], axis=1)
        yield fit_parts(analysis.z, weight, rows, parts(filled))
