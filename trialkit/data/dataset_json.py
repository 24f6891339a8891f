"""CDISC Dataset-JSON 1.0 and 1.1: the structure of a file, checked before a value is believed.

1.1: one object with `columns` and `rows`; as NDJSON the metadata on the first line and one row a
line after it. 1.0: the same one level down, under clinicalData or referenceData, with `items`
and `itemData`; its first item, ITEMGROUPDATASEQ, numbers the records and is not kept.
Specification: https://wiki.cdisc.org/display/DSJSON1DOT1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd

from trialkit.data.columns import finish, require_names
from trialkit.data.dataset_json_values import DATA_TYPES, TARGET_TYPES, Item, typed_column
from trialkit.data.decoding import decode_text
from trialkit.errors import DataError

__all__ = ["read_json", "read_ndjson"]

_RECORD_NUMBER = "ITEMGROUPDATASEQ"
_REQUIRED_1_1 = ("datasetJSONCreationDateTime", "itemGroupOID", "name", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """One data set as the file gives it, whatever its version."""

    declared: Any
    items: Any
    rows: Any
    oid_key: str  # what a column's identifier and type are called in this version
    type_key: str


def read_json(path: Path, data: bytes) -> pd.DataFrame:
    """The one data set of a Dataset-JSON file; see `trialkit.read` for the rules."""
    text = decode_text(path, data, None)
    document = _parse(path, text, 1)
    version = _version(path, document)
    table = _flat(path, document) if version == "1.1" else _nested(path, document)
    return _frame(path, table)


def read_ndjson(path: Path, data: bytes) -> pd.DataFrame:
    """The data set of a Dataset-JSON 1.1 file with one row a line."""
    lines = decode_text(path, data, None).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError(f"{path} is empty: it holds white space only.")
    document = _parse(path, lines[0], 1)
    if _version(path, document) != "1.1":
        raise DataError(f"{path}: NDJSON exists since version 1.1; this file says 1.0.")
    if "rows" in document:
        raise DataError(
            f"{path}: line 1 holds the rows as well, so this is a whole JSON document: give it a "
            "name that ends in .json."
        )
    rows = [_parse(path, line, number) for number, line in enumerate(lines[1:], start=2)]
    return _frame(path, _flat(path, {**document, "rows": rows}))


def _parse(path: Path, text: str, first_line: int) -> Any:
    def no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            again = next(key for key in keys if keys.count(key) > 1)
            raise DataError(f"{path}: the key {again!r} occurs twice in one JSON object.")
        return found

    def not_a_number(word: str) -> NoReturn:
        raise DataError(f"{path}: {word} is not JSON; a missing number is null.")

    try:
        return json.loads(text, object_pairs_hook=no_repeats, parse_constant=not_a_number)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        hint = "the file is cut off or damaged"
        if error.msg == "Extra data":
            hint = "text follows the JSON; one value a line is NDJSON and ends in .ndjson"
        raise DataError(
            f"{path}: line {line}, column {error.colno}: {error.msg.lower()}; {hint}."
        ) from None
    except RecursionError:
        raise DataError(f"{path}: line {first_line} is nested too deeply for a data set.") from None
    except ValueError as error:  # a whole number of more digits than Python reads
        raise DataError(f"{path}: line {first_line}: {error}.") from None


def _version(path: Path, document: Any) -> str:
    if not isinstance(document, dict) or "datasetJSONVersion" not in document:
        raise DataError(
            f"{path} is JSON but not Dataset-JSON: it has no 'datasetJSONVersion' at its top level."
        )
    version = str(document["datasetJSONVersion"])
    short = ".".join(version.split(".")[:2])
    if short not in ("1.0", "1.1"):
        raise DataError(f"{path}: Dataset-JSON version {version!r}; 1.0 and 1.1 are read.")
    return short


def _flat(path: Path, document: Mapping[str, Any]) -> _Table:
    for key in _REQUIRED_1_1:
        if not isinstance(document.get(key), str):
            raise DataError(f"{path}: Dataset-JSON 1.1 requires {key!r}, as text.")
    if "rows" not in document:
        raise DataError(f"{path}: Dataset-JSON 1.1 requires 'rows'; the file has none.")
    return _Table(
        declared=document.get("records"),
        items=document.get("columns"),
        rows=document["rows"],
        oid_key="itemOID",
        type_key="dataType",
    )


def _nested(path: Path, document: Mapping[str, Any]) -> _Table:
    groups: dict[str, Any] = {}
    for key in ("clinicalData", "referenceData"):
        part = document.get(key, {})
        if not isinstance(part, dict) or not isinstance(part.get("itemGroupData", {}), dict):
            raise DataError(f"{path}: {key!r} must hold an object 'itemGroupData'.")
        groups |= part.get("itemGroupData", {})
    if len(groups) != 1:
        raise DataError(
            f"{path} holds {len(groups)} data sets ({', '.join(groups) or 'none'}); "
            "one a file is read."
        )
    (group,) = groups.values()
    if not isinstance(group, dict):
        raise DataError(f"{path}: the data set {next(iter(groups))!r} is not a JSON object.")
    return _Table(
        declared=group.get("records"),
        items=group.get("items"),
        rows=group.get("itemData"),
        oid_key="OID",
        type_key="type",
    )


def _frame(path: Path, table: _Table) -> pd.DataFrame:
    items = _items(path, table)
    rows = table.rows
    if not isinstance(rows, list):
        raise DataError(f"{path}: the rows must be a JSON array.")
    if not isinstance(table.declared, int) or isinstance(table.declared, bool):
        raise DataError(f"{path}: 'records', the number of rows, is required as a whole number.")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(items):
            got = f"{len(row)} value(s)" if isinstance(row, list) else "no JSON array"
            raise DataError(f"{path}: row {number} has {got}, there are {len(items)} columns.")
    if table.declared != len(rows):
        raise DataError(
            f"{path}: 'records' declares {table.declared} rows, the file has {len(rows)}: it is "
            "cut off or was edited."
        )
    values = list(zip(*rows, strict=True)) or [()] * len(items)
    columns = {
        item.name: typed_column(path, item, cells)
        for item, cells in zip(items, values, strict=True)
        if item.oid != _RECORD_NUMBER or table.type_key == "dataType"
    }
    return finish(columns, len(rows), {item.name: item.label for item in items})


def _items(path: Path, table: _Table) -> list[Item]:
    if not isinstance(table.items, list) or not table.items:
        raise DataError(f"{path} describes no columns.")
    items = [_item(path, number, raw, table) for number, raw in enumerate(table.items, start=1)]
    require_names(path, [item.name for item in items])
    keys = sorted(item.key for item in items if item.key is not None)
    if len(set(keys)) != len(keys):
        raise DataError(f"{path}: two columns have the same 'keySequence'.")
    return items


def _item(path: Path, number: int, raw: Any, table: _Table) -> Item:
    if not isinstance(raw, dict):
        raise DataError(f"{path}: the description of column {number} is not a JSON object.")
    for key in (table.oid_key, "name", "label", table.type_key):
        if not isinstance(raw.get(key), str):
            raise DataError(f"{path}: column {number} requires {key!r}, as text.")
    for key in ("length", "keySequence"):
        value = raw.get(key)
        if value is not None and (not isinstance(value, int) or value is True or value < 1):
            raise DataError(f"{path}: {key!r} of column {raw['name']!r} must be 1 or more.")
    kind, target = raw[table.type_key], raw.get("targetDataType")
    if kind not in DATA_TYPES:
        raise DataError(
            f"{path}: column {raw['name']!r} has the type {kind!r}; allowed: "
            f"{', '.join(DATA_TYPES)}."
        )
    if target not in (None, *TARGET_TYPES):
        raise DataError(
            f"{path}: column {raw['name']!r} has the targetDataType {target!r}; allowed: "
            f"{', '.join(TARGET_TYPES)}."
        )
    return Item(
        oid=raw[table.oid_key],
        name=raw["name"],
        label=raw["label"],
        kind=kind,
        target=target,
        key=raw.get("keySequence"),
    )
