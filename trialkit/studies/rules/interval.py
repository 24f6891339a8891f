"""Intervals against their estimates and p-values.

A Wald interval, the one that means, model coefficients and log ratios have, lies symmetrically
about its estimate: on the additive scale, or on the log scale for a ratio.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Literal

from trialkit.kernels.rounding import reachable_range
from trialkit.results import Estimate
from trialkit.studies.figure import Figure
from trialkit.studies.formulas.intervals import quantile
from trialkit.studies.rules.record import ALL_ARMS, Cell, Check, Record, Verdict, is_contrast

__all__ = ["Interval", "interval_centre", "interval_of", "interval_order", "p_against_interval"]

ADDITIVE = (
    "mean",
    "mean_change",
    "mean_difference",
    "lsmean",
    "lsmean_difference",
    "lmm_B",
    "estimate",
    "coefficient",
    "pooled_smd",
    "pooled_md",
    "pooled_d",
)
# Estimates whose interval need not be symmetric, but holds them.
ORDER_ONLY = (
    "median",
    "median_difference",
    "hodges_lehmann",
    "cohens_d",
    "hedges_g",
    "glass_delta",
    "r",
)
# "pooled_rr", "odds_ratio", "hr": the last word says that it is a ratio.
_RATIO = re.compile(r"(^|_)(rr|or|hr|irr|ratio)$", re.IGNORECASE)
_LOW = re.compile(r"^ci(\d\d)_(lo|low|lower)$")
_HIGH_ENDINGS = {"lo": "hi", "low": "high", "lower": "upper"}

# Score, profile and bootstrap intervals lie a little off centre; more than this share of the
# half-width is no longer that.
SMALL_OFFSET = 0.05
# A p-value from another test than the interval's may differ, but rarely by this factor.
OTHER_TEST_FACTOR = 1.5
# Least degrees of freedom where no number of persons is printed, and for a pooled estimate,
# whose interval may rest on the number of studies.
UNKNOWN_DF, POOLED_DF = 4, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with its printed interval."""

    estimate: Figure
    low: Figure
    high: Figure
    level: float
    scale: Literal["additive", "ratio"]

    def __str__(self) -> str:
        return f"{self.estimate.printed} ({self.low.printed}, {self.high.printed})"

    @property
    def null(self) -> float:
        """The value of no effect."""
        return 1.0 if self.scale == "ratio" else 0.0

    @property
    def can_be_zero_or_reversed(self) -> bool:
        """Whether rounding alone lets the interval close, or a ratio's end reach zero."""
        if self.low.bounds[1] >= self.high.bounds[0]:
            return True
        return self.scale == "ratio" and min(self.low.bounds[0], self.estimate.bounds[0]) <= 0


def interval_of(cell: Cell) -> Interval | None:
    """The cell's estimate and interval, where both are printed and the scale is known."""
    found = _estimate(cell)
    for low, high in _ends(cell):
        if found is not None:
            estimate, scale = found
            level = int(low.statistic[2:4]) / 100
            return Interval(estimate=estimate, low=low, high=high, level=level, scale=scale)
    return None


def interval_order(record: Record) -> Iterator[Check]:
    """Rule `interval-order`: the lower end below the upper, the estimate between them.

    Needs no Wald interval, and not even an estimate: an interval alone can be reversed.
    """
    for cell in record.cells:
        for low, high in _ends(cell):
            interval = interval_of(cell)
            estimate = cell.first(ORDER_ONLY) if interval is None else interval.estimate
            shown = f"{estimate.printed} " if estimate is not None else ""
            shown += f"({low.printed}, {high.printed})"
            verdict: Verdict | None = None
            detail = ""
            if low.bounds[0] > high.bounds[1]:
                detail, verdict = f"{shown}: the lower end is above the upper", "impossible"
            elif estimate is not None and _is_outside(estimate, low, high):
                detail, verdict = f"{shown}: the estimate is outside its interval", "inconsistent"
            yield cell.check("interval-order", verdict, detail)


def interval_centre(record: Record) -> Iterator[Check]:
    """Rule `interval-centre`: the estimate in the middle, on the log scale for a ratio."""
    for cell, interval in _intervals(record):
        if interval.can_be_zero_or_reversed:
            continue
        is_ratio = interval.scale == "ratio"
        middle = _geometric_middle if is_ratio else _middle
        found = reachable_range(middle, {"low": interval.low.bounds, "high": interval.high.bounds})
        printed = interval.estimate.interval
        if printed is None or printed.overlaps(found.low, found.high):
            yield cell.check("interval-centre", None, "")
            continue
        verdict: Verdict = "suspicious" if _offset(interval) < SMALL_OFFSET else "inconsistent"
        digits = printed.decimals + 1
        detail = (
            f"{interval} is centred on {found.low:.{digits}f} to {found.high:.{digits}f}"
            f"{' (log scale)' if is_ratio else ''}, not on its estimate"
        )
        yield cell.check("interval-centre", verdict, detail)


