"""Panels of analytes from wide frames, Luminex exports and Olink files, as one long frame.

Every reader gives one row a measurement: PARAMCD (the analyte), AVAL, LLOQ, ULOQ and FLAG, so
that `compare_panel(..., lloq="LLOQ", uloq="ULOQ")` knows of each value whether it lies beyond
its own limit.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path

import pandas as pd

from trialkit.data.names import require_columns
from trialkit.data.panel_files import export_text
from trialkit.data.panel_marks import measurement_columns, read_mark
from trialkit.data.vectors import require_frame
from trialkit.errors import DataError, SpecError

__all__ = ["panel_long", "read_luminex"]

# The bead region that the software appends to the analyte's name.
_BEAD_REGION = re.compile(r"\s*\(\d+\)$")
# A well, or the wells of one sample: A1, H12, "A1,B1".
_WELL = re.compile(r"[A-P]{1,2}\d{1,2}([,;/ -]+[A-P]{1,2}\d{1,2})*", re.IGNORECASE)
# Columns of the header row that describe the well.
_WELL_COLUMNS = {"type", "well", "outlier", "description", "sample", "dilution", "sampling errors"}
# Words under an analyte's name that say which number the column holds.
_CONCENTRATION = re.compile(r"(obs\.?\s*)?conc.*|result", re.IGNORECASE)


def panel_long(
    data: pd.DataFrame,
    *,
    id_columns: Sequence[str],
    analytes: Sequence[str] | None = None,
    limits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row a measurement from one row a sample: PARAMCD, AVAL, LLOQ, ULOQ, FLAG.

    `id_columns` are kept beside them; `analytes` are the columns with measurements (None: all
    others). Cells may be numbers or the marks of assay software ("<0.51", "OOR >", "***",
    "*1.23"). `limits` (PARAMCD, LLOQ, ULOQ, perhaps PLATE) gives the limits of quantification,
    needed for "OOR". FLAG is "below", "above", "extrapolated", "missing" or empty; a number at or
    beyond its limit is flagged so, too, and stands as written.

    Raises DataError for a column that is missing, text that is no mark, "OOR" without a limit.

    Example
    -------
    >>> import pandas as pd
    >>> wide = pd.DataFrame({"USUBJID": ["S1", "S2"], "IL6": ["<0.5", "1.2"], "TNF": [3.0, 4.0]})
    >>> panel_long(wide, id_columns=["USUBJID"])[["USUBJID", "PARAMCD", "AVAL", "LLOQ", "FLAG"]]
      USUBJID PARAMCD  AVAL  LLOQ   FLAG
    0      S1     IL6   0.5   0.5  below
    1      S2     IL6   1.2   NaN
    2      S1     TNF   3.0   NaN
    3      S2     TNF   4.0   NaN
    """
    frame = require_frame(data)
    ids = [id_columns] if isinstance(id_columns, str) else list(id_columns)
    named = [analytes] if isinstance(analytes, str) else analytes
    columns = [name for name in frame.columns if name not in ids] if named is None else list(named)
    require_columns(frame, [*ids, *columns])
    if len(columns) == 0:
        raise DataError("No column of an analyte is left beside id_columns.")
    made = {"PARAMCD", "AVAL", "LLOQ", "ULOQ", "FLAG"} & set(ids)
    if made:
        raise SpecError(f"id_columns may not be called {', '.join(sorted(made))}.")
    parts = [frame[ids].assign(PARAMCD=str(name)) for name in columns]
    long = pd.concat(parts, ignore_index=True)
    cells = pd.Series([cell for name in columns for cell in frame[name].tolist()], dtype=object)
    return measurement_columns(long, cells, limits, source="panel_long")


def read_luminex(
    path: str | Path,
    *,
    limits: pd.DataFrame | None = None,
    delimiter: str = ",",
    encoding: str | None = None,
) -> pd.DataFrame:
    """One row a measurement from a Luminex or Bio-Plex results table in text form.

    The file may begin with lines about the run. A header row names the well's columns (Type,
    Well, Description or Sample) and the analytes; where it says "Obs Conc" or the like instead,
    the names stand in the row above. A row of units may follow. A second header row begins
    another plate. Plates are named by a line "Plate ID,..." before their header, otherwise by
    the file's name and their number.

    Columns: PLATE, TYPE, WELL, SAMPLE, PARAMCD (without the bead region), AVALU, AVAL, LLOQ,
    ULOQ, FLAG. Standards, controls and blanks are kept: TYPE tells them apart from samples
    ("X1", ...). Marks and `limits` as in `panel_long`. Blank lines are passed over; the table
    ends with the first other line without a well.

    Raises DataError where there is no header row or no well, an analyte is named twice, a well
    stands twice on a plate or after the end of its table, a line is longer than its header, a
    cell is no known mark, or the text is not UTF-8 and no other `encoding` is named.
    """
    file = Path(path)
    lines = StringIO(export_text(file, encoding), newline="")
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    headers = [place for place, row in enumerate(rows) if _is_header(row)]
    if not headers:
        raise DataError(
            f"{file}: no header row with a column 'Well' beside 'Type', 'Description' or 'Sample'."
        )
    plates = [
        _plate(file, rows, number, start, stop)
        for number, (start, stop) in enumerate(
            zip(headers, [*headers[1:], len(rows)], strict=True), start=1
        )
    ]
    frame = pd.concat(plates, ignore_index=True)
    if frame.empty:
        raise DataError(f"{file}: no line of a well below the header.")
    again = frame.duplicated(["PLATE", "WELL", "PARAMCD"])
    if again.any():
        row = frame[again].iloc[0]
        raise DataError(
            f"{file}: well {row['WELL']!r} of plate {row['PLATE']!r} stands twice; plates need "
            "names of their own."
        )
    return measurement_columns(frame.drop(columns="CELL"), frame["CELL"], limits, source=str(file))


