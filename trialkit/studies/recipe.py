"""How a study's figures are recomputed: the declarations of `reproduce.toml`, read and checked.

A *recipe* lists, for each published figure, what it is recomputed from. Verdicts are never part
of it: they are computed. Its tables are

- `printed`: figures the source states beside those of `published.csv` (percentages of counts);
- `summary`: a published figure, the formula that gives it and the figures that go in;
- `derived`: a quantity nobody printed, by formula or from the synthetic trial;
- `synthetic`: a published figure and where the synthetic trial's analysis has it;
- `missing`: published figures that cannot be reproduced, and what would be needed.

A figure is named "arm | outcome | timepoint | statistic". An input is such a name, followed by
"| count" or "| total" for one number of an "n/N", or a plain number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from trialkit.errors import SpecError
from trialkit.studies.figure import FigureKey
from trialkit.studies.formulas.registry import FORMULAS
from trialkit.studies.twin import TwinSource, twin_source

__all__ = ["FigureInput", "Missing", "Recipe", "Recomputation", "read_recipe"]

RECIPE_FILE = "reproduce.toml"
_TABLES = ("printed", "summary", "derived", "synthetic", "missing")
_PARTS = ("count", "total")

Part = Literal["value", "count", "total"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureInput:
    """A published figure as an input: all of it, or one number of its "n/N"."""

    key: FigureKey
    part: Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputation:
    """One quantity and its origin: a formula with inputs, or a place in the synthetic trial."""

    key: FigureKey
    basis: Literal["summary", "derived", "synthetic"]
    formula: str
    inputs: Mapping[str, FigureInput | float]
    source: TwinSource | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Figures that cannot be reproduced, and why."""

    keys: tuple[FigureKey, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All declarations of one study; `printed` has rows with the columns of `published.csv`."""

    printed: tuple[Mapping[str, str], ...]
    recomputations: tuple[Recomputation, ...]
    missing: tuple[Missing, ...]


def read_recipe(folder: Path) -> Recipe:
    """The recipe of a study's folder, empty where there is none.

    Raises SpecError, naming file and table, for an unknown key, formula or argument.
    """
    path = folder / RECIPE_FILE
    if not path.is_file():
        return Recipe(printed=(), recomputations=(), missing=())
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    unknown = sorted(set(tables) - set(_TABLES))
    if unknown:
        raise SpecError(f"{path}: unknown table(s) {unknown}; allowed: {', '.join(_TABLES)}.")
    recomputations = [
        _recomputation(entry, basis, f"{path}, {basis} {number}")
        for basis in ("summary", "derived", "synthetic")
        for number, entry in enumerate(tables.get(basis, ()), start=1)
    ]
    return Recipe(
        printed=tuple({**entry, "study": folder.name} for entry in tables.get("printed", ())),
        recomputations=tuple(recomputations),
        missing=tuple(
            Missing(keys=tuple(map(FigureKey.parse, entry["figures"])), note=entry["note"])
            for entry in tables.get("missing", ())
        ),
    )


def _recomputation(entry: Mapping[str, Any], basis: Any, place: str) -> Recomputation:
    _refuse_unknown(entry, ("figure", "formula", "inputs", "from", "note"), place)
    if "figure" not in entry:
        raise SpecError(f"{place}: no figure named.")
    if ("formula" in entry) == ("from" in entry) or (basis == "summary" and "from" in entry):
        raise SpecError(f"{place}: give either a formula with inputs or, for the twin, from.")
    formula = entry.get("formula", "")
    if formula:
        _check_formula(formula, entry.get("inputs", {}), place)
    return Recomputation(
        key=FigureKey.parse(entry["figure"]),
        basis=basis,
        formula=formula,
        inputs=MappingProxyType(
            {name: _input(value) for name, value in entry.get("inputs", {}).items()}
        ),
        source=twin_source(entry["from"], place) if "from" in entry else None,
        note=entry.get("note", ""),
    )


def _check_formula(formula: str, inputs: Mapping[str, Any], place: str) -> None:
    if formula not in FORMULAS:
        raise SpecError(f"{place}: no formula {formula!r}; known: {', '.join(sorted(FORMULAS))}.")
    needed = list(signature(FORMULAS[formula]).parameters)
    if set(inputs) != set(needed):
        raise SpecError(
            f"{place}: {formula!r} takes {', '.join(needed)}, not {', '.join(inputs) or 'nothing'}."
        )


def _input(value: str | float) -> FigureInput | float:
    if not isinstance(value, str):
        return float(value)
    head, _, last = value.rpartition("|")
    if last.strip() in _PARTS:
        part: Any = last.strip()
        return FigureInput(key=FigureKey.parse(head), part=part)
    return FigureInput(key=FigureKey.parse(value), part="value")


def _refuse_unknown(entry: Mapping[str, Any], allowed: Sequence[str], place: str) -> None:
    unknown = sorted(set(entry) - set(allowed))
    if unknown:
        raise SpecError(f"{place}: unknown key(s) {unknown}; allowed: {', '.join(allowed)}.")
