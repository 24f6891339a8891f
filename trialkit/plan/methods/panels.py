"""Panels of analytes compared between conditions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from trialkit.errors import TrialkitWarning
from trialkit.plan.analysis import AnalysisSpec, ResultTable
from trialkit.plan.fields import CiLevel, Column, Level, OneOrMoreColumns
from trialkit.typing import Alternative

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ComparePanel", "run_compare_panel"]


class ComparePanel(AnalysisSpec):
    """`method = "compare_panel"`: the arguments of `trialkit.compare_panel`.

    `assayed` is the number of analytes measured, reported or not, or "unknown"; a plan that
    leaves it out draws a warning. `permutations` is a count; `rng` the seed.
    """

    needs: ClassVar[tuple[str, ...]] = ("subject", "reference")
    method: Literal["compare_panel"]
    analyte: Column
    value: Column
    subject: Column | None = None
    design: Literal["paired", "parallel", "crossover"]
    condition: Column
    reference: Level | None = None
    visit: Column | None = None
    repeated: Literal["mixed", "mean"] = "mixed"
    period: Column | None = None
    sequence: Column | None = None
    strata: OneOrMoreColumns = ()
    plate: Column | None = None
    plate_effect: Literal["fixed", "random"] = "fixed"
    baseline: Column | None = None
    outcome: Literal["level", "change"] = "level"
    covariates: OneOrMoreColumns = ()
    lloq: Column | float | None = None
    uloq: Column | float | None = None
    baseline_lloq: Column | float | None = None
    censoring: Literal["tobit", "half", "half-sqrt2", "ros", "drop"] = "tobit"
    transform: Literal["log2", "none", "linear"] = "log2"
    test: Literal["t", "welch", "wilcoxon"] = "t"
    moderated: bool = False
    trend: bool | Literal["level"] = False
    robust: bool = False
    adjust: Literal[
        "none", "bonferroni", "holm", "hochberg", "hommel", "fdr_bh", "fdr_by", "maxt", "minp"
    ] = "fdr_bh"
    permutations: Annotated[int, Field(ge=1)] | None = None
    assayed: Annotated[int, Field(ge=1)] | Literal["unknown"] | None = None
    rng: Annotated[int, Field(ge=0)] | None = None
    ci_level: CiLevel | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0

    @property
    def draws(self) -> bool:
        """Whether arrangements are drawn; complete enumeration leaves the seed unused."""
        return self.adjust in ("maxt", "minp")


def run_compare_panel(spec: ComparePanel, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """The estimates of every analyte; with limits also the strip of censoring rules."""
    from trialkit.analyses.panel import compare_panel

    if spec.assayed is None:
        warnings.warn(
            "The plan does not say how many analytes were assayed (assayed=); those in the data "
            "are taken to be all.",
            TrialkitWarning,
            stacklevel=2,
        )
    panel = compare_panel(frame, **spec.arguments())
    tables: dict[str, ResultTable] = {"estimates": panel}
    if spec.lloq is not None or spec.uloq is not None:
        tables["sensitivity"] = panel.sensitivity()
    return tables
