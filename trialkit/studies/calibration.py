"""Which published figures were used to make a synthetic trial, and so are no evidence."""

from __future__ import annotations

from pathlib import Path

from trialkit.errors import DataError
from trialkit.studies.figure import FigureKey

__all__ = ["calibrated_figures"]

CALIBRATION_FILE = "calibrated.csv"


def calibrated_figures(folder: Path) -> frozenset[FigureKey]:
    """Names of the figures listed in a study's `calibrated.csv`; none without that file.

    Raises DataError where a column of the name (arm, outcome, timepoint, statistic) is missing.
    """
    import pandas as pd

    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return frozenset()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in FigureKey._fields if name not in frame.columns]
    if missing:
        raise DataError(f"{path} lacks the column(s) {', '.join(missing)}.")
    columns = [frame[name].tolist() for name in FigureKey._fields]
    return frozenset(FigureKey(*row) for row in zip(*columns, strict=True))
