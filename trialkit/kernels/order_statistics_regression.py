"""Left-censored samples through their order statistics: robust ROS and Kaplan-Meier.

Regression on order statistics puts each value at a normal quantile of its plotting position,
draws the line through the measured ones, and reads the censored ones off it. Plotting
positions are those of Hirsch & Stedinger for several limits (1987, doi:10.1029/WR023i004p00715),
as Helsel & Cohn (1988, doi:10.1029/WR024i012p01997) use them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.typing import BoolArray, FloatArray

__all__ = [
    "RosFit",
    "left_censored_mean",
    "left_censored_quantile",
    "left_censored_survival",
    "plotting_positions",
    "regress_on_order",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RosFit:
    """The line through the measured values, and the sample with the censored ones filled in."""

    intercept: float
    slope: float
    completed: FloatArray


def plotting_positions(values: FloatArray, censored: BoolArray) -> FloatArray:
    """Probability positions (n,) of `values` (n,), each in its slot between the limits.

    `values` holds the limit where `censored`. Among equal values the order given decides.
    """
    limits = np.unique(values[censored])
    edges = np.concatenate([[-np.inf], limits, [np.inf]])
    exceed = np.zeros(edges.size)  # P(value >= edge)
    exceed[0] = 1.0
    for slot in range(limits.size, 0, -1):
        inside = ~censored & (values >= edges[slot]) & (values < edges[slot + 1])
        below = np.sum(censored & (values <= edges[slot])) + np.sum(
            ~censored & (values < edges[slot])
        )
        total = inside.sum() + below
        share = inside.sum() / total if total else 0.0
        exceed[slot] = exceed[slot + 1] + share * (1 - exceed[slot + 1])
    positions = np.full(values.size, np.nan)
    for slot in range(limits.size + 1):
        inside = np.flatnonzero(~censored & (values >= edges[slot]) & (values < edges[slot + 1]))
        rank = np.empty(inside.size)
        rank[np.argsort(values[inside], kind="stable")] = np.arange(1, inside.size + 1)
        width = exceed[slot] - exceed[slot + 1]
        positions[inside] = 1 - exceed[slot] + width * rank / (inside.size + 1)
        at_limit = np.flatnonzero(censored & (values == edges[slot]))
        rank = np.arange(1.0, at_limit.size + 1)
        positions[at_limit] = (1 - exceed[slot]) * rank / (at_limit.size + 1)
    return positions


def regress_on_order(values: FloatArray, censored: BoolArray) -> RosFit:
    """Fit measured `values` (n,), on a log scale, to normal quantiles; fill in the censored.

    Needs two different measured values.
    """
    z = special.ndtri(plotting_positions(values, censored))
    x, y = z[~censored], values[~censored]
    slope = float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))
    intercept = float(y.mean() - slope * x.mean())
    completed = np.where(censored, intercept + slope * z, values)
    return RosFit(intercept=intercept, slope=slope, completed=completed)


def left_censored_survival(
    values: FloatArray, censored: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Kaplan-Meier estimate of P(value < x) from left-censored values: (x, P), x falling.

    The scale is turned over, so that values known to lie below their bound are censored on
    the right. A bound equal to a measured value counts as just below it.
    """
    points = np.unique(values)[::-1]
    measured = np.array([np.sum(~censored & (values == point)) for point in points])
    at_risk = np.array([np.sum(values <= point) for point in points])
    return points, np.cumprod(1 - measured / at_risk)


def left_censored_mean(values: FloatArray, censored: BoolArray) -> float:
    """Kaplan-Meier mean, what lies below the smallest value counted as that value."""
    points, below = left_censored_survival(values, censored)
    return float(points[0] - np.sum(below[:-1] * (points[:-1] - points[1:])))


def left_censored_quantile(values: FloatArray, censored: BoolArray, share: float) -> float:
    """Kaplan-Meier quantile; the middle of a flat step, as R's survfit; NaN where not reached."""
    points, below = left_censored_survival(values, censored)
    slack = 1e-12
    reached = np.flatnonzero(below <= share + slack)
    if reached.size == 0:
        return float("nan")
    first = int(reached[0])
    if abs(below[first] - share) > slack:
        return float(points[first])
    lower = np.flatnonzero(below < share - slack)
    last = points[int(lower[0])] if lower.size else points[-1]
    return float((points[first] + last) / 2)
