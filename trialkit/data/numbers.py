"""A column as numbers, with what in it is not one."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from trialkit.typing import BoolArray, FloatArray

__all__ = ["Numbers", "numbers_of"]

_NUMERIC_CONTENT = ("integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty")


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """`values` (n,), NaN where missing or not a number; `is_bad` (n,) the latter.

    `is_text` says that the column holds numbers as text, which a model would take for a
    factor with one level a value.
    """

    values: FloatArray
    is_bad: BoolArray
    is_text: bool


def numbers_of(series: pd.Series) -> Numbers:
    """The numbers in a column of any dtype; blank text is missing, dates are no numbers."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return _of_categories(series)
    if pd.api.types.is_numeric_dtype(series.dtype) and series.dtype.kind != "c":
        values = series.to_numpy(dtype=np.float64, na_value=nan)
        return Numbers(values, np.zeros(values.size, dtype=np.bool_), False)
    present = series.notna().to_numpy()
    if series.dtype.kind in "mMc":
        return Numbers(np.full(len(series), nan), present, False)
    parsed = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=nan)
    content = pd.api.types.infer_dtype(series, skipna=True)
    if content in _NUMERIC_CONTENT:
        return Numbers(parsed, present & np.isnan(parsed), False)
    suspects = np.flatnonzero(present & np.isnan(parsed))
    is_bad = np.zeros(len(series), dtype=np.bool_)
    is_bad[suspects] = [bool(str(value).strip()) for value in series.iloc[suspects].tolist()]
    return Numbers(parsed, is_bad, not np.isnan(parsed).all())


def _of_categories(series: pd.Series) -> Numbers:
    """Each row has what its category has; code -1, a missing one, reads the entry put last."""
    categories = numbers_of(pd.Series(series.cat.categories))
    codes = series.cat.codes.to_numpy()
    return Numbers(
        np.append(categories.values, nan)[codes],
        np.append(categories.is_bad, False)[codes],
        categories.is_text,
    )
