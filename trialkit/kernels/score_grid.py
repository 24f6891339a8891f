"""The grid an instrument's scores lie on: a step, and bounds in units of the step."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, isqrt

from trialkit.errors import SpecError

__all__ = ["Bound", "Printed", "ScoreGrid", "as_fraction", "grid_step", "rounding_interval"]

Printed = float | str | Decimal | Fraction
Bound = float | str | Fraction

# A step given as a float (0.142857...) is read as the nearest fraction with a denominator up to
# this; an instrument's mean of more items than this is as good as continuous.
MAX_DENOMINATOR = 1000
STEP_TOLERANCE = 1e-9


def as_fraction(value: Printed) -> Fraction:
    """A printed number as the fraction its digits say."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


def grid_step(step: Bound) -> Fraction:
    """The grid step as an exact fraction; a float near 1/7 becomes 1/7."""
    exact = as_fraction(step)
    near = exact.limit_denominator(MAX_DENOMINATOR)
    if near <= 0 or abs(float(near - exact)) > STEP_TOLERANCE:
        raise SpecError(
            f"step={step!s}: a grid step is a positive fraction with a denominator of at most "
            f"{MAX_DENOMINATOR}, such as 1, 1/7 or 0.1."
        )
    return near


def rounding_interval(printed: Printed, decimals: int) -> tuple[Fraction, Fraction]:
    """Ends of the closed interval of numbers that may print as `printed` at `decimals` places.

    Closed at both ends: rounding half up, half away from zero and half to even all count.

    >>> [float(end) for end in rounding_interval("7.33", 2)]
    [7.325, 7.335]
    """
    if decimals < 0:
        raise SpecError(f"decimals={decimals}: a printed figure has 0 or more decimals.")
    value = as_fraction(printed)
    if (value * 10**decimals).denominator != 1:
        raise SpecError(f"{printed} has more than {decimals} decimals.")
    half = Fraction(1, 2 * 10**decimals)
    return value - half, value + half


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreGrid:
    """Multiples of `step` from `low` to `high`, both in units of the step; None is unbounded."""

    step: Fraction
    low: int | None = None
    high: int | None = None

    @classmethod
    def of(
        cls, *, step: Bound = 1, low: Bound | None = None, high: Bound | None = None
    ) -> ScoreGrid:
        """The grid within bounds given on the instrument's own scale.

        >>> ScoreGrid.of(step="1/7", low=0, high=10)
        ScoreGrid(step=Fraction(1, 7), low=0, high=70)
        """
        unit = grid_step(step)
        first = None if low is None else ceil(as_fraction(low) / unit)
        last = None if high is None else floor(as_fraction(high) / unit)
        if first is not None and last is not None and first > last:
            raise SpecError(f"low={low!s}, high={high!s}: no multiple of {unit} lies between them.")
        return cls(step=unit, low=first, high=last)

    def bounds(self) -> tuple[int, int]:
        """Both bounds in grid units; raises SpecError where one is missing."""
        if self.low is None or self.high is None:
            raise SpecError("Scores can only be drawn between two bounds.")
        return self.low, self.high

    def reach(self, *, n: int, total: int, squares: int) -> tuple[int, int]:
        """Bounds of one of `n` scores in grid units: the grid's, or what `squares` leaves."""
        away = isqrt(max(squares - total * total // n, 0)) + 1
        low = total // n - away if self.low is None else self.low
        high = total // n + 1 + away if self.high is None else self.high
        return low, high
