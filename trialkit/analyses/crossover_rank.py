"""Rank tests of an AB/BA crossover: Koch's, and the signed rank without period adjustment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, nan, sqrt
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice, check_flag
from trialkit.analyses.crossover_model import CARRYOVER_NOTE
from trialkit.analyses.crossover_pairs import Pairs, read_pairs
from trialkit.analyses.crossover_rows import read_crossover
from trialkit.analyses.rank_sum import EXACT_BELOW, NearTies, rank_sum
from trialkit.errors import DataError, SpecError
from trialkit.kernels.ranks import join_near_ties
from trialkit.kernels.signed_rank import (
    SignedRank,
    exact_p,
    exact_walsh_count,
    normal_p,
    signed_rank,
    walsh,
)
from trialkit.results import (
    Estimate,
    EstimateTable,
    check_alternative,
    check_level,
    check_null,
)
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import Alternative, BoolArray, FloatArray

__all__ = ["crossover_rank"]

# Beyond this the exact null distribution of the signed ranks is no different from the normal.
MAX_EXACT_PAIRS = 1000


def crossover_rank(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    period_adjusted: bool = True,
    effect: Literal["treatment", "period", "carryover"] = "treatment",
    exact: bool | None = None,
    continuity: bool | None = None,
    near_ties: NearTies = "as-computed",
    period_order: str | Sequence[object] | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Hodges-Lehmann estimate of the treatment effect in an AB/BA trial, period-adjusted.

    Koch's test: the Wilcoxon rank-sum test between the sequences on half the period
    differences, (period 1 - period 2) / 2. A period effect moves both sequences alike and
    cancels. Key: contrast. `effect="period"` tests the second period against the first, on
    half the differences test minus reference; `effect="carryover"` tests the subjects' sums,
    the reference-first sequence against the other (a diagnostic: see `crossover`).

    `period_adjusted=False` is the Wilcoxon signed-rank test of test minus reference, which a
    period effect biases where the sequences differ in size; its zeros are left out of the
    test, and kept in the estimate, the median of the Walsh averages, and its interval. Extra
    `effect_size_r` = z / sqrt(n), z without continuity correction and n the number of pairs, as
    SPSS users print; for Koch's test n counts the subjects of both sequences.

    `exact`, `continuity` as in `rank_sum`: exact below 50 without ties by default,
    `exact=True` also given ties. Differences of decimal scores are often equal but for
    floating-point error; R ranks them as computed, and so does the default, which notes their
    number; `near_ties="joined"` ranks them as tied. Subjects without both outcomes are left
    out and counted. Raises DesignError for any other design than AB/BA.

    References: Koch (1972) Biometrics 28:577-584; Hodges & Lehmann (1963),
    doi:10.1214/aoms/1177704172.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8],
    ...     "SEQ": ["AB"] * 8 + ["BA"] * 8,
    ...     "PERIOD": [1, 2] * 8,
    ...     "TRT": ["Placebo", "LDN"] * 4 + ["LDN", "Placebo"] * 4,
    ...     "PAIN": [6, 4.5, 7, 6.4, 5, 3, 6, 5.1, 4, 5.7, 6, 6.3, 5.5, 7, 3, 4.2],
    ... })
    >>> row = crossover_rank(data, outcome="PAIN", subject="ID", sequence="SEQ",
    ...                      period="PERIOD", treatment="TRT", reference="Placebo").single()
    >>> row.label, round(row.estimate, 3), round(row.p_value, 4)
    ('LDN - Placebo', -1.175, 0.0286)
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_null(null)
    check_choice("effect", effect, ("treatment", "period", "carryover"))
    check_choice("near_ties", near_ties, ("joined", "as-computed"))
    check_flag("exact", exact, or_none=True)
    check_flag("continuity", continuity, or_none=True)
    check_flag("period_adjusted", period_adjusted)
    if effect != "treatment" and not period_adjusted:
        raise SpecError(f"effect={effect!r} has no analysis with period_adjusted=False.")
    rows = read_crossover(
        data,
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        period_order=period_order,
    )
    pairs = read_pairs(rows, per_sequence=2 if period_adjusted else 1)
    if period_adjusted:
        return _koch(
            pairs,
            effect,
            exact=exact,
            continuity=continuity,
            near_ties=near_ties,
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )
    if exact is True and continuity is not None:
        raise SpecError("continuity= applies to the normal approximation, not to exact=True.")
    return _signed(
        pairs,
        exact=exact,
        continuity=continuity is None or continuity,
        near_ties=near_ties,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Compared:
    """What the two sequences are compared on: `values` (n,), the upper group, and their names."""

    values: FloatArray
    is_upper: BoolArray
    label: str
    groups: str
    what: str


def _compared(pairs: Pairs, effect: str) -> _Compared:
    """Half differences or sums of each subject; DataError where they are all the same."""
    reference_first, test_first = pairs.sequences
    label, groups = pairs.contrast, f"{reference_first} against {test_first}"
    is_upper = ~pairs.test_first
    if effect == "treatment":
        values, is_upper = pairs.period_differences / 2, pairs.test_first
        groups, what = f"{test_first} against {reference_first}", "half period differences"
    elif effect == "period":
        values, what = pairs.treatment_differences / 2, "half treatment differences"
        label = f"{pairs.periods[1]} - {pairs.periods[0]}"
    else:
        values, what = pairs.first + pairs.second, "sums of both periods"
        label = f"{reference_first} - {test_first}"
    if np.ptp(values) == 0:
        raise DataError(
            f"The {what} of {pairs.outcome!r} are {values[0]:g} in all {pairs.n} subjects: no rank "
            "test."
        )
    return _Compared(values=values, is_upper=is_upper, label=label, groups=groups, what=what)


def _koch(
    pairs: Pairs,
    effect: str,
    *,
    exact: bool | None,
    continuity: bool | None,
    near_ties: NearTies,
    ci_level: float,
    alternative: Alternative,
    null: float,
) -> EstimateTable:
    compared = _compared(pairs, effect)
    what, label = compared.what, compared.label
    frame = pd.DataFrame(
        {"value": compared.values, "group": np.where(compared.is_upper, "upper", "lower")}
    )
    table = rank_sum(
        frame,
        outcome="value",
        arm="group",
        reference="lower",
        exact=exact,
        continuity=continuity,
        near_ties=near_ties,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
    )
    estimate = table.single()
    method = f"Koch: {compared.groups} on {what}; {estimate.method}"
    plain = rank_sum(
        frame,
        outcome="value",
        arm="group",
        reference="lower",
        exact=False,
        continuity=False,
        near_ties=near_ties,
        null=null,
    )
    kept = ("w", "ci_level_attained")
    notes = [
        note.replace("upper - lower", label).replace("of value that", f"of {what} that")
        for note in table.notes
    ]
    return EstimateTable(
        estimates=(replace(estimate, label=label, method=method),),
        keys={"contrast": (label,)},
        extras={
            **{name: table.extras[name] for name in kept},
            "effect_size_r": (plain.single().statistic / sqrt(pairs.n),),
            "n_reference_first": (int((~pairs.test_first).sum()),),
            "n_test_first": (int(pairs.test_first.sum()),),
        },
        variable=pairs.outcome,
        notes=(*pairs.notes, *notes, *([CARRYOVER_NOTE] if effect == "carryover" else [])),
    )


def _signed(
    pairs: Pairs,
    *,
    exact: bool | None,
    continuity: bool,
    near_ties: NearTies,
    ci_level: float,
    alternative: Alternative,
    null: float,
) -> EstimateTable:
    differences = pairs.treatment_differences
    scale = float(np.max(np.abs(np.concatenate([pairs.first, pairs.second]))))
    moved = differences - null
    if near_ties == "joined":
        # Zero is one of the values: a difference of rounding error alone joins it.
        sizes = join_near_ties(np.append(0.0, np.abs(moved)), scale=scale)[0][1:]
        moved = np.sign(moved) * sizes
    test = signed_rank(moved)
    if test.n == 0:
        raise DataError(
            f"{pairs.outcome!r} is the same under {pairs.test!r} and {pairs.reference!r} in all "
            f"{pairs.n} subjects: no signed-rank test."
        )
    is_exact = _is_exact(test, exact)
    z = (test.v - test.mean) / test.sd
    if is_exact:
        statistic, p_value = test.v, exact_p(test, alternative)
    elif continuity:
        statistic, p_value = normal_p(test, alternative)
    else:
        statistic = z
        p_value = Estimate.from_z(
            label="z", estimate=z, se=1.0, n=test.n, method="z", alternative=alternative
        ).p_value
    low, high = _limits(differences, ci_level, alternative, is_exact)
    corrected = "with" if continuity else "without"
    how = (
        f"exact p{' given ties' if _has_ties(test) else ''}"
        if is_exact
        else f"normal approximation {corrected} continuity correction"
    )
    method = f"Wilcoxon signed rank of {pairs.contrast}, no period adjustment, {how}"
    return EstimateTable(
        estimates=(
            Estimate(
                label=pairs.contrast,
                estimate=float(np.median(walsh(differences))),
                se=nan,
                df=nan,
                statistic=float(statistic),
                p_value=p_value,
                ci_low=low,
                ci_high=high,
                ci_level=ci_level,
                n=pairs.n,
                method=with_hypothesis(f"{method}; median of Walsh averages", alternative, null),
            ),
        ),
        keys={"contrast": (pairs.contrast,)},
        extras={
            "v": (test.v,),
            "n_zero": (test.n_zero,),
            "effect_size_r": (z / sqrt(pairs.n),),
        },
        variable=pairs.outcome,
        notes=(
            *pairs.notes,
            *_zero_notes(test.n_zero, null),
            "The signed-rank test takes the two periods for alike: a period effect enters the "
            "estimate where the sequences differ in size, and the variance in any case.",
        ),
    )


def _zero_notes(n_zero: int, null: float) -> tuple[str, ...]:
    if not n_zero:
        return ()
    return (
        f"{n_zero} difference(s) of {null:g} are left out of the test, and kept in the estimate "
        "and its interval (R's wilcox.test leaves them out there too).",
    )


def _has_ties(test: SignedRank) -> bool:
    return bool(np.unique(test.ranks).size < test.n) or test.n_zero > 0


def _is_exact(test: SignedRank, exact: bool | None) -> bool:
    if exact is None:
        return test.n < EXACT_BELOW and not _has_ties(test)
    if exact and test.n > MAX_EXACT_PAIRS:
        raise SpecError(f"exact=True with {test.n} pairs would take too long; use exact=False.")
    return exact


def _limits(
    differences: FloatArray, ci_level: float, alternative: Alternative, is_exact: bool
) -> tuple[float, float]:
    tail = (1 - ci_level) / (2 if alternative == "two-sided" else 1)
    averages = walsh(differences)
    k = exact_walsh_count(differences.size, tail, exact=is_exact)
    low, high = (averages[k - 1], averages[-k]) if k else (-inf, inf)
    if alternative == "less":
        low = -inf
    if alternative == "greater":
        high = inf
    return float(low), float(high)
