"""Rank-sum test and Hodges-Lehmann shift: R, inversion of the test, invariances, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analyses.frames import arm_frame, grid_samples
from hypothesis import given, settings
from reference.loader import assert_close, reference_case

import trialkit as tk
from trialkit.kernels.rank_sum import exact_p_value
from trialkit.kernels.rank_sum import rank_sum as kernel

RTOL = 1e-9
CASE = "parallel/a_two_arm_week12"


def reference_row(outcome: str, **options: object) -> dict[str, object]:
    table = tk.rank_sum(
        reference_case(CASE).data(),
        outcome=outcome,
        arm="TRT01P",
        reference="Placebo",
        **options,  # type: ignore[arg-type]
    )
    return table.frame().iloc[0].to_dict()


@pytest.mark.reference
def test_exact_matches_r() -> None:
    expected = reference_case(CASE)["wilcoxon_exact"]
    row = reference_row("CHG", exact=True)
    assert row["w"] == row["statistic"] == expected["W"]
    assert_close(row["p_value"], expected["p_value"], RTOL)
    assert_close(row["estimate"], expected["hodges_lehmann"], RTOL, atol=1e-12)
    assert_close(row["ci_low"], expected["ci_low"], RTOL, atol=1e-12)
    assert_close(row["ci_high"], expected["ci_high"], RTOL, atol=1e-12)


@pytest.mark.reference
def test_the_default_is_exact_where_rs_is() -> None:
    data = reference_case(CASE).data().dropna(subset=["CHG"])
    is_small = (data.groupby("TRT01P")["CHG"].size() < 50).all()
    is_exact = is_small and not data["CHG"].duplicated().any()
    assert ("exact p" in str(reference_row("CHG")["method"])) == is_exact


@pytest.mark.reference
@pytest.mark.parametrize(
    ("continuity", "quantity"), [(False, "p_value_no_continuity"), (True, "p_value_continuity")]
)
def test_the_normal_approximation_matches_r(continuity: bool, quantity: str) -> None:
    expected = reference_case(CASE)["wilcoxon_asymptotic"]
    row = reference_row("CHG", exact=False, continuity=continuity)
    assert row["w"] == expected["W"]
    assert_close(row["p_value"], expected[quantity], RTOL)
    assert_close(row["ci_low"], expected["hl_ci_low_large_sample"], RTOL, atol=1e-12)
    assert_close(row["ci_high"], expected["hl_ci_high_large_sample"], RTOL, atol=1e-12)


@pytest.mark.reference
def test_ties_match_r() -> None:
    expected = reference_case(CASE)["wilcoxon_ties_nrsint"]
    plain = reference_row("NRSINT", exact=False, continuity=False)
    default = reference_row("NRSINT", exact=False)
    permuted = reference_row("NRSINT", exact=True)
    assert plain["w"] == expected["W"]
    assert_close(plain["p_value"], expected["p_value_no_continuity"], RTOL)
    assert_close(default["p_value"], expected["p_value_continuity"], RTOL)
    assert_close(permuted["p_value"], expected["p_value_exact_permutation"], RTOL)
    assert_close(plain["prob_superiority"], expected["prob_superiority"], RTOL)
    assert plain["estimate"] == expected["hodges_lehmann_median_of_differences"]
    assert len({plain["method"], default["method"], permuted["method"]}) == 3


def test_hollanders_permeability_example() -> None:
    # Hollander & Wolfe (1973), p. 69, the example of R's wilcox.test: one-sided exact p 0.1272.
    at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    earlier = [1.15, 0.88, 0.90, 0.74, 1.21]
    data = arm_frame(early=earlier, term=at_term)
    row = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="early", alternative="greater")
    found = row.single()
    assert found.statistic == 35
    assert found.p_value == pytest.approx(0.1272, abs=5e-5)
    assert found.ci_high == math.inf


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_the_interval_is_the_shifts_the_exact_test_keeps(alternative: str) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(0.5, 1, 9), rng.normal(size=7)
    level = 0.9
    found = tk.rank_sum(
        arm_frame(P=y, D=x),
        outcome="CHG",
        arm="ARM",
        reference="P",
        ci_level=level,
        alternative=alternative,  # type: ignore[arg-type]
    ).single()

    def is_kept(shift: float) -> bool:
        test = kernel(x - shift, y)
        return exact_p_value(test, alternative) > 1 - level  # type: ignore[arg-type]

    # The decision changes at pairwise differences only: try every gap between two of them.
    differences = np.sort(np.subtract.outer(x, y).ravel())
    gaps = [-1e6, *((differences[:-1] + differences[1:]) / 2), 1e6]
    kept = [is_kept(gap) for gap in gaps]
    low = -math.inf if kept[0] else differences[kept.index(True) - 1]
    high = math.inf if kept[-1] else differences[len(kept) - 1 - kept[::-1].index(True)]
    assert (found.ci_low, found.ci_high) == (low, high)
    assert found.estimate == pytest.approx(np.median(differences))


def test_the_level_attained_is_at_least_the_level_asked() -> None:
    data = arm_frame(P=range(6), D=[0.5, 3.5, 7, 9, 11, 12])
    frame = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P").frame()
    # 1 - 2 P(U <= 5) for six and six, from the table of the distribution: 19 of 924.
    assert frame["ci_level_attained"].item() == pytest.approx(1 - 2 * 19 / 924)


def test_null_moves_the_arm_and_its_rounding_makes_no_order() -> None:
    data = arm_frame(P=[0.3, 0.7, 1.2, 2.0], D=[0.6, 1.0, 1.5, 2.3])
    found = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P", null=0.3, exact=True).frame()
    assert found["w"].item() == 8.0  # every value ties with its own shift
    assert found["p_value"].item() == pytest.approx(1.0)
    assert found["prob_superiority"].item() == 10 / 16


def test_changes_that_differ_by_rounding_error_rank_as_tied_and_are_reported() -> None:
    noisy = arm_frame(P=[3.6 - 6.5, 1.0, 2.0], D=[4.1 - 7.0, 0.6 - 3.5, 5.0])
    clean = arm_frame(P=[-2.9, 1.0, 2.0], D=[-2.9, -2.9, 5.0])
    table = tk.rank_sum(noisy, outcome="CHG", arm="ARM", reference="P")
    truth = tk.rank_sum(clean, outcome="CHG", arm="ARM", reference="P")
    assert table.single().p_value == truth.single().p_value
    assert "floating-point error alone rank as tied" in table.notes[0]
    assert truth.notes != table.notes


@settings(deadline=None, max_examples=40)
@given(x=grid_samples(), y=grid_samples())
def test_invariances(x: list[float], y: list[float]) -> None:
    data = arm_frame(P=y, D=x)
    base = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P", exact=True).single()
    turned = tk.rank_sum(
        data.iloc[::-1], outcome="CHG", arm="ARM", reference="P", exact=True
    ).single()
    swapped = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="D", exact=True).single()
    scaled = tk.rank_sum(
        data.assign(CHG=data["CHG"] * 4 - 2), outcome="CHG", arm="ARM", reference="P", exact=True
    ).single()
    assert turned == base
    assert swapped.p_value == pytest.approx(base.p_value, rel=1e-12)
    assert swapped.estimate == -base.estimate
    assert (swapped.ci_low, swapped.ci_high) == (-base.ci_high, -base.ci_low)
    assert scaled.p_value == base.p_value
    assert (scaled.estimate, scaled.ci_low) == (4 * base.estimate, 4 * base.ci_low)


def test_too_few_to_bound_the_shift_is_said() -> None:
    table = tk.rank_sum(
        arm_frame(P=[1, 2, 3], D=[4, 5, 6]), outcome="CHG", arm="ARM", reference="P"
    )
    row = table.single()
    assert row.p_value == pytest.approx(0.1)
    assert (row.ci_low, row.ci_high) == (-math.inf, math.inf)
    assert table.notes == ("D - P: 3 and 3 subjects cannot bound the shift at 95%.",)
    at_90 = tk.rank_sum(
        arm_frame(P=[1, 2, 3], D=[4, 5, 6]), outcome="CHG", arm="ARM", reference="P", ci_level=0.9
    )
    assert (at_90.single().ci_low, at_90.single().ci_high) == (1, 5)
    assert at_90.frame()["ci_level_attained"].item() == pytest.approx(0.9)
    assert at_90.notes == ()


@pytest.mark.parametrize(("n_arm", "n_ref", "is_exact"), [(49, 49, True), (50, 3, False)])
def test_exact_by_default_below_fifty_in_each_arm(n_arm: int, n_ref: int, is_exact: bool) -> None:
    data = arm_frame(P=np.arange(n_ref) + 0.5, D=np.arange(n_arm))
    row = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P").single()
    assert ("exact p" in row.method) == is_exact


def test_one_sided_intervals_are_open_on_the_other_side_without_a_note() -> None:
    data = arm_frame(P=range(8), D=[v + 0.5 for v in range(8)])
    less = tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P", alternative="less")
    assert less.single().ci_low == -math.inf < less.single().ci_high < math.inf
    assert less.notes == ()


def test_large_arms_need_no_matrix_of_differences() -> None:
    rng = np.random.default_rng(11)
    x, y = np.round(rng.normal(1, 1, 4000), 2), np.round(rng.normal(0, 1, 4000), 2)
    row = tk.rank_sum(arm_frame(P=y, D=x), outcome="CHG", arm="ARM", reference="P").single()
    assert row.ci_low < row.estimate < row.ci_high
    assert row.estimate == pytest.approx(1, abs=0.1)


def test_refusals() -> None:
    data = arm_frame(P=[2.0, 2.0], D=[2.0, 2.0])
    with pytest.raises(tk.DataError, match="constant in both arms of D - P: no rank test"):
        tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P")
    with pytest.raises(tk.SpecError, match="not to exact=True"):
        tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P", exact=True, continuity=False)
    big = arm_frame(P=np.arange(600.0), D=np.arange(600.0) + 0.5)
    with pytest.raises(tk.SpecError, match="600 and 600 subjects would take too long; use"):
        tk.rank_sum(big, outcome="CHG", arm="ARM", reference="P", exact=True)


@pytest.mark.parametrize("choice", [{"exact": "yes"}, {"continuity": 1}])
def test_choices_of_yes_or_no(choice: dict[str, object]) -> None:
    data = arm_frame(D=[4.0, 5.0, 6.0], P=[1.0, 2.0, 3.0])
    with pytest.raises(tk.SpecError, match="allowed: True, False, None"):
        tk.rank_sum(data, outcome="CHG", arm="ARM", reference="P", **choice)  # type: ignore[arg-type]
