"""Rules about subjects: each row once, in one arm, one sequence, one stratum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from trialkit.data.coded_rows import CodedRows
from trialkit.data.coding import MISSING, Coded
from trialkit.data.findings import Finding
from trialkit.data.numbers import Numbers
from trialkit.typing import FloatArray

__all__ = [
    "changes_within_subject",
    "duplicates",
    "levels_within_subject",
    "missing_baseline",
    "missing_keys",
]

MAX_ROWS_NAMED = 5


def missing_keys(rows: CodedRows, coded: Coded, *, role: str) -> Iterator[Finding]:
    """Rows without a subject, an arm, a visit, ...: rule `missing-<role>`."""
    if not coded.is_missing.any():
        return
    if role == "subject":
        index = rows.frame.index[coded.is_missing].tolist()
        named = ", ".join(map(str, index[:MAX_ROWS_NAMED]))
        more = ", ..." if len(index) > MAX_ROWS_NAMED else ""
        yield Finding(
            rule="missing-subject",
            column=coded.column,
            count=len(index),
            message=f"{coded.column} is missing in {len(index)} row(s): index {named}{more}.",
        )
        return
    for place in rows.places(coded.is_missing, by_visit=role not in ("visit", "period")):
        yield Finding(
            rule=f"missing-{role}",
            column=coded.column,
            subject=place.subject,
            visit=place.visit,
            count=place.count,
            message=f"{coded.column} of {place} is missing in {place.count} row(s).",
        )


def duplicates(
    rows: CodedRows, *, when: str | None, within: Coded | None = None
) -> Iterator[Finding]:
    """More than one row of a subject at one visit (period), within one parameter.

    Where `within` tells several rows of a period apart, only those that share its label are
    too many. Rule `duplicate-subject-<when>`; `duplicate-subject` for a design without visits,
    where two rows of a subject would count as two subjects.
    """
    if rows.subject is None or (when is not None and rows.visit is None):
        return
    series = rows.series()
    known = series != MISSING
    visit = np.zeros_like(series)
    if when is not None and rows.visit is not None:
        known &= ~rows.visit.is_missing
        visit = rows.visit.codes
    keys = series * (visit.max(initial=0) + 1) + visit
    if within is not None:
        known &= ~within.is_missing
        keys = keys * len(within.labels) + within.codes
    _, inverse, counts = np.unique(keys[known], return_inverse=True, return_counts=True)
    repeated = np.zeros(len(rows.frame), dtype=np.bool_)
    repeated[np.flatnonzero(known)[counts[inverse] > 1]] = True
    for place in rows.places(repeated, value=rows.parameter, by_visit=when is not None):
        at = f" at {when} {place.visit}" if when else ""
        if within is not None:
            at += f" that share a {within.column}"
        yield Finding(
            rule=f"duplicate-subject-{when}" if when else "duplicate-subject",
            column=rows.subject.column,
            subject=place.subject,
            visit=place.visit,
            count=place.count,
            message=(
                f"Subject {place.subject} has {place.count} rows{at}"
                f"{rows.parameter_text(place.first_row)}; one is allowed"
                f"{'' if when else ' where the design names no visit'}."
            ),
        )


def levels_within_subject(rows: CodedRows, coded: Coded, *, what: str) -> Iterator[Finding]:
    """Subjects with two levels of what is theirs throughout: rule `subject-in-two-<what>`."""
    if rows.subject is None:
        return
    known = ~rows.subject.is_missing & ~coded.is_missing
    n_levels = len(coded.labels) + 1
    pairs = np.unique(rows.subject.codes[known] * n_levels + coded.codes[known])
    subjects, levels = pairs // n_levels, pairs % n_levels
    n_subjects = len(rows.subject.labels)
    n_rows = np.bincount(rows.subject.codes[known], minlength=n_subjects)
    ends = np.cumsum(np.bincount(subjects, minlength=n_subjects))
    starts = np.concatenate([[0], ends[:-1]])
    for subject in np.flatnonzero(ends - starts > 1).tolist():
        labels = [coded.label(int(level)) for level in levels[starts[subject] : ends[subject]]]
        name = rows.subject.label(subject)
        yield Finding(
            rule=f"subject-in-two-{what}",
            column=coded.column,
            subject=name,
            count=int(n_rows[subject]),
            message=(
                f"Subject {name} is in {len(labels)} {what} of {coded.column}: "
                f"{', '.join(map(repr, labels))}."
            ),
        )


def missing_baseline(rows: CodedRows, numbers: Numbers, *, column: str) -> Iterator[Finding]:
    """Subjects without a baseline in some or all rows; what is no number is another finding."""
    is_missing = np.isnan(numbers.values) & ~numbers.is_bad
    for place in rows.places(is_missing, by_visit=False):
        yield Finding(
            rule="missing-baseline",
            column=column,
            subject=place.subject,
            visit=place.visit,
            count=place.count,
            message=f"{column} of {place} is missing in {place.count} row(s).",
        )


def changes_within_subject(
    rows: CodedRows, values: FloatArray, *, column: str
) -> Iterator[Finding]:
    """A baseline that is not one number for a subject (and parameter)."""
    series = rows.series()
    known = (series != MISSING) & ~np.isnan(values)
    grouped = pd.Series(values[known]).groupby(series[known])
    lowest, highest = grouped.transform("min"), grouped.transform("max")
    changing = np.zeros(len(rows.frame), dtype=np.bool_)
    changing[np.flatnonzero(known)[(lowest != highest).to_numpy()]] = True
    distinct = pd.Series(values[changing]).groupby(series[changing]).unique()
    for place in rows.places(changing, value=rows.parameter, by_visit=False):
        numbers = distinct[series[place.first_row]]
        yield Finding(
            rule="baseline-changes-within-subject",
            column=column,
            subject=place.subject,
            count=place.count,
            message=(
                f"{column} of subject {place.subject}{rows.parameter_text(place.first_row)} has "
                f"{len(numbers)} values: {', '.join(f'{value:g}' for value in numbers[:5])}; "
                "a baseline is one number."
            ),
        )
