"""The order of arms and of visits: never guessed from the alphabet where it matters.

Arms: the reference first, then the Categorical's order, otherwise sorted. Visits (periods,
phases likewise): a numeric column, a Categorical, or an order given by the caller; "Week 12"
sorts before "Week 2", so plain text without an order is refused.

Both return the column's own labels, as plain Python values, and only those that occur.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Literal

import numpy as np

from trialkit.data.names import require_columns
from trialkit.errors import DataError, SpecError
from trialkit.typing import IntArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "arm_levels",
    "coded_labels",
    "factor_levels",
    "level_codes",
    "period_levels",
    "visit_levels",
]

Occasion = Literal["visit", "period", "phase", "category"]
PLURALS = {"visit": "visits", "period": "periods", "phase": "phases", "category": "categories"}


def arm_levels(frame: pd.DataFrame, column: str, reference: object) -> list[object]:
    """Arms that occur in `column`: the reference, then the Categorical's order or sorted.

    Missing arms are ignored: whether a row without an arm matters is the caller's question.
    `reference=None` leaves every arm in its order. Raises DataError where the column is
    missing or empty, or the reference is not among the arms (they are listed).

    Example
    -------
    >>> import pandas as pd
    >>> arm_levels(pd.DataFrame({"TRT01P": ["Placebo", "LDN", "Placebo"]}), "TRT01P", "Placebo")
    ['Placebo', 'LDN']
    """
    levels = factor_levels(frame, column)
    if not levels:
        raise DataError(f"Column {column!r} has no value in {len(frame)} rows: there are no arms.")
    if reference is None:
        return levels
    if reference not in levels:
        raise DataError(
            f"reference={reference!r} is not an arm in column {column!r}; arms: {_listed(levels)}."
        )
    own = levels[levels.index(reference)]  # 0 asks for 0.0, and the column says which it is
    return [own, *(level for level in levels if level != own)]


def factor_levels(frame: pd.DataFrame, column: str) -> list[object]:
    """Labels that occur in `column`: in the Categorical's order, otherwise sorted."""
    import pandas as pd

    require_columns(frame, [column])
    values = frame[column]
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values.cat.codes.unique().tolist())
        categories = values.cat.categories.tolist()
        return [label for code, label in enumerate(categories) if code in present]
    labels = _unordered(frame, column)
    try:
        return sorted(labels)  # type: ignore[type-var]
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels})
        raise DataError(
            f"Column {column!r} mixes values of type {', '.join(kinds)}, which have no common "
            "order; make them one type, or a Categorical."
        ) from None


def visit_levels(
    frame: pd.DataFrame,
    column: str,
    order: str | Sequence[object] | None = None,
    *,
    what: Occasion = "visit",
) -> list[object]:
    """Visits that occur in `column`, from first to last.

    `order` is a list of labels (labels that do not occur are left out) or the name of a
    numeric column with one number a visit, such as AVISITN. Without it the column must be
    numeric or a Categorical, whose categories are then taken to be in order (but for an
    unordered one in the alphabet's order where the labels' numbers say another: that is
    `astype("category")` of text); a column with a single label needs no order. Raises DataError
    for text without an order, for a visit that
    `order` does not place, and for an order column that gives a visit two numbers or two
    visits one number; SpecError for an order that names a label twice. Errors speak of `what`.

    Example
    -------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"AVISIT": ["Week 12", "Week 2"], "AVISITN": [12, 2]})
    >>> visit_levels(frame, "AVISIT", order="AVISITN")
    ['Week 2', 'Week 12']
    """
    require_columns(frame, [column])
    if isinstance(order, str):
        return _ordered_by_column(frame, column, order, what)
    if order is not None:
        if not isinstance(order, Iterable):
            raise SpecError(
                f"{what}_order={order!r} is neither a list of labels nor the name of a column."
            )
        return _ordered_by_list(frame, column, list(order), what)
    labels = factor_levels(frame, column)
    if len(labels) > 1 and not _has_own_order(frame[column], labels):
        raise DataError(
            f"The order of the {PLURALS[what]} in column {column!r} is not given, and text has "
            f"none ('Week 12' sorts before 'Week 2'). Present: {_listed(labels)}. Give "
            f"{what}_order= (the labels in order, or a numeric column such as 'AVISITN'), or make "
            "the column an ordered Categorical."
        )
    return labels


