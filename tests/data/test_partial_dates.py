"""Dates as CDISC writes them: partial ones are legal, days that never were are not."""

from __future__ import annotations

from datetime import date, timedelta
from math import isnan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.data.partial_dates import day_range, parse_date

EPOCH = date(1970, 1, 1)


def days(text: str) -> tuple[date, date]:
    first, last = parse_date(text)
    return EPOCH + timedelta(days=first), EPOCH + timedelta(days=last)


@settings(deadline=None, max_examples=60)
@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%Y-%m-%dT23:59:59", "%d%b%Y"]))
def test_a_complete_date_is_its_day(day: date, form: str) -> None:
    text = day.strftime(form) if day.year >= 1000 else day.isoformat()
    assert days(text) == (day, day)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023-02", "2023-02-01", "2023-02-28"),
        ("2024", "2024-01-01", "2024-12-31"),
        ("2024---12", "2024-01-01", "2024-12-31"),
        ("2024-02--", "2024-02-01", "2024-02-29"),
        ("2024-05-03T-:30", "2024-05-03", "2024-05-03"),
        ("2024-05-03T10:15:30.5+02:00", "2024-05-03", "2024-05-03"),
        ("2024-05-03 10:15:30", "2024-05-03", "2024-05-03"),
        (" 2024-05-03 ", "2024-05-03", "2024-05-03"),
        ("2024-05-03/2024-05-09", "2024-05-03", "2024-05-09"),
        ("2024-05/2024", "2024-05-01", "2024-12-31"),
        ("03MAY2024:10:15:30", "2024-05-03", "2024-05-03"),
        ("3may2024", "2024-05-03", "2024-05-03"),
        ("1900-02-28", "1900-02-28", "1900-02-28"),
    ],
)
def test_a_date_stands_for_the_days_it_may_be(text: str, first: str, last: str) -> None:
    assert days(text) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("text", ["--05-12", "--02-29", "----12"])
def test_a_date_without_a_year_is_legal_and_unknown(text: str) -> None:
    assert all(map(isnan, parse_date(text)))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2023-02-30", "2023-02 has 28 days, not day 30"),
        ("2023-02-29", "2023-02 has 28 days"),
        ("1900-02-29", "1900-02 has 28 days"),
        ("2024-04-31", "2024-04 has 30 days"),
        ("20230229", "2023-02 has 28 days"),
        ("31APR2024", "2024-04 has 30 days"),
        ("--02-30", "--02 has 29 days"),
        ("2024---32", "a month has 31 days"),
        ("2024-00-10", "there is no month 00"),
        ("2024-13", "there is no month 13"),
        ("2024-05-00", "2024-05 has 31 days, not day 00"),
        ("10ABC2024", "there is no month ABC"),
        ("0000-01-01", "there is no year 0000"),
        ("2024-05-03T25:00", "there is no hour 25"),
        ("2024-05-03T10:60", "there is no minute 60"),
        ("2024-05-03T10:15:61", "there is no second 61"),
        ("05/03/2024", "it is not an ISO 8601 date"),
        ("2024-5-3", "it is not an ISO 8601 date"),
        ("UNK", "it is not an ISO 8601 date"),
        ("2024-05-03T", "it is not an ISO 8601 date"),
        ("2024-05-03/2024-02-30", "2024-02 has 29 days"),
    ],
)
def test_what_is_no_date_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_date(text)


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_datetimes_of_any_resolution_are_days(unit: str) -> None:
    stamps = pd.Series(["2024-05-03T23:59:59", None]).astype(f"datetime64[{unit}]")
    found = day_range(pd.DataFrame({"ADT": stamps}), "ADT")
    assert found.low[0] == found.high[0] == (date(2024, 5, 3) - EPOCH).days
    assert np.isnan(found.low[1])


def test_a_zone_leaves_the_day_on_the_wall() -> None:
    stamps = pd.Series(["2024-05-03T00:30"]).astype("datetime64[ns]").dt.tz_localize("Etc/GMT-5")
    assert day_range(pd.DataFrame({"ADT": stamps}), "ADT").low[0] == (date(2024, 5, 3) - EPOCH).days


def test_numbers_are_taken_as_they_are() -> None:
    found = day_range(pd.DataFrame({"ADT": [23133.0, np.nan]}), "ADT")
    assert found.unit == "number"
    assert found.low.tolist()[0] == 23133.0
