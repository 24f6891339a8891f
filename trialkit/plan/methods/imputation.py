"""Imputation of those who left: reference-based, tipping point, pattern mixture, LOCF."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.plan.analysis import ArmSpec, ResultTable
from trialkit.plan.design import VisitOrder
from trialkit.plan.fields import Column, Formula, Label, Level, as_tuple
from trialkit.typing import Alternative, MeanWeights

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LocfSensitivity",
    "PatternMixture",
    "ReferenceBased",
    "TippingPoint",
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


class Imputation(ArmSpec):
    """What both methods share; `likelihood` is the functions' `method`.

    `events` is an array of tables, one an event: { USUBJID = "S-01", AVISIT = "Week 8" }.
    """

    needs: ClassVar[tuple[str, ...]] = ("subject", "visit", "arm", "reference")
    takes: ClassVar[tuple[str, ...]] = ("visit_order",)
    formula: Formula
    subject: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    strategy: Strategies = "j2r"
    events: Rows | None = None
    covariance: Label = "unstructured"
    group: Column | None = None
    likelihood: Literal["reml", "ml"] = "reml"
    weights: MeanWeights = "counterfactual"
    delta_where: Literal["after-event", "all"] = "after-event"
    delta_kind: Literal["additive", "multiplicative"] = "additive"
    variance: Literal["jackknife", "bootstrap", "rubin"] = "jackknife"
    n_samples: Annotated[int, Field(ge=2)] | None = None
    analysis: Formula | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0
    rng: Annotated[int, Field(ge=0)] | None = None


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


def run_reference_based(spec: ReferenceBased, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts of the arms at each visit after imputation, and their means."""
    from trialkit.analyses.reference_based import reference_based

    result = reference_based(data=frame, **_arguments(spec, "events", "delta"))
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


def run_tipping_point(spec: TippingPoint, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """The effect at every point of the grid of deltas."""
    from trialkit.analyses.tipping_point import tipping_point

    result = tipping_point(data=frame, **_arguments(spec, "events"))
    return {"grid": result.table}


def _arguments(spec: Imputation, *tables: str) -> dict[str, Any]:
    """The arguments, those in `tables` as frames where they are rows."""
    import pandas as pd

    given = spec.arguments()
    given["method"] = given.pop("likelihood")
    for name in tables:
        if isinstance(given[name], tuple):
            given[name] = pd.DataFrame([dict(row) for row in given[name]])
    return given
