"""What tk.reference_based refuses, and refits that fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.imputation_frames import ANALYSIS, FORMULA, ROLES, VISITS, run, trial

import trialkit as tk


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strategy": "locf"}, "strategy='locf' is not offered; allowed: mar, j2r"),
        ({"strategy": ()}, "strategy= is empty"),
        ({"strategy": ("mar", "mar")}, "names 'mar' twice"),
        ({"variance": "delta"}, "variance='delta'"),
        ({"weights": "all"}, "weights='all'"),
        ({"rng": 1}, "draws nothing"),
        ({"n_samples": 10}, "draws nothing"),
        ({"variance": "rubin"}, "rng=None"),
        ({"variance": "rubin", "rng": 1, "n_samples": 1}, "n_samples=1"),
        ({"covariance": "sp_exp"}, "no covariance at a visit"),
        ({"analysis": "AVAL ~ TRT01P"}, "outcome 'AVAL'"),
        ({"analysis": "CHG ~ BASE"}, "no term with the arm"),
        ({"delta": "a"}, "delta='a'"),
        ({"delta": np.inf}, "not finite"),
        ({"delta_where": "before"}, "delta_where='before'"),
        ({"delta_kind": "log"}, "delta_kind='log'"),
        ({"ci_level": 2}, "ci_level=2"),
    ],
)
def test_choices_that_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        run(trial(), **change)


def bad_frames() -> list[tuple[str, pd.DataFrame]]:
    data = trial()
    two_arms = data.copy()
    two_arms.loc[1, "TRT01P"] = "Drug"
    no_base = data.copy()
    no_base.loc[no_base["USUBJID"] == "S004", "BASE"] = np.nan
    no_subject = data.copy()
    no_subject.loc[3, "USUBJID"] = None
    return [
        ("more than one row at AVISITN", pd.concat([data, data.iloc[:1]])),
        ("changes 'TRT01P' between visits", two_arms),
        ("'BASE' is missing for 1 subject.*'S004'", no_base),
        ("'USUBJID' is missing in 1 of", no_subject),
        ("only one arm", data[data["TRT01P"] == "Placebo"]),
        ("only one visit", data[data["AVISITN"] == 4]),
    ]


@pytest.mark.parametrize("position", range(6))
def test_data_that_are_refused(position: int) -> None:
    message, data = bad_frames()[position]
    with pytest.raises(tk.DataError, match=message):
        run(data)


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ({"USUBJID": ["X"], "AVISITN": [8]}, "subjects that the data do not have.*'X'"),
        ({"USUBJID": ["S001", "S001"], "AVISITN": [8, 12]}, "two rows of subject 'S001'"),
        ({"USUBJID": ["S001"], "AVISITN": [9]}, "has the visit 9"),
    ],
)
def test_events_that_are_refused(events: dict[str, list[object]], message: str) -> None:
    with pytest.raises(tk.DataError, match=message):
        run(trial(), events=pd.DataFrame(events))


def test_several_names_for_one_answer_are_refused() -> None:
    own = pd.DataFrame({"USUBJID": ["S002", "S007"], "AVISITN": [4, 12], "strategy": "cr"})
    with pytest.raises(tk.SpecError, match="names mar, j2r, but every event has a strategy of its"):
        run(trial(), events=own, strategy=["mar", "j2r"])
    some = own.assign(strategy=["cr", None])
    assert len(run(trial(), events=some, strategy=["mar", "j2r"]).frame()) == 2 * len(VISITS)


def test_an_unknown_strategy_of_an_event_is_refused() -> None:
    events = pd.DataFrame({"USUBJID": ["S001"], "AVISITN": [8], "strategy": ["bocf"]})
    with pytest.raises(tk.SpecError, match="events strategy='bocf'"):
        run(trial(), events=events)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"arm": ["X"], "delta": [1.0]}, "has the arm 'X'"),
        ({"visit": [5], "delta": [1.0]}, "has the visit 5"),
        ({"arm": ["Drug", "Drug"], "delta": [1.0, 2.0]}, "two values for one arm and visit"),
        ({"arm": ["Drug"], "delta": [np.nan]}, "1 missing value"),
        ({"arm": ["Drug"]}, "No column 'delta'"),
    ],
)
def test_deltas_that_are_refused(delta: dict[str, list[object]], message: str) -> None:
    with pytest.raises(tk.DataError, match=message):
        run(trial(), delta=pd.DataFrame(delta))


def test_an_analysis_with_a_covariate_that_changes_is_refused() -> None:
    data = trial().assign(DOSE=lambda d: d["AVISITN"] * d["BASE"])
    with pytest.raises(tk.DataError, match="'DOSE' changes within subjects"):
        run(data, analysis="CHG ~ TRT01P + DOSE")


@pytest.mark.parametrize("where", ["imputation", "analysis", "both"])
def test_a_subject_that_cannot_be_left_out_is_counted_and_bounded(where: str) -> None:
    data = trial(40).assign(SITE=lambda d: np.where(d["USUBJID"] == "S011", "B", "A"))
    formula = FORMULA if where == "analysis" else f"{FORMULA} + SITE"
    analysis = ANALYSIS if where == "imputation" else f"{ANALYSIS} + SITE"
    result = tk.reference_based(formula, data, analysis=analysis, **ROLES)
    frame = result.frame()
    assert set(frame["n_failed"]) == {1}
    assert (frame["se_bound"] > frame["se"]).all()
    assert (frame["se_bound"] < 2 * frame["se"]).all()
    assert result.n_failed == {"j2r": 1}
    assert "j2r: 1 refits had no optimum and are left out." in result.contrasts.notes


def test_too_many_failed_refits_are_an_error() -> None:
    data = trial(40)
    lone = {f"S{i:03d}": f"site {i}" for i in (11, 12, 13, 14, 15, 16)}
    data = data.assign(SITE=data["USUBJID"].map(lone).fillna("A"))
    with pytest.raises(tk.ConvergenceError, match="6 of 40 leave-one-out fits have no optimum"):
        run(data, analysis=f"{ANALYSIS} + SITE")


def test_without_failures_the_bound_is_the_standard_error() -> None:
    frame = run(trial()).frame()
    np.testing.assert_allclose(frame["se_bound"], frame["se"], rtol=1e-12)


def test_a_column_of_deltas_that_names_neither_arm_nor_visit_is_refused() -> None:
    # Read as "all arms", it would move every arm.
    delta = pd.DataFrame({"TREATMENT": ["Drug"], "delta": [1.0]})
    with pytest.raises(tk.SpecError, match="has the column 'TREATMENT', which is neither the arm"):
        run(trial(), delta=delta)
