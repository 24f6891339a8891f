"""A figure recomputed from other figures, and the range its inputs' rounding allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Literal

from trialkit.errors import DataError, SpecError
from trialkit.kernels.rounding import reachable_range
from trialkit.studies.figure import EXACT, Figure, FigureKey
from trialkit.studies.formulas.registry import FORMULAS
from trialkit.studies.recipe import FigureInput, Recomputation

__all__ = ["UNINFORMATIVE_UNITS", "Recomputed", "Verdict", "recompute", "verdict"]

Verdict = bool | Literal["uninformative"] | None

# A range that holds more printed figures than this says nothing about any one of them.
UNINFORMATIVE_UNITS = 10
# Widths are differences of decimal fractions held in binary.
WIDTH_SLACK = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """Value at the printed inputs, with the range over everything that prints as them."""

    value: float
    low: float
    high: float


def recompute(item: Recomputation, figures: Mapping[FigureKey, Figure]) -> Recomputed:
    """Apply the item's formula to its published inputs.

    The range is that of `trialkit.kernels.rounding.reachable_range`: each measured input varies
    within its own rounding, counts and plain numbers are exact. Raises SpecError for an input
    that names no figure, DataError for one printed only as a bound.
    """
    formula = FORMULAS[item.formula]
    points: dict[str, float] = {}
    boxes: dict[str, tuple[float, float]] = {}
    for name, source in item.inputs.items():
        points[name], boxes[name] = _input(source, figures)
    value = float(formula(**points))
    found = reachable_range(formula, boxes)
    return Recomputed(value=value, low=found.low, high=found.high)


def verdict(figure: Figure, found: Recomputed) -> Verdict:
    """Whether the printed figure can come from its inputs; "uninformative" where nearly any could.

    It agrees when some value within its own rounding is reachable. A range wider than ten units
    of the last printed digit cannot support the figure, but a figure outside it is still wrong.
    """
    if figure.interval is None or figure.statistic in EXACT:
        overlaps = found.low <= figure.point <= found.high
    else:
        overlaps = figure.interval.overlaps(found.low, found.high)
    if not overlaps:
        return False
    if found.high - found.low > UNINFORMATIVE_UNITS * figure.last_digit * (1 + WIDTH_SLACK):
        return "uninformative"
    return True


def _input(
    source: FigureInput | float, figures: Mapping[FigureKey, Figure]
) -> tuple[float, tuple[float, float]]:
    if not isinstance(source, FigureInput):
        return source, (source, source)
    if source.key not in figures:
        raise SpecError(f"No published figure is called {source.key}.")
    figure = figures[source.key]
    if source.part != "value":
        if figure.count is None:
            raise SpecError(f"{source.key} is not an n/N; it has no {source.part}.")
        number = float(figure.count[0 if source.part == "count" else 1])
        return number, (number, number)
    low, high = figure.bounds
    if figure.interval is None or isnan(figure.interval.value):
        raise DataError(f"{source.key} is printed only as a bound ({figure.printed}).")
    return figure.interval.value, (low, high)