def _is_header(row: Sequence[str]) -> bool:
    words = {cell.lower() for cell in row}
    return "well" in words and bool(words & {"type", "description", "sample"})


def _plate(
    file: Path, rows: Sequence[Sequence[str]], number: int, start: int, stop: int
) -> pd.DataFrame:
    """The measurements below one header row."""
    header = rows[start]
    places = {name.lower(): i for i, name in enumerate(header) if name.lower() in _WELL_COLUMNS}
    names = _analyte_names(file, rows, start)
    first = start + 1
    units = {place: "" for place in names}
    if first < stop and _is_units_row(rows[first], places["well"], names):
        units = {place: _cell(rows[first], place) for place in names}
        first += 1
    sample = places.get("description", places.get("sample", places.get("type", 0)))
    records = [
        (
            _plate_name(file, rows, number, start),
            _cell(row, places["type"]) if "type" in places else "",
            _cell(row, places["well"]),
            _cell(row, sample),
            name,
            units[place],
            _cell(row, place),
        )
        for row in _wells(file, rows, first, stop, header)
        for place, name in names.items()
    ]
    columns = ["PLATE", "TYPE", "WELL", "SAMPLE", "PARAMCD", "AVALU", "CELL"]
    return pd.DataFrame(records, columns=columns)


def _wells(
    file: Path, rows: Sequence[Sequence[str]], first: int, stop: int, header: Sequence[str]
) -> Iterator[Sequence[str]]:
    """Lines of wells of one table; what comes after its end may hold none."""
    well = [name.lower() for name in header].index("well")
    ended = False
    for place in range(first, stop):
        row = rows[place]
        if not any(row):
            continue
        name = "" if _names_plate(row) else _cell(row, well)
        if ended and _WELL.fullmatch(name):
            raise DataError(
                f"{file}: line {place + 1} holds well {name!r} after the end of its table; is a "
                "line above it broken?"
            )
        ended |= not name
        if ended:
            continue
        if any(row[len(header) :]):
            raise DataError(
                f"{file}: line {place + 1} has {len(row)} cells, its header {len(header)}."
            )
        yield row


def _names_plate(row: Sequence[str]) -> bool:
    return bool(row) and row[0].lower().rstrip(":") in ("plate", "plate id", "plate name")


def _analyte_names(file: Path, rows: Sequence[Sequence[str]], start: int) -> dict[int, str]:
    header = rows[start]
    names: dict[int, str] = {}
    for place, cell in enumerate(header):
        if not cell or cell.lower() in _WELL_COLUMNS:
            continue
        name = cell
        if _CONCENTRATION.fullmatch(cell):
            name = _cell(rows[start - 1], place) if start else ""
            if not name:
                raise DataError(
                    f"{file}: column {place + 1} is headed {cell!r} and has no analyte above it."
                )
        names[place] = _BEAD_REGION.sub("", name)
    repeated = [name for name in names.values() if list(names.values()).count(name) > 1]
    if repeated or not names:
        raise DataError(
            f"{file}: analyte {repeated[0]!r} is named twice in line {start + 1}."
            if repeated
            else f"{file}: line {start + 1} names no analyte."
        )
    return names


def _is_units_row(row: Sequence[str], well: int, names: dict[int, str]) -> bool:
    if _cell(row, well):
        return False
    cells = [_cell(row, place) for place in names]
    return any(cells) and all(read_mark(cell) is None for cell in cells if cell)


def _plate_name(file: Path, rows: Sequence[Sequence[str]], number: int, start: int) -> str:
    for row in reversed(rows[:start]):
        if _is_header(row):
            break
        if _names_plate(row):
            return _cell(row, 1) or f"{file.stem} {number}"
    return f"{file.stem} {number}"


def _cell(row: Sequence[str], place: int) -> str:
    return row[place] if place < len(row) else ""
