"""What an analysis estimates, in the five attributes of ICH E9(R1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator

from trialkit.plan.fields import Label, Model

__all__ = [
    "COMPOSITE",
    "HYPOTHETICAL",
    "PRINCIPAL_STRATUM",
    "STRATEGIES",
    "TREATMENT_POLICY",
    "WHILE_ON_TREATMENT",
    "Estimand",
    "Strategy",
]

TREATMENT_POLICY = "treatment-policy"
HYPOTHETICAL = "hypothetical"
COMPOSITE = "composite"
WHILE_ON_TREATMENT = "while-on-treatment"
PRINCIPAL_STRATUM = "principal-stratum"
STRATEGIES = (TREATMENT_POLICY, HYPOTHETICAL, COMPOSITE, WHILE_ON_TREATMENT, PRINCIPAL_STRATUM)
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

    Where the plan has a table of `[events]`, the strategies are carried out; otherwise they are
    declared, and the results say so. An empty `intercurrent` says that no intercurrent event can
    touch the quantity (a table of baseline values); leaving it out is refused.
    """

    treatment: Label
    population: Label
    variable: Label
    intercurrent: Mapping[Label, Annotated[Strategy, BeforeValidator(_hyphenated)]]
    summary: Label
