"""Linear models of a plan: analysis of covariance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator

from trialkit.plan.analysis import ArmSpec, ResultTable
from trialkit.plan.fields import Column, Formula, Label, Level, OneOrMoreColumns, as_tuple
from trialkit.typing import Alternative, ContrastAdjustment, MeanWeights

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ancova", "run_ancova"]

# Weights over the arms, the reference first.
ArmWeights: TypeAlias = Annotated[tuple[float, ...], BeforeValidator(as_tuple)]


class Ancova(ArmSpec):
    """`method = "ancova"`: the arguments of `trialkit.ancova` and of the fit's contrasts.

    `weights`, `at` and `by` hold for the LS means too. `kind` is a name, or a table of weights
    over the arms, such as { "linear" = [-1, 0, 1] }.
    """

    takes: ClassVar[tuple[str, ...]] = ("subject",)
    method: Literal["ancova"]
    formula: Formula
    subject: Column | None = None
    vcov: Literal["ols", "HC0", "HC1", "HC2", "HC3", "HC4"] = "ols"
    drop_aliased: bool = False
    kind: Literal["reference", "pairwise"] | Mapping[Label, ArmWeights] = "reference"
    weights: MeanWeights = "equal"
    at: Mapping[Label, Level] | None = None
    by: OneOrMoreColumns | None = None
    adjust: ContrastAdjustment = "none"
    family: Literal["all"] | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


def run_ancova(spec: Ancova, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Contrasts between the arms, LS means, coefficients and type III tests of one fit.

    `drop_aliased` leaves the type III tests out: they need every coefficient.
    """
    from trialkit.analyses.ancova import ancova

    given = spec.arguments()

    def of(*keys: str) -> dict[str, Any]:
        return {key: given[key] for key in keys}

    fit = ancova(spec.formula, frame, **of("arm", "reference", "subject", "vcov", "drop_aliased"))
    means = of("weights", "at", "by", "ci_level")
    tests = of("kind", "adjust", "family", "alternative", "null")
    tables: dict[str, ResultTable] = {
        "contrasts": fit.contrasts(**means, **tests),
        "lsmeans": fit.lsmeans(**means),
        "coefficients": fit.coefficients(**of("ci_level")),
    }
    return tables if spec.drop_aliased else {**tables, "type3": fit.type3()}
