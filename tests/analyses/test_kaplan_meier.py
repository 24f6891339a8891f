"""Kaplan-Meier by arm: against R's survival, lifelines, and the definition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import (
    ARM,
    PARAMETERS,
    REFERENCE,
    case,
    last_time,
    rows,
    simulated,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close

import trialkit as tk

RTOL = 1e-8


def curves(parameter: str, ci: str) -> object:
    return tk.kaplan_meier(
        rows(parameter), time="AVAL", event="EVENT", arm=ARM, reference=REFERENCE, ci=ci
    )


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_curve_equals_r(parameter: str) -> None:
    expected = pd.DataFrame(case()[parameter.lower()]["km"]["table"])
    for (ci, arm), part in expected.groupby(["conf_type", "arm"], observed=True):
        ours = curves(parameter, ci).at(part["time"].tolist()).where(arm=arm).frame()
        unknown = (part["time"] > last_time(parameter, arm)) & (part["survival"] > 0)
        part.loc[unknown, ["survival", "se_greenwood", "ci_low", "ci_high"]] = np.nan
        # R gives a curve of one an interval of width zero on the log-log scale too.
        if ci == "log-log":
            part.loc[part["survival"] == 1, ["ci_low", "ci_high"]] = np.nan
        for mine, theirs in (
            ("estimate", "survival"),
            ("se", "se_greenwood"),
            ("ci_low", "ci_low"),
            ("ci_high", "ci_high"),
            ("n_risk", "n_risk"),
        ):
            assert_close(ours[mine], part[theirs], RTOL)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_quantiles_equal_r(parameter: str) -> None:
    expected = pd.DataFrame(case()[parameter.lower()]["quantiles"]["table"])
    for (ci, p), part in expected.groupby(["conf_type", "p_event"], observed=True):
        ours = curves(parameter, ci).quantile(p)
        for arm in part["arm"]:
            row, theirs = ours.where(arm=arm).single(), part[part["arm"] == arm].iloc[0]
            assert_close(
                [row.estimate, row.ci_low, row.ci_high],
                theirs[["quantile", "ci_low", "ci_high"]].astype(float),
                RTOL,
            )
            assert (row.status == "ok") == (not np.isnan(row.estimate))


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_cumulative_hazard_equals_r(parameter: str) -> None:
    expected = pd.DataFrame(case()[parameter.lower()]["nelson_aalen"]["table"])
    for arm, part in expected.groupby("arm", observed=True):
        ours = curves(parameter, "log").cumulative_hazard(part["time"].tolist())
        ours = ours.where(arm=arm).frame()
        unknown = part["time"] > last_time(parameter, arm)
        part.loc[unknown, ["cumhaz_nelson_aalen", "se_cumhaz"]] = np.nan
        assert_close(ours["estimate"], part["cumhaz_nelson_aalen"], RTOL)
        assert_close(ours["se"], part["se_cumhaz"], RTOL)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
def test_difference_at_times_equals_r(parameter: str) -> None:
    expected = pd.DataFrame(case()[parameter.lower()]["km_difference"]["table"])
    ours = curves(parameter, "plain").difference(expected["time"].tolist(), reference=REFERENCE)
    ours = ours.frame().rename(columns={"estimate": "difference"})
    for name in ("difference", "se", "statistic", "p_value", "ci_low", "ci_high"):
        assert_close(ours[name], expected[name], RTOL, atol=1e-14)


def test_curve_equals_lifelines() -> None:
    from lifelines import KaplanMeierFitter

    data = simulated(1)
    ours = tk.kaplan_meier(data, time="DAY", event="DISC").frame()
    theirs = KaplanMeierFitter().fit(data["DAY"], data["DISC"])
    assert_close(ours["estimate"], theirs.survival_function_at_times(ours["time"]), 1e-12)


def test_counts_of_every_time_add_up() -> None:
    data = simulated(2)
    frame = tk.kaplan_meier(data, time="DAY", event="DISC", arm="ARM").frame()
    for arm, part in frame.groupby("arm", observed=True):
        own = data[data["ARM"] == arm]
        assert part["n_event"].sum() == own["DISC"].sum()
        assert part["n_event"].sum() + part["n_censored"].sum() == len(own)
        assert part["n_risk"].iloc[0] == len(own)


def test_without_censoring_the_curve_is_the_share_left() -> None:
    data = simulated(3).assign(DISC=1)
    frame = tk.kaplan_meier(data, time="DAY", event="DISC").frame()
    shares = [(data["DAY"] > t).mean() for t in frame["time"]]
    assert_close(frame["estimate"], shares, 1e-12, atol=1e-15)
    greenwood = np.sqrt(frame["estimate"] * (1 - frame["estimate"]) / len(data))
    assert_close(frame["se"].iloc[:-1], greenwood.iloc[:-1], 1e-12)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), factor=st.floats(0.01, 100))
def test_order_of_rows_and_unit_of_time_do_not_matter(seed: int, factor: float) -> None:
    data = simulated(seed, n=25)
    shuffled = data.sample(frac=1, random_state=seed)
    shuffled = shuffled.assign(DAY=shuffled["DAY"] * factor)
    a = tk.kaplan_meier(data, time="DAY", event="DISC", arm="ARM")
    b = tk.kaplan_meier(shuffled, time="DAY", event="DISC", arm="ARM")
    for name in ("estimate", "se", "ci_low", "ci_high", "n_risk"):
        assert_close(a.frame()[name], b.frame()[name], 1e-12)
    assert_close(a.median().frame()["estimate"] * factor, b.median().frame()["estimate"], 1e-12)


def test_past_the_last_observation_nothing_is_claimed() -> None:
    data = pd.DataFrame({"DAY": [1.0, 2.0, 3.0], "DISC": [1, 0, 0]})
    row = tk.kaplan_meier(data, time="DAY", event="DISC").at([4]).single()
    assert np.isnan(row.estimate)
    assert "after the last observed time" in row.status


def test_curve_at_one_has_no_log_log_interval() -> None:
    data = pd.DataFrame({"DAY": [1.0, 2.0, 3.0], "DISC": [0, 1, 0]})
    table = tk.kaplan_meier(data, time="DAY", event="DISC")
    first = table.frame().iloc[0]
    assert first["estimate"] == 1
    assert np.isnan(first["ci_low"])
    assert "no interval" in first["status"]


def test_rows_without_time_are_counted() -> None:
    data = simulated(4)
    data.loc[[3, 7], "DAY"] = np.nan
    table = tk.kaplan_meier(data, time="DAY", event="DISC")
    assert table.notes == ("2 of 60 rows excluded, time or event missing.",)
    assert table.estimates[0].n == 58


def test_flags_may_be_words_or_booleans() -> None:
    data = simulated(5)
    words = data.assign(DISC=data["DISC"].map({1: "Y", 0: "N"}))
    truth = data.assign(DISC=data["DISC"] == 1)
    frames = [
        tk.kaplan_meier(d, time="DAY", event="DISC").frame()["estimate"]
        for d in (data, words, truth)
    ]
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])


def test_figure_has_a_curve_an_arm_and_numbers_at_risk() -> None:
    data = simulated(6)
    axes = tk.kaplan_meier(data, time="DAY", event="DISC", arm="ARM").plot()
    texts = [text.get_text() for text in axes.texts]
    assert "Number at risk" in texts
    assert texts.count("30") >= 2  # both arms at time zero
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["Arm 0", "Arm 1"]
    axes.get_figure().canvas.draw()


def refused(error: type[Exception], match: str, data: pd.DataFrame, **changed: object) -> None:
    arguments: dict[str, object] = {"time": "DAY", "event": "DISC", "arm": "ARM", **changed}
    with pytest.raises(error, match=match):
        tk.kaplan_meier(data, **arguments)


def test_what_is_refused() -> None:
    data = simulated(7)
    refused(tk.SpecError, "CNSR is 1 for a censored", data.assign(CNSR=0), event="CNSR")
    refused(tk.SpecError, "ci='loglog' is not offered", data, ci="loglog")
    refused(tk.DataError, "negative time", data.assign(DAY=-1.0))
    refused(tk.DataError, "holds 2; an event flag", data.assign(DISC=2))
    refused(tk.DataError, "No event among", data.assign(DISC=0))
    refused(tk.DataError, "is not an arm", data, reference="Nobody")
    refused(tk.DataError, "missing in 60 of 60|has no value", data.assign(ARM=None))
    refused(tk.DataError, "more than one row", data.assign(USUBJID="S"), subject="USUBJID")
    with pytest.raises(tk.SpecError, match="not between 0 and 1"):
        tk.kaplan_meier(data, time="DAY", event="DISC").quantile(1.0)
    with pytest.raises(tk.DataError, match="is not an arm"):
        tk.kaplan_meier(data, time="DAY", event="DISC", arm="ARM").difference([5], reference="x")
