"""What was done about intercurrent events, as sentences and as a table of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialkit.plan.estimand import (
    COMPOSITE,
    HYPOTHETICAL,
    TREATMENT_POLICY,
    WHILE_ON_TREATMENT,
)
from trialkit.plan.frame_table import FrameTable, frame_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["account_table", "sentences"]

METHOD = (
    "Subjects with the event, and their outcomes analysed from its first affected visit on; an "
    "absent row is a missing outcome"
)


def sentences(
    counts: pd.DataFrame, composite: object, *, n_added: int, n_absent: int
) -> tuple[str, ...]:
    """One for each event; then rows made, and events of subjects who are not analysed."""
    said = []
    for (event, how), own in counts.groupby(["event", "strategy"], observed=True, sort=False):
        total = own[["N", "n_subjects", "n_observed", "n_missing"]].sum()
        said.append(
            f"{event} ({how}): {total['n_subjects']} of {total['N']} subjects. "
            f"{_done(str(how), composite, int(total['n_observed']), int(total['n_missing']))}"
        )
    if n_added:
        said.append(f"{n_added} rows are made for outcomes that an event decides and nobody saw.")
    if n_absent:
        said.append(f"{n_absent} subjects with an event have no row in these data.")
    return tuple(said)


def _done(how: str, composite: object, n_observed: int, n_missing: int) -> str:
    after = f"Outcomes from the event on: {n_observed} observed"
    gone = f"{n_missing} missing"
    return {
        TREATMENT_POLICY: f"{after} are kept, {gone}.",
        HYPOTHETICAL: f"{after} are set aside as missing, {gone} already.",
        COMPOSITE: f"{after} and {gone}, all set to {_shown(composite)}.",
        WHILE_ON_TREATMENT: (
            f"{after} and {gone}, replaced by the last one observed before the event."
        ),
    }[how]


def _shown(composite: object) -> str:
    return f"{composite:g}" if isinstance(composite, float) else str(composite)


def account_table(
    counts: pd.DataFrame, composite: object, *, variable: str, has_arm: bool
) -> FrameTable:
    """The counts by event and arm, with what was done."""
    done = {
        TREATMENT_POLICY: "kept as observed",
        HYPOTHETICAL: "set aside",
        COMPOSITE: f"set to {_shown(composite)}",
        WHILE_ON_TREATMENT: "last before the event",
    }
    handled = [done[str(how)] for how in counts["strategy"].tolist()]
    return frame_table(
        counts.assign(handling=handled),
        keys=["event", "arm"] if has_arm else ["event"],
        variable=variable,
        method=METHOD,
    )
