"""The cells of a CSV: what counts as a number, and how a formula is kept from running.

Spreadsheets execute a cell that starts with =, +, - or @ (their full-width forms included), also
behind blanks, tabs and line breaks. Such text is written with one apostrophe before it, and one
apostrophe is taken off again on reading. Text that already starts with apostrophes before such a
character gets one more, so the two steps undo each other exactly, whatever the text.
"""

from __future__ import annotations

import re

__all__ = [
    "DECIMAL",
    "EXPONENT",
    "INFINITE",
    "INTEGER",
    "NEUTRALISED",
    "neutralise",
    "restore",
]

# A leading zero, a leading plus and a bare exponent mark identifiers ("001", "+49", "12E03").
INTEGER = r"-?(?:0|[1-9][0-9]*)"
DECIMAL = r"-?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)"
# As programs write numbers: signed exponent of two digits or more after one leading digit, and
# with a capital E only behind decimals, for 1E-05 may be site 1E, subject 05.
EXPONENT = r"-?[0-9](?:(?:\.[0-9]+)?e|\.[0-9]+E)[+-][0-9]{2,}"
INFINITE = r"-?inf"

_BLANKS = r"[ \t\n\r\f\v\x{00A0}\x{FEFF}]*"
_STARTS = r"[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
_ACTIVE = rf"'*(?:[\t\n\r]|{_BLANKS}{_STARTS})"
# In RE2's spelling, for pyarrow; group 1 is the original text's start.
NEUTRALISED = rf"\A'({_ACTIVE})"

_PYTHON_ACTIVE = re.compile(re.sub(r"\\x\{(\w{4})\}", r"\\u\1", _ACTIVE))
_PLAIN_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def neutralise(text: str) -> str:
    """Text as it may stand in a CSV: an apostrophe first where a spreadsheet would run it.

    A plain number ("-0.34", "+5") is no formula and stays as it is.

    Examples
    --------
    >>> neutralise("=1+1"), neutralise("-0.34"), neutralise("- none")
    ("'=1+1", '-0.34', "'- none")
    """
    if _PYTHON_ACTIVE.match(text) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def restore(text: str) -> str:
    """The text that `neutralise` was given.

    Examples
    --------
    >>> restore("'=1+1"), restore("'tis"), restore(neutralise("'=1"))
    ('=1+1', "'tis", "'=1")
    """
    if text.startswith("'") and _PYTHON_ACTIVE.match(text):
        return text[1:]
    return text
