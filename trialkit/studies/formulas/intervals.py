"""What an estimate and its interval say about the standard error and the p-value.

An interval is taken as estimate plus and minus a t quantile times its standard error, so its
standard error is half its width over that quantile. `level` is 95% throughout: the studies
print no other.
"""

from __future__ import annotations

from math import inf, sqrt

from scipy import special

from trialkit.results import Estimate

__all__ = [
    "difference",
    "interval_se",
    "paired_bound_above_from_p",
    "paired_bound_below_from_p",
    "paired_p",
    "quantile",
    "se_from_p",
    "two_sample_bound_above_from_p",
    "two_sample_bound_below_from_p",
    "two_sample_interval_se",
    "two_sample_p",
    "two_sample_se",
]

UPPER_TAIL = 0.025


def quantile(df: float, upper_tail: float = UPPER_TAIL) -> float:
    """Quantile of Student's t with `upper_tail` above it; `df` infinite is the normal's."""
    if df == inf:
        return float(-special.ndtri(upper_tail))
    return float(-special.stdtrit(df, upper_tail))


def interval_se(low: float, high: float, df: float) -> float:
    """Standard error behind a 95% t interval: half its width over the t quantile."""
    return (high - low) / (2 * quantile(df))


def two_sample_interval_se(low: float, high: float, n: float, n_reference: float) -> float:
    """Standard error behind a 95% interval of a difference, t on n + n_reference - 2."""
    return interval_se(low, high, n + n_reference - 2)


def difference(value: float, reference: float) -> float:
    """`value` minus `reference`, in their unit."""
    return value - reference


def two_sample_p(estimate: float, low: float, high: float, n: float, n_reference: float) -> float:
    """Two-sided p of a difference from its 95% interval, Student's t on n + n_reference - 2."""
    return _p_value(estimate, interval_se(low, high, n + n_reference - 2), n + n_reference - 2)


def paired_p(estimate: float, low: float, high: float, n: float) -> float:
    """Two-sided p of a mean within-person difference from its 95% interval, t on n - 1."""
    return _p_value(estimate, interval_se(low, high, n - 1), n - 1)


def two_sample_se(sd: float, n: float, sd_reference: float, n_reference: float) -> float:
    """Standard error of a difference of two independent means from their SDs."""
    return sqrt(sd**2 / n + sd_reference**2 / n_reference)


def se_from_p(estimate: float, p_value: float, df: float) -> float:
    """Standard error that makes `estimate` have this two-sided p on `df`."""
    return abs(estimate) / quantile(df, p_value / 2)


def paired_bound_below_from_p(estimate: float, p_value: float, n: float) -> float:
    """Lower end of the 95% interval of a mean of n differences with this p, t on n - 1."""
    return estimate - quantile(n - 1) * se_from_p(estimate, p_value, n - 1)


def paired_bound_above_from_p(estimate: float, p_value: float, n: float) -> float:
    """Upper end of the 95% interval of a mean of n differences with this p, t on n - 1."""
    return estimate + quantile(n - 1) * se_from_p(estimate, p_value, n - 1)


def two_sample_bound_below_from_p(
    estimate: float, p_value: float, n: float, n_reference: float
) -> float:
    """Lower end of the 95% interval of a difference with this p, t on n + n_reference - 2."""
    return paired_bound_below_from_p(estimate, p_value, n + n_reference - 1)


def two_sample_bound_above_from_p(
    estimate: float, p_value: float, n: float, n_reference: float
) -> float:
    """Upper end of the 95% interval of a difference with this p, t on n + n_reference - 2."""
    return paired_bound_above_from_p(estimate, p_value, n + n_reference - 1)


def _p_value(estimate: float, se: float, df: float) -> float:
    return Estimate.from_t(
        label="", estimate=estimate, se=se, df=df, n=0, method="t from a printed interval"
    ).p_value
