"""Van Elteren's test: the Wilcoxon rank-sum test within strata, combined."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

import numpy as np
import pandas as pd

from trialkit.analyses.two_arms import ArmRows, arm_rows, contrast_label, require_size
from trialkit.data.vectors import stratum_codes
from trialkit.errors import DataError, SpecError
from trialkit.kernels.rank_sum import rank_sum
from trialkit.kernels.ranks import join_near_ties
from trialkit.results import TestTable, check_alternative, check_null
from trialkit.results.estimate import with_hypothesis
from trialkit.results.tables import TestResult
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = ["van_elteren"]


def van_elteren(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    strata: str | Sequence[str],
    subject: str | None = None,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> TestTable:
    """Test that each other arm, moved by `null`, has the reference's distribution in each stratum.

    Key: contrast. `statistic` is z, above zero where the arm's values are larger; its square
    is the chi-square with one degree of freedom of SAS PROC FREQ (CMH2 SCORES=MODRIDIT).
    Strata are the combinations of the columns of `strata` that occur. Each contributes its
    rank sum less its mean, weighted 1 / (n_h + 1) with n_h the stratum's analysed subjects of
    the two arms (locally most powerful against one shift common to the strata), with the
    variance given the ties and no continuity correction.

    A stratum with subjects of one arm only has nothing to compare: it contributes nothing and
    is counted in `notes`. Rows without an outcome are left out and counted. Extras: `n` and
    `n_strata` (those that contribute), `n_missing`. Raises DataError where rows have no
    stratum, an arm has fewer than two values, or no stratum holds both arms and two different
    values.

    Reference: van Elteren (1960) Bull Inst Int Stat 37:351-361.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPDDPPDD"), "SITE": list("AAAABBBB"),
    ...                      "CHG": [1, 2, 3, 4, 2, 5, 4, 6]})
    >>> test = van_elteren(data, outcome="CHG", arm="ARM", reference="P", strata="SITE").frame()
    >>> round(test["statistic"].item(), 4), round(test["p_value"].item(), 4)
    (1.6432, 0.1003)
    """
    check_alternative(alternative)
    check_null(null)
    columns = [strata] if isinstance(strata, str) else list(strata)
    if not columns:
        raise SpecError("strata= must name at least one column; without strata use rank_sum.")
    if reference is None:
        raise DataError(f"reference= must name the arm in column {arm!r} to compare with.")
    rows = arm_rows(data, outcome=outcome, arm=arm, reference=reference, subject=subject)
    for code in range(len(rows.arms)):
        require_size(rows, code)
    stratum, _ = stratum_codes(data, columns)
    tests, sizes, used, notes = [], [], [], []
    for code in range(1, len(rows.arms)):
        contrast = contrast_label(rows.arms[code], reference)
        z, n, n_used, n_strata = _combine(rows, code, stratum, contrast, null)
        tests.append(_result(z, columns, alternative, null))
        sizes.append(n)
        used.append(n_used)
        missing = rows.n_missing(code) + rows.n_missing(0)
        if missing:
            notes.append(f"{contrast}: {missing} rows excluded, {outcome} missing.")
        if n_used < n_strata:
            notes.append(
                f"{contrast}: {n_strata - n_used} of {n_strata} strata hold one arm only and "
                "contribute nothing."
            )
    contrasts = tuple(contrast_label(label, reference) for label in rows.arms[1:])
    missing_counts = [rows.n_missing(code) + rows.n_missing(0) for code in range(1, len(rows.arms))]
    return TestTable(
        tests=tuple(tests),
        keys={"contrast": contrasts},
        extras={"n": tuple(sizes), "n_strata": tuple(used), "n_missing": tuple(missing_counts)},
        variable=outcome,
        notes=tuple(notes),
    )


def _combine(
    rows: ArmRows, code: int, stratum: IntArray, contrast: str, null: float
) -> tuple[float, int, int, int]:
    """Z of one contrast; subjects and strata that contribute; strata with any subject."""
    chosen = rows.observed & ((rows.codes == code) | (rows.codes == 0))
    is_arm = rows.codes[chosen] == code
    values = np.where(is_arm, rows.values[chosen] - null, rows.values[chosen])
    joined, _ = join_near_ties(
        values, scale=max(abs(null), float(np.max(np.abs(rows.values[chosen]))))
    )
    return _z(joined, is_arm, stratum[chosen], contrast)


def _z(
    values: FloatArray, is_arm: np.ndarray, stratum: IntArray, contrast: str
) -> tuple[float, int, int, int]:
    total = variance = 0.0
    n = n_used = 0
    present = np.unique(stratum)
    for label in present:
        x, y = values[(stratum == label) & is_arm], values[(stratum == label) & ~is_arm]
        if not (x.size and y.size):
            continue
        test = rank_sum(x, y)
        weight = 1 / (x.size + y.size + 1)
        total += weight * (test.u - test.mean)
        variance += (weight * test.sd) ** 2
        n += x.size + y.size
        n_used += 1
    if variance == 0:
        raise DataError(
            f"{contrast}: no stratum holds both arms and two different values: nothing to compare."
        )
    return total / sqrt(variance), n, n_used, present.size


def _result(z: float, strata: Sequence[str], alternative: Alternative, null: float) -> TestResult:
    from scipy import special

    if alternative == "two-sided":
        p_value = 2 * float(special.ndtr(-abs(z)))
    else:
        p_value = float(special.ndtr(z if alternative == "less" else -z))
    method = f"van Elteren, strata {' x '.join(strata)}, weights 1/(n+1), z"
    return TestResult(
        num_df=1,
        den_df=inf,
        statistic=z,
        p_value=p_value,
        method=with_hypothesis(method, alternative, null),
    )
