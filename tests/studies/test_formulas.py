"""Formulas of printed figures, against algebra by hand and slow independent versions."""

from __future__ import annotations

from math import comb, inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trialkit.studies.formulas import (
    counts,
    intervals,
    paired_proportions,
    rank_tests,
    spread,
    two_proportions,
)
from trialkit.studies.formulas.registry import FORMULAS


def test_every_formula_is_documented() -> None:
    assert all(formula.__doc__ for formula in FORMULAS.values())


def test_t_quantiles_and_the_normal_limit() -> None:
    assert intervals.quantile(30) == pytest.approx(2.0422724563)
    assert intervals.quantile(inf) == pytest.approx(1.9599639845)
    assert intervals.quantile(1e9) == pytest.approx(intervals.quantile(inf))


@given(
    estimate=st.floats(-5, 5),
    se=st.floats(0.01, 5),
    n=st.integers(2, 80),
    n_reference=st.integers(2, 80),
)
@settings(deadline=None, max_examples=60)
def test_p_from_an_interval_is_the_p_of_the_t_test_that_made_it(
    estimate: float, se: float, n: int, n_reference: int
) -> None:
    df = n + n_reference - 2
    half = stats.t.ppf(0.975, df) * se
    expected = 2 * stats.t.sf(abs(estimate) / se, df)
    found = intervals.two_sample_p(estimate, estimate - half, estimate + half, n, n_reference)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)
    half = stats.t.ppf(0.975, n - 1) * se
    found = intervals.paired_p(estimate, estimate - half, estimate + half, n)
    assert found == pytest.approx(2 * stats.t.sf(abs(estimate) / se, n - 1), rel=1e-6, abs=1e-12)


def test_bounds_from_p_invert_p_from_bounds() -> None:
    low = intervals.two_sample_bound_below_from_p(-0.34, 0.27, 49, 50)
    high = intervals.two_sample_bound_above_from_p(-0.34, 0.27, 49, 50)
    assert low < -0.34 < high
    assert intervals.two_sample_p(-0.34, low, high, 49, 50) == pytest.approx(0.27)
    low = intervals.paired_bound_below_from_p(0.66, 0.022, 31)
    high = intervals.paired_bound_above_from_p(0.66, 0.022, 31)
    assert intervals.paired_p(0.66, low, high, 31) == pytest.approx(0.022)


def test_younger_by_hand() -> None:
    # t(27) with two-sided p 0.016 is 2.570; 10.8 / 2.570 = 4.20; 4.20 * sqrt(28) = 22.2.
    assert intervals.quantile(27, 0.008) == pytest.approx(2.570, abs=5e-4)
    assert intervals.se_from_p(10.8, 0.016, 27) == pytest.approx(4.20, abs=5e-3)
    assert spread.paired_sd_from_p(28.8, 18.0, 0.016, 28) == pytest.approx(22.2, abs=0.05)
    # 9.3 / 2.052 * sqrt(28) and 10.8 / 2.052 * sqrt(28).
    assert spread.sd_from_half_width(9.3, 28) == pytest.approx(24.0, abs=0.05)
    assert spread.sd_from_half_width(10.8, 28) == pytest.approx(27.9, abs=0.05)
    r = spread.correlation_from_p(28.8, 18.0, 0.016, 28, 9.3, 10.8)
    assert r == pytest.approx(0.64, abs=5e-3)


def test_the_implied_correlation_gives_the_p_back() -> None:
    sds = [spread.sd_from_half_width(width, 28) for width in (9.3, 10.8)]
    r = spread.correlation_from_p(28.8, 18.0, 0.016, 28, 9.3, 10.8)
    sd = sqrt(sds[0] ** 2 + sds[1] ** 2 - 2 * r * sds[0] * sds[1])
    assert 2 * stats.t.sf(10.8 / (sd / sqrt(28)), 27) == pytest.approx(0.016)


