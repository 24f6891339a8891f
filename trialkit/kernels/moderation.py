"""Variances of many responses, each moved towards what the others say (Smyth 2004).

Each residual variance s2 (m,) on d degrees of freedom is taken as s0^2 F(d, d0): its prior
value s0^2 (one for all, or a trend in a covariate) and the prior degrees of freedom d0 are
estimated from the moments of log s2. The posterior variance (d0 s0^2 + d s2)/(d0 + d) has
d0 + d degrees of freedom.

References: Smyth (2004) Stat Appl Genet Mol Biol 3:3, doi:10.2202/1544-6115.1027; Phipson et
al. (2016) Ann Appl Stat 10:946-963, doi:10.1214/16-AOAS920, for the robust variant, which
`moderation_robust` adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.kernels.natural_spline import natural_spline
from trialkit.typing import FloatArray

__all__ = ["Prior", "fit_prior", "log_odds", "offset_zeros", "posterior_variance", "total_df"]

# limma's: a variance of zero has no logarithm, and stands at this share of the median.
ZERO_SHARE = 1e-5
NEWTON_STEPS = 60
# Beyond this the t distribution is the normal one to the last digit that matters, and the
# prior degrees of freedom count as infinite (limma's bound).
LARGE_DF = 1e6
# Share of responses assumed to differ, and the range assumed for the standard deviation of
# their effects in units of s0: limma's defaults, used for the log-odds only.
PROPORTION = 0.01
EFFECT_SD_RANGE = (0.1, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prior:
    """Prior variance and degrees of freedom of each response: (m,) each."""

    variance: FloatArray
    df: FloatArray


def fit_prior(s2: FloatArray, df: FloatArray, covariate: FloatArray | None = None) -> Prior:
    """Prior of the variances `s2` (m,) on `df` (m,) > 0; at least two are needed.

    With `covariate` (m,) the prior variance follows a natural cubic spline of it, of 1, 2, 3
    or 4 parameters as there are less than 3, 6, 30 or more responses (limma's rule).
    """
    positive = offset_zeros(s2)
    logs = np.log(positive) - special.digamma(df / 2) + np.log(df / 2)
    if covariate is None:
        location = np.full(s2.size, logs.mean())
        n_columns = 1
    else:
        wanted = 1 + (s2.size >= 3) + (s2.size >= 6) + (s2.size >= 30)
        basis = np.linalg.qr(natural_spline(covariate, int(wanted)))[0]
        n_columns = basis.shape[1]
        location = basis @ (basis.T @ logs)
    if s2.size <= n_columns:
        return Prior(variance=positive.copy(), df=np.zeros(s2.size))
    spread = float(np.sum((logs - location) ** 2)) / (s2.size - n_columns)
    excess = spread - float(np.mean(special.polygamma(1, df / 2)))
    if excess <= 0:
        common = np.full(s2.size, positive.mean()) if covariate is None else np.exp(location)
        return Prior(variance=common, df=np.full(s2.size, np.inf))
    d0 = 2 * inverse_trigamma(excess)
    variance = np.exp(location + special.digamma(d0 / 2) - np.log(d0 / 2))
    return Prior(variance=variance, df=np.full(s2.size, d0))


def offset_zeros(s2: FloatArray) -> FloatArray:
    """Variances with those below a small share of the median moved up to it."""
    floor = ZERO_SHARE * float(np.median(s2))
    return np.maximum(s2, floor if floor > 0 else np.finfo(np.float64).tiny)


def inverse_trigamma(value: float) -> float:
    """Root of trigamma(x) = `value`, x > 0, by Newton on 1 / trigamma, which is nearly linear."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(NEWTON_STEPS):
        tri = float(special.polygamma(1, x))
        step = tri * (1 - tri / value) / float(special.polygamma(2, x))
        x += step
        if abs(step) < 1e-15 * x:
            break
    return x


def posterior_variance(s2: FloatArray, df: FloatArray, prior: Prior) -> FloatArray:
    """Weighted mean of each variance and its prior; the prior where its df are infinite."""
    finite = np.isfinite(prior.df)
    weight = np.where(finite, prior.df, 0.0)
    mixed = (weight * prior.variance + df * s2) / (weight + df)
    return np.where(finite, mixed, prior.variance)


def total_df(df: FloatArray, prior: Prior) -> FloatArray:
    """Degrees of freedom of the moderated t: no more than all responses have together."""
    return np.minimum(df + prior.df, float(np.sum(df)))


def log_odds(t: FloatArray, unscaled: FloatArray, df_total: FloatArray, prior: Prior) -> FloatArray:
    """Log posterior odds that an effect is not zero, with a prior share of `PROPORTION`.

    The variance of the effects that are not zero is estimated from the largest |t| and kept
    within `EFFECT_SD_RANGE` times the prior standard deviation (Smyth 2004, section 6).
    """
    low, high = (sd**2 / float(np.median(prior.variance)) for sd in EFFECT_SD_RANGE)
    effect_variance = _effect_variance(np.abs(t), unscaled, df_total, low, high)
    ratio = (unscaled**2 + effect_variance) / unscaled**2
    t2 = t**2
    with np.errstate(over="ignore"):
        kernel = (1 + df_total) / 2 * np.log((t2 + df_total) / (t2 / ratio + df_total))
    kernel = np.where(prior.df > LARGE_DF, t2 * (1 - 1 / ratio) / 2, kernel)
    prior_odds = np.log(PROPORTION / (1 - PROPORTION))
    return np.asarray(prior_odds - np.log(ratio) / 2 + kernel)


def _effect_variance(
    size: FloatArray, unscaled: FloatArray, df: FloatArray, low: float, high: float
) -> float:
    """Mean over the largest statistics of the variance that would put each where it is."""
    n = size.size
    n_top = int(np.ceil(PROPORTION / 2 * n))
    share = max(n_top / n, PROPORTION)
    top_df = float(df.max())
    same = np.where(df < top_df, special.stdtrit(top_df, special.stdtr(df, -size)) * -1, size)
    top = np.argsort(-same, kind="stable")[:n_top]
    tail = 2 * special.stdtr(top_df, -same[top])
    target = ((np.arange(1, n_top + 1) - 0.5) / n - (1 - share) * tail) / share
    variance = np.zeros(n_top)
    above = target > tail
    quantile = -special.stdtrit(top_df, target[above] / 2)
    variance[above] = unscaled[top][above] ** 2 * ((same[top][above] / quantile) ** 2 - 1)
    return float(np.mean(np.clip(variance, low, high)))
