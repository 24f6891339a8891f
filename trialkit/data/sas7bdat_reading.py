"""SAS7BDAT files through pyreadstat, after the checks that it leaves out.

The header says how long the file is and the pages how many rows they hold; both are compared.
Rows that SAS marked deleted are still in the file, and pyreadstat returns them as data, so such
a file is refused.
"""

from __future__ import annotations

import string
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialkit.data.columns import finish, require_names, text_column
from trialkit.data.decoding import known_encoding
from trialkit.data.sas_values import sas_dates
from trialkit.errors import DataError
from trialkit.typing import FloatArray

__all__ = ["read_sas7bdat"]

_HEADER_MINIMUM = 288
_WIDE = 0x33  # the byte that marks 64-bit fields, and 4 bytes of alignment
_DATA, _DELETED = 0x0100, 0x0080
_KIND_MASK = 0x0F00
_COMPRESSED_INDEX = 0x9000
_LETTERS = frozenset(string.ascii_uppercase + "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pages:
    """Sizes that the file's first bytes declare."""

    header: int
    size: int
    count: int
    order: str
    page_header: int  # bytes before a page's own type


def read_sas7bdat(path: Path, data: bytes, *, encoding: str | None) -> pd.DataFrame:
    """Every row and column of a SAS data set; see `trialkit.read` for the rules."""
    codec = known_encoding(encoding) if encoding else None
    on_data_pages = _check_pages(path, data)
    declared = int(_parse(path, codec, metadata_only=True)[1].number_rows)
    # Every row takes a byte at least; memory is set aside by this number, so it comes first.
    if declared > len(data):
        raise DataError(
            f"{path}: the header declares {declared} rows, more than the file has bytes; it is "
            "damaged."
        )
    frame, meta = _parse(path, codec, metadata_only=False)
    if len(frame) != declared or on_data_pages > declared:
        raise DataError(
            f"{path}: the header declares {declared} rows, the pages hold "
            f"{max(len(frame), on_data_pages)}; the file is damaged."
        )
    names = list(meta.column_names)
    require_names(path, names, ignore_case=True)
    columns: dict[str, pd.Series[Any]] = {}
    special: dict[str, dict[str, int]] = {}
    for name in names:
        if meta.readstat_variable_types[name] == "string":
            columns[name] = text_column(frame[name].tolist())
            continue
        numbers, counts = _numbers(frame[name])
        sas_format = meta.original_variable_types[name] or ""
        columns[name] = sas_dates(path, name, numbers, sas_format)
        if counts:
            special[name] = counts
    result = finish(columns, declared, meta.column_names_to_labels)
    result.attrs["special_missing"] = special
    return result


def _check_pages(path: Path, data: bytes) -> int:
    """Raise DataError unless all declared pages are there; the rows on pages of data alone."""
    pages = _declared(path, data)
    needed = pages.header + pages.size * pages.count
    if len(data) < needed:
        raise DataError(
            f"{path}: the header declares {pages.count} page(s), {needed} bytes in all; the file "
            f"has {len(data)}: it is cut off."
        )
    rows = 0
    for start in range(pages.header, needed, pages.size):
        kind, blocks, _ = struct.unpack_from(f"{pages.order}HHH", data, start + pages.page_header)
        if kind & _COMPRESSED_INDEX == _COMPRESSED_INDEX:
            continue
        if kind & _DELETED:
            raise DataError(
                f"{path} holds rows that SAS marked as deleted, which would be read as data; "
                "save a clean copy in SAS first (data new; set old; run;)."
            )
        if kind & _KIND_MASK == _DATA:
            rows += blocks
    return rows


def _declared(path: Path, data: bytes) -> _Pages:
    if len(data) < _HEADER_MINIMUM:
        raise DataError(f"{path} is cut off within its header: {len(data)} bytes.")
    wide = data[32] == _WIDE
    shift = 4 if data[35] == _WIDE else 0
    order = "<" if data[37] == 1 else ">"
    header, size = struct.unpack_from(f"{order}II", data, 196 + shift)
    (count,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", data, 204 + shift)
    if not (header >= _HEADER_MINIMUM and size >= 512 and count >= 1):
        raise DataError(
            f"{path}: the header declares {count} page(s) of {size} bytes; it is damaged."
        )
    return _Pages(
        header=header, size=size, count=count, order=order, page_header=32 if wide else 16
    )


def _parse(path: Path, codec: str | None, *, metadata_only: bool) -> tuple[pd.DataFrame, Any]:
    import pyreadstat

    try:
        frame, meta = pyreadstat.read_sas7bdat(
            path,
            metadataonly=metadata_only,
            encoding=codec,
            user_missing=True,
            disable_datetime_conversion=True,
        )
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte 0x{error.object[error.start]:02x} in {error.object[:40]!r} is not the "
            "encoding that the header declares; pass the true one, for example encoding='cp1252'."
        ) from None
    # A damaged description of columns surfaces inside pyreadstat as a TypeError.
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, TypeError) as error:
        raise DataError(f"{path} cannot be read as a SAS data set: {error}.") from error
    if meta.number_rows is None or None in meta.column_names:
        raise DataError(f"{path}: the description of its rows and columns is damaged.")
    return frame, meta


def _numbers(column: pd.Series[Any]) -> tuple[FloatArray, dict[str, int]]:
    """float64 with NaN where missing, and SAS's lettered missing values counted."""
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64), {}
    values = column.tolist()
    letters = Counter(value for value in values if isinstance(value, str) and value in _LETTERS)
    numbers = np.array([np.nan if isinstance(value, str) else value for value in values], float)
    return numbers, {f".{letter}": letters[letter] for letter in sorted(letters)}
