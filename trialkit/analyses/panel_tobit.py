"""Censored values of one contrast by maximum likelihood, between and within subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.analyses.panel_units import PanelUnits
from trialkit.errors import DesignError
from trialkit.kernels.censored_mixed import censored_mixed, subject_scores
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.tobit_rows import tobit_rows, tobit_scores
from trialkit.typing import BoolArray, FloatArray

__all__ = ["TobitFits", "null_scores", "tobit_between", "tobit_within"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TobitFits:
    """By analyte (m,): the contrast, its standard error and degrees of freedom."""

    estimate: FloatArray
    se: FloatArray
    df: FloatArray
    converged: BoolArray
    method: str


def tobit_between(units: PanelUnits) -> TobitFits:
    """Tobit regression on the arm and what is adjusted for: Wald z, as R's survreg."""
    x = _between_design(units, with_effect=True)
    y, side = _between_values(units)
    fit = tobit_rows(y, side, x)
    with np.errstate(invalid="ignore"):
        se = np.sqrt(fit.vcov[:, -1, -1])
    adjusted = units.nuisance.shape[1] > 1 or units.own is not None
    return TobitFits(
        estimate=fit.coef[:, -1],
        se=se,
        df=np.full(y.shape[0], np.inf),
        converged=fit.converged,
        method=f"tobit{' ANCOVA' if adjusted else ''}, maximum likelihood, Wald z",
    )


def _between_values(units: PanelUnits) -> tuple[FloatArray, np.ndarray]:
    y = np.where(units.used, units.y[:, :, 0, 0], np.nan)
    return y, units.side[:, :, 0, 0]


def _between_design(units: PanelUnits, *, with_effect: bool) -> FloatArray:
    """Columns (m, n, p) or (n, p): nuisance, the baseline, and the effect last."""
    columns = np.column_stack([units.nuisance, units.effect])
    aliased = aliased_columns(columns)
    if aliased[-1]:
        raise DesignError(
            f"{units.contrast}: the arm is a combination of the columns adjusted for; its "
            "effect cannot be told from theirs."
        )
    nuisance = units.nuisance[:, ~aliased[:-1]]
    effect = units.effect[:, None] if with_effect else np.empty((units.effect.size, 0))
    if units.own is None:
        return np.column_stack([nuisance, effect])
    m = units.own.shape[0]
    own = np.where(np.isnan(units.own), 0.0, units.own)[:, :, None]
    shared = [np.broadcast_to(part, (m, *part.shape)) for part in (nuisance, effect)]
    return np.concatenate([shared[0], own, shared[1]], axis=2)


def tobit_within(units: PanelUnits) -> TobitFits:
    """Censored mixed model with a subject effect; t, with a correction for small samples.

    The variance is multiplied by n / (n - q) and referred to t on n - q degrees of freedom,
    n the subjects with a measured value and q the coefficients that differences within a
    subject determine: without a censored value this is the t test on the differences.
    """
    m = len(units.analytes)
    q = 1 + int((~aliased_columns(units.nuisance)).sum())
    estimate, se, df = (np.full(m, np.nan) for _ in range(3))
    converged = np.zeros(m, dtype=np.bool_)
    for row in range(m):
        y, side, x = _within_values(units, row, with_effect=True)
        n = int(np.sum((~np.isnan(y) & (side == 0)).any(axis=1)))
        if n <= q:
            continue
        fit = censored_mixed(y, side, x)
        if not fit.converged:
            continue
        converged[row] = True
        estimate[row] = fit.coef[-1]
        se[row] = np.sqrt(fit.vcov[-1, -1] * n / (n - q))
        df[row] = n - q
    period = ", period" if units.design == "crossover" else ""
    return TobitFits(
        estimate=estimate,
        se=se,
        df=df,
        converged=converged,
        method=(
            f"censored mixed model (random subject{period}), maximum likelihood by adaptive "
            f"quadrature, variance times n/(n - {q}), t on n - {q} df"
        ),
    )


def _within_values(
    units: PanelUnits, row: int, *, with_effect: bool
) -> tuple[FloatArray, np.ndarray, FloatArray]:
    """One analyte: values (n, 2 r), sides, design (n, 2 r, p) with the effect last."""
    used = units.used[row]
    y, side = units.y[row][used], units.side[row][used]
    n, c, r = y.shape
    x = np.repeat(units.cell_nuisance[used][:, :, None, :], r, axis=2)
    if with_effect:
        treated = np.broadcast_to(np.arange(2.0)[None, :, None, None], (n, c, r, 1))
        x = np.concatenate([x, treated], axis=3)
    x = x.reshape(n, c * r, -1)
    flat = y.reshape(n, -1)
    kept = ~aliased_columns(x[~np.isnan(flat)])
    return flat, side.reshape(n, -1), x[:, :, kept]


def null_scores(units: PanelUnits) -> FloatArray:
    """Scores (m, n) of the fit without the effect: what a permutation test exchanges.

    The derivative of the log-likelihood in a value's mean; within subjects the difference of
    the two conditions' scores. Without a censored value it is proportional to the residual,
    so that its t statistic is the ordinary one. NaN where a unit is not used.
    """
    m, n = units.used.shape
    out = np.full((m, n), np.nan)
    if not units.is_within:
        x = _between_design(units, with_effect=False)
        y, side = _between_values(units)
        fit = tobit_rows(y, side, x)
        scores = tobit_scores(y, side, x, fit)
        return np.where(fit.converged[:, None], scores, np.nan)
    for row in range(m):
        y, side, x = _within_values(units, row, with_effect=False)
        mixed = censored_mixed(y, side, x)
        if mixed.converged:
            scores = np.nansum(subject_scores(y, side, x, mixed).reshape(y.shape[0], 2, -1), axis=2)
            out[row, units.used[row]] = scores[:, 1] - scores[:, 0]
    return out
