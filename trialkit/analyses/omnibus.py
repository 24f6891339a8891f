"""Tests over all arms at once: of means, of distributions, of variances, of normality."""

from __future__ import annotations

from math import inf, isfinite, nan
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.two_arms import ArmRows, arm_rows, require_size, require_spread
from trialkit.data.vectors import number_vector, require_frame, require_one_row_each
from trialkit.errors import DataError
from trialkit.kernels.one_way import FTest, one_way_f, welch_f
from trialkit.kernels.ranks import join_near_ties
from trialkit.results import TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import FloatArray

__all__ = ["kruskal_wallis", "levene", "one_way_anova", "shapiro_wilk", "welch_anova"]

# Royston's approximation to the distribution of W (AS R94) is fitted for these sizes.
SHAPIRO_SIZES = (3, 5000)


def one_way_anova(
    data: pd.DataFrame, *, outcome: str, arm: str, subject: str | None = None
) -> TestTable:
    """F test of equal means over all arms, equal variances assumed.

    One row of `data` is one subject; rows without an outcome are left out and counted. Key:
    term, the arm column. Extras: `n`, `n_missing`. Raises DataError where an arm has fewer
    than two values or the outcome is constant within every arm.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPDDD"), "CHG": [0, 1, 2, 2, 4, 6]})
    >>> one_way_anova(data, outcome="CHG", arm="ARM").frame()["statistic"].item()
    5.4
    """
    rows, groups = _groups(data, outcome, arm, subject)
    require_spread(outcome, "every arm", *groups)
    return _table(rows, arm, _f_result(one_way_f(groups), "one-way ANOVA, pooled variance"))


def welch_anova(
    data: pd.DataFrame, *, outcome: str, arm: str, subject: str | None = None
) -> TestTable:
    """Welch's F test of equal means over all arms, variances free to differ.

    Rows, key, extras and errors as in `one_way_anova`; in addition every arm must vary, since
    its weight is n / s^2. Reference: Welch (1951) Biometrika 38:330-336,
    doi:10.1093/biomet/38.3-4.330.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPDDD"), "CHG": [0, 1, 2, 2, 4, 6]})
    >>> round(welch_anova(data, outcome="CHG", arm="ARM").frame()["den_df"].item(), 4)
    2.9412
    """
    rows, groups = _groups(data, outcome, arm, subject)
    for label, group in zip(rows.arms, groups, strict=True):
        require_spread(outcome, f"arm {label!r}", group)
    return _table(rows, arm, _f_result(welch_f(groups), "Welch ANOVA"))


def kruskal_wallis(
    data: pd.DataFrame, *, outcome: str, arm: str, subject: str | None = None
) -> TestTable:
    """Kruskal-Wallis test that all arms share one distribution, corrected for ties.

    The statistic is referred to chi-square with k - 1 degrees of freedom (`den_df` infinite).
    Values that differ by floating-point error alone rank as tied. Rows, key, extras and
    errors as in `one_way_anova`, with one value an arm enough. Through scipy. Reference:
    Kruskal & Wallis (1952) J Am Stat Assoc 47:583-621.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPDDD"), "CHG": [0, 1, 2, 2, 4, 6]})
    >>> round(kruskal_wallis(data, outcome="CHG", arm="ARM").frame()["statistic"].item(), 4)
    3.1373
    """
    from scipy import stats

    rows, groups = _groups(data, outcome, arm, subject, at_least=1)
    pooled, _ = join_near_ties(np.concatenate(groups))
    require_spread(outcome, "all arms together", pooled)
    parts = np.split(pooled, np.cumsum([group.size for group in groups])[:-1])
    statistic, p_value = stats.kruskal(*parts)
    result = TestResult(
        num_df=len(groups) - 1,
        den_df=inf,
        statistic=float(statistic),
        p_value=float(p_value),
        method="Kruskal-Wallis, tie-corrected, chi-square",
    )
    return _table(rows, arm, result)


