"""Log-Wald risk ratio: the FINAL trial, statsmodels, a slow version, zero cells, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import trialkit as tk


@pytest.mark.parametrize(
    ("counts", "printed"),
    [
        ((26, 49, 21, 50), ("1.26", "0.83", "1.92")),
        ((20, 49, 13, 50), ("1.57", "0.88", "2.79")),
        ((12, 49, 7, 50), ("1.75", "0.75", "4.07")),
    ],
)
def test_final_trials_responders(counts: tuple[int, ...], printed: tuple[str, ...]) -> None:
    # Responders of FINAL (2024) at 15, 30 and 50 percent.
    row = tk.risk_ratio(*counts).single()
    assert tuple(f"{v:.2f}" for v in (row.estimate, row.ci_low, row.ci_high)) == printed
    assert row.n == 99
    assert row.scale == "ratio"


def test_agrees_with_statsmodels() -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep, test_proportions_2indep

    row = tk.risk_ratio(20, 49, 13, 50, ci_level=0.9).single()
    low, high = confint_proportions_2indep(20, 49, 13, 50, method="log", compare="ratio", alpha=0.1)
    assert (row.ci_low, row.ci_high) == pytest.approx((low, high), rel=1e-10)
    truth = test_proportions_2indep(20, 49, 13, 50, method="log", compare="ratio")
    assert (row.statistic, row.p_value) == pytest.approx((truth.statistic, truth.pvalue), rel=1e-10)


@settings(deadline=None, max_examples=60)
@given(
    x=st.integers(1, 30),
    more=st.integers(1, 30),
    x_ref=st.integers(1, 30),
    more_ref=st.integers(1, 30),
    alternative=st.sampled_from(["two-sided", "less", "greater"]),
)
def test_is_its_formula_in_every_tail(
    x: int, more: int, x_ref: int, more_ref: int, alternative: str
) -> None:
    n, n_ref = x + more, x_ref + more_ref
    margin = math.log(1.25)
    row = tk.risk_ratio(x, n, x_ref, n_ref, alternative=alternative, null=margin).single()  # type: ignore[arg-type]
    estimate = math.log(x * n_ref / (n * x_ref))
    se = math.sqrt(1 / x - 1 / n + 1 / x_ref - 1 / n_ref)
    z = (estimate - margin) / se
    p_values = {
        "two-sided": 2 * stats.norm.sf(abs(z)),
        "less": stats.norm.cdf(z),
        "greater": stats.norm.sf(z),
    }
    quantile = stats.norm.ppf(0.975 if alternative == "two-sided" else 0.95)
    low = 0 if alternative == "less" else math.exp(estimate - quantile * se)
    high = math.inf if alternative == "greater" else math.exp(estimate + quantile * se)
    assert row.p_value == pytest.approx(p_values[alternative], rel=1e-9)
    assert (row.ci_low, row.ci_high) == pytest.approx((low, high), rel=1e-9)
    assert row.estimate == pytest.approx(math.exp(estimate))
    assert (row.se, row.statistic) == pytest.approx((se, z))
    assert "null on the log scale" in row.method


def test_exchanging_the_arms_inverts_the_ratio() -> None:
    one, other = tk.risk_ratio(20, 49, 13, 50).single(), tk.risk_ratio(13, 50, 20, 49).single()
    assert other.estimate == pytest.approx(1 / one.estimate)
    assert (other.ci_low, other.ci_high) == pytest.approx((1 / one.ci_high, 1 / one.ci_low))
    assert other.p_value == pytest.approx(one.p_value)


@pytest.mark.parametrize(
    ("counts", "estimate", "status"),
    [
        ((0, 49, 3, 50), 0.0, "no event in the arm"),
        ((4, 49, 0, 50), math.inf, "no event in the reference"),
        ((0, 49, 0, 50), math.nan, "no event in either arm"),
        ((49, 49, 50, 50), 1.0, "every subject of both arms has the event"),
    ],
)
def test_zero_cells_give_no_interval_and_say_so(
    counts: tuple[int, ...], estimate: float, status: str
) -> None:
    row = tk.risk_ratio(*counts).single()
    assert row.status.startswith(status)
    assert row.estimate == pytest.approx(estimate, nan_ok=True)
    assert all(math.isnan(v) for v in (row.p_value, row.ci_low, row.ci_high, row.statistic))


def test_everyone_in_one_arm_is_no_obstacle() -> None:
    row = tk.risk_ratio(49, 49, 20, 50).single()
    assert row.status == "ok"
    assert row.se == pytest.approx(math.sqrt(1 / 20 - 1 / 50))


def test_a_continuity_correction_is_added_only_when_asked_for() -> None:
    plain, added = tk.risk_ratio(0, 49, 3, 50), tk.risk_ratio(0, 49, 3, 50, continuity=0.5)
    row = added.single()
    assert row.estimate == pytest.approx((0.5 / 50) / (3.5 / 51))
    assert row.se == pytest.approx(math.sqrt(1 / 0.5 - 1 / 50 + 1 / 3.5 - 1 / 51))
    assert row.status == "ok"
    assert "0.5 added to every cell" in row.method
    assert plain.single().method != row.method
    assert added.frame()[["x", "n_arm"]].iloc[0].tolist() == [0, 49]


def test_several_comparisons_at_once() -> None:
    table = tk.risk_ratio(
        np.array([26, 20]), [49, 49], [21.0, 13.0], [50, 50], label=["15%", "30%"], variable="CRIT"
    )
    frame = table.frame()
    assert list(frame["contrast"]) == ["15%", "30%"]
    assert table.where(contrast="30%").single().estimate == pytest.approx(
        tk.risk_ratio(20, 49, 13, 50).single().estimate
    )
    assert list(frame["risk_arm"]) == [26 / 49, 20 / 49]
    assert table.variable == "CRIT"


@pytest.mark.parametrize(
    ("counts", "error", "message"),
    [
        ((50, 49, 1, 50), tk.DataError, r"x=\[50\] of n=\[49\]: events cannot exceed subjects"),
        ((1, 49, 51, 50), tk.DataError, r"x_ref=\[51\] of n_ref=\[50\]"),
        ((0, 0, 1, 50), tk.DataError, "there must be subjects"),
        ((-1, 49, 1, 50), tk.DataError, r"x=\[-1\] must be finite and not below zero"),
        ((1.5, 49, 1, 50), tk.DataError, r"x=\[1.5\] must hold whole numbers"),
        ((math.nan, 49, 1, 50), tk.DataError, "must hold whole numbers"),
        ((1, math.inf, 1, 50), tk.DataError, "must be finite"),
        (("1", 49, 1, 50), tk.DataError, "must hold whole numbers"),
        (([1, 2], 49, 1, 50), tk.SpecError, "need one length"),
        (([1, 2], [9, 9], [1, 2], [9, 9]), tk.SpecError, r"1 label\(s\) for 2 comparison"),
    ],
)
def test_refuses_impossible_counts(
    counts: tuple[float, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tk.risk_ratio(*counts)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "score"}, "method='score' is not offered; allowed: log-wald"),
        ({"continuity": -0.5}, "continuity=-0.5 must be zero"),
        ({"continuity": "half"}, "continuity='half' must be zero"),
        ({"ci_level": 1.0}, "not between 0 and 1"),
        ({"alternative": "up"}, "allowed: two-sided, less, greater"),
    ],
)
def test_refuses_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tk.risk_ratio(1, 9, 2, 9, **options)  # type: ignore[arg-type]
