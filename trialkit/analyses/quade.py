"""Quade's rank analysis of covariance: arms compared on ranks adjusted for covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from trialkit.analyses.two_arms import MIN_PER_ARM, arm_rows, require_spread
from trialkit.data.vectors import number_vector
from trialkit.errors import DataError, SpecError
from trialkit.kernels.one_way import one_way_f
from trialkit.kernels.ranks import join_near_ties, midranks
from trialkit.results import TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import FloatArray

__all__ = ["quade"]

# Rank residuals below this share of the ranks are rounding error of the regression.
RESIDUAL_FLOOR = 1e-10


def quade(
    data: pd.DataFrame,
    *,
    outcome: str,
    covariates: str | Sequence[str],
    arm: str,
    subject: str | None = None,
) -> TestTable:
    """Test that the arms share one distribution of the outcome given the covariates.

    Outcome and covariates are ranked over all arms together (midranks for ties) and centred;
    the residuals of the regression of outcome ranks on covariate ranks, without intercept, go
    into a one-way analysis of variance by arm, with k - 1 and N - k degrees of freedom (Quade
    1967: none is taken for the covariates). Key: term, the arm column. Extras: `n`,
    `n_missing`.

    Assumes that the covariates have the same distribution in every arm, as randomisation
    provides. Rows without the outcome or a covariate are left out and counted in `notes`;
    values that differ by floating-point error alone rank as tied. Raises DataError where an
    arm has fewer than two complete rows, or the outcome or a covariate is constant.

    Reference: Quade (1967) J Am Stat Assoc 62:1187-1200.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPDDD"), "BASE": [5, 6, 7, 5, 6, 8],
    ...                      "CHG": [0, -1, -3, -2, -4, -6]})
    >>> test = quade(data, outcome="CHG", covariates="BASE", arm="ARM").frame()
    >>> test["num_df"].item(), test["den_df"].item(), round(test["statistic"].item(), 4)
    (1, 4, 31.1527)
    """
    names = [covariates] if isinstance(covariates, str) else list(covariates)
    if not names or len({outcome, *names}) <= len(names):
        raise SpecError(
            f"covariates={covariates!r} must name at least one column, each once, and not the "
            f"outcome {outcome!r}."
        )
    rows = arm_rows(data, outcome=outcome, arm=arm, subject=subject)
    columns = [number_vector(data, name) for name in names]
    complete = rows.observed & ~np.isnan(np.array(columns)).any(axis=0)
    codes = rows.codes[complete]
    for code, label in enumerate(rows.arms):
        n_arm = int(np.count_nonzero(codes == code))
        if n_arm < MIN_PER_ARM:
            raise DataError(
                f"Arm {label!r} has {n_arm} row(s) with {outcome} and {', '.join(names)}; at "
                f"least {MIN_PER_ARM} are needed."
            )
    residuals = _rank_residuals(
        {
            name: v[complete]
            for name, v in zip((outcome, *names), (rows.values, *columns), strict=True)
        }
    )
    test = one_way_f([residuals[codes == code] for code in range(len(rows.arms))])
    result = TestResult(
        num_df=test.num_df,
        den_df=test.den_df,
        statistic=test.statistic,
        p_value=test.p_value,
        method=f"Quade rank ANCOVA, adjusted for {', '.join(names)}",
    )
    n_missing = int(np.sum(~complete))
    note = f"{n_missing} of {complete.size} rows excluded, {outcome} or covariate missing."
    return TestTable(
        tests=(result,),
        keys={"term": (arm,)},
        extras={"n": (int(codes.size),), "n_missing": (n_missing,)},
        variable=outcome,
        notes=(note,) if n_missing else (),
    )


def _rank_residuals(columns: Mapping[str, FloatArray]) -> FloatArray:
    """Residuals (n,) of the first column's centred ranks regressed on those of the others."""
    for name, vector in columns.items():
        require_spread(name, "the rows analysed", vector)
    response, *regressors = (_centred_ranks(vector) for vector in columns.values())
    design = np.column_stack(regressors)
    residuals: FloatArray = response - design @ np.linalg.lstsq(design, response, rcond=None)[0]
    if np.max(np.abs(residuals)) <= RESIDUAL_FLOOR * np.max(np.abs(response)):
        outcome, *names = columns
        raise DataError(f"The ranks of {', '.join(names)} determine those of {outcome!r}.")
    return residuals


def _centred_ranks(values: FloatArray) -> FloatArray:
    joined, _ = join_near_ties(values)
    return midranks(joined) - (values.size + 1) / 2
