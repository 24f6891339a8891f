"""`[events]` of a plan: the table of intercurrent events, and the visits they affect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from trialkit.errors import SpecError
from trialkit.plan.fields import Column, Label, Level, Model, as_tuple, named_columns
from trialkit.plan.selection import require_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Events", "event_labels"]

Levels: TypeAlias = Annotated[tuple[Level, ...], BeforeValidator(as_tuple), Field(min_length=1)]
PlannedDays: TypeAlias = Annotated[Mapping[Label, float], Field(min_length=1)]


class Events(Model):
    """One row of `data` is one event of one subject: `event` its label, `day` or `visit` its time.

    With `day`, `visits` maps each visit to its planned day, in order; an event affects the
    visits planned after it. With `visit`, the first visit it affects (empty: none), `visits`
    lists the visits in order, by default those of `[design]`. `labels` names the events that
    were looked for, where some of them nobody had; by default they are those of the data.
    `subject` is by default that of `[design]`.
    """

    data: Label
    subject: Column | None = None
    event: Column
    day: Column | None = None
    visit: Column | None = None
    visits: PlannedDays | Levels | None = None
    labels: Annotated[tuple[Label, ...], BeforeValidator(as_tuple), Field(min_length=1)] | None = (
        None
    )

    @model_validator(mode="after")
    def _time_is_given_once(self) -> Self:
        if (self.day is None) == (self.visit is None):
            raise ValueError("say when an event was by day or by visit, one of the two")
        if self.day is not None and not isinstance(self.visits, Mapping):
            raise ValueError(
                "day needs visits, the planned day of each visit in order: "
                'visits = { "Week 4" = 29, "Week 8" = 57 }'
            )
        if self.visit is not None and isinstance(self.visits, Mapping):
            raise ValueError("visit needs no planned days: visits lists the visits in order")
        return self


def event_labels(events: Events, frame: pd.DataFrame) -> tuple[str, ...]:
    """The labels of the events, in order of the data; SpecError for columns or labels unknown."""
    for key, column in named_columns(events):
        require_column(frame, column, place=key)
    given = frame[events.event].dropna().unique().tolist()
    numbers = [label for label in given if not isinstance(label, str)]
    if numbers:
        raise SpecError(f"event: {events.event!r} holds {numbers[0]!r}; events are named by text.")
    found = [label for label in given if label.strip()]
    if events.labels is None:
        return tuple(found)
    strangers = [label for label in found if label not in events.labels]
    if strangers:
        raise SpecError(
            f"labels: the data have the event {strangers[0]!r}, which is not among "
            f"{_listed(events.labels)}."
        )
    return events.labels


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels))
