"""Means and standard deviations against the instrument's grid and bounds.

The grid is a figure's `granularity`, the smallest step of one person's score; the bounds are
read from its unit ("NRS 0-10").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from trialkit.errors import SpecError
from trialkit.kernels.grim import (
    explain_grim,
    feasible_sizes,
    grim_totals,
    grimmer_possible,
    sd_bounds,
)
from trialkit.studies.figure import Figure
from trialkit.studies.rules.record import Check, Record, SampleSize, Verdict

__all__ = ["bounded_moments", "grim", "grimmer"]

_BOUNDS = re.compile(r"(?<![\d.])(\d+)\s*[-\u2013]\s*(\d+)(?![\d.])")
# A raw mean of bounded scores lies within the bounds, a mean change within their width.
_LEVEL, _CHANGE = "mean", "mean_change"
SIZES_SHOWN = 3
# With more persons the grid is finer than print, and the search has nothing left to exclude.
MOST_PERSONS = 10_000


def grim(record: Record) -> Iterator[Check]:
    """Rule `grim`: some total of n grid scores prints the mean, at one of the arm's n.

    A mean change that fails is only suspicious: an adjusted mean has no grid.
    """
    for cell in record.cells:
        for statistic in (_LEVEL, _CHANGE):
            figure = cell.first((statistic,))
            sizes = _searched(record.sizes(cell))
            if figure is None or figure.granularity is None or not sizes:
                continue
            fits = any(_has_total(figure, size.n) for size in sizes)
            verdict: Verdict = "impossible" if statistic == _LEVEL else "suspicious"
            yield cell.check(
                "grim", None if fits else verdict, "" if fits else _explain(figure, sizes)
            )


def grimmer(record: Record) -> Iterator[Check]:
    """Rule `grimmer`: some scores on the grid print both the mean and the SD.

    Applied where the mean alone is possible and within its bounds.
    """
    for cell in record.cells:
        mean, sd = cell.first((_LEVEL,)), cell.first(("sd",))
        sizes = [size for size in _searched(record.sizes(cell)) if size.n > 1]
        if mean is None or sd is None or mean.granularity is None or not sizes:
            continue
        if mean.interval is None or sd.interval is None or sd.point < 0 or _is_outside(mean):
            continue
        sizes = [size for size in sizes if _has_total(mean, size.n)]
        reasons = [_grimmer_reason(mean, sd, size.n) for size in sizes]
        if reasons:
            possible = "" in reasons
            detail = reasons[0]
            yield cell.check("grimmer", None if possible else "impossible", detail)


def bounded_moments(record: Record) -> Iterator[Check]:
    """Rules `mean-bounds` and `sd-bounds`: what scores between the unit's bounds can have."""
    for cell in record.cells:
        mean = cell.first((_LEVEL,))
        limits = _limits(mean) if mean is not None else None
        if mean is None or limits is None:
            continue
        low, high = limits
        outside = _is_outside(mean)
        detail = f"mean {mean.printed} on a scale of {low} to {high}"
        yield cell.check("mean-bounds", "impossible" if outside else None, detail)
        sd = cell.first(("sd",))
        # The widest SD shrinks with n, so the most that are searched bound any more.
        numbers = [min(size.n, MOST_PERSONS) for size in record.sizes(cell) if size.n > 1]
        if outside or sd is None or not numbers:
            continue
        widest = max(_widest(mean, n, low, high) for n in numbers)
        fits = sd.bounds[0] <= widest
        detail = (
            f"SD {sd.printed} with mean {mean.printed} on {low} to {high}: "
            f"at most {widest:.3f} at n {' or '.join(map(str, numbers))}"
        )
        yield cell.check("sd-bounds", None if fits else "impossible", detail)


def _searched(sizes: tuple[SampleSize, ...]) -> tuple[SampleSize, ...]:
    """The numbers of persons, or none where one of them is beyond the search."""
    return () if any(size.n > MOST_PERSONS for size in sizes) else sizes


def _is_outside(mean: Figure) -> bool:
    limits = _limits(mean)
    return limits is not None and (mean.bounds[1] < limits[0] or mean.bounds[0] > limits[1])


def _has_total(figure: Figure, n: int) -> bool:
    if figure.interval is None or figure.granularity is None or n < 1:
        return True
    step = figure.granularity
    return grim_totals(_text(figure), decimals=figure.interval.decimals, n=n, step=step).size > 0


def _explain(figure: Figure, sizes: tuple[SampleSize, ...]) -> str:
    if figure.interval is None or figure.granularity is None:
        return ""
    decimals, step, n = figure.interval.decimals, figure.granularity, sizes[0].n
    reason = explain_grim(_text(figure), decimals=decimals, n=n, step=step)
    fewer = feasible_sizes(_text(figure), decimals=decimals, n_max=n - 1, step=step)[:SIZES_SHOWN]
    allowed = f"; possible with {', '.join(map(str, fewer))} persons" if fewer else ""
    return f"{reason} ({sizes[0].source}){allowed}"


def _grimmer_reason(mean: Figure, sd: Figure, n: int) -> str:
    """Why no scores have these moments; empty where some may."""
    if mean.interval is None or sd.interval is None or mean.granularity is None:
        return ""
    limits = _limits(mean) or (None, None)
    found = grimmer_possible(
        _text(mean),
        _text(sd),
        mean_decimals=mean.interval.decimals,
        sd_decimals=sd.interval.decimals,
        n=n,
        step=mean.granularity,
        low=limits[0],
        high=limits[1],
    )
    return "" if found.possible else f"n {n}: {found.reason}"


def _widest(mean: Figure, n: int, low: int, high: int) -> float:
    if mean.interval is None:
        return float("inf")
    try:
        bounds = sd_bounds(_text(mean), n=n, low=low, high=high, decimals=mean.interval.decimals)
    except SpecError:  # no scores have the mean: another rule's finding
        return float("inf")
    return bounds[1]


def _limits(figure: Figure) -> tuple[int, int] | None:
    match = _BOUNDS.search(figure.unit)
    if match is None or int(match[1]) >= int(match[2]):
        return None
    return int(match[1]), int(match[2])


def _text(figure: Figure) -> Fraction:
    """The printed number exactly, whatever its typeset minus and point."""
    return Fraction(repr(figure.point))
