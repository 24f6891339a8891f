"""Moderated variances of the analytes of one contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_units import PanelUnits, completed
from trialkit.errors import DataError
from trialkit.kernels.effect_rows import EffectFits
from trialkit.kernels.moderation import Prior, fit_prior, log_odds, posterior_variance, total_df
from trialkit.kernels.moderation_robust import fit_prior_robust
from trialkit.typing import FloatArray, IntArray

__all__ = ["Moderated", "moderate"]

# The prior has two parameters: one variance says nothing about either.
MIN_ANALYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moderated:
    """By least-squares row (k,); `rows` are their positions among the analytes.

    `mean_response` is what a trend would follow: the mean response, or with trend="level" the
    mean over both conditions. Variances are those of the response, a difference within
    subjects: limma with subjects as blocks has half of them.
    """

    rows: IntArray
    mean_response: FloatArray
    sigma: FloatArray
    df_residual: FloatArray
    s2_prior: FloatArray
    df_prior: FloatArray
    s2_post: FloatArray
    se: FloatArray
    df_total: FloatArray
    log_odds: FloatArray

    def columns(self) -> dict[str, FloatArray]:
        """What goes beside the estimates, by the names limma gives or nearly."""
        return {
            "ave_expr": self.mean_response,
            "sigma": self.sigma,
            "df_residual": self.df_residual,
            "s2_prior": self.s2_prior,
            "df_prior": self.df_prior,
            "s2_post": self.s2_post,
            "df_total": self.df_total,
            "log_odds": self.log_odds,
        }


def moderate(
    units: PanelUnits, rows: IntArray, fits: EffectFits, y: FloatArray, options: PanelOptions
) -> Moderated:
    """Shrink the residual variances of `fits` towards their common prior."""
    df = fits.df.astype(np.float64)
    usable = (df > 0) & ~np.isnan(fits.sigma2)
    if int(usable.sum()) < MIN_ANALYTES:
        raise DataError(
            f"moderated=True needs {MIN_ANALYTES} analytes with a residual variance; "
            f"there are {int(usable.sum())}."
        )
    mean = np.nanmean(y, axis=1)
    if options.trend == "level":
        mean = np.nanmean(completed(units, options.censoring), axis=(1, 2, 3))
    covariate = mean[usable] if options.trend else None
    s2, d = fits.sigma2[usable], df[usable]
    prior = fit_prior_robust(s2, d, covariate) if options.robust else fit_prior(s2, d, covariate)
    post, d_total = posterior_variance(s2, d, prior), total_df(d, prior)
    unscaled = fits.unscaled[usable]
    se = unscaled * np.sqrt(post)
    odds = log_odds((fits.estimate[usable] - options.null) / se, unscaled, d_total, prior)
    return _spread_out(rows, usable, mean, fits, prior, post, se, d_total, odds)


def _spread_out(
    rows: IntArray,
    usable: np.ndarray,
    mean: FloatArray,
    fits: EffectFits,
    prior: Prior,
    post: FloatArray,
    se: FloatArray,
    d_total: FloatArray,
    odds: FloatArray,
) -> Moderated:
    def full(values: FloatArray) -> FloatArray:
        out = np.full(usable.size, np.nan)
        out[usable] = values
        return out

    return Moderated(
        rows=rows,
        mean_response=mean,
        sigma=np.sqrt(fits.sigma2),
        df_residual=fits.df.astype(np.float64),
        s2_prior=full(prior.variance),
        df_prior=full(prior.df),
        s2_post=full(post),
        se=full(se),
        df_total=full(d_total),
        log_odds=full(odds),
    )
