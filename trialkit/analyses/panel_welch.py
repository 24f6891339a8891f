"""Welch's t of every analyte at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.analyses.panel_units import PanelUnits
from trialkit.errors import SpecError
from trialkit.kernels.effect_rows import EffectFits
from trialkit.typing import FloatArray

__all__ = ["WelchFits", "welch_fits", "welch_statistics"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WelchFits:
    """The fits, their residual variance standing for the squared standard error."""

    fits: EffectFits
    df_satterthwaite: FloatArray


def welch_fits(units: PanelUnits, y: FloatArray, nuisance: FloatArray) -> WelchFits:
    """Difference of means with its own variance in either arm, by analyte (m,)."""
    require_two_samples(units, nuisance)
    present = ~np.isnan(y)
    treated = present & (units.effect == 1)
    control = present & (units.effect == 0)
    mean_1, variance_1, n_1 = _moments(y, treated)
    mean_0, variance_0, n_0 = _moments(y, control)
    with np.errstate(divide="ignore", invalid="ignore"):
        v1, v0 = variance_1 / n_1, variance_0 / n_0
        share = v1 / (v1 + v0)
        df = 1 / (share**2 / (n_1 - 1) + (1 - share) ** 2 / (n_0 - 1))
    fits = EffectFits(
        estimate=mean_1 - mean_0,
        unscaled=np.ones(y.shape[0]),
        sigma2=v1 + v0,
        df=present.sum(axis=1).astype(np.int64) - 2,
        n=present.sum(axis=1).astype(np.int64),
    )
    return WelchFits(fits=fits, df_satterthwaite=df)


def require_two_samples(units: PanelUnits, nuisance: FloatArray) -> None:
    """Raise SpecError where Welch's test would have to adjust for something."""
    if nuisance.shape[1] > 1 or units.own is not None:
        raise SpecError(
            'test="welch" adjusts for nothing: leave out baseline= (or analyse '
            'outcome="change"), covariates=, strata= and plate=.'
        )


def _moments(y: FloatArray, chosen: np.ndarray) -> tuple[FloatArray, FloatArray, FloatArray]:
    n = chosen.sum(axis=1).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.sum(np.where(chosen, y, 0.0), axis=1) / n
        rest = np.where(chosen, y - mean[:, None], 0.0)
        variance = np.sum(rest**2, axis=1) / (n - 1)
    return mean, variance, n


def welch_statistics(y: FloatArray, arrangements: FloatArray) -> FloatArray:
    """Welch's t of each analyte (m, n) under each arrangement (B, n) of the arm: (m, B)."""
    present = ~np.isnan(y)
    centre = np.where(present, y - np.nanmean(y, axis=1, keepdims=True), 0.0)
    g = arrangements.T
    n, n_1 = present.sum(axis=1)[:, None], present.astype(np.float64) @ g
    n_0 = n - n_1
    total = centre.sum(axis=1)[:, None]
    squares = (centre**2).sum(axis=1)[:, None]
    sum_1, squares_1 = centre @ g, (centre**2) @ g
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_1, mean_0 = sum_1 / n_1, (total - sum_1) / n_0
        v1 = (squares_1 - n_1 * mean_1**2) / (n_1 - 1) / n_1
        v0 = (squares - squares_1 - n_0 * mean_0**2) / (n_0 - 1) / n_0
        statistic = (mean_1 - mean_0) / np.sqrt(v1 + v0)
    return np.asarray(np.nan_to_num(statistic, nan=0.0, posinf=0.0, neginf=0.0))
