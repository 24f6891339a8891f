"""A minimal SAS7BDAT file, byte by byte, so that reading and truncation are tested on real input.

Follows the publicly documented reverse-engineered layout (M. Shotwell, "SAS7BDAT Database Binary
Format"): 32-bit, little-endian, uncompressed; one page of metadata, then pages of rows.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

MAGIC = bytes.fromhex("000000000000000000000000c2ea8160b31411cfbd92080009c7318c181f1011")
HEADER_SIZE = 1024
PAGE_HEADER = 24
POINTER = 12
META_PAGE, DATA_PAGE = 0x0000, 0x0100
ENCODINGS = {"utf-8": 20, "cp1252": 62}


@dataclass(frozen=True)
class Column:
    """One column: `width` in bytes for text, None for a number."""

    name: str
    width: int | None = None
    label: str = ""
    format: str = ""


def special_missing(letter: str) -> bytes:
    """The eight bytes of SAS's missing value `.`, `._` or `.A` to `.Z`."""
    tag = 0 if letter == "." else ord(letter)
    return bytes([0, 0, 0, 0, 0, 0xFF - tag if tag else 0xFE, 0xFF, 0xFF])


def sas7bdat_bytes(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | float | bytes | None]],
    *,
    page_size: int = 4096,
    encoding: str = "utf-8",
    declared_rows: int | None = None,
) -> bytes:
    """The whole file; `declared_rows` lies about the row count when given."""
    offsets, row_length = _row_layout(columns)
    count = len(rows) if declared_rows is None else declared_rows
    meta = _meta_page(columns, offsets, row_length, count, page_size, encoding)
    packed = [_pack_row(columns, offsets, row_length, row, encoding) for row in rows]
    per_page = (page_size - PAGE_HEADER) // row_length
    pages = [meta]
    for start in range(0, len(packed), per_page):
        block = packed[start : start + per_page]
        page = bytearray(page_size)
        struct.pack_into("<HHH", page, 16, DATA_PAGE, len(block), 0)
        data = b"".join(block)
        page[PAGE_HEADER : PAGE_HEADER + len(data)] = data
        pages.append(bytes(page))
    return _header(page_size, len(pages), encoding) + b"".join(pages)


def _row_layout(columns: Sequence[Column]) -> tuple[list[int], int]:
    """Numbers first, on 8-byte boundaries, then text."""
    offsets, position = [0] * len(columns), 0
    for numeric in (True, False):
        for index, column in enumerate(columns):
            if (column.width is None) is numeric:
                offsets[index] = position
                position += column.width or 8
    return offsets, max(8, math.ceil(position / 8) * 8)


def _pack_row(
    columns: Sequence[Column],
    offsets: Sequence[int],
    row_length: int,
    row: Sequence[str | float | bytes | None],
    encoding: str,
) -> bytes:
    data = bytearray(row_length)
    for column, offset, value in zip(columns, offsets, row, strict=True):
        if column.width is None:
            if isinstance(value, bytes):
                raw = value
            elif value is None:
                raw = special_missing(".")
            else:
                assert not isinstance(value, str)
                raw = struct.pack("<d", value)
        elif isinstance(value, bytes):
            raw = value.ljust(column.width)
        else:
            raw = str("" if value is None else value).encode(encoding).ljust(column.width)
        data[offset : offset + len(raw)] = raw
    return bytes(data)


def _header(page_size: int, page_count: int, encoding: str) -> bytes:
    header = bytearray(HEADER_SIZE)
    header[:32] = MAGIC
    header[32:40] = b"\x22\x22\x00\x32\x22\x01\x02\x32"
    header[70] = ENCODINGS[encoding]
    header[84:92] = b"SAS FILE"
    header[92:156] = b"TESTDATA".ljust(64)
    header[156:164] = b"DATA    "
    struct.pack_into("<dd", header, 164, 0.0, 0.0)
    struct.pack_into("<III", header, 196, HEADER_SIZE, page_size, page_count)
    header[216:224] = b"9.0401M6"
    return bytes(header)


def _meta_page(
    columns: Sequence[Column],
    offsets: Sequence[int],
    row_length: int,
    row_count: int,
    page_size: int,
    encoding: str,
) -> bytes:
    text, refs = _text_blob(columns, encoding)
    subheaders = [
        _row_size(row_length, row_count, len(columns), page_size),
        struct.pack("<IIi", 0xF6F6F6F6, len(columns), 0),
        text,
        _names(refs),
        _attributes(columns, offsets),
        *(_format_and_label(ref) for ref in refs),
    ]
    page = bytearray(page_size)
    struct.pack_into("<HHH", page, 16, META_PAGE, len(subheaders), len(subheaders))
    position = PAGE_HEADER + POINTER * len(subheaders)
    assert position + sum(map(len, subheaders)) <= page_size, "the page is too small"
    for index, subheader in enumerate(subheaders):
        struct.pack_into(
            "<IIBBH", page, PAGE_HEADER + POINTER * index, position, len(subheader), 0, 0, 0
        )
        page[position : position + len(subheader)] = subheader
        position += len(subheader)
    return bytes(page)


def _row_size(row_length: int, row_count: int, n_columns: int, page_size: int) -> bytes:
    data = bytearray(480)
    struct.pack_into("<I", data, 0, 0xF7F7F7F7)
    struct.pack_into("<II", data, 20, row_length, row_count)
    struct.pack_into("<II", data, 36, n_columns, 0)
    struct.pack_into("<I", data, 52, page_size)
    return bytes(data)


Reference = tuple[int, int]  # offset and length inside the text blob


def _text_blob(
    columns: Sequence[Column], encoding: str
) -> tuple[bytes, list[tuple[Reference, Reference, Reference]]]:
    """All names, formats and labels, and where each column's three lie."""
    blob = bytearray(28)
    refs = []
    for column in columns:
        parts = []
        for word in (column.name, column.format, column.label):
            raw = word.encode(encoding)
            parts.append((len(blob), len(raw)))
            blob += raw.ljust(math.ceil(len(raw) / 4) * 4, b"\x00")
        refs.append((parts[0], parts[1], parts[2]))
    struct.pack_into("<H", blob, 0, len(blob))
    return struct.pack("<I", 0xFFFFFFFD) + bytes(blob) + bytes(8), refs


def _names(refs: Sequence[tuple[Reference, Reference, Reference]]) -> bytes:
    length = 20 + 8 * len(refs)
    data = bytearray(struct.pack("<IHHI", 0xFFFFFFFF, length - 12, 0, 0))
    for (offset, size), _, _ in refs:
        data += struct.pack("<HHHH", 0, offset, size, 0)
    return bytes(data.ljust(length, b"\x00"))


def _attributes(columns: Sequence[Column], offsets: Sequence[int]) -> bytes:
    length = 20 + 12 * len(columns)
    data = bytearray(struct.pack("<IHHI", 0xFFFFFFFC, length - 12, 0, 0))
    for column, offset in zip(columns, offsets, strict=True):
        kind = 1 if column.width is None else 2
        data += struct.pack("<IIHBB", offset, column.width or 8, 4, kind, 0)
    return bytes(data.ljust(length, b"\x00"))


def _format_and_label(ref: tuple[Reference, Reference, Reference]) -> bytes:
    _, (format_offset, format_size), (label_offset, label_size) = ref
    data = bytearray(52)
    struct.pack_into("<I", data, 0, 0xFFFFFBFE)
    struct.pack_into("<HHH", data, 34, 0, format_offset, format_size)
    struct.pack_into("<HHH", data, 40, 0, label_offset, label_size)
    return bytes(data)
