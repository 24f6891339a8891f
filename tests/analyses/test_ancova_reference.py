"""ANCOVA, LS means, contrasts and term tests against R: lm, emmeans, sandwich, car, multcomp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from reference.loader import ReferenceCase, assert_close, reference_case

import trialkit as tk
from trialkit.analyses.ancova import AncovaFit
from trialkit.results import Estimate, EstimateTable

pytestmark = pytest.mark.reference

# The tolerances that the cases' READMEs give.
RTOL, RTOL_DUNNETT, RTOL_TUKEY = 1e-9, 1e-7, 1e-6
# car's sum of squares of a nearly vanishing intercept has lost digits to cancellation: in exact
# rational arithmetic ours agrees to 4e-12 where R's differs by 7e-9. Absolute, in units of F.
ATOL_F = 1e-12

COLUMNS = ["estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high"]
TWO_ARMS = "parallel/a_two_arm_week12"
THREE_ARMS = "parallel/b_three_arm_strata"


def r_terms(columns: tuple[str, ...], **renamed: str) -> list[str]:
    """Our spelling of coefficients as R's: "TRT01P[T.x]" is "TRT01Px"."""
    spelled = [name.replace("[T.", "").replace("]", "") for name in columns]
    for ours, rs in {"Intercept": "(Intercept)", **renamed}.items():
        spelled = [name.replace(ours, rs) for name in spelled]
    return spelled


def assert_same_rows(
    table: EstimateTable, expected: pd.DataFrame, keys: dict[str, str], rtol: float = RTOL
) -> None:
    frame = table.frame()
    for ours, rs in keys.items():
        assert frame[ours].tolist() == expected[rs].tolist()
    assert_close(frame[COLUMNS], expected[COLUMNS], rtol=rtol)
    assert (frame["status"] == "ok").all()


def assert_same_tests(table: tk.TestTable, expected: pd.DataFrame, *, rss: float) -> None:
    frame = table.frame()
    residual = expected[expected["term"] == "Residuals"].iloc[0]
    expected = expected[expected["term"] != "Residuals"]
    assert [name.replace("Intercept", "(Intercept)") for name in frame["term"]] == expected[
        "term"
    ].tolist()
    assert_close(frame["num_df"], expected["df"], rtol=0)
    assert_close(frame["den_df"], np.full(len(frame), residual["df"]), rtol=0)
    assert_close(frame["statistic"], expected["statistic"], rtol=RTOL, atol=ATOL_F)
    assert_close(frame["p_value"], expected["p_value"], rtol=RTOL, atol=ATOL_F)
    assert_close(frame["sum_sq"], expected["sum_sq"], rtol=RTOL, atol=ATOL_F * rss)
    assert_close(rss, residual["sum_sq"], rtol=RTOL)


@pytest.fixture(scope="module")
def two() -> ReferenceCase:
    return reference_case(TWO_ARMS)


@pytest.fixture(scope="module")
def three() -> ReferenceCase:
    return reference_case(THREE_ARMS)


@pytest.fixture(scope="module")
def three_fit(three: ReferenceCase) -> AncovaFit:
    return tk.ancova(
        "CHG ~ TRT01P + BASE + STRATA1 + STRATA2",
        three.data(),
        arm="TRT01P",
        reference="Placebo",
        subject="USUBJID",
    )


@pytest.fixture(scope="module")
def interaction_fit(three: ReferenceCase) -> AncovaFit:
    return tk.ancova(
        "CHG ~ TRT01P*STRATA1 + TRT01P:BASE + BASE + STRATA2",
        three.data(),
        arm="TRT01P",
        reference="Placebo",
    )


@pytest.mark.parametrize("outcome", ["CHG", "AVAL"])
def test_ancova_of_two_arms(two: ReferenceCase, outcome: str) -> None:
    """`ancova_chg`, `ancova_aval`."""
    expected = two[f"ancova_{outcome.lower()}"]
    fit = tk.ancova(f"{outcome} ~ TRT01P + BASE", two.data(), arm="TRT01P", reference="Placebo")
    coefficients = pd.DataFrame(expected["coefficients"])
    assert r_terms(fit.columns) == coefficients["term"].tolist()
    assert_close(fit.coefficients().frame()[COLUMNS], coefficients[COLUMNS], rtol=RTOL)
    assert_same_rows(fit.lsmeans(), pd.DataFrame(expected["lsmeans"]), {"arm": "TRT01P"})
    assert_same_rows(
        fit.contrasts(), pd.DataFrame(expected["differences"]), {"contrast": "contrast"}
    )
    if outcome == "CHG":
        assert_close(fit.sigma, expected["sigma"], rtol=RTOL)
        assert_close(fit.r_squared, expected["r_squared"], rtol=RTOL)
        assert_close(fit.adj_r_squared, expected["adj_r_squared"], rtol=RTOL)
        assert_close(fit.model_frame.covariate_means["BASE"], expected["base_mean"], rtol=RTOL)
        assert fit.n == expected["n"]
        assert r_terms(fit.columns) == expected["vcov"]["rows"]
        assert_close(fit.vcov, expected["vcov"]["values"], rtol=RTOL)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3", "HC4"])
