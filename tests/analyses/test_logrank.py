"""Log-rank tests: against R's survival, lifelines and a sum written out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import ARM, PARAMETERS, REFERENCE, case, rows, simulated
from reference.loader import assert_close

import trialkit as tk

RTOL = 1e-8
SURVDIFF = {
    "logrank": {},
    "peto_prentice_rho1": {"rho": 1},
    "logrank_stratified": {"strata": "STRATA1"},
    "rho1_stratified": {"rho": 1, "strata": ["STRATA1"]},
}
WEIGHTED = {
    "gehan": {"weight": "gehan"},
    "tarone_ware": {"weight": "tarone-ware"},
    "fleming_harrington_0_1": {"gamma": 1},
    "fleming_harrington_1_1": {"rho": 1, "gamma": 1},
}


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("analysis", [*SURVDIFF, *WEIGHTED])
def test_equals_r(parameter: str, analysis: str) -> None:
    expected = case()[parameter.lower()][analysis]
    options = {**SURVDIFF, **WEIGHTED}[analysis]
    table = tk.logrank(
        rows(parameter), time="AVAL", event="EVENT", arm=ARM, reference=REFERENCE, **options
    )
    row = table.frame().iloc[0]
    by_arm = table.by_arm()
    assert row["num_df"] == 1
    assert_close(row["statistic"], expected["chisq"], RTOL)
    assert_close(row["p_value"], expected["p_value"], RTOL)
    assert_close(row["z"], expected["z_LDN"], RTOL)
    if analysis in SURVDIFF:
        assert by_arm["arm"].tolist() == expected["arms"]
        assert_close(by_arm["observed"], expected["observed"], RTOL)
        assert_close(by_arm["expected"], expected["expected"], RTOL)
        assert_close(by_arm["variance"].iloc[1], expected["variance_arm2"], RTOL)
    else:
        difference = by_arm["observed"] - by_arm["expected"]
        assert_close(difference.iloc[1], expected["U_LDN"], RTOL)
        assert_close(by_arm["variance"].iloc[1], expected["variance"], RTOL)


def test_three_arms_equal_lifelines() -> None:
    from lifelines.statistics import multivariate_logrank_test

    data = simulated(1, n=90, n_arms=3)
    ours = tk.logrank(data, time="DAY", event="DISC", arm="ARM").frame().iloc[0]
    theirs = multivariate_logrank_test(data["DAY"], data["ARM"], data["DISC"])
    assert ours["num_df"] == 2
    assert np.isnan(ours["z"])
    assert_close(ours["statistic"], theirs.test_statistic, 1e-10)
    assert_close(ours["p_value"], theirs.p_value, 1e-9)


def test_relabelled_arms_turn_the_sign() -> None:
    data = simulated(2)
    one = tk.logrank(data, time="DAY", event="DISC", arm="ARM", reference="Arm 0").frame()
    two = tk.logrank(data, time="DAY", event="DISC", arm="ARM", reference="Arm 1").frame()
    assert_close(one["z"], -two["z"], 1e-12)
    assert_close(one["statistic"], two["statistic"], 1e-12)


def test_more_events_than_expected_give_a_positive_z() -> None:
    data = pd.DataFrame({"ARM": list("PPPPDDDD"), "DAY": [5, 6, 7, 8, 1, 2, 3, 4], "DISC": [1] * 8})
    row = tk.logrank(data, time="DAY", event="DISC", arm="ARM", reference="P").frame().iloc[0]
    assert row["z"] > 0


def test_what_is_refused() -> None:
    data = simulated(3)
    call = {"time": "DAY", "event": "DISC", "arm": "ARM"}
    with pytest.raises(tk.SpecError, match="must be a finite number not below zero"):
        tk.logrank(data, **call, rho=-1)
    with pytest.raises(tk.SpecError, match="belong to fleming-harrington"):
        tk.logrank(data, **call, rho=1, weight="gehan")
    with pytest.raises(tk.SpecError, match="weight='peto' is not offered"):
        tk.logrank(data, **call, weight="peto")
    with pytest.raises(tk.DataError, match="only one arm"):
        tk.logrank(data.assign(ARM="A"), **call)
    in_turn = pd.DataFrame({"ARM": ["A", "B"], "DAY": [5, 1], "DISC": [1, 0]})
    with pytest.raises(tk.DataError, match="where two arms are at risk"):
        tk.logrank(in_turn, **call)
    apart = pd.DataFrame({"ARM": ["A", "A", "B"], "DAY": [5, 6, 1], "DISC": [1, 1, 0]})
    with pytest.raises(tk.DataError, match="where two arms are at risk"):
        tk.logrank(apart, **call)
