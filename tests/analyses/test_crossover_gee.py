"""Estimating equations of a crossover: identities, invariances, tables and counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from analyses.crossover_cases import ROLES
from analyses.crossover_gee_trials import ROUGH, gee, trial
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close
from scipy import stats

import trialkit as tk


def test_the_poisson_ratio_is_that_given_each_subjects_total() -> None:
    data = trial(21)
    sums = data.groupby(["SEQ", "PERIOD"], observed=True)["COUNT"].sum()
    by_hand = np.sqrt(
        sums["AB", 2] * sums["BA", 1] / (sums["AB", 1] * sums["BA", 2])
    )  # the binomial share of period 2 in each sequence, on the odds scale
    for correlation in ("independence", "exchangeable"):
        fit = gee(data, "poisson", correlation=correlation)
        assert_close(fit.contrasts().single().estimate, by_hand, 1e-9)


def test_the_difference_of_shares_is_that_of_mcnemar() -> None:
    data = trial(30)
    theirs = tk.crossover_binary(data, **{**ROLES, "outcome": "EVENT"})
    theirs_row = theirs.where(test="risk-difference").single()
    choices = {"period_effect": False, "sequence_effect": False, "correlation": "independence"}
    row = gee(data, "gaussian", outcome="EVENT", **choices, **ROUGH).contrasts().single()
    assert_close([row.estimate, row.se], [theirs_row.estimate, theirs_row.se], 1e-9)


def test_the_linear_model_is_the_fixed_subject_analysis_but_for_its_variance() -> None:
    data = trial(25)
    fixed = tk.crossover(data, **ROLES, subject_effect="fixed").contrasts().single()
    wide = data.pivot(index="USUBJID", columns="PERIOD", values="AVAL")
    first = data.drop_duplicates("USUBJID").set_index("USUBJID")["SEQ"].reindex(wide.index)
    d = (wide[1] - wide[2]) / 2
    by_sequence = [d[first == label] for label in ("AB", "BA")]
    for kind, less in (("robust", 0), ("mancl-derouen", 1)):
        row = gee(data, "gaussian", vcov=kind).contrasts().single()
        assert_close(row.estimate, fixed.estimate, 1e-9)
        variance = sum(((v - v.mean()) ** 2).sum() / (v.size - less) ** 2 for v in by_sequence)
        assert_close(row.se, np.sqrt(variance), 1e-8)


def test_the_odds_ratio_of_two_categories_is_that_of_events() -> None:
    data = trial(30, seed=11)
    events = gee(data, "binomial", correlation="independence").contrasts().single()
    grades = gee(data, "ordinal", outcome="EVENT").contrasts().single()
    assert_close([grades.estimate, grades.se], [events.estimate, events.se], 1e-7)


def test_the_direction_of_an_ordinal_ratio() -> None:
    data = trial(60, seed=2)
    data["GRADE"] = np.where(
        data["TRTA"] == "LDN", data["GRADE"] + (data.index % 3 == 0), data["GRADE"]
    )
    up = gee(data, "ordinal").contrasts().single()
    assert up.estimate > 1
    assert "odds of a higher category (0 < 1 < 2 < 3)" in up.method
    down = gee(data, "ordinal", category_order=[3, 2, 1, 0]).contrasts().single()
    assert_close(down.estimate, 1 / up.estimate, 1e-6)
    words = data.assign(GRADE=data["GRADE"].map(dict(enumerate(["none", "mild", "bad", "worst"]))))
    named = gee(words, "ordinal", category_order=["none", "mild", "bad", "worst"])
    assert named.columns[0] == "GRADE > none"
    assert_close(named.contrasts().single().estimate, up.estimate, 1e-9)


def test_direction_of_the_one_sided_tests_and_null() -> None:
    fit = gee(trial(40, seed=7), "poisson")
    two, less, greater = (
        fit.contrasts(alternative=a).single() for a in ("two-sided", "less", "greater")
    )
    assert less.ci_low == 0
    assert greater.ci_high == np.inf
    assert_close(less.p_value + greater.p_value, 1, 1e-12)
    assert_close(2 * min(less.p_value, greater.p_value), two.p_value, 1e-12)
    assert (less.p_value < 0.5) == (two.estimate < 1)
    moved = fit.contrasts(null=np.log(two.estimate)).single()
    assert_close(moved.p_value, 1, 1e-9)


def test_exposure_divides_the_rate() -> None:
    data = trial(20)
    plain = gee(data, "poisson").contrasts().single()
    same = gee(data.assign(DAYS=7.0), "poisson", exposure="DAYS")
    assert_close(same.contrasts().single().estimate, plain.estimate, 1e-9)
    assert_close(same.coef[0], gee(data, "poisson").coef[0] - np.log(7), 1e-8)
    twice = data.assign(DAYS=np.where(data["TRTA"] == "LDN", 2.0, 1.0))
    assert_close(
        gee(twice, "poisson", exposure="DAYS").contrasts().single().estimate,
        plain.estimate / 2,
        1e-8,
    )
    assert "per DAYS" in same.method


@given(seed=st.integers(0, 200), factor=st.sampled_from([1e-3, 1.0, 1e4]))
@settings(max_examples=6, deadline=None)
def test_order_of_rows_and_units_do_not_matter(seed: int, factor: float) -> None:
    data = trial(14, seed=seed)
    mixed = data.sample(frac=1, random_state=seed).assign(AVAL=lambda d: d["AVAL"] * factor + 1e3)
    a, b = gee(data, "gaussian"), gee(mixed, "gaussian")
    assert_close(b.contrasts().single().estimate / factor, a.contrasts().single().estimate, 1e-7)
    assert_close(b.contrasts().single().se / factor, a.contrasts().single().se, 1e-7)
    assert_close(b.association, a.association, 1e-6)


def test_relabelled_treatments_invert_the_ratio() -> None:
    data = trial(24)
    a = gee(data, "poisson").contrasts().single()
    b = gee(data, "poisson", reference="LDN").contrasts().single()
    assert_close(b.estimate, 1 / a.estimate, 1e-9)
    assert_close([b.se, b.statistic], [a.se, -a.statistic], 1e-9)
    assert (a.label, b.label) == ("LDN - Placebo", "Placebo - LDN")


def test_a_small_trial_keeps_its_correlation_below_one() -> None:
    """With pairs less coefficients as divisor, these subjects would correlate by more than one."""
    rng = np.random.default_rng(2)
    data = trial(8)
    data["AVAL"] = 10 * data["USUBJID"].rank(method="dense") + rng.normal(size=len(data))
    fit = gee(data, "gaussian", sequence_effect=False, period_effect=False)
    assert 0.9 < fit.association < 1


def test_terms_carryover_and_multiplicity() -> None:
    data = trial(36, ("ABC", "BCA", "CAB", "ACB", "BAC", "CBA"))
    data["TRTA"] = pd.Categorical(data["TRTA"], categories=["Placebo", "mid", "LDN"])
    fit = gee(data, "poisson", carryover=True, **ROUGH)
    terms = fit.type3().frame().set_index("term")
    assert list(terms.index) == ["sequence", "period", "treatment", "carryover"]
    at = [fit.columns.index(f"carryover[{t}]") for t in ("mid", "LDN")]
    block = fit.vcov[np.ix_(at, at)]
    chi_square = fit.coef[at] @ np.linalg.solve(block, fit.coef[at])
    assert_close(terms.loc["carryover", "statistic"], chi_square / 2, 1e-9)
    assert_close(terms.loc["carryover", "p_value"], stats.chi2.sf(chi_square, 2), 1e-9)
    assert any("diagnostic" in note for note in fit.notes)
    pairs = fit.contrasts(kind="pairwise", adjust="holm").frame()
    assert list(pairs["contrast"]) == ["mid - Placebo", "LDN - Placebo", "LDN - mid"]
    assert_close(pairs["estimate"][2], pairs["estimate"][1] / pairs["estimate"][0], 1e-9)
    assert (pairs["p_adjusted"] >= pairs["p_value"]).all()
    grades = gee(data, "ordinal", carryover=True)
    named = grades.coefficients().frame().set_index("term")
    ratio = grades.where(contrast="LDN - Placebo").single()
    assert_close(np.exp(named.loc["treatment[T.LDN]", "estimate"]), ratio.estimate, 1e-12)
    one = grades.type3().where(term="period").frame()
    hypothesis = [grades.columns.index(f"period[T.{k}]") for k in (2, 3)]
    test = grades.f_test(np.eye(len(grades.columns))[hypothesis])
    assert_close(one["statistic"], test.statistic, 1e-12)
    assert one["den_df"][0] == grades.n - len(grades.columns)


def test_incomplete_subjects_are_counted() -> None:
    data = trial(20)
    data["COUNT"] = data["COUNT"].astype(float)
    data.loc[[0, 5, 8], "COUNT"] = np.nan
    data = data.drop(index=11)
    fit = gee(data, "poisson")
    assert (fit.n, fit.n_observations, fit.n_excluded) == (20, 36, 3)
    assert any("4 of 20 subjects lack a period" in note for note in fit.notes)
    assert fit.contributions()["n_periods"].sum() == 36
    complete = gee(data, "poisson", complete_cases=True)
    assert (complete.n, complete.n_observations) == (16, 32)
    assert not any("lack a period" in note for note in complete.notes)
    left = data.groupby("USUBJID")["COUNT"].transform("count") == 2
    assert_close(complete.coef, gee(data[left], "poisson").coef, 1e-9)


def test_a_category_that_no_analysed_row_has_is_no_cut() -> None:
    data = trial(30)
    data.loc[0, "GRADE"] = 9
    data.loc[1, "GRADE"] = np.nan
    fit = gee(data, "ordinal", complete_cases=True)
    assert fit.categories == (0, 1, 2)


def test_the_text_says_what_was_done() -> None:
    fit = gee(trial(20), "binomial")
    assert fit.method == (
        "crossover GEE, logistic marginal probability, population-averaged, exchangeable (moments "
        "as geepack) working correlation, Mancl-DeRouen bias-reduced sandwich covariance, t with "
        "subjects less coefficients df"
    )
    assert "20 subjects, 40 rows; sequences AB, BA" in repr(fit)
    assert "population-averaged" in fit._repr_html_()
    assert fit.plot().get_xscale() == "log"
    assert fit.frame().equals(fit.contrasts().frame())
