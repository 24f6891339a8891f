"""`trialkit reproduce`: a table a study, a verdict a figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit import studies
from trialkit.cli.files import write_outputs
from trialkit.cli.terminal import (
    column_widths,
    console,
    is_terminal,
    line,
    plain_table,
    progress_console,
    say,
)
from trialkit.report.verdicts import (
    COUNTED,
    UNVERIFIED_MARK,
    Record,
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
    from trialkit.studies.reproduction import Reproduction

__all__ = ["reproduce_studies"]

SCHEMA = "trialkit-reproduction/1"
PAGE = "reproduction.html"

_HEADINGS = ("Statistic", "Published", "Reproduced", "Verdict", "Basis")
_IS_NUMBER = (False, True, True, False, False)
_CELL = ("arm", "outcome", "timepoint")


def reproduce_studies(names: Sequence[str], *, out: Path | None, as_json: bool) -> bool:
    """Print the reproduction of each study; whether every figure that should agree does."""
    known = studies.names()
    for name in names:
        if name not in known:
            studies.load(name)  # raises, with the names nearest to it
    chosen = list(dict.fromkeys(names)) or list(known)
    results = []
    with progress_console().status("") as status:
        for position, name in enumerate(chosen, start=1):
            status.update(f"{name} ({position} of {len(chosen)})")
            results.append(studies.reproduce(name))
    if as_json:
        _print_json(results)
    else:
        for result in results:
            _print(result)
    if out is not None:
        from trialkit.report.reproduction_page import reproduction_page

        write_outputs(out, {PAGE: reproduction_page(results).encode("utf-8")})
        progress_console().print(f"Written: {out / PAGE}", soft_wrap=True)
    return all(result.all_agree for result in results)


def _print_json(results: Sequence[Reproduction]) -> None:
    from trialkit.plan.json_text import json_bytes

    listed = [
        {
            "study": result.name,
            "all_agree": result.all_agree,
            "counts": result.counts(),
            "rows": result.frame().to_dict("records"),
        }
        for result in results
    ]
    say(json_bytes({"schema": SCHEMA, "studies": listed}).decode("ascii").rstrip("\n"))


def _print(result: Reproduction) -> None:
    records = records_of(result.frame())
    numbers = note_numbers(records)
    if is_terminal():
        _print_wrapped(result, records, numbers)
    else:
        _print_plain(result, records, numbers)


def _print_wrapped(
    result: Reproduction, records: Sequence[Record], numbers: Mapping[str, int]
) -> None:
    """For a person: under each arm, outcome and time, a line a statistic."""
    from rich.text import Text

    cells = {id(record): _cells(record, numbers, gap="\n") for record in records}
    screen = console()
    widths = column_widths([_HEADINGS, *cells.values()], total=screen.width)
    screen.print(Text(f"\n{result.name}", style="bold"))
    screen.print(line(_HEADINGS, widths, is_number=_IS_NUMBER, style="underline"))
    for cell, rows in by_cell(records).items():
        screen.print(Text(cell, style="italic"))
        for record in rows:
            row = cells[id(record)]
            screen.print(line(row, widths, is_number=_IS_NUMBER, style=_style(record)))
    for text in _foot(records, numbers):
        screen.print(Text(text, style="dim"))
    screen.print(Text(tally(result.counts(), n_failures=len(result.failures)), style="bold"))


def _print_plain(
    result: Reproduction, records: Sequence[Record], numbers: Mapping[str, int]
) -> None:
    """For a pipe: every row complete in one line."""
    rows = [
        [*(str(record[key]) for key in _CELL), *_cells(record, numbers, gap=" ")]
        for record in records
    ]
    headings = ("Arm", "Outcome", "Time", *_HEADINGS)
    say(result.name)
    say(plain_table(headings, rows, is_number=(False, False, False, *_IS_NUMBER)))
    for text in _foot(records, numbers):
        say(text)
    say(tally(result.counts(), n_failures=len(result.failures)))
    say()


def _cells(record: Record, numbers: Mapping[str, int], *, gap: str) -> list[str]:
    span = range_of(record)
    return [
        marked_statistic(record, numbers),
        published_marked(record),
        f"{record['reproduced_printed']}{gap}({span})"
        if span
        else str(record["reproduced_printed"]),
        verdict_of(record),
        str(record["basis"]),
    ]


def _foot(records: Sequence[Record], numbers: Mapping[str, int]) -> Iterator[str]:
    """What the marks of a table mean."""
    for note, number in numbers.items():
        yield f"[{number}] {note}"
    if any(published_marked(record).endswith(UNVERIFIED_MARK) for record in records):
        yield (
            f"{UNVERIFIED_MARK} transcribed by a third party or quoted elsewhere; not read in the "
            "paper, its abstract or its registry entry."
        )


def _style(record: Record) -> str:
    if record["agrees"] is False:
        return "bold red"
    return "" if record["basis"] in COUNTED else "dim"
