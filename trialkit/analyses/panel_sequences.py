"""Who could have been given the two treatments of a contrast in the other order.

With two periods that is everybody. With more, the hypothesis that two treatments do not differ
says nothing about the others: exchanging whole sequences would test that none differs. What it
leaves exchangeable are sequences that are alike but for the order of the two.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np

from trialkit.analyses.panel_cells import PanelCells, PanelColumns, refuse_missing
from trialkit.errors import DataError
from trialkit.typing import FloatArray, IntArray

__all__ = ["alike_but_for_order", "has_more_periods", "later_condition", "within_alike"]

EITHER = "either of the two"


def has_more_periods(cells: PanelCells, columns: PanelColumns) -> bool:
    """Whether there are more than the two periods that two treatments need."""
    return columns.period is not None and cells.attributes[columns.period].nunique() > 2


def later_condition(cells: PanelCells, period: str, places: IntArray) -> FloatArray:
    """1 for units (n,) that had the condition after the reference; `places` (n, 2, r).

    Raises DataError where the draws of a condition lie in several periods, or both conditions
    in one.
    """
    codes = cells.attributes[period].astype("category").cat.codes.to_numpy()
    moved = (places >= 0) & (codes[places] != codes[places[:, :, :1]])
    if moved.any():
        unit, which, _ = (int(found[0]) for found in np.nonzero(moved))
        first = places[unit, which, 0]
        raise DataError(
            f"{int(moved.any(axis=2).sum())} time(s) a subject has draws of one condition in "
            f"several periods, first {cells.subjects[cells.subject[first]]!r} under "
            f"{cells.conditions[cells.condition[first]]!r}: a crossover that repeats a treatment "
            "is not offered."
        )
    together = codes[places[:, 1, 0]] == codes[places[:, 0, 0]]
    if together.any():
        first = places[int(np.argmax(together)), 0, 0]
        raise DataError(
            f"{int(together.sum())} subject(s) have both conditions in one period, first "
            f"{cells.subjects[cells.subject[first]]!r} in {period}="
            f"{cells.attributes[period].iloc[first]!r}: that is not a crossover."
        )
    return (codes[places[:, 1, 0]] > codes[places[:, 0, 0]]).astype(np.float64)


def alike_but_for_order(
    cells: PanelCells, columns: PanelColumns, subjects: IntArray, code: int
) -> IntArray:
    """Groups (n,) of these subjects, the order of condition `code` and the reference aside.

    Subjects are compared by the treatments of their sequence, period by period; without a
    sequence column by those they have samples of. Raises DataError where one sequence has two
    treatments in a period.
    """
    if columns.period is None:
        return np.zeros(subjects.size, dtype=np.int64)
    periods = cells.attributes[columns.period].tolist()
    named = [cells.subjects[who] for who in cells.subject]
    if columns.sequence is not None:
        refuse_missing(cells.attributes, [columns.sequence])
        named = cells.attributes[columns.sequence].tolist()
        _refuse_several_sequences(cells, columns.sequence, named)
    orders: dict[Hashable, dict[Hashable, int]] = {}
    for name, period, condition in zip(named, periods, cells.condition.tolist(), strict=True):
        known = orders.setdefault(name, {}).setdefault(period, condition)
        if known != condition:
            raise DataError(
                f"{columns.sequence or columns.subject}={name!r} has both "
                f"{cells.conditions[known]!r} and {cells.conditions[condition]!r} in "
                f"{columns.period}={period!r}."
            )
    own = dict(zip(cells.subject.tolist(), named, strict=True))
    groups: dict[frozenset[tuple[Hashable, object]], int] = {}
    found = [_signature(orders[own[who]], code) for who in subjects.tolist()]
    return np.array([groups.setdefault(key, len(groups)) for key in found], dtype=np.int64)


def _refuse_several_sequences(cells: PanelCells, column: str, named: list[object]) -> None:
    """Raise DataError where a subject has several sequences."""
    given: dict[int, object] = {}
    for who, name in zip(cells.subject.tolist(), named, strict=True):
        if given.setdefault(who, name) != name:
            raise DataError(
                f"Subject {cells.subjects[who]!r} has several labels of {column!r}: "
                f"{given[who]!r} and {name!r}."
            )


def _signature(order: Mapping[Hashable, int], code: int) -> frozenset[tuple[Hashable, object]]:
    """Treatments by period, the two of the contrast told apart by nothing."""
    return frozenset(
        (period, EITHER if condition in (0, code) else condition)
        for period, condition in order.items()
    )


def within_alike(strata: IntArray, groups: IntArray) -> IntArray:
    """Codes (n,) of the combinations of stratum and group."""
    pairs = np.column_stack([strata, groups])
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