def test_pooled_sd_and_d_by_hand() -> None:
    # ((49 - 1) 1.3^2 + (50 - 1) 1.6^2) / 97 = (81.12 + 125.44) / 97 = 2.12948...
    assert spread.pooled_sd(1.3, 49, 1.6, 50) == pytest.approx(sqrt(206.56 / 97))
    assert spread.cohens_d(-0.34, 1.3, 49, 1.6, 50) == pytest.approx(0.34 / sqrt(206.56 / 97))
    assert spread.change_difference_d(-0.33, -0.64, 2.0, 47, 2.0, 49) == pytest.approx(0.155)


def test_sd_behind_a_contrast_makes_its_interval() -> None:
    rng = np.random.default_rng(20240101)
    x, y = rng.normal(0, 2, 30), rng.normal(1, 2, 34)
    test = stats.ttest_ind(x, y, equal_var=True)
    low, high = test.confidence_interval()
    pooled = spread.pooled_sd(float(x.std(ddof=1)), 30, float(y.std(ddof=1)), 34)
    assert spread.sd_behind_contrast(low, high, 30, 34) == pytest.approx(pooled)
    gap = x.mean() - y.mean()
    assert spread.d_from_interval(gap, low, high, 30, 34) == pytest.approx(abs(gap) / pooled)


def test_paired_sd_and_correlation_of_real_pairs() -> None:
    rng = np.random.default_rng(20240102)
    x = rng.normal(7, 1.4, 31)
    y = x - rng.normal(0.6, 1.5, 31)
    low, high = stats.ttest_rel(x, y).confidence_interval()
    assert spread.paired_sd(low, high, 31) == pytest.approx((x - y).std(ddof=1))
    found = spread.paired_correlation(low, high, 31, float(x.std(ddof=1)), float(y.std(ddof=1)))
    assert found == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_counts_and_percentages() -> None:
    assert counts.percentage(27, 31) == pytest.approx(87.0967741935)
    assert counts.count_from_percentage(92.2, 218) == 201
    assert counts.attainable_percentage(92.2, 218) == pytest.approx(100 * 201 / 218)
    assert counts.attainable_proportion(0.32, 28) == pytest.approx(9 / 28)
    assert counts.percentage_of_part(161, 92.2, 218) == pytest.approx(100 * 161 / 201)
    assert counts.total_of_four(16, 7, 3, 1) == 27


def test_a_percentage_that_no_count_gives_is_not_attained() -> None:
    assert counts.attainable_percentage(50.2, 20) == 50.0


def fisher_by_enumeration(x: int, n: int, y: int, m: int) -> float:
    total = x + y
    chance = {
        k: comb(n, k) * comb(m, total - k) / comb(n + m, total)
        for k in range(max(0, total - m), min(n, total) + 1)
    }
    return sum(p for p in chance.values() if p <= chance[x] * (1 + 1e-9))


def barnard_by_enumeration(x: int, n: int, y: int, m: int) -> float:
    def statistic(a: int, b: int) -> float:
        share = (a + b) / (n + m)
        variance = share * (1 - share) * (1 / n + 1 / m)
        return 0.0 if variance == 0 else abs(a / n - b / m) / sqrt(variance)

    observed = statistic(x, y)
    extreme = [
        (a, b) for a in range(n + 1) for b in range(m + 1) if statistic(a, b) >= observed - 1e-9
    ]
    a, b = np.array(extreme).T
    return max(
        float((stats.binom.pmf(a, n, share) * stats.binom.pmf(b, m, share)).sum())
        for share in np.linspace(0.001, 0.999, 999)
    )


def test_tests_of_two_proportions_against_enumeration() -> None:
    given_shares = (9 / 28, 28, 3 / 28, 28)
    assert two_proportions.fisher_p(*given_shares) == pytest.approx(
        fisher_by_enumeration(9, 28, 3, 28)
    )
    assert two_proportions.barnard_p(*given_shares) == pytest.approx(
        barnard_by_enumeration(9, 28, 3, 28), rel=1e-4
    )
    # Unequal arms tell rows from columns.
    assert two_proportions.barnard_p(0.5, 10, 0.1, 20) == pytest.approx(
        barnard_by_enumeration(5, 10, 2, 20), rel=1e-4
    )


