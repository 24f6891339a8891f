"""Comparisons of each arm with the reference: t, rank sum, standardized difference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trialkit.plan.analysis import ArmSpec, Table
from trialkit.plan.fields import Column
from trialkit.typing import Alternative

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "EffectSize",
    "RankSum",
    "TTest",
    "TwoArms",
    "run_effect_size",
    "run_rank_sum",
    "run_ttest",
]


class TwoArms(ArmSpec):
    """What the comparisons of one outcome in two arms share.

    With `subject` (by default that of `[design]`) a subject with several rows is refused: a
    filter on the visit that was forgotten does not go unseen.
    """

    outcome: Column | None = None
    subject: Column | None = None
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


class EffectSize(TwoArms):
    """`method = "effect_size"`: the arguments of `trialkit.effect_size`."""

    method: Literal["effect_size"]
    kind: Literal["cohen-d", "hedges-g", "glass-delta"] = "cohen-d"
    standardizer: Literal["pooled", "control", "baseline"] | None = None
    baseline: Column | None = None
    interval: Literal["noncentral-t", "large-sample"] | None = None


def run_ttest(spec: TTest, frame: pd.DataFrame) -> dict[str, Table]:
    """Difference in means, one contrast an arm."""
    from trialkit.analyses.ttest import ttest

    return {"estimates": ttest(frame, **spec.arguments())}


def run_rank_sum(spec: RankSum, frame: pd.DataFrame) -> dict[str, Table]:
    """Hodges-Lehmann shift with the rank-sum test, one contrast an arm."""
    from trialkit.analyses.rank_sum import rank_sum

    return {"estimates": rank_sum(frame, **spec.arguments())}


def run_effect_size(spec: EffectSize, frame: pd.DataFrame) -> dict[str, Table]:
    """Difference in means in standard deviations, one contrast an arm."""
    from trialkit.analyses.effect_size import effect_size

    return {"estimates": effect_size(frame, **spec.arguments())}
