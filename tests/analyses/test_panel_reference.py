"""compare_panel against R: t.test, wilcox.test, p.adjust, limma, multtest, survreg, own R."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.panels import PAIRED, PARALLEL
from reference.loader import ReferenceCase, assert_close, reference_case

import trialkit as tk
from trialkit.kernels.order_statistics_regression import (
    left_censored_mean,
    left_censored_quantile,
    regress_on_order,
)
from trialkit.kernels.tobit_rows import tobit_rows

pytestmark = pytest.mark.reference

# The tolerances of the cases' READMEs.
RTOL_A, RTOL_B, RTOL_PRIOR = 1e-9, 1e-8, 1e-6
COLUMNS = {name: name for name in ("estimate", "se", "statistic", "p_value", "ci_low", "ci_high")}
ADJUSTED = {
    "fdr_bh": "bh",
    "fdr_by": "by",
    "holm": "holm",
    "hochberg": "hochberg",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
}
WESTFALL_YOUNG = {
    "p_permutation": "p_raw_permutation",
    "p_single_step": "p_maxT_single_step",
    "p_adjusted": "p_maxT_step_down",
}
LIMMA = {
    "estimate": "estimate",
    "statistic": "statistic",
    "df": "df_total",
    "p_value": "p_value",
    "ci_low": "ci_low",
    "ci_high": "ci_high",
    "p_adjusted": "bh",
    "ave_expr": "ave_expr",
    "sigma": "sigma",
    "df_residual": "df_residual",
    "s2_post": "s2_post",
    "df_total": "df_total",
    "log_odds": "B",
}
LIMMA_PRIOR = {"s2_prior": "s2_prior", "df_prior": "df_prior"}


@pytest.fixture(scope="module")
def paired() -> ReferenceCase:
    return reference_case("panel/a_prepost_63_analytes")


@pytest.fixture(scope="module")
def arms() -> ReferenceCase:
    return reference_case("panel/b_two_arm_26_left_censored")


def compare_a(case: ReferenceCase, **options: Any) -> pd.DataFrame:
    table = tk.compare_panel(case.data(), **{**PAIRED, "transform": "none", **options})
    return table.frame().set_index("analyte")


def measured_above_the_limit(case: ReferenceCase) -> pd.DataFrame:
    """The case's data; a value that stands at its limit without a flag a rounding above it.

    A value at the limit counts as censored, and the case's flags say which were measured.
    """
    data = case.data()
    for value, flag in (("AVAL", "AVALBLQ"), ("BASE", "BASEBLQ")):
        at_limit = (data[value] <= data["LLOQ"]) & (data[flag] == 0)
        data.loc[at_limit, value] = np.nextafter(data.loc[at_limit, "LLOQ"], np.inf)
    return data


def compare_b(case: ReferenceCase, **options: Any) -> pd.DataFrame:
    baseline = {"baseline": "BASE", "baseline_lloq": "LLOQ"}
    table = tk.compare_panel(
        measured_above_the_limit(case), **{**PARALLEL, "lloq": "LLOQ", **baseline, **options}
    )
    return table.frame().set_index("analyte")


def check(
    frame: pd.DataFrame, expected: pd.DataFrame, columns: dict[str, str], rtol: float
) -> None:
    expected = expected.set_index("PARAMCD")
    assert set(frame.index) == set(expected.index)
    for ours, rs in columns.items():
        found = frame.loc[expected.index, ours]
        assert_close(found, expected[rs], rtol, atol=0.0 if rtol else 1e-14)


def check_limma(frame: pd.DataFrame, expected: pd.DataFrame, rtol: float) -> None:
    check(frame, expected, LIMMA, rtol)
    check(frame, expected, LIMMA_PRIOR, RTOL_PRIOR)


def test_paired_t(paired: ReferenceCase) -> None:
    frame = compare_a(paired)
    columns = {**COLUMNS, "df": "df", "fold_change": "fold_change"}
    check(frame, paired.table("paired_t"), columns, RTOL_A)
    assert (frame["status"] == "ok").all()


@pytest.mark.parametrize("adjust", ADJUSTED)
def test_adjusted_p_values(paired: ReferenceCase, arms: ReferenceCase, adjust: str) -> None:
    """`adjusted_paired_t`, `adjusted_signed_rank`, `tobit_adjusted`."""
    columns = {"p_value": "p_value", "p_adjusted": ADJUSTED[adjust]}
    check(compare_a(paired, adjust=adjust), paired.table("adjusted_paired_t"), columns, RTOL_A)
    ranked = compare_a(paired, adjust=adjust, test="wilcoxon")
    check(ranked, paired.table("adjusted_signed_rank"), columns, RTOL_A)
    if (arms.table("tobit_ancova")["n_censored"] > 0).all():
        check(compare_b(arms, adjust=adjust), arms.table("tobit_adjusted"), columns, RTOL_B)


def test_signed_rank(paired: ReferenceCase) -> None:
    frame = compare_a(paired, test="wilcoxon")
    columns = {"statistic": "V", "p_value": "p_signed_rank_exact"}
    check(frame, paired.table("paired_t"), columns, RTOL_A)


def test_complete_enumeration_of_sign_flips(paired: ReferenceCase) -> None:
    frame = compare_a(paired, adjust="maxt")
    expected = paired["westfall_young_complete"]
    check(frame, paired.table("westfall_young_complete"), WESTFALL_YOUNG, 0)
    frame["abs_t"] = frame["statistic"].abs()
    check(frame, paired.table("westfall_young_complete"), {"abs_t": "abs_t"}, RTOL_A)
    assert f"all {expected['n_rearrangements']} exchanges" in frame["method"].iloc[0]
    assert "p_adjusted_se" not in frame


@pytest.mark.parametrize(
    ("analysis", "options", "rtol"),
    [
        ("limma_differences", {}, RTOL_A),
        ("limma_differences_trend", {"trend": True}, RTOL_PRIOR),
        ("limma_differences_robust", {"robust": True}, RTOL_PRIOR),
    ],
)
def test_moderated_differences(
    paired: ReferenceCase, analysis: str, options: dict[str, Any], rtol: float
) -> None:
    check_limma(compare_a(paired, moderated=True, **options), paired.table(analysis), rtol)


@pytest.mark.parametrize(
    ("analysis", "options", "rtol"),
    [("limma_block", {}, RTOL_A), ("limma_block_trend", {"trend": "level"}, RTOL_PRIOR)],
)
def test_moderated_blocks(
    paired: ReferenceCase, analysis: str, options: dict[str, Any], rtol: float
) -> None:
    """Variances of a difference are twice those that limma has with subjects as blocks."""
    frame = compare_a(paired, moderated=True, **options)
    frame["sigma"] /= np.sqrt(2)
    frame[["s2_prior", "s2_post"]] /= 2
    expected = paired.table(analysis)
    columns = {k: v for k, v in LIMMA.items() if k != "ave_expr" or options}
    check(frame, expected, columns, rtol)
    check(frame, expected, LIMMA_PRIOR, RTOL_PRIOR)


def test_tobit(arms: ReferenceCase) -> None:
    frame = compare_b(arms)
    columns = {**COLUMNS, "n": "n", "n_censored": "n_censored"}
    expected = arms.table("tobit_ancova")
    is_censored = expected["n_censored"] > 0
    names = expected["PARAMCD"]
    check(frame.loc[names[is_censored]], expected[is_censored], columns, RTOL_B)
    assert np.isinf(frame.loc[names[is_censored], "df"]).all()
    # An analyte without a censored value has the exact test of its ANCOVA.
    exact = arms.table("complete_case_ancova")[~is_censored]
    check(frame.loc[names[~is_censored]], exact, {**COLUMNS, "df": "df", "n": "n"}, RTOL_B)


def test_tobit_nuisance_parameters(arms: ReferenceCase) -> None:
    """Intercept, slope, sigma and likelihood of `tobit_ancova`, from the kernel."""
    expected = arms.table("tobit_ancova").set_index("PARAMCD")
    data = arms.data()
    for name, rows in data.groupby("PARAMCD", observed=True):
        base = np.log2(np.where(rows["BASEBLQ"] == 1, rows["LLOQ"] / 2, rows["BASE"]))
        treated = (rows["TRT01P"] != "Placebo").to_numpy(float)
        x = np.column_stack([np.ones(len(rows)), base, treated])
        side = -rows["AVALBLQ"].to_numpy(dtype=np.int64)[None]
        fit = tobit_rows(np.log2(rows["AVAL"].to_numpy())[None], side, x)
        found = [*fit.coef[0, :2], np.sqrt(fit.vcov[0, 1, 1]), fit.sigma[0], fit.log_likelihood[0]]
        columns = ["intercept", "slope_base", "se_slope_base", "sigma", "logLik"]
        assert_close(found, expected.loc[name, columns], RTOL_B)


@pytest.mark.parametrize(
    ("analysis", "rule"), [("complete_case_ancova", "drop"), ("substitution_ancova", "half")]
)
def test_other_rules(arms: ReferenceCase, analysis: str, rule: str) -> None:
    columns = {**COLUMNS, "df": "df", "n": "n"}
    check(compare_b(arms, censoring=rule), arms.table(analysis), columns, RTOL_B)


def test_rank_sum_of_substituted_values(arms: ReferenceCase) -> None:
    """`wilcoxon_substitution`: without continuity correction, through tk.rank_sum."""
    data = arms.data()
    value = np.where(data["AVALBLQ"] == 1, data["LLOQ"] / 2, data["AVAL"])
    data = data.assign(LOG=np.log2(value))
    expected = arms.table("wilcoxon_substitution").set_index("PARAMCD")
    for name, rows in data.groupby("PARAMCD", observed=True):
        table = tk.rank_sum(
            rows, outcome="LOG", arm="TRT01P", reference="Placebo", exact=False, continuity=False
        ).frame()
        assert_close(table["w"], expected.loc[[name], "W"], RTOL_B)
        assert_close(table["p_value"], expected.loc[[name], "p_no_continuity"], RTOL_B)


def test_censored_summaries(arms: ReferenceCase) -> None:
    """Lognormal maximum likelihood, robust ROS and left-censored Kaplan-Meier, by arm."""
    data = arms.data()
    for row in arms.table("censored_summaries").to_dict("records"):
        part = data[(data["PARAMCD"] == row["PARAMCD"]) & (data["TRT01P"] == row["arm"])]
        values, censored = part["AVAL"].to_numpy(), part["AVALBLQ"].to_numpy() == 1
        assert (len(part), censored.sum()) == (row["n"], row["n_censored"])
        ones = np.ones((len(part), 1))
        ml = tobit_rows(np.log(values)[None], -censored.astype(np.int64)[None], ones)
        mu, sigma = ml.coef[0, 0], ml.sigma[0]
        assert_close([mu, sigma], [row["mle_mu_log"], row["mle_sigma_log"]], RTOL_B)
        moments = [np.exp(mu + sigma**2 / 2), np.exp(mu)]
        assert_close(moments, [row["mle_mean"], row["mle_median"]], RTOL_B)
        if censored.any() and np.unique(values[~censored]).size < 2:
            assert np.isnan([row["ros_mean"], row["ros_sd"], row["ros_median"]]).all()
        elif censored.any():
            ros = regress_on_order(np.log(values), censored)
            filled = np.exp(ros.completed)
            found = [filled.mean(), filled.std(ddof=1), np.median(filled)]
            assert_close(found, [row["ros_mean"], row["ros_sd"], row["ros_median"]], RTOL_B)
            line = [ros.intercept, ros.slope]
            assert_close(line, [row["ros_intercept"], row["ros_slope"]], RTOL_B)
        else:
            assert_close(row["ros_mean"], values.mean(), RTOL_B)
        logs = np.log2(values)
        assert_close(left_censored_mean(logs, censored), row["km_mean_log2"], RTOL_B)
        for share, column in ((0.25, "km_q25"), (0.5, "km_median"), (0.75, "km_q75")):
            found = left_censored_quantile(logs, censored, share)
            assert_close(found, row[f"{column}_log2"], RTOL_B)


def test_the_summary_of_a_panel(arms: ReferenceCase) -> None:
    """`censored_summaries` through `PanelTable.summary`."""
    table = tk.compare_panel(measured_above_the_limit(arms), **PARALLEL, lloq="LLOQ")
    found = table.summary().frame().set_index(["analyte", "condition"])
    expected = arms.table("censored_summaries").set_index(["PARAMCD", "arm"])
    assert set(found.index) == set(expected.index)
    columns = ["km_mean_log2", "km_median_log2", "ros_mean", "ros_sd", "ros_median"]
    columns += ["mle_mean", "mle_median", "n"]
    names = {name: name for name in columns}
    names |= {"km_q1_log2": "km_q25_log2", "km_q3_log2": "km_q75_log2"}
    part = found.loc[expected.index]
    assert_close(part["n_below"], expected["n_censored"], RTOL_B)
    # One measured value: R maximises the likelihood all the same, the summary says it does not.
    single = part["status"].str.contains("one measured value")
    likelihood = [name for name in part if name.startswith("mle_")]
    assert part.loc[single, likelihood].isna().all(axis=None)
    assert (part.loc[single, "n"] - part.loc[single, "n_below"] >= 1).all()
    for ours, rs in names.items():
        chosen = ~single | (not ours.startswith("mle_"))
        assert_close(part.loc[chosen, ours], expected.loc[chosen, rs], RTOL_B)
    part, expected = part[~single], expected[~single]
    assert_close(part["mle_sd_log2"] * np.log(2), expected["mle_sigma_log"], RTOL_B)
    assert_close(part["mle_mean_log2"] * np.log(2), expected["mle_mu_log"], RTOL_B)


@pytest.mark.parametrize(
    ("analysis", "options"),
    [
        ("limma_change", {"outcome": "change"}),
        ("limma_change_trend", {"outcome": "change", "trend": True}),
        ("limma_level", {"baseline": None, "baseline_lloq": None}),
    ],
)
def test_moderated_with_covariates(
    arms: ReferenceCase, analysis: str, options: dict[str, Any]
) -> None:
    frame = compare_b(arms, covariates=("AGE", "SEX"), moderated=True, censoring="half", **options)
    check_limma(frame, arms.table(analysis), RTOL_PRIOR if "trend" in options else RTOL_B)


@pytest.mark.parametrize(
    ("analysis", "test"), [("westfall_young_student", "t"), ("westfall_young_welch", "welch")]
)
def test_max_t_on_given_arrangements(arms: ReferenceCase, analysis: str, test: str) -> None:
    frame = compare_b(
        arms,
        outcome="change",
        censoring="half",
        test=test,
        adjust="maxt",
        permutations=arms.data("permutations.csv"),
    )
    check(frame, arms.table(analysis), WESTFALL_YOUNG, 0)
    frame["abs_t"] = frame["statistic"].abs()
    check(frame, arms.table(analysis), {"abs_t": "abs_t"}, RTOL_B)
    n = arms[analysis]["n_rearrangements"]
    assert f"{n} given arrangements" in frame["method"].iloc[0]


TESTED = {
    "panel/a_prepost_63_analytes": {
        "paired_t",
        "adjusted_paired_t",
        "adjusted_signed_rank",
        "westfall_young_complete",
        "limma_differences",
        "limma_differences_trend",
        "limma_differences_robust",
        "limma_block",
        "limma_block_trend",
    },
    "panel/b_two_arm_26_left_censored": {
        "tobit_ancova",
        "tobit_adjusted",
        "complete_case_ancova",
        "substitution_ancova",
        "wilcoxon_substitution",
        "censored_summaries",
        "limma_change",
        "limma_change_trend",
        "limma_level",
        "westfall_young_student",
        "westfall_young_welch",
    },
}


@pytest.mark.parametrize("case", TESTED)
def test_every_analysis_of_the_case_is_tested(case: str) -> None:
    assert set(reference_case(case).analyses) == TESTED[case]
