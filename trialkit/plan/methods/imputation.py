"""Imputation of those who left: reference-based, tipping point, pattern mixture, LOCF."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.plan.analysis import AnalysisSpec, ArmSpec, Drawn, Picture, ResultTable
from trialkit.plan.design import VisitOrder
from trialkit.plan.fields import CiLevel, Column, Formula, Label, Level, as_tuple
from trialkit.plan.frame_table import frame_table
from trialkit.typing import Alternative, MeanWeights

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CompareVariances",
    "CrossoverReferenceBased",
    "LocfSensitivity",
    "PatternMixture",
    "ReferenceBased",
    "TippingPoint",
    "run_compare_variances",
    "run_crossover_reference_based",
    "run_locf_sensitivity",
    "run_pattern_mixture",
    "run_reference_based",
    "run_tipping_point",
]

Strategy: TypeAlias = Literal["mar", "j2r", "cr", "cir", "lmcf"]
Strategies: TypeAlias = Strategy | Annotated[tuple[Strategy, ...], BeforeValidator(as_tuple)]
Restriction: TypeAlias = Literal["ccmv", "acmv", "ncmv"]
# A small frame written in the plan: an array of tables, a row each.
Rows: TypeAlias = Annotated[tuple[Mapping[Label, Level], ...], BeforeValidator(as_tuple)]
Numbers: TypeAlias = Annotated[tuple[float, ...], BeforeValidator(as_tuple)]
# A grid over more deltas has no picture.
MAX_DELTAS = 2


class ImputationModel(ArmSpec):
    """What all that impute by strategy share; `likelihood` is the functions' `method`.

    `events` is an array of tables, one an event: { USUBJID = "S-01", AVISIT = "Week 8" }; or the
    name of a data set with these columns; or, where the plan has `[events]`, a table of the
    imputation strategy of each event: { "treatment stopped" = "j2r" }. Left out there, outcomes
    are imputed by `strategy` from each event on that hypothetical or treatment policy meets.
    """

    needs: ClassVar[tuple[str, ...]] = ("subject", "visit", "arm", "reference")
    takes: ClassVar[tuple[str, ...]] = ("visit_order",)
    formula: Formula
    subject: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    strategy: Strategies = "j2r"
    events: Rows | Label | Annotated[Mapping[Label, Strategy], Field(min_length=1)] | None = None
    covariance: Label = "unstructured"
    group: Column | None = None
    likelihood: Literal["reml", "ml"] = "reml"
    weights: MeanWeights = "counterfactual"
    n_samples: Annotated[int, Field(ge=2)] | None = None
    analysis: Formula | None = None
    rng: Annotated[int, Field(ge=0)] | None = None

    @property
    def completes(self) -> bool:
        """Missing outcomes are imputed."""
        return True


class Imputation(ImputationModel):
    """What reference-based imputation and the tipping point share."""

    delta_where: Literal["after-event", "all"] = "after-event"
    delta_kind: Literal["additive", "multiplicative"] = "additive"
    variance: Literal["jackknife", "bootstrap", "rubin"] = "jackknife"
    alternative: Alternative = "two-sided"
    null: float = 0.0

    @property
    def draws(self) -> bool:
        """Only the jackknife needs no chance."""
        return self.variance != "jackknife"


class CompareVariances(ImputationModel):
    """`method = "compare_variances"`: the arguments of `trialkit.compare_variances`."""

    method: Literal["compare_variances"]

    @property
    def draws(self) -> bool:
        """One of the two variances is over draws."""
        return True


class LocfSensitivity(ArmSpec):
    """`method = "locf_sensitivity"`: the arguments of `trialkit.locf_sensitivity`."""

    needs: ClassVar[tuple[str, ...]] = ("subject", "visit", "arm", "reference")
    takes: ClassVar[tuple[str, ...]] = ("visit_order",)
    method: Literal["locf_sensitivity"]
    formula: Formula
    subject: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    weights: MeanWeights = "equal"
    alternative: Alternative = "two-sided"
    null: float = 0.0


class PatternMixture(ArmSpec):
    """`method = "pattern_mixture"`: the arguments of `trialkit.pattern_mixture`."""

    needs: ClassVar[tuple[str, ...]] = ("subject", "visit", "arm", "reference")
    takes: ClassVar[tuple[str, ...]] = ("visit_order",)
    method: Literal["pattern_mixture"]
    formula: Formula
    subject: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    restriction: Restriction | Annotated[tuple[Restriction, ...], BeforeValidator(as_tuple)] = (
        "ccmv",
        "acmv",
        "ncmv",
    )
    by_arm: bool = False
    weights: MeanWeights = "counterfactual"
    alternative: Alternative = "two-sided"
    null: float = 0.0

    @property
    def completes(self) -> bool:
        """Missing outcomes are completed by the restriction."""
        return True


class ReferenceBased(Imputation):
    """`method = "reference_based"`: the arguments of `trialkit.reference_based`.

    `delta` is a number, or an array of tables: { arm = "LDN", visit = "Week 12", delta = 1 }.
    """

    method: Literal["reference_based"]
    delta: float | Rows | None = None
    responder: Label | None = None


class TippingPoint(Imputation):
    """`method = "tipping_point"`: the arguments of `trialkit.tipping_point`.

    `deltas` is an array of numbers, or a table of them by arm.
    """

    method: Literal["tipping_point"]
    deltas: Numbers | Mapping[Label, Numbers]
    visits: Annotated[tuple[Level, ...], BeforeValidator(as_tuple)] | None = None
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05


class CrossoverReferenceBased(AnalysisSpec):
    """`method = "crossover_reference_based"`, the arguments of that function of `trialkit`."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "subject", "period", "treatment", "reference")
    takes: ClassVar[tuple[str, ...]] = ("period_order",)
    method: Literal["crossover_reference_based"]
    outcome: Column | None = None
    subject: Column | None = None
    period: Column | None = None
    treatment: Column | None = None
    reference: Level | None = None
    strategy: Strategies = "j2r"
    period_order: VisitOrder | None = None
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


