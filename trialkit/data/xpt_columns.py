"""One column of a frame as SAS holds it: numbers or text, and a format where it is a date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from trialkit.data.columns import EXACT_INTEGER
from trialkit.data.sas_values import DAY, EPOCH
from trialkit.errors import DataError
from trialkit.typing import BoolArray, FloatArray

__all__ = ["SasColumn", "sas_column"]

# IBM floats reach from 2**-260 to just under 2**252; pyreadstat silently turns everything from
# 2**249 on into the largest of them.
_SMALLEST, _LARGEST = 2.0**-260, 2.0**249
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SasColumn:
    """Text as str ("" for missing) or float64 (NaN for missing)."""

    values: np.ndarray[Any, Any]
    is_text: bool
    format: str = ""


def sas_column(name: str, column: pd.Series[Any], *, max_text: int) -> SasColumn:
    """`column` in SAS's terms; DataError for what SAS cannot hold."""
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        column = pd.Series(column.tolist())
        kind = column.dtype
    if pd.api.types.is_bool_dtype(kind):
        raise DataError(f'Column {name!r} is boolean; SAS has none: write "Y"/"N" or 1/0.')
    if pd.api.types.is_datetime64_any_dtype(kind):
        return _moments(name, column)
    if pd.api.types.is_integer_dtype(kind):
        return _whole_numbers(name, column)
    if pd.api.types.is_float_dtype(kind):
        return _numbers(name, column)
    if pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind):
        return _text(name, column, max_text)
    raise DataError(
        f"Column {name!r} has the type {kind}, which SAS cannot hold; turn it into numbers in a "
        "stated unit, or into text."
    )


def _refuse(name: str, column: pd.Series[Any], wrong: BoolArray, reason: str) -> None:
    """Raise DataError with count and first row (counted from 1) where any cell is wrong."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise DataError(
            f"Column {name!r}: {rows.size} value(s) {reason}; first row {rows[0] + 1}: "
            f"{column.iloc[int(rows[0])]!r}."
        )


def _whole_numbers(name: str, column: pd.Series[Any]) -> SasColumn:
    wrong = ((column > EXACT_INTEGER) | (column < -EXACT_INTEGER)).fillna(False)
    _refuse(
        name,
        column,
        wrong.to_numpy(dtype=bool),
        "beyond 2**53, which a SAS number does not hold exactly (write them as text)",
    )
    return SasColumn(values=column.to_numpy(np.float64, na_value=np.nan), is_text=False)


def _numbers(name: str, column: pd.Series[Any]) -> SasColumn:
    values: FloatArray = column.to_numpy(np.float64, na_value=np.nan)
    _refuse(name, column, np.isinf(values), "infinite, which SAS cannot hold")
    size = np.abs(values)
    _refuse(
        name,
        column,
        ((size < _SMALLEST) & (size > 0)) | (size >= _LARGEST),
        "outside the range of a transport file's numbers (5.4e-79 to 9.0e74)",
    )
    return SasColumn(values=values, is_text=False)


def _moments(name: str, column: pd.Series[Any]) -> SasColumn:
    """Days since 1960 where every time is midnight, else seconds."""
    if column.dt.tz is not None:
        raise DataError(
            f"Column {name!r} has a time zone, which SAS does not keep: convert it to the zone "
            "meant and remove it, with tz_localize(None)."
        )
    moments = column.to_numpy(dtype="datetime64[us]")
    missing = np.isnat(moments)
    counted = (moments - EPOCH).astype(np.int64)
    finer = column.notna().to_numpy() & (column.dt.nanosecond.fillna(0).to_numpy() != 0)
    _refuse(name, column, finer, "finer than a microsecond, which SAS does not hold")
    whole_days = bool((counted[~missing] % DAY == 0).all())
    values = counted / (DAY if whole_days else _SECOND)
    values[missing] = np.nan
    return SasColumn(values=values, is_text=False, format="DATE9" if whole_days else "DATETIME26.6")


def _text(name: str, column: pd.Series[Any], max_text: int) -> SasColumn:
    missing = column.isna().to_numpy(dtype=bool)
    cells = ["" if gone else cell for cell, gone in zip(column.tolist(), missing, strict=True)]
    other = np.array([not isinstance(cell, str) for cell in cells], dtype=bool)
    _refuse(name, column, other, "not text, in a column of text; a SAS column is all one or other")
    try:
        lengths = np.array([len(cell.encode()) for cell in cells], dtype=np.int64)
    except UnicodeEncodeError:
        raise DataError(f"Column {name!r} holds text that is not valid Unicode.") from None
    _refuse(name, column, lengths > max_text, f"longer than {max_text} bytes")
    nul = np.array(["\x00" in cell for cell in cells], dtype=bool)
    _refuse(name, column, nul, "with a NUL character")
    padded = np.array([cell.endswith(" ") for cell in cells], dtype=bool)
    _refuse(name, column, padded, "with trailing blanks, which SAS would drop (strip them)")
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return SasColumn(values=values, is_text=True)
