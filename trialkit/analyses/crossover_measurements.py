"""Several measurements of a subject in a period: what must hold of their rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trialkit.errors import DataError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "constant_in_periods",
    "measurement_note",
    "one_treatment_each",
    "period_codes",
    "require_components",
]


def period_codes(subject: IntArray, period: IntArray) -> tuple[IntArray, IntArray]:
    """The subject-period of each row (N,), codes from 0, and the first row of each (C,)."""
    _, first, codes = np.unique(
        subject * (int(period.max()) + 1) + period, return_index=True, return_inverse=True
    )
    return codes.astype(np.int64), first


def one_treatment_each(
    treatment: IntArray,
    subject: IntArray,
    period: IntArray,
    *,
    subjects: Sequence[object],
    periods: Sequence[object],
    treatments: Sequence[object],
) -> IntArray:
    """The treatment of each row's subject and period (N,), -1 where no row of it tells.

    Raises DataError where the rows of a subject and period name two.
    """
    cell, first = period_codes(subject, period)
    given = np.full(first.size, -1, dtype=np.int64)
    np.maximum.at(given, cell, treatment)
    stray = np.flatnonzero((treatment >= 0) & (treatment != given[cell]))
    if stray.size:
        at = int(stray[0])
        raise DataError(
            f"Subject {subjects[subject[at]]!r} has the treatments {treatments[treatment[at]]!r} "
            f"and {treatments[given[cell[at]]]!r} in period {periods[period[at]]!r}; a period has "
            "one."
        )
    return given[cell]


def constant_in_periods(
    values: FloatArray,
    subject: IntArray,
    period: IntArray,
    *,
    column: str,
    subjects: Sequence[object],
    periods: Sequence[object],
) -> None:
    """Raise DataError where the values known (N,) of a subject and period differ."""
    known = np.flatnonzero(~np.isnan(values))
    cell, first = period_codes(subject[known], period[known])
    stray = np.flatnonzero(values[known] != values[known][first][cell])
    if stray.size:
        at = known[stray[0]]
        raise DataError(
            f"Column {column!r} has more than one value for subject {subjects[subject[at]]!r} in "
            f"period {periods[period[at]]!r}; a period has one baseline, in all its rows."
        )


def measurement_note(
    subject: IntArray, period: IntArray, analysed: BoolArray, n_measurements: int
) -> str:
    """How many measurements the periods contribute."""
    cell, first = period_codes(subject[analysed], period[analysed])
    counts = np.bincount(cell)
    low, high = int(counts.min()), int(counts.max())
    range_of = f"{low}" if low == high else f"{low} to {high}"
    full = int((counts == n_measurements).sum())
    return (
        f"{first.size} periods of subjects analysed, with {range_of} of {n_measurements} "
        f"measurements each ({full} with all)."
    )


def require_components(subject: IntArray, period: IntArray, *, column: str) -> None:
    """Raise DataError where analysed rows (n,) cannot tell three variances apart."""
    _, first = period_codes(subject, period)
    if first.size == subject.size:
        raise DataError(
            f"No subject has two measurements (column {column!r}) in a period: their variance is "
            "that between the periods. Leave measurement= out."
        )
    if first.size == np.unique(subject).size:
        raise DataError(
            "No subject has two periods: the variance between a subject's periods is that between "
            "subjects."
        )
