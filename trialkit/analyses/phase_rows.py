"""The days and phases of a single-arm diary: their order, checked in every subject."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import pandas as pd

from trialkit.data.vectors import label_codes
from trialkit.errors import DataError, DesignError
from trialkit.typing import FloatArray, IntArray

__all__ = ["check_days", "check_phase_order", "phase_levels"]


def phase_levels(in_time: Sequence[object], phase: str, reference: object) -> list[object]:
    """The phases of column `phase`, from first to last, the reference moved first."""
    if reference not in in_time:
        raise DataError(
            f"reference={reference!r} is not a phase in column {phase!r}; phases: "
            f"{', '.join(map(repr, in_time))}."
        )
    if len(in_time) < 2:
        raise DataError(f"Column {phase!r} has one phase only: there is nothing to compare.")
    return [reference, *(label for label in in_time if label != reference)]


def check_phase_order(
    own: pd.DataFrame,
    who: IntArray,
    days: FloatArray,
    phase: str,
    in_time: Sequence[object],
    subjects: Sequence[object],
) -> None:
    """Every subject enters the phases in the stated order (they may return to one)."""
    which = label_codes(own, phase, in_time)
    entered = np.full((len(subjects), len(in_time)), inf)
    np.minimum.at(entered, (who, which), days)
    if (np.isfinite(entered).sum(axis=1) < 2).all():
        raise DesignError(
            f"No subject has two phases of column {phase!r}: the phases are groups of different "
            "subjects, not periods of the same ones."
        )
    for code, row in enumerate(entered):
        seen = np.flatnonzero(np.isfinite(row))
        back = np.flatnonzero(np.diff(row[seen]) < 0)
        if back.size:
            first, second = in_time[seen[back[0]]], in_time[seen[back[0] + 1]]
            raise DesignError(
                f"Subject {subjects[code]!r} enters phase {second!r} before {first!r}, against the "
                f"order {', '.join(map(str, in_time))}: the phases are not in one fixed order. "
                "trialkit.crossover() compares treatments that subjects get in different orders."
            )


def check_days(who: IntArray, days: FloatArray, subjects: Sequence[object], day: str) -> None:
    """Raise DataError for a missing day, and for a subject with two rows of one."""
    if np.isnan(days).any():
        raise DataError(
            f"Column {day!r} is missing in {int(np.isnan(days).sum())} row(s) with an outcome."
        )
    order = np.lexsort((days, who))
    again = (np.diff(who[order]) == 0) & (np.diff(days[order]) == 0)
    if again.any():
        at = int(order[1:][again][0])
        raise DataError(
            f"Subject {subjects[who[at]]!r} has more than one row on {day} {days[at]:g} "
            f"({int(again.sum())} row(s) too many in all); give one a day."
        )
