"""Standardised mean differences: bias correction, sampling variances, exact limits."""

from __future__ import annotations

from math import exp, inf, log

from trialkit.kernels.noncentral_t import noncentral_t_tails, noncentrality_at
from trialkit.typing import Alternative

__all__ = [
    "baseline_variance",
    "control_variance",
    "hedges_correction",
    "noncentral_t_limits",
    "noncentral_t_p_value",
    "pooled_variance",
    "unbiased_g_variance",
]


def hedges_correction(df: float) -> float:
    """J with E(J d) = delta, exact: gamma(df/2) / (sqrt(df/2) gamma((df-1)/2)).

    It exists for df > 1 only: with one degree of freedom d has no mean.
    """
    from scipy import special

    return exp(float(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) - log(df / 2) / 2)


def pooled_variance(effect: float, n_x: int, n_y: int) -> float:
    """Large-sample variance of d or g standardised by the pooled SD (Hedges & Olkin 1985)."""
    return 1 / n_x + 1 / n_y + effect**2 / (2 * (n_x + n_y))


def unbiased_g_variance(g: float, n_x: int, n_y: int) -> float:
    """Unbiased estimate of the variance of g, given normality; needs n_x + n_y - 2 > 1."""
    df = n_x + n_y - 2
    return 1 / n_x + 1 / n_y + (1 - (df - 2) / (df * hedges_correction(df) ** 2)) * g**2


def control_variance(effect: float, n_x: int, n_y: int, sd_ratio: float) -> float:
    """Large-sample variance of Glass's delta, unequal variances allowed (Bonett 2008).

    `sd_ratio` is the SD of x over the SD of y, the standardiser.
    """
    return sd_ratio**2 / n_x + 1 / n_y + effect**2 / (2 * (n_y - 1))


def baseline_variance(effect: float, difference_se: float, sd: float, df: float) -> float:
    """First-order (delta-method) variance of difference / sd with sd on `df` of its own.

    Under multivariate normality means and variances are independent, also across variables,
    so there is no covariance term, whatever the correlation of baseline and outcome.
    """
    return (difference_se / sd) ** 2 + effect**2 / (2 * df)


def noncentral_t_limits(
    t: float, df: float, ci_level: float, alternative: Alternative
) -> tuple[float, float]:
    """Limits of the noncentrality behind an observed `t`: exact inversion of both tails."""
    tail = (1 - ci_level) / (2 if alternative == "two-sided" else 1)
    low, high = -inf, inf
    if alternative != "less":
        low = noncentrality_at(t, df, tail="upper", probability=tail)
    if alternative != "greater":
        high = noncentrality_at(t, df, tail="lower", probability=tail)
    return low, high


def noncentral_t_p_value(t: float, df: float, ncp: float, alternative: Alternative) -> float:
    """Tail area at `ncp`; two-sided: twice the smaller tail, as the limits invert."""
    lower, upper = noncentral_t_tails(t, df, ncp)
    if alternative == "two-sided":
        return min(1.0, 2 * min(lower, upper))
    return upper if alternative == "greater" else lower
