"""The `[design]` of a plan: who got what, and when, in the names of the data's columns."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.design.crossover import Crossover
from trialkit.design.parallel import Parallel
from trialkit.plan.fields import Column, Columns, Label, Level, Model, as_tuple

__all__ = ["CrossoverDesign", "Design", "ParallelDesign", "VisitOrder"]

# Labels in their order, or the name of a numeric column that gives it.
VisitOrder: TypeAlias = Label | Annotated[tuple[Level, ...], BeforeValidator(as_tuple)]


class ParallelDesign(Model):
    """`type = "parallel"`: the arguments of `trialkit.Parallel`, and the data set they describe."""

    type: Literal["parallel"]
    data: Label | None = None
    subject: Column
    arm: Column
    reference: Level
    outcome: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    baseline: Column | None = None
    strata: Columns = ()

    def declared(self) -> Parallel:
        """The design as the rest of the package knows it."""
        return Parallel(
            subject=self.subject,
            arm=self.arm,
            reference=self.reference,
            outcome=self.outcome,
            visit=self.visit,
            visit_order=self.visit_order,
            baseline=self.baseline,
            strata=self.strata,
        )


class CrossoverDesign(Model):
    """`type = "crossover"`: the arguments of `trialkit.Crossover`."""

    type: Literal["crossover"]
    data: Label | None = None
    subject: Column
    sequence: Column
    period: Column
    treatment: Column
    reference: Level
    outcome: Column | None = None
    measurement: Column | None = None
    period_order: VisitOrder | None = None

    def declared(self) -> Crossover:
        """The design as the rest of the package knows it."""
        return Crossover(
            subject=self.subject,
            sequence=self.sequence,
            period=self.period,
            treatment=self.treatment,
            reference=self.reference,
            outcome=self.outcome,
            measurement=self.measurement,
            period_order=self.period_order,
        )


Design: TypeAlias = Annotated[ParallelDesign | CrossoverDesign, Field(discriminator="type")]