def test_robust_covariance(two: ReferenceCase, kind: str) -> None:
    """`ancova_robust`, and the robust part of `ancova_interaction`."""
    table = two.table("ancova_robust")
    fit = tk.ancova("CHG ~ TRT01P + BASE", two.data(), arm="TRT01P", reference="Placebo", vcov=kind)
    expected = table[table["type"] == kind]
    assert r_terms(fit.columns) == expected["term"].tolist()
    assert_close(fit.coefficients().frame()[COLUMNS], expected[COLUMNS], rtol=RTOL)
    robust = two.table("ancova_interaction", "robust")
    expected = robust[robust["type"] == kind]
    if len(expected):
        fit = tk.ancova(
            "CHG ~ TRT01P*center(BASE)",
            two.data().dropna(subset="CHG"),
            arm="TRT01P",
            reference="Placebo",
            vcov=kind,
        )
        names = r_terms(fit.columns, **{"center(BASE)": "BASEC"})
        assert names == expected["term"].tolist()
        assert_close(fit.coefficients().frame()[COLUMNS], expected[COLUMNS], rtol=RTOL)


def test_the_robust_grid_is_whole(two: ReferenceCase) -> None:
    kinds = {"HC0", "HC1", "HC2", "HC3", "HC4"}
    assert set(two.table("ancova_robust")["type"]) == kinds
    assert set(two.table("ancova_interaction", "robust")["type"]) < kinds


@pytest.mark.parametrize("formula", ["CHG ~ TRT01P*center(BASE)", "CHG ~ TRT01P*BASE"])
def test_treatment_by_baseline_interaction(two: ReferenceCase, formula: str) -> None:
    """`ancova_interaction`: the effect at the mean of BASE over the analysed rows."""
    fit = tk.ancova(formula, two.data(), arm="TRT01P", reference="Placebo")
    expected = two.table("ancova_interaction", "coefficients")
    arms = fit.model_frame.factors["TRT01P"].levels
    effect = expected[expected["term"] == f"TRT01P{arms[1]}"]
    assert_close(fit.contrasts().frame()[COLUMNS], effect[COLUMNS], rtol=RTOL)
    reference_mean = expected[expected["term"] == "(Intercept)"]
    assert_close(fit.lsmeans().frame()[COLUMNS][:1], reference_mean[COLUMNS], rtol=RTOL)
    if "center" in formula:
        assert_close(fit.coefficients().frame()[COLUMNS], expected[COLUMNS], rtol=RTOL)


def test_ancova_of_three_arms(three: ReferenceCase, three_fit: AncovaFit) -> None:
    """`ancova`."""
    expected = three["ancova"]
    coefficients = pd.DataFrame(expected["coefficients"])
    assert r_terms(three_fit.columns) == coefficients["term"].tolist()
    assert_close(three_fit.coefficients().frame()[COLUMNS], coefficients[COLUMNS], rtol=RTOL)
    assert_close(three_fit.sigma, expected["sigma"], rtol=RTOL)
    assert three_fit.n == expected["n"]
    assert three_fit.n + three_fit.n_excluded == len(three.data())
    mean = three_fit.model_frame.covariate_means["BASE"]
    assert_close(mean, expected["base_mean"], rtol=RTOL)
    assert_close(three_fit.vcov, expected["vcov"]["values"], rtol=RTOL)


@pytest.mark.parametrize(
    ("weights", "analysis"), [("equal", "lsmeans_equal"), ("observed", "lsmeans_proportional")]
)
def test_lsmeans_over_strata(
    three: ReferenceCase, three_fit: AncovaFit, weights: str, analysis: str
) -> None:
    """`lsmeans_equal`, `lsmeans_proportional`."""
    table = three_fit.lsmeans(weights=weights)
    assert_same_rows(table, three.table(analysis), {"arm": "TRT01P"})


def test_lsmeans_within_a_stratum(three: ReferenceCase, interaction_fit: AncovaFit) -> None:
    """`lsmeans_interaction`."""
    table = interaction_fit.lsmeans(by="STRATA1")
    expected = three.table("lsmeans_interaction")
    assert_same_rows(table, expected, {"arm": "TRT01P", "STRATA1": "STRATA1"})


def test_all_pairs(three: ReferenceCase, three_fit: AncovaFit) -> None:
    """`pairwise_unadjusted`, `pairwise_tukey`."""
    table = three_fit.contrasts(kind="pairwise", adjust="tukey")
    keys = {"contrast": "contrast"}
    assert_same_rows(table, three.table("pairwise_unadjusted"), keys)
    expected = three.table("pairwise_tukey")
    frame = table.frame()
    assert frame["contrast"].tolist() == expected["contrast"].tolist()
    # R's ptukey is right to about 1e-9 of one, so a small p-value has fewer digits.
    assert_close(frame["p_adjusted"], expected["p_value"], rtol=RTOL_TUKEY, atol=1e-9)
    ends = ["ci_low_adjusted", "ci_high_adjusted"]
    assert_close(frame[ends], expected[["ci_low", "ci_high"]], rtol=RTOL_TUKEY)


