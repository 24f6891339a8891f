"""Tests over all arms: R, pingouin, published examples, invariances, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from analyses.frames import arm_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case

import trialkit as tk

CASE_A = "parallel/a_two_arm_week12"
CASE_B = "parallel/b_three_arm_strata"
RTOL = 1e-9

# Dobson (1983), dried weight of plants under a control and two treatments (R's PlantGrowth).
PLANTS = arm_frame(
    ctrl=[4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
    trt1=[4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
    trt2=[6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
)
# Hollander & Wolfe (1973), p. 116, mucociliary efficiency.
MUCUS = arm_frame(
    normal=[2.9, 3.0, 2.5, 2.6, 3.2],
    obstructive=[3.8, 2.7, 4.0, 2.4],
    asbestosis=[2.8, 3.4, 3.7, 2.2, 2.0],
)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("analysis", "test", "statistic", "has_den_df"),
    [
        ("oneway", tk.one_way_anova, "F", True),
        ("welch_anova", tk.welch_anova, "F", True),
        ("kruskal", tk.kruskal_wallis, "chisq", False),
    ],
)
def test_three_arms_match_r(
    analysis: str, test: Callable[..., tk.TestTable], statistic: str, has_den_df: bool
) -> None:
    case = reference_case(CASE_B)
    expected = case[analysis]
    row = test(case.data(), outcome="CHG", arm="TRT01P").tests[0]
    assert_close([row.statistic, row.p_value], [expected[statistic], expected["p_value"]], RTOL)
    if has_den_df:
        assert_close([row.num_df, row.den_df], [expected["df1"], expected["df2"]], RTOL)
    else:
        assert (row.num_df, row.den_df) == (expected["df"], math.inf)


@pytest.mark.reference
@pytest.mark.parametrize(
    ("center", "prefix"), [("median", "brown_forsythe"), ("mean", "levene_mean")]
)
def test_levene_matches_r(center: str, prefix: str) -> None:
    case = reference_case(CASE_A)
    expected = case["variance_tests"]
    row = tk.levene(case.data(), outcome="CHG", arm="TRT01P", center=center).tests[0]  # type: ignore[arg-type]
    truth = [expected[f"{prefix}_F"], expected[f"{prefix}_p"]]
    assert_close([row.statistic, row.p_value], truth, RTOL)
    n = case.data()["CHG"].notna().sum()
    assert (row.num_df, row.den_df) == (1, n - 2)


@pytest.mark.reference
def test_shapiro_of_the_ancovas_residuals_matches_r() -> None:
    case = reference_case(CASE_A)
    data = case.data().dropna(subset=["CHG"])
    design = np.column_stack([np.ones(len(data)), data["TRT01P"] != "Placebo", data["BASE"]])
    coefficients = np.linalg.lstsq(design.astype(float), data["CHG"], rcond=None)[0]
    residuals = pd.DataFrame({"RESID": data["CHG"] - design.astype(float) @ coefficients})
    row = tk.shapiro_wilk(residuals, outcome="RESID").tests[0]
    expected = case["variance_tests"]
    assert_close(row.statistic, expected["shapiro_W"], RTOL)
    assert_close(row.p_value, expected["shapiro_p"], 1e-6)


def test_plant_growth() -> None:
    # R: anova(lm(weight ~ group)) 4.8461, p 0.01591; oneway.test 5.181, 17.128, p 0.01739;
    # car::leveneTest 1.1192, p 0.3412.
    anova = tk.one_way_anova(PLANTS, outcome="CHG", arm="ARM").tests[0]
    welch = tk.welch_anova(PLANTS, outcome="CHG", arm="ARM").tests[0]
    levene = tk.levene(PLANTS, outcome="CHG", arm="ARM").tests[0]
    assert (anova.statistic, anova.p_value) == pytest.approx((4.8461, 0.01591), abs=5e-5)
    assert (welch.statistic, welch.den_df) == pytest.approx((5.181, 17.128), abs=5e-4)
    assert welch.p_value == pytest.approx(0.01739, abs=5e-6)
    assert (levene.statistic, levene.p_value) == pytest.approx((1.1192, 0.3412), abs=5e-5)


def test_mucociliary_efficiency() -> None:
    # R: kruskal.test chi-squared 0.77143, df 2, p 0.68.
    row = tk.kruskal_wallis(MUCUS, outcome="CHG", arm="ARM").tests[0]
    assert row.statistic == pytest.approx(0.77143, abs=5e-6)
    assert row.p_value == pytest.approx(0.68, abs=5e-4)


@pytest.mark.filterwarnings("ignore::Warning:pingouin")
def test_welch_agrees_with_pingouin() -> None:
    import pingouin

    truth = pingouin.welch_anova(data=MUCUS, dv="CHG", between="ARM").iloc[0]
    row = tk.welch_anova(MUCUS, outcome="CHG", arm="ARM").tests[0]
    assert_close(
        [row.num_df, row.den_df, row.statistic, row.p_value],
        [float(value) for value in truth.iloc[1:5]],
        1e-11,
    )


def test_with_two_arms_they_are_the_two_sample_tests() -> None:
    data = PLANTS[PLANTS["ARM"] != "trt2"]
    kwargs = {"outcome": "CHG", "arm": "ARM"}
    welch, student = (
        tk.ttest(data, reference="ctrl", equal_var=equal, **kwargs).single()  # type: ignore[arg-type]
        for equal in (False, True)
    )
    anova = tk.one_way_anova(data, **kwargs).tests[0]
    welch_f = tk.welch_anova(data, **kwargs).tests[0]
    rank = tk.rank_sum(data, reference="ctrl", exact=False, continuity=False, **kwargs).single()  # type: ignore[arg-type]
    assert_close([anova.statistic, anova.p_value], [student.statistic**2, student.p_value], 1e-10)
    assert_close(
        [welch_f.statistic, welch_f.den_df, welch_f.p_value],
        [welch.statistic**2, welch.df, welch.p_value],
        1e-10,
    )
    kruskal = tk.kruskal_wallis(data, **kwargs).tests[0]
    assert_close([kruskal.statistic, kruskal.p_value], [rank.statistic**2, rank.p_value], 1e-10)


ALL = [tk.one_way_anova, tk.welch_anova, tk.kruskal_wallis, tk.levene]


@pytest.mark.parametrize("test", ALL)
@settings(deadline=None, max_examples=10)
@given(st.permutations(["ctrl", "trt1", "trt2"]), st.integers(1, 9))
def test_invariances(test: Callable[..., tk.TestTable], labels: list[str], scale: int) -> None:
    names = dict(zip(["ctrl", "trt1", "trt2"], labels, strict=True))
    changed = PLANTS.assign(ARM=PLANTS["ARM"].map(names), CHG=PLANTS["CHG"] * scale + 3).iloc[::-1]
    base = test(PLANTS, outcome="CHG", arm="ARM").tests[0]
    found = test(changed, outcome="CHG", arm="ARM").tests[0]
    assert found.statistic == pytest.approx(base.statistic, rel=1e-9)


@pytest.mark.parametrize("test", ALL)
def test_missing_outcomes_are_counted(test: Callable[..., tk.TestTable]) -> None:
    data = PLANTS.assign(CHG=PLANTS["CHG"].where(PLANTS.index % 7 != 0))
    table = test(data, outcome="CHG", arm="ARM")
    assert table.frame()[["term", "n", "n_missing"]].iloc[0].tolist() == ["ARM", 25, 5]
    assert table.notes == ("5 rows excluded, CHG missing.",)
    assert test(data.dropna(), outcome="CHG", arm="ARM").tests == table.tests


def test_kruskal_ranks_rounding_error_as_tied() -> None:
    noisy = arm_frame(P=[3.6 - 6.5, 1.0, 2.0], D=[4.1 - 7.0, 0.6 - 3.5, 5.0])
    clean = arm_frame(P=[-2.9, 1.0, 2.0], D=[-2.9, -2.9, 5.0])
    found, truth = (
        tk.kruskal_wallis(data, outcome="CHG", arm="ARM").tests[0] for data in (noisy, clean)
    )
    assert found == truth


def test_shapiro_by_arm_is_that_of_each_arm_alone() -> None:
    table = tk.shapiro_wilk(PLANTS, outcome="CHG", arm="ARM")
    assert list(table.frame()["arm"]) == ["ctrl", "trt1", "trt2"]
    alone = tk.shapiro_wilk(PLANTS[PLANTS["ARM"] == "trt1"], outcome="CHG")
    assert table.where(arm="trt1").tests == alone.tests
    assert alone.frame()["term"].item() == "CHG"
    assert math.isnan(table.tests[0].num_df)


def test_shapiro_counts_missing_values() -> None:
    data = pd.DataFrame({"RESID": [1.0, 2.0, 4.0, None]})
    table = tk.shapiro_wilk(data, outcome="RESID")
    assert table.frame()[["n", "n_missing"]].iloc[0].tolist() == [3, 1]
    assert table.notes == ("1 rows excluded, RESID missing.",)


CONSTANT = arm_frame(P=[1, 1], D=[2, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tk.one_way_anova(CONSTANT, outcome="CHG", arm="ARM"), "constant in every arm"),
        (
            lambda: tk.welch_anova(arm_frame(P=[1, 1], D=[2, 3]), outcome="CHG", arm="ARM"),
            "constant in arm 'P'",
        ),
        (
            lambda: tk.kruskal_wallis(arm_frame(P=[1, 1], D=[1]), outcome="CHG", arm="ARM"),
            "constant in all arms together",
        ),
        (
            lambda: tk.levene(arm_frame(P=[1, 5], D=[2, 3]), outcome="CHG", arm="ARM"),
            "'distance of CHG from the median' is constant in every arm",
        ),
        (
            lambda: tk.one_way_anova(arm_frame(P=[1, 2], D=[2]), outcome="CHG", arm="ARM"),
            "Arm 'D' has 1 observed",
        ),
        (
            lambda: tk.shapiro_wilk(pd.DataFrame({"R": [1.0, 2.0]}), outcome="R"),
            "has 2 values in all rows; Shapiro-Wilk takes 3 to 5000",
        ),
        (
            lambda: tk.shapiro_wilk(pd.DataFrame({"R": np.arange(5001.0)}), outcome="R"),
            "5001 values",
        ),
        (
            lambda: tk.shapiro_wilk(pd.DataFrame({"R": [2.0, 2.0, 2.0]}), outcome="R"),
            "'R' is constant in all rows",
        ),
        (
            lambda: tk.shapiro_wilk(
                pd.DataFrame({"R": [2.0, 1.0, 2.0], "S": [1, 1, 2]}), outcome="R", subject="S"
            ),
            "have more than one row",
        ),
    ],
)
def test_refuses_wrong_data(call: Callable[[], object], message: str) -> None:
    with pytest.raises(tk.DataError, match=message):
        call()


def test_refuses_another_centre() -> None:
    with pytest.raises(tk.SpecError, match="center='trimmed' is not offered; allowed: median"):
        tk.levene(PLANTS, outcome="CHG", arm="ARM", center="trimmed")  # type: ignore[arg-type]
