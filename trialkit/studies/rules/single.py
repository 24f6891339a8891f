"""One figure on its own: values that its statistic cannot take, and contradictory copies."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trialkit.studies.figure import COUNT_STATISTIC, PROBABILITIES, Figure
from trialkit.studies.rules.record import Cell, Check, Record

__all__ = ["possible_values", "repeated_figures"]

PERCENTAGES = frozenset({"pct", "percent", "percentage", "I2_pct"})
NOT_NEGATIVE = re.compile(r"^(sd|se|n|.*_halfwidth|IQR.*|risk_ratio|.*_(rr|or|hr|irr|ratio))$")


def possible_values(record: Record) -> Iterator[Check]:
    """Rule `range`: counts within their totals, shares within 0 to 1, spreads not negative."""
    for cell in record.cells:
        for figure in cell.figures.values():
            problem = _count_problem(figure) or _measure_problem(figure)
            yield cell.check("range", "impossible" if problem else None, problem)


def repeated_figures(record: Record) -> Iterator[Check]:
    """Rule `repeated`: the same figure given twice says the same."""
    held: dict[tuple[str, ...], Figure] = {}
    for figure in record.figures:
        key = (figure.study, *figure.key)
        if key not in held:
            held[key] = figure
            continue
        first = held[key]
        cell = Cell(
            study=figure.study,
            arm=figure.arm,
            outcome=figure.outcome,
            timepoint=figure.timepoint,
            figures={},
        )
        differs = first.printed != figure.printed
        detail = (
            f"{figure.statistic} is given as {first.printed} (row {first.row}) "
            f"and as {figure.printed} (row {figure.row})"
        )
        yield cell.check("repeated", "inconsistent" if differs else None, detail)


def _count_problem(figure: Figure) -> str:
    if figure.statistic == COUNT_STATISTIC and figure.count is not None:
        count, total = figure.count
        return f"{count} of {total}: more than all" if count > total else ""
    if figure.statistic == "n" and figure.interval is not None and figure.point % 1:
        return f"n is {figure.printed}: not a whole number"
    return ""


def _measure_problem(figure: Figure) -> str:
    if figure.interval is None:
        return ""
    low, high = figure.interval.low, figure.interval.high
    if figure.statistic in PROBABILITIES and (high < 0 or low > 1):
        return f"{figure.statistic} is {figure.printed}: outside 0 to 1"
    if figure.statistic in PERCENTAGES and (high < 0 or low > 100):
        return f"{figure.statistic} is {figure.printed}: outside 0 to 100"
    if NOT_NEGATIVE.match(figure.statistic) and high < 0:
        return f"{figure.statistic} is {figure.printed}: cannot be negative"
    return ""
