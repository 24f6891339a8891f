"""What the values of a plan may be: the base of its models and the kinds of argument.

An argument that names a column or holds a formula is marked as such, so that one check of the
data serves every method.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from trialkit.data.grammar import check_formula, formula_columns

__all__ = [
    "CiLevel",
    "Column",
    "Columns",
    "Formula",
    "Label",
    "Level",
    "Model",
    "OneOrMoreColumns",
    "as_tuple",
    "check_formulas",
    "named_columns",
]

MAX_TEXT = 500


class Model(BaseModel):
    """A frozen part of a plan: unknown keys are refused, and nothing is converted silently."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class NamesColumns:
    """Marks a field whose value is a column, or a sequence of columns."""


@dataclass(frozen=True, slots=True)
class HoldsFormula:
    """Marks a field whose value is a formula."""


def _checked_formula(text: str) -> str:
    # Without the data a name such as "center" cannot be judged; it is when they are at hand.
    formula_columns(text)
    return text


def as_tuple(value: Any) -> Any:
    """A TOML array as a tuple; anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
# A label of a column: an arm or a visit may be coded by a number.
Level: TypeAlias = Label | int | float
Column: TypeAlias = Annotated[Label, NamesColumns()]
Columns: TypeAlias = Annotated[tuple[Label, ...], BeforeValidator(as_tuple), NamesColumns()]
Formula: TypeAlias = Annotated[str, AfterValidator(_checked_formula), HoldsFormula()]
OneOrMoreColumns: TypeAlias = Column | Columns
CiLevel: TypeAlias = Annotated[float, Field(gt=0, lt=1)]


def named_columns(model: Model) -> Iterator[tuple[str, str]]:
    """Every (key, column) pair that the plan's own keys name, formulas aside."""
    for key, value in _marked(model, NamesColumns):
        if isinstance(value, int | float):  # where a number may stand for a column: a limit
            continue
        for column in (value,) if isinstance(value, str) else value:
            yield key, column


def check_formulas(model: Model, columns: list[str]) -> None:
    """Check every formula of `model` against the columns the data have."""
    for _, text in _marked(model, HoldsFormula):
        check_formula(text, columns)


def _marked(model: Model, kind: type) -> Iterator[tuple[str, Any]]:
    for key, field in type(model).model_fields.items():
        value = getattr(model, key)
        if isinstance(value, Model):
            yield from ((f"{key}.{inner}", one) for inner, one in _marked(value, kind))
        elif value is not None and _has(field.annotation, field.metadata, kind):
            yield key, value


def _has(annotation: Any, metadata: list[Any], kind: type) -> bool:
    # `Column | None` keeps the mark inside the union.
    inner = [item for part in getattr(annotation, "__args__", ()) for item in _metadata(part)]
    return any(isinstance(item, kind) for item in (*metadata, *inner))


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return tuple(getattr(annotation, "__metadata__", ()))
