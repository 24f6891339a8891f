"""After the fit, subject by subject: residuals, scores, conditional means, new outcomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.layout import Layout
from trialkit.kernels.mmrm.subject_rows import SubjectRows
from trialkit.kernels.mmrm.whitening import pattern_sigmas, whitening
from trialkit.typing import FloatArray

__all__ = [
    "Conditional",
    "coefficient_scores",
    "conditional",
    "covariance_scores",
    "scaled_residuals",
    "simulate",
]


def scaled_residuals(fit: MarginalFit, rows: SubjectRows, layout: Layout) -> FloatArray:
    """Residuals (N,) in the caller's order, uncorrelated with variance one under the model.

    L^-1 r with V = L L', L lower triangular: each visit's residual less what the visits before
    it predict, in standard deviations.
    """
    residual = _residuals(fit, rows)
    white = np.einsum("nab,nb->na", whitening(fit)[rows.pattern], residual)
    return _in_callers_order(layout, white)


def coefficient_scores(fit: MarginalFit, rows: SubjectRows, layout: Layout) -> FloatArray:
    """Each subject's X_i' V_i^-1 r_i (n, P), subjects by code; the columns sum to zero."""
    inverse = fit.optimum.point.inverse[rows.pattern]
    weighted = np.einsum("nab,nb->na", inverse, _residuals(fit, rows))
    scores = np.einsum("nap,na->np", rows.z[:, :, :-1], weighted)
    return _by_code(layout, scores @ fit.basis.factor / fit.basis.scale)


def covariance_scores(
    fit: MarginalFit, rows: SubjectRows, layout: Layout, firsts: list[FloatArray]
) -> FloatArray:
    """Each subject's derivative of its log-likelihood in the covariance parameters: (n, q).

    `firsts` are dSigma (q_g, c, m, m) of each group in scaled units; the coefficients are
    held. Under maximum likelihood the columns sum to zero; REML's own term has no subject.
    """
    inverse = fit.optimum.point.inverse
    residual = _residuals(fit, rows)
    out = np.zeros((layout.n_subjects, sum(first.shape[0] for first in firsts)))
    column = 0
    for group, first in enumerate(firsts):
        patterns = layout.group_slice(group)
        members = np.flatnonzero(layout.group[rows.pattern] == group)
        own = rows.pattern[members] - patterns.start
        weighted = np.einsum("nab,nb->na", inverse[rows.pattern[members]], residual[members])
        for each in first:
            derivative = np.broadcast_to(each, inverse[patterns].shape)
            trace = np.einsum("kab,kba->k", inverse[patterns], derivative)
            square = np.einsum("na,nab,nb->n", weighted, derivative[own], weighted)
            out[members, column] = (square - trace[own]) / 2
            column += 1
    return _by_code(layout, out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """A subject's visits given its observed ones, for each of n subjects.

    `shift` (n, m) is added to the marginal mean, `variance` (n, m, m) what is left of Sigma,
    `weights` (n, m, m) the matrix that turns observed residuals into `shift`.
    """

    shift: FloatArray
    variance: FloatArray
    weights: FloatArray


def conditional(sigma: FloatArray, seen: np.ndarray, residual: FloatArray) -> Conditional:
    """Conditional distribution under covariance `sigma` (n or 1, m, m).

    `seen` (n, m) marks observed visits, `residual` (n, m) is zero elsewhere.
    """
    both = seen[:, :, None] & seen[:, None, :]
    eye = np.eye(sigma.shape[-1])
    inverse = np.where(both, np.linalg.inv(np.where(both, sigma, eye)), 0.0)
    weights = sigma @ inverse
    variance = sigma - weights @ np.swapaxes(np.broadcast_to(sigma, both.shape), 1, 2)
    # What is observed is known: rounding must not leave it a variance.
    variance = np.where(seen[:, :, None] | seen[:, None, :], 0.0, variance)
    return Conditional(
        shift=np.einsum("nab,nb->na", weights, residual),
        variance=(variance + variance.swapaxes(1, 2)) / 2,
        weights=weights,
    )


def simulate(
    fit: MarginalFit,
    mean: FloatArray,
    rng: np.random.Generator,
    *,
    layout: Layout,
    weights: FloatArray | None,
) -> FloatArray:
    """A new outcome (N,) in the caller's order around `mean` (N,), everyone seen as before."""
    seen = layout.seen_together
    root = np.linalg.cholesky(np.where(seen, pattern_sigmas(fit), np.eye(layout.n_visits)))
    pattern = np.repeat(np.arange(layout.n_patterns), layout.count)
    noise = rng.standard_normal((layout.n_subjects, layout.n_visits))
    noise = np.where(layout.mask[pattern], noise, 0.0)
    error = _in_callers_order(layout, np.einsum("nab,nb->na", root[pattern], noise))
    if weights is not None:
        error = error / np.sqrt(weights)
    return np.asarray(mean + fit.basis.scale * error)


def _residuals(fit: MarginalFit, rows: SubjectRows) -> FloatArray:
    """Residuals (n, m) in scaled units, times the root of the weights; zero where not seen."""
    return np.asarray(rows.z[:, :, -1] - rows.z[:, :, :-1] @ fit.optimum.point.gamma)


def _in_callers_order(layout: Layout, values: FloatArray) -> FloatArray:
    """Values (n, m) of sorted subjects at their visits, as a column (N,) in caller's order."""
    size = layout.mask.sum(axis=1)
    each = np.repeat(np.arange(layout.n_subjects), np.repeat(size, layout.count))
    out = np.empty(layout.order.size)
    out[layout.order] = values[each, layout.visit]
    return out


def _by_code(layout: Layout, values: FloatArray) -> FloatArray:
    """Values (n, ...) of sorted subjects, by subject code."""
    size = np.repeat(layout.mask.sum(axis=1), layout.count)
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    out = np.empty_like(values)
    out[layout.subject[first]] = values
    return out
