"""Shares of responders compared between the arms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from trialkit.plan.analysis import ResultTable
from trialkit.plan.fields import Level
from trialkit.plan.methods.two_arms import TwoArms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Responders", "run_responders"]


class Responders(TwoArms):
    """`method = "responders"`: the arguments of `trialkit.responders`.

    The interval is the log-Wald one, the only `method` of the function so far.
    """

    method: Literal["responders"]
    event: Level | bool = "Y"
    measure: Literal["ratio"] = "ratio"
    missing: Literal["non-responder", "exclude"] | None = None
    continuity: Annotated[float, Field(ge=0)] = 0.0

    @property
    def completes(self) -> bool:
        """A missing flag may count as no response."""
        return self.missing == "non-responder"


def run_responders(spec: Responders, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """The ratio of the shares with the event, one contrast an arm."""
    from trialkit.analyses.responders import responders

    return {"estimates": responders(frame, **spec.arguments())}
