"""Bytes to text, or an error that says which byte of which line."""

from __future__ import annotations

import codecs
from pathlib import Path

from trialkit.errors import DataError, SpecError

__all__ = ["decode_text", "known_encoding"]

_BOM = "\ufeff"


def known_encoding(encoding: str | None) -> str:
    """The codec asked for, UTF-8 by default; SpecError where there is none of that name."""
    try:
        return codecs.lookup(encoding or "utf-8").name
    except LookupError:
        raise SpecError(
            f"encoding={encoding!r} is not known; for example 'utf-8', 'cp1252' or 'utf-16'."
        ) from None


def decode_text(path: Path, data: bytes, encoding: str | None) -> str:
    """The text of a file without its byte order mark; nothing is guessed or replaced."""
    codec = known_encoding(encoding)
    if encoding is None and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path} is in UTF-16: save it as UTF-8, or pass encoding='utf-16'.")
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: byte {error.start} (line {line}), 0x{data[error.start]:02x}, is not {codec}. "
            "Pass the file's encoding, for example encoding='cp1252', or save it as UTF-8."
        ) from None
    text = text.removeprefix(_BOM)
    place = text.find("\x00")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise DataError(
            f"{path}: line {line} holds a NUL byte; the file is damaged or not plain text."
        )
    return text
