"""Several draws of a subject under a condition, or several plates, by a mixed model each.

Draws of a subject share an effect, and those under one condition another: the variance between
a subject's conditions is what the difference is judged by, however many draws there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.analyses.panel_units import PanelUnits
from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.random_intercept import InterceptFit, fit_random_intercept
from trialkit.kernels.variance_components import ComponentsFit, fit_components
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["MixedFit", "mixed_fit", "needs_mixed_model", "random_plate_fit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedFit:
    """The contrast of one analyte, its standard error and df; or why there is none."""

    estimate: float
    se: float
    df: float
    problem: str = ""


def needs_mixed_model(units: PanelUnits, y: FloatArray) -> BoolArray:
    """Analytes (m,) whose differences of means of draws, y (m, n, c, r), do not say it all.

    With one draw everywhere, or the same number of them, and nothing else that tells the
    subjects apart, the paired t test of the means is the mixed model's.
    """
    count, used = _counts(units, y)
    most = count.max(axis=(1, 2))
    uneven = np.any((count != most[:, None, None]) & used[:, :, None], axis=(1, 2))
    sums = units.cell_nuisance.sum(axis=1)
    between = bool((np.ptp(sums, axis=0) > 0).any())
    return np.asarray((most > 1) & (uneven | between))


def _counts(units: PanelUnits, y: FloatArray) -> tuple[IntArray, BoolArray]:
    """Draws of each cell (m, n, c), none of subjects without both conditions; who is used."""
    count = (~np.isnan(y)).sum(axis=3)
    used = units.used & (count > 0).all(axis=2)
    return (count * used[:, :, None]).astype(np.int64), used


def mixed_fit(units: PanelUnits, y: FloatArray, row: int) -> MixedFit:
    """REML with random subject and subject-by-condition effects; Kenward-Roger.

    The variances between subjects and conditions may fall below zero as long as the covariance
    is positive definite: draws of equal number then give the paired t test of their means.
    """
    used = _counts(units, y)[1][row]
    present = ~np.isnan(y[row]) & used[:, None, None]
    subject, condition, _ = np.nonzero(present)
    x = np.column_stack([units.cell_nuisance[subject, condition], condition.astype(np.float64)])
    kept = ~aliased_columns(x)
    if not kept[-1]:
        return _none("the contrast is a combination of the columns adjusted for")
    try:
        fit = fit_components(
            x[:, kept],
            y[row][present],
            np.unique(subject, return_inverse=True)[1].astype(np.int64),
            cell=condition.astype(np.int64),
            kind=np.zeros(subject.size, dtype=np.int64),
            has_cell_variance=True,
            bounded=False,
        )
        return _last_coefficient(fit)
    except (ConvergenceError, DataError) as problem:
        return _none(str(problem))


def random_plate_fit(units: PanelUnits, y: FloatArray, row: int) -> MixedFit:
    """REML with a variance between plates, at zero or above; y (m, n) are the responses."""
    if units.random_plate is None:
        return _none("no plate")
    used = ~np.isnan(y[row])
    own = [] if units.own is None else [units.own[row][used]]
    x = np.column_stack([units.nuisance[used], *own, units.effect[used]])
    kept = ~aliased_columns(x)
    if not kept[-1]:
        return _none("the contrast is a combination of the columns adjusted for")
    plates = np.unique(units.random_plate[used], return_inverse=True)[1].astype(np.int64)
    try:
        return _last_coefficient(
            fit_random_intercept(x[:, kept], y[row][used], plates, bounded=True)
        )
    except (ConvergenceError, DataError) as problem:
        return _none(str(problem).replace("subject", "plate"))


def _last_coefficient(fit: ComponentsFit | InterceptFit) -> MixedFit:
    small = fit.small_sample(expected=True)
    chosen = np.zeros((1, fit.coef.size))
    chosen[0, -1] = 1.0
    variance = fit.basis.covariance(small.adjusted())[-1, -1]
    return MixedFit(
        estimate=float(fit.coef[-1]),
        se=float(np.sqrt(variance)),
        df=float(small.df(fit.basis.contrasts(chosen))[0]),
    )


def _none(why: str) -> MixedFit:
    return MixedFit(estimate=np.nan, se=np.nan, df=np.nan, problem=why)
