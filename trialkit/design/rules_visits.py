"""Rules about levels and their order: the reference, the arms, the visits or periods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.coded_rows import CodedRows
from trialkit.data.coding import MISSING, Coded, normal_form
from trialkit.data.findings import Finding
from trialkit.data.levels import visit_levels
from trialkit.errors import DataError
from trialkit.typing import FloatArray

__all__ = ["VisitOrder", "period_gaps", "unknown_reference", "unplaced_visits", "visit_order"]


@dataclass(frozen=True, slots=True, eq=False)
class VisitOrder:
    """Where each row's visit stands (n,), NaN without a place; None when there is no order."""

    position: FloatArray | None
    findings: tuple[Finding, ...] = ()


def unknown_reference(coded: Coded, reference: object, *, role: str) -> Iterator[Finding]:
    """A reference that no row has, or that is the only level there is."""
    if not coded.labels:
        return
    present = ", ".join(map(repr, coded.labels))
    if reference not in coded.labels:
        alike = [label for label in coded.labels if normal_form(label) == normal_form(reference)]
        hint = f" (it reads as {alike[0]!r}, which is another label)" if alike else ""
        yield Finding(
            rule="unknown-level",
            column=coded.column,
            message=(
                f"Reference {reference!r} is not among the {role}s of {coded.column}: "
                f"{present}{hint}."
            ),
        )
    elif len(coded.labels) == 1:
        yield Finding(
            rule="single-level",
            column=coded.column,
            message=(
                f"{coded.column} has one {role}, {present}: there is nothing to compare it with."
            ),
        )


def visit_order(
    frame: pd.DataFrame, coded: Coded, order: str | Sequence[object] | None, *, role: str
) -> VisitOrder:
    """The places of visits (periods) in time, or the finding that they have none.

    Rules `unknown-level` (a label outside the order given) and `<role>-without-order`.
    """
    if order is not None and not isinstance(order, str):
        places = {label: float(position) for position, label in enumerate(order)}
        return VisitOrder(coded.numbers(places), tuple(unplaced_visits(coded, order, role=role)))
    names = [coded.column] if order is None or order == coded.column else [coded.column, order]
    try:
        levels = visit_levels(frame.loc[~coded.is_missing, names], coded.column, order)
    except DataError as problem:
        finding = Finding(
            rule=f"{role}-without-order",
            column=coded.column if order is None else order,
            count=len(coded.labels),
            message=str(problem),
        )
        return VisitOrder(None, (finding,))
    places = {label: float(position) for position, label in enumerate(levels)}
    return VisitOrder(coded.numbers(places))


def unplaced_visits(coded: Coded, order: Sequence[object], *, role: str) -> Iterator[Finding]:
    """Labels that the order given does not have."""
    listed = ", ".join(map(repr, order))
    for code, label in enumerate(coded.labels):
        if label not in order:
            count = int((coded.codes == code).sum())
            yield Finding(
                rule="unknown-level",
                column=coded.column,
                visit=label,
                count=count,
                message=(
                    f"{role.capitalize()} {label!r} of {coded.column} ({count} rows) is not in "
                    f"the order given: {listed}."
                ),
            )


def period_gaps(rows: CodedRows) -> Iterator[Finding]:
    """Periods that do not count from 1, and subjects with a period but not the one before it.

    Numeric periods count 1, 2, 3, ...; others are gone through in their order. A subject who
    stops early has no gap: the periods after the last are no finding.
    """
    if rows.visit is None or rows.position is None or rows.subject is None:
        return
    labels = rows.visit.labels
    if labels and all(_is_number(label) for label in labels):
        numbers = rows.visit.numbers({label: float(str(label)) for label in labels})
        wrong = [label for label in labels if float(str(label)) not in range(1, len(labels) + 1)]
        if wrong:
            yield Finding(
                rule="period-gap",
                column=rows.visit.column,
                count=int(np.isin(numbers, [float(str(label)) for label in wrong]).sum()),
                message=(
                    f"The periods of {rows.visit.column} are {_sorted_text(labels)}; "
                    f"{len(labels)} periods count from 1 to {len(labels)}."
                ),
            )
    yield from _subject_gaps(rows.subject, rows.visit, rows.position)


def _subject_gaps(subject: Coded, visit: Coded, position: FloatArray) -> Iterator[Finding]:
    known = (subject.codes != MISSING) & ~np.isnan(position)
    # Ranks of the periods that occur, so that a place no subject has is no gap of each.
    places, rank = np.unique(position[known], return_inverse=True)
    pairs = np.unique(subject.codes[known] * places.size + rank)
    if not pairs.size:
        return
    has = np.zeros((len(subject.labels), places.size), dtype=np.bool_)
    has[pairs // places.size, pairs % places.size] = True
    last = has.shape[1] - 1 - np.argmax(has[:, ::-1], axis=1)
    gaps = ~has & (np.arange(places.size) < last[:, None])
    name = {}
    for label, place in zip(visit.codes[known].tolist(), rank.tolist(), strict=True):
        name[place] = visit.label(label)
        if len(name) == places.size:
            break
    for person in np.flatnonzero(gaps.any(axis=1) & has.any(axis=1)).tolist():
        absent = [str(name[place]) for place in np.flatnonzero(gaps[person]).tolist()]
        yield Finding(
            rule="period-gap",
            column=visit.column,
            subject=subject.label(person),
            count=len(absent),
            message=(
                f"Subject {subject.label(person)} has period {name[int(last[person])]} "
                f"of {visit.column} and not {', '.join(absent)} before it."
            ),
        )


def _is_number(label: object) -> bool:
    return isinstance(label, int | float) and not isinstance(label, bool)


def _sorted_text(labels: Sequence[object]) -> str:
    return ", ".join(f"{value:g}" for value in sorted(float(str(label)) for label in labels))
