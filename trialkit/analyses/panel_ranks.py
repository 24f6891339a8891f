"""Rank tests of one analyte: signed ranks of pairs, rank sums of arms."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
import pandas as pd

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_units import PanelUnits, completed, only
from trialkit.analyses.rank_sum import EXACT_BELOW, rank_sum
from trialkit.errors import SpecError, TrialkitError
from trialkit.kernels.ranks import join_near_ties
from trialkit.kernels.signed_rank import (
    exact_p,
    exact_walsh_count,
    normal_p,
    signed_rank,
    walsh,
)
from trialkit.results import Estimate
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import FloatArray

__all__ = ["rank_estimate", "rank_response"]


def rank_response(units: PanelUnits, row: int, rule: str) -> FloatArray:
    """What the ranks are of (n,): values or differences; censored ones need a rule."""
    part = only(units, np.array([row]))
    if part.n_censored.any() and rule == "tobit":
        raise SpecError(
            f'test="wilcoxon" ranks values, and {units.analytes[row]!r} has censored ones; '
            'choose censoring="half" (all values below one limit then share a rank) or another '
            "substitution."
        )
    y = part.response(completed(part, rule))[0]
    return np.where(part.used[0], y, np.nan)


def rank_estimate(units: PanelUnits, row: int, options: PanelOptions, rule: str) -> Estimate:
    """Hodges-Lehmann shift with the Wilcoxon test; `rule` ends the method."""
    y = rank_response(units, row, options.censoring)
    label = str(units.analytes[row])
    if units.is_within:
        return _signed(y[~np.isnan(y)], label, options, rule)
    if units.nuisance.shape[1] > 1 or units.own is not None:
        raise SpecError(
            'test="wilcoxon" adjusts for nothing: leave out baseline= (or analyse '
            'outcome="change"), covariates=, strata= and plate=.'
        )
    arms = pd.DataFrame({"value": y, "arm": np.where(units.effect == 1, "1", "0")}).dropna()
    few = [units.conditions[code] for code in (0, 1) if (arms["arm"] == str(code)).sum() < 2]
    if few:
        status = f"fewer than two values under {few[0]}"
        return Estimate.undefined(
            label=label,
            status=status,
            n=len(arms),
            method="Wilcoxon rank-sum test" + rule,
            ci_level=options.ci_level,
        )
    try:
        found = rank_sum(
            arms,
            outcome="value",
            arm="arm",
            reference="0",
            ci_level=options.ci_level,
            alternative=options.alternative,
        ).single()
    except TrialkitError as problem:
        return Estimate.undefined(
            label=label,
            status=str(problem),
            n=len(arms),
            method="Wilcoxon rank-sum test" + rule,
            ci_level=options.ci_level,
        )
    return replace(found, label=label, method=found.method + rule)


def _signed(differences: FloatArray, label: str, options: PanelOptions, rule: str) -> Estimate:
    """Pseudomedian of the differences; exact below 50 pairs without ties, as R's wilcox.test.

    With ties or zeros the p-value is still exact given them below that size (R then turns
    to the normal limit).
    """
    joined, _ = join_near_ties(np.abs(differences))
    test = signed_rank(np.sign(differences) * joined)
    exact = test.n < EXACT_BELOW
    kind = "exact" if exact else "normal approximation with continuity correction"
    method = with_hypothesis(f"Wilcoxon signed-rank test, {kind}", options.alternative, 0.0)
    if test.n == 0:
        status = "no difference other than zero"
        n = int(differences.size)
        return Estimate.undefined(
            label=label, status=status, n=n, method=method + rule, ci_level=options.ci_level
        )
    if exact:
        statistic, p_value = test.v, exact_p(test, options.alternative)
    else:
        statistic, p_value = normal_p(test, options.alternative)
    averages = walsh(differences)
    low, high = _limits(averages, differences.size, exact, options)
    return Estimate(
        label=label,
        estimate=float(np.median(averages)),
        se=nan,
        df=nan,
        statistic=statistic,
        p_value=p_value,
        ci_low=low,
        ci_high=high,
        ci_level=options.ci_level,
        n=int(differences.size),
        method=method + rule,
    )


def _limits(
    averages: FloatArray, n: int, exact: bool, options: PanelOptions
) -> tuple[float, float]:
    """Order statistics of the Walsh averages; infinite where none holds the level."""
    two_sided = options.alternative == "two-sided"
    tail = (1 - options.ci_level) / (2 if two_sided else 1)
    k = exact_walsh_count(n, tail, exact=exact)
    low = float(averages[k - 1]) if k and options.alternative != "less" else -inf
    high = float(averages[-k]) if k and options.alternative != "greater" else inf
    return low, high
