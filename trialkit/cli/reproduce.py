"""`trialkit reproduce`: a table a study, a verdict a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit import studies
from trialkit.cli.files import write_outputs
from trialkit.cli.terminal import (
    console,
    is_terminal,
    plain_table,
    progress_console,
    say,
    terminal_table,
)
from trialkit.report.verdicts import COUNTED, range_of, records_of, tally, verdict_of

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
    notes = list(dict.fromkeys(str(record["note"]) for record in records if record["note"]))
    numbers = {note: number for number, note in enumerate(notes, start=1)}
    if is_terminal():
        _print_wrapped(result, records, numbers)
    else:
        _print_plain(result, records, numbers)


def _print_wrapped(
    result: Reproduction, records: Sequence[Mapping[str, object]], numbers: Mapping[str, int]
) -> None:
    """For a person: one table a study, each arm, outcome and time as a line of its own."""
    from rich.text import Text

    table = terminal_table(_HEADINGS, is_number=_IS_NUMBER)
    screen = console()
    screen.print()
    screen.print(Text(result.name, style="bold"))
    previous = ""
    for record in records:
        cell = ", ".join(str(record[key]) for key in _CELL if record[key])
        if cell != previous:
            table.add_row(Text(cell, style="italic"))
            previous = cell
        table.add_row(*_cells(record, numbers, gap="\n"), style=_style(record))
    screen.print(table)
    for note, number in numbers.items():
        screen.print(Text(f"[{number}] {note}", style="dim"))
    screen.print(Text(tally(result.counts()), style="bold"))


def _print_plain(
    result: Reproduction, records: Sequence[Mapping[str, object]], numbers: Mapping[str, int]
) -> None:
    """For a pipe: every row complete in one line."""
    rows = [
        [*(str(record[key]) for key in _CELL), *_cells(record, numbers, gap=" ")]
        for record in records
    ]
    headings = ("Arm", "Outcome", "Time", *_HEADINGS)
    say(result.name)
    say(plain_table(headings, rows, is_number=(False, False, False, *_IS_NUMBER)))
    for note, number in numbers.items():
        say(f"[{number}] {note}")
    say(tally(result.counts()))
    say()


def _cells(record: Mapping[str, object], numbers: Mapping[str, int], *, gap: str) -> list[str]:
    note, span = str(record["note"]), range_of(record)
    mark = f" [{numbers[note]}]" if note else ""
    return [
        f"{record['statistic']}{mark}",
        str(record["published"]),
        f"{record['reproduced_printed']}{gap}({span})"
        if span
        else str(record["reproduced_printed"]),
        verdict_of(record),
        str(record["basis"]),
    ]


def _style(record: Mapping[str, object]) -> str:
    if record["agrees"] is False:
        return "bold red"
    return "" if record["basis"] in COUNTED else "dim"
