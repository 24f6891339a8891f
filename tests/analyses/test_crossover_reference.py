"""tk.crossover against R (lm, lmerTest, pbkrtest, emmeans, mmrm) on the reference cases."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_cases import (
    AB_BA,
    ROLES,
    TERMS,
    WILLIAMS,
    data_of,
    our_term,
    same_rows,
    stopped_short,
)
from reference.loader import assert_close, reference_case

import trialkit as tk
from trialkit.analyses.crossover import BoundaryWarning
from trialkit.analyses.crossover_fit import CrossoverFit

pytestmark = pytest.mark.reference

JOINT = ("F", "df1", "df2", "p_value")
# The pack's README: Satterthwaite's df come from numerical derivatives, Kenward-Roger 1e-6.
METHODS = {"kenward_roger": ("kenward-roger", "expected"), "satterthwaite": ("satterthwaite", None)}
RTOL = {"kenward_roger": 1e-6, "satterthwaite": 1e-5}
LMER = 1e-7


@cache
def fitted(
    case: str, *, random: bool = True, df: str | None = None, **choices: Any
) -> CrossoverFit:
    information = {"information": "expected"} if df == "kenward-roger" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BoundaryWarning)
        return tk.crossover(
            data_of(case),
            **ROLES,
            subject_effect="random" if random else "fixed",
            df=df,
            **information,
            **choices,
        )


RANDOM = [
    *((case, "random_subject", {}) for case in AB_BA),
    *((case, "random_subject_base", {"baseline": "BASE"}) for case in AB_BA),
    *((case, "random_subject_no_sequence", {"sequence_effect": False}) for case in AB_BA),
    *((case, "random_no_carryover", {}) for case in WILLIAMS),
]
RANDOM_IDS = [f"{case[10]}-{name}" for case, name, _ in RANDOM]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("case", "analysis", "choices"), RANDOM, ids=RANDOM_IDS)
class TestRandomSubject:
    def fit(self, case: str, analysis: str, method: str, choices: dict[str, Any]) -> CrossoverFit:
        fit = fitted(case, df=METHODS[method][0], **choices)
        if stopped_short(fit, case, analysis):
            pytest.skip("lmer stopped short of the optimum, which our likelihood exceeds")
        return fit

    def test_coefficients(
        self, case: str, analysis: str, choices: dict[str, Any], method: str
    ) -> None:
        fit = self.fit(case, analysis, method, choices)
        theirs = pd.DataFrame(reference_case(case)[analysis][method]["fixed_effects"])
        doses = list(fit.model.rows.treatments)
        ours = fit.coefficients().frame().set_index("term")
        ours = ours.loc[[our_term(name, doses) for name in theirs["term"]]]
        same_rows(ours, theirs, rtol=LMER, df_rtol=RTOL[method])

    def test_lsmeans(self, case: str, analysis: str, choices: dict[str, Any], method: str) -> None:
        fit = self.fit(case, analysis, method, choices)
        theirs = pd.DataFrame(reference_case(case)[analysis][method]["lsmeans"])
        label = next(c for c in theirs if theirs[c].dtype.kind not in "fi")
        ours = fit.lsmeans().frame().set_index("treatment").loc[theirs[label].tolist()]
        same_rows(ours, theirs, rtol=LMER, df_rtol=RTOL[method])

    def test_differences(
        self, case: str, analysis: str, choices: dict[str, Any], method: str
    ) -> None:
        fit = self.fit(case, analysis, method, choices)
        theirs = pd.DataFrame(reference_case(case)[analysis][method]["differences"])
        ours = fit.contrasts().frame()
        names = [name.replace("(", "").replace(")", "") for name in theirs["contrast"]]
        assert ours["contrast"].tolist() == names
        same_rows(ours, theirs, rtol=LMER, df_rtol=RTOL[method])

    def test_type3(self, case: str, analysis: str, choices: dict[str, Any], method: str) -> None:
        fit = self.fit(case, analysis, method, choices)
        theirs = pd.DataFrame(reference_case(case)[analysis][method]["type3"])
        ours = fit.type3().frame().set_index("term").loc[[TERMS[t] for t in theirs["term"]]]
        assert_close(ours["num_df"], theirs["num_df"], rtol=0)
        for name in ("den_df", "statistic", "p_value"):
            assert_close(ours[name], theirs[name], rtol=10 * RTOL[method], atol=1e-12)

    def test_variances_and_deviance(
        self, case: str, analysis: str, choices: dict[str, Any], method: str
    ) -> None:
        fit = self.fit(case, analysis, method, choices)
        theirs = reference_case(case)[analysis]
        ours = fit.variance().frame().set_index("component")["sd"]
        # A variance at the bound: lmer stops a little above zero.
        assert_close(ours["between"], theirs["sd_between"], rtol=LMER, atol=1e-6)
        assert_close(ours["within"], theirs["sd_within"], rtol=LMER)
        assert_close(fit.deviance, theirs["deviance_reml"], rtol=1e-10)


@pytest.mark.parametrize("case", WILLIAMS)
@pytest.mark.parametrize("method", METHODS)
def test_random_carryover(case: str, method: str) -> None:
    """random_carryover: lmer with first-order carryover, and the joint KR test."""
    fit = fitted(case, df=METHODS[method][0], carryover=True)
    expected = reference_case(case)["random_carryover"]
    if method in expected:
        theirs = pd.DataFrame(expected[method])
        doses = list(fit.model.rows.treatments)
        ours = fit.coefficients().frame().set_index("term")
        ours = ours.loc[[our_term(name, doses) for name in theirs["term"]]]
        same_rows(ours, theirs, rtol=LMER, df_rtol=RTOL[method])
    ours_sd = fit.variance().frame().set_index("component")["sd"]
    assert_close(ours_sd["between"], expected["sd_between"], rtol=LMER)
    assert_close(ours_sd["within"], expected["sd_within"], rtol=LMER)
    assert_close(fit.deviance, expected["deviance_reml"], rtol=1e-10)
    if method == "kenward_roger":
        joint = expected["carryover_joint_kr"]
        row = fit.type3().frame().set_index("term").loc["carryover"]
        found = [row["statistic"], row["num_df"], row["den_df"], row["p_value"]]
        assert_close(found, [joint[key] for key in JOINT], rtol=1e-6)


FIXED = [
    *((case, "fixed_subject_all_rows", {}) for case in AB_BA),
    *((case, "fixed_subject_complete_pairs", {"complete_cases": True}) for case in AB_BA),
    *((case, "fixed_subject_base", {"complete_cases": True, "baseline": "BASE"}) for case in AB_BA),
    *((case, "fixed_no_carryover", {}) for case in WILLIAMS),
    *((case, "fixed_carryover", {"carryover": True}) for case in WILLIAMS),
]


@pytest.mark.parametrize(
    ("case", "analysis", "choices"), FIXED, ids=[f"{case[10]}-{name}" for case, name, _ in FIXED]
)
class TestFixedSubject:
    def test_coefficients(self, case: str, analysis: str, choices: dict[str, Any]) -> None:
        fit = fitted(case, random=False, **choices)
        theirs = reference_case(case).table(analysis, "coefficients")
        ours = fit.coefficients().frame().set_index("term")
        ours = ours.loc[[our_term(t, list(fit.model.rows.treatments)) for t in theirs["term"]]]
        same_rows(ours, theirs, rtol=1e-9)

    def test_term_tests(self, case: str, analysis: str, choices: dict[str, Any]) -> None:
        fit = fitted(case, random=False, **choices)
        theirs = reference_case(case).table(analysis, "type3")
        theirs = theirs[~theirs["term"].str.startswith("CARRY")]
        ours = fit.type3().frame().set_index("term").loc[[TERMS[t] for t in theirs["term"]]]
        for name, column in (("num_df", "df"), ("sum_sq", "sum_sq"), ("statistic", "statistic")):
            assert_close(ours[name], theirs[column], rtol=1e-9)
        assert_close(ours["p_value"], theirs["p_value"], rtol=1e-9)

    def test_single_carryover_terms(
        self, case: str, analysis: str, choices: dict[str, Any]
    ) -> None:
        """R tests each carryover column on its own: the square of the coefficient's t."""
        theirs = reference_case(case).table(analysis, "type3")
        theirs = theirs[theirs["term"].str.startswith("CARRY")]
        assert theirs.empty != ("carryover" in choices)
        fit = fitted(case, random=False, **choices)
        ours = fit.coefficients().frame().set_index("term")
        ours = ours.loc[[our_term(t, list(fit.model.rows.treatments)) for t in theirs["term"]]]
        assert_close(ours["statistic"] ** 2, theirs["statistic"], rtol=1e-9)
        mse = reference_case(case)[analysis]["mse"]
        assert_close(ours["statistic"] ** 2 * mse, theirs["sum_sq"], rtol=1e-9)
        assert_close(ours["p_value"], theirs["p_value"], rtol=1e-9)

    def test_residual_and_sequence(self, case: str, analysis: str, choices: dict[str, Any]) -> None:
        fit = fitted(case, random=False, **choices)
        theirs = reference_case(case)[analysis]
        within = fit.variance().frame().set_index("component").loc["within"]
        assert_close(within["estimate"], theirs["mse"], rtol=1e-9)
        assert_close(within["sd"], theirs["sd_within"], rtol=1e-9)
        assert_close(within["df"], theirs["df_residual"], rtol=1e-12)
        assert fit.n_observations == theirs["n_obs"]
        (expected,) = theirs["sequence_test"]
        row = fit.type3().frame().set_index("term").loc["sequence"]
        assert_close(row["sum_sq"], expected["ss_seq"], rtol=1e-9)
        assert_close(row["num_df"], expected["df_seq"], rtol=0)
        assert_close(row["den_df"], expected["df_subject"], rtol=0)
        assert_close(row["statistic"], expected["statistic"], rtol=1e-9)
        assert_close(row["p_value"], expected["p_value"], rtol=1e-9)
        mean_square = row["sum_sq"] / row["num_df"] / row["statistic"]
        assert_close(mean_square * row["den_df"], expected["ss_subject"], rtol=1e-9)


