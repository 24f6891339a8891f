"""The CONSORT flow of participants, drawn from the data and checked against itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trialkit.analyses.end_of_study import StatusRows, status_rows
from trialkit.analyses.event_times import event_flags
from trialkit.data.names import require_columns
from trialkit.data.vectors import require_frame, require_one_row_each
from trialkit.errors import DataError, SpecError
from trialkit.results import display
from trialkit.typing import BoolArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConsortFlow", "consort"]

ENROLMENT, ALLOCATION, FOLLOW_UP, ANALYSIS = "Enrolment", "Allocation", "Follow-up", "Analysis"
ALL_ARMS = "all"
# The line of those who left, and how long a label in capitals may be an abbreviation.
LEFT, LONGEST_ABBREVIATION = "Discontinued", 3


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConsortFlow:
    """Counts of the flow: one row of `frame()` a stage, item and arm ("all" before the arms)."""

    rows: tuple[tuple[str, str, object, int], ...]  # stage, item, arm, n
    arms: tuple[object, ...]
    title: str = ""

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self.title, notes=())

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self.title, notes=())

    def __len__(self) -> int:
        return len(self.rows)

    def frame(self) -> pd.DataFrame:
        """Columns stage, item, arm, n, in the order of the flow."""
        return pd.DataFrame(list(self.rows), columns=["stage", "item", "arm", "n"])

    def count(self, item: str, *, arm: object = ALL_ARMS) -> int:
        """The number in one box line; SpecError where there is none."""
        for _, own, own_arm, n in self.rows:
            if own == item and own_arm == arm:
                return n
        items = dict.fromkeys(own for _, own, _, _ in self.rows)
        raise SpecError(f"No item {item!r} for arm {arm!r}; items: {', '.join(items)}.")

    def plot(self, ax: Axes | None = None) -> Axes:
        """The flow diagram: enrolment, then allocation, follow-up and analysis by arm."""
        from trialkit.figures.flow import flow_chart

        enrolled = [(item, n) for stage, item, _, n in self.rows if stage == ENROLMENT]
        lines = [f"{item} (n = {n})" for item, n in enrolled]
        top = [line for line in lines if line.startswith("Assessed")]
        aside = [line for line in lines if line.startswith(("Excluded", "  "))]
        stages = [
            (stage, [self._lines(stage, arm) for arm in self.arms])
            for stage in (ALLOCATION, FOLLOW_UP, ANALYSIS)
            if any(own == stage for own, _, _, _ in self.rows)
        ]
        randomized = f"Randomised (n = {self.count('Randomised')})"
        return flow_chart(top=top, aside=aside, randomized=randomized, stages=stages, ax=ax)

    def html(self) -> str:
        """The diagram as SVG with the same numbers as a table, for readers who cannot see it."""
        from trialkit.figures.saving import svg_bytes

        svg = svg_bytes(self.plot).decode("utf-8")
        svg = svg[svg.index("<svg") :]
        cells = "".join(
            f"<tr><td>{escape(stage)}</td><td>{escape(item.strip())}</td>"
            f"<td>{escape(str(arm))}</td><td>{n}</td></tr>"
            for stage, item, arm, n in self.rows
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Stage", "Item", "Arm", "n"))
        title = escape(self.title or "Flow of participants")
        return (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f'</head><body><figure role="img" aria-label="{title}: the table below has the '
            f'numbers">{svg}</figure><table><caption>{title}</caption><thead><tr>{head}</tr>'
            f"</thead><tbody>{cells}</tbody></table></body></html>"
        )

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the diagram to `path`: .svg, .png or .html."""
        from trialkit.figures.saving import png_bytes, svg_bytes

        target = Path(path)
        kind = target.suffix.lower()
        if kind not in (".svg", ".png", ".html"):
            raise SpecError(f"{target.name!r}: a flow diagram is saved as .svg, .png or .html.")
        if kind == ".html":
            target.write_text(self.html(), encoding="utf-8")
        else:
            target.write_bytes(svg_bytes(self.plot) if kind == ".svg" else png_bytes(self.plot))
        return target

    def _lines(self, stage: str, arm: object) -> list[str]:
        lines = [
            f"{item} (n = {n})"
            for own, item, own_arm, n in self.rows
            if own == stage and own_arm == arm
        ]
        return [str(arm), *lines] if stage == ALLOCATION else lines


