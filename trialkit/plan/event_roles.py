"""The columns through which events act on the outcomes of one analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialkit.errors import DataError, SpecError
from trialkit.plan.analysis import AnalysisSpec
from trialkit.plan.design import CrossoverDesign
from trialkit.plan.events import Events
from trialkit.plan.schema import Plan

if TYPE_CHECKING:
    import pandas as pd

    from trialkit.analyses.intercurrent_events import IntercurrentEvents

__all__ = ["EventRoles", "event_roles", "outcome_column"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRoles:
    """Subject, visit, outcome and arm of an analysis's data; None for one that it has not.

    `visits` are the visits in order, or their planned days, in the data's own labels.
    """

    events: Events
    subject: str
    visit: str | None
    outcome: str | None
    arm: str | None
    reference: object
    visits: Mapping[object, float] | tuple[object, ...]

    def read(self, table: pd.DataFrame, strategies: Mapping[str, str]) -> IntercurrentEvents:
        """The events of `table` with these strategies; events of other labels are left out."""
        from trialkit.analyses.intercurrent_events import intercurrent_events

        by_label: dict[object, str] = {label: how for label, how in strategies.items()}
        return intercurrent_events(
            self._renamed(table, strategies),
            subject=self.subject,
            event=self.events.event,
            day=self.events.day,
            visit=self.events.visit,
            visits=self.visits,
            strategies=by_label,
        )

    def subjects_with(self, table: pd.DataFrame, label: str) -> set[object]:
        """Who had an event of this label, at any time."""
        return set(self._renamed(table, {label: ""})[self.subject].tolist())

    def everyone(self, table: pd.DataFrame) -> set[object]:
        """Who is in the table with any event."""
        return set(table.loc[table[self.events.event].notna(), self._own_subject(table)].tolist())

    def require_known(self, table: pd.DataFrame, frames: Mapping[str, pd.DataFrame]) -> None:
        """Raise DataError where no data set has anybody with an event: no strategy would act.

        The data of one analysis need not have them: who stopped may not be rated at all.
        """
        those = self.everyone(table)
        people: list[object] = []
        for name, frame in frames.items():
            if name != self.events.data and self.subject in frame:
                people += frame[self.subject].tolist()
        if those and people and not those & set(people):
            raise DataError(
                f"None of the {len(those)} subjects of [events], first {min(those, key=str)!r}, "
                f"is in column {self.subject!r} of any other data set, which have {people[0]!r}: "
                "are the identifiers the same?"
            )

    def _renamed(self, table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
        chosen = table.loc[table[self.events.event].isin(list(labels))]
        return chosen.rename(columns={self._own_subject(table): self.subject})

    def _own_subject(self, table: pd.DataFrame) -> str:
        name = self.events.subject or self.subject
        if name not in table:
            raise SpecError(f"[events] subject: no column {name!r} in {self.events.data!r}.")
        return name


def event_roles(plan: Plan, events: Events, spec: AnalysisSpec, frame: pd.DataFrame) -> EventRoles:
    """The roles that the analysis names, then those of `[design]`, where the data have them."""
    design = plan.design
    time = "period" if isinstance(design, CrossoverDesign) else "visit"

    def role(name: str) -> str | None:
        own = getattr(spec, name, None)
        column = getattr(design, name, None) if own is None else own
        return column if isinstance(column, str) and column in frame else None

    subject = role("subject") or events.subject
    if subject is None or subject not in frame:
        raise SpecError("[events] needs subject=, a column of the analysed data too.")
    visit = role(time)
    return EventRoles(
        events=events,
        subject=subject,
        visit=visit,
        outcome=outcome_column(spec, frame),
        arm=role("arm"),
        reference=getattr(spec, "reference", None) or getattr(design, "reference", None),
        visits=() if visit is None else _visits(events, frame, visit, design_order(plan, time)),
    )


def design_order(plan: Plan, time: str) -> object:
    """The order of visits or periods that `[design]` gives, if any."""
    return getattr(plan.design, f"{time}_order", None)


def outcome_column(spec: AnalysisSpec, frame: pd.DataFrame) -> str | None:
    """The column an analysis takes its outcome from; None where that is no column."""
    formula = getattr(spec, "formula", None)
    # A panel has its outcome in a column of values.
    name = getattr(spec, "value", None) or getattr(spec, "outcome", None)
    if formula is not None:
        name = str(formula).split("~", maxsplit=1)[0].strip().strip("`")
    return name if name in frame else None


def _visits(
    events: Events, frame: pd.DataFrame, visit: str, order: object
) -> Mapping[object, float] | tuple[object, ...]:
    labels = frame[visit].dropna().unique().tolist()
    if isinstance(events.visits, Mapping):
        # TOML makes every key text; a visit may be a number in the data.
        own = {_as_key(label): label for label in labels}
        return {own.get(key, key): day for key, day in events.visits.items()}
    if events.visits is not None:
        return tuple(events.visits)
    if isinstance(order, tuple):  # of all visits, which these data need not have
        return order
    from trialkit.data.levels import visit_levels

    return tuple(visit_levels(frame, visit, order if isinstance(order, str) else None))


def _as_key(label: object) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)
