"""`trialkit.write_xpt`: SAS transport files, with everything the format cannot hold refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trialkit.data.atomic import replacing
from trialkit.data.columns import require_plain_index
from trialkit.data.xpt_columns import SasColumn, sas_column
from trialkit.errors import DataError, SpecError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_xpt"]

_RECORD = 80
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """The longest of each, in bytes."""

    name: int
    label: int
    text: int


_LIMITS: dict[int, _Limits] = {
    5: _Limits(name=8, label=40, text=200),
    8: _Limits(name=32, label=256, text=32767),
}
_MAX_DATASET_LABEL = 40
# Where the two copies of the file's and of the data set's creation time lie, and a fixed one.
_TIMES = ((1 * _RECORD + 64, 16), (2 * _RECORD, 16), (5 * _RECORD + 64, 16), (6 * _RECORD, 16))
_NO_TIME = b"01JAN60:00:00:00"


def write_xpt(
    frame: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    label: str | None = None,
    name: str | None = None,
    version: Literal[5, 8] = 5,
) -> None:
    """Write a frame as a SAS transport file (XPT), or refuse what the format cannot hold.

    Column labels come from `frame.attrs["labels"]`. The file carries no date of creation
    (01JAN60), so that the same frame gives the same bytes; it appears whole or not at all. Text
    is written in UTF-8, which is ASCII where no other character occurs.

    Parameters
    ----------
    frame
        Text, numbers and dates. A datetime column becomes a SAS number with the format DATE9
        where every time is midnight, DATETIME26.6 otherwise. An index of labels is refused.
    path
        Ends in .xpt.
    label
        Of the data set, at most 40 bytes.
    name
        Of the data set; by default the file's own name in capitals.
    version
        5 (what agencies take): names of at most 8 bytes, labels 40, text 200. 8: 32, 256, 32767.

    Notes
    -----
    Missing numbers become `.` and missing text blanks; empty text therefore reads back as
    missing. Refused, each with column, count and first row: names that SAS does not allow or
    that differ in case only, labels and text too long (in bytes), text with trailing blanks or
    NUL, columns that mix text and numbers, booleans, durations and times with a zone, whole
    numbers beyond 2**53, infinite numbers, numbers outside the range of the format (5.4e-79
    to 9.0e74), and in version 5 a last row of blanks alone, which would read as padding.

    Raises
    ------
    DataError
        For any of these, or where the file cannot be written.
    SpecError
        For an unusable `path`, `name`, `label` or `version`.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> frame = pd.DataFrame({"USUBJID": ["001", "002"], "AVAL": [5.5, None]})
    >>> frame.attrs["labels"] = {"AVAL": "Analysis Value"}
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "adqs.xpt"
    >>> write_xpt(frame, path)
    >>> tk.read(path).attrs["labels"]
    {'AVAL': 'Analysis Value'}
    """
    import pandas as pd
    import pyreadstat

    file = Path(path)
    dataset = _check_arguments(file, label, name, version)
    labels = _check_names(frame, _LIMITS[version])
    columns = {
        column: sas_column(column, frame.iloc[:, place], max_text=_LIMITS[version].text)
        for place, column in enumerate(frame.columns)
    }
    if version == 5:
        _refuse_blank_end(columns)
    with replacing(file) as draft:
        pyreadstat.write_xport(
            pd.DataFrame({column: data.values for column, data in columns.items()}),
            draft,
            file_label=label or "",
            column_labels=[labels.get(column) for column in columns],
            table_name=dataset,
            file_format_version=version,
            variable_format={key: data.format for key, data in columns.items() if data.format},
        )
        _blank_times(draft)


def _check_arguments(file: Path, label: str | None, name: str | None, version: int) -> str:
    if version not in _LIMITS:
        raise SpecError(f"version={version!r}; XPT versions 5 and 8 are written.")
    if file.suffix.lower() != ".xpt":
        raise SpecError(f"{file}: a transport file is written under a name that ends in .xpt.")
    longest = _LIMITS[version].name
    dataset = file.stem.upper() if name is None else name
    if not _NAME.fullmatch(dataset) or len(dataset) > longest:
        raise SpecError(
            f"{dataset!r} is no name for a SAS data set: a letter or underscore, then letters, "
            f"digits or underscores, at most {longest} in version {version}; pass name=."
        )
    if label is not None and len(label.encode()) > _MAX_DATASET_LABEL:
        raise SpecError(f"label= has {len(label.encode())} bytes; at most 40 are allowed.")
    return dataset


def _check_names(frame: pd.DataFrame, limits: _Limits) -> dict[str, str]:
    """The labels of the frame's columns, once names and labels are known to fit."""
    if frame.shape[1] == 0:
        raise DataError("The frame has no columns; there is nothing to write.")
    require_plain_index(frame)
    seen: set[str] = set()
    for name in frame.columns:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > limits.name:
            raise DataError(
                f"Column {name!r} cannot be named so in SAS: a letter or underscore, then letters, "
                f"digits or underscores, at most {limits.name} bytes."
            )
        if name.upper() in seen:
            raise DataError(f"Column {name!r} occurs twice; SAS ignores case in names.")
        seen.add(name.upper())
    labels = frame.attrs.get("labels", {})
    if not isinstance(labels, Mapping):
        raise DataError('frame.attrs["labels"] must map column names to labels.')
    chosen = {name: labels[name] for name in frame.columns if labels.get(name)}
    for name, label in chosen.items():
        if not isinstance(label, str):
            raise DataError(f"The label of column {name!r} is {label!r}; a label is text.")
        if len(label.encode()) > limits.label or "\x00" in label or label != label.rstrip():
            raise DataError(
                f"The label of column {name!r} has {len(label.encode())} bytes; at most "
                f"{limits.label} are allowed, without NUL or trailing blanks: {label!r}."
            )
    return chosen


def _refuse_blank_end(columns: Mapping[str, SasColumn]) -> None:
    if all(column.is_text and len(column.values) for column in columns.values()) and all(
        column.values[-1] == "" for column in columns.values()
    ):
        raise DataError(
            "The last row holds blank text alone, which version 5 cannot tell from padding: "
            "remove the row, or write version=8."
        )


def _blank_times(draft: Path) -> None:
    with draft.open("r+b") as stream:
        for place, size in _TIMES:
            stream.seek(place)
            stream.write(_NO_TIME[:size])