def levene(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    center: Literal["median", "mean"] = "median",
    subject: str | None = None,
) -> TestTable:
    """Levene's test of equal variances over all arms: F of the distances from each centre.

    `center="median"` is the Brown-Forsythe form (R's car default), "mean" Levene's own with
    absolute distances (SAS HOVTEST=LEVENE(TYPE=ABS)). Rows, key, extras and errors as in
    `one_way_anova`. Through scipy. Reference: Brown & Forsythe (1974) J Am Stat Assoc
    69:364-367.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPDDD"), "CHG": [0, 1, 2, 2, 4, 6]})
    >>> round(levene(data, outcome="CHG", arm="ARM").frame()["statistic"].item(), 4)
    0.8
    """
    check_choice("center", center, ("median", "mean"))
    from scipy import stats

    rows, groups = _groups(data, outcome, arm, subject)
    centres = [np.median(group) if center == "median" else np.mean(group) for group in groups]
    distances = [np.abs(group - c) for group, c in zip(groups, centres, strict=True)]
    # With two values an arm the distances are equal: nothing varies within the arms.
    require_spread(f"distance of {outcome} from the {center}", "every arm", *distances)
    statistic, p_value = stats.levene(*groups, center=center)
    name = "Brown-Forsythe (Levene, median)" if center == "median" else "Levene, mean"
    result = TestResult(
        num_df=len(groups) - 1,
        den_df=sum(group.size for group in groups) - len(groups),
        statistic=float(statistic),
        p_value=float(p_value),
        method=name,
    )
    return _table(rows, arm, result)


def shapiro_wilk(
    data: pd.DataFrame, *, outcome: str, arm: str | None = None, subject: str | None = None
) -> TestTable:
    """Shapiro-Wilk test that a column is normal: of all its rows, or within each arm.

    `arm=None` takes the column as one sample, as for the residuals of a model (key: term, the
    column); with `arm`, one row an arm (key: arm). W has no degrees of freedom (NaN). Missing
    values are left out and counted. p by Royston's approximation (AS R94), so 3 to 5000
    values; through scipy. Raises DataError outside these sizes and for a constant column.

    Reference: Royston (1995) Appl Stat 44:547-551, doi:10.2307/2986146.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"RESID": [-1.2, -0.5, -0.1, 0.2, 0.4, 1.2]})
    >>> round(shapiro_wilk(data, outcome="RESID").frame()["statistic"].item(), 4)
    0.9942
    """
    if arm is None:
        frame = require_frame(data)
        values = number_vector(frame, outcome)
        if subject is not None:
            require_one_row_each(frame, subject)
        observed = values[~np.isnan(values)]
        samples, missing = {"all rows": observed}, [int(values.size - observed.size)]
        keys: dict[str, tuple[object, ...]] = {"term": (outcome,)}
    else:
        rows = arm_rows(data, outcome=outcome, arm=arm, subject=subject)
        samples = {f"arm {label!r}": rows.vector(i) for i, label in enumerate(rows.arms)}
        missing = [rows.n_missing(code) for code in range(len(rows.arms))]
        keys = {"arm": rows.arms}
    return TestTable(
        tests=tuple(_shapiro(sample, outcome, where) for where, sample in samples.items()),
        keys=keys,
        extras={
            "n": tuple(sample.size for sample in samples.values()),
            "n_missing": tuple(missing),
        },
        variable=outcome,
        notes=_missing_notes(sum(missing), outcome),
    )


def _shapiro(values: FloatArray, outcome: str, where: str) -> TestResult:
    from scipy import stats

    low, high = SHAPIRO_SIZES
    if not low <= values.size <= high:
        raise DataError(
            f"{outcome!r} has {values.size} values in {where}; Shapiro-Wilk takes {low} to {high}."
        )
    require_spread(outcome, where, values)
    statistic, p_value = stats.shapiro(values)
    return TestResult(
        num_df=nan,
        den_df=nan,
        statistic=float(statistic),
        p_value=float(p_value),
        method="Shapiro-Wilk, Royston's p",
    )


def _groups(
    data: pd.DataFrame, outcome: str, arm: str, subject: str | None, *, at_least: int = 2
) -> tuple[ArmRows, list[FloatArray]]:
    rows = arm_rows(data, outcome=outcome, arm=arm, subject=subject)
    for code in range(len(rows.arms)):
        require_size(rows, code, at_least=at_least)
    return rows, [rows.vector(code) for code in range(len(rows.arms))]


def _f_result(test: FTest, method: str) -> TestResult:
    if not isfinite(test.statistic):
        raise DataError(f"{method}: the variance within arms is too small to divide by.")
    return TestResult(
        num_df=test.num_df,
        den_df=test.den_df,
        statistic=test.statistic,
        p_value=test.p_value,
        method=method,
    )


def _table(rows: ArmRows, arm: str, result: TestResult) -> TestTable:
    n = int(np.sum(rows.observed))
    n_missing = rows.values.size - n
    return TestTable(
        tests=(result,),
        keys={"term": (arm,)},
        extras={"n": (n,), "n_missing": (n_missing,)},
        variable=rows.outcome,
        notes=_missing_notes(n_missing, rows.outcome),
    )


def _missing_notes(n_missing: int, outcome: str) -> tuple[str, ...]:
    return (f"{n_missing} rows excluded, {outcome} missing.",) if n_missing else ()
