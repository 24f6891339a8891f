"""Standard deviations, correlations and effect sizes behind printed figures."""

from __future__ import annotations

from math import sqrt

from trialkit.studies.formulas.intervals import interval_se, quantile, se_from_p

__all__ = [
    "change_difference_d",
    "cohens_d",
    "correlation_from_p",
    "d_from_interval",
    "paired_correlation",
    "paired_sd",
    "paired_sd_from_p",
    "pooled_sd",
    "sd_behind_contrast",
    "sd_from_half_width",
]


def pooled_sd(sd: float, n: float, sd_reference: float, n_reference: float) -> float:
    """Square root of the two arms' variances pooled by degrees of freedom."""
    squares = (n - 1) * sd**2 + (n_reference - 1) * sd_reference**2
    return sqrt(squares / (n + n_reference - 2))


def cohens_d(
    estimate: float, sd: float, n: float, sd_reference: float, n_reference: float
) -> float:
    """Size of a difference in pooled SDs; without sign, as papers print it."""
    return abs(estimate) / pooled_sd(sd, n, sd_reference, n_reference)


def d_from_interval(
    estimate: float, low: float, high: float, n: float, n_reference: float
) -> float:
    """Size of a two-sample difference in the SD behind its own interval; without sign."""
    return abs(estimate) / sd_behind_contrast(low, high, n, n_reference)


def change_difference_d(
    change: float,
    change_reference: float,
    sd: float,
    n: float,
    sd_reference: float,
    n_reference: float,
) -> float:
    """Size of the difference of two mean changes in pooled SDs; without sign."""
    return cohens_d(change - change_reference, sd, n, sd_reference, n_reference)


def sd_behind_contrast(low: float, high: float, n: float, n_reference: float) -> float:
    """Common SD that gives a two-sample difference this 95% interval (t on n + n_reference - 2)."""
    return interval_se(low, high, n + n_reference - 2) / sqrt(1 / n + 1 / n_reference)


def sd_from_half_width(half_width: float, n: float) -> float:
    """SD of n values whose mean has this 95% half-width (t on n - 1)."""
    return half_width / quantile(n - 1) * sqrt(n)


def paired_sd(low: float, high: float, n: float) -> float:
    """SD of n within-person differences whose mean has this 95% interval (t on n - 1)."""
    return sd_from_half_width((high - low) / 2, n)


def paired_sd_from_p(value: float, reference: float, p_value: float, n: float) -> float:
    """SD of n within-person differences whose mean has this two-sided p (paired t)."""
    return se_from_p(value - reference, p_value, n - 1) * sqrt(n)


def paired_correlation(low: float, high: float, n: float, sd: float, sd_reference: float) -> float:
    """Within-person correlation that two SDs and the 95% interval of their difference imply."""
    return _correlation(paired_sd(low, high, n), sd, sd_reference)


def correlation_from_p(
    value: float,
    reference: float,
    p_value: float,
    n: float,
    half_width: float,
    half_width_reference: float,
) -> float:
    """Within-person correlation that a paired t's p and both means' half-widths imply."""
    return _correlation(
        paired_sd_from_p(value, reference, p_value, n),
        sd_from_half_width(half_width, n),
        sd_from_half_width(half_width_reference, n),
    )


def _correlation(sd_difference: float, sd: float, sd_reference: float) -> float:
    """Solve Var(X - Y) = Var X + Var Y - 2 r SD X SD Y for r; beyond 1 nothing can be so."""
    return (sd**2 + sd_reference**2 - sd_difference**2) / (2 * sd * sd_reference)
