"""The headers of a SAS transport file, versions 5 and 8.

A transport file is a sequence of 80-byte records. Version 5 does not say how many rows it has:
the rows run to the end of the file, padded with blanks to a whole record. Version 8 may say so.
Specifications: SAS technical notes TS-140 (version 5) and TS-140_2 (version 8).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from trialkit.data.columns import require_names
from trialkit.errors import DataError

__all__ = ["RECORD", "Variable", "XptLayout", "read_layout"]

RECORD = 80
_NAMESTR = struct.Struct(">hhhh8s40s8shhh2s8shhi52s")
# Header records in their order; the two versions differ in spelling only.
_NAMES: dict[Literal[5, 8], tuple[bytes, ...]] = {
    5: (b"LIBRARY", b"MEMBER", b"DSCRPTR", b"NAMESTR", b"OBS"),
    8: (b"LIBV8", b"MEMBV8", b"DSCPTV8", b"NAMSTV8", b"OBSV8"),
}
_NUMERIC, _TEXT = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One column: where its `width` bytes lie in a row."""

    name: str
    label: str
    format: str
    is_text: bool
    position: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class XptLayout:
    """What the headers say; `n_rows` is None where they do not say it."""

    version: Literal[5, 8]
    dataset: str
    variables: tuple[Variable, ...]
    row_length: int
    data_start: int
    n_rows: int | None


def read_layout(path: Path, data: bytes, codec: str) -> XptLayout:
    """Parse and check the headers; DataError names the record that is wrong."""
    if len(data) % RECORD:
        raise DataError(
            f"{path}: {len(data)} bytes are not a whole number of 80-byte records: "
            "the transport file is cut off or was changed in transfer (text mode)."
        )
    version: Literal[5, 8] = 8 if data[20:25] == b"LIBV8" else 5
    library, member, descriptor, namestr, observations = _NAMES[version]
    _require(path, data, 0, library)
    member_record = _require(path, data, 3, member)
    _require(path, data, 4, descriptor)
    size = _digits(path, member_record[73:78], 3)
    if size != _NAMESTR.size:
        raise DataError(f"{path}: describes columns in {size} bytes each; only 140 is read.")
    count = _digits(path, _require(path, data, 7, namestr)[53:58], 7)
    start = 8 * RECORD
    end = start + count * _NAMESTR.size
    if end > len(data):
        raise DataError(f"{path} is cut off within the description of its {count} columns.")
    variables = [
        _variable(path, data[place : place + _NAMESTR.size], version, codec)
        for place in range(start, end, _NAMESTR.size)
    ]
    record = -(-end // RECORD)
    if version == 8:
        variables, record = _long_labels(path, data, record, variables, codec)
    final = _require(path, data, record, observations)
    _check_columns(path, variables)
    return XptLayout(
        version=version,
        dataset=data[5 * RECORD + 8 : 5 * RECORD + (16 if version == 5 else 40)]
        .decode(codec, "replace")
        .rstrip(),
        variables=tuple(variables),
        row_length=sum(variable.width for variable in variables),
        data_start=(record + 1) * RECORD,
        n_rows=_declared_rows(path, final, record) if version == 8 else None,
    )


def _record(path: Path, data: bytes, index: int) -> bytes:
    record = data[index * RECORD : (index + 1) * RECORD]
    if len(record) < RECORD:
        raise DataError(f"{path} is cut off within its headers (record {index + 1}).")
    return record


def _require(path: Path, data: bytes, index: int, name: bytes) -> bytes:
    record = _record(path, data, index)
    if not record.startswith(b"HEADER RECORD*******" + name.ljust(8)):
        raise DataError(
            f"{path}: record {index + 1} should be the {name.decode()} header of a SAS transport "
            f"file but begins with {record[:28]!r}; the file is damaged."
        )
    return record


def _digits(path: Path, field: bytes, index: int) -> int:
    text = field.strip()
    if not text.isdigit():
        raise DataError(f"{path}: record {index + 1} has {field!r} where a count should be.")
    return int(text)


def _declared_rows(path: Path, record: bytes, index: int) -> int | None:
    """The row count of version 8; early files have thirty zeros there instead."""
    field = record[48:63]
    if not field.strip() or field == b"0" * 15:
        return None
    return _digits(path, field, index)


def _decode(path: Path, raw: bytes, codec: str, what: str) -> str:
    try:
        return raw.rstrip(b" \x00").decode(codec)
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: {what} {raw.rstrip()!r} is not {codec}; pass the file's encoding, for "
            "example encoding='cp1252'."
        ) from None


def _variable(path: Path, raw: bytes, version: Literal[5, 8], codec: str) -> Variable:
    fields = _NAMESTR.unpack(raw)
    kind, width, short, label, sas_format, position = (
        fields[0],
        fields[2],
        fields[4],
        fields[5],
        fields[6],
        fields[14],
    )
    long_name = fields[15][:32] if version == 8 else b""
    name = _decode(path, long_name.rstrip(b" \x00") or short, codec, "column name")
    if kind not in (_NUMERIC, _TEXT):
        raise DataError(f"{path}: column {name!r} has the type {kind}; 1 and 2 are allowed.")
    allowed = range(2, 9) if kind == _NUMERIC else range(1, 32768)
    if width not in allowed:
        raise DataError(
            f"{path}: column {name!r} has a width of {width} bytes; "
            f"{allowed[0]} to {allowed[-1]} are allowed."
        )
    return Variable(
        name=name,
        label=_decode(path, label, codec, f"the label of {name!r}"),
        format=_decode(path, sas_format, codec, f"the format of {name!r}"),
        is_text=kind == _TEXT,
        position=position,
        width=width,
    )


def _long_labels(
    path: Path, data: bytes, record: int, variables: list[Variable], codec: str
) -> tuple[list[Variable], int]:
    """Names, labels and formats too long for the description, and the record after them."""
    header = _record(path, data, record)
    kind = header[20:27]
    if kind not in (b"LABELV8", b"LABELV9"):
        return variables, record
    lengths = struct.Struct(">hhh" if kind == b"LABELV8" else ">hhhhh")
    place = (record + 1) * RECORD
    changed = list(variables)
    for _ in range(_digits(path, header[48:53], record)):
        if place + lengths.size > len(data):
            raise DataError(f"{path} is cut off within its long labels.")
        number, *sizes = lengths.unpack_from(data, place)
        place += lengths.size
        if not 1 <= number <= len(changed) or min(sizes) < 0 or place + sum(sizes) > len(data):
            raise DataError(f"{path}: the long label of column {number} is damaged.")
        parts = []
        for size in sizes:
            parts.append(_decode(path, data[place : place + size], codec, "long label"))
            place += size
        old = changed[number - 1]
        changed[number - 1] = replace(
            old,
            name=parts[0] or old.name,
            label=parts[-1] or old.label,
            format=parts[1] if len(parts) == 4 and parts[1] else old.format,
        )
    return changed, -(-place // RECORD)


def _check_columns(path: Path, variables: Sequence[Variable]) -> None:
    """Names once each, and fields that fill a row without gap or overlap."""
    require_names(path, [variable.name for variable in variables], ignore_case=True)
    place = 0
    for variable in sorted(variables, key=lambda variable: variable.position):
        if variable.position != place:
            raise DataError(
                f"{path}: column {variable.name!r} starts at byte {variable.position} of a row "
                f"where {place} is free; the headers are damaged."
            )
        place += variable.width
