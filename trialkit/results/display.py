"""How a table looks in a terminal and in a notebook: rounded for reading, never for use."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import isfinite, isinf, isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DF_COLUMNS", "as_html", "as_text", "format_column", "format_p", "is_whole"]

SIGNIFICANT_DIGITS = 4
# Said under the table instead of in every row.
HIDDEN_COLUMNS = ("method", "scale", "ci_level")
MAX_TEXT_ROWS = 40
# Degrees of freedom that are computed and come out whole miss it in the last bits, which differ
# between machines; the same table reads the same on all of them.
DF_COLUMNS = ("df", "num_df", "den_df")
DF_NOISE = 1e-8

_STYLE = (
    "border-collapse:collapse;font-variant-numeric:tabular-nums;"
    "border-top:1.5px solid currentColor;border-bottom:1.5px solid currentColor"
)
_CELL = "padding:.25em .55em;text-align:{align};border:none;white-space:{wrap};min-width:{width}"
# A column with a longer text than this wraps, so that it does not push the others off the page.
LONGEST_LINE = 40


def format_p(p_value: float) -> str:
    """A p-value as papers print it: three decimals, `<0.001` below that, `>0.999` above."""
    if isnan(p_value):
        return ""
    if p_value < 0.001:
        return "<0.001"
    return ">0.999" if p_value > 0.999 else f"{p_value:.3f}"


def format_column(name: str, values: Sequence[object]) -> list[str]:
    """One column as text: p-values as papers print them, floats to a common decimal.

    The decimals give the largest number four significant digits. Where that would leave the
    smallest with fewer than two, each number is rounded by itself.
    """
    numbers = [value for value in values if isinstance(value, float) and isfinite(value)]
    sizes = [_exponent(value) for value in numbers if value != 0]
    decimals: int | None = 0
    if not all(is_whole(name, value) for value in numbers):
        decimals = SIGNIFICANT_DIGITS - 1 - max(sizes)
        if min(sizes) + decimals < 1 or decimals < 0:
            decimals = None
    return [_format_cell(name, value, decimals) for value in values]


def is_whole(name: str, value: float) -> bool:
    """Whether a finite number of the column is an integer; degrees of freedom up to rounding."""
    slack = DF_NOISE * abs(value) if name in DF_COLUMNS else 0.0
    return abs(value - round(value)) <= slack


def _format_cell(name: str, value: object, decimals: int | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    if isnan(value):
        return ""
    if name.startswith("p_"):
        return format_p(value)
    if isinf(value):
        return "inf" if value > 0 else "-inf"
    return _format_float(value) if decimals is None else f"{value:.{decimals}f}"


def as_text(frame: pd.DataFrame, *, title: str, notes: Sequence[str]) -> str:
    """The table in fixed-width text, numbers right-aligned, notes below; one screen long."""
    names, rows = _cells(frame)
    is_number = [_is_numeric(frame, name) for name in names]
    hidden = max(0, len(rows) - MAX_TEXT_ROWS)
    shown = rows[:MAX_TEXT_ROWS]
    widths = [
        max(len(names[column]), *(len(row[column]) for row in shown), 0)
        for column in range(len(names))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(cells, widths, is_number, strict=True)
        )
        return "  ".join(padded).rstrip()

    lines = [title] if title else []
    lines += [line(names), *(line(row) for row in shown)]
    if hidden:
        lines.append(f"... {hidden} more rows; .frame() has them all")
    return "\n".join([*lines, *notes])


def as_html(frame: pd.DataFrame, *, title: str, notes: Sequence[str]) -> str:
    """The table as HTML that follows the notebook's own colours; all text is escaped."""
    names, rows = _cells(frame)
    styles = []
    for column, name in enumerate(names):
        is_long = any(len(row[column]) > LONGEST_LINE for row in rows)
        styles.append(
            _CELL.format(
                align="right" if _is_numeric(frame, name) else "left",
                wrap="normal" if is_long else "nowrap",
                width="20em" if is_long else "auto",
            )
        )

    def cells(values: Sequence[str], tag: str, extra: str = "") -> str:
        return "".join(
            f'<{tag} style="{style}{extra}">{escape(value)}</{tag}>'
            for value, style in zip(values, styles, strict=True)
        )

    head = cells(names, "th", ";border-bottom:1px solid currentColor")
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    caption = (
        f'<caption style="text-align:left;font-weight:bold">{escape(title)}</caption>'
        if title
        else ""
    )
    foot = "".join(f'<div style="font-size:smaller">{escape(note)}</div>' for note in notes)
    return (
        f'<div style="overflow-x:auto"><table style="{_STYLE}">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}</div>"
    )


def _cells(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    hidden = set(HIDDEN_COLUMNS)
    if "status" in frame and (frame["status"] == "ok").all():
        hidden.add("status")
    names = [str(name) for name in frame.columns if name not in hidden]
    columns = [format_column(name, frame[name].tolist()) for name in names]
    return names, [list(row) for row in zip(*columns, strict=True)]


def _is_numeric(frame: pd.DataFrame, name: str) -> bool:
    return frame[name].dtype.kind in "fiu"


def _format_float(value: float) -> str:
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        return f"{value:.{max(0, SIGNIFICANT_DIGITS - 1 - _exponent(value))}f}"
    return f"{value:.{SIGNIFICANT_DIGITS - 1}e}"


def _exponent(value: float) -> int:
    return int(f"{abs(value):e}".split("e")[1])
