"""Columns as plain vectors for closed-form methods: numbers with NaN, labels as codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api import types

from trialkit.data.levels import arm_levels, coded_labels, factor_levels, level_codes
from trialkit.data.model_columns import numeric_column, refuse_extremes, require_labels
from trialkit.data.names import require_columns, require_frame
from trialkit.errors import DataError
from trialkit.typing import FloatArray, IntArray

__all__ = [
    "arm_codes",
    "complete_labels",
    "label_codes",
    "number_vector",
    "on_scale",
    "require_frame",
    "require_one_row_each",
    "stratum_codes",
]


def number_vector(frame: pd.DataFrame, column: str) -> FloatArray:
    """Column `column` as floats (n_rows,), NaN where missing.

    Raises DataError for a missing column, for anything but numbers (text, booleans, dates,
    Categoricals) and for infinite values, which are counted.
    """
    require_columns(frame, [column])
    values = frame[column]
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        raise DataError(f"Column {column!r} is a Categorical; numbers are needed.")
    if types.is_bool_dtype(kind) or not (
        types.is_numeric_dtype(kind) or types.is_object_dtype(kind) or types.is_string_dtype(kind)
    ):
        raise DataError(f"Column {column!r} is not numeric: its type is {kind}.")
    if types.is_numeric_dtype(kind) and not types.is_complex_dtype(kind):
        plain: FloatArray = values.to_numpy(dtype=np.float64, na_value=np.nan)
        refuse_extremes(plain, values, column)
        return plain.copy()
    present = values.notna().to_numpy()
    found = values[present]
    if any(isinstance(value, bool | complex) for value in found.tolist()):
        raise DataError(f"Column {column!r} is not numeric: it holds {found.iloc[0]!r}.")
    numbers = np.full(len(values), np.nan)
    numbers[present] = numeric_column(found, column).to_numpy(dtype=np.float64)
    return numbers


def on_scale(values: FloatArray, column: str, log: bool) -> FloatArray:
    """The values (n,), or their logarithms; DataError, with the count, for what has none."""
    if not log:
        return values
    bad = values <= 0
    if bad.any():
        raise DataError(
            f"log=True needs values above zero; {column!r} has {int(bad.sum())} at or below, the "
            f"first {values[bad][0]:g}. Analyse the value itself, or decide what these become."
        )
    return np.log(values)


def arm_codes(
    frame: pd.DataFrame, arm: str, reference: object = None
) -> tuple[list[object], IntArray]:
    """Arms in order (reference first) and the arm of each row as a position in that list.

    Raises DataError for an unknown reference, for rows without an arm (counted) and where
    there is only one arm.
    """
    levels = arm_levels(frame, arm, reference)
    codes = label_codes(frame, arm, levels)
    if len(levels) < 2:
        raise DataError(
            f"Column {arm!r} has only one arm, {levels[0]!r}: there is nothing to compare."
        )
    return levels, codes


def label_codes(frame: pd.DataFrame, column: str, levels: Sequence[object]) -> IntArray:
    """Position in `levels` of each row's label; DataError, with the count, where it is missing."""
    codes, labels = complete_labels(frame, column)
    return level_codes(codes, labels, levels)


def complete_labels(frame: pd.DataFrame, column: str) -> tuple[IntArray, list[object]]:
    """Each row's label as a code, and the labels as they turn up; DataError where one is missing.

    A blank label is a missing one.
    """
    codes, labels = coded_labels(frame[column], column)
    missing = codes < 0
    if missing.any():
        raise DataError(
            f"Column {column!r} is missing in {int(missing.sum())} of {len(frame)} rows, the "
            f"first in row {frame.index[missing].tolist()[0]!r}; give these rows a value or leave "
            "them out."
        )
    if any(isinstance(label, str) and not label.strip() for label in labels):
        require_labels(frame[column], column)
    return codes, labels


def stratum_codes(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[IntArray, int]:
    """The stratum of each row (n_rows,), from the combinations that occur; and their number."""
    combined = np.zeros(len(frame), dtype=np.int64)
    for column in columns:
        levels = factor_levels(frame, column)
        combined = combined * len(levels) + label_codes(frame, column, levels)
    present, codes = np.unique(combined, return_inverse=True)
    return codes.astype(np.int64), present.size


def require_one_row_each(frame: pd.DataFrame, subject: str) -> None:
    """Raise DataError where a subject has several rows, or a row has no subject."""
    require_columns(frame, [subject])
    subjects = frame[subject]
    missing = int(subjects.isna().sum())
    if missing:
        raise DataError(f"Column {subject!r} is missing in {missing} of {len(frame)} rows.")
    repeated = subjects[subjects.duplicated()]
    if len(repeated):
        raise DataError(
            f"{repeated.nunique()} subject(s) in {subject!r} have more than one row, first "
            f"{repeated.tolist()[0]!r}; the rows are analysed as independent: choose one visit and "
            "parameter first."
        )
