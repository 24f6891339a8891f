"""Shares of responders compared between the arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trialkit.plan.analysis import ArmSpec, Table
from trialkit.plan.fields import Column, Level

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Responders", "run_responders"]


class Responders(ArmSpec):
    """`method = "responders"`: the arguments of `trialkit.responders`."""

    method: Literal["responders"]
    outcome: Column | None = None
    event: Level = "Y"
    measure: Literal["ratio"] = "ratio"


def run_responders(spec: Responders, frame: pd.DataFrame) -> dict[str, Table]:
    """The ratio of the shares with the event, one contrast an arm."""
    from trialkit.analyses.responders import responders

    return {"estimates": responders(frame, **spec.arguments())}
