"""Columns as every reader hands them on: one dtype for text, one rule for whole numbers.

Missing is NaN (NaT, <NA>), whatever the format calls it. Whole numbers stay int64; with missing
values among them they become float64, unless a float cannot hold one exactly: then Int64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialkit.errors import DataError

__all__ = [
    "EXACT_INTEGER",
    "finish",
    "fits_int64",
    "integer_column",
    "require_names",
    "require_plain_index",
    "text_column",
]

# Beyond this, neighbouring whole numbers share one float64.
EXACT_INTEGER = 2**53
_INT64 = np.iinfo(np.int64)

# object on pandas 2, str on pandas 3.
_TEXT = pd.Series(["a"]).dtype


def text_column(values: Sequence[str | None]) -> pd.Series[Any]:
    """Text, with empty and None both missing."""
    cleaned = np.empty(len(values), dtype=object)
    cleaned[:] = [value if value else np.nan for value in values]
    return pd.Series(cleaned, dtype=_TEXT)


def integer_column(values: Sequence[int | None]) -> pd.Series[Any]:
    """Whole numbers that fit int64, None where missing."""
    present = [value for value in values if value is not None]
    if len(present) == len(values) and values:
        return pd.Series(np.array(present, dtype=np.int64))
    if any(abs(value) > EXACT_INTEGER for value in present):
        return pd.Series(pd.array(list(values), dtype="Int64"))
    return pd.Series(np.array([np.nan if value is None else value for value in values], float))


def fits_int64(value: int) -> bool:
    """Whether a whole number fits 64 bits."""
    return bool(_INT64.min <= value <= _INT64.max)


def require_names(path: Path, names: Sequence[str], *, ignore_case: bool = False) -> None:
    """Raise DataError for a column without a name, with hidden blanks, or named twice."""
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise DataError(f"{path}: column {position} has no name; every column needs one.")
        if name != name.strip():
            raise DataError(
                f"{path}: the name of column {position}, {name!r}, begins or ends with a blank; "
                "remove it."
            )
    counts = Counter(name.upper() if ignore_case else name for name in names)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        places = [
            str(position)
            for position, name in enumerate(names, start=1)
            if (name.upper() if ignore_case else name) == repeated[0]
        ]
        raise DataError(
            f"{path}: {len(repeated)} column name(s) occur more than once, first {repeated[0]!r} "
            f"(columns {', '.join(places)}); names must be unique."
        )


def require_plain_index(frame: pd.DataFrame) -> None:
    """Raise DataError for an index that carries information, which no file written here keeps."""
    if frame.index.name is not None or not pd.api.types.is_integer_dtype(frame.index.dtype):
        raise DataError(
            f"The frame has the index {list(frame.index.names)!r}, which the file would not keep: "
            "reset_index() makes it a column, reset_index(drop=True) discards it."
        )


def finish(
    columns: Mapping[str, pd.Series[Any]], n_rows: int, labels: Mapping[str, str | None]
) -> pd.DataFrame:
    """The frame, with the labels that are not empty in `attrs["labels"]`."""
    frame = pd.DataFrame(dict(columns), index=pd.RangeIndex(n_rows))
    frame.attrs["labels"] = {name: labels[name] for name in columns if labels.get(name)}
    return frame
