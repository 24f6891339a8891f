"""The values of one Dataset-JSON column, each checked against the column's declared type."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialkit.data.columns import fits_int64, integer_column, text_column
from trialkit.errors import DataError

__all__ = ["DATA_TYPES", "TARGET_TYPES", "Item", "typed_column"]

DATA_TYPES = (
    "string",
    "integer",
    "decimal",
    "float",
    "double",
    "boolean",
    "datetime",
    "date",
    "time",
    "URI",
)
TARGET_TYPES = ("integer", "decimal")

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# Text dates may be partial or intervals (ISO 8601 as SDTM uses it): only their letters are known.
_ISO_TEXT = re.compile(r"(?=.*[0-9])[0-9TZPYMWDHS:.,+/\-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """The description of one column."""

    oid: str
    name: str
    label: str
    kind: str
    target: str | None
    key: int | None


def typed_column(path: Path, item: Item, cells: Sequence[Any]) -> pd.Series[Any]:
    """The column in the dtype of its declared type; null and empty text are missing.

    A date or datetime whose target is a number is what SAS holds as one, and becomes
    datetime64; without a target it stays text. A decimal becomes float64.
    """
    kind = item.kind
    if kind in ("date", "datetime") and item.target is not None:
        return pd.Series(np.array(_convert(path, item, cells, _moment), dtype="datetime64[us]"))
    if kind == "integer":
        return integer_column(_convert(path, item, cells, _whole))
    if kind in ("float", "double", "decimal"):
        numbers = _convert(path, item, cells, _decimal if kind == "decimal" else _number)
        return pd.Series(np.array([np.nan if n is None else n for n in numbers], float))
    if kind == "boolean":
        flags = _convert(path, item, cells, _flag)
        complete = None not in flags and bool(flags)
        return pd.Series(np.array(flags, bool) if complete else pd.array(flags, dtype="boolean"))
    return text_column(_convert(path, item, cells, _iso if kind in _DATES else _string))


_DATES = ("date", "datetime", "time")
_WANTED = {
    "string": "text",
    "URI": "text",
    "integer": "a whole number of 64 bits",
    "decimal": "a decimal number, as text",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
    "date": "an ISO 8601 date",
    "datetime": "an ISO 8601 date and time",
    "time": "an ISO 8601 time",
}


def _convert(
    path: Path, item: Item, cells: Sequence[Any], convert: Callable[[Any], Any]
) -> list[Any]:
    """Every cell converted; DataError for the first that is not of the declared type."""
    converted: list[Any] = []
    for row, cell in enumerate(cells, start=1):
        try:
            converted.append(None if cell is None or cell == "" else convert(cell))
        except (TypeError, ValueError, OverflowError):
            raise DataError(
                f"{path}: column {item.name!r}, row {row}: {cell!r} is not "
                f"{_WANTED[item.kind]}, as its type {item.kind!r} requires."
            ) from None
    return converted


def _string(cell: Any) -> str:
    if not isinstance(cell, str):
        raise TypeError
    cell.encode("utf-8")  # half of a surrogate pair can be escaped in JSON, but is no text
    return cell


def _iso(cell: Any) -> str:
    if not _ISO_TEXT.fullmatch(_string(cell)):
        raise ValueError
    return _string(cell)


def _moment(cell: Any) -> np.datetime64:
    """A complete calendar date, with or without time, in no time zone."""
    moment = datetime.fromisoformat(_string(cell))
    if moment.tzinfo is not None:
        raise ValueError
    return np.datetime64(moment, "us")


def _whole(cell: Any) -> int:
    if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != int(cell):
        raise TypeError
    if not fits_int64(int(cell)):
        raise OverflowError
    return int(cell)


def _number(cell: Any) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise TypeError
    return _finite(float(cell))


def _decimal(cell: Any) -> float:
    if isinstance(cell, str):
        if not _DECIMAL.fullmatch(cell):
            raise ValueError
        return _finite(float(cell))
    return _number(cell)


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise OverflowError
    return value


def _flag(cell: Any) -> bool:
    if not isinstance(cell, bool):
        raise TypeError
    return cell
