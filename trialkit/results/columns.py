"""Columns beside the numbers: what identifies a row (keys) and what a method adds (extras).

Held as an immutable mapping of equally long tuples, so that a result shares no memory with
the data it came from and cannot be changed after it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from trialkit.errors import SpecError

__all__ = ["Columns", "freeze_columns", "matching_rows", "take_rows"]


class Columns(Mapping[str, tuple[object, ...]]):
    """An immutable, hashable and picklable mapping of column name to values."""

    __slots__ = ("_columns",)
    _columns: tuple[tuple[str, tuple[object, ...]], ...]

    def __init__(self, columns: Mapping[str, Iterable[object]] | None = None) -> None:
        items = tuple((name, tuple(values)) for name, values in (columns or {}).items())
        object.__setattr__(self, "_columns", items)

    def __getitem__(self, name: str) -> tuple[object, ...]:
        for key, values in self._columns:
            if key == name:
                return values
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Columns of a result cannot be changed.")

    def __hash__(self) -> int:
        return hash(self._columns)

    def __reduce__(self) -> tuple[type[Columns], tuple[dict[str, tuple[object, ...]]]]:
        return (Columns, (dict(self._columns),))

    def __repr__(self) -> str:
        return f"Columns({dict(self._columns)!r})"


def freeze_columns(columns: Mapping[str, Iterable[object]], n_rows: int, *, what: str) -> Columns:
    """Copy `columns`; raise SpecError where a length is not `n_rows`."""
    frozen = Columns(columns)
    for name, values in frozen.items():
        if len(values) != n_rows:
            raise SpecError(f"{what} {name!r} has {len(values)} values for {n_rows} rows.")
    return frozen


def take_rows(columns: Mapping[str, tuple[object, ...]], rows: Sequence[int]) -> Columns:
    """The same columns at `rows`, in that order."""
    return Columns({name: [values[row] for row in rows] for name, values in columns.items()})


def matching_rows(
    keys: Mapping[str, tuple[object, ...]], n_rows: int, wanted: Mapping[str, object]
) -> list[int]:
    """Rows whose keys equal `wanted`; a list, set, tuple or array means any of its members.

    Raises SpecError for a key the table does not have and for a value that no row has: an
    empty selection from a misspelt label would read as "no result".
    """
    rows = list(range(n_rows))
    for name, value in wanted.items():
        if name not in keys:
            raise SpecError(f"No key {name!r} in this table; keys: {', '.join(keys) or 'none'}.")
        allowed = _members(value)
        present = list(dict.fromkeys(keys[name]))
        if not allowed:
            raise SpecError(f"{name}= lists no value; present: {', '.join(map(repr, present))}.")
        for item in allowed:
            if item not in present:
                raise SpecError(
                    f"No row has {name}={item!r}; present: {', '.join(map(repr, present))}."
                )
        rows = [row for row in rows if keys[name][row] in allowed]
    return rows


def _members(value: object) -> list[object]:
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    # An array, Series or Index by the method they share; a label of numpy's own has no members.
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0:
        return list(value.tolist())
    return [value]
