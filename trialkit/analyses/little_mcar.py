"""Little's test of missing completely at random."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np
import pandas as pd

from trialkit.analyses.visit_matrix import VisitMatrix, visit_matrix
from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.normal_patterns import little_test
from trialkit.results import TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import FloatArray

__all__ = ["little_mcar"]

CAVEAT = (
    "A small p-value speaks against missing completely at random. A large one does not support "
    "it, and no test on the observed data can tell missing at random from missing not at random."
)


def little_mcar(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    visit: str,
    visit_order: str | Sequence[object] | None = None,
    arm: str | None = None,
    reference: object = None,
) -> TestTable:
    """Little's test that the outcomes are missing completely at random, over visits.

    Long data, one row a subject and visit. With `arm`, the test is made within each arm, with
    a mean and covariance of its own, and "all" adds up the arms: without it, arms that differ
    both in outcome and in dropout reject what is missing at random given the arm. Key: arm;
    extras `n`, `n_patterns`. Chi-square with (sum of visits seen over patterns) - (visits)
    degrees of freedom; maximum likelihood mean and covariance by EM (as R's naniar and SPSS;
    Little's own n / (n - 1) is left out). Assumes multivariate normal outcomes and many
    subjects.

    What it cannot tell: a large p-value is no support for missing completely at random, and
    missing at random itself cannot be tested, since it is about outcomes that nobody saw. The
    result says so in its `notes`.

    Subjects without any outcome are excluded and counted. Raises DataError where two visits
    were never observed in one subject, one repeats others, or an arm has too few subjects;
    ConvergenceError where EM does not settle. An arm without missing values has no test (df 0,
    p NaN).

    Reference: Little (1988), doi:10.1080/01621459.1988.10478722.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ID": [1, 2, 3, 4, 5, 6] * 2, "WEEK": [4] * 6 + [8] * 6,
    ...                      "AVAL": [5, 4, 6, 7, 3, 5, 4, 4, 5, None, 2, None]})
    >>> row = little_mcar(data, outcome="AVAL", subject="ID", visit="WEEK").frame().iloc[0]
    >>> round(float(row["statistic"]), 4)
    1.8
    """
    matrix = visit_matrix(
        data,
        outcome=outcome,
        subject=subject,
        visit=visit,
        visit_order=visit_order,
        arm=arm,
        reference=reference,
    )
    tests, counts, patterns = [], [], []
    for code, label in enumerate(matrix.arms):
        rows = matrix.values[(matrix.codes == code) & (matrix.last >= 0)]
        _require_pairs(matrix, rows, label)
        try:
            test = little_test(rows)
        except (ConvergenceError, DataError) as problem:
            raise type(problem)(f"Arm {label!r}: {problem}") from problem
        tests.append((test.statistic, test.df, test.p_value))
        counts.append(len(rows))
        patterns.append(test.n_patterns)
    labels = matrix.arms
    if len(labels) > 1:
        tests.append(_together(tests))
        counts.append(sum(counts))
        patterns.append(sum(patterns))
        labels = (*labels, "all")
    never = int(np.sum(matrix.last < 0))
    notes = (f"{never} subject(s) without any outcome excluded.",) if never else ()
    method = "Little's test of MCAR, EM estimates" + (" within each arm" if arm else "")
    return TestTable(
        tests=tuple(
            TestResult(num_df=float(df), den_df=inf, statistic=value, p_value=p, method=method)
            for value, df, p in tests
        ),
        keys={"arm": labels},
        extras={"n": tuple(counts), "n_patterns": tuple(patterns)},
        variable=outcome,
        notes=(*notes, CAVEAT),
    )


def _together(tests: Sequence[tuple[float, int, float]]) -> tuple[float, int, float]:
    from scipy import special

    value, df = sum(t[0] for t in tests), sum(t[1] for t in tests)
    return value, df, float(special.chdtrc(df, value)) if df > 0 else float("nan")


def _require_pairs(matrix: VisitMatrix, rows: FloatArray, label: object) -> None:
    seen = ~np.isnan(rows)
    together = seen.astype(int).T @ seen.astype(int)
    p = rows.shape[1]
    if len(rows) <= p + 1:
        raise DataError(f"Arm {label!r} has {len(rows)} subjects for {p} visits: too few.")
    poor = np.argwhere(together < 3)
    if poor.size:
        a, b = (int(v) for v in poor[0])
        raise DataError(
            f"Arm {label!r}: visits {matrix.visits[a]!r} and {matrix.visits[b]!r} were observed "
            f"together in {int(together[a, b])} subject(s); their covariance needs 3."
        )
    spread = np.nanstd(rows, axis=0)
    if (spread == 0).any():
        flat = matrix.visits[int(np.argmin(spread))]
        raise DataError(f"Arm {label!r}: the outcome is constant at visit {flat!r}.")
