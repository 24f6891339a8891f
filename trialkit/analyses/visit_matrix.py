"""Outcomes laid out as subjects by visits: who was seen when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.levels import arm_levels, visit_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, number_vector, require_frame
from trialkit.errors import DataError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["VisitMatrix", "visit_matrix"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VisitMatrix:
    """Outcomes (n, K) of n subjects at K visits in order, NaN where missing.

    `first_row` (n,) is the position in the data of each subject's first row, from which its
    baseline characteristics are read; `codes` (n,) are positions in `arms`.
    """

    subjects: tuple[object, ...]
    visits: tuple[object, ...]
    arms: tuple[object, ...]
    codes: IntArray
    values: FloatArray
    first_row: IntArray

    @property
    def seen(self) -> BoolArray:
        """Where there is an outcome (n, K)."""
        return ~np.isnan(self.values)

    @property
    def last(self) -> IntArray:
        """Position of each subject's last observed visit (n,); -1 where there is none."""
        reversed_ = self.seen[:, ::-1]
        place = self.values.shape[1] - 1 - np.argmax(reversed_, axis=1)
        return np.where(reversed_.any(axis=1), place, -1).astype(np.int64)

    @property
    def monotone(self) -> BoolArray:
        """Whether nothing is missing before each subject's last observed visit (n,)."""
        complete: BoolArray = self.seen.sum(axis=1) == self.last + 1
        return complete


def visit_matrix(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    visit: str,
    visit_order: str | Sequence[object] | None = None,
    arm: str | None = None,
    reference: object = None,
) -> VisitMatrix:
    """Lay out long data, one row a subject and visit; an absent row is a missing outcome.

    Raises DataError for two rows of one subject at one visit, a subject in two arms, rows
    without subject, visit or arm, and a single visit.
    """
    frame = require_frame(data)
    require_columns(frame, [subject, visit, *([] if arm is None else [arm])])
    values = number_vector(frame, outcome)
    visits = visit_levels(frame, visit, visit_order)
    if len(visits) < 2:
        raise DataError(f"Column {visit!r} holds {len(visits)} visit(s); at least 2 are needed.")
    columns = label_codes(frame, visit, visits)
    subjects = list(dict.fromkeys(frame[subject].tolist()))
    rows = label_codes(frame, subject, subjects)
    cell = rows * len(visits) + columns
    distinct, counts = np.unique(cell, return_counts=True)
    if (counts > 1).any():
        first = int(distinct[counts > 1][0])
        raise DataError(
            f"Subject {subjects[first // len(visits)]!r} has {int(counts.max())} rows at visit "
            f"{visits[first % len(visits)]!r}; choose one parameter and one row a visit."
        )
    wide = np.full((len(subjects), len(visits)), np.nan)
    wide[rows, columns] = values
    first_row = np.full(len(subjects), -1, dtype=np.int64)
    _, starts = np.unique(rows, return_index=True)
    first_row[:] = starts
    arms: tuple[object, ...] = ("all",)
    codes = np.zeros(len(subjects), dtype=np.int64)
    if arm is not None:
        arms = tuple(arm_levels(frame, arm, reference))
        by_row = label_codes(frame, arm, arms)
        codes = by_row[first_row]
        moved = np.flatnonzero(by_row != codes[rows])
        if moved.size:
            raise DataError(
                f"Subject {subjects[int(rows[moved[0]])]!r} stands in two arms of {arm!r}."
            )
    return VisitMatrix(
        subjects=tuple(subjects),
        visits=tuple(visits),
        arms=arms,
        codes=codes,
        values=wide,
        first_row=first_row,
    )
