"""The rows of a crossover trial: who got what in which period, as codes, checked.

One row is one subject in one period, or one measurement of it. What contradicts that (two rows
of a subject in a period, a subject in two sequences, an outcome without a treatment) is an
error here, because every way to go on would be a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_measurements import one_treatment_each
from trialkit.data.levels import (
    arm_levels,
    coded_labels,
    factor_levels,
    level_codes,
    period_levels,
)
from trialkit.data.model_columns import require_labels
from trialkit.data.names import require_columns
from trialkit.data.vectors import complete_labels, number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "CrossoverRows",
    "contribution_frame",
    "contribution_notes",
    "previous_treatments",
    "read_crossover",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossoverRows:
    """All N rows: `values` (NaN where missing) and codes into the labels; reference first.

    `treatment` is -1 where neither treatment nor outcome is known. `measurement` (N,) are codes
    into `measurements` where a period has several; None and () where it has one.
    """

    outcome: str
    values: FloatArray
    subject: IntArray
    sequence: IntArray
    period: IntArray
    treatment: IntArray
    subjects: tuple[object, ...]
    sequences: tuple[object, ...]
    periods: tuple[object, ...]
    treatments: tuple[object, ...]
    measurement: IntArray | None = None
    measurements: tuple[object, ...] = ()

    @property
    def observed(self) -> BoolArray:
        """Rows (N,) with an outcome."""
        return ~np.isnan(self.values)

    @property
    def subject_sequence(self) -> IntArray:
        """The sequence of each subject."""
        out = np.zeros(len(self.subjects), dtype=np.int64)
        out[self.subject] = self.sequence
        return out

    def matrix(self, values: FloatArray) -> FloatArray:
        """Values (N,), one a subject and period, as subjects by periods; NaN where no row is."""
        out = np.full((len(self.subjects), len(self.periods)), np.nan)
        out[self.subject, self.period] = values
        return out


def read_crossover(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    period_order: str | Sequence[object] | None = None,
    measurement: str | None = None,
) -> CrossoverRows:
    """Codes of all rows of `data`.

    Raises DataError for missing columns, missing or blank labels, a subject in two sequences or
    with two rows in a period (or at a measurement of it), a reference that is not a treatment,
    a single treatment, period or measurement.
    """
    frame = require_frame(data)
    several = [] if measurement is None else [measurement]
    columns = [outcome, subject, sequence, period, treatment, *several]
    if len(set(columns)) < len(columns):
        are = "treatment and measurement are six" if several else "and treatment are five"
        raise SpecError(
            f"outcome, subject, sequence, period{',' if several else ''} {are} columns; got "
            f"{', '.join(columns)}."
        )
    require_columns(frame, columns)
    values = number_vector(frame, outcome)
    who, subjects = complete_labels(frame, subject)
    when, found_periods = complete_labels(frame, period)
    order, found_sequences = complete_labels(frame, sequence)
    sequences = factor_levels(frame, sequence)
    periods = period_levels(frame, period, period_order)
    treatments = arm_levels(frame, treatment, _required(reference, treatment))
    when = level_codes(when, found_periods, periods)
    order = level_codes(order, found_sequences, sequences)
    what = _treatment_codes(frame, treatment, treatments, values)
    for labels, name in ((treatments, treatment), (periods, period)):
        if len(labels) < 2:
            raise DataError(
                f"Column {name!r} has one label only, {labels[0]!r}; a crossover has at least two."
            )
    which: IntArray | None = None
    measurements: list[object] = []
    if measurement is None:
        _refuse_repeats(who, when, subjects, periods)
    else:
        which, measurements = _measurements(frame, measurement)
        _refuse_repeated_measurements(who, when, which, subjects, periods, measurements)
        what = one_treatment_each(
            what, who, when, subjects=subjects, periods=periods, treatments=treatments
        )
    _refuse_two_sequences(who, order, subjects, sequences)
    return CrossoverRows(
        outcome=outcome,
        values=values,
        subject=who,
        sequence=order,
        period=when,
        treatment=what,
        subjects=tuple(subjects),
        sequences=tuple(sequences),
        periods=tuple(periods),
        treatments=tuple(treatments),
        measurement=which,
        measurements=tuple(measurements),
    )


def previous_treatments(rows: CrossoverRows) -> tuple[IntArray, int]:
    """Treatment code of the period before each row (N,), -1 in the first; and how many inferred.

    It is read from the subject's own row of that period, with or without an outcome. Where
    that row is absent, it is what every other subject of the sequence got then; DataError
    where they differ, or nobody has a row.
    """
    given = np.full((len(rows.subjects), len(rows.periods)), -1, dtype=np.int64)
    given[rows.subject, rows.period] = rows.treatment
    due = np.full((len(rows.sequences), len(rows.periods)), -1, dtype=np.int64)
    member = rows.subject_sequence
    for sequence in range(len(rows.sequences)):
        for period in range(len(rows.periods)):
            found = np.unique(given[member == sequence, period])
            found = found[found >= 0]
            due[sequence, period] = found[0] if found.size == 1 else -1
    before = np.where(rows.period > 0, given[rows.subject, rows.period - 1], -1)
    unknown = (rows.period > 0) & (before < 0)
    inferred = due[rows.sequence, rows.period - 1]
    lost = np.flatnonzero(unknown & (inferred < 0) & rows.observed)
    if lost.size:
        at = int(lost[0])
        raise DataError(
            f"Carryover needs the treatment before period {rows.periods[rows.period[at]]!r} of "
            f"subject {rows.subjects[rows.subject[at]]!r}: it has no row in the period before, and "
            f"sequence {rows.sequences[rows.sequence[at]]!r} does not tell ({lost.size} row(s) in "
            "all). Give that row, with the treatment and an empty outcome."
        )
    return np.where(unknown, inferred, before), int((unknown & rows.observed).sum())


def periods_seen(rows: CrossoverRows, analysed: BoolArray) -> BoolArray:
    """Which periods of each subject (subjects, periods) have an analysed row."""
    seen = np.zeros((len(rows.subjects), len(rows.periods)), dtype=np.bool_)
    seen[rows.subject[analysed], rows.period[analysed]] = True
    return seen


def contribution_frame(rows: CrossoverRows, analysed: BoolArray) -> pd.DataFrame:
    """Analysed periods of every subject: columns subject, sequence, n_periods, periods."""
    seen = periods_seen(rows, analysed)
    return pd.DataFrame(
        {
            "subject": list(rows.subjects),
            "sequence": [rows.sequences[code] for code in rows.subject_sequence],
            "n_periods": seen.sum(axis=1),
            "periods": [
                ", ".join(str(p) for p, s in zip(rows.periods, row, strict=True) if s)
                for row in seen
            ],
        }
    )


def contribution_notes(rows: CrossoverRows, analysed: BoolArray) -> tuple[str, ...]:
    """What the subjects contribute: rows analysed, and subjects by their number of periods."""
    counts = periods_seen(rows, analysed).sum(axis=1)
    n_periods = len(rows.periods)
    parts = [
        f"{int((counts == n).sum())} with {n} of {n_periods} periods"
        for n in range(n_periods, -1, -1)
        if (counts == n).any()
    ]
    return (
        f"{int(analysed.sum())} of {analysed.size} rows analysed, of {int((counts > 0).sum())} "
        f"subjects: {', '.join(parts)}.",
    )


def _required(reference: object, treatment: str) -> object:
    if reference is None:
        raise SpecError(f"reference= must name the treatment in column {treatment!r}.")
    return reference


def _treatment_codes(
    frame: pd.DataFrame, column: str, treatments: Sequence[object], values: FloatArray
) -> IntArray:
    require_labels(frame[column], column)
    codes, labels = coded_labels(frame[column], column)
    lost = (codes < 0) & ~np.isnan(values)
    if lost.any():
        raise DataError(
            f"Column {column!r} is missing in {int(lost.sum())} row(s) with an outcome, the first "
            f"in row {frame.index[lost].tolist()[0]!r}; what was given there must be known."
        )
    return level_codes(codes, labels, treatments)


def _refuse_repeats(
    who: IntArray, when: IntArray, subjects: Sequence[object], periods: Sequence[object]
) -> None:
    counts = np.bincount(who * len(periods) + when)
    repeated = np.flatnonzero(counts > 1)
    if repeated.size:
        subject, period = divmod(int(repeated[0]), len(periods))
        raise DataError(
            f"{repeated.size} subject-period pair(s) have more than one row, the first subject "
            f"{subjects[subject]!r} in period {periods[period]!r}; give one row each (choose a "
            "visit and parameter, or average the visits of a period, first)."
        )


def _measurements(frame: pd.DataFrame, column: str) -> tuple[IntArray, list[object]]:
    """Codes (N,) and labels of the measurements of a period."""
    which, found = complete_labels(frame, column)
    labels = factor_levels(frame, column)
    if len(labels) < 2:
        raise DataError(
            f"Column {column!r} has one label only, {labels[0]!r}; leave measurement= out."
        )
    return level_codes(which, found, labels), labels


def _refuse_repeated_measurements(
    who: IntArray,
    when: IntArray,
    which: IntArray,
    subjects: Sequence[object],
    periods: Sequence[object],
    measurements: Sequence[object],
) -> None:
    key = (who * len(periods) + when) * len(measurements) + which
    found, counts = np.unique(key, return_counts=True)
    repeated = found[counts > 1]
    if repeated.size:
        cell, measurement = divmod(int(repeated[0]), len(measurements))
        subject, period = divmod(cell, len(periods))
        raise DataError(
            f"{repeated.size} measurement(s) have more than one row, the first that of subject "
            f"{subjects[subject]!r} in period {periods[period]!r} at "
            f"{measurements[measurement]!r}; give one row each."
        )


def _refuse_two_sequences(
    who: IntArray, order: IntArray, subjects: Sequence[object], sequences: Sequence[object]
) -> None:
    first = np.full(len(subjects), -1, dtype=np.int64)
    first[who[::-1]] = order[::-1]
    strays = np.flatnonzero(first[who] != order)
    if strays.size:
        at = int(strays[0])
        raise DataError(
            f"Subject {subjects[who[at]]!r} stands in the sequences {sequences[first[who[at]]]!r} "
            f"and {sequences[order[at]]!r}; a subject has one."
        )
