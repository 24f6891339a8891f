"""The rows of a SAS transport file.

Read here and not through pyreadstat, which does not tell SAS's lettered missing values apart in
this format, reads the second data set of a file as rows of the first, and stops quietly at a
cut. The tests hold both readers against each other.
"""

from __future__ import annotations

import string
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialkit.data.columns import finish, text_column
from trialkit.data.decoding import known_encoding
from trialkit.data.sas_values import sas_dates
from trialkit.data.xpt_layout import RECORD, Variable, XptLayout, read_layout
from trialkit.errors import DataError
from trialkit.typing import FloatArray

__all__ = ["read_xpt"]

_BLANK = 0x20
_MISSING = np.frombuffer(f"._{string.ascii_uppercase}".encode(), np.uint8)


def read_xpt(path: Path, data: bytes, *, encoding: str | None) -> pd.DataFrame:
    """Every row and column of a transport file; see `trialkit.read` for the rules."""
    codec = known_encoding(encoding)
    layout = read_layout(path, data, codec)
    body = data[layout.data_start :]
    if not layout.variables:
        raise DataError(f"{path} describes no columns.")
    _require_one_dataset(path, body)
    n_rows = _row_count(path, body, layout)
    rows = np.frombuffer(body[: n_rows * layout.row_length], np.uint8)
    rows = rows.reshape(n_rows, layout.row_length)
    columns: dict[str, pd.Series[Any]] = {}
    special: dict[str, dict[str, int]] = {}
    for variable in layout.variables:
        cells = rows[:, variable.position : variable.position + variable.width]
        if variable.is_text:
            columns[variable.name] = _text(path, variable, cells, codec)
            continue
        numbers, counts = _numbers(path, variable, cells)
        columns[variable.name] = sas_dates(path, variable.name, numbers, variable.format)
        if counts:
            special[variable.name] = counts
    labels = {variable.name: variable.label for variable in layout.variables}
    frame = finish(columns, n_rows, labels)
    frame.attrs["special_missing"] = special
    return frame


def _require_one_dataset(path: Path, body: bytes) -> None:
    place = body.find(b"HEADER RECORD*******MEMB")
    while place >= 0:
        if place % RECORD == 0:
            raise DataError(
                f"{path} holds more than one data set; write each to a file of its own."
            )
        place = body.find(b"HEADER RECORD*******MEMB", place + 1)


def _row_count(path: Path, body: bytes, layout: XptLayout) -> int:
    """How many rows there are, with everything after them blank padding."""
    length = layout.row_length
    if layout.n_rows is not None:
        needed = -(-layout.n_rows * length // RECORD) * RECORD
        if len(body) != needed:
            raise DataError(
                f"{path}: the header declares {layout.n_rows} rows ({needed} bytes), the file has "
                f"{len(body)} bytes of rows: it is cut off or damaged."
            )
        if body[layout.n_rows * length :].strip(b" "):
            raise DataError(f"{path}: the padding after the {layout.n_rows} rows is not blank.")
        return layout.n_rows
    used = len(body.rstrip(b" "))
    n_rows = -(-used // length)
    if n_rows * length > len(body):
        raise DataError(
            f"{path} is cut off inside row {n_rows}: {len(body) - (n_rows - 1) * length} of its "
            f"{length} bytes are there."
        )
    padding = len(body) - n_rows * length
    if padding >= RECORD:
        raise DataError(
            f"{path}: {padding} blank bytes follow row {n_rows}, more than the padding of one "
            "record. Version 5 cannot tell blank rows from padding: remove them or write version 8."
        )
    return n_rows


def _text(
    path: Path, variable: Variable, cells: np.ndarray[Any, np.dtype[np.uint8]], codec: str
) -> pd.Series[Any]:
    raw = np.ascontiguousarray(cells).view(f"S{variable.width}").ravel().tolist()
    try:
        return text_column([cell.rstrip(b" ").decode(codec) for cell in raw])
    except UnicodeDecodeError:
        pass
    for row, cell in enumerate(raw, start=1):
        try:
            cell.decode(codec)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path}: column {variable.name!r}, row {row}: byte 0x{cell[error.start]:02x} is "
                f"not {codec}; pass the file's encoding, for example encoding='cp1252'."
            ) from None
    raise DataError(f"{path}: column {variable.name!r} is not {codec}.")


def _numbers(
    path: Path, variable: Variable, cells: np.ndarray[Any, np.dtype[np.uint8]]
) -> tuple[FloatArray, dict[str, int]]:
    """IBM hexadecimal floats as float64, NaN where missing, and the lettered missing counted.

    value = fraction * 16**(exponent - 64), the fraction 56 bits; SAS keeps the first bytes.
    """
    blank = np.flatnonzero((cells == _BLANK).all(axis=1))
    if blank.size:
        raise DataError(
            f"{path}: column {variable.name!r}, row {blank[0] + 1}: blanks where a number should "
            f"be ({blank.size} row(s)); the file is damaged."
        )
    wide = np.zeros((len(cells), 8), np.uint8)
    wide[:, : variable.width] = cells
    first = wide[:, 0]
    bits = wide.view(">u8").ravel().astype(np.uint64)
    fraction = bits & np.uint64((1 << 56) - 1)
    missing = (fraction == 0) & np.isin(first, _MISSING)
    power = 4 * ((first & 0x7F).astype(np.int64) - 64) - 56
    values = np.ldexp(fraction.astype(np.float64), power)
    values[first >= 0x80] *= -1.0
    values[missing] = np.nan
    letters = Counter(first[missing & (first != ord("."))].tolist())
    return values, {f".{chr(code)}": letters[code] for code in sorted(letters)}
