"""Outcomes after an intercurrent event: read, replaced, their absent rows made, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.api.extensions import take

from trialkit.data.vectors import number_vector
from trialkit.errors import DataError, SpecError

__all__ = [
    "Event",
    "Rows",
    "check_composite",
    "made",
    "observed",
    "read_rows",
    "refuse_several_rows",
    "replaced",
    "with_absent",
]


class Event(NamedTuple):
    """`place` is that of the first visit affected, None after the last; `day` may be NaN."""

    subject: object
    label: object
    day: float
    place: int | None
    strategy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Subject, place of the visit, and outcome of every row; `is_missing` where there is none."""

    subjects: tuple[object, ...]
    places: tuple[int, ...]
    values: tuple[object, ...]
    is_missing: tuple[bool, ...]
    is_number: bool


def read_rows(
    frame: pd.DataFrame, *, subject: str, visit: str, outcome: str, order: Sequence[object]
) -> Rows:
    """The rows of a long frame; DataError for a visit that is not in `order`."""
    at = {label: place for place, label in enumerate(order)}
    labels = frame[visit].tolist()
    unknown = [label for label in dict.fromkeys(labels) if label not in at]
    if unknown:
        raise DataError(
            f"Visit {unknown[0]!r} of column {visit!r} has no planned day; planned: "
            f"{', '.join(map(repr, order))}."
        )
    values, is_number = _outcome_values(frame, outcome)
    return Rows(
        subjects=tuple(frame[subject].tolist()),
        places=tuple(at[label] for label in labels),
        values=tuple(values),
        is_missing=tuple(_is_blank(value) for value in values),
        is_number=is_number,
    )


def _outcome_values(frame: pd.DataFrame, outcome: str) -> tuple[list[object], bool]:
    """The outcome of every row, and whether it is numbers (NaN where missing) or labels."""
    kind = frame[outcome].dtype
    labels = frame[outcome].astype(object)
    if not (types.is_numeric_dtype(kind) and not types.is_bool_dtype(kind)):
        present = labels[labels.notna()].tolist()
        if all(isinstance(value, str | bool) for value in present) and present:
            return [None if _is_blank(value) else value for value in labels.tolist()], False
    return list(number_vector(frame, outcome).tolist()), True


def made(values: Sequence[object], index: pd.Index, *, is_number: bool) -> pd.Series:
    """The outcome as a column again."""
    if is_number:
        return pd.Series(np.array(values, dtype=np.float64), index=index)
    return pd.Series(list(values), index=index, dtype=object)


def with_absent(
    frame: pd.DataFrame,
    wanted: Sequence[tuple[object, object]],
    *,
    subject: str,
    visit: str,
    outcome: str,
) -> pd.DataFrame:
    """`frame` with one more row for each (subject, visit) that has none, without an outcome.

    A column that never changes within a subject holds the subject's value in such a row, one
    that never changes within a visit the visit's; the others hold nothing.
    """
    owners, labels = frame[subject].tolist(), frame[visit].tolist()
    there = set(zip(owners, labels, strict=True))
    absent = [pair for pair in wanted if pair not in there]
    if not absent:
        return frame
    refuse_several_rows(frame, subject=subject, visit=visit)
    own = {who: row for row, who in reversed(list(enumerate(owners)))}
    seen = {label: row for row, label in reversed(list(enumerate(labels)))}
    nothing = [-1] * len(absent)
    columns = {}
    for name in frame.columns:
        column = frame[name]
        rows = nothing
        if name != outcome and _never_changes(column, frame[subject]):
            rows = [own[who] for who, _ in absent]
        elif name != outcome and _never_changes(column, frame[visit]):
            rows = [seen[label] for _, label in absent]
        source = column.array if types.is_extension_array_dtype(column.dtype) else column.to_numpy()
        columns[name] = take(source, np.array(rows, dtype=np.intp), allow_fill=True)
    more = pd.DataFrame(columns)
    # Where nothing is missing the type of the column is kept: AVISITN stays a whole number.
    whole = {name: frame[name].dtype for name in more.columns if not more[name].isna().any()}
    parts = {
        name: pd.concat([frame[name], more[name].astype(whole.get(name, more[name].dtype))])
        for name in frame.columns
    }
    return pd.DataFrame({name: part.reset_index(drop=True) for name, part in parts.items()})


def _never_changes(column: pd.Series, by: pd.Series) -> bool:
    grouped = column.groupby(by.astype(object), observed=True, sort=False)
    return bool((grouped.nunique(dropna=False) <= 1).all())


def refuse_several_rows(frame: pd.DataFrame, *, subject: str, visit: str) -> None:
    """Raise DataError where a subject has two rows at a visit."""
    again = frame.duplicated([subject, visit])
    if again.any():
        row = frame.loc[again].iloc[0]
        raise DataError(
            f"Subject {row[subject]!r} has several rows at visit {row[visit]!r}: which outcome an "
            "event changes is not given; choose one parameter and one row a visit."
        )


def check_composite(composite: object, rows: Rows, outcome: str) -> None:
    """SpecError where the outcome a composite event makes is of another kind than the column."""
    is_number = isinstance(composite, int | float) and not isinstance(composite, bool)
    if is_number != rows.is_number:
        kind = "numbers" if rows.is_number else "labels"
        raise SpecError(f"composite={composite!r}: column {outcome!r} holds {kind}.")
    if isinstance(composite, float) and not isfinite(composite):
        raise SpecError(f"composite={composite!r} is not an outcome; give a finite number.")


def observed(rows: Rows) -> dict[tuple[object, int], int]:
    """How many outcomes each subject has at each visit, where there is any."""
    found: dict[tuple[object, int], int] = {}
    for who, place, gone in zip(rows.subjects, rows.places, rows.is_missing, strict=True):
        if not gone:
            found[who, place] = found.get((who, place), 0) + 1
    return found


def replaced(
    rows: Rows, governing: Mapping[object, Event], composite: object
) -> tuple[list[object], list[object]]:
    """The outcome of every row under the strategies, and the event that governs it."""
    nothing = np.nan if rows.is_number else None
    carried = _carried(rows, governing)
    values: list[object] = list(rows.values)
    labels: list[object] = [None] * len(values)
    for row, who in enumerate(rows.subjects):
        event = governing.get(who)
        if event is None or event.place is None or rows.places[row] < event.place:
            continue
        labels[row] = event.label
        if event.strategy == "hypothetical":
            values[row] = nothing
        elif event.strategy == "composite":
            values[row] = composite
        else:
            values[row] = carried.get(who, nothing)
    return values, labels


def _carried(rows: Rows, governing: Mapping[object, Event]) -> dict[object, object]:
    """Last outcome observed before the governing event, by subject."""
    latest: dict[object, tuple[int, object]] = {}
    for who, place, value, gone in zip(
        rows.subjects, rows.places, rows.values, rows.is_missing, strict=True
    ):
        event = governing.get(who)
        if gone or event is None or event.place is None or place >= event.place:
            continue
        if who not in latest or place > latest[who][0]:
            latest[who] = (place, value)
    return {who: value for who, (_, value) in latest.items()}


def _is_blank(value: object) -> bool:
    # pd.NA has no truth value: it is asked for before anything is compared.
    if value is None or value is pd.NA or value != value:
        return True
    return isinstance(value, str) and not value.strip()
