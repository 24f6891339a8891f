"""The audited figures, arranged by cell, and how many persons a cell is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple

from trialkit.studies.figure import COUNT_STATISTIC, Figure

__all__ = ["ALL_ARMS", "Cell", "Check", "Finding", "Record", "SampleSize", "Verdict", "is_contrast"]

Verdict = Literal["impossible", "inconsistent", "suspicious"]

ALL_ARMS = "all"
# Words of an n row, best first: a mean is over those analysed, not those who were enrolled.
_ANALYSED = re.compile(r"analy[sz]ed|itt|intention|evaluable|complete case", re.IGNORECASE)
_ENROLLED = re.compile(r"randomi[sz]ed|included|enrolled|^n$|^$", re.IGNORECASE)
_CONTRAST = re.compile(r"\s[-/]\s|(^|[\s_])(vs?|versus|minus)([\s_]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One contradiction: `rule` found it, `verdict` grades it, `detail` shows the arithmetic."""

    study: str
    outcome: str
    rule: str
    verdict: Verdict
    detail: str


class Check(NamedTuple):
    """What a rule yields for one place it could be applied to: nothing found, or a finding."""

    rule: str
    finding: Finding | None


class SampleSize(NamedTuple):
    """Number of persons and where it stands; `is_shared` when only the whole study has one."""

    n: int
    source: str
    is_shared: bool


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The figures of one arm, outcome and timepoint of a study, by statistic."""

    study: str
    arm: str
    outcome: str
    timepoint: str
    figures: Mapping[str, Figure]

    @property
    def place(self) -> str:
        """Arm and timepoint, for a message."""
        return ", ".join(part for part in (self.arm, self.timepoint) if part) or "all"

    def first(self, names: Sequence[str]) -> Figure | None:
        """The first of these statistics that the cell has as a measured figure."""
        for name in names:
            figure = self.figures.get(name)
            if figure is not None and figure.interval is not None:
                return figure
        return None

    def check(self, rule: str, verdict: Verdict | None, detail: str) -> Check:
        """The rule's outcome here; `verdict` None is a pass."""
        if verdict is None:
            return Check(rule, None)
        where = f"{self.place}: " if self.arm or self.timepoint else ""
        return Check(
            rule,
            Finding(
                study=self.study,
                outcome=self.outcome,
                rule=rule,
                verdict=verdict,
                detail=f"{where}{detail}",
            ),
        )


class Record:
    """All figures under audit, in cells and by study."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self.figures = tuple(figures)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Cells in order of first appearance; the first of several equal keys counts."""
        grouped: dict[tuple[str, ...], dict[str, Figure]] = {}
        for figure in self.figures:
            key = (figure.study, figure.arm, figure.outcome, figure.timepoint)
            grouped.setdefault(key, {}).setdefault(figure.statistic, figure)
        return tuple(
            Cell(
                study=study,
                arm=arm,
                outcome=outcome,
                timepoint=timepoint,
                figures=MappingProxyType(held),
            )
            for (study, arm, outcome, timepoint), held in grouped.items()
        )

    @cached_property
    def by_study(self) -> Mapping[str, tuple[Cell, ...]]:
        """Cells of each study."""
        grouped: dict[str, list[Cell]] = {}
        for cell in self.cells:
            grouped.setdefault(cell.study, []).append(cell)
        return {study: tuple(cells) for study, cells in grouped.items()}

    def sizes(self, cell: Cell) -> tuple[SampleSize, ...]:
        """Numbers of persons the cell can be about, equally likely ones together.

        The cell's own n; else the n rows of its arm (of the same outcome, then of those
        analysed, then of those enrolled); else the one denominator that the arm's counts
        share; else the study's n for all arms, as in a crossover. Empty where none is printed.
        """
        own = cell.figures.get("n")
        if own is not None:
            return (SampleSize(int(own.point), "its own n", False),)
        cells = self.by_study[cell.study]
        for arm in dict.fromkeys((cell.arm, ALL_ARMS)):
            found = _sizes_of_arm([other for other in cells if other.arm == arm], cell.outcome)
            if found:
                shared = arm != cell.arm
                return tuple(SampleSize(n, source, shared) for n, source in found)
        return ()


def is_contrast(arm: str) -> bool:
    """Whether the arm's text names a comparison ("ldn - placebo", "ldn_vs_placebo")."""
    return bool(_CONTRAST.search(arm))


def _sizes_of_arm(cells: Sequence[Cell], outcome: str) -> list[tuple[int, str]]:
    counted = [cell for cell in cells if "n" in cell.figures]
    tiers = (
        [cell for cell in counted if cell.outcome == outcome],
        [cell for cell in counted if _ANALYSED.search(cell.outcome)],
        [cell for cell in counted if _ENROLLED.search(cell.outcome)],
    )
    for tier in tiers:
        if tier:
            found = {int(cell.figures["n"].point): cell.outcome for cell in tier}
            return [(n, f"n {named}".strip()) for n, named in found.items()]
    totals = {
        figure.count[1]
        for cell in cells
        if (figure := cell.figures.get(COUNT_STATISTIC)) is not None and figure.count is not None
    }
    return [(totals.pop(), "denominator of its counts")] if len(totals) == 1 else []
