"""The bytes and the text of an assay's export, or an error that says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from trialkit.data.decoding import decode_text
from trialkit.errors import DataError

__all__ = ["export_bytes", "export_text"]


def export_bytes(path: Path) -> bytes:
    """What the file holds; DataError where there is none or nothing in it."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.")
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{path} is empty.")
    return data


def export_text(path: Path, encoding: str | None) -> str:
    """The file's text, UTF-8 unless another encoding is named."""
    return decode_text(path, export_bytes(path), encoding)
