"""Rules about dates and study days, which hold whatever the design.

Columns are recognised by their CDISC names: dates end in DT, DTC or DTM (or hold datetimes),
study days are ADY, ASTDY, VISITDY, QSDY, ... Comparisons go by day, and between partial dates
only as far as both are known. Nothing depends on today's date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from trialkit.data.coded_rows import CodedRows, Place
from trialkit.data.findings import Finding
from trialkit.data.numbers import numbers_of
from trialkit.data.partial_dates import DayRange, day_range
from trialkit.typing import BoolArray, FloatArray

__all__ = ["DATE_RULES"]

_DATE_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:DT|DTC|DTM)")
_DAY_NAME = re.compile(r"A(?:ST|EN)?DY|VISITDY|(?!BODY)[A-Z]{2}(?:ST|EN)?DY")
# A start and its end: AESTDTC/AEENDTC, ASTDT/AENDT, ASTDY/AENDY; TRTSDT/TRTEDT, AP01SDT/AP01EDT.
_START_NAME = re.compile(r"(?P<stem>[A-Z0-9]*?)(?P<part>ST|S)(?P<kind>DT|DTC|DTM|DY)")
# When a subject's time begins; the first that the data have is used.
_ORIGINS = ("RANDDT", "RANDDTC", "RANDDTM", "TRTSDT", "TRTSDTM", "RFSTDTC")
# Dates of one subject that follow each other.
_MILESTONES = (
    ("RANDDT", "TRTSDT"),
    ("RANDDT", "EOSDT"),
    ("TRTSDT", "EOSDT"),
    ("TRTSDT", "DTHDT"),
)
_VISIT_DATES = ("ADT", "ADTM", "ADTC")
# Labels of visits that come before treatment whatever their number.
_BEFORE_TREATMENT = re.compile(
    r"screen|baseline|run.?in|enrol|pre.?(?:dose|treat|random)|random", re.I
)


def impossible_dates(rows: CodedRows) -> Iterator[Finding]:
    """Text in a date column that names no day: 2023-02-30, 05/01/2024."""
    for column in _date_columns(rows.frame):
        days = day_range(rows.frame, column)
        if days.coded is None or not days.problems:
            continue
        bad = np.array([label in days.problems for label in days.coded.labels] + [False])
        for place in rows.places(bad[days.coded.codes], value=days.coded, by_visit=False):
            yield _finding(
                "impossible-date",
                place,
                column,
                f"{column} of {place} is {place.value!r}: {days.problems[place.value]}.",
            )


def ends_before_starts(rows: CodedRows) -> Iterator[Finding]:
    """An end that comes before its start; a first dose before randomisation."""
    for start, end in _date_pairs(rows.frame):
        first, last = _days_of(rows.frame, start), _days_of(rows.frame, end)
        if first.unit != last.unit:
            continue
        for place in rows.places(_is_before(last, first), by_visit=False):
            values = rows.frame[[start, end]].iloc[place.first_row]
            yield _finding(
                "end-before-start",
                place,
                end,
                f"{end} {_shown(values[end])} of {place} comes before "
                f"{start} {_shown(values[start])}.",
            )


def visits_before_start(rows: CodedRows) -> Iterator[Finding]:
    """A visit after baseline dated before randomisation (or the first dose).

    Visits after baseline are those with a number above zero (the visit itself or AVISITN) whose
    label does not speak of screening or baseline and which are not flagged ABLFL.
    """
    origin = next((name for name in _ORIGINS if name in rows.frame), None)
    date = next((name for name in _VISIT_DATES if name in rows.frame), None)
    after = _after_baseline(rows)
    if origin is None or date is None or after is None:
        return
    start, visit = day_range(rows.frame, origin), day_range(rows.frame, date)
    if start.unit != visit.unit:
        return
    for place in rows.places(after & _is_before(visit, start)):
        values = rows.frame[[origin, date]].iloc[place.first_row]
        yield _finding(
            "visit-before-start",
            place,
            date,
            f"{date} {_shown(values[date])} of {place} comes before "
            f"{origin} {_shown(values[origin])}.",
        )


def visits_out_of_order(rows: CodedRows) -> Iterator[Finding]:
    """A visit that is later in order and earlier in time than the one before it."""
    column = next((name for name in ("ADY", *_VISIT_DATES) if name in rows.frame), None)
    if column is None or rows.position is None or rows.visit is None:
        return
    days, series = _days_of(rows.frame, column), rows.series()
    known = np.flatnonzero((series >= 0) & ~np.isnan(rows.position) & ~np.isnan(days.low))
    order = known[np.lexsort((rows.position[known], series[known]))]
    before, after = order[:-1], order[1:]
    turned = (
        (series[before] == series[after])
        & (rows.position[before] < rows.position[after])
        & (days.high[after] < days.low[before])
    )
    marked = np.zeros(len(rows.frame), dtype=np.bool_)
    marked[after[turned]] = True
    previous = dict(zip(after[turned].tolist(), before[turned].tolist(), strict=True))
    for place in rows.places(marked):
        other = previous[place.first_row]
        values = rows.frame[column]
        yield _finding(
            "visits-out-of-order",
            place,
            column,
            f"{place}: {column} {_shown(values.iloc[place.first_row])} comes before "
            f"{_shown(values.iloc[other])} at the earlier visit "
            f"{rows.visit.label(int(rows.visit.codes[other]))}.",
        )


def study_day_zero(rows: CodedRows) -> Iterator[Finding]:
    """A study day 0, which CDISC does not have: the day before day 1 is day -1."""
    for column in rows.frame.columns:
        if not isinstance(column, str) or not _DAY_NAME.fullmatch(column):
            continue
        is_zero: BoolArray = numbers_of(rows.frame[column]).values == 0
        for place in rows.places(is_zero):
            yield Finding(
                rule="study-day-zero",
                subject=place.subject,
                visit=place.visit,
                column=column,
                count=place.count,
                severity="warning",
                message=f"{column} of {place} is 0; CDISC study days run -1, 1, without a day 0.",
            )


DATE_RULES: tuple[Callable[[CodedRows], Iterator[Finding]], ...] = (
    impossible_dates,
    ends_before_starts,
    visits_before_start,
    visits_out_of_order,
    study_day_zero,
)


def _finding(rule: str, place: Place, column: str, message: str) -> Finding:
    return Finding(
        rule=rule,
        subject=place.subject,
        visit=place.visit,
        column=column,
        count=place.count,
        message=message,
    )


def _date_columns(frame: pd.DataFrame) -> list[str]:
    """Columns named as dates that hold text or datetimes; numbers have no calendar to break."""
    return [
        column
        for column in frame.columns
        if isinstance(column, str)
        and _DATE_NAME.fullmatch(column)
        and not pd.api.types.is_numeric_dtype(frame[column].dtype)
    ]


def _date_pairs(frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    for column in frame.columns:
        match = _START_NAME.fullmatch(column) if isinstance(column, str) else None
        if match:
            ending = {"ST": "EN", "S": "E"}[match["part"]]
            end = f"{match['stem']}{ending}{match['kind']}"
            if end in frame:
                yield column, end
    yield from ((first, last) for first, last in _MILESTONES if {first, last} <= {*frame.columns})


def _days_of(frame: pd.DataFrame, column: str) -> DayRange:
    """The column as days: study days are numbers even where they are held as text."""
    if _DAY_NAME.fullmatch(column):
        days = numbers_of(frame[column]).values
        return DayRange(days, days, "number", None, {})
    return day_range(frame, column)


def _is_before(first: DayRange, second: DayRange) -> BoolArray:
    """Rows where `first` is surely before `second`; a comparison with NaN is False."""
    is_before: BoolArray = first.high < second.low
    return is_before


def _after_baseline(rows: CodedRows) -> BoolArray | None:
    number = _visit_number(rows)
    if number is None or rows.visit is None:
        return None
    early = [bool(_BEFORE_TREATMENT.search(str(label))) for label in rows.visit.labels]
    is_early = np.array([*early, True])[rows.visit.codes]
    if "ABLFL" in rows.frame:
        is_early |= (rows.frame["ABLFL"] == "Y").to_numpy(dtype=np.bool_, na_value=False)
    is_after: BoolArray = (number > 0) & ~is_early
    return is_after


def _visit_number(rows: CodedRows) -> FloatArray | None:
    if rows.visit is None:
        return None
    for column in (rows.visit.column, "AVISITN"):
        if column in rows.frame and pd.api.types.is_numeric_dtype(rows.frame[column].dtype):
            return rows.frame[column].to_numpy(dtype=np.float64, na_value=np.nan)
    return None


def _shown(value: object) -> str:
    """A date as a person writes it; a study day without decimals it does not have."""
    if isinstance(value, pd.Timestamp):
        return str(value.date())
    return f"{value:g}" if isinstance(value, float) else str(value)
