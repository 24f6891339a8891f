"""Intercurrent events in a table of their own, and the outcomes each strategy leaves.

An event is *met* by a strategy of ICH E9(R1): "treatment-policy" uses outcomes whatever
happened; "hypothetical" asks what would have been without the event and sets later outcomes
aside, to be modelled or imputed; "composite" makes the event itself part of the outcome;
"while-on-treatment" takes the outcome up to the event. "principal-stratum" needs a model of who
would have the event on either arm, and is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.intercurrent_outcomes import Event
from trialkit.analyses.intercurrent_table import IntercurrentEvents
from trialkit.data.names import require_columns
from trialkit.data.vectors import number_vector, require_frame
from trialkit.errors import DataError, SpecError

__all__ = ["STRATEGIES", "IntercurrentEvents", "intercurrent_events"]

STRATEGIES = ("treatment-policy", "hypothetical", "composite", "while-on-treatment")


def intercurrent_events(
    data: pd.DataFrame,
    *,
    subject: str,
    event: str,
    day: str | None = None,
    visit: str | None = None,
    visits: Mapping[object, float] | Sequence[object],
    strategies: Mapping[object, str],
) -> IntercurrentEvents:
    """Intercurrent events of every subject, the first visit each affects, and its strategy.

    One row of `data` is one event: `subject`, `event` (its label), and when it was: `day`, in
    the unit of `visits`, which maps each visit to its planned day; or `visit`, the first visit
    it affects (empty: none), with `visits` the labels in order. By `day` an event affects the
    visits whose planned day is after it; a value taken on the day itself counts as before.
    `strategies` gives each label one of "treatment-policy", "hypothetical", "composite",
    "while-on-treatment"; a label without one raises, because it would be a decision. Rows
    without an event label are ignored.

    `.frame()` has the columns subject, event, day, visit, strategy; `.apply()` makes the outcomes,
    `.account()` counts what it does, and `.for_imputation()` makes the events of
    `reference_based`. Raises DataError for an event without a day, for a visit that `visits`
    does not have, and for two events of one subject at one time with different strategies
    (treatment policy aside, which gives way).

    Reference: ICH E9(R1) (2019), Addendum on estimands and sensitivity analysis.

    Example
    -------
    >>> import pandas as pd
    >>> stops = pd.DataFrame({"ID": ["a", "b"], "WHY": ["rescue", "moved"], "DAY": [30, 90]})
    >>> found = intercurrent_events(stops, subject="ID", event="WHY", day="DAY",
    ...     visits={"Week 4": 28, "Week 8": 56},
    ...     strategies={"rescue": "hypothetical", "moved": "treatment-policy"})
    >>> found.frame()["visit"].tolist()
    ['Week 8', None]
    """
    frame = require_frame(data)
    if (day is None) == (visit is None):
        raise SpecError("Say when an event was by day= or by visit=, one of the two.")
    when = day if visit is None else visit
    require_columns(frame, [subject, event, str(when)])
    _check_strategies(strategies)
    planned = _planned(visits, has_days=visit is None)
    times = _days(frame, day, planned) if day is not None else _at(frame, str(visit), planned)
    found: list[Event] = []
    for who, what, (number, place, is_known) in zip(
        frame[subject].tolist(), frame[event].astype(object).tolist(), times, strict=True
    ):
        if pd.isna(what) or not str(what).strip():
            continue
        if what not in strategies:
            raise SpecError(
                f"strategies= has no entry for the event {what!r}; it has "
                f"{', '.join(map(repr, strategies)) or 'none'}."
            )
        if pd.isna(who):
            raise DataError(f"An event {what!r} has no subject in {subject!r}.")
        if not is_known:
            raise DataError(f"Subject {who!r} has the event {what!r} without a day in {when!r}.")
        found.append(Event(who, what, number, place, strategies[what]))
    after = len(planned)
    found.sort(
        key=lambda one: (
            str(one.subject),
            after if one.place is None else one.place,
            _sortable(one.day),
        )
    )
    _refuse_conflicts(found)
    return IntercurrentEvents(
        events=tuple(found),
        visits=planned,
        subject=subject,
        strategies=tuple(strategies.items()),
    )


def _check_strategies(strategies: Mapping[object, str]) -> None:
    for label, strategy in strategies.items():
        if strategy == "principal-stratum":
            raise SpecError(
                f"strategies[{label!r}]: 'principal-stratum' needs a model of who would have the "
                "event on either arm; it is not offered."
            )
        check_choice(f"strategies[{label!r}]", strategy, STRATEGIES)


def _sortable(day: float) -> float:
    return 0.0 if np.isnan(day) else day


def _days(
    frame: pd.DataFrame, day: str, planned: Sequence[tuple[object, float]]
) -> list[tuple[float, int | None, bool]]:
    """Day, first affected place and whether the day is known, of every row."""
    return [
        (
            when,
            next((place for place, (_, due) in enumerate(planned) if due > when), None),
            when == when,
        )
        for when in number_vector(frame, day).tolist()
    ]


def _at(
    frame: pd.DataFrame, visit: str, planned: Sequence[tuple[object, float]]
) -> list[tuple[float, int | None, bool]]:
    """The same of events that say themselves which visit they affect first."""
    places: dict[object, int] = {label: place for place, (label, _) in enumerate(planned)}
    found: list[tuple[float, int | None, bool]] = []
    for label, is_empty in zip(frame[visit].tolist(), frame[visit].isna().tolist(), strict=True):
        if not is_empty and label not in places:
            raise DataError(
                f"Column {visit!r} has the visit {label!r}; visits: {', '.join(map(repr, places))}."
            )
        found.append((np.nan, None if is_empty else places[label], True))
    return found


def _planned(
    visits: Mapping[object, float] | Sequence[object], *, has_days: bool
) -> tuple[tuple[object, float], ...]:
    if isinstance(visits, Mapping) != has_days:
        raise SpecError(
            "visits= maps each visit to its planned day where day= is given, and lists the "
            "visits in order where visit= is."
        )
    if not visits:
        raise SpecError("visits= maps each visit to its planned day; it is empty.")
    if not isinstance(visits, Mapping):
        again = [label for at, label in enumerate(visits) if label in visits[:at]]
        if isinstance(visits, str) or again:
            what = (
                f"is the text {visits!r}" if isinstance(visits, str) else f"has {again[0]!r} twice"
            )
            raise SpecError(f"visits= {what}; it lists the visits in order, each once.")
        return tuple((label, np.nan) for label in visits)
    for label, when in visits.items():
        is_number = isinstance(when, int | float | np.number) and not isinstance(when, bool)
        if not is_number or not np.isfinite(when):
            raise SpecError(f"visits= has {label!r} on day {when!r}; a finite number is needed.")
    planned = tuple((label, float(when)) for label, when in visits.items())
    for (a, first), (b, second) in pairwise(planned):
        if second <= first:
            raise SpecError(f"visits= must be in order: {b!r} is on day {second:g}, after {a!r}.")
    return planned


def _refuse_conflicts(events: list[Event]) -> None:
    matter = [event for event in events if event.strategy != "treatment-policy"]
    for one, two in pairwise(matter):
        same = one.day == two.day if one.day == one.day else one.place == two.place
        if one.subject == two.subject and same and one.strategy != two.strategy:
            time = f"on day {one.day:g}" if one.day == one.day else "from one visit on"
            raise DataError(
                f"Subject {one.subject!r} has {one.label!r} ({one.strategy}) and {two.label!r} "
                f"({two.strategy}) {time}: which governs is not given."
            )
