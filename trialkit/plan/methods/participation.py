"""Who took part: the CONSORT flow, patterns of missing visits, intercurrent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.plan.analysis import AnalysisSpec, Drawn, ResultTable
from trialkit.plan.design import VisitOrder
from trialkit.plan.estimand import Strategy
from trialkit.plan.fields import CiLevel, Column, Label, Level, Model, as_tuple
from trialkit.plan.frame_table import frame_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "AnalysedIn",
    "Consort",
    "IntercurrentEvents",
    "MissingPatterns",
    "run_consort",
    "run_intercurrent_events",
    "run_missing_patterns",
]

Count: TypeAlias = Annotated[int, Field(ge=0)]
Levels: TypeAlias = Annotated[tuple[Level, ...], BeforeValidator(as_tuple), Field(min_length=1)]


class AnalysedIn(Model):
    """`{ analysis = "primary" }`: the subjects that an analysis of the plan analyses."""

    analysis: Label

    def __repr__(self) -> str:
        return f"analysis {self.analysis!r}"

    __str__ = __repr__


class Consort(AnalysisSpec):
    """`method = "consort"`: the arguments of `trialkit.consort`.

    A set is a flag column, or those whom another analysis of the plan analyses:
    `sets = { ITT = "ITTFL", "primary" = { analysis = "primary" } }`. Whoever is analysed and was
    not randomised, or in another arm, is an error.
    """

    needs: ClassVar[tuple[str, ...]] = ("arm", "subject")
    takes: ClassVar[tuple[str, ...]] = ("reference",)
    method: Literal["consort"]
    arm: Column | None = None
    subject: Column | None = None
    status: Column
    reason: Column
    reference: Level | None = None
    discontinued: Level | None = None
    treated: Column | None = None
    screening: Column | None = None
    assessed: Count | None = None
    excluded: Mapping[Label, Count] | None = None
    sets: Mapping[Label, Label | AnalysedIn] | None = None
    counts: Mapping[Label, Mapping[Label, Count]] | None = None
    title: str = ""


class MissingPatterns(AnalysisSpec):
    """`method = "missing_patterns"`: the arguments of `trialkit.missing_patterns`."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "subject", "visit")
    takes: ClassVar[tuple[str, ...]] = ("visit_order", "arm", "reference")
    method: Literal["missing_patterns"]
    outcome: Column | None = None
    subject: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    arm: Column | None = None
    reference: Level | None = None
    ci_level: CiLevel | None = None


class IntercurrentEvents(AnalysisSpec):
    """`method = "intercurrent_events"`: the arguments of `trialkit.intercurrent_events`.

    What is left out comes from `[events]`, and `strategies` from the estimand.
    """

    needs: ClassVar[tuple[str, ...]] = ("subject", "event", "visits", "strategies")
    takes: ClassVar[tuple[str, ...]] = ("day", "visit")
    describes_events: ClassVar[bool] = True
    method: Literal["intercurrent_events"]
    subject: Column | None = None
    event: Column | None = None
    day: Column | None = None
    visit: Column | None = None
    visits: Mapping[Label, float] | Levels | None = None
    strategies: Mapping[Label, Strategy] | None = None


def run_consort(spec: Consort, frame: pd.DataFrame, analysed: Mapping[str, pd.DataFrame]) -> Drawn:
    """The numbers of the flow, and the diagram."""
    from trialkit.analyses.consort import consort

    given = spec.arguments()
    given["sets"] = {name: analysed.get(name, value) for name, value in (spec.sets or {}).items()}
    flow = consort(frame, **given)
    counts = flow.frame()
    table = frame_table(
        counts.assign(item=counts["item"].str.replace("^  ", "- ", regex=True)),
        keys=["stage", "item", "arm"],
        variable=spec.title,
        method="Counted from the data; every number is cross-footed",
    )
    return Drawn(tables={"flow": table}, pictures={"Flow of participants": flow.plot})


def run_missing_patterns(spec: MissingPatterns, frame: pd.DataFrame) -> Drawn:
    """Patterns by arm, missing shares by visit, mean outcomes by last visit; two figures."""
    from trialkit.analyses.missing_patterns import missing_patterns

    found = missing_patterns(frame, **spec.arguments())
    method = "Counts; a visit without a row is a missing one"
    tables: dict[str, ResultTable] = {
        "patterns": frame_table(
            found.frame(),
            keys=["pattern", "arm"],
            variable=found.outcome,
            method=method,
            notes=found.notes,
        ),
        "by_visit": frame_table(
            found.by_visit(), keys=["visit", "arm"], variable=found.outcome, method=method
        ),
        "trajectories": found.trajectories(),
    }
    return Drawn(
        tables=tables,
        pictures={
            "Patterns of observed (filled) and missing visits, with numbers by arm": found.plot,
            "Mean outcome by last observed visit": found.plot_trajectories,
        },
    )


def run_intercurrent_events(
    spec: IntercurrentEvents, frame: pd.DataFrame
) -> dict[str, ResultTable]:
    """Subjects with an event by event and first affected visit, and the listing."""
    from trialkit.analyses.intercurrent_events import intercurrent_events

    found = intercurrent_events(frame, **spec.arguments())
    listing = found.frame()
    subject = found.subject
    counts = (
        listing.assign(visit=listing["visit"].where(listing["visit"].notna(), "after the last"))
        .groupby(["event", "strategy", "visit"], observed=True, sort=False)[subject]
        .nunique()
        .rename("n_subjects")
        .reset_index()
    )
    method = "Events as given; the first visit each affects"
    return {
        "counts": frame_table(
            counts, keys=["event", "strategy", "visit"], variable=spec.event or "", method=method
        ),
        "listing": frame_table(
            listing, keys=[subject, "event"], variable=spec.event or "", method=method
        ),
    }
