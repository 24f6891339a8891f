"""What is unsound in a frame for a design: all of it, in one report.

Each rule has a stable name and looks at the frame as it is; nothing is repaired or dropped.
Rules that need no design (dates, labels, changes from baseline) stand in `trialkit.data`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from trialkit.data.checks_dates import DATE_RULES
from trialkit.data.checks_labels import label_variants
from trialkit.data.checks_values import change_differs, number_rules
from trialkit.data.coded_rows import CodedRows
from trialkit.data.coding import Coded
from trialkit.data.findings import CheckReport, Finding
from trialkit.data.numbers import numbers_of
from trialkit.design.crossover import Crossover
from trialkit.design.crossover_kind import crossover_kind, describe_crossover
from trialkit.design.parallel import Parallel
from trialkit.design.rules_sequences import treatment_against_sequence
from trialkit.design.rules_subjects import (
    changes_within_subject,
    duplicates,
    levels_within_subject,
    missing_baseline,
    missing_keys,
)
from trialkit.design.rules_visits import period_gaps, unknown_reference, visit_order
from trialkit.errors import SpecError

__all__ = ["CheckReport", "check"]

# Held apart, where the frame has it: each parameter is measured once a visit.
PARAMETER = "PARAMCD"
# What a frame without a design is taken to be by CDISC habit.
HABIT_SUBJECT, HABIT_VISIT, HABIT_VISIT_ORDER = "USUBJID", "AVISIT", "AVISITN"


def check(frame: pd.DataFrame, design: Parallel | Crossover | None = None) -> CheckReport:
    """Everything in `frame` that contradicts `design`, or that no trial can have.

    The report's `.frame()` has one row a finding with `rule, subject, visit, column, count,
    message, severity`, and none when the data are sound. Rules:

    - columns: `missing-column`, `repeated-column`, `no-rows`;
    - keys: `missing-subject`, `missing-arm`, `missing-visit`, `missing-stratum` (crossover:
      `missing-sequence`, `missing-period`, `missing-treatment`, `missing-measurement`);
    - subjects: `duplicate-subject-visit` (`-period`; `duplicate-subject` where the design names
      no visit; a crossover whose design has a measurement is allowed one row each),
      `subject-in-two-arms`, `subject-in-two-sequences`, `subject-in-two-strata`;
    - levels: `unknown-level` (the reference, or a visit outside the order given),
      `single-level`, `label-variants` (labels that differ in case, blanks or look-alikes);
    - order: `visit-without-order`, `period-without-order`, `period-gap`;
    - sequences: `treatment-against-sequence`, read from the label ("LDN-Placebo"), from the
      symbols that stand for treatments ("AB"), or else from what most of the sequence got;
    - numbers: `non-numeric-outcome`, `infinite-outcome`, the same for the baseline,
      `missing-baseline`, `baseline-changes-within-subject`, `change-differs` (CHG against
      AVAL - BASE, beyond their rounding);
    - dates, by their CDISC names: `impossible-date`, `end-before-start`, `visit-before-start`,
      `visits-out-of-order`, and the warning `study-day-zero`.

    For a crossover the notes name the design that the data show (AB/BA, Balaam, Williams,
    Latin square, replicate, incomplete blocks) and say whether it is balanced for first-order
    carryover.

    A missing outcome is no finding. Where the frame has PARAMCD, rows are compared within it.
    A rule whose columns are missing is left out, which `notes` say. Without a design, only the
    rules that need none run, with the columns USUBJID, AVISIT and AVISITN where present.

    Raises SpecError when `frame` is not a DataFrame or `design` not a design.

    Example
    -------
    >>> import pandas as pd
    >>> from trialkit.design.check import check
    >>> from trialkit.design.parallel import Parallel
    >>> data = pd.DataFrame({"USUBJID": ["1", "2", "2"], "TRT01P": ["LDN", "Placebo", "Placebo"]})
    >>> design = Parallel(subject="USUBJID", arm="TRT01P", reference="Placebo")
    >>> check(data, design).frame()[["rule", "subject", "count"]].values.tolist()
    [['duplicate-subject', '2', 2]]
    """
    if not isinstance(frame, pd.DataFrame):
        raise SpecError(f"check needs a DataFrame, not {type(frame).__name__}.")
    if design is not None and not isinstance(design, Parallel | Crossover):
        raise SpecError(
            f"design is a Parallel or a Crossover, not {type(design).__name__}: "
            "trialkit.Parallel(subject=..., arm=..., reference=...)."
        )
    findings = [*_repeated_columns(frame)]
    frame = frame.loc[:, ~frame.columns.duplicated()]
    if frame.empty:
        findings.append(Finding(rule="no-rows", message="The frame has no rows.", count=0))
    roles = _roles(design, frame)
    findings += _missing_columns(frame, roles, design)
    coded = {
        role: Coded.of(frame, column)
        for role, column in roles.items()
        if role not in ("outcome", "baseline") and column in frame
    }
    rows, order = _coded_rows(frame, coded, design)
    findings += order
    findings += [finding for column in coded.values() for finding in label_variants(column)]
    if design is not None:
        findings += _key_rules(rows, coded)
    findings += _subject_rules(rows, coded, design)
    findings += _number_findings(rows, roles)
    for rule in (change_differs, *DATE_RULES):
        findings += rule(rows)
    notes = (*_notes(rows, roles), *_design_notes(rows, coded, design))
    return CheckReport(findings=tuple(findings), notes=notes)


def _roles(design: Parallel | Crossover | None, frame: pd.DataFrame) -> dict[str, str]:
    """Role to column; strata are `stratum 1`, `stratum 2`, ..."""
    if design is None:
        habit = {"subject": HABIT_SUBJECT, "visit": HABIT_VISIT}
        return {role: column for role, column in habit.items() if column in frame}
    keys = ("subject", "arm", "sequence", "period", "treatment", "measurement", "visit")
    names = (*keys, "outcome", "baseline")
    roles = {name: getattr(design, name, None) for name in names}
    if isinstance(design, Parallel):
        roles |= {f"stratum {place}": name for place, name in enumerate(design.strata, start=1)}
    return {role: column for role, column in roles.items() if column is not None}


def _order_of(
    design: Parallel | Crossover | None, frame: pd.DataFrame
) -> str | Sequence[object] | None:
    if isinstance(design, Parallel):
        return design.visit_order
    if isinstance(design, Crossover):
        return design.period_order
    return HABIT_VISIT_ORDER if HABIT_VISIT_ORDER in frame else None


def _repeated_columns(frame: pd.DataFrame) -> Iterator[Finding]:
    for column in frame.columns[frame.columns.duplicated()].unique().tolist():
        count = int((frame.columns == column).sum())
        yield Finding(
            rule="repeated-column",
            column=str(column),
            count=count,
            message=f"{count} columns are named {column!r}; the first is checked.",
        )


def _missing_columns(
    frame: pd.DataFrame, roles: Mapping[str, str], design: Parallel | Crossover | None
) -> Iterator[Finding]:
    wanted = {column: role for role, column in roles.items()}
    order = _order_of(design, frame)
    if isinstance(order, str):
        wanted.setdefault(order, "order of visits")
    for column, role in wanted.items():
        if column not in frame:
            alike = [name for name in map(str, frame.columns) if name.upper() == column.upper()]
            hint = f"; {alike[0]!r} is there" if alike else ""
            yield Finding(
                rule="missing-column",
                column=column,
                message=f"No column {column!r} for the {role}{hint}.",
            )


def _coded_rows(
    frame: pd.DataFrame, coded: Mapping[str, Coded], design: Parallel | Crossover | None
) -> tuple[CodedRows, list[Finding]]:
    """The rows with their visits (periods) placed in time, and what is wrong with that order."""
    when = "period" if "period" in coded else "visit"
    visit, order = coded.get(when), _order_of(design, frame)
    position, findings = None, []
    if visit is not None and not (isinstance(order, str) and order not in frame):
        placed = visit_order(frame, visit, order, role=when)
        position, findings = placed.position, list(placed.findings)
    rows = CodedRows(
        frame=frame,
        subject=coded.get("subject"),
        visit=visit,
        parameter=Coded.of(frame, PARAMETER) if PARAMETER in frame else None,
        position=position,
    )
    # Without a design nothing says that visits are needed, or needed in order.
    return rows, [] if design is None else findings


def _key_rules(rows: CodedRows, coded: Mapping[str, Coded]) -> Iterator[Finding]:
    for role, column in coded.items():
        yield from missing_keys(rows, column, role=role.split()[0])


def _subject_rules(
    rows: CodedRows, coded: Mapping[str, Coded], design: Parallel | Crossover | None
) -> Iterator[Finding]:
    if isinstance(design, Crossover):
        yield from duplicates(rows, when="period", within=coded.get("measurement"))
        if "sequence" in coded:
            yield from levels_within_subject(rows, coded["sequence"].folded(), what="sequences")
        if "treatment" in coded:
            yield from unknown_reference(coded["treatment"], design.reference, role="treatment")
        yield from period_gaps(rows)
        if "sequence" in coded and "treatment" in coded:
            yield from treatment_against_sequence(
                rows, coded["sequence"].folded(), coded["treatment"].folded()
            )
    elif isinstance(design, Parallel):
        yield from duplicates(rows, when="visit" if design.visit else None)
        if "arm" in coded:
            yield from unknown_reference(coded["arm"], design.reference, role="arm")
            yield from levels_within_subject(rows, coded["arm"].folded(), what="arms")
        for role, column in coded.items():
            if role.startswith("stratum"):
                yield from levels_within_subject(rows, column.folded(), what="strata")


def _number_findings(rows: CodedRows, roles: Mapping[str, str]) -> Iterator[Finding]:
    for role in ("outcome", "baseline"):
        column = roles.get(role)
        if column is None or column not in rows.frame:
            continue
        numbers = numbers_of(rows.frame[column])
        yield from number_rules(rows, column, role=role, numbers=numbers)
        if role == "baseline":
            yield from missing_baseline(rows, numbers, column=column)
            yield from changes_within_subject(rows, numbers.values, column=column)


def _design_notes(
    rows: CodedRows, coded: Mapping[str, Coded], design: Parallel | Crossover | None
) -> Iterator[str]:
    """The crossover design that the data show, and its balance for carryover."""
    if not isinstance(design, Crossover) or not {"sequence", "treatment"} <= set(coded):
        return
    sequence, treatment = coded["sequence"].folded(), coded["treatment"].folded()
    kind = crossover_kind(rows, sequence, treatment, design.reference)
    if kind is not None:
        yield from describe_crossover(kind, sequence, treatment)


def _notes(rows: CodedRows, roles: Mapping[str, str]) -> Iterator[str]:
    subjects = "" if rows.subject is None else f" of {len(rows.subject.labels)} subjects"
    yield f"Checked {len(rows.frame)} rows{subjects}."
    if rows.parameter is not None and len(rows.parameter.labels) > 1:
        yield f"Rows are compared within each of {len(rows.parameter.labels)} {PARAMETER}."
    absent = [column for column in roles.values() if column not in rows.frame]
    if absent:
        yield f"Not checked for want of its column: rules that need {', '.join(absent)}."
    if rows.visit is not None and rows.position is None:
        yield f"Not checked for want of an order of {rows.visit.column}: gaps and order in time."
