"""How each subject's time in the trial ended: status and reason, checked against one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.data.levels import arm_levels, factor_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, require_one_row_each
from trialkit.errors import DataError, SpecError
from trialkit.typing import BoolArray, IntArray

__all__ = ["ANY", "NO_REASON", "StatusRows", "status_rows"]

# The row of everyone who left, and of those for whom no reason is recorded.
ANY, NO_REASON = "ANY", "REASON NOT GIVEN"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatusRows:
    """Arm, end-of-study status and reason of every subject, checked against one another."""

    arms: tuple[object, ...]
    codes: IntArray
    status: tuple[object, ...]
    discontinued: object
    reason: tuple[object, ...]  # None for those who did not leave
    reasons: tuple[object, ...]  # in order
    kept_statuses: tuple[object, ...]  # all others, in order

    def is_status(self, label: object) -> BoolArray:
        """Who has this status (n,)."""
        return np.array([own == label for own in self.status], dtype=np.bool_)

    def left_for(self, reason: object) -> BoolArray:
        """Who left for this reason (n,); for ANY, everyone who left."""
        if reason == ANY:
            return self.is_status(self.discontinued)
        return np.array([own == reason for own in self.reason], dtype=np.bool_)


def status_rows(
    frame: pd.DataFrame,
    *,
    arm: str,
    status: str,
    reason: str,
    reference: object,
    discontinued: object,
    subject: str | None,
) -> StatusRows:
    """Check status against reason for every subject; errors as `disposition` says."""
    require_columns(frame, [arm, status, reason])
    if subject is not None:
        require_one_row_each(frame, subject)
    arms = arm_levels(frame, arm, reference)
    codes = label_codes(frame, arm, arms)
    statuses = factor_levels(frame, status)
    label_codes(frame, status, statuses)  # raises where a status is missing
    left = _discontinued_label(statuses, discontinued, status)
    own_status = frame[status].tolist()
    own_reason = [
        None if _is_blank(value) else value for value in frame[reason].astype(object).tolist()
    ]
    reasons: list[object] = []
    for row, (state, why) in enumerate(zip(own_status, own_reason, strict=True)):
        if state == left:
            if why == ANY or (why != left and why in statuses):
                raise DataError(
                    f"{_who(frame, subject, row)} left for the reason {why!r} in {reason!r}, which "
                    f"is {'the name of all reasons together' if why == ANY else 'a status'}; "
                    "rename it."
                )
            reasons.append(NO_REASON if why is None else why)
            continue
        if why is not None and why != state:
            raise DataError(
                f"{_who(frame, subject, row)} has the reason {why!r} in {reason!r} and the "
                f"status {state!r} in {status!r}: a reason belongs to {left!r} alone."
            )
        reasons.append(None)
    present = {why for why in reasons if why is not None}
    ordered = [label for label in factor_levels(frame, reason) if label in present - {NO_REASON}]
    return StatusRows(
        arms=tuple(arms),
        codes=codes,
        status=tuple(own_status),
        discontinued=left,
        reason=tuple(reasons),
        reasons=(*ordered, *((NO_REASON,) if NO_REASON in present else ())),
        kept_statuses=tuple(label for label in statuses if label != left),
    )


def _discontinued_label(statuses: Sequence[object], wanted: object, column: str) -> object:
    if wanted is not None:
        # A status that nobody has is no error: nobody left.
        return wanted
    found = [label for label in statuses if str(label).strip().upper() == "DISCONTINUED"]
    known = {"COMPLETED", "ONGOING"}
    if not found and {str(label).strip().upper() for label in statuses} <= known:
        return "DISCONTINUED"
    if len(found) != 1:
        raise SpecError(
            f"Which status in {column!r} means that a subject left? Give discontinued=, one of "
            f"{', '.join(map(repr, statuses))}."
        )
    return found[0]


def _is_blank(value: object) -> bool:
    # pd.NA has no truth value: it is asked for before anything is compared.
    return value is None or value is pd.NA or value != value or not str(value).strip()


def _who(frame: pd.DataFrame, subject: str | None, row: int) -> str:
    if subject is not None:
        return f"Subject {frame[subject].tolist()[row]!r}"
    return f"Row {frame.index.tolist()[row]!r}"
