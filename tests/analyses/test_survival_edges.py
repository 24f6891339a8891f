"""Times to an event at their edges: nothing is claimed that the data do not hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import simulated
from reference.loader import assert_close

import trialkit as tk

TIMES = {"time": "DAY", "event": "DISC", "arm": "ARM", "reference": "Arm 0"}
CAUSES = {"time": "DAY", "cause": "WHY", "arm": "ARM", "reference": "Arm 0"}


def without_events(arm: str) -> pd.DataFrame:
    data = simulated(8)
    return data.assign(DISC=data["DISC"].where(data["ARM"] != arm, 0))


def only_in_one_arm() -> pd.DataFrame:
    """Reason MOVED in arm 1 alone."""
    data = simulated(8)
    moved = (data["ARM"] == "Arm 1") & (data["WHY"] == "AE") & (data["AGE"] > 50)
    return data.assign(WHY=data["WHY"].mask(moved, "MOVED"))


@pytest.mark.parametrize("bad", [np.nan, -1, np.inf, "4", True])
def test_a_time_no_curve_has_is_refused(bad: object) -> None:
    curves = tk.kaplan_meier(simulated(1), **TIMES)
    calls = [
        lambda: curves.at([4, bad]),
        lambda: curves.cumulative_hazard([bad]),
        lambda: curves.difference([bad], reference="Arm 0"),
        lambda: tk.kaplan_meier(simulated(1), times=[bad], **TIMES),
        lambda: tk.cumulative_incidence(simulated(1), times=[bad], **CAUSES),
    ]
    for call in calls:
        with pytest.raises(tk.SpecError, match="a finite number not below zero is needed"):
            call()


def test_the_cumulative_hazard_is_not_known_past_follow_up_nor_bounded_before_an_event() -> None:
    data = pd.DataFrame({"DAY": [3, 5, 8], "DISC": [0, 1, 0]})
    table = tk.kaplan_meier(data, time="DAY", event="DISC").cumulative_hazard([4, 5, 9])
    before, at, past = table.estimates
    assert (before.estimate, before.status) == (0.0, "no interval before the first event")
    assert np.isnan(before.ci_high)
    assert_close(at.estimate, 0.5, 1e-12)
    assert np.isnan(past.estimate)
    assert past.status == "after the last observed time (8)"


def test_an_arm_without_events_lends_no_variance_and_a_note_says_so() -> None:
    data = without_events("Arm 1")
    table = tk.rmst(data, tau=5, **TIMES)
    assert any("'Arm 1' has a restricted mean without variance" in note for note in table.notes)
    assert not tk.rmst(simulated(8), tau=20, **TIMES).notes
    difference = tk.kaplan_meier(data, **TIMES).difference([9], reference="Arm 0")
    assert difference.notes == ("No event yet, so no variance: Arm 1 at 9.",)
    assert difference.single().status == "ok"


def test_tau_is_a_number_and_no_flag() -> None:
    data = simulated(1)
    with pytest.raises(tk.SpecError, match="tau=True"):
        tk.rmst(data, tau=True, **TIMES)
    one, two = (tk.rmst(data, tau=tau, **TIMES) for tau in (9, np.int64(9)))
    pd.testing.assert_frame_equal(one.frame(), two.frame())


@pytest.mark.parametrize("power", [-1, np.nan, np.inf, "1"])
def test_powers_of_the_log_rank_weights(power: object) -> None:
    with pytest.raises(tk.SpecError, match="must be a finite number not below zero"):
        tk.logrank(simulated(1), rho=power, **TIMES)


def test_strata_that_hold_one_arm_each_compare_nothing() -> None:
    data = simulated(3).assign(SITE=lambda d: d["ARM"])
    table = tk.gray_test(data, strata="SITE", **CAUSES)
    assert all(np.isnan(test.p_value) for test in table.tests)
    assert sum("No test of" in note for note in table.notes) == 2
    with pytest.raises(tk.DataError, match="No event of 'DISC' falls where two arms"):
        tk.logrank(data, strata="SITE", **TIMES)
    with pytest.raises(tk.DataError, match="cannot be told apart"):
        tk.cox(data, strata="SITE", **TIMES)


@pytest.mark.parametrize("analysis", [tk.cause_specific, tk.fine_gray])
def test_a_cause_without_a_maximum_leaves_the_others_theirs(analysis: object) -> None:
    data = only_in_one_arm()
    table = analysis(data, **CAUSES)
    lost = table.where(cause="MOVED").single()
    assert "runs to infinity" in lost.status
    assert np.isnan(lost.estimate)
    assert table.where(cause="MOVED").extras["n_event"][0] > 0
    alone = analysis(data, causes=["LOE"], **CAUSES).single()
    assert_close(table.where(cause="LOE").single().estimate, alone.estimate, 1e-12)
    with pytest.raises(tk.ConvergenceError, match="runs to infinity"):
        analysis(data, causes=["MOVED"], **CAUSES)


@pytest.mark.parametrize("analysis", [tk.cause_specific, tk.fine_gray])
def test_causes_that_are_not_there(analysis: object) -> None:
    data = simulated(2)
    with pytest.raises(tk.DataError, match="holds no cause"):
        analysis(data.assign(WHY=None), **CAUSES)
    with pytest.raises(tk.SpecError, match="give a list of values"):
        analysis(data, causes="AE", **CAUSES)
    with pytest.raises(tk.SpecError, match="give a list of values"):
        analysis(data, causes=[], **CAUSES)
    with pytest.raises(tk.DataError, match="No event"):
        analysis(data.assign(DAY=data["DAY"].mask(data["WHY"] == "AE")), causes=["AE"], **CAUSES)


def test_a_covariate_that_separates_is_an_error_of_convergence_and_no_warning() -> None:
    data = pd.DataFrame(
        {
            "ARM": ["Arm 0", "Arm 1"] * 4,
            "DAY": [1, 2, 3, 4, 5, 6, 7, 8.0],
            "DISC": [1, 1, 1, 1, 0, 1, 1, 1],
            "X": [8.0, 7, 6, 5, 4, 3, 2, 1],
        }
    )
    with pytest.raises(tk.ConvergenceError, match="runs to infinity"):
        tk.cox(data, covariates="X", **TIMES)


def test_rounding_of_times_changes_nothing() -> None:
    whole = simulated(9).assign(X=lambda d: d["AGE"])
    month = whole.assign(DAY=whole["DAY"] / 10)
    # The same tenths, made in two ways.
    steps = np.where(np.arange(len(whole)) % 2, whole["DAY"] * 0.1, whole["DAY"] / 10)
    odd = whole.assign(DAY=steps)
    assert (odd["DAY"] != month["DAY"]).any()
    moments = [0.7, 1.2, 3.0]
    results = []
    for data in (month, odd):
        curves = tk.kaplan_meier(data, **TIMES)
        results.append(
            [
                curves.at(moments).frame(),
                curves.cumulative_hazard(moments).frame(),
                tk.logrank(data, **TIMES).frame(),
                tk.cox(data, covariates="X", **TIMES).frame(),
                tk.rmst(data, tau=3, **TIMES).frame(),
                tk.rmst(data, tau=3, covariates="X", **TIMES).frame(),
                tk.cumulative_incidence(data, times=moments, **CAUSES).frame(),
                tk.gray_test(data, **CAUSES).frame(),
                tk.fine_gray(data, **CAUSES).frame(),
            ]
        )
    for one, two in zip(*results, strict=True):
        pd.testing.assert_frame_equal(one, two, rtol=1e-9)