def run_reference_based(
    spec: ReferenceBased, frame: pd.DataFrame, events: pd.DataFrame | None
) -> dict[str, ResultTable]:
    """Contrasts of the arms at each visit after imputation, and their means."""
    from trialkit.analyses.reference_based import reference_based

    result = reference_based(data=frame, **_arguments(spec, events))
    return {"contrasts": result.contrasts, "lsmeans": result.lsmeans}


def run_locf_sensitivity(spec: LocfSensitivity, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts of the arms at each visit, the last observation carried forward."""
    from trialkit.analyses.locf_sensitivity import locf_sensitivity

    return {"contrasts": locf_sensitivity(data=frame, **spec.arguments())}


def run_pattern_mixture(spec: PatternMixture, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts of the arms at each visit under each restriction, and their means."""
    from trialkit.analyses.pattern_mixture import pattern_mixture

    result = pattern_mixture(data=frame, **spec.arguments())
    return {"contrasts": result.contrasts, "lsmeans": result.lsmeans}


def run_tipping_point(
    spec: TippingPoint, frame: pd.DataFrame, events: pd.DataFrame | None
) -> Drawn:
    """The effect at every point of the grid of deltas, and the border; a map of each question."""
    from trialkit.analyses.tipping_point import tipping_point

    result = tipping_point(data=frame, **_arguments(spec, events))
    border = frame_table(
        result.border,
        keys=[name for name in ("visit", "contrast", "strategy") if name in result.border],
        variable=result.table.variable,
        method=f"Deltas at which the conclusion changes, at level {result.alpha:g}",
    )
    asked = result.table.frame()[["visit", "contrast", "strategy"]].drop_duplicates()
    pictures: dict[str, Picture] = {}
    if len(result.deltas) <= MAX_DELTAS:
        for keys in asked.to_dict("records"):
            named = {str(key): value for key, value in keys.items()}
            told = ", ".join(str(value) for value in named.values())
            pictures[f"Tipping point: {told}"] = partial(result.plot, **named)
    return Drawn(tables={"grid": result.table, "border": border}, pictures=pictures)


def run_compare_variances(
    spec: CompareVariances, frame: pd.DataFrame, events: pd.DataFrame | None
) -> dict[str, ResultTable]:
    """Each difference with its jackknife variance, and Rubin's beside it."""
    from trialkit.analyses.compare_variances import compare_variances

    return {"estimates": compare_variances(data=frame, **_arguments(spec, events))}


def run_crossover_reference_based(
    spec: CrossoverReferenceBased, frame: pd.DataFrame
) -> dict[str, ResultTable]:
    """The treatment effect by strategy."""
    from trialkit.analyses.crossover_imputation import crossover_reference_based

    return {"contrasts": crossover_reference_based(frame, **spec.arguments()).contrasts}


def _arguments(spec: ImputationModel, events: pd.DataFrame | None) -> dict[str, Any]:
    """The arguments, deltas that are rows as a frame."""
    import pandas as pd

    given = spec.arguments()
    given["method"] = given.pop("likelihood")
    if isinstance(given.get("delta"), tuple):
        given["delta"] = pd.DataFrame([dict(row) for row in given["delta"]])
    return {**given, "events": events}
