"""Tests of all arms at once, tests of what other methods assume, and description."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from trialkit.plan.analysis import AnalysisSpec, ResultTable, SubjectSpec
from trialkit.plan.fields import Column, Level, OneOrMoreColumns

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "KruskalWallis",
    "Levene",
    "OneWayAnova",
    "Quade",
    "ShapiroWilk",
    "Summarize",
    "WelchAnova",
    "run_kruskal_wallis",
    "run_levene",
    "run_one_way_anova",
    "run_quade",
    "run_shapiro_wilk",
    "run_summarize",
    "run_welch_anova",
]


class AllArms(SubjectSpec):
    """What the tests of one outcome over all arms share."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "arm")
    arm: Column | None = None


class Quade(AllArms):
    """`method = "quade"`: the arguments of `trialkit.quade`."""

    method: Literal["quade"]
    covariates: OneOrMoreColumns


class OneWayAnova(AllArms):
    """`method = "one_way_anova"`: the arguments of `trialkit.one_way_anova`."""

    method: Literal["one_way_anova"]


class WelchAnova(AllArms):
    """`method = "welch_anova"`: the arguments of `trialkit.welch_anova`."""

    method: Literal["welch_anova"]


class KruskalWallis(AllArms):
    """`method = "kruskal_wallis"`: the arguments of `trialkit.kruskal_wallis`."""

    method: Literal["kruskal_wallis"]


class Levene(AllArms):
    """`method = "levene"`: the arguments of `trialkit.levene`."""

    method: Literal["levene"]
    center: Literal["median", "mean"] = "median"


class ShapiroWilk(SubjectSpec):
    """`method = "shapiro_wilk"`: the arguments of `trialkit.shapiro_wilk`.

    `arm` is never taken from `[design]`: left out, the column is one sample.
    """

    method: Literal["shapiro_wilk"]
    arm: Column | None = None


class Summarize(AnalysisSpec):
    """`method = "summarize"`: the arguments of `trialkit.summarize`."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "arm")
    takes: ClassVar[tuple[str, ...]] = ("reference",)
    method: Literal["summarize"]
    outcome: Column | None = None
    arm: Column | None = None
    reference: Level | None = None
    by: OneOrMoreColumns = ()
    quantiles: Literal["sas", "r"] = "sas"


def run_quade(spec: Quade, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Rank analysis of covariance over all arms."""
    from trialkit.analyses.quade import quade

    return {"tests": quade(frame, **spec.arguments())}


def run_one_way_anova(spec: OneWayAnova, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """F test of equal means, equal variances."""
    from trialkit.analyses.omnibus import one_way_anova

    return {"tests": one_way_anova(frame, **spec.arguments())}


def run_welch_anova(spec: WelchAnova, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """F test of equal means, variances free."""
    from trialkit.analyses.omnibus import welch_anova

    return {"tests": welch_anova(frame, **spec.arguments())}


def run_kruskal_wallis(spec: KruskalWallis, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Rank test of one distribution over all arms."""
    from trialkit.analyses.omnibus import kruskal_wallis

    return {"tests": kruskal_wallis(frame, **spec.arguments())}


def run_levene(spec: Levene, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Test of equal variances over all arms."""
    from trialkit.analyses.omnibus import levene

    return {"tests": levene(frame, **spec.arguments())}


def run_shapiro_wilk(spec: ShapiroWilk, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Test of normality, of the column or within each arm."""
    from trialkit.analyses.omnibus import shapiro_wilk

    return {"tests": shapiro_wilk(frame, **spec.arguments())}


def run_summarize(spec: Summarize, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Summary statistics by arm."""
    from trialkit.analyses.descriptive import summarize

    return {"summary": summarize(frame, **spec.arguments())}