def test_chi_square_tests_by_hand() -> None:
    # n (ad - bc)^2 / (row and column totals): 56 (9 * 25 - 19 * 3)^2 / (28 * 28 * 12 * 44).
    chi2 = 56 * (9 * 25 - 19 * 3) ** 2 / (28 * 28 * 12 * 44)
    assert two_proportions.pearson_p(9 / 28, 28, 3 / 28, 28) == pytest.approx(
        stats.chi2.sf(chi2, 1)
    )
    cells, expected = np.array([9, 19, 3, 25]), np.array([6, 22, 6, 22])
    g = 2 * float((cells * np.log(cells / expected)).sum())
    assert two_proportions.likelihood_ratio_p(9 / 28, 28, 3 / 28, 28) == pytest.approx(
        stats.chi2.sf(g, 1)
    )


def test_risk_ratio_and_its_interval_by_hand() -> None:
    ratio = (20 / 49) / (13 / 50)
    se = sqrt(1 / 20 - 1 / 49 + 1 / 13 - 1 / 50)
    z = stats.norm.ppf(0.975)
    assert two_proportions.risk_ratio(20, 49, 13, 50) == pytest.approx(ratio)
    assert two_proportions.risk_ratio_low(20, 49, 13, 50) == pytest.approx(ratio * np.exp(-z * se))
    assert two_proportions.risk_ratio_high(20, 49, 13, 50) == pytest.approx(ratio * np.exp(z * se))


def test_number_behind_a_rank_effect_size() -> None:
    z = stats.norm.isf(0.4 / 2)
    assert rank_tests.n_from_rank_r(0.4, float(z / sqrt(55))) == pytest.approx(55)


def test_mcnemar_over_the_joint_tables_that_the_margins_allow() -> None:
    # 3 of 4 and 2 of 4: one or two respond to both, so 2 against 1, or 1 against 0.
    margins = {"share": 0.75, "share_reference": 0.5, "n": 4.0}
    # Exact 1 and 1, mid-p 1 - 3/8 and 1 - 1/2, asymptotic chi-square 1/3 and 1, corrected 0 and 0.
    chi = [stats.chi2.sf(1 / 3, 1), stats.chi2.sf(1, 1)]
    every = sorted({1.0, 1 - 3 / 8, 0.5, *chi})
    for level in (0.4, 0.52, 0.6, 0.99):
        below = paired_proportions.mcnemar_nearest_p_below(**margins, level=level)
        above = paired_proportions.mcnemar_nearest_p_above(**margins, level=level)
        assert below == pytest.approx(max(p for p in every if p <= level))
        assert above == pytest.approx(min(p for p in every if p > level))
    assert np.isnan(paired_proportions.mcnemar_nearest_p_below(**margins, level=0.1))
    assert np.isnan(paired_proportions.mcnemar_nearest_p_above(**margins, level=1.0))


@given(up=st.integers(0, 12), down=st.integers(0, 12), both=st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_rarer_forms_of_mcnemar(up: int, down: int, both: int) -> None:
    if up + down == 0:
        return
    margins = {"share": (up + both) / 30, "share_reference": (down + both) / 30, "n": 30.0}
    expected = stats.power_divergence([up, down], lambda_="log-likelihood").pvalue
    found = paired_proportions.mcnemar_likelihood_ratio_p(**margins, both=both)
    assert found == pytest.approx(expected)
    z = max(abs(up - down) - 0.5, 0) / sqrt(up + down)
    found = paired_proportions.mcnemar_half_corrected_p(**margins, both=both)
    assert found == pytest.approx(2 * stats.norm.sf(z))
