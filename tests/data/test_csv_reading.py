"""What tk.read makes of a CSV: numbers, identifiers, missing values, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialkit as tk


@pytest.fixture
def csv_file(tmp_path: Path):
    def write(content: str | bytes, name: str = "data.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def column(write, *fields: str) -> pd.Series:
    return tk.read(write("\n".join(["X,Y", *(f"{field},y" for field in fields)]) + "\n"))["X"]


@pytest.mark.parametrize(
    ("fields", "dtype", "expected"),
    [
        (("1", "-2", "0"), "int64", [1, -2, 0]),
        (("1", "", "3"), "float64", [1.0, np.nan, 3.0]),
        (("1", "2.5", ".5", "7."), "float64", [1.0, 2.5, 0.5, 7.0]),
        (("1e-05", "1.5e+300", "2.50E+03"), "float64", [1e-05, 1.5e300, 2500.0]),
        (("1.5", "inf", "-inf"), "float64", [1.5, np.inf, -np.inf]),
        (("", ""), "float64", [np.nan, np.nan]),
        (("9223372036854775807", "-9223372036854775808"), "int64", [2**63 - 1, -(2**63)]),
        (("0.1", "1e-323"), "float64", [0.1, 1e-323]),
    ],
)
def test_plain_numbers_are_numbers(csv_file, fields, dtype, expected) -> None:
    got = column(csv_file, *fields)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got.to_numpy(), np.array(expected))


@pytest.mark.parametrize(
    "fields",
    [
        ("001", "002"),
        ("10", "007"),
        ("-05", "5"),
        ("00.5", "1.5"),
        ("12E03", "12E04"),
        ("1E-05", "1E-06"),
        ("12e3", "1"),
        ("+49", "1"),
        ("1_000", "2"),
        ("NA", "1"),
        (".", "1"),
        ("NaN", "1"),
        ("inf", "inf"),
        ("Inf", "1"),
        (" 5", "6"),
        ("5 ", "6"),
        ("0x10", "1"),
        ("True", "False"),
        ("2024-01-31", "2024-02-01"),
        ("92233720368547758080", "1"),
        ("9007199254740993", "0.5"),
        ("1e+999", "1.5"),
        ("\u0661", "2"),
        ("N/A", "null", "None", "nan", "#N/A", "NULL", "-"),
    ],
)
def test_everything_else_stays_as_it_is_written(csv_file, fields) -> None:
    assert column(csv_file, *fields).tolist() == list(fields)


def test_a_whole_number_that_no_float_holds_survives_a_missing_neighbour(csv_file) -> None:
    got = column(csv_file, "9007199254740993", "")
    assert got.dtype == "Int64"
    assert got[0] == 9007199254740993
    assert got.isna().tolist() == [False, True]


def test_text_missing_only_where_the_field_is_empty(csv_file) -> None:
    frame = tk.read(csv_file('A,B\nNA,""\n,x\n'))
    assert frame["A"].isna().tolist() == [False, True]
    assert frame["B"].isna().tolist() == [True, False]
    assert frame["A"][0] == "NA"
    assert frame.attrs == {"labels": {}}


def test_line_ends_quotes_and_byte_order_mark(csv_file) -> None:
    expected = pd.DataFrame({"A": ['say "x", y', "line\nbreak"], "É": [1, 2]})
    text = 'A,É{end}"say ""x"", y",1{end}"line\nbreak",2{end}'
    for end in ("\n", "\r\n", "\r"):
        pd.testing.assert_frame_equal(tk.read(csv_file(text.format(end=end))), expected)
    marked = b"\xef\xbb\xbf" + text.format(end="\n").encode()
    pd.testing.assert_frame_equal(tk.read(csv_file(marked)), expected)
    wide = text.format(end="\r\n").encode("utf-16")
    pd.testing.assert_frame_equal(tk.read(csv_file(wide), encoding="utf-16"), expected)
    western = text.format(end="\n").encode("cp1252")
    pd.testing.assert_frame_equal(tk.read(csv_file(western), encoding="cp1252"), expected)


def test_blank_lines_at_the_end_are_no_rows_and_no_rows_are_a_frame(csv_file) -> None:
    assert len(tk.read(csv_file("A,B\n1,2\n\n\n"))) == 1
    assert len(tk.read(csv_file("A\n1\n\n"))) == 1
    assert tk.read(csv_file("A,B\n")).shape == (0, 2)


def test_rows_beyond_one_chunk_are_all_there_and_checked(csv_file, monkeypatch) -> None:
    monkeypatch.setattr("trialkit.data.csv_reading._CHUNK", 3)
    rows = [f"{i},{i / 4}" for i in range(10)]
    frame = tk.read(csv_file("\n".join(["A,B", *rows, "", ""]) + "\n"))
    assert frame["A"].tolist() == list(range(10))
    rows[7] = "7"
    with pytest.raises(tk.DataError, match=r"line 9 has 1 field\(s\), the header has 2: '7'"):
        tk.read(csv_file("\n".join(["A,B", *rows]) + "\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A,B\n1,2\n3\n", r"data\.csv: line 3 has 1 field\(s\), the header has 2: '3'"),
        ("A,B\n1,2,3\n", r"line 2 has 3 field\(s\), the header has 2"),
        ('A,B\n"x\ny",2\n1\n', r"line 4 has 1 field"),
        ("A,B\n1,2\n\n3,4\n", r"line 3 is blank, with rows after it"),
        ("A\n1\n\n3\n", r"line 3 is blank"),
        ("\nA,B\n", r"line 1 is blank; it must hold the column names"),
        ("A,B,A\n1,2,3\n", r"more than once, first 'A' \(columns 1, 3\)"),
        ("A,,B\n1,2,3\n", r"column 2 has no name"),
        ("A, B\n1,2\n", r"column 2, ' B', begins or ends with a blank"),
        ('A,B\n1,"x\n2,y\n', r"row that starts on line 2: a quote is opened and never closed"),
        ('A,B\n1,"x"y\n', r"row that starts on line 2: text follows a closing quote"),
        ('"A,B\n1,2\n', r"line 1: a quote is opened and never closed"),
        ("A;B\n1;2\n", r"no comma but semicolons; save the file comma-separated"),
        ("A\tB\n1\t2\n", r"no comma but tabs"),
        ("A,B\n1,2", r"last line has no line end.*'1,2'.*allow_unterminated=True"),
        ("  \n\n", r"holds white space only"),
        (b"", r"is empty \(0 bytes\)"),
        (b"A,B\n1,\xe9\n", r"byte 6 \(line 2\), 0xe9, is not utf-8.*encoding='cp1252'"),
        (b"A,B\n1,2\n" + b"x" * 5000 + b"\x00,2\n", r"line 3 holds a NUL byte"),
        ("A,B\n1,2\n".encode("utf-16"), r"is in UTF-16: save it as UTF-8, or pass encoding"),
        ("A\n" + "x" * 140_000 + "\n", r"longer than 131072 characters; is a quote left open"),
    ],
)
def test_refused_with_the_place(csv_file, content, message) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.read(csv_file(content))


def test_the_last_line_may_be_vouched_for(csv_file) -> None:
    path = csv_file("A,B\n1,2")
    assert tk.read(path, allow_unterminated=True)["B"].tolist() == [2]


def test_a_path_is_asked_for() -> None:
    with pytest.raises(tk.SpecError, match="path of a file, not int"):
        tk.read(3)


def test_unknown_encoding(csv_file) -> None:
    with pytest.raises(tk.SpecError, match=r"encoding='klingon' is not known"):
        tk.read(csv_file("A\n1\n"), encoding="klingon")
