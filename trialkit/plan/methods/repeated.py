"""Mixed models for repeated measures: the arms compared at each visit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.plan.analysis import ArmSpec, ResultTable
from trialkit.plan.design import VisitOrder
from trialkit.plan.fields import Column, Formula, Label, Level, OneOrMoreColumns, as_tuple
from trialkit.plan.methods.linear import ArmWeights
from trialkit.typing import Alternative, ContrastAdjustment, MeanWeights

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mmrm", "run_mmrm"]

# The visits that are reported, or the weights of an average over visits.
ReportedVisits: TypeAlias = (
    Annotated[tuple[Level, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    | Annotated[Mapping[Label, float], Field(min_length=1)]
)


class Mmrm(ArmSpec):
    """`method = "mmrm"`: the arguments of `trialkit.mmrm` and of the fit's contrasts.

    Two of them have names of their own, because a plan's analysis has one table of keys:
    `likelihood` ("reml", "ml") is the function's `method`, which in a plan names the analysis,
    and `lsmeans_weights` is the `weights` of the LS means; `weights` is the column of
    observation weights. `lsmeans_weights`, `at`, `by` and `visits` hold for the LS means too.
    `visits` lists visits, or averages them: { "Week 8" = 0.5, "Week 12" = 0.5 }, whose keys TOML
    makes text. `visit_order` of `[design]` is taken with the visit of `[design]` only. A
    crossover gives `period` (and `arm`, its treatment) here: a `[design]` does not supply them.
    """

    needs: ClassVar[tuple[str, ...]] = ("subject", "visit", "arm", "reference")
    takes: ClassVar[tuple[str, ...]] = ("visit_order",)
    method: Literal["mmrm"]
    formula: Formula
    subject: Column | None = None
    visit: Column | None = None
    visit_order: VisitOrder | None = None
    period: Column | None = None
    period_order: VisitOrder | None = None
    period_covariance: Literal["unstructured", "compound-symmetry", "us", "cs"] | None = None
    time: Column | None = None
    covariance: Literal[
        "unstructured",
        "toeplitz",
        "toeplitz-het",
        "ar1",
        "ar1-het",
        "compound-symmetry",
        "compound-symmetry-het",
        "ante-dependence",
        "ante-dependence-het",
        "spatial-exponential",
        "us",
        "toep",
        "toeph",
        "ar1h",
        "cs",
        "csh",
        "ad",
        "adh",
        "sp_exp",
    ] = "unstructured"
    group: Column | None = None
    weights: Column | None = None
    likelihood: Literal["reml", "ml"] = "reml"
    df: (
        Literal[
            "kenward-roger",
            "kenward-roger-linear",
            "satterthwaite",
            "between-within",
            "residual",
            "normal",
        ]
        | None
    ) = None
    vcov: Literal["CR0", "CR2", "CR3"] | None = None
    information: Literal["observed", "expected"] = "observed"
    drop_aliased: bool = False
    kind: Literal["reference", "pairwise"] | Mapping[Label, ArmWeights] = "reference"
    lsmeans_weights: MeanWeights = "equal"
    at: Mapping[Label, Level] | None = None
    by: OneOrMoreColumns | None = None
    visits: ReportedVisits | None = None
    adjust: ContrastAdjustment = "none"
    family: Literal["all"] | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


# What the model itself takes under the same name; the formula and the likelihood aside.
_MODEL = (
    *("subject", "visit", "arm", "reference", "visit_order", "time", "covariance", "group"),
    *(
        "period",
        "period_order",
        "period_covariance",
        "weights",
        "df",
        "vcov",
        "information",
        "drop_aliased",
    ),
)


def run_mmrm(spec: Mmrm, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts at each visit, LS means, coefficients, type III tests, covariance, figures of fit.

    `drop_aliased` leaves the type III tests out: they need every coefficient.
    """
    from trialkit.analyses.mmrm import mmrm
    from trialkit.plan.methods.repeated_tables import covariance_table, fit_table

    given = spec.arguments()

    def of(*keys: str) -> dict[str, Any]:
        return {key: given[key] for key in keys}

    fit = mmrm(spec.formula, frame, method=spec.likelihood, **of(*_MODEL))
    means = {**of("at", "by", "visits", "ci_level"), "weights": spec.lsmeans_weights}
    tests = of("kind", "adjust", "family", "alternative", "null")
    tables: dict[str, ResultTable] = {
        "contrasts": fit.contrasts(**means, **tests),
        "lsmeans": fit.lsmeans(**means),
        "coefficients": fit.coefficients(**of("ci_level")),
    }
    if not spec.drop_aliased:
        tables["type3"] = fit.type3()
    return {**tables, "covariance": covariance_table(fit), "fit": fit_table(fit)}
