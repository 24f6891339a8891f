"""Files a plan may read: regular ones, inside the plan's own folder."""

from __future__ import annotations

import re
from pathlib import Path

from trialkit.errors import SpecError

__all__ = ["inside"]

_DRIVE = re.compile(r"^[A-Za-z]:")
_ALLOWED = "allowed: a file inside the plan's folder, such as 'adqs.csv' or 'data/adqs.xpt'"
# Names that Windows gives to devices, with or without an extension.
_DEVICES = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


def inside(folder: Path, text: str) -> Path:
    """The regular file `text` under `folder`; SpecError for anything else.

    Refused: absolute paths, `..`, `~`, backslashes, drive letters, URLs, control characters,
    links that lead outside, folders, devices and pipes.
    """
    problem = _problem_of_text(text)
    if problem:
        raise SpecError(f"path {_shown(text)} {problem}; {_ALLOWED}.")
    root = folder.resolve()
    try:
        path = (root / text).resolve()
        exists, is_file = path.exists(), path.is_file()
    except (OSError, RuntimeError) as error:  # a name too long, links in a loop
        raise SpecError(f"path {_shown(text)} cannot be followed: {_reason(error)}.") from None
    if not path.is_relative_to(root):
        raise SpecError(f"path {text!r} leads outside the plan's folder; {_ALLOWED}.")
    if not exists:
        raise SpecError(f"path {text!r}: there is no such file in the plan's folder.")
    if not is_file:
        raise SpecError(f"path {text!r} is not a regular file; {_ALLOWED}.")
    return path


def _problem_of_text(text: str) -> str:
    if not text.isprintable():
        return "holds a control character"
    if "\\" in text:
        return "holds a backslash; write '/'"
    if "://" in text or text.lower().startswith(("file:", "data:", "http:", "https:")):
        return "is a URL"
    if _DRIVE.match(text):
        return "names a drive"
    if text.startswith(("/", "~")):
        return "does not start in the plan's folder"
    parts = text.split("/")
    if ".." in parts:
        return "holds '..'"
    if any(_DEVICES.match(part) for part in parts):
        return "names a device"
    return ""


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or "links in a loop"


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:77]}...")
