"""Linear models of a plan: analysis of covariance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trialkit.plan.analysis import ArmSpec, Table
from trialkit.plan.fields import Formula
from trialkit.typing import Alternative

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ancova", "run_ancova"]


class Ancova(ArmSpec):
    """`method = "ancova"`: the arguments of `trialkit.ancova` and of its contrasts."""

    method: Literal["ancova"]
    formula: Formula
    vcov: Literal["ols", "HC0", "HC1", "HC2", "HC3", "HC4"] = "ols"
    kind: Literal["reference", "pairwise"] = "reference"
    weights: Literal["equal", "observed", "counterfactual"] = "equal"
    adjust: Literal[
        "none",
        "bonferroni",
        "sidak",
        "holm",
        "hochberg",
        "hommel",
        "fdr_bh",
        "fdr_by",
        "dunnett",
        "tukey",
        "mvt",
    ] = "none"
    alternative: Alternative = "two-sided"
    null: float = 0.0


def run_ancova(spec: Ancova, frame: pd.DataFrame) -> dict[str, Table]:
    """Contrasts between the arms, LS means, coefficients and type III tests of one fit."""
    from trialkit.analyses.ancova import ancova

    fit = ancova(spec.formula, frame, arm=spec.arm, reference=spec.reference, vcov=spec.vcov)
    level = spec.ci_level
    return {
        "contrasts": fit.contrasts(
            kind=spec.kind,
            weights=spec.weights,
            adjust=spec.adjust,
            ci_level=level,
            alternative=spec.alternative,
            null=spec.null,
        ),
        "lsmeans": fit.lsmeans(weights=spec.weights, ci_level=level),
        "coefficients": fit.coefficients(ci_level=level),
        "type3": fit.type3(),
    }
