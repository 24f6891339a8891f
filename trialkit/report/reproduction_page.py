"""Published figures beside ours: one page, a table and two drawings a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

import trialkit
from trialkit.figures.forest import forest
from trialkit.figures.saving import svg_bytes
from trialkit.report.html import (
    Group,
    Html,
    definitions,
    element,
    figure,
    link_list,
    numbered,
    page,
    section,
    table,
)
from trialkit.report.verdicts import (
    BASES,
    COUNTED,
    UNVERIFIED,
    UNVERIFIED_MARK,
    by_cell,
    marked_statistic,
    note_numbers,
    published_marked,
    range_of,
    records_of,
    tally,
    verdict_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from trialkit.studies.reproduction import Reproduction

__all__ = ["reproduction_page"]

_HEADINGS = ("Statistic", "Published", "Reproduced", "Range", "Verdict", "Basis", "Source")
_IS_NUMBER = (False, True, True, True, False, False, False)
# What a confidence interval may belong to, best first; anything else has no forest row.
_CENTRES = ("mean_difference", "lmm_B", "risk_ratio", "mean_change", "mean", "value")
_RATIOS = frozenset({"risk_ratio"})


def reproduction_page(studies: Sequence[Reproduction]) -> str:
    """The page of `trialkit reproduce --out`, self-contained."""
    failing = [f"{study.name} ({len(study.failures)})" for study in studies if study.failures]
    verdict = (
        f"Figures that should agree and do not: {', '.join(failing)}."
        if failing
        else "Every figure that should agree does."
    )
    lead = [
        element("p", verdict, attributes={"class": "bad" if failing else "lead"}),
        link_list("Studies", [(study.name, study.name) for study in studies]),
    ]
    body = [section(study.name, study.name, _study(study)) for study in studies]
    return page(title="Published figures reproduced", lead=lead, body=body, foot=_foot())


def _study(study: Reproduction) -> Iterator[Html]:
    summary = tally(study.counts(), n_failures=len(study.failures))
    yield element("p", summary)
    records = records_of(study.frame())
    numbers = note_numbers(records)
    yield table(
        caption=f"{study.name}: published and reproduced",
        headings=_HEADINGS,
        groups=[
            Group(
                name=name,
                rows=[_cells(record, numbers) for record in rows],
                classes=[_row_class(record) for record in rows],
            )
            for name, rows in by_cell(records).items()
        ],
        is_number=_IS_NUMBER,
    )
    yield numbered(numbers)
    yield from _forests(study, records)
    if any(record["agrees"] is not None for record in records):
        yield figure(
            svg_bytes(study.plot),
            text=f"Every compared figure of {study.name}: {summary}",
            caption=(
                "Reproduced minus published, in units of the last printed digit. Inside the band "
                "ours prints the same; a line is the range that rounding of the inputs allows; "
                "open marks are not counted."
            ),
        )


def _cells(record: Mapping[str, object], numbers: Mapping[str, int]) -> list[str]:
    return [
        marked_statistic(record, numbers),
        published_marked(record),
        str(record["reproduced_printed"]),
        range_of(record),
        verdict_of(record),
        str(record["basis"]),
        str(record["provenance"]),
    ]


def _row_class(record: Mapping[str, object]) -> str:
    if record["agrees"] is False:
        return "bad"
    return "" if record["basis"] in COUNTED else "aside"


@dataclass(frozen=True, slots=True)
class _Rows:
    """Intervals to draw, published and reproduced by turns."""

    labels: list[str] = field(default_factory=list)
    estimate: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def add(self, label: str, numbers: Sequence[float]) -> None:
        self.labels.append(label)
        for column, number in zip((self.estimate, self.low, self.high), numbers, strict=True):
            column.append(number)


def _forests(study: Reproduction, records: Sequence[Mapping[str, object]]) -> Iterator[Html]:
    """Estimates with intervals, where a study prints an interval and ours has one too."""
    differences, ratios = _Rows(), _Rows()
    for name, found in by_cell(records).items():
        # The first basis of each figure.
        cell = {str(record["statistic"]): record for record in reversed(found)}
        centre = next((statistic for statistic in _CENTRES if statistic in cell), None)
        if centre is None or not {"ci95_lo", "ci95_hi"} <= set(cell):
            continue
        rows = [cell[statistic] for statistic in (centre, "ci95_lo", "ci95_hi")]
        printed = [_number(row["published"]) for row in rows]
        ours = [_number(row["reproduced"]) for row in rows]
        if all(isfinite(number) for number in (*printed, *ours)):
            target = ratios if centre in _RATIOS else differences
            target.add(f"{name}: published", printed)
            target.add("reproduced", ours)
    for rows_drawn, is_ratio in ((differences, False), (ratios, True)):
        if rows_drawn.labels:
            yield figure(
                svg_bytes(partial(_draw, rows_drawn, is_ratio=is_ratio)),
                text=_in_words(rows_drawn),
                caption=f"{study.name}: estimates with 95% intervals, published and reproduced.",
            )


def _draw(rows: _Rows, *, is_ratio: bool) -> Axes:
    return forest(
        labels=rows.labels,
        estimate=rows.estimate,
        low=rows.low,
        high=rows.high,
        is_ratio=is_ratio,
        x_label="Estimate (95% CI)",
    )


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _in_words(rows: _Rows) -> str:
    lines = zip(rows.labels, rows.estimate, rows.low, rows.high, strict=True)
    return ". ".join(
        f"{label} {centre:g} ({low:g} to {high:g})" for label, centre, low, high in lines
    )


def _foot() -> Iterator[Html]:
    yield definitions(BASES.items())
    yield element("p", f"{UNVERIFIED_MARK} not read in the paper, its abstract or its registry:")
    yield definitions(UNVERIFIED.items())
    yield element(
        "p",
        "Range: what the printed rounding of the inputs allows, where ours does not print as "
        "published. A figure agrees when it lies inside.",
    )
    yield element("p", f"trialkit {trialkit.__version__}.")
