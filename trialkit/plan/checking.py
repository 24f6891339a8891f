"""What is wrong with a plan, and where: all of it, without running any analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Literal

from trialkit.design.check import check
from trialkit.errors import TrialkitError
from trialkit.plan.compile import compile_analysis, data_name
from trialkit.plan.events import event_labels
from trialkit.plan.fields import named_columns
from trialkit.plan.loading import load_plan
from trialkit.plan.reading import read_one
from trialkit.plan.schema import Plan
from trialkit.plan.selection import require_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Finding", "check_plan"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its place in the plan or in the data, and what it is.

    A "warning" is unusual and right only if meant; it does not stop the plan.
    """

    place: str
    message: str
    severity: Literal["error", "warning"] = "error"


def check_plan(path: str | PathLike[str]) -> tuple[Finding, ...]:
    """Everything that would stop a plan, and everything unsound in the data of its design.

    In this order: the file itself, the data files, the design's columns and the rules of
    `trialkit.check` on its data, the table of events, then each analysis (columns, formula,
    filter, events). Empty when sound.
    """
    try:
        plan = load_plan(path)
    except TrialkitError as problem:
        return (Finding("plan", str(problem)),)
    frames: dict[str, pd.DataFrame] = {}
    findings = []
    for name in plan.data:
        try:
            frames[name], _ = read_one(plan, name)
        except TrialkitError as problem:
            findings.append(Finding(f"[data] {name}", str(problem)))
    findings += _design_findings(plan, frames)
    wrong_events = _event_findings(plan, frames)
    findings += wrong_events
    # What is wrong with the events would be said again of every analysis.
    is_unread = plan.events is not None and plan.events.data not in frames
    checked = _without_events(plan) if wrong_events or is_unread else plan
    findings += _analysis_findings(checked, frames)
    return tuple(findings)


def _without_events(plan: Plan) -> Plan:
    """The plan as if its strategies were declared only, less what is about the events alone."""
    nothing = {"composite": None, "while_on_treatment": None}
    analyses = tuple(
        spec.model_copy(update=nothing)
        for spec in plan.analyses
        if not spec.describes_events and not isinstance(getattr(spec, "events", None), Mapping)
    )
    return plan.model_copy(update={"events": None, "analyses": analyses})


def _analysis_findings(plan: Plan, frames: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    for spec in plan.analyses:
        given = getattr(spec, "events", None)
        if data_name(plan, spec) not in frames or (isinstance(given, str) and given not in frames):
            continue  # its file is already among the findings
        try:
            compile_analysis(plan, spec, frames)
        except TrialkitError as problem:
            yield Finding(f"[[analysis]] {spec.name}", str(problem))


def _event_findings(plan: Plan, frames: Mapping[str, pd.DataFrame]) -> list[Finding]:
    if plan.events is None or plan.events.data not in frames:
        return []
    try:
        event_labels(plan.events, frames[plan.events.data])
    except TrialkitError as problem:
        return [Finding("[events]", str(problem))]
    return []


def _design_findings(plan: Plan, frames: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    name = plan.default_data
    if plan.design is None or name is None or name not in frames:
        return
    frame = frames[name]
    try:
        for key, column in named_columns(plan.design):
            require_column(frame, column, place=key)
        report = check(frame, plan.design.declared()).frame()
    except TrialkitError as problem:
        yield Finding("[design]", str(problem))
        return
    for row in report.to_dict("records"):
        yield Finding(f"[data] {name}, rule {row['rule']}", str(row["message"]), row["severity"])
