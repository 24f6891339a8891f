"""Within-person differences with a printed median, interquartile range and signed-rank test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import numpy as np
from scipy import special

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import decimals_of, normal_level
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.kernels.score_grid import rounding_interval
from trialkit.kernels.signed_rank import signed_rank

__all__ = ["PrintedRanks", "ranked_differences"]

# Exchanges tried before the search gives up.
EXCHANGES = 20_000
# Share of the band of z aimed at, so that p and effect size print clear of its ends.
BAND = 0.6
# Quartiles of a normal distribution lie this many SDs apart.
QUARTILE_RANGE = Fraction(1349, 1000)
# The two middle differences lie this share of the quartile range from the median.
MIDDLE_GAP = Fraction(1, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedRanks:
    """What a paper prints of `n` differences: texts, whose decimals are the rounding.

    `effect_size` is |z| / sqrt(n) of the signed-rank test and `p_value` its two-sided p, both
    from z with the variance corrected for ties and no continuity correction.
    """

    n: int
    median: str
    iqr: str
    effect_size: str
    p_value: str

    def z_band(self) -> tuple[float, float]:
        """Bounds of |z| that print both the effect size and p; DesignError where there are none."""
        size_low, size_high = _ends(self.effect_size)
        p_low, p_high = _ends(self.p_value)
        low = max(size_low * sqrt(self.n), -float(special.ndtri(p_high / 2)))
        high = min(size_high * sqrt(self.n), -float(special.ndtri(p_low / 2)))
        if low >= high:
            raise DesignError(
                f"No z of {self.n} differences prints both the effect size {self.effect_size} "
                f"and p {self.p_value}."
            )
        return low, high


def ranked_differences(
    printed: PrintedRanks, *, unit: Fraction, largest: int, stream: RawStream
) -> list[int]:
    """Differences in whole units (n,), random order; none larger than `largest` either way.

    Either quartile falls between two equal values, so that every definition of a quartile gives
    the same. Raises DesignError where the grid misses a printed figure, where n is no multiple
    of four, and where no differences were found.
    """
    if printed.n % 4:
        raise DesignError(f"{printed.n} differences do not divide into quarters.")
    doubled = _on_grid(printed.median, unit / 2, "median")
    width = _on_grid(printed.iqr, unit, "interquartile range")
    gap = round(width * MIDDLE_GAP)
    lower, upper = doubled // 2 - gap, doubled - doubled // 2 + gap
    first = (doubled - width) // 2
    third = first + width
    quarter = printed.n // 4
    strata = [(-largest, first), (first, lower), (upper, third), (third, largest)]
    free = [
        *((strata[0],) * (quarter - 1)),
        *((strata[1],) * (quarter - 2)),
        *((strata[2],) * (quarter - 2)),
        *((strata[3],) * (quarter - 1)),
    ]
    fixed = [first, first, lower, upper, third, third]
    centre, spread = Fraction(doubled, 2), width / QUARTILE_RANGE
    values = [_drawn(bounds, centre, spread, stream) for bounds in free]
    low, high = printed.z_band()
    margin = (1 - BAND) * (high - low) / 2
    sign = -1.0 if doubled < 0 else 1.0
    distance = _distance(sign * _z([*fixed, *values]), low + margin, high - margin)
    for _ in range(EXCHANGES):
        if distance == 0:
            return stream.shuffled([*fixed, *values])
        place = stream.below(len(values))
        kept, values[place] = values[place], _drawn(free[place], centre, spread, stream)
        moved = _distance(sign * _z([*fixed, *values]), low + margin, high - margin)
        if moved < distance:
            distance = moved
        else:
            values[place] = kept
    raise DesignError(
        f"No {printed.n} differences with effect size {printed.effect_size} and p "
        f"{printed.p_value} were found in {EXCHANGES} exchanges; that does not prove there are "
        "none."
    )


def _ends(printed: str) -> tuple[float, float]:
    low, high = rounding_interval(printed, decimals_of(printed))
    return float(low), float(high)


def _on_grid(printed: str, unit: Fraction, what: str) -> int:
    """The figure in whole units; DesignError where none prints as it."""
    steps = round(Fraction(printed) / unit)
    low, high = rounding_interval(printed, decimals_of(printed))
    if not low < steps * unit < high:
        raise DesignError(f"No {what} in steps of {unit} prints {printed}.")
    return steps


def _drawn(bounds: tuple[int, int], centre: Fraction, spread: Fraction, stream: RawStream) -> int:
    """A normal deviate between two bounds, both allowed."""
    while True:
        level = normal_level(stream, mean=centre, sd=spread)
        if bounds[0] <= level <= bounds[1]:
            return level


def _z(differences: Sequence[int]) -> float:
    test = signed_rank(np.array(differences, dtype=np.float64))
    return (test.v - test.mean) / test.sd


def _distance(value: float, low: float, high: float) -> float:
    return max(low - value, value - high, 0.0)
