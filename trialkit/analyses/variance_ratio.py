"""Ratio of the variances of two arms, with the F test and its interval."""

from __future__ import annotations

from math import exp, inf, nan

import numpy as np
import pandas as pd

from trialkit.analyses.two_arms import ArmComparison, exclusion_notes, require_spread, split_arms
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level, check_null
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import Alternative

__all__ = ["variance_ratio"]


def variance_ratio(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    subject: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Variance of each other arm over that of the reference, with the F test (R's var.test).

    Key: contrast; `scale` is "ratio". As for every ratio `null` is a logarithm, 0 for equal
    variances. `statistic` is F, the ratio over exp(null); `se` and `df` are NaN, the degrees
    of freedom are the extras `num_df`, `den_df`. The test rests on normality far more than
    Levene's does. Rows without an outcome are left out and counted. Raises DataError where an
    arm has fewer than two values or is constant.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPDDD"), "CHG": [0, 1, 2, 2, 4, 6]})
    >>> row = variance_ratio(data, outcome="CHG", arm="ARM", reference="P").single()
    >>> row.estimate, round(row.p_value, 4)
    (4.0, 0.4)
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_null(null)
    pairs = split_arms(data, outcome=outcome, arm=arm, reference=reference, subject=subject)
    for pair in pairs:
        require_spread(outcome, f"arm {pair.arm!r}", pair.x)
        require_spread(outcome, f"arm {pair.reference!r}", pair.y)
    return EstimateTable(
        estimates=tuple(_estimate(pair, ci_level, alternative, null) for pair in pairs),
        keys={"contrast": tuple(pair.contrast for pair in pairs)},
        extras={
            "num_df": tuple(pair.x.size - 1 for pair in pairs),
            "den_df": tuple(pair.y.size - 1 for pair in pairs),
            "n_missing": tuple(pair.n_missing for pair in pairs),
        },
        variable=outcome,
        notes=exclusion_notes(pairs, outcome),
    )


def _estimate(
    pair: ArmComparison, ci_level: float, alternative: Alternative, null: float
) -> Estimate:
    from scipy import special

    ratio = float(np.var(pair.x, ddof=1) / np.var(pair.y, ddof=1))
    df = (pair.x.size - 1, pair.y.size - 1)
    statistic = ratio / exp(null)
    lower, upper = float(special.fdtr(*df, statistic)), float(special.fdtrc(*df, statistic))
    p_values = {"less": lower, "greater": upper, "two-sided": min(1.0, 2 * min(lower, upper))}
    tail = (1 - ci_level) / (2 if alternative == "two-sided" else 1)
    # The upper quantile of F is the inverse of the lower one with the degrees of freedom swapped.
    low = ratio * float(special.fdtri(*df[::-1], tail))
    high = ratio / float(special.fdtri(*df, tail))
    method = "F test of two variances" + (", null on the log scale" if null else "")
    return Estimate(
        label=pair.contrast,
        estimate=ratio,
        se=nan,
        df=nan,
        statistic=statistic,
        p_value=p_values[alternative],
        ci_low=0.0 if alternative == "less" else low,
        ci_high=inf if alternative == "greater" else high,
        ci_level=ci_level,
        n=pair.n,
        method=with_hypothesis(method, alternative, null),
        scale="ratio",
    )
