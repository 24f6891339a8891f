"""The rows of a frame with who and when coded once, for every rule to use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.coding import MISSING, Coded
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["CodedRows", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """Rows of one subject (at one visit, with one value): their labels and their number."""

    subject: object
    visit: object
    value: object
    count: int
    first_row: int

    def __str__(self) -> str:
        who = "rows without a subject" if self.subject is None else f"subject {self.subject}"
        return who if self.visit is None else f"{who} at {self.visit}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CodedRows:
    """A frame with its subject, visit (or period) and parameter columns coded.

    `position` (n,) is the place of the row's visit in time (only its order counts), NaN where
    that is not known; None when visits have no order at all. `parameter` is the analysis
    parameter (CDISC PARAMCD) where the frame holds several, and every rule about repeated
    rows applies within it.
    """

    frame: pd.DataFrame
    subject: Coded | None = None
    visit: Coded | None = None
    parameter: Coded | None = None
    position: FloatArray | None = None

    def series(self) -> IntArray:
        """Per row (n,), the number of its subject and parameter; -1 without a subject."""
        n_rows = len(self.frame)
        if self.subject is None:
            return np.full(n_rows, MISSING, dtype=np.int64)
        codes = self.subject.codes
        if self.parameter is None:
            return codes
        # A missing parameter is one of its own, so that its rows stay apart from the others.
        n_parameters = len(self.parameter.labels) + 1
        combined = codes * n_parameters + self.parameter.codes + 1
        return np.where(codes == MISSING, MISSING, combined)

    def places(
        self, rows: BoolArray, *, value: Coded | None = None, by_visit: bool = True
    ) -> Iterator[Place]:
        """The marked rows (n,) by subject, visit and `value`, in order of first appearance.

        With `by_visit=False` the rows of a subject are one place, which keeps its visit only
        if it is a single row: a value that a subject carries through all visits is one fault.
        """
        index = np.flatnonzero(rows)
        none = np.full(index.size, MISSING, dtype=np.int64)
        subject = none if self.subject is None else self.subject.codes[index]
        visit = none if self.visit is None else self.visit.codes[index]
        values = none if value is None else value.codes[index]
        keys = subject * _size(self.visit) + (visit if by_visit else none)
        keys = keys * _size(value) + values
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
        for place in np.argsort(first):
            at, count = int(first[place]), int(counts[place])
            has_visit = self.visit is not None and (by_visit or count == 1)
            yield Place(
                subject=None if self.subject is None else self.subject.label(int(subject[at])),
                visit=self.visit.label(int(visit[at])) if self.visit and has_visit else None,
                value=None if value is None else value.label(int(values[at])),
                count=count,
                first_row=int(index[at]),
            )

    def parameter_text(self, row: int) -> str:
        """Words for messages that name the row's parameter; none if the frame holds one."""
        if self.parameter is None or len(self.parameter.labels) < 2:
            return ""
        label = self.parameter.label(int(self.parameter.codes[row]))
        return f" of {self.parameter.column} {label!r}"


def _size(coded: Coded | None) -> int:
    """Number of codes, the missing one included: what the next code is multiplied by."""
    return 1 if coded is None else len(coded.labels) + 1
