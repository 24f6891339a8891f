"""Intercurrent events, the strategy each is met with, and what is added after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.imputation_grid import Grid
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.kernels.reference_means import STRATEGIES
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "Delta",
    "DeltaKind",
    "DeltaWhere",
    "Events",
    "check_delta",
    "delta_cells",
    "read_delta",
    "read_events",
]

DeltaWhere = Literal["after-event", "all"]
DeltaKind = Literal["additive", "multiplicative"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """The first visit each event affects (n,), m without one; `own` (n,) is "" or a strategy.

    `notes` say where the events come from. With `has_anchor`, "mar" is missing at random for
    everybody, whatever an event's own strategy: what the others are compared with.
    """

    first: IntArray
    own: np.ndarray
    notes: tuple[str, ...]
    has_anchor: bool = False

    def strategies(self, strategy: str) -> np.ndarray:
        """The strategy of each subject (n,): its own, or the one asked for."""
        if self.has_anchor and strategy == "mar":
            return np.full(self.own.size, strategy, dtype=self.own.dtype)
        return np.where(self.own == "", strategy, self.own)

    def refuse_one_answer(self, strategies: Sequence[str], n_visits: int) -> None:
        """SpecError where several strategies are asked for and every event has its own."""
        asked = [each for each in strategies if not (self.has_anchor and each == "mar")]
        has_event = self.first < n_visits
        if len(asked) > 1 and has_event.any() and (self.own[has_event] != "").all():
            raise SpecError(
                f"strategy= names {', '.join(asked)}, but every event has a strategy of its own: "
                "they would be one answer under several names. Give one strategy."
            )

    def after(self, n_visits: int) -> BoolArray:
        """Which visits (n, m) an event affects."""
        return np.asarray(np.arange(n_visits) >= self.first[:, None])


def read_events(events: pd.DataFrame | None, grid: Grid) -> Events:
    """Events of a frame (subject, first affected visit[, strategy]), or the dropouts themselves.

    Raises DataError for unknown subjects, visits or strategies, and for two events of one
    subject: name the first.
    """
    n, m = grid.y.shape
    if events is None:
        last = m - 1 - np.argmax(grid.seen[:, ::-1], axis=1)
        first = np.where(grid.seen.any(axis=1), last + 1, 0).astype(np.int64)
        note = (
            "No events given: an event is taken to affect a subject from the first visit after "
            f"its last observation ({int((first < m).sum())} of {n} subjects)."
        )
        return Events(first=first, own=np.full(n, "", dtype="<U8"), notes=(note,))
    frame = require_frame(events)
    require_columns(frame, [grid.subject, grid.visit])
    codes = grid.subject_codes(frame[grid.subject])
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        label = frame[grid.subject].iloc[int(unknown[0])]
        raise DataError(
            f"events= has {unknown.size} row(s) of subjects that the data do not have, the first "
            f"{label!r}."
        )
    again = frame[grid.subject].duplicated()
    if again.any():
        label = frame.loc[again, grid.subject].iloc[0]
        raise DataError(f"events= has two rows of subject {label!r}; give the first event only.")
    at = label_codes(frame, grid.visit, grid.visits)
    if (at < 0).any():
        label = frame[grid.visit].tolist()[int(np.flatnonzero(at < 0)[0])]
        raise DataError(
            f"events= has the visit {label!r}; visits: {', '.join(map(repr, grid.visits))}."
        )
    first = np.full(n, m, dtype=np.int64)
    first[codes] = at
    own = np.full(n, "", dtype="<U8")
    notes = [f"{len(frame)} of {n} subjects have an event."]
    if "strategy" in frame.columns:
        given = frame["strategy"].notna().to_numpy()
        for code, value in zip(codes[given], frame["strategy"][given].tolist(), strict=True):
            check_choice("events strategy", value, STRATEGIES)
            own[code] = value
        notes.append(f"{int(given.sum())} of the events have a strategy of their own.")
    return Events(first=first, own=own, notes=tuple(notes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delta:
    """What is added to (or multiplies) an imputed outcome: `values` (n, m), `where` (n, m)."""

    kind: str
    values: FloatArray
    where: BoolArray
    phrase: str

    def applied(self, completed: FloatArray) -> FloatArray:
        """Completed outcomes (B, n, m) with the adjustment."""
        if self.kind == "additive":
            return np.asarray(completed + np.where(self.where, self.values, 0.0))
        return np.asarray(completed * np.where(self.where, self.values, 1.0))


def check_delta(where: str, kind: str) -> None:
    """SpecError for a delta that acts elsewhere, or otherwise, than is offered."""
    check_choice("delta_where", where, ("after-event", "all"))
    check_choice("delta_kind", kind, ("additive", "multiplicative"))


def delta_cells(where: DeltaWhere, grid: Grid, events: Events) -> tuple[BoolArray, str]:
    """The imputed values (n, m) on which a delta acts, and that place in words."""
    if where == "all":
        return ~grid.seen, "everywhere"
    return ~grid.seen & events.after(len(grid.visits)), "after the event"


def read_delta(
    delta: float | pd.DataFrame | None,
    grid: Grid,
    events: Events,
    *,
    where: DeltaWhere,
    kind: DeltaKind,
) -> Delta:
    """A number for every arm and visit, or a frame of arm, visit, delta (others unadjusted)."""
    check_delta(where, kind)
    neutral = 0.0 if kind == "additive" else 1.0
    table = np.full((len(grid.arms), len(grid.visits)), neutral)
    if isinstance(delta, pd.DataFrame):
        _fill(table, delta, grid)
    elif delta is not None:
        table[:] = _finite(delta)
    mask, place = delta_cells(where, grid, events)
    is_used = bool((table != neutral).any())
    amount = "by arm and visit" if isinstance(delta, pd.DataFrame) else f"{delta}"
    phrase = f"{kind} delta {amount} on values imputed {place}" if is_used else ""
    return Delta(kind=kind, values=table[grid.arm_code], where=mask, phrase=phrase)


def _finite(delta: object) -> float:
    if isinstance(delta, bool) or not isinstance(delta, int | float | np.number):
        raise SpecError(f"delta={delta!r}: give a number, or a frame of arm, visit, delta.")
    if not np.isfinite(float(delta)):
        raise SpecError(f"delta={delta!r} is not finite.")
    return float(delta)


def _fill(table: FloatArray, delta: pd.DataFrame, grid: Grid) -> None:
    """Write the rows of a frame of deltas; a column left out means every arm, or every visit."""
    require_columns(delta, ["delta"])
    allowed = dict.fromkeys((grid.arm, "arm", grid.visit, "visit", "delta"))
    strangers = [name for name in delta.columns if name not in allowed]
    if strangers:
        raise SpecError(
            f"delta= has the column {strangers[0]!r}, which is neither the arm's, the visit's nor "
            f"delta; allowed: {', '.join(map(repr, allowed))}. A column left out means all arms, "
            "or all visits."
        )
    values = number_vector(delta, "delta")
    if np.isnan(values).any():
        raise DataError(f"delta= has {int(np.isnan(values).sum())} missing value(s).")
    places = []
    for name, role, labels in ((grid.arm, "arm", grid.arms), (grid.visit, "visit", grid.visits)):
        column = name if name in delta.columns else role
        if column not in delta.columns:
            places.append([np.arange(len(labels))] * len(delta))
            continue
        codes = label_codes(delta, column, labels)
        if (codes < 0).any():
            label = delta[column].tolist()[int(np.flatnonzero(codes < 0)[0])]
            raise DataError(
                f"delta= has the {role} {label!r}; there are {', '.join(map(repr, labels))}."
            )
        places.append([np.array([code]) for code in codes])
    written = np.zeros(table.shape, dtype=np.bool_)
    for value, arm, visit in zip(values, *places, strict=True):
        cell = np.ix_(arm, visit)
        if written[cell].any():
            raise DataError("delta= has two values for one arm and visit.")
        table[cell] = value
        written[cell] = True