def period_levels(
    frame: pd.DataFrame, column: str, order: str | Sequence[object] | None = None
) -> list[object]:
    """`visit_levels` of the periods of a crossover; its errors speak of periods."""
    return visit_levels(frame, column, order, what="period")


def _has_own_order(values: pd.Series, labels: Sequence[object]) -> bool:
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.dtype.ordered or not _is_only_alphabetical(labels)
    return all(isinstance(label, Number) for label in labels)


def _is_only_alphabetical(labels: Sequence[object]) -> bool:
    """Whether labels of one wording stand as the alphabet, and not their numbers, has them."""
    texts = [label for label in labels if isinstance(label, str)]
    if len(texts) < len(labels) or texts != sorted(texts):
        return False
    parts = [re.fullmatch(r"(\D*?)(\d+)(\D*)", text) for text in texts]
    numbered = [part for part in parts if part is not None]
    if len({part.group(1, 3) for part in numbered}) != 1:
        return False
    numbers = [int(part[2]) for part in numbered]
    return numbers != sorted(numbers)


def _ordered_by_list(
    frame: pd.DataFrame, column: str, order: list[object], what: Occasion
) -> list[object]:
    twice = [label for position, label in enumerate(order) if label in order[:position]]
    if twice:
        raise SpecError(f"{what}_order names {twice[0]!r} twice.")
    present = _unordered(frame, column)
    unplaced = [label for label in present if label not in order]
    if unplaced:
        raise DataError(
            f"{what}_order does not place {_listed(unplaced)} of column {column!r}; "
            f"it has {_listed(order)}."
        )
    return [label for label in order if label in present]


def _ordered_by_column(
    frame: pd.DataFrame, column: str, order: str, what: Occasion
) -> list[object]:
    require_columns(frame, [order])
    if order == column:
        raise SpecError(
            f"{what}_order={order!r} is the column of the {PLURALS[what]} itself; name a numeric "
            "column, or leave it out."
        )
    numbers: dict[object, object] = {}
    pairs = frame.loc[frame[column].notna(), [column, order]].drop_duplicates()
    for label, number in zip(pairs[column].tolist(), pairs[order].tolist(), strict=True):
        if not isinstance(number, Number) or number != number:
            raise DataError(
                f"{what.capitalize()} {label!r} has {order}={number!r}; an order column holds one "
                f"number a {what}."
            )
        if numbers.setdefault(label, number) != number:
            raise DataError(
                f"{what.capitalize()} {label!r} has two numbers in {order!r}: {numbers[label]!r} "
                f"and {number!r}."
            )
    by_number: dict[object, object] = {}
    for label, number in numbers.items():
        if by_number.setdefault(number, label) != label:
            raise DataError(
                f"{PLURALS[what].capitalize()} {by_number[number]!r} and {label!r} share "
                f"{order}={number!r}: their order is not given."
            )
    return sorted(numbers, key=lambda label: numbers[label])  # type: ignore[arg-type, return-value]


def coded_labels(values: pd.Series, column: str) -> tuple[IntArray, list[object]]:
    """The label of each row as a code (n,), -1 where missing; and the labels as they turn up.

    Raises DataError for values that cannot be labels (lists, dictionaries).
    """
    import pandas as pd

    # The array alone is coded in half the time; as an array, dates would come out as integers.
    is_plain = isinstance(values.dtype, np.dtype) and values.dtype.kind not in "mM"
    try:
        codes, labels = pd.factorize(values.to_numpy() if is_plain else values)
    except TypeError as error:
        raise DataError(f"Column {column!r} holds values that are not labels: {error}.") from None
    return codes.astype(np.int64, copy=False), labels.tolist()


def level_codes(codes: IntArray, labels: Sequence[object], levels: Sequence[object]) -> IntArray:
    """`codes` (n,) into `labels` as positions in `levels`; -1 for what is not among them."""
    position = {level: place for place, level in enumerate(levels)}
    table = np.array([*(position.get(label, -1) for label in labels), -1], dtype=np.int64)
    return np.asarray(table[codes])


def _unordered(frame: pd.DataFrame, column: str) -> list[object]:
    return coded_labels(frame[column], column)[1]


def _listed(labels: Iterable[object]) -> str:
    return ", ".join(repr(label) for label in labels)
