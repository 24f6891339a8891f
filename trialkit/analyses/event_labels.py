"""A column of two labels, one of them the event, as flags."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trialkit.data.names import require_columns
from trialkit.errors import DataError
from trialkit.typing import BoolArray

__all__ = ["event_labels"]

# The other value of a flag, where a column in which nobody has the event holds that one alone.
OPPOSITE: dict[object, object] = {"Y": "N", "Yes": "No", "YES": "NO", 1: 0, 0: 1, "N": "Y"}


def event_labels(frame: pd.DataFrame, outcome: str, event: object) -> tuple[BoolArray, BoolArray]:
    """Which rows (N,) have the event, and which have no flag (missing, or an empty text).

    Raises DataError for more than two values, and where `event` is not among them: a column in
    which nobody has it must hold its usual opposite.
    """
    require_columns(frame, [outcome])
    labels = frame[outcome].tolist()
    absent = frame[outcome].isna().tolist()
    is_missing = np.array(
        [
            gone or (isinstance(v, str) and not v.strip())
            for v, gone in zip(labels, absent, strict=True)
        ],
        dtype=np.bool_,
    )
    try:
        present = list(
            dict.fromkeys(v for v, gone in zip(labels, is_missing, strict=True) if not gone)
        )
    except TypeError as error:
        raise DataError(f"{outcome!r} holds values that are no flags: {error}.") from None
    listed = ", ".join(map(repr, present[:6])) + (", ..." if len(present) > 6 else "")
    if len(present) > 2:
        raise DataError(f"{outcome!r} must be a flag of two values; it holds {listed}.")
    nobody = len(present) == 1 and event in OPPOSITE and present[0] == OPPOSITE[event]
    if event not in present and not nobody:
        raise DataError(
            f"event={event!r} is not among the values of {outcome!r}: {listed or 'none'}."
        )
    has_event = np.array(
        [not gone and v == event for v, gone in zip(labels, is_missing, strict=True)],
        dtype=np.bool_,
    )
    return has_event, is_missing
