"""Counts against percentages, denominators, totals and each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from trialkit.studies.figure import COUNT_STATISTIC, Figure
from trialkit.studies.rules.record import ALL_ARMS, Cell, Check, Record, is_contrast

__all__ = [
    "arms_add_up",
    "denominator_within_arm",
    "percent_against_count",
    "percent_has_a_count",
    "thresholds_in_order",
]

# Statistics that print a share of persons, and what a share of 1 prints as.
SHARES = {"pct": 100.0, "percent": 100.0, "percentage": 100.0, "proportion": 1.0}
_THRESHOLD = re.compile(r"(?:>=|\u2265)\s*(\d+(?:\.\d+)?)\s*(?:%|pct)", re.IGNORECASE)


def percent_against_count(record: Record) -> Iterator[Check]:
    """Rule `percent-count`: a percentage beside its own n/N prints that share."""
    for cell in record.cells:
        counted = cell.figures.get(COUNT_STATISTIC)
        for figure, whole in _shares(cell):
            if counted is None or counted.count is None or figure.interval is None:
                continue
            count, total = counted.count
            if total == 0:
                continue
            share = whole * count / total
            fits = figure.interval.contains(share)
            detail = f"{count}/{total} is {share:.4g}, printed {figure.printed}"
            yield cell.check("percent-count", None if fits else "inconsistent", detail)


def percent_has_a_count(record: Record) -> Iterator[Check]:
    """Rule `percent-grid`: some whole number of the arm's persons gives the percentage.

    Only a suspicion: the denominator may be another than the arm's printed numbers.
    """
    for cell in record.cells:
        if COUNT_STATISTIC in cell.figures:
            continue
        totals = sorted({size.n for size in record.sizes(cell) if size.n > 0})
        for figure, whole in _shares(cell):
            if not totals or figure.interval is None:
                continue
            fits = any(_has_count(figure, whole, total) for total in totals)
            detail = (
                f"no whole number out of {' or '.join(map(str, totals))} is {figure.printed}"
                f"{'%' if whole > 1 else ''}"
            )
            yield cell.check("percent-grid", None if fits else "suspicious", detail)


def denominator_within_arm(record: Record) -> Iterator[Check]:
    """Rule `denominator`: no count is out of more persons than the arm has."""
    for cell in record.cells:
        counted = cell.figures.get(COUNT_STATISTIC)
        if counted is None or counted.count is None:
            continue
        numbers = [
            int(other.figures["n"].point)
            for other in record.by_study[cell.study]
            if other.arm == cell.arm and "n" in other.figures
        ]
        if numbers:
            fits = counted.count[1] <= max(numbers)
            detail = f"{counted.printed}: the arm's largest printed n is {max(numbers)}"
            yield cell.check("denominator", None if fits else "inconsistent", detail)


def thresholds_in_order(record: Record) -> Iterator[Check]:
    """Rule `threshold-order`: whoever reaches the higher threshold reaches the lower one.

    Compares counts whose outcomes differ only in the threshold (">=30%", ">=50pct"), of one arm
    and timepoint and out of the same total.
    """
    families: dict[tuple[str, ...], list[tuple[float, Cell]]] = {}
    for cell in record.cells:
        match = _THRESHOLD.search(cell.outcome)
        if match is not None and COUNT_STATISTIC in cell.figures:
            rest = _THRESHOLD.sub("", cell.outcome, count=1)
            key = (cell.study, cell.arm, cell.timepoint, rest)
            families.setdefault(key, []).append((float(match[1]), cell))
    for members in families.values():
        members.sort(key=lambda member: member[0])
        for (_, easier), (_, harder) in pairwise(members):
            few, many = easier.figures[COUNT_STATISTIC], harder.figures[COUNT_STATISTIC]
            if few.count is None or many.count is None or few.count[1] != many.count[1]:
                continue
            fits = many.count[0] <= few.count[0]
            detail = f"{many.printed}, but only {few.printed} of {easier.outcome}"
            yield harder.check("threshold-order", None if fits else "impossible", detail)


def arms_add_up(record: Record) -> Iterator[Check]:
    """Rule `arms-total`: the arms' n of an outcome add up to the n for all."""
    for cells in record.by_study.values():
        for whole in cells:
            if whole.arm != ALL_ARMS or "n" not in whole.figures:
                continue
            parts = [
                int(cell.figures["n"].point)
                for cell in cells
                if cell.outcome == whole.outcome
                and cell.timepoint == whole.timepoint
                and cell.arm != ALL_ARMS
                and not is_contrast(cell.arm)
                and "n" in cell.figures
            ]
            if len(parts) > 1:
                total = int(whole.figures["n"].point)
                detail = f"{' + '.join(map(str, parts))} = {sum(parts)}, printed {total}"
                fits = sum(parts) == total
                yield whole.check("arms-total", None if fits else "inconsistent", detail)


def _shares(cell: Cell) -> Iterator[tuple[Figure, float]]:
    for name, whole in SHARES.items():
        figure = cell.figures.get(name)
        if figure is not None:
            yield figure, whole


def _has_count(figure: Figure, whole: float, total: int) -> bool:
    if figure.interval is None:
        return True
    nearest = figure.point * total / whole
    return any(
        figure.interval.contains(whole * count / total)
        for count in (int(nearest), int(nearest) + 1)
        if 0 <= count <= total
    )
