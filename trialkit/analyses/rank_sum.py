"""Wilcoxon-Mann-Whitney test of two arms, with the Hodges-Lehmann shift and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice, check_flag
from trialkit.analyses.two_arms import ArmComparison, exclusion_notes, split_arms
from trialkit.errors import DataError, SpecError
from trialkit.kernels.rank_sum import (
    RankSum,
    differences_at,
    exact_cost,
    exact_count,
    exact_p_value,
    integer_scores,
    large_sample_count,
    normal_p_value,
)
from trialkit.kernels.rank_sum import rank_sum as rank_sum_kernel
from trialkit.kernels.ranks import join_near_ties
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level, check_null
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import Alternative

__all__ = ["NearTies", "rank_sum"]

NearTies = Literal["joined", "as-computed"]

# R's wilcox.test is exact by default below 50 in each arm, without ties.
EXACT_BELOW = 50
# Additions that the exact distribution with ties may take, a few seconds: about 165 in each
# arm with heavy ties.
MAX_EXACT_COST = 3_000_000_000
# Beyond this many subjects the number of allocations may pass the largest float.
MAX_EXACT_SUBJECTS = 1000


def rank_sum(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object,
    exact: bool | None = None,
    continuity: bool | None = None,
    subject: str | None = None,
    near_ties: NearTies = "joined",
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Hodges-Lehmann shift, each other arm minus the reference: median pairwise difference.

    Key: contrast. The p-value is of the Wilcoxon-Mann-Whitney test that the arm, moved by
    `null`, has the distribution of the reference. `statistic` is W (R's, the Mann-Whitney
    count of the arm less `null` over the reference) where the p-value is exact, z where it is
    normal. Extras: `w`, `prob_superiority` = P(X > Y) + P(X = Y)/2 of the data as they are,
    `ci_level_attained`, n of either arm, `n_missing`.

    `exact=None` follows R: exact with fewer than 50 in each arm and no ties, else the normal
    approximation with tie-corrected variance. `exact=True` with ties is the permutation test
    given the ties (two-sided: rank sums at least as far from their mean). `continuity` (None:
    yes, as in R and SAS) applies to the normal approximation only.

    The interval is made of order statistics of the pairwise differences: exact, R's (which
    with ties is conservative, Noether 1967); large-sample, those of SAS PROC NPAR1WAY,
    floor(C) with C = mn/2 - z sqrt(mn(m+n+1)/12), without tie or continuity correction, so
    that it can disagree with the p-value at the margin. Where the sample is too small to
    bound the shift at this level the limit is infinite and `notes` says so (R gives the
    extreme difference at a lower level).

    Values that differ only by floating-point error (1e-12 of the largest) rank as tied;
    `notes` counts them. `near_ties="as-computed"` ranks them as they are, as R does. Rows
    without an outcome are left out and counted. As a test of the medians or means it needs
    distributions that differ by a shift alone.

    Raises DataError where an arm has fewer than two values or all values are equal, and
    SpecError where exact=True would take too long (beyond 1000 subjects, or about 165 in each
    arm with ties) or is combined with `continuity`.

    References: Hodges & Lehmann (1963) Ann Math Stat 34:598-611,
    doi:10.1214/aoms/1177704172; Streitberg & Rohmel (1986) Stat Software Newsl 12:10-17;
    Noether (1967) J Am Stat Assoc 62:184-188.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPDDDD"), "CHG": [1.1, 2.3, 3.2, 4.6, 3.9, 5, 6, 7.5]})
    >>> row = rank_sum(data, outcome="CHG", arm="ARM", reference="P").single()
    >>> row.statistic, round(row.estimate, 2), round(row.p_value, 4)
    (15.0, 2.8, 0.0571)
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_null(null)
    check_flag("exact", exact, or_none=True)
    check_flag("continuity", continuity, or_none=True)
    if exact is True and continuity is not None:
        raise SpecError("continuity= applies to the normal approximation, not to exact=True.")
    pairs = split_arms(data, outcome=outcome, arm=arm, reference=reference, subject=subject)
    hypothesis = _Hypothesis(ci_level, alternative, null)
    check_choice("near_ties", near_ties, ("joined", "as-computed"))
    corrected = continuity is None or continuity
    is_joined = near_ties == "joined"
    fits = [_compare(pair, outcome, hypothesis, exact, corrected, is_joined) for pair in pairs]
    return EstimateTable(
        estimates=tuple(fit.estimate for fit in fits),
        keys={"contrast": tuple(pair.contrast for pair in pairs)},
        extras={
            "w": tuple(fit.w for fit in fits),
            "prob_superiority": tuple(_prob_superiority(pair) for pair in pairs),
            "ci_level_attained": tuple(fit.level_attained for fit in fits),
            "n_arm": tuple(pair.x.size for pair in pairs),
            "n_ref": tuple(pair.y.size for pair in pairs),
            "n_missing": tuple(pair.n_missing for pair in pairs),
        },
        variable=outcome,
        notes=(*exclusion_notes(pairs, outcome), *(note for fit in fits for note in fit.notes)),
    )


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    ci_level: float
    alternative: Alternative
    null: float

    @property
    def tail(self) -> float:
        """Probability left out at each finite end of the interval."""
        return (1 - self.ci_level) / (2 if self.alternative == "two-sided" else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    estimate: Estimate
    w: float
    level_attained: float
    notes: tuple[str, ...]


def _compare(
    pair: ArmComparison,
    outcome: str,
    hypothesis: _Hypothesis,
    exact: bool | None,
    continuity: bool,
    is_joined: bool,
) -> _Fit:
    test, n_near = _ranked(pair, hypothesis.null, is_joined)
    if test.ties.size == 1:
        raise DataError(f"{outcome!r} is constant in both arms of {pair.contrast}: no rank test.")
    is_exact = _is_exact(test, exact)
    if is_exact:
        statistic, p_value = test.u, exact_p_value(test, hypothesis.alternative)
    else:
        statistic, p_value = normal_p_value(
            test, continuity=continuity, alternative=hypothesis.alternative
        )
    shift, low, high, attained = _shift(pair, hypothesis, is_exact)
    estimate = Estimate(
        label=pair.contrast,
        estimate=shift,
        se=nan,
        df=nan,
        statistic=float(statistic),
        p_value=p_value,
        ci_low=low,
        ci_high=high,
        ci_level=hypothesis.ci_level,
        n=pair.n,
        method=with_hypothesis(
            _method(test, is_exact, continuity), hypothesis.alternative, hypothesis.null
        ),
    )
    notes = _notes(pair, outcome, hypothesis, estimate, n_near, is_joined)
    return _Fit(estimate=estimate, w=test.u, level_attained=attained, notes=notes)


def _ranked(pair: ArmComparison, null: float, is_joined: bool = True) -> tuple[RankSum, int]:
    pooled = np.concatenate((pair.x - null, pair.y))
    scale = max(abs(null), float(np.max(np.abs(pair.x))), float(np.max(np.abs(pair.y))))
    joined, n_near = join_near_ties(pooled, scale=scale)
    ranked = joined if is_joined else pooled
    return rank_sum_kernel(ranked[: pair.x.size], ranked[pair.x.size :]), n_near


def _prob_superiority(pair: ArmComparison) -> float:
    test, _ = _ranked(pair, 0.0)
    return test.u / (test.n_x * test.n_y)


def _is_exact(test: RankSum, exact: bool | None) -> bool:
    if exact is None:
        return max(test.n_x, test.n_y) < EXACT_BELOW and not test.has_ties
    if exact:
        smaller = min(test.n_x, test.n_y)
        cost = exact_cost(integer_scores(test.ranks), smaller) if test.has_ties else 0
        if cost > MAX_EXACT_COST or test.n_x + test.n_y > MAX_EXACT_SUBJECTS:
            raise SpecError(
                f"exact=True with {test.n_x} and {test.n_y} subjects"
                f"{' and ties' if test.has_ties else ''} would take too long; use exact=False."
            )
    return exact


def _shift(
    pair: ArmComparison, hypothesis: _Hypothesis, is_exact: bool
) -> tuple[float, float, float, float]:
    """Median difference, its two limits, and the level the exact interval attains."""
    n_x, n_y = pair.x.size, pair.y.size
    pairs = n_x * n_y
    k, attained = large_sample_count(n_x, n_y, hypothesis.tail), nan
    if is_exact:
        k, outside = exact_count(n_x, n_y, hypothesis.tail)
        attained = 1 - outside * (2 if hypothesis.alternative == "two-sided" else 1)
    middle = [(pairs + 1) // 2, pairs // 2 + 1]
    lower, upper, *ends = differences_at(
        pair.x, pair.y, [*middle, *([k, pairs + 1 - k] if k else [])]
    )
    low, high = ends if k else (-inf, inf)
    if hypothesis.alternative == "less":
        low = -inf
    if hypothesis.alternative == "greater":
        high = inf
    return (lower + upper) / 2, low, high, attained


def _method(test: RankSum, is_exact: bool, continuity: bool) -> str:
    if is_exact:
        ties = " given ties" if test.has_ties else ""
        return f"Wilcoxon rank sum, exact p{ties}; Hodges-Lehmann, exact order-statistic interval"
    corrections = "continuity correction" if continuity else "no continuity correction"
    ties = ", tie-corrected variance" if test.has_ties else ""
    return (
        f"Wilcoxon rank sum, normal approximation, {corrections}{ties}; Hodges-Lehmann, "
        "large-sample order-statistic interval"
    )


def _notes(
    pair: ArmComparison,
    outcome: str,
    hypothesis: _Hypothesis,
    estimate: Estimate,
    n_near: int,
    is_joined: bool,
) -> tuple[str, ...]:
    notes = []
    if n_near:
        how = "rank as tied" if is_joined else "are ranked as computed, as R does"
        notes.append(
            f"{pair.contrast}: {n_near} values of {outcome} that differ from another by "
            f"floating-point error alone {how}."
        )
    n_open = int(estimate.ci_low == -inf) + int(estimate.ci_high == inf)
    if n_open > int(hypothesis.alternative != "two-sided"):
        notes.append(
            f"{pair.contrast}: {pair.x.size} and {pair.y.size} subjects cannot bound the shift "
            f"at {100 * hypothesis.ci_level:g}%."
        )
    return tuple(notes)
