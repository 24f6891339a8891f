"""Tables for a terminal or a pipe: wrapped to the window in one, one line a row in the other."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["console", "is_terminal", "plain_table", "progress_console", "say", "terminal_table"]

GAP = "  "


def is_terminal() -> bool:
    """Whether a person reads standard output."""
    return sys.stdout.isatty()


def say(text: str = "") -> None:
    """A line on standard output."""
    sys.stdout.write(f"{text}\n")


def console() -> Console:
    """Standard output as rich writes to it: no markup in data, no highlighting."""
    from rich.console import Console

    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False)


def progress_console() -> Console:
    """Standard error, for progress: silent unless a person watches."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def terminal_table(headings: Sequence[str], *, is_number: Sequence[bool]) -> Table:
    """An empty table whose columns wrap between words, and inside a word rather than cut it."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading, number in zip(headings, is_number, strict=True):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    return table


def plain_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, is_number: Sequence[bool]
) -> str:
    """Rows in aligned columns, never wrapped: for files and other programs."""
    cells = [list(headings), *[[_one_line(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        GAP.join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in cells
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())
