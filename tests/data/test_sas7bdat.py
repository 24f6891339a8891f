"""SAS7BDAT: files made byte by byte, read by ours, by pyreadstat and by pandas."""

from __future__ import annotations

import struct
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from data.sas7bdat_writer import HEADER_SIZE, Column, sas7bdat_bytes, special_missing
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk

COLUMNS = (
    Column("USUBJID", 12, "Subject"),
    Column("AVAL", None, "Analysis Värde"),
    Column("ADT", None, "Date", "E8601DA10."),
    Column("ADTM", None, "", "DATETIME20."),
    Column("ATM", None, "", "TIME8."),
)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(
    lambda text: len(text.encode()) <= 12 and text == text.strip() and "\x00" not in text
)


def write(folder: Path, content: bytes) -> Path:
    path = folder / "a.sas7bdat"
    path.write_bytes(content)
    return path


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            WORDS,
            st.floats(allow_nan=False),
            st.integers(-100_000, 1_000_000).map(float),
            st.integers(-(10**9), 10**10).map(float),
            st.one_of(st.none(), st.floats(0, 86400)),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_three_readers_agree(rows, tmp_path_factory) -> None:
    # 512-byte pages spread the rows, but metadata needs one page of more.
    content = sas7bdat_bytes(COLUMNS, rows, page_size=2048)
    path = write(tmp_path_factory.mktemp("sas"), content)
    frame = tk.read(path)
    assert frame["USUBJID"].fillna("").tolist() == [row[0] for row in rows]
    np.testing.assert_array_equal(frame["AVAL"], [row[1] for row in rows])
    epoch = datetime(1960, 1, 1)
    assert frame["ADT"].tolist() == [epoch + timedelta(days=row[2]) for row in rows]
    assert frame["ADTM"].tolist() == [epoch + timedelta(seconds=row[3]) for row in rows]
    np.testing.assert_array_equal(
        frame["ATM"], [np.nan if row[4] is None else row[4] for row in rows]
    )
    assert frame.attrs["labels"] == {
        "USUBJID": "Subject",
        "AVAL": "Analysis Värde",
        "ADT": "Date",
    }
    other = pd.read_sas(path, encoding="infer")
    assert other["USUBJID"].fillna("").tolist() == frame["USUBJID"].fillna("").tolist()
    np.testing.assert_array_equal(other["AVAL"], frame["AVAL"])
    np.testing.assert_array_equal(other["ATM"], frame["ATM"])


def test_rows_on_many_pages_keep_their_order(tmp_path) -> None:
    content = sas7bdat_bytes([Column("N"), Column("T", 4)], [[i, f"t{i}"] for i in range(999)])
    frame = tk.read(write(tmp_path, content))
    assert frame["N"].tolist() == list(range(999))
    assert frame["T"].tolist() == [f"t{i}" for i in range(999)]


def test_lettered_missing_values_are_missing_and_counted(tmp_path) -> None:
    cells = [1.5, None, special_missing("A"), special_missing("_"), special_missing("A")]
    rows = [[cell, special_missing("Z") if cell is None else 0.0] for cell in cells]
    content = sas7bdat_bytes([Column("AVAL"), Column("ADT", format="DATE9.")], rows)
    frame = tk.read(write(tmp_path, content))
    np.testing.assert_array_equal(frame["AVAL"], [1.5, np.nan, np.nan, np.nan, np.nan])
    assert frame["ADT"].isna().tolist() == [False, True, False, False, False]
    assert frame.attrs["special_missing"] == {"AVAL": {".A": 2, "._": 1}, "ADT": {".Z": 1}}


def test_the_header_says_the_encoding_unless_the_caller_knows_better(tmp_path) -> None:
    rows = [["ä"]]
    path = write(tmp_path, sas7bdat_bytes([Column("T", 4)], rows, encoding="cp1252"))
    assert tk.read(path)["T"].tolist() == ["ä"]
    path = write(tmp_path, sas7bdat_bytes([Column("T", 4)], [[b"\xe4"]]))
    with pytest.raises(tk.DataError, match=r"byte 0xe4 in .* encoding='cp1252'"):
        tk.read(path)
    assert tk.read(path, encoding="cp1252")["T"].tolist() == ["ä"]


@pytest.mark.parametrize("declared", [5, 399, 401, 10**9])
def test_a_row_count_that_disagrees_with_the_pages_is_refused(declared, tmp_path) -> None:
    content = sas7bdat_bytes([Column("A")], [[1.0]] * 400, declared_rows=declared)
    with pytest.raises(tk.DataError, match=r"a\.sas7bdat.*rows"):
        tk.read(write(tmp_path, content))


def test_deleted_rows_are_not_read_as_data(tmp_path) -> None:
    content = bytearray(sas7bdat_bytes([Column("A")], [[1.0]] * 3))
    struct.pack_into("<H", content, HEADER_SIZE + 4096 + 16, 0x0180)
    with pytest.raises(tk.DataError, match=r"rows that SAS marked as deleted.*data new; set old"):
        tk.read(write(tmp_path, bytes(content)))


def test_a_damaged_header_is_refused(tmp_path) -> None:
    content = bytearray(sas7bdat_bytes([Column("A")], [[1.0]]))
    for place, value, message in (
        (196, 0, "it is damaged"),
        (200, 0, "it is damaged"),
        (204, 0, "it is damaged"),
        (204, 9, "declares 9 page"),
    ):
        broken = bytearray(content)
        struct.pack_into("<I", broken, place, value)
        with pytest.raises(tk.DataError, match=message):
            tk.read(write(tmp_path, bytes(broken)))


def test_repeated_names_are_refused(tmp_path) -> None:
    content = sas7bdat_bytes([Column("A"), Column("a")], [[1.0, 2.0]])
    with pytest.raises(tk.DataError, match=r"more than once, first 'A' \(columns 1, 2\)"):
        tk.read(write(tmp_path, content))


def test_no_rows(tmp_path) -> None:
    frame = tk.read(write(tmp_path, sas7bdat_bytes([Column("A"), Column("B", 3)], [])))
    assert frame.shape == (0, 2)
