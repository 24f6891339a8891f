"""The two-period, two-sequence (AB/BA) trial as one pair of outcomes a subject."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.analyses.crossover_rows import CrossoverRows
from trialkit.errors import DataError, DesignError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["Pairs", "read_pairs"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Outcomes (n,) of subjects with both periods; `test_first` (n,) marks who had the test first.

    `sequences` names those given the reference first, and the test first. `rows` are the
    positions (n, 2) of either period in the data.
    """

    first: FloatArray
    second: FloatArray
    test_first: BoolArray
    reference: object
    test: object
    sequences: tuple[object, object]
    periods: tuple[object, ...]
    n_incomplete: int
    outcome: str
    subjects: tuple[object, ...]

    @property
    def n(self) -> int:
        """Subjects with both periods."""
        return self.first.size

    @property
    def contrast(self) -> str:
        """The label of the comparison: "LDN - Placebo"."""
        return f"{self.test} - {self.reference}"

    @property
    def period_differences(self) -> FloatArray:
        """Period 1 minus period 2 (n,)."""
        return np.asarray(self.first - self.second)

    @property
    def treatment_differences(self) -> FloatArray:
        """Test minus reference (n,)."""
        return np.where(self.test_first, 1.0, -1.0) * self.period_differences

    @property
    def notes(self) -> tuple[str, ...]:
        """How many subjects lack a period, where some do."""
        if not self.n_incomplete:
            return ()
        return (
            f"{self.n_incomplete} of {self.n + self.n_incomplete} subjects lack {self.outcome} in "
            "a period and are left out.",
        )


def read_pairs(rows: CrossoverRows, *, per_sequence: int = 1) -> Pairs:
    """Pairs of an AB/BA trial.

    Raises DesignError for another design, and where subjects of a sequence got the treatments
    in different orders; DataError where a sequence has fewer than `per_sequence` complete pairs.
    """
    counts = (len(rows.treatments), len(rows.periods), len(rows.sequences))
    if counts != (2, 2, 2):
        raise DesignError(
            "This analysis is for two treatments in two periods and two sequences (AB/BA); the "
            f"data have {counts[0]} treatments, {counts[1]} periods and {counts[2]} sequences. "
            "trialkit.crossover() takes any design."
        )
    given = np.full((len(rows.subjects), 2), -1, dtype=np.int64)
    given[rows.subject, rows.period] = rows.treatment
    values = rows.matrix(rows.values)
    complete = ~np.isnan(values).any(axis=1)
    starts = _first_treatment(rows, given)
    test_first = starts[rows.subject_sequence] == 1
    for first in (False, True):
        n = int((complete & (test_first == first)).sum())
        if n < per_sequence:
            label = rows.sequences[int(np.flatnonzero((starts == 1) == first)[0])]
            raise DataError(
                f"Sequence {label!r} has {n} subject(s) with both periods; at least "
                f"{per_sequence} are needed."
            )
    by_start = [rows.sequences[int(code)] for code in np.argsort(starts)]
    return Pairs(
        first=values[complete, 0],
        second=values[complete, 1],
        test_first=test_first[complete],
        reference=rows.treatments[0],
        test=rows.treatments[1],
        sequences=(by_start[0], by_start[1]),
        periods=rows.periods,
        n_incomplete=int((~complete).sum()),
        outcome=rows.outcome,
        subjects=tuple(rows.subjects[code] for code in np.flatnonzero(complete)),
    )


def _first_treatment(rows: CrossoverRows, given: IntArray) -> IntArray:
    """Treatment code of period 1 by sequence: 0 in one sequence, 1 in the other."""
    member = rows.subject_sequence
    starts = np.full(2, -1, dtype=np.int64)
    for sequence in range(2):
        own = given[member == sequence]
        same = own[(own[:, 0] >= 0) & (own[:, 0] == own[:, 1]), 0]
        if same.size:
            raise DesignError(
                f"{same.size} subject(s) of sequence {rows.sequences[sequence]!r} have "
                f"{rows.treatments[int(same[0])]!r} in both periods: this analysis is for AB/BA "
                "alone. trialkit.crossover() takes any design."
            )
        implied = np.concatenate([own[:, 0], 1 - own[own[:, 1] >= 0, 1]])
        implied = implied[implied >= 0]
        if np.unique(implied).size != 1:
            label = rows.sequences[sequence]
            raise DesignError(
                f"Subjects of sequence {label!r} got the treatments in different orders; "
                "trialkit.check() names them. The sequences are compared as assigned, so the "
                "treatments must follow them."
            )
        starts[sequence] = implied[0]
    if starts[0] == starts[1]:
        raise DesignError(
            f"Both sequences begin with {rows.treatments[starts[0]]!r}: period and treatment "
            "cannot be told apart."
        )
    return starts
