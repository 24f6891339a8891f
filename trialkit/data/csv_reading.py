"""Comma-separated text, read without repairing or guessing.

Structure is checked row by row: ragged rows, blank lines between rows, repeated names and open
quotes are refused with their line. Then each column, as a whole, is numbers or text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from trialkit.data.columns import (
    EXACT_INTEGER,
    finish,
    fits_int64,
    integer_column,
    require_names,
)
from trialkit.data.csv_cells import DECIMAL, EXPONENT, INFINITE, INTEGER, NEUTRALISED, restore
from trialkit.data.decoding import decode_text
from trialkit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_csv"]

# Rows held as Python lists at once: large enough to be quick, small enough to stay in cache.
_CHUNK = 50_000
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def read_csv(
    path: Path, data: bytes, *, encoding: str | None, allow_unterminated: bool
) -> pd.DataFrame:
    """Every row and column of a CSV; see `trialkit.read` for the rules."""
    text = decode_text(path, data, encoding)
    if not text.strip():
        raise DataError(f"{path} is empty: it holds white space only.")
    if not (allow_unterminated or text.endswith(("\n", "\r"))):
        raise DataError(
            f"{path}: the last line has no line end, so the file may have been cut off inside it: "
            f"{text.splitlines()[-1][-60:]!r}. Where the file is known to be whole, add a line "
            "end or pass allow_unterminated=True."
        )
    names = [restore(name) for name in _header(path, text)]
    require_names(path, names)
    columns, n_rows = _columns(path, text, len(names))
    typed = {name: _typed(column) for name, column in zip(names, columns, strict=True)}
    return finish(typed, n_rows, {})


def _rows(text: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _header(path: Path, text: str) -> list[str]:
    try:
        names = next(_rows(text))
    except csv.Error as error:
        raise DataError(f"{path}: line 1: {_reason(error)}.") from error
    if not names:
        raise DataError(f"{path}: line 1 is blank; it must hold the column names.")
    if len(names) == 1:
        for delimiter, what in _OTHER_DELIMITERS.items():
            if delimiter in names[0]:
                raise DataError(
                    f"{path}: line 1 has no comma but {what}; save the file comma-separated."
                )
    return names


def _columns(path: Path, text: str, width: int) -> tuple[list[pa.ChunkedArray], int]:
    """Each column's fields as text, and the number of rows."""
    import pyarrow as pa

    chunks: list[list[pa.Array]] = [[] for _ in range(width)]
    n_rows = 0
    rows = _rows(text)
    try:
        next(rows)
        while chunk := list(islice(rows, _CHUNK)):
            if set(map(len, chunk)) != {width}:
                _require_rectangle(path, text, width)
                chunk = [row for row in chunk if row]  # only blank lines at the end are left
            n_rows += len(chunk)
            for position, fields in enumerate(zip(*chunk, strict=True)):
                chunks[position].append(pa.array(fields, pa.string()))
    except csv.Error as error:
        _require_rectangle(path, text, width)
        raise DataError(f"{path}: {_reason(error)}.") from error
    return [pa.chunked_array(parts, pa.string()) for parts in chunks], n_rows


def _require_rectangle(path: Path, text: str, width: int) -> None:
    """Raise DataError for the first line that is not one row of `width` fields."""
    rows = _rows(text)
    line, blank = 1, 0
    try:
        for row in rows:
            if row and blank:
                raise DataError(f"{path}: line {blank} is blank, with rows after it; remove it.")
            if row and len(row) != width:
                raise DataError(
                    f"{path}: line {line} has {len(row)} field(s), the header has {width}: "
                    f"{','.join(row)[:60]!r}. Text that holds a comma needs quotes."
                )
            if not row:
                blank = blank or line
            line = rows.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        raise DataError(f"{path}: in the row that starts on line {line}: {_reason(error)}.") from (
            error
        )


def _reason(error: csv.Error) -> str:
    """The csv module's words, in ours."""
    words = str(error)
    if "unexpected end of data" in words:
        return "a quote is opened and never closed; the file may be cut off"
    if "field larger than field limit" in words:
        return "a field is longer than 131072 characters; is a quote left open?"
    if "expected after" in words:
        return "text follows a closing quote; a quote inside quoted text is written twice"
    return words


def _typed(column: pa.ChunkedArray) -> pd.Series[Any]:
    """Numbers where every non-empty field is one, text otherwise."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    if filled.null_count == len(filled):
        return pd.Series(np.full(len(filled), np.nan))
    if _all_match(filled, INTEGER):
        whole = _whole_numbers(filled)
        return _text(filled) if whole is None else whole
    finite = f"{INTEGER}|{DECIMAL}|{EXPONENT}"
    if _all_match(filled, f"{finite}|{INFINITE}") and _any_match(filled, finite):
        numbers = _floats(filled)
        return _text(filled) if numbers is None else numbers
    return _text(filled)


def _match(filled: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.match_substring_regex(filled, rf"\A(?:{pattern})\z")


def _all_match(filled: pa.ChunkedArray, pattern: str) -> bool:
    """Whether every field that is not missing is the pattern; a first look spares the rest."""
    import pyarrow.compute as pc

    for part in (filled.slice(0, 100), filled):
        if pc.all(_match(part, pattern)).as_py() is False:
            return False
    return True


def _any_match(filled: pa.ChunkedArray, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(_match(filled, pattern)).as_py())


def _whole_numbers(filled: pa.ChunkedArray) -> pd.Series[Any] | None:
    """int64 (see columns.py for missing values); None when one does not fit."""
    import pyarrow as pa

    try:
        numbers = filled.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    if not numbers.null_count:
        return pd.Series(numbers.to_numpy())
    return integer_column(numbers.to_pylist())


def _floats(filled: pa.ChunkedArray) -> pd.Series[Any] | None:
    """float64; None when a whole number or an exponent is beyond what it can hold."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pd.Series(filled.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if bool((numbers.abs() >= EXACT_INTEGER).any()):
        whole = pc.filter(filled, _match(filled, INTEGER)).to_pylist()
        if any(abs(int(text)) > EXACT_INTEGER or not fits_int64(int(text)) for text in whole):
            return None
    declared = pc.sum(pc.cast(_match(filled, INFINITE), pa.int64())).as_py()
    return None if int(np.isinf(numbers).sum()) != declared else numbers


def _text(filled: pa.ChunkedArray) -> pd.Series[Any]:
    """Text as written, an apostrophe that keeps a formula from running taken off."""
    import pyarrow.compute as pc

    restored = pc.replace_substring_regex(filled, NEUTRALISED, r"\1")
    text = pd.Series(restored.to_pandas())
    return text.where(text.notna(), np.nan)
