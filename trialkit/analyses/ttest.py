"""Difference in means of two arms by Student's or Welch's t."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
import pandas as pd

from trialkit.analyses.two_arms import ArmComparison, exclusion_notes, require_spread, split_arms
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level, check_null
from trialkit.typing import Alternative

__all__ = ["ttest"]


def ttest(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    equal_var: bool = False,
    subject: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Difference in means, each other arm minus the reference, in the outcome's unit.

    One row of `data` is one subject; one row of the result is one arm (key: contrast). Each
    contrast uses its own two arms: with three arms the pooled variance is not that of an
    ANCOVA. `n` counts both arms; extras are n, mean and SD of either arm and `n_missing`.

    `equal_var=False` is Welch's test with the Satterthwaite degrees of freedom (R's default);
    `equal_var=True` pools the variance (the "Pooled" line of SAS PROC TTEST). Assumes
    independent subjects and means that are near normal. Rows without an outcome are left out
    and counted in `notes`. `subject` names the column that must not repeat. A one-sided
    `alternative` gives the matching one-sided interval; `null` is the difference under test.

    Raises DataError where an arm has fewer than two values, the outcome is constant in both
    arms, not numeric or infinite, or rows have no arm.

    Reference: Welch (1947) Biometrika 34:28-35, doi:10.1093/biomet/34.1-2.28.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": ["P", "P", "P", "D", "D", "D"], "CHG": [0, 1, 2, 2, 4, 6]})
    >>> row = ttest(data, outcome="CHG", arm="ARM", reference="P").single()
    >>> row.estimate, round(row.df, 4), round(row.p_value, 4)
    (3.0, 2.9412, 0.1045)
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_null(null)
    pairs = split_arms(data, outcome=outcome, arm=arm, reference=reference, subject=subject)
    rows = []
    for pair in pairs:
        require_spread(outcome, f"both arms of {pair.contrast}", pair.x, pair.y)
        se, df, method = _pooled(pair) if equal_var else _welch(pair)
        rows.append(
            Estimate.from_t(
                label=pair.contrast,
                estimate=float(np.mean(pair.x) - np.mean(pair.y)),
                se=se,
                df=df,
                n=pair.n,
                method=method,
                ci_level=ci_level,
                alternative=alternative,
                null=null,
            )
        )
    return EstimateTable(
        estimates=tuple(rows),
        keys={"contrast": tuple(pair.contrast for pair in pairs)},
        extras=_by_arm(pairs),
        variable=outcome,
        notes=exclusion_notes(pairs, outcome),
    )


def _by_arm(pairs: Sequence[ArmComparison]) -> dict[str, tuple[float, ...]]:
    """Size, mean and SD of either arm, and the rows left out."""
    return {
        "n_arm": tuple(pair.x.size for pair in pairs),
        "n_ref": tuple(pair.y.size for pair in pairs),
        "n_missing": tuple(pair.n_missing for pair in pairs),
        "mean_arm": tuple(float(np.mean(pair.x)) for pair in pairs),
        "mean_ref": tuple(float(np.mean(pair.y)) for pair in pairs),
        "sd_arm": tuple(float(np.std(pair.x, ddof=1)) for pair in pairs),
        "sd_ref": tuple(float(np.std(pair.y, ddof=1)) for pair in pairs),
    }


def _welch(pair: ArmComparison) -> tuple[float, float, str]:
    """Standard error and Satterthwaite degrees of freedom."""
    var_x = float(np.var(pair.x, ddof=1)) / pair.x.size
    var_y = float(np.var(pair.y, ddof=1)) / pair.y.size
    # As a ratio of shares, so that very small or large units neither under- nor overflow.
    share = var_x / (var_x + var_y)
    df = 1 / (share**2 / (pair.x.size - 1) + (1 - share) ** 2 / (pair.y.size - 1))
    return sqrt(var_x + var_y), df, "Welch t test, Welch-Satterthwaite df"


def _pooled(pair: ArmComparison) -> tuple[float, float, str]:
    """Standard error from the pooled variance, with n_x + n_y - 2 degrees of freedom."""
    df = pair.n - 2
    squares = np.sum((pair.x - np.mean(pair.x)) ** 2) + np.sum((pair.y - np.mean(pair.y)) ** 2)
    se = sqrt(float(squares) / df * (1 / pair.x.size + 1 / pair.y.size))
    return se, df, "Student t test, pooled variance"
