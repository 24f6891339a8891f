"""Parquet: stored types as they are, or refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@settings(deadline=None, max_examples=50)
@given(
    text=st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=6),
    label=TEXT,
    numbers=st.lists(st.floats(), min_size=6, max_size=6),
)
def test_round_trip_with_labels(text, label, numbers, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    frame = pd.DataFrame(
        {
            "T": pd.Series(["x", *(np.nan if cell is None else cell for cell in text)]),
            "N": [1.5, *numbers[: len(text)]],
            "I": range(len(text) + 1),
            "B": [True, *[False] * len(text)],
            "C": pd.Categorical(["b", *["a"] * len(text)], categories=["b", "a"], ordered=True),
            "D": pd.to_datetime(["2024-01-31", *[None] * len(text)]),
        }
    )
    frame.attrs["labels"] = {"N": label}
    frame.to_parquet(path)
    back = tk.read(path)
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs == {"labels": {"N": label}}


def write(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_types_that_pandas_alone_would_damage(tmp_path) -> None:
    path = write(
        tmp_path / "a.parquet",
        big=pa.array([2**53 + 1, None], pa.int64()),
        small=pa.array([1, None], pa.int64()),
        flag=pa.array([True, None]),
        dose=pa.array([Decimal("4.5"), None]),
        day=pa.array([0, None], pa.date32()),
        nothing=pa.nulls(2),
        text=pa.array(["", "NA"]),
    )
    frame = tk.read(path)
    assert frame["big"].dtype == "Int64"
    assert int(frame["big"][0]) == 2**53 + 1
    assert frame["small"].tolist()[0] == 1.0
    assert frame["flag"].dtype == "boolean"
    assert frame["dose"].tolist()[0] == 4.5
    assert frame["day"][0] == pd.Timestamp("1970-01-01")
    assert frame["nothing"].dtype == "float64"
    assert frame["text"].isna().tolist() == [True, False]
    assert frame.drop(columns="text").isna().sum().tolist() == [1, 1, 1, 1, 1, 2]


def test_an_index_that_pandas_stored_is_not_a_column(tmp_path) -> None:
    pd.DataFrame({"A": [1, 2]}, index=[5, 7]).to_parquet(tmp_path / "a.parquet")
    frame = tk.read(tmp_path / "a.parquet")
    assert list(frame.columns) == ["A"]
    assert frame.index.tolist() == [0, 1]


def test_a_named_index_is_a_column(tmp_path) -> None:
    pd.DataFrame({"A": [1]}, index=pd.Index(["s"], name="USUBJID")).to_parquet(
        tmp_path / "a.parquet"
    )
    assert sorted(tk.read(tmp_path / "a.parquet").columns) == ["A", "USUBJID"]


def test_refused(tmp_path) -> None:
    path = write(tmp_path / "a.parquet", L=pa.array([[1], [2]]))
    with pytest.raises(tk.DataError, match=r"a\.parquet: column 'L' holds list.* single values"):
        tk.read(path)
    path = write(tmp_path / "b.parquet", B=pa.array([b"x"]))
    with pytest.raises(tk.DataError, match=r"column 'B' holds binary"):
        tk.read(path)
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], ["A", "A"]), tmp_path / "c.parquet")
    with pytest.raises(tk.DataError, match=r"more than once, first 'A' \(columns 1, 2\)"):
        tk.read(tmp_path / "c.parquet")
