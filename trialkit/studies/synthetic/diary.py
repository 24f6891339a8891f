"""A daily diary: scores around a course, each day's deviation like that of the day before."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import nearest_level, normal_level
from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["diary_days", "with_total"]

# Deviations are carried in this many parts of a score.
PARTS = 100


def diary_days(
    course: Sequence[Fraction],
    *,
    sd: int,
    correlation: Fraction,
    levels: Sequence[int],
    stream: RawStream,
) -> list[int]:
    """Whole scores around `course`, one a day.

    The deviations have SD `sd` and correlate from day to day by `correlation`; a score beyond
    the levels becomes the nearest level.
    """
    scale = sd * PARTS
    # Of an AR(1) series: variance of the fresh part of a deviation.
    fresh = Fraction(isqrt(round(scale**2 * (1 - correlation**2))))
    deviation = normal_level(stream, mean=Fraction(0), sd=Fraction(scale))
    days = []
    for middle in course:
        days.append(nearest_level(levels, round(middle + Fraction(deviation, PARTS))))
        deviation = normal_level(stream, mean=correlation * deviation, sd=fresh)
    return days


def with_total(days: Sequence[int], total: int, *, levels: Sequence[int]) -> list[int]:
    """The scores moved step by step, the day farthest from its end first, until they add up.

    Raises DesignError where the levels cannot.
    """
    moved = list(days)
    while sum(moved) != total:
        step = 1 if sum(moved) < total else -1
        place = min(range(len(moved)), key=lambda day: (step * moved[day], day))
        if moved[place] + step not in levels:
            raise DesignError(f"{len(days)} scores of the diary cannot add up to {total}.")
        moved[place] += step
    return moved
