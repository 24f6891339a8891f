"""The rows an analysis is about, and the count of them for its notes."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from trialkit.errors import SpecError
from trialkit.plan.analysis import Scalar

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["require_column", "select"]

# How many levels or columns an error message lists.
_LISTED = 40


def select(
    frame: pd.DataFrame, where: Mapping[str, Scalar | tuple[Scalar, ...]]
) -> tuple[pd.DataFrame, str]:
    """The rows whose columns equal the values of `where`, and a sentence that counts them.

    A column or value that the data do not have raises SpecError with those they have: a filter
    with a misspelt label must not read as "nobody". So does a filter that leaves no row.
    """
    keep = None
    parts = []
    for column, wanted in where.items():
        require_column(frame, column, place="where")
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        matches = frame[column].isin(_levels(frame, column, values))
        keep = matches if keep is None else keep & matches
        parts.append(f"{column} = {' or '.join(map(_shown, values))}")
    if keep is None:
        return frame, f"All {len(frame)} rows of the data set selected."
    selected = frame.loc[keep].reset_index(drop=True)
    selection = " and ".join(parts)
    if selected.empty:
        raise SpecError(f"where: no row of {len(frame)} has {selection} together.")
    return selected, f"{len(selected)} of {len(frame)} rows selected: {selection}."


def require_column(frame: pd.DataFrame, column: str, *, place: str) -> None:
    """Raise SpecError with near names unless the data have `column`."""
    names = [str(name) for name in frame.columns]
    if column in names:
        return
    near = get_close_matches(column, names, n=3)
    hint = f" (near: {', '.join(near)})" if near else ""
    raise SpecError(f"{place}: no column {column!r} in the data{hint}; columns: {_listed(names)}.")


def _levels(frame: pd.DataFrame, column: str, values: tuple[Scalar, ...]) -> list[object]:
    """The column's own levels that `values` name; SpecError for a value that is none of them."""
    levels = frame[column].dropna().unique().tolist()
    for value in values:
        if not any(_equal(level, value) for level in levels):
            raise SpecError(
                f"where: no row has {column} = {_shown(value)}; "
                f"{column} has {_listed([_shown(level) for level in levels])}."
            )
    return [level for level in levels if any(_equal(level, value) for value in values)]


def _equal(level: object, value: Scalar) -> bool:
    # True == 1 in Python; a flag and a count are not the same in a plan.
    return isinstance(level, bool) == isinstance(value, bool) and bool(level == value)


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def _listed(names: list[str]) -> str:
    tail = f", ... ({len(names)} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + tail if names else "no value at all"
