"""Interval arithmetic of printed figures: what a rounded number allows, and what follows.

A figure printed with `decimals` digits after the point stands for every value within half a
unit of its last digit. The ends are included, because papers round halves both up and to even.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from math import inf, isnan, nan

from trialkit.errors import DataError, SpecError

__all__ = ["PrintedInterval", "ReachableRange", "printed_interval", "reachable_range"]

# Binary fractions of decimal text differ in the 16th digit; an end point must not be lost to it.
END_POINT_SLACK = 1e-12
# Corners double with every input: 4096 calls are still a few milliseconds.
MAX_FREE_INPUTS = 12
# Points tried along one input in a coordinate step, and how often the step is narrowed.
LINE_POINTS = 9
LINE_ZOOMS = 4
MAX_SWEEPS = 20

# Minus signs and decimal points as typeset: the Lancet journals print a raised dot.
_TYPESET = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00b7": "."})
_FIGURE = re.compile(r"^(?P<bound>[<>])?\s*(?P<number>[+-]?\d+(?:\.(?P<fraction>\d+))?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedInterval:
    """Values that print as one text: `low` to `high`, both included.

    `value` is the printed number, NaN for a bound such as "<0.001", whose interval is open to
    one side (`low` or `high` infinite). `unit` is one unit of the last printed digit.
    """

    value: float
    low: float
    high: float
    decimals: int

    @property
    def unit(self) -> float:
        """One unit of the last printed digit."""
        return float(Decimal(1).scaleb(-self.decimals))

    def contains(self, value: float) -> bool:
        """Whether `value` prints as this text."""
        return self.overlaps(value, value)

    def overlaps(self, low: float, high: float) -> bool:
        """Whether some value between `low` and `high` prints as this text."""
        slack = END_POINT_SLACK * max(1.0, abs(low), abs(high))
        return low <= self.high + slack and high >= self.low - slack


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachableRange:
    """Least and greatest value of a function over a box of inputs.

    `is_at_corners`: both were found at corners of the box, as they must be for a function that
    is monotone in every input; the range is then exact. Otherwise it was found by a search and
    is a lower bound of the true range, in practice to a few parts in a million.
    """

    low: float
    high: float
    is_at_corners: bool

    @property
    def width(self) -> float:
        """Length of the range, in the unit of the quantity."""
        return self.high - self.low


def printed_interval(text: str) -> PrintedInterval:
    """Interval of values that print as `text`; trailing zeros count as printed digits.

    "0.10" is 0.095 to 0.105; "-1.3" is -1.35 to -1.25; "<0.001" everything below 0.001. The
    typeset minus and the raised decimal point are read. Raises DataError for anything else:
    a count such as "26/49", a percent sign, a thousands separator.

    Example
    -------
    >>> figure = printed_interval("0.10")
    >>> figure.low, figure.high, figure.decimals
    (0.095, 0.105, 2)
    """
    match = _FIGURE.match(text.strip().translate(_TYPESET))
    if match is None:
        raise DataError(
            f"{text!r} is not a printed figure; allowed: digits with an optional sign, decimal "
            "point and leading < or >, such as -1.30 or <0.001."
        )
    number = Decimal(match["number"])
    decimals = len(match["fraction"] or "")
    if match["bound"] == "<":
        return PrintedInterval(value=nan, low=-inf, high=float(number), decimals=decimals)
    if match["bound"] == ">":
        return PrintedInterval(value=nan, low=float(number), high=inf, decimals=decimals)
    half = Decimal(5).scaleb(-decimals - 1)
    return PrintedInterval(
        value=float(number),
        low=float(number - half),
        high=float(number + half),
        decimals=decimals,
    )


def reachable_range(
    function: Callable[..., float], inputs: Mapping[str, tuple[float, float]]
) -> ReachableRange:
    """Range of `function(**inputs)` when each input lies anywhere between its (low, high).

    Every corner of the box is tried, then the best corner and the centre are improved one
    input at a time on a narrowing grid until nothing changes. Deterministic; exact for a
    function monotone in each input. Raises DataError where the function has no value (NaN)
    at a point of the box, SpecError for more than twelve inputs that vary.
    """
    for name, (low, high) in inputs.items():
        if not low <= high:
            raise SpecError(f"Input {name!r} runs from {low!r} to {high!r}: not an interval.")
    free = [name for name, (low, high) in inputs.items() if low < high]
    if len(free) > MAX_FREE_INPUTS:
        raise SpecError(f"{len(free)} inputs vary; at most {MAX_FREE_INPUTS} can be searched.")

    def value_at(point: Mapping[str, float]) -> float:
        value = float(function(**point))
        if isnan(value):
            where = ", ".join(f"{name}={number:g}" for name, number in point.items())
            raise DataError(f"The recomputed quantity has no value at {where}.")
        return value

    low, low_at_corner = _least(value_at, inputs, free)
    high, high_at_corner = _least(lambda point: -value_at(point), inputs, free)
    return ReachableRange(low=low, high=-high, is_at_corners=low_at_corner and high_at_corner)


def _least(
    objective: Callable[[Mapping[str, float]], float],
    inputs: Mapping[str, tuple[float, float]],
    free: list[str],
) -> tuple[float, bool]:
    """Least value over the box, and whether a corner has it."""
    corners = [
        dict(zip(inputs, ends, strict=True)) for ends in product(*map(_ends, inputs.values()))
    ]
    centre = {name: (low + high) / 2 for name, (low, high) in inputs.items()}
    at_corner, best = min(
        ((objective(corner), corner) for corner in corners), key=lambda scored: scored[0]
    )
    inside = min(_descend(objective, start, inputs, free) for start in (best, centre))
    return min(at_corner, inside), inside >= at_corner


def _ends(interval: tuple[float, float]) -> tuple[float, ...]:
    low, high = interval
    return (low,) if low == high else (low, high)


def _descend(
    objective: Callable[[Mapping[str, float]], float],
    start: Mapping[str, float],
    inputs: Mapping[str, tuple[float, float]],
    free: list[str],
) -> float:
    """Least value found by changing one input at a time; never above the value at `start`."""
    point = dict(start)
    best = objective(point)
    for _ in range(MAX_SWEEPS):
        before = best
        for name in free:
            low, high = inputs[name]
            for _ in range(LINE_ZOOMS):
                step = (high - low) / (LINE_POINTS - 1)
                line = [min(low + k * step, high) for k in range(LINE_POINTS)]
                for candidate in line:
                    value = objective({**point, name: candidate})
                    if value < best:
                        best, point[name] = value, candidate
                low = max(inputs[name][0], point[name] - step)
                high = min(inputs[name][1], point[name] + step)
        if not best < before:
            break
    return best
