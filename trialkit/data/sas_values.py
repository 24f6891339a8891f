"""What SAS means by its numbers: dates counted from 1960, and missing values with a letter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trialkit.errors import DataError
from trialkit.typing import FloatArray

__all__ = ["DAY", "EPOCH", "sas_dates"]

EPOCH = np.datetime64("1960-01-01", "us")
DAY = 86_400_000_000  # microseconds
_SECOND = 1_000_000
# SAS itself ends at the year 19999.
_LAST_DAY = 6_589_335

# Formats of a count of days. Those that print only a part of the date (MONTH, YEAR) count days
# all the same.
_DATE = frozenset(
    "DATE DAY DDMMYY DDMMYYB DDMMYYC DDMMYYD DDMMYYN DDMMYYP DDMMYYS DOWNAME JULDAY JULIAN "
    "MMDDYY MMDDYYB MMDDYYC MMDDYYD MMDDYYN MMDDYYP MMDDYYS MMYY MMYYC MMYYD MMYYN MMYYP MMYYS "
    "MONNAME MONTH MONYY QTR QTRR WEEKDATE WEEKDATX WEEKDAY WEEKU WEEKV WEEKW WORDDATE WORDDATX "
    "YEAR YYMM YYMMC YYMMD YYMMN YYMMP YYMMS YYMMDD YYMMDDB YYMMDDC YYMMDDD YYMMDDN YYMMDDP "
    "YYMMDDS YYMON YYQ YYQC YYQD YYQN YYQP YYQS YYQR B8601DA E8601DA IS8601DA".split()
)
# Formats of a count of seconds since the same day. Formats of a time of day (TIME, HHMM, TOD)
# are absent: such a number stays seconds.
_DATETIME = frozenset(
    "DATETIME DATEAMPM DTDATE DTMONYY DTWKDATX DTYEAR DTYYQC MDYAMPM B8601DN B8601DT B8601DX "
    "B8601DZ B8601LX E8601DN E8601DT E8601DX E8601DZ E8601LX IS8601DN IS8601DT".split()
)
_FORMAT_NAME = re.compile(r"([A-Z_](?:[A-Z0-9_]*?[A-Z_])?)[0-9]*\.?[0-9]*")


def sas_dates(path: Path, name: str, values: FloatArray, sas_format: str) -> pd.Series[Any]:
    """`values` as datetime64[us] where the format is one of dates, else the numbers themselves.

    A fraction of a day becomes a time of day.
    """
    match = _FORMAT_NAME.fullmatch(sas_format.strip().upper())
    word = match.group(1) if match else ""
    if word not in _DATE | _DATETIME:
        return pd.Series(values)
    unit = DAY if word in _DATE else _SECOND
    missing = np.isnan(values)
    beyond = np.flatnonzero(~missing & ~(np.abs(values) <= _LAST_DAY * (DAY / unit)))
    if beyond.size:
        row = int(beyond[0])
        raise DataError(
            f"{path}: column {name!r} has the date format {sas_format}, but {beyond.size} value(s) "
            f"are no date, first row {row + 1}: {values[row]:g}."
        )
    counted = np.rint(np.where(missing, 0.0, values) * unit).astype(np.int64)
    moments = EPOCH + counted.astype("timedelta64[us]")
    moments[missing] = np.datetime64("NaT")
    return pd.Series(moments)
