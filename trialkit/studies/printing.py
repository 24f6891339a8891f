"""A computed number as its paper would print it, and whether that is what stands there."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from math import isnan

from trialkit.studies.figure import EXACT, Figure

__all__ = ["as_printed", "prints_the_same"]


def as_printed(figure: Figure | None, value: float, total: int | None) -> str:
    """`value` at the decimals of `figure`, halves away from zero; "n/N" where there is a total.

    A bound ("<0.001") that holds prints as itself. Without a figure to follow, four significant
    digits.
    """
    if total is not None and figure is not None and figure.count is not None:
        return f"{value:.0f}/{total}"
    if isnan(value):
        return ""
    if figure is None or figure.interval is None:
        return f"{value:.4g}" if figure is None else f"{value:.0f}"
    if isnan(figure.interval.value) and figure.interval.contains(value):
        return figure.printed.strip()
    unit = Decimal(1).scaleb(-figure.interval.decimals)
    # repr carries the shortest decimal that is this float, so 0.125 rounds as 0.125 does.
    return str(Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_UP))


def prints_the_same(figure: Figure, value: float, total: int | None) -> bool:
    """Whether `value` prints as `figure` does; a count must also be out of the same total.

    A value halfway between two prints agrees with either: papers round both ways.
    """
    if figure.count is not None:
        return (value, total) == figure.count
    if figure.interval is None:
        return False
    if figure.statistic in EXACT:
        return value == figure.interval.value
    return figure.interval.contains(value)
