"""A plan file read and checked, with every problem named by table and key."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from trialkit.errors import SpecError
from trialkit.plan.design import CrossoverDesign, ParallelDesign
from trialkit.plan.estimand import Estimand
from trialkit.plan.events import Events
from trialkit.plan.fields import Model
from trialkit.plan.methods import METHODS
from trialkit.plan.schema import Header, Plan

__all__ = ["load_plan"]

# Far above any plan a person writes.
MAX_BYTES = 1_000_000
# Set by the loader and never by the file.
_OURS = ("path", "sha256")
_FORM = re.compile(r"^(literal|function-before|function-after|tuple|dict|constrained-\w+)\[")
_TABLES = ("plan", "data", "design", "events", "analysis")
_DESIGNS: dict[str, type[Model]] = {"parallel": ParallelDesign, "crossover": CrossoverDesign}

_PARTS: dict[str, type[Model]] = {"plan": Header, "events": Events}


def load_plan(path: str | PathLike[str]) -> Plan:
    """The plan in a TOML file, checked in itself; the data are not opened.

    A plan has the tables `[plan]` (title, study, seed, ci_level, keep_going), `[data]` (a name
    and a file in the plan's folder each), `[design]` (type "parallel" or "crossover" and the
    columns of `trialkit.Parallel` or `trialkit.Crossover`), `[events]` where strategies for
    intercurrent events are to be carried out (data, subject, event, day or visit, visits,
    labels), and one `[[analysis]]` each: `name`, `method`, `estimand` (treatment, population,
    variable, intercurrent, summary), `where` (a column and the value, or values, to keep) and
    the method's own arguments.

    Raises SpecError that names the file and lists every problem with its table, its key and
    what is allowed.

    Example
    -------
    >>> import trialkit as tk
    >>> from trialkit.plan import load_plan
    >>> plan = load_plan(tk.studies.load("final2024").folder / "plan.toml")
    >>> plan.analyses[0].method, plan.analyses[0].formula
    ('ancova', 'CHG ~ TRT01P + BASE')
    """
    file = Path(path)
    content = _bytes(file)
    document = _document(file, content)
    for key in _OURS:
        if key in document:
            raise SpecError(
                f"{file.name}: unknown key {key!r}; allowed at the top: {_listed(_TABLES)}."
            )
    digest = hashlib.sha256(content).hexdigest()
    try:
        return Plan.model_validate({**document, "path": file.absolute(), "sha256": digest})
    except ValidationError as problem:
        lines = dict.fromkeys(_line(item, document) for item in problem.errors(include_url=False))
        raise SpecError("\n  ".join([f"{file.name}: the plan is not valid.", *lines])) from None


def _bytes(file: Path) -> bytes:
    try:
        if not file.is_file():
            raise SpecError(f"Plan {str(file)!r}: there is no such file.")
        if file.stat().st_size > MAX_BYTES:
            raise SpecError(f"Plan {file.name}: larger than {MAX_BYTES} bytes.")
        return file.read_bytes()
    except (OSError, ValueError) as problem:
        if isinstance(problem, SpecError):
            raise
        raise SpecError(f"Plan {str(file)!r} cannot be read: {problem}.") from None


def _document(file: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as problem:
        raise SpecError(f"{file.name}: not UTF-8 text (byte {problem.start}).") from None
    except tomllib.TOMLDecodeError as problem:
        raise SpecError(f"{file.name}: not valid TOML: {problem}.") from None
    except RecursionError:
        raise SpecError(f"{file.name}: tables or arrays nested too deeply.") from None


def _line(item: ErrorDetails, document: Mapping[str, Any]) -> str:
    # The several forms that one key may take are no part of the file.
    place = [part for part in item["loc"] if not _FORM.match(str(part))]
    table, keys = _table(place, document)
    kind, context = item["type"], item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{table}: {_unknown(str(keys[-1]), _allowed(place))}"
    if kind.startswith("union_tag"):
        return f"{table}: {_choice(kind, context)}"
    where = f"{table}, {'.'.join(str(key) for key in keys)}" if keys else table
    if kind == "missing":
        return f"{where}: missing{_hint(place)}."
    if kind in ("value_error", "assertion_error"):
        return f"{where}: {context.get('error', item['msg'])}".rstrip(".") + "."
    message = item["msg"][0].lower() + item["msg"][1:]
    return f"{where}: {message}; given: {_shown(item['input'])}."


def _table(place: Sequence[str | int], document: Mapping[str, Any]) -> tuple[str, list[str | int]]:
    """The table as it is written in the file, and the keys inside it."""
    if not place or place[0] not in _TABLES:
        return "top of the file", list(place)
    head = str(place[0])
    if head != "analysis":
        skip = 2 if head == "design" and len(place) > 1 and place[1] in _DESIGNS else 1
        return f"[{head}]", list(place[skip:])
    if len(place) == 1:
        return "[[analysis]]", []
    number, rest = int(place[1]), list(place[2:])
    if rest and rest[0] in METHODS:
        rest = rest[1:]
    name = _name(document["analysis"], number)
    # The two ways to write a filter's value are one key to the reader.
    return f"[[analysis]] {number + 1}{name}", rest[:2] if rest[:1] == ["where"] else rest


def _name(analyses: Any, number: int) -> str:
    entry = analyses[number] if isinstance(analyses, list) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    return f" {_shown(name)}" if isinstance(name, str) else ""


def _allowed(place: Sequence[str | int]) -> list[str]:
    """The keys of the model in which `place` names one that does not exist."""
    model: type[Model] = Plan
    if len(place) > 1 and place[0] == "analysis" and place[2] in METHODS:
        model = METHODS[str(place[2])].spec
        if len(place) > 4 and place[3] == "estimand":
            model = Estimand
    elif len(place) > 1 and place[0] == "design":
        model = _DESIGNS[str(place[1])]
    elif len(place) > 1 and place[0] in _PARTS:
        model = _PARTS[str(place[0])]
    names = [field.alias or key for key, field in model.model_fields.items()]
    return [name for name in names if name not in _OURS]


def _unknown(key: str, allowed: list[str]) -> str:
    near = get_close_matches(key, allowed, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown key {_shown(key)}{hint}; allowed: {_listed(allowed)}."


def _choice(kind: str, context: Mapping[str, Any]) -> str:
    discriminator = str(context.get("discriminator", "")).strip("'")
    allowed = _listed(METHODS if discriminator == "method" else _DESIGNS)
    if kind == "union_tag_not_found":
        return f"{discriminator} is missing; allowed: {allowed}."
    return f"{discriminator} = {_shown(context.get('tag'))} is not offered; allowed: {allowed}."


def _hint(place: Sequence[str | int]) -> str:
    if "estimand" in place:
        attributes = _listed(Estimand.model_fields)
        return f"; an estimand has five attributes (ICH E9(R1)): {attributes}"
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
