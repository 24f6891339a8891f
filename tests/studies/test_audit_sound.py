"""Figures that come from real data, honestly rounded, raise no finding."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import trialkit as tk


def printed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def rows(arm: str, **figures: str) -> pd.DataFrame:
    frame = pd.DataFrame({"statistic": list(figures), "printed": list(figures.values())})
    return frame.assign(arm=arm)


def findings(*frames: pd.DataFrame, **columns: str) -> list[list[str]]:
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.assign(**{"study": "sound", "outcome": "pain", "timepoint": "end", **columns})
    return tk.studies.audit(frame).frame().values.tolist()


@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.tuples(st.integers(5, 60), st.integers(5, 60)),
    decimals=st.integers(1, 3),
)
@settings(deadline=None, max_examples=40)
def test_a_parallel_trial_on_a_whole_number_scale(
    seed: int, n: tuple[int, int], decimals: int
) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(0, 11, size) for size in n)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    test = stats.ttest_ind(x, y)
    low, high = test.confidence_interval()
    arms = [
        rows(
            arm,
            mean=printed(scores.mean(), decimals),
            sd=printed(scores.std(ddof=1), decimals),
            n=str(scores.size),
            se=printed(scores.std(ddof=1) / np.sqrt(scores.size), decimals),
        )
        for arm, scores in (("drug", x), ("placebo", y))
    ]
    contrast = rows(
        "drug - placebo",
        mean_difference=printed(x.mean() - y.mean(), decimals),
        ci95_lo=printed(low, decimals),
        ci95_hi=printed(high, decimals),
        p=printed(test.pvalue, 3) if test.pvalue >= 0.001 else "<0.001",
    )
    assert findings(*arms, contrast, granularity="1", unit="NRS 0-10") == []


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(4, 8), factor=st.floats(1, 3))
@settings(deadline=None, max_examples=40)
def test_a_welch_test_of_a_small_and_variable_arm(seed: int, n: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(53, 10 * factor, n), rng.normal(50, 10, 15 * n)
    test = stats.ttest_ind(x, y, equal_var=False)
    low, high = test.confidence_interval()
    arms = [rows(arm, n=str(scores.size)) for arm, scores in (("drug", x), ("placebo", y))]
    contrast = rows(
        "drug - placebo",
        mean_difference=printed(x.mean() - y.mean(), 2),
        ci95_lo=printed(low, 2),
        ci95_hi=printed(high, 2),
        p=printed(test.pvalue, 3) if test.pvalue >= 0.001 else "<0.001",
    )
    assert findings(*arms, contrast) == []


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 60), decimals=st.integers(1, 2))
@settings(deadline=None, max_examples=40)
def test_a_crossover_with_positive_correlation(seed: int, n: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    person = rng.normal(50, 20, n)
    x, y = person + rng.normal(0, 8, n), person + rng.normal(5, 8, n)
    p_value = stats.ttest_rel(x, y).pvalue
    arms = [
        rows(arm, mean=printed(scores.mean(), decimals), sd=printed(scores.std(ddof=1), decimals))
        for arm, scores in (("drug", x), ("placebo", y))
    ]
    shown = printed(p_value, 3) if p_value >= 0.001 else "<0.001"
    assert findings(*arms, rows("drug vs placebo", p=shown), rows("all", n=str(n))) == []


@given(
    n=st.tuples(st.integers(10, 200), st.integers(10, 200)),
    shares=st.tuples(st.floats(0.05, 0.95), st.floats(0.05, 0.95)),
    decimals=st.integers(0, 2),
)
@settings(deadline=None, max_examples=40)
def test_counts_percentages_and_their_risk_ratio(
    n: tuple[int, int], shares: tuple[float, float], decimals: int
) -> None:
    x = [min(max(1, round(share * size)), size - 1) for share, size in zip(shares, n, strict=True)]
    found = tk.risk_ratio(x[0], n[0], x[1], n[1]).single()
    arms = [
        rows(arm, n=str(size), pct=printed(100 * count / size, decimals))
        for arm, count, size in zip(("drug", "placebo"), x, n, strict=True)
    ]
    counts = [
        rows(arm, **{"n/N": f"{count}/{size}", "pct": printed(100 * count / size, decimals)})
        for arm, count, size in zip(("drug", "placebo"), x, n, strict=True)
    ]
    contrast = rows(
        "drug / placebo",
        risk_ratio=printed(found.estimate, 2),
        ci95_lo=printed(found.ci_low, 2),
        ci95_hi=printed(found.ci_high, 2),
        p=printed(found.p_value, 3) if found.p_value >= 0.001 else "<0.001",
    )
    assert findings(*arms) == []
    assert findings(*counts, contrast) == []
