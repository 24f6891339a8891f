"""Times, events and arms as vectors: what every analysis of time to an event starts from.

One row is one subject: a time that is not negative, and whether the event was seen then (true)
or the subject was last seen without it (false, censored). Times that differ by rounding alone
are ties. Rows without a time or an event flag
are left out and counted; every other gap is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.formula import parse_formula
from trialkit.data.levels import arm_levels, factor_levels
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.data.names import require_columns
from trialkit.data.vectors import (
    label_codes,
    number_vector,
    require_frame,
    require_one_row_each,
    stratum_codes,
)
from trialkit.errors import DataError, SpecError
from trialkit.kernels.near_times import tied_times
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "EventTimes",
    "cause_codes",
    "checked_times",
    "event_flags",
    "event_times",
    "names_of",
    "regression_frame",
    "require_reference",
]

# The words and numbers a flag may hold.
_FLAGS: dict[object, bool] = {1: True, 0: False, "Y": True, "N": False}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventTimes:
    """Times (n,), events (n,) and arm codes (n,) of the analysed rows; `arms[0]` comes first.

    `cause` is 0 where censored and otherwise the position in `causes` plus one; with a plain
    event flag it is the flag itself. `rows` are the positions of these rows in the data.
    """

    frame: pd.DataFrame
    time: FloatArray
    cause: IntArray
    causes: tuple[object, ...]
    arms: tuple[object, ...]
    codes: IntArray
    stratum: IntArray
    notes: tuple[str, ...]

    @property
    def event(self) -> BoolArray:
        """Which rows have any event (n,)."""
        seen: BoolArray = self.cause > 0
        return seen

    @property
    def n(self) -> int:
        """Rows analysed."""
        return self.time.size

    def of_arm(self, code: int) -> BoolArray:
        """Which rows belong to one arm (n,)."""
        own: BoolArray = self.codes == code
        return own


def event_times(
    data: pd.DataFrame,
    *,
    time: str,
    event: str | None = None,
    cause: str | None = None,
    censored: object = None,
    arm: str | None,
    reference: object = None,
    strata: str | Sequence[str] | None = None,
    subject: str | None = None,
    min_arms: int = 1,
) -> EventTimes:
    """Check the frame and take from it what an analysis of times to an event needs.

    Give either `event`, a flag, or `cause`, the reason, with `censored` the label of rows
    without an event (None: missing, or 0 in a column of numbers).

    Raises DataError for missing columns, times that are not numbers, are negative or infinite,
    rows without an arm or stratum, and for no event at all; for fewer than `min_arms` arms.
    """
    frame = require_frame(data)
    times = number_vector(frame, time)
    if (times < 0).any():
        raise DataError(
            f"Column {time!r} has {int((times < 0).sum())} negative time(s), the first "
            f"{float(times[times < 0][0]):g}; time counts from the start of follow-up."
        )
    if cause is None:
        if event is None:
            raise SpecError("Name the flag of the event in event=.")
        flags, known = event_flags(frame, event)
        codes = flags.astype(np.int64)
        causes: tuple[object, ...] = (event,)
    else:
        codes, causes = cause_codes(frame, cause, censored)
        known = np.ones(len(frame), dtype=np.bool_)
    if subject is not None:
        require_one_row_each(frame, subject)
    kept = known & ~np.isnan(times)
    lost = int((~kept).sum())
    notes = (f"{lost} of {len(frame)} rows excluded, time or event missing.",) if lost else ()
    chosen = frame.loc[kept]
    if not (codes[kept] > 0).any():
        raise DataError(f"No event among the {len(chosen)} rows with a time in {time!r}.")
    arms, arm_positions = _arms(chosen, arm, reference, min_arms)
    stratum = np.zeros(len(chosen), dtype=np.int64)
    if strata is not None and names_of(strata):
        require_columns(chosen, names_of(strata))
        stratum, _ = stratum_codes(chosen, names_of(strata))
    return EventTimes(
        frame=chosen,
        time=tied_times(times[kept]),
        cause=codes[kept],
        causes=causes,
        arms=arms,
        codes=arm_positions,
        stratum=stratum,
        notes=notes,
    )


def _arms(
    frame: pd.DataFrame, arm: str | None, reference: object, min_arms: int
) -> tuple[tuple[object, ...], IntArray]:
    if arm is None:
        return ("all",), np.zeros(len(frame), dtype=np.int64)
    levels = arm_levels(frame, arm, reference)
    if len(levels) < min_arms:
        raise DataError(
            f"Column {arm!r} has only one arm, {levels[0]!r}: there is nothing to compare."
        )
    return tuple(levels), label_codes(frame, arm, levels)


def event_flags(frame: pd.DataFrame, event: str) -> tuple[BoolArray, BoolArray]:
    """Flag and whether it is known, for each row.

    An ADaM column CNSR is refused: it is 1 where the event was *not* seen, and would turn every
    result round without a trace.
    """
    require_columns(frame, [event])
    if event.upper() == "CNSR":
        raise SpecError(
            f"event={event!r}: CNSR is 1 for a censored time, the opposite of an event flag; "
            f"give event= a column that holds 1 - {event}."
        )
    missing = frame[event].isna().to_numpy(dtype=np.bool_)
    flags = np.zeros(len(frame), dtype=np.bool_)
    for row, value in enumerate(frame[event].tolist()):
        if missing[row]:
            continue
        if value not in _FLAGS:
            raise DataError(
                f"Column {event!r} holds {value!r}; an event flag is 1 or 0, true or false, "
                "'Y' or 'N' (1, true, 'Y': the event was seen)."
            )
        flags[row] = _FLAGS[value]
    return flags, ~missing


def cause_codes(
    frame: pd.DataFrame, cause: str, censored: object = None
) -> tuple[IntArray, tuple[object, ...]]:
    """0 for a censored row, else 1 + the position of its cause; and the causes in order."""
    require_columns(frame, [cause])
    labels = [label for label in factor_levels(frame, cause) if not _is_blank(label)]
    missing = np.array(
        [gone or _is_blank(v) for v, gone in zip(frame[cause], frame[cause].isna(), strict=True)]
    )
    is_number = pd.api.types.is_numeric_dtype(frame[cause].dtype)
    if censored is None and is_number and 0 in labels:
        censored = 0
    if censored is None:
        causes = tuple(labels)
    else:
        if censored not in labels:
            raise DataError(
                f"censored={censored!r} is not a value of {cause!r}: "
                f"{', '.join(map(repr, labels))}."
            )
        if missing.any():
            raise DataError(
                f"Column {cause!r} is missing in {int(missing.sum())} rows and also marks "
                f"censored rows by {censored!r}; say which they are."
            )
        causes = tuple(label for label in labels if label != censored)
    positions = {label: place for place, label in enumerate(causes, start=1)}
    values = frame[cause].tolist()
    codes = [0 if gone else positions.get(v, 0) for v, gone in zip(values, missing, strict=True)]
    return np.array(codes, dtype=np.int64), causes


def _is_blank(label: object) -> bool:
    # Text files have no other way to leave a field of text empty.
    return isinstance(label, str) and not label.strip()


def require_reference(reference: object, arm: str) -> None:
    """Raise DataError where no reference is named."""
    if reference is None:
        raise DataError(f"reference= must name the arm in column {arm!r} to compare with.")


def checked_times(times: Sequence[float]) -> list[float]:
    """Times at which a curve is asked for, in the order given; SpecError for one it cannot have."""
    asked = [times] if isinstance(times, int | float | np.number) else list(times)
    for moment in asked:
        if isinstance(moment, str | bool) or not np.isfinite(moment) or moment < 0:
            raise SpecError(f"times= has {moment!r}; a finite number not below zero is needed.")
    return [float(moment) for moment in asked]


def names_of(columns: str | Sequence[str] | None) -> tuple[str, ...]:
    """One column name or several, as a tuple."""
    if columns is None:
        return ()
    return (columns,) if isinstance(columns, str) else tuple(columns)


def regression_frame(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    covariates: Sequence[str] = (),
    complete: Sequence[str] = (),
    subject: str | None = None,
) -> ModelFrame:
    """Design of arm and covariates: text as factors, numbers as they are, `C(x)` a factor.

    A covariate may be a term of a formula ("AGE", "C(SITE)", "TRT01P:BASE").
    """
    frame = require_frame(data)
    require_reference(reference, arm)
    require_columns(frame, [arm, outcome, *complete])
    terms = [_quoted(arm), *(_quoted(c) if c in frame.columns else c for c in covariates)]
    formula = f"{_quoted(outcome)} ~ {' + '.join(terms)}"
    parse_formula(formula)
    return build_model_frame(
        formula,
        frame,
        levels={arm: arm_levels(frame, arm, reference)},
        every_level=(arm,),
        subject=subject,
        complete=complete,
    )


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f"`{name}`"
