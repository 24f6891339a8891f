"""`trialkit check`: a plan or a data file, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit.cli.terminal import say
from trialkit.data.reading import read
from trialkit.design.check import check
from trialkit.design.parallel import Parallel
from trialkit.errors import SpecError, TrialkitError
from trialkit.plan import check_plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Roles", "check_file"]

# The names CDISC ADaM gives these roles; the first that the data have is taken.
_HABIT = {
    "subject": ("USUBJID",),
    "arm": ("TRT01P", "TRTP", "ARM"),
    "visit": ("AVISIT",),
    "visit_order": ("AVISITN",),
    "outcome": ("CHG", "AVAL"),
    "baseline": ("BASE",),
}
_REFERENCE = "Placebo"
# What only data of events or doses have (AESEQ, AEDECOD, EXTRT): several rows a subject.
_RECORD = re.compile(r"^(ASEQ|[A-Z]{2}(SEQ|TERM|DECOD|TRT))$")
# Findings printed of each rule; the rest are counted.
SHOWN_A_RULE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Columns given on the command line; what is None is looked for by its CDISC name."""

    subject: str | None = None
    arm: str | None = None
    reference: str | None = None
    outcome: str | None = None
    visit: str | None = None
    visit_order: str | None = None
    baseline: str | None = None


def check_file(path: Path, roles: Roles) -> bool:
    """Print what is wrong, a line a finding; whether nothing is, warnings aside."""
    if path.suffix.lower() == ".toml":
        if roles != Roles():
            raise SpecError("Roles are options of a data file; a plan has them in [design].")
        return _check_plan(path)
    return _check_data(path, roles)


def _check_plan(path: Path) -> bool:
    findings = check_plan(path)
    for finding in findings:
        mark = "" if finding.severity == "error" else f"{finding.severity}: "
        say(f"{finding.place}: {mark}{finding.message}")
    if not findings:
        say(f"{path.name}: nothing wrong found.")
    return all(finding.severity != "error" for finding in findings)


def _check_data(path: Path, roles: Roles) -> bool:
    try:
        frame = read(path)
    except TrialkitError as problem:
        if not path.is_file():
            raise
        say(str(problem))
        return False
    say(f"{path.name}: {len(frame)} rows, {len(frame.columns)} columns.")
    report = check(frame, _design(frame, roles))
    for rule, rows in report.frame().groupby("rule", sort=False, observed=True):
        for row in rows.head(SHOWN_A_RULE).to_dict("records"):
            mark = "" if row["severity"] == "error" else f"{row['severity']}: "
            say(f"{rule}: {mark}{row['message']}")
        if len(rows) > SHOWN_A_RULE:
            say(f"{rule}: ... and {len(rows) - SHOWN_A_RULE} more.")
    for note in report.notes:
        say(note)
    if report.is_sound:
        say("Nothing wrong found.")
    return not report.has_errors


def _design(frame: pd.DataFrame, roles: Roles) -> Parallel | None:
    """The design that the options and the usual names give; None where they give none."""
    found = _by_habit(frame, roles)
    if found.subject is None or found.arm is None:
        say("No design: no column of the subject (--subject) or of the arm (--arm) is known.")
        return None
    records = [str(name) for name in frame.columns if _RECORD.match(str(name))]
    if records and found.visit is None and roles == Roles():
        say(f"No design: {records[0]} marks records, of which a subject has several.")
        return None
    arms = frame[found.arm].dropna().unique().tolist()
    if roles.reference is None and len(arms) < 2:
        say(f"No design: {found.arm} has {len(arms)} arm{'' if len(arms) == 1 else 's'}.")
        return None
    reference = _reference(found, arms) if roles.reference is None else roles.reference
    say(f"As a parallel design with {_named(replace(found, reference=reference))}.")
    return Parallel(
        subject=found.subject,
        arm=found.arm,
        reference=reference,
        outcome=found.outcome,
        visit=found.visit,
        visit_order=found.visit_order,
        baseline=found.baseline,
    )


def _by_habit(frame: pd.DataFrame, roles: Roles) -> Roles:
    """The roles with what was not given filled in, where the data have a usual name for it."""
    columns = [str(name) for name in frame.columns]
    for role in _HABIT:
        given = getattr(roles, role)
        if given is not None and given not in columns:
            option = role.replace("_", "-")
            raise SpecError(f"--{option} {given}: no such column; columns: {', '.join(columns)}.")
    found = {
        role: next((name for name in names if name in columns), None)
        for role, names in _HABIT.items()
        if getattr(roles, role) is None
    }
    roles = replace(roles, **found)
    if roles.visit is None:
        roles = replace(roles, visit_order=None)
    return roles


def _reference(roles: Roles, arms: list[object]) -> str:
    """The usual reference; SpecError where no arm is called so."""
    if _REFERENCE not in arms:
        listed = ", ".join(map(str, arms))
        raise SpecError(
            f"--reference is needed: {roles.arm} has no {_REFERENCE!r}; arms: {listed}."
        )
    return _REFERENCE


def _named(roles: Roles) -> str:
    given = [(role, getattr(roles, role)) for role in (*_HABIT, "reference")]
    return ", ".join(f"{role} {name}" for role, name in given if name is not None)
