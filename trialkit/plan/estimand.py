"""What an analysis estimates, in the five attributes of ICH E9(R1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator

from trialkit.plan.fields import Label, Model

__all__ = ["STRATEGIES", "Estimand", "Strategy"]

STRATEGIES = (
    "treatment-policy",
    "hypothetical",
    "composite",
    "while-on-treatment",
    "principal-stratum",
)
Strategy: TypeAlias = Literal[
    "treatment-policy",
    "hypothetical",
    "composite",
    "while-on-treatment",
    "principal-stratum",
]


def _hyphenated(value: object) -> object:
    return value.strip().lower().replace(" ", "-") if isinstance(value, str) else value


class Estimand(Model):
    """The five attributes, each required; `intercurrent` gives a strategy to each event.

    An empty `intercurrent` says that no intercurrent event can touch the quantity (a table of
    baseline values); leaving it out is refused.
    """

    treatment: Label
    population: Label
    variable: Label
    intercurrent: Mapping[Label, Annotated[Strategy, BeforeValidator(_hyphenated)]]
    summary: Label
