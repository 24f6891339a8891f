"""Comparisons of each arm with the reference: means, ranks, standardized, variances."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from trialkit.plan.analysis import ArmSpec, ResultTable, SubjectSpec
from trialkit.plan.fields import Column, Level, OneOrMoreColumns
from trialkit.typing import Alternative

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EffectSize",
    "RankSum",
    "TTest",
    "TwoArms",
    "VanElteren",
    "VarianceRatio",
    "run_effect_size",
    "run_rank_sum",
    "run_ttest",
    "run_van_elteren",
    "run_variance_ratio",
]


class TwoArms(SubjectSpec, ArmSpec):
    """What the comparisons of one outcome in two arms share."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "arm", "reference")
    alternative: Alternative = "two-sided"
    null: float = 0.0


class TTest(TwoArms):
    """`method = "ttest"`: the arguments of `trialkit.ttest`."""

    method: Literal["ttest"]
    equal_var: bool = False


class RankSum(TwoArms):
    """`method = "rank_sum"`: the arguments of `trialkit.rank_sum`."""

    method: Literal["rank_sum"]
    exact: bool | None = None
    continuity: bool | None = None
    near_ties: Literal["joined", "as-computed"] = "joined"


class EffectSize(TwoArms):
    """`method = "effect_size"`: the arguments of `trialkit.effect_size`."""

    method: Literal["effect_size"]
    kind: Literal["cohen-d", "hedges-g", "glass-delta"] = "cohen-d"
    standardizer: Literal["pooled", "control", "baseline"] | None = None
    baseline: Column | None = None
    interval: Literal["noncentral-t", "large-sample"] | None = None


class VanElteren(SubjectSpec):
    """`method = "van_elteren"`: the arguments of `trialkit.van_elteren`."""

    needs: ClassVar[tuple[str, ...]] = ("outcome", "arm", "reference", "strata")
    method: Literal["van_elteren"]
    arm: Column | None = None
    reference: Level | None = None
    strata: OneOrMoreColumns | None = None
    alternative: Alternative = "two-sided"
    null: float = 0.0


class VarianceRatio(TwoArms):
    """`method = "variance_ratio"`: the arguments of `trialkit.variance_ratio`."""

    method: Literal["variance_ratio"]


def run_ttest(spec: TTest, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Difference in means, one contrast an arm."""
    from trialkit.analyses.ttest import ttest

    return {"estimates": ttest(frame, **spec.arguments())}


def run_rank_sum(spec: RankSum, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Hodges-Lehmann shift with the rank-sum test, one contrast an arm."""
    from trialkit.analyses.rank_sum import rank_sum

    return {"estimates": rank_sum(frame, **spec.arguments())}


def run_effect_size(spec: EffectSize, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Difference in means in standard deviations, one contrast an arm."""
    from trialkit.analyses.effect_size import effect_size

    return {"estimates": effect_size(frame, **spec.arguments())}


def run_van_elteren(spec: VanElteren, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Stratified rank-sum test, one contrast an arm."""
    from trialkit.analyses.van_elteren import van_elteren

    return {"tests": van_elteren(frame, **spec.arguments())}


def run_variance_ratio(spec: VarianceRatio, frame: pd.DataFrame) -> dict[str, ResultTable]:
    """Ratio of variances, one contrast an arm."""
    from trialkit.analyses.variance_ratio import variance_ratio

    return {"estimates": variance_ratio(frame, **spec.arguments())}
