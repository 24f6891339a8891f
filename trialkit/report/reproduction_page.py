"""Published figures beside ours: one page, a table and two drawings a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

import trialkit
from trialkit.figures.forest import forest
from trialkit.report.drawing import svg_bytes
from trialkit.report.html import Html, element, figure, link_list, page, section, table
from trialkit.report.verdicts import BASES, COUNTED, records_of, tally, verdict_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from trialkit.studies.reproduction import Reproduction

__all__ = ["reproduction_page"]

_HEADINGS = (
    "Arm",
    "Outcome",
    "Time",
    "Statistic",
    "Published",
    "Reproduced",
    "Verdict",
    "Basis",
    "Note",
)
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
    yield element("p", tally(study.counts()))
    records = records_of(study.frame())
    yield table(
        caption=f"{study.name}: published and reproduced",
        headings=_HEADINGS,
        rows=[_cells(record) for record in records],
        is_number=[heading in ("Published", "Reproduced") for heading in _HEADINGS],
        n_keys=4,
        row_classes=[_row_class(record) for record in records],
    )
    yield from _forests(study, records)
    if any(record["agrees"] is not None for record in records):
        yield figure(
            svg_bytes(study.plot),
            text=f"Every compared figure of {study.name}: {tally(study.counts())}",
            caption=(
                "Reproduced minus published, in units of the last printed digit. Inside the band "
                "ours prints the same; a line is the range that rounding of the inputs allows; "
                "open marks are not counted."
            ),
        )


def _cells(record: Mapping[str, object]) -> list[str]:
    return [
        str(record["arm"]),
        str(record["outcome"]),
        str(record["timepoint"]),
        str(record["statistic"]),
        str(record["published"]),
        str(record["reproduced_printed"]),
        verdict_of(record),
        str(record["basis"]),
        str(record["note"]),
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
    for name, cell in _by_cell(records).items():
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


def _by_cell(
    records: Iterable[Mapping[str, object]],
) -> dict[str, dict[str, Mapping[str, object]]]:
    """Records of one arm, outcome and time by statistic, the first basis of each figure."""
    cells: dict[str, dict[str, Mapping[str, object]]] = {}
    for record in records:
        words = [str(record[key]) for key in ("arm", "outcome", "timepoint")]
        name = ", ".join(word for word in words if word)
        cells.setdefault(name, {}).setdefault(str(record["statistic"]), record)
    return cells


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
    for basis, meaning in BASES.items():
        yield element("p", f"{basis}: {meaning}.")
    yield element("p", f"trialkit {trialkit.__version__}.")
