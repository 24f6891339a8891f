"""`trialkit.read`: one data file of any format read here, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit.data.formats import Format, declared_format, require_agreement
from trialkit.errors import DataError, SpecError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read"]

# What a file's first bytes are judged by.
_HEAD = 4096
_WITH_ENCODING: tuple[Format, ...] = ("csv", "xpt", "sas7bdat")


def read(
    path: str | os.PathLike[str],
    *,
    encoding: str | None = None,
    allow_unterminated: bool = False,
) -> pd.DataFrame:
    r"""The data of one file: CSV, Parquet, SAS XPT (5, 8), SAS7BDAT or Dataset-JSON (1.0, 1.1).

    The format follows the suffix (.csv, .parquet, .xpt, .sas7bdat, .json, .ndjson) and the
    content must agree. Columns keep their order; the index counts rows from 0.
    `frame.attrs["labels"]` maps columns to labels (empty for CSV). For the SAS formats
    `frame.attrs["special_missing"]` counts, by column, the missing values that carry a letter
    (`{"AVAL": {".A": 3}}`): in the column they are NaN like any other, but SAS uses them to say
    why a value is absent. No format says whether a plain missing value was not collected or not
    due; that is for the protocol.

    Parameters
    ----------
    path
        The file.
    encoding
        Of a CSV (default UTF-8), an XPT (the format does not say; default UTF-8) or a SAS7BDAT
        (default what its header says). Nothing is guessed.
    allow_unterminated
        Accept a CSV whose last line has no line end. By default it is refused: a file cut off
        inside its last number looks exactly like that.

    Notes
    -----
    *Missing.* The empty field, empty or blank text, null and SAS's missing values. `NA`, `.`,
    `NULL` and the like are text: whether they mean missing is not the file's to say.

    *Text.* Never turned into dates or booleans. In a CSV a column is numeric only if every
    non-empty field is a plain decimal number as programs write it; one leading zero (`001`),
    leading plus, blank, unsigned exponent (`12E03`) or whole number beyond 64 bits makes the
    whole column text, so identifiers survive. An identifier column made of plain numbers alone
    is read as numbers. `inf` and `-inf` count as numbers beside at least one other number. A
    column with no value at all is numeric.

    *Numbers.* Whole numbers are int64; float64 where some are missing, or nullable Int64 where
    a float could not hold one exactly. Decimals of Parquet and Dataset-JSON become float64.

    *Dates.* Text stays text. SAS numbers with a date or datetime format, Parquet dates and
    Dataset-JSON dates with a numeric target become datetime64; SAS times of day stay seconds.

    *CSV.* Comma, double quotes doubled inside quotes, any line end. An apostrophe before `=`,
    `+`, `-`, `@`, as `trialkit.write_csv` puts it there against spreadsheets, is taken off.

    *XPT version 5* has no row count: a file cut exactly between two rows cannot be told from a
    whole one, and trailing rows of blank text alone count as padding.

    Raises
    ------
    DataError
        For a file that is missing, a folder, empty, truncated, mislabelled, damaged or
        inconsistent (ragged rows, repeated names, counts that disagree): with file and place.
    SpecError
        For a keyword that the file's format does not have.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "adsl.csv"
    >>> _ = path.write_text("USUBJID,AGE,COUNTRY\n001,41,NA\n002,,DK\n")
    >>> read(path)
      USUBJID   AGE COUNTRY
    0     001  41.0      NA
    1     002   NaN      DK
    """
    if not isinstance(path, str | os.PathLike):
        raise SpecError(f"read takes the path of a file, not {type(path).__name__}.")
    file = Path(path)
    declared = declared_format(file)
    if encoding is not None and declared not in _WITH_ENCODING:
        raise SpecError(f"encoding= does not apply to {file.suffix} files; leave it out.")
    if allow_unterminated and declared != "csv":
        raise SpecError(f"allow_unterminated= does not apply to {file.suffix} files; leave it out.")
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be opened: {error.strerror or error}.") from error
    require_agreement(file, data[:_HEAD], declared)
    return _read_as(file, data, declared, encoding, allow_unterminated)


def _read_as(
    file: Path, data: bytes, declared: Format, encoding: str | None, allow_unterminated: bool
) -> pd.DataFrame:
    # Each reader brings its own library, so only the one that is needed is imported.
    if declared == "csv":
        from trialkit.data.csv_reading import read_csv

        return read_csv(file, data, encoding=encoding, allow_unterminated=allow_unterminated)
    if declared == "parquet":
        from trialkit.data.parquet_reading import read_parquet

        return read_parquet(file, data)
    if declared == "xpt":
        from trialkit.data.xpt_reading import read_xpt

        return read_xpt(file, data, encoding=encoding)
    if declared == "sas7bdat":
        from trialkit.data.sas7bdat_reading import read_sas7bdat

        return read_sas7bdat(file, data, encoding=encoding)
    from trialkit.data.dataset_json import read_json, read_ndjson

    return read_json(file, data) if declared == "json" else read_ndjson(file, data)
