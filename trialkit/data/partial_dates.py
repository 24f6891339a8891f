"""Dates as CDISC writes them, complete or partial, as the days they may stand for.

"2024-02" is legal and means some day of February 2024; "2023-02-30" is a day that never was.
A date is held as its first and last possible day, counted from 1970-01-01, so that two dates
are compared only as far as both are known.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from math import nan
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.data.coding import Coded
from trialkit.typing import FloatArray

__all__ = ["DayRange", "day_range", "parse_date"]

# YYYY[-MM[-DD]], a hyphen standing for a component that is not known (CDISC SDTM 4.4.2).
_DATE = r"(?P<year>\d{4}|-)(?:-(?P<month>\d{2}|-)(?:-(?P<day>\d{2}|-))?)?"
_TIME = (
    r"(?:[T ](?P<hour>\d{2}|-)(?::(?P<minute>\d{2}|-)(?::(?P<second>\d{2}|-)(?:[.,]\d+)?)?)?"
    r"(?:Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
_ISO = re.compile(_DATE + _TIME)
_BASIC = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})")
# SAS DATE9. and DATETIME., as printed: 05JAN2024, 05JAN2024:10:00:00.
_SAS = re.compile(r"(?P<day>\d{1,2})(?P<month>[A-Z]{3})(?P<year>\d{4})(?::\d{2}:\d{2}(?::\d{2})?)?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# What is allowed at most; 24:00 ends a day and 60 is a leap second.
_CLOCK = (("hour", 24), ("minute", 59), ("second", 60))
_EPOCH = date(1970, 1, 1).toordinal()
# The longest month of an unknown year, February's 29th included.
_LEAP_YEAR = 2000


@dataclass(frozen=True, slots=True, eq=False)
class DayRange:
    """First and last possible day (n,) of each row; NaN where nothing is known.

    `unit` is "day" for calendar dates, "number" for a numeric column, whose unit is not known
    and which compares only with another one. `problems` maps each text that is no date to
    the reason.
    """

    low: FloatArray
    high: FloatArray
    unit: Literal["day", "number"]
    coded: Coded | None
    problems: dict[object, str]


def day_range(frame: pd.DataFrame, column: str) -> DayRange:
    """The days of a column of datetimes, of text, or of numbers (taken as they are)."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=nan)
        return DayRange(numbers, numbers, "number", None, {})
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_localize(None)
    if values.dtype.kind == "M":
        stamps = values.to_numpy(dtype="datetime64[D]")
        since = (stamps - np.datetime64("1970-01-01", "D")) / np.timedelta64(1, "D")
        days = np.where(np.isnat(stamps), nan, since)
        return DayRange(days, days, "day", None, {})
    coded = Coded.of(frame, column)
    low, high, problems = {}, {}, {}
    for label in coded.labels:
        try:
            low[label], high[label] = parse_date(str(label))
        except ValueError as problem:
            problems[label] = str(problem)
    return DayRange(coded.numbers(low), coded.numbers(high), "day", coded, problems)


def parse_date(text: str) -> tuple[float, float]:
    """First and last day that a date may stand for; ValueError says why it is none.

    Both are NaN for a legal date without a year.
    """
    stripped = text.strip()
    # An interval of two dates is legal: it begins with the first and ends with the last.
    begin, _, end = stripped.partition("/")
    if _ISO.fullmatch(begin) and _ISO.fullmatch(end):
        return _days(begin)[0], _days(end)[1]
    return _days(stripped)


def _days(text: str) -> tuple[float, float]:
    match = _ISO.fullmatch(text) or _BASIC.fullmatch(text) or _SAS.fullmatch(text.upper())
    if match is None:
        raise ValueError("it is not an ISO 8601 date (YYYY-MM-DD, YYYY-MM or YYYY)")
    parts = match.groupdict()
    for name, largest in _CLOCK:
        value = parts.get(name)
        if value not in (None, "-") and int(str(value)) > largest:
            raise ValueError(f"there is no {name} {value}")
    year, month, day = (_known(parts[name]) for name in ("year", "month", "day"))
    if year == 0:
        raise ValueError("there is no year 0000")
    if month is not None and not 1 <= month <= 12:
        raise ValueError(f"there is no month {month:02d}")
    last = monthrange(year or _LEAP_YEAR, month)[1] if month else 31
    if day is not None and not 1 <= day <= last:
        where = "a month" if month is None else f"{year or '-'}-{month:02d}"
        raise ValueError(f"{where} has {last} days, not day {day:02d}")
    if year is None:
        return nan, nan
    first = date(year, month or 1, day if day and month else 1)
    final = date(year, month or 12, day if day and month else (last if month else 31))
    return float(first.toordinal() - _EPOCH), float(final.toordinal() - _EPOCH)


def _known(text: str | None) -> int | None:
    if text is None or text == "-":
        return None
    return _MONTHS.index(text) + 1 if text in _MONTHS else _month_or_number(text)


def _month_or_number(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"there is no month {text}")
    return int(text)
