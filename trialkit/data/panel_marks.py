"""The marks that assay software writes in place of numbers, one measurement at a time.

| text | meaning here |
|---|---|
| 12.3 | measured |
| *1.23 | measured, extrapolated beyond the standard curve (flag "extrapolated") |
| <0.51, >2000 | below, above that bound |
| OOR <, OOR > | below, above the range; the bound must come from elsewhere |
| ***, ---, NaN, N/A, blank | no measurement |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, isnan, nan

import numpy as np
import pandas as pd

from trialkit.data.names import require_columns
from trialkit.data.vectors import number_vector, require_frame
from trialkit.errors import DataError

__all__ = ["Mark", "limits_by_analyte", "measurement_columns", "read_mark"]

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_MEASURED = re.compile(rf"(\*?)\s*({_NUMBER})")
_BEYOND = re.compile(rf"([<>])\s*=?\s*({_NUMBER})")
_OUT_OF_RANGE = re.compile(r"OOR\s*([<>])", re.IGNORECASE)
_NOTHING = {"", "***", "---", "-", "nan", "na", "n/a", "no data", "."}


@dataclass(frozen=True, slots=True)
class Mark:
    """A measurement as written: `value` (NaN without one), `side` of it, `flag`."""

    value: float
    side: int = 0
    flag: str = ""


def read_mark(text: object) -> Mark | None:
    """What one cell says; None where it is no mark that is known.

    Example
    -------
    >>> read_mark("*1.23"), read_mark("< 0.51")
    (Mark(value=1.23, side=0, flag='extrapolated'), Mark(value=0.51, side=-1, flag='below'))
    """
    if isinstance(text, int | float | np.integer | np.floating) and not isinstance(text, bool):
        number = float(text)
        if isnan(number):
            return Mark(nan, flag="missing")
        return Mark(number) if isfinite(number) else None
    cell = "" if text is None or text is pd.NA else str(text).strip()
    if cell.lower() in _NOTHING:
        return Mark(nan, flag="missing")
    if found := _MEASURED.fullmatch(cell):
        return Mark(float(found[2]), flag="extrapolated" if found[1] else "")
    if found := _BEYOND.fullmatch(cell):
        side = -1 if found[1] == "<" else 1
        return Mark(float(found[2]), side, "below" if side < 0 else "above")
    if found := _OUT_OF_RANGE.fullmatch(cell):
        side = -1 if found[1] == "<" else 1
        return Mark(nan, side, "below" if side < 0 else "above")
    return None


def limits_by_analyte(
    limits: pd.DataFrame | None, frame: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """LLOQ and ULOQ of each row of `frame` (n,), NaN where `limits` gives none.

    `limits` has columns PARAMCD, LLOQ, ULOQ and perhaps PLATE; one row each.
    """
    nothing = np.full(len(frame), np.nan)
    if limits is None:
        return nothing, nothing.copy()
    table = require_frame(limits)
    require_columns(table, ["PARAMCD"])
    keys = ["PARAMCD", "PLATE"] if "PLATE" in table else ["PARAMCD"]
    if table.duplicated(keys).any():
        raise DataError(f"limits has more than one row for some {' and '.join(keys)}.")
    index = pd.MultiIndex.from_frame(table[keys].astype(str))
    wanted = pd.MultiIndex.from_frame(frame[keys].astype(str))
    place = index.get_indexer(wanted)
    found = []
    for name in ("LLOQ", "ULOQ"):
        values = number_vector(table, name) if name in table else np.full(len(table), np.nan)
        found.append(np.where(place >= 0, values[place], np.nan))
        if name == "ULOQ" and (found[0] >= found[1]).any():
            row = frame[found[0] >= found[1]].iloc[0]
            raise DataError(f"limits: LLOQ is not below ULOQ for {row['PARAMCD']!r}.")
    return found[0], found[1]


def measurement_columns(
    frame: pd.DataFrame, text: pd.Series, limits: pd.DataFrame | None, *, source: str
) -> pd.DataFrame:
    """`frame` (with PARAMCD) and columns AVAL, LLOQ, ULOQ, FLAG made from the cells `text`.

    AVAL holds the bound where a mark says that the value lies beyond it, and LLOQ or ULOQ then
    equals AVAL; a number at or beyond its limit stands as written and has the same flag.
    Raises DataError for text that is no known mark, and for "OOR" without a limit.
    """
    marks: Mapping[object, Mark | None] = {cell: read_mark(cell) for cell in pd.unique(text)}
    strange = [cell for cell, mark in marks.items() if mark is None]
    if strange:
        raise DataError(
            f"{source}: {len(strange)} cell text(s) are neither a number nor a known mark, first "
            f"{strange[0]!r}; known: numbers, *1.2, <0.5, >2000, 'OOR <', 'OOR >', ***, ---, blank."
        )
    found = [marks.get(cell) or Mark(nan, flag="missing") for cell in text.tolist()]
    value = np.array([mark.value for mark in found])
    side = np.array([mark.side for mark in found])
    low, high = limits_by_analyte(limits, frame)
    for way, bound, mark in ((-1, low, "OOR <"), (1, high, "OOR >")):
        open_ended = (side == way) & np.isnan(value)
        unknown = open_ended & np.isnan(bound)
        if unknown.any():
            names = sorted(set(frame.loc[unknown, "PARAMCD"].astype(str)))
            raise DataError(
                f"{source}: {int(unknown.sum())} measurement(s) are marked {mark!r}, and no limit "
                f"is given for {', '.join(names[:8])}; give limits= with columns PARAMCD, LLOQ, "
                "ULOQ (and PLATE where they differ by plate)."
            )
        value = np.where(open_ended, bound, value)
        bound[side == way] = value[side == way]
    flags = np.array([mark.flag for mark in found], dtype=object)
    flags = np.where((side == 0) & (value <= low), "below", flags)
    flags = np.where((side == 0) & (value >= high), "above", flags)
    return frame.assign(AVAL=value, LLOQ=low, ULOQ=high, FLAG=flags.tolist())
