"""What a column of the data is for, said once and validated when it is said.

A *role* (subject, arm, visit, ...) names one column; no column can have two roles.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import isnan

from trialkit.errors import SpecError

__all__ = ["check_label", "check_roles", "column_names", "level_order"]


def check_roles(design: str, roles: Mapping[str, object], *, optional: Sequence[str] = ()) -> None:
    """Raise SpecError unless each role names one column, and no two roles the same one.

    A role in `optional` may be None. `design` names the design in messages.
    """
    seen: dict[str, str] = {}
    for role, column in roles.items():
        if column is None and role in optional:
            continue
        name = _column_name(f"{design}: {role}", column)
        if name in seen:
            raise SpecError(
                f"{design}: column {name!r} is both {seen[name]} and {role}; a column has one role."
            )
        seen[name] = role


def column_names(design: str, role: str, value: object) -> tuple[str, ...]:
    """Several column names as a tuple; one bare text is refused, as it may be a slip."""
    if isinstance(value, str):
        raise SpecError(f"{design}: {role}={value!r} is one text; write {role}=({value!r},).")
    if not isinstance(value, Sequence):
        raise SpecError(f"{design}: {role} is a sequence of column names, not {value!r}.")
    return tuple(_column_name(f"{design}: {role}", name) for name in value)


def check_label(design: str, role: str, value: object) -> None:
    """Raise SpecError unless `value` can be a label of a column: a number, text not blank."""
    is_blank = value is None or (isinstance(value, str) and not value.strip())
    if is_blank or (isinstance(value, float) and isnan(value)):
        raise SpecError(f"{design}: {role} is a label of the data, not {value!r}.")
    if not isinstance(value, Hashable) or isinstance(value, tuple):
        raise SpecError(f"{design}: {role} is one label, not {value!r}.")


def level_order(
    design: str, role: str, value: object, *, of: str | None
) -> str | tuple[object, ...] | None:
    """An order of labels: None, the name of a numeric column, or labels each given once."""
    if value is None:
        return None
    if of is None:
        raise SpecError(f"{design}: {role} orders a column that the design does not name.")
    if isinstance(value, str):
        return _column_name(f"{design}: {role}", value)
    if not isinstance(value, Sequence) or not value:
        raise SpecError(
            f"{design}: {role} is a list of the labels of {of!r} in order, or the name of a "
            f"numeric column, not {value!r}."
        )
    for label in value:
        check_label(design, role, label)
    repeated = sorted({str(label) for label in value if list(value).count(label) > 1})
    if repeated:
        raise SpecError(f"{design}: {role} gives {', '.join(repeated)} more than once.")
    return tuple(value)


def _column_name(what: str, value: object) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{what} is the name of a column, not {value!r}.")
    if not value.strip():
        raise SpecError(f"{what} is the name of a column, not an empty text.")
    return value
