"""Dataset-JSON 1.0 and 1.1: every rule of the structure has a file that breaks it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk

COLUMNS = [
    {"itemOID": "IT.Q.USUBJID", "name": "USUBJID", "label": "Subject", "dataType": "string"},
    {"itemOID": "IT.Q.AVAL", "name": "AVAL", "label": "Value", "dataType": "float"},
    {"itemOID": "IT.Q.N", "name": "N", "label": "Count", "dataType": "integer"},
    {"itemOID": "IT.Q.DOSE", "name": "DOSE", "label": "Dose", "dataType": "decimal"},
    {"itemOID": "IT.Q.FL", "name": "FL", "label": "", "dataType": "boolean"},
    {"itemOID": "IT.Q.DTC", "name": "DTC", "label": "Date", "dataType": "date"},
    {
        "itemOID": "IT.Q.ADT",
        "name": "ADT",
        "label": "Date",
        "dataType": "date",
        "targetDataType": "integer",
        "displayFormat": "E8601DA.",
    },
]
COLUMNS[0] |= {"length": 12, "keySequence": 1}
ROWS: list[list[Any]] = [
    ["001", 1.5, 3, "4.50", True, "2024-01", "2024-01-31"],
    ["", None, None, None, None, "", None],
]


def document(**changes: Any) -> dict[str, Any]:
    return {
        "datasetJSONCreationDateTime": "2024-01-31T10:00:00",
        "datasetJSONVersion": "1.1.0",
        "itemGroupOID": "IG.Q",
        "records": len(changes.get("rows", ROWS)),
        "name": "ADQS",
        "label": "Questionnaires",
        "columns": copy.deepcopy(COLUMNS),
        "rows": copy.deepcopy(ROWS),
    } | changes


def old_document(version: str = "1.0.0", kind: str = "clinicalData") -> dict[str, Any]:
    items = [
        {"OID": "ITEMGROUPDATASEQ", "name": "ITEMGROUPDATASEQ", "label": "n", "type": "integer"},
        {"OID": "IT.Q.USUBJID", "name": "USUBJID", "label": "Subject", "type": "string"},
        {"OID": "IT.Q.AVAL", "name": "AVAL", "label": "Value", "type": "float"},
    ]
    group = {
        "records": 2,
        "name": "ADQS",
        "label": "Questionnaires",
        "items": items,
        "itemData": [[1, "001", 1.5], [2, "002", None]],
    }
    return {
        "creationDateTime": "2023-01-31T10:00:00",
        "datasetJSONVersion": version,
        kind: {"studyOID": "S", "itemGroupData": {"IG.Q": group}},
    }


def write(folder: Path, content: Any, name: str = "a.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def ndjson(content: dict[str, Any]) -> str:
    head = {key: value for key, value in content.items() if key != "rows"}
    return "\n".join(json.dumps(line) for line in [head, *content["rows"]]) + "\n"


def check(frame: pd.DataFrame) -> None:
    assert frame["USUBJID"].fillna("-").tolist() == ["001", "-"]
    assert frame["AVAL"].fillna(-1).tolist() == [1.5, -1]
    assert frame["N"].fillna(-1).tolist() == [3, -1]
    assert frame["DOSE"].fillna(-1).tolist() == [4.5, -1]
    assert frame["FL"].tolist() == [True, pd.NA]
    assert frame["DTC"].fillna("-").tolist() == ["2024-01", "-"]
    assert frame["ADT"].tolist() == [pd.Timestamp("2024-01-31"), pd.NaT]
    assert frame.attrs["labels"] == {c["name"]: c["label"] for c in COLUMNS if c["label"]}


def test_version_1_1_as_json_and_ndjson(tmp_path) -> None:
    check(tk.read(write(tmp_path, document())))
    check(tk.read(write(tmp_path, json.dumps(document(), indent=2))))
    check(tk.read(write(tmp_path, ndjson(document()), "a.ndjson")))
    check(tk.read(write(tmp_path, ndjson(document()).replace("\n", "\r\n"), "b.ndjson")))


@pytest.mark.parametrize("kind", ["clinicalData", "referenceData"])
def test_version_1_0_without_its_record_number(kind, tmp_path) -> None:
    frame = tk.read(write(tmp_path, old_document(kind=kind)))
    expected = pd.DataFrame({"USUBJID": ["001", "002"], "AVAL": [1.5, np.nan]})
    pd.testing.assert_frame_equal(frame, expected)
    assert frame.attrs["labels"] == {"USUBJID": "Subject", "AVAL": "Value"}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(
                st.none(),
                st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
            ),
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            st.one_of(st.none(), st.booleans()),
        ),
        max_size=6,
    ),
    ascii_only=st.booleans(),
)
def test_values_round_trip(rows, ascii_only, tmp_path_factory) -> None:
    kinds = ["string", "double", "integer", "boolean"]
    columns = [
        {"itemOID": f"IT.{kind}", "name": kind, "label": kind, "dataType": kind} for kind in kinds
    ]
    content = document(columns=columns, rows=[list(row) for row in rows])
    folder = tmp_path_factory.mktemp("json")
    write(folder, json.dumps(content, ensure_ascii=ascii_only))
    frames = [tk.read(folder / "a.json"), tk.read(write(folder, ndjson(content), "a.ndjson"))]
    pd.testing.assert_frame_equal(*frames)
    for position, kind in enumerate(kinds):
        cells = [row[position] for row in rows]
        assert frames[0][kind].isna().tolist() == [cell in (None, "") for cell in cells]
        expected = [cell for cell in cells if cell not in (None, "")]
        got = frames[0][kind].dropna().tolist()
        assert got == expected


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in document().items() if name != key}


def with_column(position: int, **changes: Any) -> dict[str, Any]:
    content = document()
    content["columns"][position] |= changes
    return content


def with_cell(column: int, value: Any) -> dict[str, Any]:
    content = document()
    content["rows"][1][column] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (without("datasetJSONVersion"), r"a\.json is JSON but not Dataset-JSON.*datasetJSONVer"),
        ([1, 2], r"is JSON but not Dataset-JSON"),
        (document(datasetJSONVersion="2.0.0"), r"version '2\.0\.0'; 1\.0 and 1\.1 are read"),
        (without("rows"), r"requires 'rows'"),
        (without("columns"), r"describes no columns"),
        (without("records"), r"'records', the number of rows, is required"),
        (without("itemGroupOID"), r"requires 'itemGroupOID', as text"),
        (without("datasetJSONCreationDateTime"), r"requires 'datasetJSONCreationDateTime'"),
        (document(name=5), r"requires 'name', as text"),
        (document(records=3), r"'records' declares 3 rows, the file has 2: it is cut off"),
        (document(records=True), r"'records', the number of rows"),
        (document(rows={}), r"the rows must be a JSON array"),
        (document(rows=[["001"]]), r"row 1 has 1 value\(s\), there are 7 columns"),
        (document(rows=[ROWS[0], "x"]), r"row 2 has no JSON array"),
        (document(columns=[]), r"describes no columns"),
        (document(columns=["A"]), r"description of column 1 is not a JSON object"),
        (with_column(1, name="USUBJID"), r"more than once, first 'USUBJID' \(columns 1, 2\)"),
        (with_column(1, name=" "), r"column 2 has no name"),
        (with_column(1, label=None), r"column 2 requires 'label', as text"),
        (with_column(1, itemOID=None), r"column 2 requires 'itemOID', as text"),
        (with_column(1, dataType="number"), r"'AVAL' has the type 'number'; allowed: string, "),
        (with_column(6, targetDataType="date"), r"targetDataType 'date'; allowed: integer, dec"),
        (with_column(0, length=0), r"'length' of column 'USUBJID' must be 1 or more"),
        (with_column(0, length="9"), r"'length' of column 'USUBJID'"),
        (with_column(1, keySequence=1), r"two columns have the same 'keySequence'"),
        (with_cell(0, 1), r"'USUBJID', row 2: 1 is not text, as its type 'string' requires"),
        (with_cell(0, "\ud800"), r"'USUBJID', row 2: '.ud800' is not text"),
        (with_cell(1, "1.5"), r"'AVAL', row 2: '1\.5' is not a number"),
        (with_cell(1, True), r"'AVAL', row 2: True is not a number"),
        (with_cell(1, 10**400), r"'AVAL', row 2: 10+ is not a number"),
        (with_cell(2, 1.5), r"'N', row 2: 1\.5 is not a whole number"),
        (with_cell(2, 2**63), r"'N', row 2: 9223372036854775808 is not a whole number of 64"),
        (with_cell(2, False), r"'N', row 2: False is not a whole number"),
        (with_cell(3, "4,5"), r"'DOSE', row 2: '4,5' is not a decimal number"),
        (with_cell(3, "1e999"), r"'DOSE', row 2: '1e999' is not a decimal number"),
        (with_cell(4, "true"), r"'FL', row 2: 'true' is not true or false"),
        (with_cell(5, "unknown"), r"'DTC', row 2: 'unknown' is not an ISO 8601 date"),
        (with_cell(5, 20240131), r"'DTC', row 2: 20240131 is not an ISO 8601 date"),
        (with_cell(6, "2024-02-30"), r"'ADT', row 2: '2024-02-30' is not an ISO 8601 date"),
        (with_cell(6, "2024-02"), r"'ADT', row 2: '2024-02' is not an ISO 8601 date"),
        (with_cell(6, "2024-02-01T00:00Z"), r"'ADT', row 2"),
        (old_document() | {"clinicalData": {}}, r"holds 0 data sets \(none\)"),
        (old_document() | {"clinicalData": 5}, r"must hold an object 'itemGroupData'"),
        (
            old_document() | {"referenceData": {"itemGroupData": {"IG.X": {}}}},
            r"holds 2 data sets \(IG\.Q, IG\.X\); one a file",
        ),
        ('{"datasetJSONVersion": "1.1.0", "rows": NaN}', r"NaN is not JSON"),
        ('{"rows": 1, "rows": 2}', r"the key 'rows' occurs twice"),
        ('{"rows":\n [1, 2', r"line 2, column 7: .*; the file is cut off or damaged"),
        ('{"rows": 1}\n[1]', r"line 2, column 1: extra data; text follows.*\.ndjson"),
        ("[" * 100_000, r"nested too deeply"),
        ('{"records": ' + "9" * 5000 + "}", r"line 1: Exceeds the limit"),
    ],
)
def test_refused(content, message, tmp_path) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.read(write(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(document()) + "\n", r"line 1 holds the rows as well.*ends in \.json"),
        (json.dumps(old_document()) + "\n", r"NDJSON exists since version 1\.1"),
        (ndjson(document()) + "[1", r"line 4, column 3: .*cut off"),
        (ndjson(document()).replace("\n", "\n\n", 1), r"line 2, column 1"),
        (ndjson(document(records=3)), r"declares 3 rows, the file has 2"),
        ("\n\n", r"is empty: it holds white space only|looks like plain text"),
    ],
)
def test_ndjson_refused(text, message, tmp_path) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.read(write(tmp_path, text, "a.ndjson"))


def test_no_rows(tmp_path) -> None:
    frame = tk.read(write(tmp_path, document(rows=[])))
    assert frame.shape == (0, len(COLUMNS))