def test_dunnett(three: ReferenceCase, three_fit: AncovaFit) -> None:
    """`dunnett_two_sided`, `dunnett_one_sided_less`, `dunnett_step_down`."""
    expected = three.table("dunnett_two_sided")
    frame = three_fit.contrasts(adjust="dunnett").frame()
    unadjusted = ["estimate", "se", "df", "statistic"]
    assert frame["contrast"].tolist() == expected["contrast"].tolist()
    assert_close(frame[unadjusted], expected[unadjusted], rtol=RTOL)
    assert_close(frame["p_adjusted"], expected["p_value"], rtol=RTOL_DUNNETT)
    ends = ["ci_low_adjusted", "ci_high_adjusted"]
    assert_close(frame[ends], expected[["ci_low", "ci_high"]], rtol=RTOL_DUNNETT)
    critical = (frame["estimate"] - frame["ci_low_adjusted"]) / frame["se"]
    assert_close(critical, three["dunnett_two_sided"]["critical_value"], rtol=RTOL_DUNNETT)

    less = three["dunnett_one_sided_less"]
    frame = three_fit.contrasts(adjust="dunnett", alternative="less").frame()
    assert_close(frame["p_adjusted"], less["p_value"], rtol=RTOL_DUNNETT)
    assert_close(frame["ci_high_adjusted"], less["upper_bound"], rtol=RTOL_DUNNETT)
    assert (frame["ci_low_adjusted"] == -np.inf).all()
    critical = (frame["ci_high_adjusted"] - frame["estimate"]) / frame["se"]
    assert_close(critical, less["critical_value"], rtol=RTOL_DUNNETT)

    frame = three_fit.contrasts(adjust="dunnett-stepdown").frame()
    step_down = three["dunnett_step_down"]["p_value"]
    assert_close(frame["p_adjusted"], step_down, rtol=RTOL_DUNNETT)
    assert "ci_low_adjusted" not in frame


ADJUSTMENTS = {
    "bonferroni": "bonferroni",
    "holm": "holm",
    "hochberg": "hochberg",
    "hommel": "hommel",
    "fdr_bh": "BH",
    "fdr_by": "BY",
    "sidak": "sidak",
}


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
@pytest.mark.parametrize(
    ("kind", "analysis"),
    [("reference", "adjusted_vs_control"), ("pairwise", "adjusted_pairwise")],
)
def test_adjusted_contrasts(
    three: ReferenceCase, three_fit: AncovaFit, adjust: str, kind: str, analysis: str
) -> None:
    """`adjusted_vs_control`, `adjusted_pairwise`."""
    expected = three.table(analysis)
    assert set(expected.columns) == {"contrast", "raw", *ADJUSTMENTS.values()}
    frame = three_fit.contrasts(kind=kind, adjust=adjust).frame()
    assert frame["contrast"].tolist() == expected["contrast"].tolist()
    assert_close(frame["p_value"], expected["raw"], rtol=RTOL)
    assert_close(frame["p_adjusted"], expected[ADJUSTMENTS[adjust]], rtol=RTOL)


@pytest.mark.parametrize("adjust", ADJUSTMENTS)
def test_adjusted_p_values_of_a_table(three: ReferenceCase, adjust: str) -> None:
    """`adjusted_ten_p`."""
    expected = three.table("adjusted_ten_p")
    blank = Estimate.undefined(label="", status="only a p-value", n=0, method="given")
    rows = tuple(replace(blank, p_value=p) for p in expected["raw"])
    table = EstimateTable(estimates=rows, keys={"contrast": tuple(expected["contrast"])})
    assert_close(table.adjust(adjust).p_adjusted, expected[ADJUSTMENTS[adjust]], rtol=RTOL)


def test_type_three_and_two(three: ReferenceCase, three_fit: AncovaFit) -> None:
    """`type3`, `type2`."""
    rss = three_fit.residual_sum_sq
    assert_same_tests(three_fit.type3(), three.table("type3"), rss=rss)
    assert_same_tests(three_fit.type2(), three.table("type2"), rss=rss)


def test_type_three_with_interactions(three: ReferenceCase, interaction_fit: AncovaFit) -> None:
    """`type3_interaction`: a factor by a factor, and by a covariate."""
    rss = interaction_fit.residual_sum_sq
    assert_same_tests(interaction_fit.type3(), three.table("type3_interaction"), rss=rss)


def test_named_contrasts(three: ReferenceCase, three_fit: AncovaFit) -> None:
    """`contrasts`: weights over the arms, the second set centred doses."""
    doses = np.array([0.0, 3.0, 4.5])
    kind = {"linear": [-1, 0, 1], "dose_linear": (doses - doses.mean()).tolist()}
    table = three_fit.contrasts(kind=kind)
    assert_same_rows(table, three.table("contrasts"), {"contrast": "contrast"})
