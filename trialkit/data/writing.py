"""CSV, the one way out: the same frame gives the same bytes, and no cell runs in a spreadsheet."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialkit.data.atomic import write_bytes
from trialkit.data.columns import require_plain_index
from trialkit.data.csv_cells import neutralise
from trialkit.errors import DataError, SpecError

__all__ = ["to_csv_text", "write_csv"]


def write_csv(frame: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    r"""Write a frame as CSV: UTF-8, line feeds, a header, no index; whole or not at all.

    The content is that of `to_csv_text`. `path` must end in .csv, so that `trialkit.read` reads
    it back. Raises DataError where the frame holds what a CSV cannot (see there) or the file
    cannot be written, SpecError for another suffix.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import pandas as pd
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "ae.csv"
    >>> write_csv(pd.DataFrame({"AETERM": ["=1+1", "rash"], "CHG": [-1.5, 2.0]}), path)
    >>> path.read_text()
    "AETERM,CHG\n'=1+1,-1.5\nrash,2.0\n"
    """
    file = Path(path)
    if file.suffix.lower() != ".csv":
        raise SpecError(f"{file}: a CSV file is written under a name that ends in .csv.")
    write_bytes(file, to_csv_text(frame).encode("utf-8"))


def to_csv_text(frame: pd.DataFrame) -> str:
    """A frame as the text of a CSV, from which `trialkit.read` gives the same values back.

    *Text* that a spreadsheet would run (`=`, `+`, `-`, `@` at its start, also behind blanks, a
    tab or a line break; column names alike) gets an apostrophe before it, which `trialkit.read`
    takes off. Text that is a plain number ("-0.34") is no formula and stays. *Numbers* are
    written with the digits that give back the same float64, missing as the empty field, infinite
    as `inf`; booleans as True and False; dates as ISO 8601, without the time where every time of
    the column is midnight; categories by their labels.

    What a CSV cannot carry: text that is empty comes back as missing, booleans and dates as
    text, a text column of plain numbers as numbers, whole numbers with missing values as floats,
    and labels not at all.

    Raises DataError for a column name that is not text, empty, padded or repeated, for a named
    index or one of labels, for durations and for any other object; with column, row and count.
    """
    names = _names(frame)
    columns = [_cells(name, frame.iloc[:, place]) for place, name in enumerate(names)]
    # A lone empty field would be a blank line.
    empty = '""' if len(names) == 1 else ""
    header = ",".join(_quoted(neutralise(name)) for name in names)
    rows = [",".join(row) or empty for row in zip(*columns, strict=True)]
    return "\n".join([header, *rows, ""])


def _names(frame: pd.DataFrame) -> list[str]:
    if frame.shape[1] == 0:
        raise DataError("The frame has no columns; there is nothing to write.")
    require_plain_index(frame)
    names: list[str] = []
    for place, name in enumerate(frame.columns, start=1):
        if not isinstance(name, str) or not name or name != name.strip() or name in names:
            raise DataError(
                f"Column {place} is named {name!r}; a name is text, not empty, without blanks "
                "around it, and unique."
            )
        names.append(_encodable(name, f"The name of column {place}"))
    return names


def _cells(name: str, column: pd.Series[Any]) -> list[str]:
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        column = pd.Series(column.to_numpy(dtype=object), dtype=object)
        kind = column.dtype
    if pd.api.types.is_bool_dtype(kind):
        return _mapped(column, str)
    if pd.api.types.is_integer_dtype(kind):
        return _mapped(column, str)
    if pd.api.types.is_float_dtype(kind):
        return _mapped(column, _float)
    if pd.api.types.is_datetime64_any_dtype(kind):
        return _moments(column)
    if pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
        return [_object(name, row, cell) for row, cell in enumerate(column.tolist(), start=1)]
    raise DataError(
        f"Column {name!r} has the type {kind}, which a CSV cannot hold; turn it into numbers in a "
        "stated unit, or into text."
    )


def _mapped(column: pd.Series[Any], convert: Callable[[Any], str]) -> list[str]:
    missing = column.isna().tolist()
    return [
        "" if gone else convert(cell) for cell, gone in zip(column.tolist(), missing, strict=True)
    ]


def _float(value: float) -> str:
    """The shortest digits that give the same float64 back; NaN the empty field."""
    return "" if math.isnan(value) else repr(float(value))


def _moments(column: pd.Series[Any]) -> list[str]:
    present = column.dropna()
    midnight = bool((present == present.dt.normalize()).all()) and present.dt.tz is None
    return _mapped(column, lambda moment: _iso(moment, date_only=midnight))


def _iso(moment: Any, *, date_only: bool) -> str:
    return str(moment.date().isoformat() if date_only else moment.isoformat())


def _object(name: str, row: int, cell: Any) -> str:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return ""
    if isinstance(cell, str):
        return _quoted(neutralise(_encodable(cell, f"Column {name!r}, row {row}")))
    if isinstance(cell, bool | np.bool_ | int | np.integer):
        return str(cell)
    if isinstance(cell, float | np.floating):
        return _float(float(cell))
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    raise DataError(
        f"Column {name!r}, row {row} holds a {type(cell).__name__}; "
        "a CSV holds text, numbers, booleans and dates."
    )


def _encodable(text: str, place: str) -> str:
    if "\x00" in text:
        raise DataError(f"{place} holds a NUL character, which a CSV cannot carry.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise DataError(f"{place} is {text!r}, which is not valid Unicode text.") from None
    return text


def _quoted(text: str) -> str:
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
