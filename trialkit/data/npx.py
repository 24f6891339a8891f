"""Olink's long NPX tables, CSV or Parquet, as one row a measurement."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from trialkit.data.names import require_columns
from trialkit.data.panel_files import export_bytes, export_text
from trialkit.data.parquet_reading import read_parquet
from trialkit.data.vectors import number_vector
from trialkit.errors import DataError

__all__ = ["read_npx"]

# Olink's names over the years, ours first.
_NAMES = {
    "SAMPLE": ("SampleID", "Sample_ID"),
    "PARAMCD": ("Assay",),
    "UNIPROT": ("UniProt", "Uniprot"),
    "PANEL": ("Panel",),
    "PLATE": ("PlateID", "Plate_ID"),
    "AVAL": ("NPX",),
    "LLOQ": ("LOD", "PlateLOD", "MaxLOD"),
    "QC": ("QC_Warning", "SampleQC", "QC Warning"),
    "ASSAYQC": ("Assay_Warning", "AssayQC"),
}
_NEEDED = ("SAMPLE", "PARAMCD", "AVAL")
_PASSED = {"pass", "", "na", "nan"}
_NO_NUMBER = {"", "na", "nan"}


def read_npx(path: str | Path, *, encoding: str | None = None) -> pd.DataFrame:
    """NPX (log2) with its limit of detection: SAMPLE, PARAMCD, AVAL, LLOQ, PLATE, FLAG.

    Reads the long table of Olink's software (Parquet, or CSV with semicolons or commas). A
    value at or below the LOD of its assay (and plate, where the file gives it so) is marked
    "below" and stands at its LOD; analyse with transform="none" and lloq="LLOQ". QC warnings
    stand in FLAG as "qc: ..."; nothing is left out. Where an assay name occurs under several
    UniProt numbers or on several panels, that is added to PARAMCD. Control samples are kept.

    Raises DataError where SampleID, Assay or NPX is missing, a measurement stands twice, or the
    text is not UTF-8 and no other `encoding` is named.
    """
    file = Path(path)
    if file.suffix.lower() == ".parquet":
        frame = read_parquet(file, export_bytes(file))
    else:
        frame = _csv(file, encoding)
    chosen = {
        ours: next((name for name in theirs if name in frame), None)
        for ours, theirs in _NAMES.items()
    }
    missing = [_NAMES[name][0] for name in _NEEDED if chosen[name] is None]
    if missing:
        require_columns(frame, missing)
    out = pd.DataFrame(
        {ours: frame[name] for ours, name in chosen.items() if name is not None}
    ).reset_index(drop=True)
    for name in ("UNIPROT", "PANEL"):
        if name not in out:
            continue
        several = out.groupby("PARAMCD", observed=True)[name].transform("nunique") > 1
        joined = out["PARAMCD"].astype(str) + " (" + out[name].astype(str) + ")"
        out["PARAMCD"] = out["PARAMCD"].where(~several, joined)
    keys = [name for name in ("SAMPLE", "PARAMCD", "PLATE") if name in out]
    for name in ("SAMPLE", "PARAMCD"):
        n_blank = int((out[name].isna() | (out[name].astype(str).str.strip() == "")).sum())
        if n_blank or out.empty:
            what = f"column {chosen[name]!r} is blank in {n_blank} row(s)"
            raise DataError(f"{file}: {'there is no measurement' if out.empty else what}.")
    if out.duplicated(keys).any():
        row = out[out.duplicated(keys)].iloc[0]
        raise DataError(
            f"{file}: {int(out.duplicated(keys).sum())} measurement(s) stand twice, first "
            f"{row['PARAMCD']!r} of sample {row['SAMPLE']!r}."
        )
    return _with_limits(out)


def _csv(file: Path, encoding: str | None) -> pd.DataFrame:
    """Every cell as text but NPX and LOD: a sample called 007 or NA keeps its name."""
    text = export_text(file, encoding)
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    try:
        frame = pd.read_csv(StringIO(text), sep=separator, dtype=str, keep_default_na=False)
    except pd.errors.ParserError as problem:
        raise DataError(f"{file}: {problem}.") from None
    if not isinstance(frame.index, pd.RangeIndex):
        # pandas takes the cells beyond the header for an index, and shifts the others.
        raise DataError(f"{file}: lines have more cells than the header.")
    for name in (*_NAMES["AVAL"], *_NAMES["LLOQ"]):
        if name in frame:
            frame[name] = _numbers(frame[name].str.strip(), name)
    return frame


def _numbers(cells: pd.Series, name: str) -> pd.Series:
    missing = cells.str.lower().isin(_NO_NUMBER)
    found = pd.to_numeric(cells.mask(missing), errors="coerce")
    strange = cells[found.isna() & ~missing]
    if len(strange):
        raise DataError(f"Column {name!r} is not numeric: it holds {strange.iloc[0]!r}.")
    return found


def _with_limits(out: pd.DataFrame) -> pd.DataFrame:
    value = number_vector(out, "AVAL")
    lod = number_vector(out, "LLOQ") if "LLOQ" in out else np.full(len(out), np.nan)
    below = value <= lod
    flags = np.where(np.isnan(value), "missing", np.where(below, "below", ""))
    for name in ("QC", "ASSAYQC"):
        if name not in out:
            continue
        text = out[name].astype(str).str.strip()
        warned = ~text.str.lower().isin(_PASSED)
        said = "qc: " + text.str.lower()
        flags = np.where(warned, np.where(flags == "", said, flags + "; " + said), flags)
    kept = [name for name in ("SAMPLE", "PARAMCD", "UNIPROT", "PLATE") if name in out]
    return out[kept].assign(AVAL=np.where(below, lod, value), LLOQ=lod, FLAG=flags)
