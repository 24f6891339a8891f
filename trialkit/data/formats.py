"""Which format a file claims by its name, and which one its first bytes show.

The two must agree: a reader that trusts the name alone turns a mislabelled file into garbage,
one that trusts the content alone hides that somebody mixed files up.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from trialkit.errors import DataError

__all__ = ["Format", "declared_format", "require_agreement"]

Format = Literal["csv", "parquet", "xpt", "sas7bdat", "json", "ndjson"]

_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".xpt": "xpt",
    ".sas7bdat": "sas7bdat",
    ".json": "json",
    ".ndjson": "ndjson",
}

_TITLES: dict[Format, str] = {
    "csv": "plain text (CSV)",
    "parquet": "a Parquet file",
    "xpt": "a SAS transport file (XPT)",
    "sas7bdat": "a SAS data set (SAS7BDAT)",
    "json": "JSON text",
    "ndjson": "JSON text",
}

# Bytes 0-31 of every SAS7BDAT file; a catalogue differs in byte 15.
SAS7BDAT_MAGIC = bytes.fromhex("000000000000000000000000c2ea8160b31411cfbd92080009c7318c181f1011")
_SAS_CATALOGUE = SAS7BDAT_MAGIC[:15] + b"\x63"
XPT_MAGIC = b"HEADER RECORD*******LIB"
PARQUET_MAGIC = b"PAR1"

_KNOWN: tuple[tuple[bytes, Format], ...] = (
    (SAS7BDAT_MAGIC, "sas7bdat"),
    (XPT_MAGIC, "xpt"),
    (PARQUET_MAGIC, "parquet"),
)

# What people have been seen to rename, each with what to do about it.
_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG", "a PNG image", "give the data file itself"),
    (b"\xff\xd8\xff", "a JPEG image", "give the data file itself"),
    (b"GIF8", "a GIF image", "give the data file itself"),
    (b"%PDF", "a PDF document", "give the data file itself"),
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook (xlsx)", "extract it or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", "save it as CSV"),
    (b"\x1f\x8b", "gzip-compressed data", "decompress it first"),
    (b"BZh", "bzip2-compressed data", "decompress it first"),
    (b"\xfd7zXZ", "xz-compressed data", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "zstandard-compressed data", "decompress it first"),
    (b"**COMPRESSED** **COMPRESSED**", "a SAS CPORT file", "export with the XPORT engine"),
    (_SAS_CATALOGUE, "a SAS format catalogue (SAS7BCAT)", "give the data set itself"),
    (b"$FL2", "an SPSS file", "save it as CSV or Parquet"),
    (b"$FL3", "an SPSS file", "save it as CSV or Parquet"),
    (b"<stata_dta>", "a Stata file", "save it as CSV or Parquet"),
    (b"RDX", "an R data file", "save it as CSV or Parquet"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow/Feather file", "save it as Parquet"),
    (b"<?xml", "XML text", "convert it to one of the formats read here"),
    (b"<!DOCTYPE", "an HTML page", "download the data file itself"),
    (b"<html", "an HTML page", "download the data file itself"),
)

# An object that opens with a key, or nested arrays; a CSV quotes a field that holds a quote.
_JSON = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{])')
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"


def declared_format(path: Path) -> Format:
    """The format a file's name claims; DataError where there is no such file or format."""
    if not path.exists():
        raise DataError(f"{path}: there is no such file.")
    if path.is_dir():
        raise DataError(f"{path} is a folder; give one data file inside it.")
    if not path.is_file():
        raise DataError(f"{path} is not a regular file.")
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise DataError(
            f"{path}: the name ends in {suffix or 'no suffix'!r}; "
            f"files are read by {', '.join(_SUFFIXES)}."
        )
    return _SUFFIXES[suffix]


def require_agreement(path: Path, head: bytes, declared: Format) -> None:
    """Raise DataError unless the first bytes look like the format the name claims."""
    if not head:
        raise DataError(f"{path} is empty (0 bytes).")
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic) and not _plain_text_fits(declared, magic):
            raise DataError(f"{path} is named {path.suffix} but looks like {what}: {remedy}.")
    found = _content(head)
    if found == declared or (found == "json" and declared == "ndjson"):
        return
    if declared == "csv" and found is None:
        return  # decoding names the byte and line
    if declared in ("json", "ndjson") and head.removeprefix(_BOM).lstrip()[:1] in (b"{", b"["):
        return  # parsing names the line and column
    if found is None:
        raise DataError(
            f"{path} is named {path.suffix} but its first bytes are not "
            f"{_TITLES[declared]}: {head[:16]!r}. The file is damaged or of another format."
        )
    suffix = next(key for key, value in _SUFFIXES.items() if value == found)
    raise DataError(
        f"{path} is named {path.suffix} but looks like {_TITLES[found]}: "
        f"give it a name that ends in {suffix}, or find the right file."
    )


def _plain_text_fits(declared: Format, magic: bytes) -> bool:
    """Magic made of letters alone may be the start of an honest CSV header."""
    return declared == "csv" and magic.isalnum()


def _content(head: bytes) -> Format | None:
    """What the first bytes are; None when they are neither text nor anything known."""
    for magic, found in _KNOWN:
        if head.startswith(magic):
            return found
    if head.startswith(_UTF16):
        return "csv"
    if _JSON.match(head.removeprefix(_BOM)):
        return "json"
    controls = set(head[:64]) & (set(range(32)) - set(b"\t\n\r\f\v"))
    return None if controls else "csv"
