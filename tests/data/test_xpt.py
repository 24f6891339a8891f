"""SAS transport files: ours against pyreadstat's, and what cannot be held is refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk

WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40
).filter(lambda text: not text.endswith(" ") and len(text.encode()) <= 200)
NUMBERS = st.one_of(
    st.floats(2.0**-260, 2.0**249, exclude_max=True),
    st.floats(-(2.0**249), -(2.0**-260), exclude_min=True),
    st.integers(-(2**53), 2**53).map(float),
    st.just(float("nan")),
)
LABELS = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40).map(
    str.strip
)
DAYS = st.one_of(st.none(), st.dates().map(pd.Timestamp))
MOMENTS = st.one_of(st.none(), st.datetimes().map(pd.Timestamp))


def moments(values: list[pd.Timestamp | None]) -> pd.Series:
    return pd.Series(np.array([np.datetime64("NaT") if v is None else v for v in values], "M8[us]"))


@pytest.mark.parametrize("version", [5, 8])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_round_trip_and_agreement_with_pyreadstat(version, data, tmp_path_factory) -> None:
    n = data.draw(st.integers(1, 6))
    draw = lambda cell: data.draw(st.lists(cell, min_size=n, max_size=n))  # noqa: E731
    frame = pd.DataFrame(
        {
            "WORD": draw(st.one_of(st.just(np.nan), WORDS)),
            "AVAL": draw(NUMBERS),
            "ADT": moments(draw(DAYS)),
            "ADTM": moments(draw(MOMENTS)),
        }
    ).astype({"WORD": pd.Series(["text"]).dtype})
    frame.attrs["labels"] = {k: v for k in ("WORD", "AVAL") if (v := data.draw(LABELS))}
    path = tmp_path_factory.mktemp("xpt") / "adqs.xpt"
    tk.write_xpt(frame, path, version=version)
    back = tk.read(path)
    expected = frame.copy()
    # A SAS number holds seconds of recent centuries to a microsecond, of year 9999 to 30.
    pd.testing.assert_series_equal(back["AVAL"], frame["AVAL"], check_exact=True)
    assert back["WORD"].equals(frame["WORD"])
    assert back["ADT"].equals(expected["ADT"])
    assert ((back["ADTM"] - frame["ADTM"]).abs().dropna() <= pd.Timedelta("40us")).all()
    assert back["ADTM"].isna().equals(frame["ADTM"].isna())
    assert back.attrs["labels"] == frame.attrs["labels"]
    other, meta = pyreadstat.read_xport(path, disable_datetime_conversion=True)
    np.testing.assert_array_equal(other["AVAL"], back["AVAL"])
    assert other["WORD"].tolist() == back["WORD"].fillna("").tolist()
    assert {k: v for k, v in meta.column_names_to_labels.items() if v} == back.attrs["labels"]


@pytest.mark.parametrize("version", [5, 8])
def test_pyreadstats_own_files_read_alike(version, tmp_path) -> None:
    frame = pd.DataFrame({"A": ["x", "", "é"], "B": [1.5, np.nan, -2.0], "C": [1, 2, 3]})
    path = tmp_path / "dm.xpt"
    pyreadstat.write_xport(
        frame, path, column_labels=["la", None, "lc"], table_name="DM", file_format_version=version
    )
    back = tk.read(path)
    assert back["A"].fillna("").tolist() == ["x", "", "é"]
    np.testing.assert_array_equal(back["B"], frame["B"])
    assert back.attrs == {"labels": {"A": "la", "C": "lc"}, "special_missing": {}}


def test_version_8_keeps_long_names_labels_and_text(tmp_path) -> None:
    frame = pd.DataFrame({"A_RATHER_LONG_NAME": ["x" * 5000], "B": [1.0]})
    frame.attrs["labels"] = {"A_RATHER_LONG_NAME": "l" * 256, "B": "short"}
    tk.write_xpt(frame, tmp_path / "a.xpt", version=8, label="data set", name="LONGER_NAME")
    back = tk.read(tmp_path / "a.xpt")
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs["labels"] == frame.attrs["labels"]
    _, meta = pyreadstat.read_xport(tmp_path / "a.xpt")
    assert (meta.table_name, meta.file_label) == ("LONGER_NAME", "data set")


def test_the_same_frame_gives_the_same_bytes(tmp_path) -> None:
    frame = pd.DataFrame({"A": ["x"], "B": [1]})
    for version in (5, 8):
        tk.write_xpt(frame, tmp_path / "a.xpt", version=version)
        _, meta = pyreadstat.read_xport(tmp_path / "a.xpt")
        assert meta.creation_time.year == 1960
        assert meta.modification_time.year == 1960
        assert meta.table_name == "A"
        assert tk.read(tmp_path / "a.xpt").shape == (1, 2)
    assert [item.name for item in tmp_path.iterdir()] == ["a.xpt"]


def patched(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert data.count(old) == 1, data.count(old)
    path.write_bytes(data.replace(old, new))
    return path


def ibm(value: float) -> bytes:
    """IBM float by long division, independent of the reader: sign, exponent, 14 hex digits."""
    exponent, rest = 64, abs(value)
    while rest >= 1:
        rest, exponent = rest / 16, exponent + 1
    while 0 < rest < 1 / 16:
        rest, exponent = rest * 16, exponent - 1
    return struct.pack(">Q", int(rest * 2**56) | (exponent | (0x80 if value < 0 else 0)) << 56)


def test_lettered_missing_values_are_missing_and_counted(tmp_path) -> None:
    values = [0.15625, 2.71875, 3.14, 1.25]
    path = tmp_path / "a.xpt"
    tk.write_xpt(pd.DataFrame({"X": values, "Y": 1.0}), path)
    patched(path, ibm(values[0]), b"A" + bytes(7))
    patched(path, ibm(values[1]), b"_" + bytes(7))
    patched(path, ibm(values[3]), b"A" + bytes(7))
    frame = tk.read(path)
    np.testing.assert_array_equal(frame["X"], [np.nan, np.nan, 3.14, np.nan])
    assert frame.attrs["special_missing"] == {"X": {".A": 2, "._": 1}}


def test_numbers_shortened_by_sas_are_read(tmp_path) -> None:
    """LENGTH X 3: only the first bytes of the number are stored."""
    path = tmp_path / "a.xpt"
    tk.write_xpt(pd.DataFrame({"X": [1.5, -255.0], "Y": [9.0, 9.0]}), path)
    data = bytearray(path.read_bytes())
    struct.pack_into(">h", data, 640 + 4, 3)  # width of X
    struct.pack_into(">i", data, 640 + 140 + 84, 3)  # position of Y
    start = data.index(ibm(1.5))
    rows = b"".join(ibm(x)[:3] + ibm(9.0) for x in (1.5, -255.0))
    path.write_bytes(bytes(data[:start]) + rows.ljust(80))
    frame = tk.read(path)
    assert frame["X"].tolist() == [1.5, -255.0]
    assert frame["Y"].tolist() == [9.0, 9.0]


@pytest.mark.parametrize(
    ("sas_format", "number", "expected"),
    [
        ("DATE9", 22000.0, "2020-03-26"),
        ("YYMMDD10", -1.0, "1959-12-31"),
        ("E8601DA10", 22000.5, "2020-03-26T12:00"),
        ("MONYY7", 0.0, "1960-01-01"),
        ("DATETIME20", 86400.25, "1960-01-02T00:00:00.25"),
        ("TIME8", 86400.0, 86400.0),
        ("8.2", 22000.0, 22000.0),
        ("DATES9", 22000.0, 22000.0),
    ],
)
def test_formats_that_make_a_number_a_date(sas_format, number, expected, tmp_path) -> None:
    path = tmp_path / "a.xpt"
    pyreadstat.write_xport(
        pd.DataFrame({"X": [number, np.nan]}),
        path,
        variable_format={"X": sas_format},
        file_format_version=5,
    )
    column = tk.read(path)["X"]
    assert column.isna().tolist() == [False, True]
    assert column[0] == (pd.Timestamp(expected) if isinstance(expected, str) else expected)


def test_a_date_beyond_the_calendar_is_refused(tmp_path) -> None:
    path = tmp_path / "a.xpt"
    frame = pd.DataFrame({"ADT": [1.0, 1e9]})
    pyreadstat.write_xport(frame, path, variable_format={"ADT": "DATE9"}, file_format_version=5)
    with pytest.raises(tk.DataError, match=r"'ADT' has the date format DATE.*row 2: 1e\+09"):
        tk.read(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, np.inf, -np.inf], r"'A': 2 value\(s\) infinite.*first row 2: .*inf"),
        ([1.0, 2.0**249], r"'A': 1 value\(s\) outside the range.*first row 2"),
        ([1e-80, 1.0], r"outside the range.*first row 1"),
        ([2**53 + 1, 1], r"beyond 2\*\*53.*as text.*first row 1: .*9007199254740993"),
        (["a", "é" * 100 + "x"], r"'A': 1 value\(s\) longer than 200 bytes; first row 2"),
        (["a", "b "], r"with trailing blanks.*first row 2: 'b '"),
        (["a\x00", "b"], r"with a NUL character; first row 1"),
        (["a", 1], r"not text, in a column of text.*first row 2: 1"),
        (pd.Series(["a", "\ud800"], dtype=object), r"'A' holds text that is not valid Unicode"),
        ([True, False], r"'A' is boolean; SAS has none"),
        (pd.to_timedelta([1], unit="D"), r"'A' has the type timedelta64"),
        (pd.to_datetime(["2024-01-01"]).tz_localize("UTC"), r"'A' has a time zone"),
        (pd.to_datetime([1], unit="ns"), r"finer than a microsecond.*first row 1"),
        (["a", ""], r"last row holds blank text alone.*version=8"),
    ],
)
def test_values_that_sas_cannot_hold(values, message, tmp_path) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.write_xpt(
            pd.DataFrame({"A": values}).set_index(np.full(len(values), 7)), tmp_path / "a.xpt"
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("TOOLONGNAME", r"'TOOLONGNAME' cannot be named so in SAS.*at most 8 bytes"),
        ("1A", r"'1A' cannot be named so"),
        ("A B", r"'A B' cannot be named so"),
        ("É", r"'É' cannot be named so"),
        (1, r"Column 1 cannot be named so"),
        ("x", r"'x' occurs twice; SAS ignores case"),
    ],
)
def test_names_that_sas_does_not_allow(name, message, tmp_path) -> None:
    frame = pd.DataFrame([[1, 2]], columns=["X", name])
    with pytest.raises(tk.DataError, match=message):
        tk.write_xpt(frame, tmp_path / "a.xpt")


def test_labels_count_in_bytes(tmp_path) -> None:
    frame = pd.DataFrame({"A": [1]})
    frame.attrs["labels"] = {"A": "é" * 20, "GONE": "x" * 99}
    tk.write_xpt(frame, tmp_path / "a.xpt")
    assert tk.read(tmp_path / "a.xpt").attrs["labels"] == {"A": "é" * 20}
    frame.attrs["labels"] = {"A": "é" * 21}
    with pytest.raises(tk.DataError, match=r"label of column 'A' has 42 bytes; at most 40"):
        tk.write_xpt(frame, tmp_path / "a.xpt")
    frame.attrs["labels"] = {"A": 5}
    with pytest.raises(tk.DataError, match=r"label of column 'A' is 5; a label is text"):
        tk.write_xpt(frame, tmp_path / "a.xpt")
    frame.attrs["labels"] = ["A"]
    with pytest.raises(tk.DataError, match=r"must map column names to labels"):
        tk.write_xpt(frame, tmp_path / "a.xpt")


def test_text_of_just_200_bytes(tmp_path) -> None:
    frame = pd.DataFrame({"A": ["é" * 100, "x" * 200]})
    tk.write_xpt(frame, tmp_path / "a.xpt")
    pd.testing.assert_frame_equal(tk.read(tmp_path / "a.xpt"), frame)


def test_arguments(tmp_path) -> None:
    frame = pd.DataFrame({"A": [1]})
    with pytest.raises(tk.SpecError, match=r"version=6; XPT versions 5 and 8"):
        tk.write_xpt(frame, tmp_path / "a.xpt", version=6)  # type: ignore[arg-type]
    with pytest.raises(tk.SpecError, match=r"a name that ends in \.xpt"):
        tk.write_xpt(frame, tmp_path / "a.csv")
    with pytest.raises(tk.SpecError, match=r"'QS-1' is no name.*pass name="):
        tk.write_xpt(frame, tmp_path / "qs-1.xpt")
    with pytest.raises(tk.SpecError, match=r"label= has 41 bytes"):
        tk.write_xpt(frame, tmp_path / "a.xpt", label="x" * 41)
    with pytest.raises(tk.DataError, match=r"has the index \['A'\].*reset_index"):
        tk.write_xpt(frame.assign(B=1).set_index("A"), tmp_path / "a.xpt")
    with pytest.raises(tk.DataError, match=r"no columns"):
        tk.write_xpt(frame[[]], tmp_path / "a.xpt")


def test_categories_and_nullable_numbers(tmp_path) -> None:
    frame = pd.DataFrame(
        {
            "C": pd.Categorical(["b", None, "a"]),
            "K": pd.Categorical([2, None, 1]),
            "I": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    tk.write_xpt(frame, tmp_path / "a.xpt")
    back = tk.read(tmp_path / "a.xpt")
    assert back["C"].fillna("-").tolist() == ["b", "-", "a"]
    assert back["K"].fillna(-1).tolist() == [2, -1, 1]
    assert back["I"].fillna(-1).tolist() == [1, -1, 3]
