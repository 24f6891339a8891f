"""The methods a plan may name: one table; a new method is a module and a row.

Each module holds a family: the models of its methods' arguments, by the names of the public
functions, and the functions that run them. The analyses are imported when they are run, so
that a plan is loaded and checked in itself without them.
"""

from __future__ import annotations

from trialkit.plan.analysis import Method
from trialkit.plan.methods import linear, responders, two_arms

__all__ = ["METHODS"]

METHODS: dict[str, Method] = {
    "ancova": Method(linear.Ancova, linear.run_ancova),
    "ttest": Method(two_arms.TTest, two_arms.run_ttest),
    "rank_sum": Method(two_arms.RankSum, two_arms.run_rank_sum),
    "effect_size": Method(two_arms.EffectSize, two_arms.run_effect_size),
    "responders": Method(responders.Responders, responders.run_responders),
}