def p_against_interval(record: Record) -> Iterator[Check]:
    """Rule `p-interval`: p against (estimate - null) over the standard error of the interval.

    Between two arms, any degrees of freedom from Welch's least, the smaller arm's n - 1, to
    infinity are allowed, otherwise from half the study's number of persons: a t test, a normal
    test and an approximation all pass.
    """
    for cell, interval in _intervals(record):
        p_figure = cell.first(("p", "p_lmm"))
        if p_figure is None or interval.can_be_zero_or_reversed:
            continue
        least_df = _least_df(record, cell, interval)
        found = reachable_range(
            _p_function(interval),
            {
                "estimate": interval.estimate.bounds,
                "low": interval.low.bounds,
                "high": interval.high.bounds,
                "inverse_df": (0.0, 1 / least_df),
            },
        )
        low, high = p_figure.bounds
        if high >= found.low and low <= found.high:
            yield cell.check("p-interval", None, "")
            continue
        factor = low / found.high if low > found.high else found.low / max(high, 1e-300)
        verdict: Verdict = "suspicious" if factor < OTHER_TEST_FACTOR else "inconsistent"
        detail = (
            f"p is printed {p_figure.printed}; {interval} gives {found.low:.3g} to {found.high:.3g}"
            f" whatever the rounding, with {least_df:.0f} or more degrees of freedom"
        )
        yield cell.check("p-interval", verdict, detail)


def _intervals(record: Record) -> Iterator[tuple[Cell, Interval]]:
    for cell in record.cells:
        interval = interval_of(cell)
        if interval is not None:
            yield cell, interval


def _ends(cell: Cell) -> Iterator[tuple[Figure, Figure]]:
    """Lower and upper end of each interval of the cell, whatever it is the interval of."""
    for name, low in cell.figures.items():
        match = _LOW.match(name)
        if match is None or low.interval is None:
            continue
        high = cell.figures.get(f"ci{match[1]}_{_HIGH_ENDINGS[match[2]]}")
        if high is not None and high.interval is not None:
            yield low, high


def _is_outside(estimate: Figure, low: Figure, high: Figure) -> bool:
    return estimate.bounds[1] < low.bounds[0] or estimate.bounds[0] > high.bounds[1]


def _estimate(cell: Cell) -> tuple[Figure, Literal["additive", "ratio"]] | None:
    additive = cell.first(ADDITIVE)
    if additive is not None:
        return additive, "additive"
    ratio = cell.first([name for name in cell.figures if _RATIO.search(name)])
    return None if ratio is None else (ratio, "ratio")


def _middle(low: float, high: float) -> float:
    return (low + high) / 2


def _geometric_middle(low: float, high: float) -> float:
    return sqrt(low * high)


def _offset(interval: Interval) -> float:
    """Distance of the estimate from the middle, as a share of the half-width."""
    scale = log if interval.scale == "ratio" else float
    low, high = scale(interval.low.point), scale(interval.high.point)
    return abs(scale(interval.estimate.point) - (low + high) / 2) / ((high - low) / 2)


def _least_df(record: Record, cell: Cell, interval: Interval) -> float:
    if interval.estimate.statistic.startswith("pooled"):
        return POOLED_DF
    sizes = record.sizes(cell)
    if not sizes and is_contrast(cell.arm):
        arms = {other.arm: record.sizes(other) for other in record.by_study[cell.study]}
        known = [
            max(size.n for size in found)
            for arm, found in arms.items()
            if found and arm != ALL_ARMS and not is_contrast(arm)
        ]
        if known:
            return max(min(min(known) - 1, sum(known) / 2), 1)
    total = min((size.n for size in sizes), default=0)
    return max(total / 2, UNKNOWN_DF) if total else UNKNOWN_DF


def _p_function(interval: Interval) -> Callable[..., float]:
    """The p-value of no effect by the standard error of the interval, as a function."""
    scale = log if interval.scale == "ratio" else float
    null = scale(interval.null)
    tail = (1 - interval.level) / 2

    def p_value(estimate: float, low: float, high: float, inverse_df: float) -> float:
        df = 1 / inverse_df if inverse_df > 0 else inf
        se = (scale(high) - scale(low)) / (2 * quantile(df, tail))
        return Estimate.from_t(
            label="",
            estimate=scale(estimate) - null,
            se=se,
            df=df,
            n=0,
            method="t from a printed interval",
        ).p_value

    return p_value
