"""Intercurrent events in a table of their own, and the outcomes each strategy leaves.

An event is *met* by a strategy of ICH E9(R1): "treatment-policy" uses outcomes whatever
happened; "hypothetical" asks what would have been without the event and sets later outcomes
aside, to be modelled or imputed; "composite" makes the event itself part of the outcome;
"while-on-treatment" takes the outcome up to the event. "principal-stratum" needs a model of who
would have the event on either arm, and is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.data.names import require_columns
from trialkit.data.vectors import number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.results import display

__all__ = ["STRATEGIES", "IntercurrentEvents", "intercurrent_events"]

STRATEGIES = ("treatment-policy", "hypothetical", "composite", "while-on-treatment")
# (subject, event, day, position of the first affected visit or None, strategy)
Event = tuple[object, object, float, int | None, str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IntercurrentEvents:
    """One row an event in `frame()`; `apply` makes the outcomes that the strategies ask for."""

    events: tuple[Event, ...]
    visits: tuple[tuple[object, float], ...]  # label and planned day, in order
    subject: str

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title="Intercurrent events", notes=())

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title="Intercurrent events", notes=())

    def frame(self) -> pd.DataFrame:
        """Subject, event, day, visit (the first affected; None after the last), strategy."""
        return pd.DataFrame(
            [
                (who, what, day, None if place is None else self.visits[place][0], how)
                for who, what, day, place, how in self.events
            ],
            columns=[self.subject, "event", "day", "visit", "strategy"],
        )

    def apply(
        self, data: pd.DataFrame, *, outcome: str, visit: str, composite: float | None = None
    ) -> pd.DataFrame:
        """A copy of long `data` whose `outcome` follows the strategies, with column `intercurrent`.

        From an event's first affected visit on, the outcome is kept ("treatment-policy"), set
        missing ("hypothetical"), set to `composite` ("composite"), or set to the last outcome
        observed before the event ("while-on-treatment"; missing where there is none). The last
        outcome on treatment is then what is asked for; taken for what would have followed it is
        last observation carried forward (see `locf_sensitivity` for what is wrong with it). Rows
        that are absent stay absent. `intercurrent` names the event that governs a row. Of
        several events of one subject the first with a strategy other than treatment policy
        governs from its own visit on.

        Only this column changes: derive changes from baseline and responder flags afterwards.
        Raises SpecError where a composite event has no `composite`.
        """
        frame = require_frame(data)
        require_columns(frame, [self.subject, visit, outcome])
        governing = self._governing()
        if composite is None and any(event[4] == "composite" for event in governing.values()):
            raise SpecError("'composite' meets an event: give composite=, the outcome it makes.")
        values = number_vector(frame, outcome).copy()
        places = self._places(frame, visit)
        labels: list[object] = [None] * len(frame)
        subjects = frame[self.subject].tolist()
        carried = self._carried(subjects, places, values, governing)
        for row, who in enumerate(subjects):
            event = governing.get(who)
            if event is None or event[3] is None or places[row] < event[3]:
                continue
            labels[row] = event[1]
            if event[4] == "hypothetical":
                values[row] = np.nan
            elif event[4] == "composite" and composite is not None:
                values[row] = composite
            elif event[4] == "while-on-treatment":
                values[row] = carried.get(who, np.nan)
        done = frame.copy()
        done[outcome] = values
        done["intercurrent"] = pd.Series(labels, index=frame.index, dtype=object)
        return done

    def for_imputation(self, visit: str, strategies: Mapping[object, str]) -> pd.DataFrame:
        """`events=` of `reference_based`: subject, first affected visit, imputation strategy.

        `strategies` maps each event met by "hypothetical" to "mar", "j2r", "cr", "cir" or
        "lmcf". Events after the last visit affect nothing and are left out.
        """
        rows = []
        for who, what, _, place, how in self._governing().values():
            if how != "hypothetical" or place is None:
                continue
            if what not in strategies:
                raise SpecError(f"strategies= has no entry for the event {what!r}.")
            rows.append((who, self.visits[place][0], strategies[what]))
        return pd.DataFrame(rows, columns=[self.subject, visit, "strategy"])

    def _governing(self) -> dict[object, Event]:
        found: dict[object, Event] = {}
        for event in self.events:
            if event[4] != "treatment-policy":
                found.setdefault(event[0], event)
        return found

    def _places(self, frame: pd.DataFrame, visit: str) -> list[int]:
        order = {label: place for place, (label, _) in enumerate(self.visits)}
        unknown = [label for label in dict.fromkeys(frame[visit].tolist()) if label not in order]
        if unknown:
            raise DataError(
                f"Visit {unknown[0]!r} of column {visit!r} has no planned day; planned: "
                f"{', '.join(map(repr, order))}."
            )
        return [order[label] for label in frame[visit].tolist()]

    def _carried(
        self,
        subjects: list[object],
        places: list[int],
        values: np.ndarray,
        governing: Mapping[object, Event],
    ) -> dict[object, float]:
        """Last outcome observed before the governing event, by subject."""
        latest: dict[object, tuple[int, float]] = {}
        for who, place, value in zip(subjects, places, values.tolist(), strict=True):
            event = governing.get(who)
            if event is None or event[3] is None or place >= event[3] or value != value:
                continue
            if who not in latest or place > latest[who][0]:
                latest[who] = (place, value)
        return {who: value for who, (_, value) in latest.items()}


def intercurrent_events(
    data: pd.DataFrame,
    *,
    subject: str,
    event: str,
    day: str,
    visits: Mapping[object, float],
    strategies: Mapping[object, str],
) -> IntercurrentEvents:
    """Intercurrent events of every subject, the first visit each affects, and its strategy.

    One row of `data` is one event: `subject`, `event` (its label) and `day`, in the unit of
    `visits`, which maps each visit to its planned day. An event affects the visits whose
    planned day is after it; a value taken on the day itself counts as before. `strategies`
    gives each label one of "treatment-policy", "hypothetical", "composite",
    "while-on-treatment"; a label without one raises, because it would be a decision. Rows
    without an event label are ignored.

    `.frame()` has the columns subject, event, day, visit, strategy; `.apply()` makes the outcomes
    and `.for_imputation()` the events of `reference_based`. Raises DataError for an event
    without a day, and for two events of one subject on one day with different strategies.

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
    require_columns(frame, [subject, event, day])
    planned = _planned(visits)
    for label, strategy in strategies.items():
        if strategy == "principal-stratum":
            raise SpecError(
                f"strategies[{label!r}]: 'principal-stratum' needs a model of who would have the "
                "event on either arm; it is not offered."
            )
        check_choice(f"strategies[{label!r}]", strategy, STRATEGIES)
    days = number_vector(frame, day)
    found: list[Event] = []
    for who, what, when in zip(
        frame[subject].tolist(), frame[event].astype(object).tolist(), days.tolist(), strict=True
    ):
        if what is None or what != what or not str(what).strip():
            continue
        if what not in strategies:
            raise SpecError(
                f"strategies= has no entry for the event {what!r}; it has "
                f"{', '.join(map(repr, strategies)) or 'none'}."
            )
        if when != when:
            raise DataError(f"Subject {who!r} has the event {what!r} without a day in {day!r}.")
        later = [place for place, (_, planned_day) in enumerate(planned) if planned_day > when]
        found.append((who, what, when, later[0] if later else None, strategies[what]))
    found.sort(key=lambda one: (str(one[0]), one[2]))
    _refuse_conflicts(found)
    return IntercurrentEvents(events=tuple(found), visits=planned, subject=subject)


def _planned(visits: Mapping[object, float]) -> tuple[tuple[object, float], ...]:
    planned = tuple((label, float(when)) for label, when in visits.items())
    if not planned:
        raise SpecError("visits= maps each visit to its planned day; it is empty.")
    for (a, first), (b, second) in pairwise(planned):
        if second <= first:
            raise SpecError(f"visits= must be in order: {b!r} is on day {second:g}, after {a!r}.")
    return planned


def _refuse_conflicts(events: list[Event]) -> None:
    for one, two in pairwise(events):
        if one[0] == two[0] and one[2] == two[2] and one[4] != two[4]:
            raise DataError(
                f"Subject {one[0]!r} has {one[1]!r} ({one[4]}) and {two[1]!r} ({two[4]}) on day "
                f"{one[2]:g}: which governs is not given."
            )
