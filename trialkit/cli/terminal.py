"""Tables for a terminal or a pipe: wrapped to the window in one, one line a row in the other."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "column_widths",
    "console",
    "is_terminal",
    "line",
    "plain_table",
    "progress_console",
    "say",
]

GAP = "  "
# Rows stand under the line that says what they are about.
INDENT = len(GAP)
# The first column is never narrower: longer names wrap inside it.
NARROWEST = 14


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


def column_widths(rows: Iterable[Sequence[str]], *, total: int) -> list[int]:
    """Widths that hold every cell where a line of `total` has room for them.

    Where it has not, the last column gives way first, down to its longest word, and then the
    first, down to `NARROWEST`.
    """
    columns = list(zip(*rows, strict=True))
    widths = [_longest(column, "\n") for column in columns]
    lacking = INDENT + len(GAP) * (len(widths) - 1) + sum(widths) - total
    if lacking > 0 and len(widths) > 1:
        given = min(lacking, widths[-1] - _longest(columns[-1], None))
        widths[-1] -= given
        lacking -= given
    widths[0] = min(widths[0], max(widths[0] - lacking, NARROWEST))
    return widths


def _longest(cells: Iterable[str], separator: str | None) -> int:
    """The longest part of any cell, between separators (None: between words)."""
    return max((len(part) for cell in cells for part in cell.split(separator)), default=0)


def line(
    cells: Sequence[str], widths: Sequence[int], *, is_number: Sequence[bool], style: str
) -> Table:
    """One row in columns of these widths; what is longer goes on below."""
    from rich.table import Table

    row = Table.grid(padding=(0, len(GAP), 0, 0))
    row.add_column(width=0)  # its padding is the indent
    for width, number in zip(widths, is_number, strict=True):
        row.add_column(width=width, justify="right" if number else "left", overflow="fold")
    row.add_row("", *cells, style=style)
    return row


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
