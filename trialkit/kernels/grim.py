"""Whether a printed mean and standard deviation can come from scores on a grid.

GRIM asks whether any total of `n` scores gives the printed mean; GRIMMER whether any sum of
squares that goes with such a total gives the printed standard deviation. Scores are multiples
of `step` (1 for a whole-number rating, 1/7 for a mean of seven daily ratings, 1/items for a
mean of several items). All arithmetic is in fractions: no verdict rests on floating point.

A printed number stands for the closed interval half a unit of its last digit to either side,
so rounding half up, half away from zero and half to even are all allowed at the ends: a figure
called impossible is impossible under each of them.

References
----------
Brown NJL, Heathers JAJ (2017). The GRIM test. Soc Psychol Personal Sci 8:363-369.
doi:10.1177/1948550616673876.
Anaya J (2016). The GRIMMER test. PeerJ Preprints 4:e2400v1. doi:10.7287/peerj.preprints.2400v1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, inf, sqrt

import numpy as np

from trialkit.errors import SpecError
from trialkit.kernels.score_grid import (
    Bound,
    Printed,
    ScoreGrid,
    as_fraction,
    rounding_interval,
)
from trialkit.kernels.square_sums import enumerate_vector, square_range, vector_with_sums
from trialkit.typing import IntArray

__all__ = [
    "Feasibility",
    "explain_grim",
    "feasible_sizes",
    "grim_totals",
    "grimmer_possible",
    "possible_sums",
    "sd_bounds",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feasibility:
    """Whether printed moments can occur on a grid, why, and how the answer was reached.

    `possible` is False only where impossibility is proved. `proof`: "grim" (no total),
    "range" (the mean outside the scores' bounds, or the SD outside what they allow), "squares"
    (no sum of squares of the right parity prints the SD), "enumeration" (all vectors tried),
    "vector" (an example was found), or "undecided" (necessary conditions hold; no example was
    found within the search's limit).
    """

    possible: bool
    proof: str
    reason: str
    example: tuple[int, ...] | None = None  # in units of the step


def grim_totals(
    mean: Printed,
    *,
    decimals: int,
    n: int,
    step: Bound = 1,
    low: Bound | None = None,
    high: Bound | None = None,
) -> IntArray:
    """Totals of `n` grid scores, in units of `step`, whose mean prints as `mean`; empty if none.

    Shape (k,), ascending. `low` and `high` bound one score.

    >>> grim_totals("7.33", decimals=2, n=47)
    array([], dtype=int64)
    >>> grim_totals("7.33", decimals=2, n=46)
    array([337])
    """
    grid = ScoreGrid.of(step=step, low=low, high=high)
    return np.array(_totals(mean, decimals, n, grid), dtype=np.int64)


def _totals(mean: Printed, decimals: int | None, n: int, grid: ScoreGrid) -> range:
    """Totals whose mean is `mean` exactly (`decimals` None) or prints so."""
    if n < 1:
        raise SpecError(f"n={n}: a mean needs at least one score.")
    exact = as_fraction(mean)
    lower, upper = (exact, exact) if decimals is None else rounding_interval(mean, decimals)
    first, last = ceil(lower * n / grid.step), floor(upper * n / grid.step)
    if grid.low is not None:
        first = max(first, n * grid.low)
    if grid.high is not None:
        last = min(last, n * grid.high)
    return range(first, last + 1)


def explain_grim(mean: Printed, *, decimals: int, n: int, step: Bound = 1) -> str:
    """The two totals that come nearest to the printed mean, and the means they give.

    >>> explain_grim("7.33", decimals=2, n=47)
    '344/47 = 7.3191 and 345/47 = 7.3404 lie outside 7.325 to 7.335: no whole-number total of
    47 scores gives a mean printed 7.33'
    """
    grid = ScoreGrid.of(step=step)
    lower, upper = rounding_interval(mean, decimals)
    shown = f"{float(as_fraction(mean)):.{decimals}f}"
    totals = _totals(mean, decimals, n, grid)
    if totals:
        given = _quotient(totals[0], n, grid.step, decimals)
        return f"{given}: a total of {n} scores gives a mean printed {shown}"
    below = ceil(lower * n / grid.step) - 1
    nearest = [_quotient(total, n, grid.step, decimals) for total in (below, below + 1)]
    kind = "whole-number total" if grid.step == 1 else f"total in steps of {grid.step}"
    return (
        f"{nearest[0]} and {nearest[1]} lie outside {float(lower):.{decimals + 1}f} to "
        f"{float(upper):.{decimals + 1}f}: no {kind} of {n} scores gives a mean printed {shown}"
    )


def _quotient(total: int, n: int, unit: Fraction, decimals: int) -> str:
    scores = total * unit
    over = f"{scores}/{n}" if scores.denominator == 1 else f"({scores})/{n}"
    return f"{over} = {float(scores / n):.{decimals + 2}f}"


def feasible_sizes(mean: Printed, *, decimals: int, n_max: int, step: Bound = 1) -> tuple[int, ...]:
    """Numbers of scores up to `n_max`, largest first, at which the mean can be printed.

    >>> feasible_sizes("7.33", decimals=2, n_max=47)[:4]
    (46, 45, 43, 42)
    """
    grid = ScoreGrid.of(step=step)
    return tuple(n for n in range(n_max, 0, -1) if _totals(mean, decimals, n, grid))


def possible_sums(
    mean: Printed,
    sd: Printed,
    *,
    mean_decimals: int,
    sd_decimals: int,
    n: int,
    step: Bound = 1,
    low: Bound | None = None,
    high: Bound | None = None,
) -> Iterator[tuple[int, range]]:
    """Each total with the sums of squares (both in units of `step`) that print the two moments.

    A sum of squares has the parity of its total and lies between the least and the greatest
    that the bounds allow. A total that has none comes with an empty range. The standard
    deviation is the sample's, with n - 1.

    >>> list(possible_sums("1.5", "0.71", mean_decimals=1, sd_decimals=2, n=2))
    [(3, range(5, 6, 2))]
    """
    if n < 2:
        raise SpecError(f"n={n}: a standard deviation needs at least two scores.")
    grid = ScoreGrid.of(step=step, low=low, high=high)
    shortest, longest = rounding_interval(sd, sd_decimals)
    for total in _totals(mean, mean_decimals, n, grid):
        centre = Fraction(total * total, n)
        first, last = (
            (n - 1) * (end / grid.step) ** 2 + centre
            for end in (max(shortest, Fraction(0)), longest)
        )
        yield total, _squares_between(ceil(first), floor(last), n, total, grid)


def _squares_between(first: int, last: int, n: int, total: int, grid: ScoreGrid) -> range:
    low, high = grid.reach(n=n, total=total, squares=last)
    limits = square_range(n=n, total=total, low=low, high=high)
    if limits is None:
        return range(0)
    first, last = max(first, limits[0]), min(last, limits[1])
    return range(first + (first - total) % 2, last + 1, 2)


def grimmer_possible(
    mean: Printed,
    sd: Printed,
    *,
    mean_decimals: int,
    sd_decimals: int,
    n: int,
    step: Bound = 1,
    low: Bound | None = None,
    high: Bound | None = None,
) -> Feasibility:
    """Whether `n` grid scores within the bounds can print this mean and standard deviation.

    >>> grimmer_possible("7.66", "1.55", mean_decimals=2, sd_decimals=2, n=47).proof
    'vector'
    >>> grimmer_possible("7.33", "1.48", mean_decimals=2, sd_decimals=2, n=47).proof
    'grim'
    """
    grid = ScoreGrid.of(step=step, low=low, high=high)
    sums = list(
        possible_sums(
            mean,
            sd,
            mean_decimals=mean_decimals,
            sd_decimals=sd_decimals,
            n=n,
            step=grid.step,
            low=low,
            high=high,
        )
    )
    if not sums:
        return _no_total(mean, mean_decimals, n, grid)
    pairs = [(total, squares) for total, candidates in sums for squares in candidates]
    if not pairs:
        return _no_squares(mean, sd, mean_decimals, sd_decimals, n, grid)
    return _search(pairs, n, grid)


def _search(pairs: list[tuple[int, int]], n: int, grid: ScoreGrid) -> Feasibility:
    """The first pair of sums that a vector can have, or that none has any."""
    all_complete = True
    for total, squares in pairs:
        low, high = grid.reach(n=n, total=total, squares=squares)
        found = vector_with_sums(n=n, total=total, squares=squares, low=low, high=high)
        if found is None:
            found, complete = enumerate_vector(
                n=n, total=total, squares=squares, low=low, high=high
            )
            all_complete &= complete
        if found is not None:
            return Feasibility(
                possible=True, proof="vector", reason="an example exists", example=found
            )
    if all_complete:
        reason = f"all vectors of {n} scores were tried and none prints the mean with the SD"
        return Feasibility(possible=False, proof="enumeration", reason=reason)
    reason = "necessary conditions hold; no example was found within the search's limit"
    return Feasibility(possible=True, proof="undecided", reason=reason)


def _no_total(mean: Printed, decimals: int, n: int, grid: ScoreGrid) -> Feasibility:
    if _totals(mean, decimals, n, ScoreGrid(step=grid.step)):
        reason = f"a mean printed {mean} lies outside the bounds of one score"
        return Feasibility(possible=False, proof="range", reason=reason)
    reason = explain_grim(mean, decimals=decimals, n=n, step=grid.step)
    return Feasibility(possible=False, proof="grim", reason=reason)


def _no_squares(
    mean: Printed, sd: Printed, mean_decimals: int, sd_decimals: int, n: int, grid: ScoreGrid
) -> Feasibility:
    least, greatest = _grid_sd_bounds(_totals(mean, mean_decimals, n, grid), n, grid)
    shortest, longest = map(float, rounding_interval(sd, sd_decimals))
    if longest < least or shortest > greatest:
        reason = (
            f"{n} scores with a mean printed {mean} have a standard deviation from "
            f"{least:.{sd_decimals + 2}f} to {greatest:.{sd_decimals + 2}f}, not {sd}"
        )
        return Feasibility(possible=False, proof="range", reason=reason)
    reason = (
        f"no sum of squares of {n} scores with a mean printed {mean} (a whole number of the "
        f"parity of the total) gives a standard deviation printed {sd}"
    )
    return Feasibility(possible=False, proof="squares", reason=reason)


def sd_bounds(
    mean: Printed,
    *,
    n: int,
    low: Bound | None,
    high: Bound | None,
    decimals: int | None = None,
    step: Bound | None = None,
) -> tuple[float, float]:
    """Least and greatest sample SD (n - 1) of `n` bounded scores with the given mean.

    With `decimals` the mean is a printed one and every mean that prints so counts; without,
    it is exact. With `step` the scores lie on the grid, else anywhere between the bounds.
    Where a bound is missing the greatest is infinite. Raises SpecError where no scores have
    the mean at all.

    >>> sd_bounds("5", n=10, low=0, high=10)
    (0.0, 5.270462766947299)
    """
    if n < 2:
        raise SpecError(f"n={n}: a standard deviation needs at least two scores.")
    if step is None:
        return _continuous_sd_bounds(mean, n, low, high, decimals)
    grid = ScoreGrid.of(step=step, low=low, high=high)
    totals = _totals(mean, decimals, n, grid)
    if not totals:
        raise SpecError(f"No {n} scores on the grid of {grid.step} have the mean {mean}.")
    return _grid_sd_bounds(totals, n, grid)


def _grid_sd_bounds(totals: range, n: int, grid: ScoreGrid) -> tuple[float, float]:
    least, greatest = inf, inf if grid.low is None or grid.high is None else 0.0
    for total in totals:
        low, high = grid.reach(n=n, total=total, squares=total * total)
        limits = square_range(n=n, total=total, low=low, high=high)
        if limits is not None:
            ends = [
                sqrt(grid.step**2 * (squares - Fraction(total * total, n)) / (n - 1))
                for squares in limits
            ]
            least, greatest = min(least, ends[0]), max(greatest, ends[1])
    return least, greatest


def _continuous_sd_bounds(
    mean: Printed, n: int, low: Bound | None, high: Bound | None, decimals: int | None
) -> tuple[float, float]:
    exact = as_fraction(mean)
    first, last = (exact, exact) if decimals is None else rounding_interval(mean, decimals)
    if low is None or high is None:
        return 0.0, inf
    bottom, top = as_fraction(low), as_fraction(high)
    first, last = max(first, bottom), min(last, top)
    if first > last:
        raise SpecError(f"A mean of {mean} lies outside the bounds {low} to {high} of one score.")
    # The spread is greatest with the mean as near the middle as it may be; between multiples of
    # range/n one score lies inside, which is why the ends are looked at too.
    middle = min(max((bottom + top) / 2, first), last)
    return 0.0, max(_widest_sd(centre, n, bottom, top) for centre in (first, middle, last))


def _widest_sd(mean: Fraction, n: int, low: Fraction, high: Fraction) -> float:
    """Sample SD with all scores but one at a bound and the odd one where the total puts it."""
    if high == low:
        return 0.0
    at_high, rest = divmod(n * (mean - low), high - low)
    squares = at_high * (high - low) ** 2 + rest**2
    return sqrt((squares - n * (mean - low) ** 2) / (n - 1))