def consort(
    data: pd.DataFrame,
    *,
    arm: str,
    subject: str,
    status: str,
    reason: str,
    reference: object = None,
    discontinued: object = None,
    treated: str | None = None,
    screening: str | None = None,
    assessed: int | None = None,
    excluded: Mapping[str, int] | None = None,
    sets: Mapping[str, str | Iterable[object]] | None = None,
    counts: Mapping[str, Mapping[object, int]] | None = None,
    title: str = "",
) -> ConsortFlow:
    """The numbers of the CONSORT flow diagram, each counted from the data, all adding up.

    `data` has one row a subject; those without an `arm` were screened and not randomised, for
    the reason in `screening`. Where the data hold the randomised alone, `excluded` gives the
    numbers not randomised by reason, or `assessed` the number assessed. `status`, `reason` and
    `discontinued` as in `disposition`; `treated` flags who received the treatment. `sets` are
    the analysis sets: a flag column each, or the subjects analysed (a frame with the subject
    column, or identifiers). `counts` are numbers by set and arm that a table or a publication
    states, to be met.

    Every number is cross-footed, and a mismatch raises DataError with both numbers: assessed =
    excluded + randomised; each arm = completed + left + ongoing; left = the sum of its
    reasons; every member of an analysis set is a subject who was randomised, in the arm the
    set's own frame says; and `counts`. Keys of `.frame()`: stage, item, arm.

    Reference: Hopewell et al. (2025) CONSORT 2025 statement, doi:10.1136/bmj-2024-081123.

    Example
    -------
    >>> import pandas as pd
    >>> adsl = pd.DataFrame({
    ...     "USUBJID": list("abcdef"), "ARM": ["P", "P", "P", "D", "D", None],
    ...     "EOSSTT": ["COMPLETED", "COMPLETED", "DISCONTINUED", "COMPLETED", "COMPLETED", None],
    ...     "DCSREAS": [None, None, "ADVERSE EVENT", None, None, None],
    ...     "ITTFL": ["Y", "Y", "Y", "Y", "Y", "N"]})
    >>> flow = consort(adsl, arm="ARM", subject="USUBJID", status="EOSSTT", reason="DCSREAS",
    ...                reference="P", sets={"ITT": "ITTFL"})
    >>> flow.count("Assessed for eligibility"), flow.count("Analysed (ITT)", arm="P")
    (6, 3)
    """
    frame = require_frame(data)
    require_columns(frame, [arm, subject, status, reason])
    require_one_row_each(frame, subject)
    has_arm = frame[arm].notna().to_numpy(dtype=np.bool_)
    randomised = frame.loc[has_arm]
    found = status_rows(
        randomised,
        arm=arm,
        status=status,
        reason=reason,
        reference=reference,
        discontinued=discontinued,
        subject=subject,
    )
    rows = _enrolment(frame.loc[~has_arm], len(randomised), screening, assessed, excluded)
    rows += _allocation(randomised, found, treated)
    rows += _follow_up(found)
    members = {
        name: _members(frame, randomised, name, value, arm, subject)
        for name, value in (sets or {}).items()
    }
    rows += _analysis(found, members)
    _check_counts(found, members, counts or {})
    return ConsortFlow(rows=tuple(rows), arms=found.arms, title=title)


Rows = list[tuple[str, str, object, int]]


def _enrolment(
    screened: pd.DataFrame,
    n_randomised: int,
    screening: str | None,
    assessed: int | None,
    excluded: Mapping[str, int] | None,
) -> Rows:
    if len(screened) and excluded is not None:
        raise SpecError(
            f"{len(screened)} rows have no arm and excluded= is given too: one or the other."
        )
    by_reason = {why: _count(f"excluded[{why!r}]", n) for why, n in (excluded or {}).items()}
    if len(screened) and screening is not None:
        require_columns(screened, [screening])
        values = screened[screening].astype(object).fillna("Reason not given")
        by_reason = {str(k): int(v) for k, v in values.value_counts(sort=True).items()}
    elif len(screened):
        by_reason = {}
    total = len(screened) if len(screened) else sum(by_reason.values())
    if assessed is not None:
        stated = _count("assessed", assessed) - n_randomised
        if (by_reason or len(screened)) and stated != total:
            raise DataError(
                f"assessed={assessed} is not {n_randomised} randomised + {total} excluded."
            )
        if stated < 0:
            raise DataError(f"assessed={assessed} is below {n_randomised} randomised.")
        total = stated
    rows: Rows = []
    if total or assessed is not None:
        rows.append((ENROLMENT, "Assessed for eligibility", ALL_ARMS, n_randomised + total))
        rows.append((ENROLMENT, "Excluded", ALL_ARMS, total))
        rows += [(ENROLMENT, f"  {why}", ALL_ARMS, n) for why, n in by_reason.items()]
    rows.append((ENROLMENT, "Randomised", ALL_ARMS, n_randomised))
    return rows


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise SpecError(f"{name}={value!r}; a whole number, zero or more, is needed.")
    return int(value)


def _by_arm(found: StatusRows, mask: BoolArray) -> list[int]:
    return [int(np.sum(mask & (found.codes == code))) for code in range(len(found.arms))]


def _arm_rows(found: StatusRows, stage: str, item: str, mask: BoolArray) -> Rows:
    return [
        (stage, item, label, n) for label, n in zip(found.arms, _by_arm(found, mask), strict=True)
    ]


def _allocation(frame: pd.DataFrame, found: StatusRows, treated: str | None) -> Rows:
    everyone = np.ones(len(frame), dtype=np.bool_)
    rows = _arm_rows(found, ALLOCATION, "Allocated", everyone)
    if treated is not None:
        flags, known = event_flags(frame, treated)
        if not known.all():
            raise DataError(f"{treated!r} is missing for {int((~known).sum())} subject(s).")
        rows += _arm_rows(found, ALLOCATION, "Received treatment", flags)
        rows += _arm_rows(found, ALLOCATION, "Did not receive treatment", ~flags)
    return rows


