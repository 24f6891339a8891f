"""CSV out and back: nothing runs in a spreadsheet, nothing changes on the way."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk
from trialkit.data.csv_cells import neutralise, restore
from trialkit.data.writing import to_csv_text

ACTIVE = ["=1+1", "+cmd", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "\u00a0=1", "\uff1d1"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
# Text that no reader takes for a number, seasoned with what spreadsheets run.
WORDS = st.one_of(
    TEXT,
    st.builds("".join, st.lists(st.sampled_from([*ACTIVE, "'", "''", '"', ",", "\n", "0", "a"]))),
).filter(bool)


def read_back(frame: pd.DataFrame, folder: Path) -> pd.DataFrame:
    tk.write_csv(frame, folder / "back.csv")
    return tk.read(folder / "back.csv")


@pytest.mark.parametrize("text", ACTIVE)
def test_formulas_are_neutralised_in_cells_names_and_categories(text) -> None:
    name = text.strip() + " total"
    frame = pd.DataFrame({name: [text, "x"], "C": pd.Categorical([text, None])})
    header, first, second = csv.reader(io.StringIO(to_csv_text(frame), newline=""))
    assert header == [f"'{name}", "C"]
    assert first == [f"'{text}", f"'{text}"]
    assert second == ["x", ""]


def test_numbers_are_no_formulas() -> None:
    frame = pd.DataFrame({"N": [-1, 2], "X": [-0.5, -np.inf], "T": ["-0.34", "+5"]})
    assert to_csv_text(frame) == "N,X,T\n-1,-0.5,-0.34\n2,-inf,+5\n"
    for text in ("-1e5", "+1.5E-3", "-.5", "+7."):
        assert neutralise(text) == text


@pytest.mark.parametrize(
    "text", ["-", "- 5", "-5-5", "+5+", "-1e", "-0x1", "-1\n", "--1", "\tplain", "\rplain"]
)
def test_what_is_no_number_is_neutralised(text) -> None:
    assert neutralise(text) == f"'{text}"


@settings(deadline=None)
@given(WORDS)
def test_neutralising_is_undone_exactly_and_leaves_nothing_active(text) -> None:
    safe = neutralise(text)
    assert restore(safe) == text
    bare = safe.lstrip(" \t\n\r\f\v\u00a0\ufeff")
    if bare[:1] in set("=+-@\uff1d\uff0b\uff0d\uff20"):
        float(safe)  # a plain number is all that may start so


@settings(deadline=None, max_examples=150)
@given(
    words=st.lists(st.one_of(st.none(), WORDS), min_size=1, max_size=8),
    numbers=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=8, max_size=8),
    whole=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=8, max_size=8),
)
def test_round_trip(words, numbers, whole, tmp_path_factory) -> None:
    n = len(words) + 1
    # "word" and 0.5 fix the type of their columns, which is read from the content.
    text = ["word", *(word if word is not None else np.nan for word in words)]
    frame = pd.DataFrame(
        {"=T": text, "X": [0.5, *numbers[: n - 1]], "N": [1, *whole[: n - 1]]},
    )
    back = read_back(frame, tmp_path_factory.mktemp("csv"))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


@settings(deadline=None, max_examples=50)
@given(name=WORDS.map(str.strip).filter(bool))
def test_any_column_name_round_trips(name, tmp_path_factory) -> None:
    frame = pd.DataFrame({name: ["a"], "other" + name: ["b"]})
    pd.testing.assert_frame_equal(read_back(frame, tmp_path_factory.mktemp("csv")), frame)


def test_the_same_frame_gives_the_same_bytes(tmp_path) -> None:
    frame = pd.DataFrame({"A": ["é", None], "B": [0.1 + 0.2, np.nan]})
    for path in (tmp_path / "one.csv", tmp_path / "two.csv"):
        tk.write_csv(frame, path)
        assert path.read_bytes() == "A,B\né,0.30000000000000004\n,\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "two.csv"]


def test_other_types_are_written_as_documented() -> None:
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2024-01-31", None]),
            "time": pd.to_datetime(["2024-01-31 10:00", "2024-02-01"], format="mixed"),
            "flag": [True, False],
            "maybe": pd.array([True, None], dtype="boolean"),
            "whole": pd.array([2**60 + 1, None], dtype="Int64"),
            "mixed": pd.Series([-1.5, "=x"], dtype=object),
            "dates": pd.Series([date(2024, 1, 2), datetime(2024, 1, 2, 3)], dtype=object),
        },
    )
    assert to_csv_text(frame).splitlines()[1:] == [
        "2024-01-31,2024-01-31T10:00:00,True,True,1152921504606846977,-1.5,2024-01-02",
        ",2024-02-01T00:00:00,False,,,'=x,2024-01-02T03:00:00",
    ]


def test_one_column_keeps_its_missing_rows(tmp_path) -> None:
    frame = pd.DataFrame({"A": ["x", np.nan, "y", np.nan]})
    pd.testing.assert_frame_equal(read_back(frame, tmp_path), frame)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), r"no columns"),
        (pd.DataFrame({1: [1]}), r"Column 1 is named 1; a name is text"),
        (pd.DataFrame([[1, 2]], columns=["A", "A"]), r"Column 2 is named 'A'.*unique"),
        (pd.DataFrame({"A ": [1]}), r"'A '; a name is text, not empty, without blanks"),
        (pd.DataFrame({"A": [1]}, index=pd.Index([3], name="ID")), r"index \['ID'\].*reset_index"),
        (pd.DataFrame({"A": [1]}, index=["r"]), r"has the index \[None\].*reset_index"),
        (pd.DataFrame({"A": pd.to_timedelta([1], unit="D")}), r"'A' has the type timedelta64"),
        (pd.DataFrame({"A": ["x", Decimal(1)]}), r"'A', row 2 holds a Decimal"),
        (pd.DataFrame({"A": [["x"]]}), r"'A', row 1 holds a list"),
        (pd.DataFrame({"A": ["a\x00"]}), r"'A', row 1 holds a NUL character"),
        (
            pd.DataFrame({"A": ["ok", "\ud800"]}, dtype=object),
            r"'A', row 2 is .* not valid Unicode",
        ),
    ],
)
def test_refused(frame, message) -> None:
    with pytest.raises(tk.DataError, match=message):
        to_csv_text(frame)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.csv"
    tk.write_csv(pd.DataFrame({"A": [1]}), path)

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(tk.DataError, match=r"a\.csv cannot be written: No space left"):
        tk.write_csv(pd.DataFrame({"A": [2]}), path)
    assert path.read_text() == "A\n1\n"
    assert [item.name for item in tmp_path.iterdir()] == ["a.csv"]


def test_where_a_csv_may_go(tmp_path) -> None:
    frame = pd.DataFrame({"A": [1]})
    with pytest.raises(tk.SpecError, match=r"a name that ends in \.csv"):
        tk.write_csv(frame, tmp_path / "a.txt")
    with pytest.raises(tk.DataError, match=r"there is no folder"):
        tk.write_csv(frame, tmp_path / "none" / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(tk.DataError, match=r"it is a folder"):
        tk.write_csv(frame, tmp_path / "folder.csv")