@pytest.mark.parametrize("case", WILLIAMS)
@pytest.mark.parametrize(
    ("analysis", "table", "carryover"),
    [("fixed_no_carryover", "pairwise", False), ("fixed_carryover", "pairwise_direct", True)],
)
def test_pairs_of_fixed_subjects(case: str, analysis: str, table: str, carryover: bool) -> None:
    fit = fitted(case, random=False, carryover=carryover)
    theirs = reference_case(case).table(analysis, table)
    ours = fit.contrasts(kind="pairwise").frame().set_index("contrast")
    same_rows(ours.loc[theirs["contrast"]], theirs, rtol=1e-9)


@pytest.mark.parametrize("case", WILLIAMS)
def test_joint_carryover_of_fixed_subjects(case: str) -> None:
    expected = reference_case(case)["fixed_carryover"]["carryover_joint_test"]
    row = fitted(case, random=False, carryover=True).type3().frame().set_index("term")
    row = row.loc["carryover"]
    assert_close(
        [row["statistic"], row["num_df"], row["den_df"], row["p_value"]],
        [expected["F"], expected["df1"], expected["df2"], expected["p_value"]],
        rtol=1e-8,
    )


@pytest.mark.parametrize("case", AB_BA)
class TestAbBa:
    def test_hills_armitage_is_the_fixed_analysis(self, case: str) -> None:
        expected = reference_case(case)["hills_armitage"]
        fit = fitted(case, random=False, complete_cases=True)
        ours = fit.coefficients().frame().set_index("term")
        for term, name in (
            ("treatment[T.LDN 4.5 mg]", "treatment"),
            ("period[T.2]", "period_2_minus_1"),
        ):
            self.same(ours.loc[term], expected[name], rtol=1e-9)

    def test_carryover_between_subjects_is_the_test_of_sums(self, case: str) -> None:
        """Without a sequence effect, carryover of the drug is BA minus AB of the sums."""
        expected = reference_case(case)["hills_armitage"]["carryover_sums_AB_minus_BA"]
        fit = fitted(
            case,
            df="kenward-roger",
            carryover=True,
            sequence_effect=False,
            complete_cases=True,
            variance_bound=False,
        )
        row = fit.coefficients().frame().set_index("term").loc["carryover[LDN 4.5 mg]"]
        assert_close(row["estimate"], -expected["estimate"], rtol=1e-8)
        assert_close(row["se"], expected["se"], rtol=1e-8)
        assert_close(row["df"], expected["df"], rtol=1e-6)
        assert_close(row["statistic"], -expected["statistic"], rtol=1e-8)
        assert_close(row["p_value"], expected["p_value"], rtol=1e-6)
        assert_close([-row["ci_high"], -row["ci_low"]], expected["ci"], rtol=1e-6)

    def test_first_period_alone_is_a_two_sample_t_test(self, case: str) -> None:
        expected = reference_case(case)["hills_armitage"]["period1_only_B_minus_A"]
        data = reference_case(case).data()
        table = tk.ttest(
            data[data["PERIOD"] == 1],
            outcome="AVAL",
            arm="TRTA",
            reference="Placebo",
            equal_var=True,
        )
        self.same(table.frame().iloc[0], expected, rtol=1e-9)

    def test_ancova_of_differences_is_the_fixed_analysis_with_baseline(self, case: str) -> None:
        theirs = reference_case(case).table("ancova_of_differences").set_index("term")
        fit = fitted(case, random=False, complete_cases=True, baseline="BASE")
        ours = fit.coefficients().frame().set_index("term")
        same_rows(
            ours.loc[["treatment[T.LDN 4.5 mg]"]],
            theirs.loc[["SEQ_BA (= treatment B-A)"]],
            rtol=1e-8,
        )
        # Half the period difference regressed on the baseline difference: half the slope.
        slope = theirs.loc["baseline difference P1-P2"]
        assert_close(ours.loc["baseline", "estimate"] / 2, slope["estimate"], rtol=1e-7, atol=1e-12)
        assert_close(ours.loc["baseline", "se"] / 2, slope["se"], rtol=1e-8)
        assert_close(ours.loc["baseline", "p_value"], slope["p_value"], rtol=1e-7)
        # The sequence AB's mean half difference: period 1 minus 2, less the treatment, halved.
        b = ours["estimate"]
        expected = -(b["period[T.2]"] + b["treatment[T.LDN 4.5 mg]"]) / 2
        assert_close(expected, theirs.loc["intercept", "estimate"], rtol=1e-8)

    def test_paired_t_leaves_the_period_out(self, case: str) -> None:
        expected = reference_case(case)["paired_t_ignoring_period"]
        fit = fitted(case, random=False, complete_cases=True, period_effect=False)
        self.same(fit.contrasts().frame().iloc[0], expected, rtol=1e-9)

    def test_type3_of_car(self, case: str) -> None:
        theirs = reference_case(case).table("car_type3_lm").set_index("term")
        fit = fitted(case, random=False, complete_cases=True)
        ours = fit.type3().frame().set_index("term")
        for name in ("USUBJID", "PERIOD", "TRTA"):
            row, expected = ours.loc[TERMS[name]], theirs.loc[name]
            assert_close(row["sum_sq"], expected["sum_sq"], rtol=1e-9)
            assert_close(row["num_df"], expected["df"], rtol=0)
            assert_close(row["statistic"], expected["statistic"], rtol=1e-8)
            assert_close(row["p_value"], expected["p_value"], rtol=1e-7)
        within = fit.variance().frame().set_index("component").loc["within"]
        residual = theirs.loc["Residuals"]
        assert_close(within["estimate"] * within["df"], residual["sum_sq"], rtol=1e-9)
        assert_close(within["df"], residual["df"], rtol=0)
        mean = fit.lsmeans().frame()["estimate"].mean()
        # The intercept of sum-to-zero contrasts is the mean of the LS means.
        n = fit.n_observations
        assert_close(n * mean**2, theirs.loc["(Intercept)", "sum_sq"], rtol=1e-9)

    @pytest.mark.parametrize("method", ["satterthwaite", "kenward_roger"])
    def test_compound_symmetry_of_mmrm(self, case: str, method: str) -> None:
        """mmrm_cs_satterthwaite, mmrm_cs_kenward_roger: observed information."""
        if "mmrm" not in reference_case(case).tools:
            pytest.skip("the pack was made without mmrm")
        theirs = reference_case(case).table(f"mmrm_cs_{method}")
        fit = tk.crossover(
            data_of(case), **ROLES, df=method.replace("_", "-"), variance_bound=False
        )
        ours = fit.coefficients().frame().set_index("term")
        ours = ours.loc[[our_term(t, list(fit.model.rows.treatments)) for t in theirs["term"]]]
        same_rows(ours, theirs, rtol=1e-7, df_rtol=1e-6)

    @staticmethod
    def same(row: pd.Series, expected: dict[str, Any], *, rtol: float) -> None:
        for name in ("estimate", "se", "df", "statistic"):
            assert_close(row[name], expected[name], rtol=rtol)
        assert_close(row["p_value"], expected["p_value"], rtol=10 * rtol)
        assert_close([row["ci_low"], row["ci_high"]], expected["ci"], rtol=10 * rtol, atol=rtol)


def test_period_baselines_at_the_bound() -> None:
    """The case whose between-subject variance would be negative: bounded and unbounded differ."""
    case = "crossover/b_ab_ba_missing"
    if reference_case(case)["random_subject_base"]["sd_between"] > 1e-4:
        return  # regenerated with other seeds, the case may lie inside
    with pytest.warns(BoundaryWarning, match="bound of zero"):
        bounded = tk.crossover(data_of(case), **ROLES, baseline="BASE")
    free = tk.crossover(data_of(case), **ROLES, baseline="BASE", variance_bound=False)
    assert bounded.is_at_bound
    assert not free.is_at_bound
    between = free.variance().frame().set_index("component").loc["between", "estimate"]
    assert between < 0
    assert free.deviance is not None
    assert bounded.deviance is not None
    assert free.deviance < bounded.deviance
    assert "at its bound of zero" in bounded.method
    assert any("bound of zero" in note for note in bounded.contrasts().notes)
    assert not np.isclose(bounded.contrasts().single().se, free.contrasts().single().se)
