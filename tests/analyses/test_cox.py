"""Cox's model: against R's survival, lifelines, and likelihoods written out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import (
    ARM,
    PARAMETERS,
    REFERENCE,
    TERMS,
    case,
    r_term,
    rows,
    simulated,
    without_events,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close

import trialkit as tk

RTOL = 1e-8
ADJUSTED = {"covariates": ["AGE", "BASE", "STRATA1"]}
STRATIFIED = {"covariates": ["AGE", "BASE"], "strata": "STRATA1"}
MODELS = {
    "cox_unadjusted_efron": {},
    "cox_unadjusted_breslow": {"ties": "breslow"},
    "cox_unadjusted_exact": {"ties": "exact"},
    "cox_efron": ADJUSTED,
    "cox_breslow": {**ADJUSTED, "ties": "breslow"},
    "cox_stratified_efron": STRATIFIED,
    "cox_stratified_breslow": {**STRATIFIED, "ties": "breslow"},
}


def fitted(parameter: str, **options: object) -> object:
    return tk.cox(
        rows(parameter), time="AVAL", event="EVENT", arm=ARM, reference=REFERENCE, **options
    )


def call(data: pd.DataFrame, **changed: object) -> object:
    options = {"time": "DAY", "event": "DISC", "arm": "ARM", "reference": "Arm 0", **changed}
    return tk.cox(data, **options)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("analysis", MODELS)
def test_coefficients_equal_r(parameter: str, analysis: str) -> None:
    expected = case()[parameter.lower()][analysis]
    theirs = pd.DataFrame(expected["table"])
    table = fitted(parameter, **MODELS[analysis])
    ours = table.frame()
    assert [r_term(term) for term in ours["term"]] == theirs["term"].tolist()
    assert_close(np.log(ours["estimate"]), theirs["estimate"], RTOL)
    for mine, other in (
        ("estimate", "hr"),
        ("ci_low", "hr_low"),
        ("ci_high", "hr_high"),
        ("se", "se"),
        ("df", "df"),
        ("statistic", "statistic"),
        ("p_value", "p_value"),
    ):
        assert_close(ours[mine], theirs[other], RTOL)
    assert_close(table.log_likelihood, expected["loglik"], RTOL)
    assert_close(table.log_likelihood_null, expected["loglik_null"], RTOL)
    assert set(ours["n_event"]) == {expected["n_event"]}
    tests = table.tests().frame().set_index("test")
    assert_close(tests.loc["score", "statistic"], expected["score_test"], RTOL)
    assert_close(tests.loc["likelihood-ratio", "statistic"], expected["lr_test"], RTOL)
    assert set(tests["num_df"]) == {expected["df"]}
    # R prints the Wald statistic to two decimals.
    assert round(tests.loc["wald", "statistic"], 2) == pytest.approx(expected["wald_test"])


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_robust_errors_equal_r(parameter: str) -> None:
    expected = case()[parameter.lower()]["cox_efron_robust"]
    theirs = pd.DataFrame(expected["table"])
    ours = fitted(parameter, **ADJUSTED, robust=True).frame()
    assert_close(ours["se"], theirs["se"], RTOL)
    assert_close(ours["statistic"], theirs["statistic"], RTOL)
    assert_close(ours["p_value"], theirs["p_value"], RTOL)
    assert_close(np.log(ours["ci_low"]), theirs["ci_low"], RTOL)
    assert_close(np.log(ours["ci_high"]), theirs["ci_high"], RTOL)
    assert_close(np.log(ours["estimate"]), theirs["estimate"], RTOL)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_proportional_hazards_equal_r(parameter: str) -> None:
    expected = pd.DataFrame(case()[parameter.lower()]["schoenfeld"]["table"])
    table = fitted(parameter, **ADJUSTED)
    for transform, part in expected.groupby("transform", observed=True):
        ours = table.proportional_hazards(transform).frame()
        assert ours["term"].tolist() == part["term"].tolist()
        assert_close(ours["statistic"], part["chisq"], RTOL)
        assert_close(ours["num_df"], part["df"], RTOL)
        assert_close(ours["p_value"], part["p_value"], RTOL)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_baseline_hazard_equals_r(parameter: str) -> None:
    expected = pd.DataFrame(case()[parameter.lower()]["baseline_hazard"]["table"])
    ours = fitted(parameter, **ADJUSTED).baseline_hazard()
    at = np.searchsorted(ours["time"], expected["time"], side="right")
    steps = np.concatenate([[0.0], ours["cumulative_hazard"]])
    assert_close(steps[at], expected["cumhaz"], RTOL)


@pytest.mark.reference
def test_cause_specific_equals_r() -> None:
    theirs = pd.DataFrame(case()["competing_risks"]["cause_specific_cox"]["table"])
    ours = tk.cause_specific(
        rows("TTDISC"),
        time="AVAL",
        cause="WHY",
        arm=ARM,
        reference=REFERENCE,
        covariates=["AGE", "BASE"],
        causes=list(dict.fromkeys(theirs["cause"])),
    ).frame()
    assert ours["cause"].tolist() == theirs["cause"].tolist()
    assert [r_term(term) for term in ours["term"]] == theirs["term"].tolist()
    # R stops on the way to infinity where an arm has no event of the cause.
    unbounded = theirs["cause"].map(without_events)
    assert ours.loc[unbounded, "estimate"].isna().all()
    assert (ours.loc[unbounded, "status"] != "ok").all()
    ours, theirs = ours[~unbounded], theirs[~unbounded]
    assert_close(np.log(ours["estimate"]), theirs["estimate"], RTOL)
    for name in ("se", "statistic", "p_value"):
        assert_close(ours[name], theirs[name], RTOL)


def test_efron_equals_lifelines_with_strata_and_covariates() -> None:
    from lifelines import CoxPHFitter

    data = simulated(1, n=120)
    wide = pd.DataFrame(
        {
            "DAY": data["DAY"],
            "DISC": data["DISC"],
            "arm": (data["ARM"] == "Arm 1").astype(float),
            "AGE": data["AGE"],
            "SITE": data["SITE"],
        }
    )
    theirs = CoxPHFitter().fit(
        wide, "DAY", "DISC", strata=["SITE"], fit_options={"precision": 1e-10}
    )
    ours = call(data, covariates="AGE", strata="SITE").frame()
    assert_close(np.log(ours["estimate"]), theirs.params_, 1e-6)
    assert_close(ours["se"], theirs.standard_errors_, 1e-6)


def test_score_test_without_ties_is_the_log_rank_test() -> None:
    data = simulated(2)
    data = data.assign(DAY=data["DAY"] + np.arange(len(data)) / 1000)
    score = call(data).tests().where(test="score").tests[0].statistic
    rank = tk.logrank(data, time="DAY", event="DISC", arm="ARM").tests[0].statistic
    assert_close(score, rank, 1e-10)


def test_ties_agree_where_there_are_none() -> None:
    data = simulated(3)
    data = data.assign(DAY=data["DAY"] + np.arange(len(data)) / 1000)
    values = [call(data, ties=t).estimates[0].estimate for t in ("efron", "breslow", "exact")]
    assert_close(values[1:], values[:1] * 2, 1e-10)


def test_exact_ties_equal_every_subset_counted() -> None:
    from itertools import combinations

    data = simulated(4, n=14).assign(DAY=lambda d: np.ceil(d["DAY"] / 12))
    table = call(data, ties="exact")
    beta = np.log(table.estimates[0].estimate)
    x = (data["ARM"] == "Arm 1").to_numpy(dtype=float)
    total = 0.0
    for moment in sorted(set(data.loc[data["DISC"] == 1, "DAY"])):
        dead = np.flatnonzero((data["DAY"] == moment) & (data["DISC"] == 1))
        risk = np.flatnonzero(data["DAY"] >= moment)
        sets = [np.exp(beta * x[list(s)].sum()) for s in combinations(risk, dead.size)]
        total += beta * x[dead].sum() - np.log(sum(sets))
    assert_close(table.log_likelihood, total, 1e-10)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000))
def test_relabelling_the_arms_inverts_the_ratio(seed: int) -> None:
    data = simulated(seed, n=80)
    one = call(data, covariates="AGE").estimates[0]
    two = call(data.sample(frac=1, random_state=1), covariates="AGE", reference="Arm 1")
    assert_close(one.estimate, 1 / two.estimates[0].estimate, 1e-9)
    assert_close(one.statistic, -two.estimates[0].statistic, 1e-8, atol=1e-10)


def test_more_events_in_the_arm_give_a_ratio_above_one() -> None:
    data = simulated(5, n=200)
    faster = data.assign(DAY=np.where(data["ARM"] == "Arm 1", data["DAY"] / 3, data["DAY"]))
    row = call(faster, alternative="greater").estimates[0]
    assert row.estimate > 1
    assert row.p_value < 0.01


def test_every_column_of_a_factor_is_one_term() -> None:
    data = simulated(6, n=150).assign(REGION=lambda d: np.arange(len(d)) % 3)
    table = call(data, covariates=["C(REGION)"]).proportional_hazards().frame()
    assert table["term"].tolist() == ["ARM", "C(REGION)", "GLOBAL"]
    assert table["num_df"].tolist() == [1, 2, 3]


def test_what_is_refused() -> None:
    data = simulated(7)
    with pytest.raises(tk.SpecError, match="ties='average' is not offered"):
        call(data, ties="average")
    with pytest.raises(tk.SpecError, match="robust=True needs"):
        call(data, ties="exact", robust=True)
    with pytest.raises(tk.SpecError, match="needs ties='efron'"):
        call(data, ties="exact").proportional_hazards()
    with pytest.raises(tk.SpecError, match="needs ties='efron'"):
        call(data, ties="exact").baseline_hazard()
    with pytest.raises(tk.DataError, match="AGE is constant"):
        call(data.assign(AGE=50.0), covariates="AGE")
    with pytest.raises(tk.DataError, match="cannot be told apart"):
        call(data.assign(OLD=data["AGE"] * 2), covariates=["AGE", "OLD"])
    with pytest.raises(tk.DataError, match="No event among"):
        call(data.assign(DISC=0))
    with pytest.raises(tk.DataError, match="negative time"):
        call(data.assign(DAY=-data["DAY"]))
    with pytest.raises(tk.DataError, match="reference= must name"):
        call(data, reference=None)
    never = data.assign(DISC=np.where(data["ARM"] == "Arm 1", 0, data["DISC"]))
    with pytest.raises(tk.ConvergenceError, match="runs to infinity"):
        call(never)
    with pytest.raises(tk.SpecError, match="causes= names 'MOVED'"):
        tk.cause_specific(
            data, time="DAY", cause="WHY", arm="ARM", reference="Arm 0", causes=["MOVED"]
        )


def test_rows_left_out_are_counted() -> None:
    data = simulated(8)
    data["DISC"] = data["DISC"].astype(float)
    data.loc[2, "DISC"] = np.nan
    data.loc[5, "AGE"] = np.nan
    table = call(data, covariates="AGE")
    assert table.estimates[0].n == 58
    assert table.notes[0] == "1 rows excluded, DISC missing."
    assert "AGE 1" in table.notes[1]


def test_terms_are_those_of_the_reference_case() -> None:
    assert fitted("TTDISC", **ADJUSTED).proportional_hazards().keys["term"] == (*TERMS, "GLOBAL")
