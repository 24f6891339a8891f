"""Censored values of one contrast by maximum likelihood, between and within subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.analyses.panel_units import PanelUnits
from trialkit.kernels.censored_mixed import CensoredMixed, censored_mixed, subject_scores
from trialkit.kernels.censored_nested import CensoredNested, cell_scores, censored_nested
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.tobit_rows import tobit_rows, tobit_scores
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "TobitFits",
    "fit_within",
    "null_scores",
    "several_in_a_cell",
    "tobit_between",
    "tobit_within",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TobitFits:
    """By analyte (m,): the contrast, its standard error and degrees of freedom."""

    estimate: FloatArray
    se: FloatArray
    df: FloatArray
    converged: BoolArray
    methods: tuple[str, ...]


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
        methods=(f"tobit{' ANCOVA' if adjusted else ''}, maximum likelihood, Wald z",) * y.shape[0],
    )


def _between_values(units: PanelUnits) -> tuple[FloatArray, np.ndarray]:
    y = np.where(units.used, units.y[:, :, 0, 0], np.nan)
    return y, units.side[:, :, 0, 0]


def _between_design(units: PanelUnits, *, with_effect: bool) -> FloatArray:
    """Columns (m, n, p) or (n, p): nuisance, the baseline, and the effect last."""
    columns = np.column_stack([units.nuisance, units.effect])
    aliased = aliased_columns(columns)
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

    With several draws in a condition a subject's conditions have effects of their own, too.
    The variance is multiplied by n / (n - q) and referred to t on n - q degrees of freedom,
    n the subjects with a measured value and q the coefficients that differences within a
    subject determine: without a censored value this is the t test on the differences.
    """
    m = len(units.analytes)
    q = 1 + int((~aliased_columns(units.nuisance)).sum())
    estimate, se, df = (np.full(m, np.nan) for _ in range(3))
    converged = np.zeros(m, dtype=np.bool_)
    several = np.zeros(m, dtype=np.bool_)
    for row in range(m):
        y, side, x = _within_values(units, row, with_effect=True)
        several[row] = several_in_a_cell(y)
        n = int(np.sum((~np.isnan(y) & (side == 0)).any(axis=(1, 2))))
        if n <= q or x.shape[3] == 0:
            continue
        fit = fit_within(y, side, x)
        if not fit.converged:
            continue
        converged[row] = True
        estimate[row] = fit.coef[-1]
        se[row] = np.sqrt(fit.vcov[-1, -1] * n / (n - q))
        df[row] = n - q
    return TobitFits(
        estimate=estimate,
        se=se,
        df=df,
        converged=converged,
        methods=tuple(_within_method(units, nested=bool(each), q=q) for each in several),
    )


def _within_method(units: PanelUnits, *, nested: bool, q: int) -> str:
    period = ", period" if units.design == "crossover" else ""
    effects = "subject and subject by condition" if nested else "subject"
    return (
        f"censored mixed model (random {effects}{period}), maximum likelihood by adaptive "
        f"quadrature, variance times n/(n - {q}), t on n - {q} df"
    )


def several_in_a_cell(y: FloatArray) -> bool:
    """Whether some subject has two values in a condition; y (n, c, r)."""
    return bool(((~np.isnan(y)).sum(axis=2) > 1).any())


def fit_within(
    y: FloatArray,
    side: IntArray,
    x: FloatArray,
    *,
    start: CensoredMixed | CensoredNested | None = None,
) -> CensoredMixed | CensoredNested:
    """The censored mixed model that y (n, c, r) asks for, on x (n, c, r, p).

    `start` is a fit of nearly the same.
    """
    if several_in_a_cell(y):
        near = start.params if isinstance(start, CensoredNested) else None
        return censored_nested(y, side, x, start=near)
    return censored_mixed(*_flat(y, side, x))


def _flat(y: FloatArray, side: IntArray, x: FloatArray) -> tuple[FloatArray, IntArray, FloatArray]:
    n = y.shape[0]
    return y.reshape(n, -1), side.reshape(n, -1), x.reshape(n, -1, x.shape[3])


def _within_values(
    units: PanelUnits, row: int, *, with_effect: bool
) -> tuple[FloatArray, IntArray, FloatArray]:
    """One analyte: values (n, 2, r), sides, design (n, 2, r, p) with the effect last.

    Without columns where the effect is a combination of the others.
    """
    used = units.used[row]
    y, side = units.y[row][used], units.side[row][used]
    n, c, r = y.shape
    x = np.repeat(units.cell_nuisance[used][:, :, None, :], r, axis=2)
    if with_effect:
        treated = np.broadcast_to(np.arange(2.0)[None, :, None, None], (n, c, r, 1))
        x = np.concatenate([x, treated], axis=3)
    kept = ~aliased_columns(x[~np.isnan(y)])
    if with_effect and not kept[-1]:
        kept[:] = False
    return y, side, x[..., kept]


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
        found = fit_within(y, side, x)
        if not found.converged:
            continue
        if isinstance(found, CensoredNested):
            scores = cell_scores(y, side, x, found)
        else:
            scores = subject_scores(*_flat(y, side, x), found).reshape(y.shape)
        by_condition = np.nansum(scores, axis=2)
        out[row, units.used[row]] = by_condition[:, 1] - by_condition[:, 0]
    return out
