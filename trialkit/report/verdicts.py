"""The words of a reproduction, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from trialkit.report.rounding import round_half_away

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BASES",
    "COUNTED",
    "UNVERIFIED",
    "UNVERIFIED_MARK",
    "Record",
    "by_cell",
    "marked_statistic",
    "note_numbers",
    "published_marked",
    "range_of",
    "records_of",
    "tally",
    "verdict_of",
]

Record: TypeAlias = Mapping[str, object]

BASES = {
    "summary": "recomputed from other published figures of the study",
    "synthetic": "estimated by the real analysis from a trial simulated to carry the published "
    "moments",
    "derived": "ours; nothing is printed to compare it with",
    "calibrated": "the figure was used to make the simulated trial: it agrees by construction, "
    "is no evidence and is not counted",
    "not reproducible": "what would be needed is not printed; the note says what",
}
# Where a figure was read, when it was not in the paper, its abstract or its registry entry.
UNVERIFIED = {
    "transcription": "copied from a third party's transcription of the paper",
    "secondary": "quoted from another publication",
}
UNVERIFIED_MARK = "*"
# The bases whose agreement is evidence.
COUNTED = ("summary", "synthetic")


def records_of(frame: pd.DataFrame) -> list[Record]:
    """The rows of a reproduction's frame, by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def by_cell(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The records of each arm, outcome and time together, in order of first appearance."""
    cells: dict[str, list[Record]] = {}
    for record in records:
        words = [str(record[key]) for key in ("arm", "outcome", "timepoint") if record[key]]
        cells.setdefault(", ".join(words), []).append(record)
    return cells


def note_numbers(records: Sequence[Record]) -> dict[str, int]:
    """Every note once, with the number that refers to it."""
    notes = dict.fromkeys(str(record["note"]) for record in records if record["note"])
    return {note: number for number, note in enumerate(notes, start=1)}


def marked_statistic(record: Record, numbers: Mapping[str, int]) -> str:
    """The statistic with the number of its note."""
    note = str(record["note"])
    return f"{record['statistic']} [{numbers[note]}]" if note else str(record["statistic"])


def published_marked(record: Record) -> str:
    """The published figure, with a mark where it was not read at its source."""
    published = str(record["published"])
    is_marked = bool(published) and record["provenance"] in UNVERIFIED
    return f"{published}{UNVERIFIED_MARK}" if is_marked else published


def verdict_of(record: Record) -> str:
    """A row's verdict in words; empty where there is nothing to compare.

    In brackets where agreement is no evidence.
    """
    agrees, counted = record["agrees"], record["basis"] in COUNTED
    if agrees is None:
        return ""
    if agrees is True:
        return "agrees" if counted else "(agrees)"
    return "DISAGREES" if agrees is False else str(agrees)


def range_of(record: Record) -> str:
    """The range that the inputs' rounding allows, where it is what the verdict rests on.

    Empty where ours prints as published and the range is narrow enough to say so.
    One decimal more than were printed: enough to see that the printed figure lies inside.
    """
    low, high = float(str(record["reproduced_low"])), float(str(record["reproduced_high"]))
    published, ours = str(record["published"]), str(record["reproduced_printed"])
    says_it_all = published == ours and record["agrees"] != "uninformative"
    if not (isfinite(low) and isfinite(high)) or low == high or says_it_all:
        return ""
    decimals = len((published or ours).partition(".")[2]) + (1 if published else 0)
    return f"{round_half_away(low, decimals)} to {round_half_away(high, decimals)}"


def tally(counts: Mapping[str, int], *, n_failures: int) -> str:
    """One line: how many of the counted figures agree, and what was not counted.

    `n_failures` counts every row that should agree and does not, calibrated ones included: a
    trial made to carry a figure that it does not carry is broken, though no figure is refuted.
    """
    agree, disagree, vague = (counts[name] for name in ("agrees", "disagrees", "uninformative"))
    n_counted = agree + disagree + vague
    parts = [f"{agree} of {n_counted} agree" if n_counted else "No figure could be compared"]
    if disagree:
        parts.append(f"{disagree} DISAGREE")
    if n_failures > disagree:
        parts.append(f"{n_failures - disagree} calibrated and MISSED")
    if vague:
        parts.append(f"{vague} uninformative")
    for basis in ("derived", "calibrated", "not reproducible"):
        if counts.get(basis):
            aside = " (not counted)" if basis == "calibrated" else ""
            parts.append(f"{counts[basis]} {basis}{aside}")
    return "; ".join(parts) + "."