def _follow_up(found: StatusRows) -> Rows:
    rows: Rows = []
    _refuse_one_name((*found.kept_statuses, LEFT))
    _refuse_one_name(found.reasons)
    for label in found.kept_statuses:
        rows += _arm_rows(found, FOLLOW_UP, _titled(label), found.is_status(label))
    left = found.is_status(found.discontinued)
    rows += _arm_rows(found, FOLLOW_UP, LEFT, left)
    for why in found.reasons:
        rows += _arm_rows(found, FOLLOW_UP, f"  {_titled(why)}", found.left_for(why))
    _cross_foot(found, rows)
    return rows


def _titled(label: object) -> str:
    """A coded label as a line of the diagram; one in its own spelling, or short (AE), stays."""
    text = str(label)
    is_coded = text.isupper() and len(text) > LONGEST_ABBREVIATION
    return text.capitalize() if is_coded else text[:1].upper() + text[1:]


def _refuse_one_name(labels: Sequence[object]) -> None:
    """DataError where two labels would be one line of the diagram, each with a part."""
    named: dict[str, object] = {}
    for label in labels:
        name = _titled(label)
        if name in named:
            raise DataError(
                f"The labels {named[name]!r} and {label!r} are both {name!r} in the diagram; "
                "give them one spelling, or names that differ."
            )
        named[name] = label


def _cross_foot(found: StatusRows, rows: Rows) -> None:
    """Statuses add up to the arm, reasons to those who left: labels that collide do not."""
    for code, label in enumerate(found.arms):
        size = int(np.sum(found.codes == code))
        states = sum(n for _, item, arm, n in rows if arm == label and not item.startswith("  "))
        reasons = sum(n for _, item, arm, n in rows if arm == label and item.startswith("  "))
        left = _by_arm(found, found.is_status(found.discontinued))[code]
        if states != size or reasons != left:
            raise DataError(
                f"Arm {label!r} does not add up: {states} by status for {size} allocated, "
                f"{reasons} by reason for {left} who left."
            )


def _members(
    frame: pd.DataFrame,
    randomised: pd.DataFrame,
    name: str,
    value: str | Iterable[object],
    arm: str,
    subject: str,
) -> BoolArray:
    """Which randomised subjects belong to a set."""
    if isinstance(value, str):
        flags, known = event_flags(frame, value)
        outside = frame.loc[flags & frame[arm].isna().to_numpy(), subject].tolist()
        if outside:
            raise DataError(
                f"Set {name!r}: {len(outside)} subject(s) flagged in {value!r} were not "
                f"randomised, first {outside[0]!r}."
            )
        has_arm = frame[arm].notna().to_numpy(dtype=np.bool_)
        if not known[has_arm].all():
            raise DataError(
                f"Set {name!r}: {value!r} is missing for {int((~known[has_arm]).sum())} "
                "randomised subject(s)."
            )
        return flags[has_arm]
    own_ids = randomised[subject].tolist()
    if isinstance(value, pd.DataFrame):
        require_columns(value, [subject])
        _check_arms(value, randomised, name, arm, subject)
        given = set(value[subject].tolist())
    else:
        given = set(value)
    strangers = [one for one in given if one not in set(own_ids)]
    if strangers:
        raise DataError(
            f"Set {name!r}: {len(strangers)} subject(s) were not randomised, first "
            f"{min(map(str, strangers))!r}."
        )
    return np.array([one in given for one in own_ids], dtype=np.bool_)


def _check_arms(
    analysed: pd.DataFrame, randomised: pd.DataFrame, name: str, arm: str, subject: str
) -> None:
    if arm not in analysed.columns:
        return
    planned = dict(zip(randomised[subject].tolist(), randomised[arm].tolist(), strict=True))
    for one, own in zip(analysed[subject].tolist(), analysed[arm].tolist(), strict=True):
        if one in planned and planned[one] != own:
            raise DataError(
                f"Set {name!r}: subject {one!r} is analysed in arm {own!r} and was allocated "
                f"to {planned[one]!r}."
            )


def _analysis(found: StatusRows, members: Mapping[str, BoolArray]) -> Rows:
    rows: Rows = []
    for name, mask in members.items():
        rows += _arm_rows(found, ANALYSIS, f"Analysed ({name})", mask)
        rows += _arm_rows(found, ANALYSIS, f"  Excluded from {name}", ~mask)
    return rows


def _check_counts(
    found: StatusRows,
    members: Mapping[str, BoolArray],
    counts: Mapping[str, Mapping[object, int]],
) -> None:
    for name, by_arm in counts.items():
        if name not in members:
            raise SpecError(f"counts= names the set {name!r}; sets: {', '.join(members)}.")
        ours = dict(zip(found.arms, _by_arm(found, members[name]), strict=True))
        for label, stated in by_arm.items():
            if label not in ours:
                raise SpecError(f"counts= names the arm {label!r}; arms: {list(ours)}.")
            if ours[label] != stated:
                raise DataError(
                    f"Set {name!r}, arm {label!r}: {stated} stated, {ours[label]} in the data."
                )
