"""The intercurrent events of a trial, and what each strategy makes of the outcomes after them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from trialkit.analyses.intercurrent_outcomes import (
    Event,
    Rows,
    check_composite,
    made,
    observed,
    read_rows,
    refuse_several_rows,
    replaced,
    with_absent,
)
from trialkit.data.levels import arm_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import require_frame
from trialkit.errors import DataError, SpecError
from trialkit.results import display

__all__ = ["IntercurrentEvents"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IntercurrentEvents:
    """One row an event in `frame()`; `apply` makes the outcomes that the strategies ask for."""

    events: tuple[Event, ...]
    visits: tuple[tuple[object, float], ...]  # label and planned day (NaN if not given), in order
    subject: str
    strategies: tuple[tuple[object, str], ...]  # of every event looked for, had or not

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

    def within(
        self,
        *,
        subjects: Collection[object] | None = None,
        visits: Collection[object] | None = None,
    ) -> IntercurrentEvents:
        """The events of these subjects, as they touch these visits alone.

        An event whose first affected visit is not among `visits` affects the next one that is.
        """
        chosen = None if subjects is None else set(subjects)
        kept = [
            place
            for place, (label, _) in enumerate(self.visits)
            if visits is None or label in visits
        ]
        return replace(
            self,
            events=tuple(
                event._replace(place=_next(kept, event.place))
                for event in self.events
                if chosen is None or event.subject in chosen
            ),
            visits=tuple(self.visits[place] for place in kept),
        )

    def apply(
        self,
        data: pd.DataFrame,
        *,
        outcome: str,
        visit: str,
        composite: object = None,
        add_rows: bool = False,
    ) -> pd.DataFrame:
        """A copy of long `data` whose `outcome` follows the strategies, with column `intercurrent`.

        From an event's first affected visit on, the outcome is kept ("treatment-policy"), set
        missing ("hypothetical"), set to `composite` ("composite"), or set to the last outcome
        observed before the event ("while-on-treatment"; missing where there is none). The last
        outcome on treatment is then what is asked for; taken for what would have followed it is
        last observation carried forward (see `locf_sensitivity` for what is wrong with it).
        `intercurrent` names the event that governs a row. Of several events of one subject the
        first with a strategy other than treatment policy governs from its own visit on. The
        outcome may be a number or a label (a responder flag), and `composite` likewise.

        Rows that are absent stay absent: a subject that failed and was not seen again would then
        be no failure. With `add_rows` the rows that a composite or while-on-treatment event asks
        for are made, for subjects and visits that `data` have: what never changes within subjects
        (arm, baseline) or within visits is filled in, the rest left empty.

        Only this column changes: derive changes from baseline and responder flags afterwards.
        Raises SpecError where a composite event has no `composite`, and DataError where nobody
        with an event is in `data`.
        """
        frame = require_frame(data)
        require_columns(frame, [self.subject, visit, outcome])
        self._require_shared_subjects(frame)
        governing = self._governing()
        if composite is None and any(event.strategy == "composite" for event in governing.values()):
            raise SpecError("'composite' meets an event: give composite=, the outcome it makes.")
        if add_rows:
            wanted = self._wanted(governing, frame[self.subject].tolist(), frame[visit].tolist())
            frame = with_absent(frame, wanted, subject=self.subject, visit=visit, outcome=outcome)
        rows = self._rows(frame, visit, outcome)
        if composite is not None:
            check_composite(composite, rows, outcome)
        if any(event.strategy == "while-on-treatment" for event in governing.values()):
            refuse_several_rows(frame, subject=self.subject, visit=visit)
        values, labels = replaced(rows, governing, composite)
        return frame.assign(
            **{
                outcome: made(values, frame.index, is_number=rows.is_number),
                "intercurrent": pd.Series(labels, index=frame.index, dtype=object),
            }
        )

    def account(
        self,
        data: pd.DataFrame,
        *,
        outcome: str,
        visit: str,
        arm: str | None = None,
        reference: object = None,
        visits: Collection[object] | None = None,
    ) -> pd.DataFrame:
        """What the strategies meet in long `data`, as it is before `apply`.

        One row an event that was looked for, and arm where that is given: event, strategy, arm,
        N (subjects of the data), n_subjects (of them, with the event), n_observed and n_missing
        (outcomes at the visits of `data`, or at those of `visits`, from the event on; an absent
        row is a missing one). An outcome that several events touch is counted once, with the one
        that governs.
        """
        frame = require_frame(data)
        require_columns(frame, [self.subject, visit, outcome, *([] if arm is None else [arm])])
        rows = self._rows(frame, visit, outcome)
        arms = [None] if arm is None else arm_levels(frame, arm, reference)
        labels = [None] * len(frame) if arm is None else frame[arm].tolist()
        own = dict(zip(rows.subjects, labels, strict=True))
        n_seen = observed(rows)
        counts = {(what, how, label): [0, 0, 0] for what, how in self.strategies for label in arms}
        for who, what, how in dict.fromkeys(
            (one.subject, one.label, one.strategy) for one in self.events
        ):
            if who in own:
                counts[what, how, own[who]][0] += 1
        responsible = self._responsible()
        places = [
            place
            for place in sorted(set(rows.places))
            if visits is None or self.visits[place][0] in visits
        ]
        for who, label in own.items():
            for place in places:
                event = responsible(who, place)
                if event is not None:
                    count = counts[event.label, event.strategy, label]
                    count[1] += n_seen.get((who, place), 0)
                    count[2] += (who, place) not in n_seen
        sizes = [list(own.values()).count(label) for label in arms]
        table = pd.DataFrame(
            [
                (*key, size, *count)
                for (key, count), size in zip(
                    counts.items(), sizes * (len(counts) // len(arms)), strict=True
                )
            ],
            columns=["event", "strategy", "arm", "N", "n_subjects", "n_observed", "n_missing"],
        )
        return table if arm is not None else table.drop(columns="arm")

    def for_imputation(self, visit: str, strategies: Mapping[object, str | None]) -> pd.DataFrame:
        """`events=` of `reference_based`: subject, first affected visit, imputation strategy.

        `strategies` maps each event met by "hypothetical" to "mar", "j2r", "cr", "cir" or
        "lmcf", or to None, the strategy that is asked for. An event met by "treatment-policy" is
        taken where `strategies` names it: what was observed after it stays, what is missing
        after it is imputed by that strategy. Events after the last visit affect nothing and are
        left out, as are those that composite or while-on-treatment outcomes follow.
        """
        governing = self._governing()
        rows: dict[object, tuple[object, object, str | None]] = {}
        for who, what, _, place, how in self.events:
            if how == "hypothetical" and what not in strategies:
                raise SpecError(f"strategies= has no entry for the event {what!r}.")
            other = governing.get(who)
            settled = other is not None and other.strategy != "hypothetical"
            if place is None or what not in strategies or settled:
                continue
            rows.setdefault(who, (who, self.visits[place][0], strategies[what]))
        return pd.DataFrame(list(rows.values()), columns=[self.subject, visit, "strategy"])

    def _governing(self) -> dict[object, Event]:
        found: dict[object, Event] = {}
        for event in self.events:
            if event.strategy != "treatment-policy":
                found.setdefault(event.subject, event)
        return found

    def _responsible(self) -> Callable[[object, int], Event | None]:
        """Which event an outcome is counted with: the governing one, else the first before it."""
        governing = self._governing()
        own: dict[object, list[Event]] = {}
        for event in self.events:
            own.setdefault(event.subject, []).append(event)

        def responsible(who: object, place: int) -> Event | None:
            reached = [
                one for one in own.get(who, []) if one.place is not None and one.place <= place
            ]
            governs = governing.get(who)
            return governs if governs in reached else next(iter(reached), None)

        return responsible

    def _require_shared_subjects(self, frame: pd.DataFrame) -> None:
        people = set(frame[self.subject].tolist())
        if self.events and not any(event.subject in people for event in self.events):
            n_subjects = len({event.subject for event in self.events})
            raise DataError(
                f"None of the {n_subjects} subjects with an event, first "
                f"{self.events[0].subject!r}, is in column {self.subject!r} of the data, first "
                f"{next(iter(people), None)!r}: are the identifiers the same? For a part of the "
                "trial in which nobody has one, take within(subjects=...) first."
            )

    def _wanted(
        self,
        governing: Mapping[object, Event],
        subjects: Sequence[object],
        visits: Sequence[object],
    ) -> list[tuple[object, object]]:
        """Subject and visit of every outcome that an event makes, of those the data have."""
        people, attended = set(subjects), set(visits)
        return [
            (who, label)
            for who, event in governing.items()
            if event.strategy in ("composite", "while-on-treatment")
            and event.place is not None
            and who in people
            for label, _ in self.visits[event.place :]
            if label in attended
        ]

    def _rows(self, frame: pd.DataFrame, visit: str, outcome: str) -> Rows:
        order = [label for label, _ in self.visits]
        return read_rows(frame, subject=self.subject, visit=visit, outcome=outcome, order=order)


def _next(kept: Sequence[int], place: int | None) -> int | None:
    """Where the first of the `kept` places from `place` on stands among them."""
    if place is None:
        return None
    return next((new for new, old in enumerate(kept) if old >= place), None)
