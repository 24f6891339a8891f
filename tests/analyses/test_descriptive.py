"""Summaries by arm: R's quantile types, the definitions, orders, refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from analyses.frames import arm_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import stats

import trialkit as tk

SHARED = ("n", "n_missing", "mean", "sd", "se", "median", "min", "max")


@pytest.mark.reference
@pytest.mark.parametrize(("quantiles", "suffix"), [("sas", "type2"), ("r", "type7")])
def test_matches_r(quantiles: str, suffix: str) -> None:
    case = reference_case("parallel/a_two_arm_week12")
    expected = case.table("descriptive")
    table = tk.summarize(
        case.data(),
        outcome="CHG",
        arm="TRT01P",
        reference="Placebo",
        quantiles=quantiles,  # type: ignore[arg-type]
    )
    frame = table.frame()
    assert list(frame["arm"]) == list(expected["arm"])
    for name in SHARED:
        assert_close(frame[name], expected[name], 1e-9, atol=1e-12)
    for name in ("q1", "q3"):
        assert_close(frame[name], expected[f"{name}_{suffix}"], 1e-9, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=25))
def test_sas_quartiles_average_at_the_step(values: list[int]) -> None:
    # PCTLDEF=5: with n p = j + g, the mean of the j-th and the next where g = 0, else the next.
    ordered = sorted(values)
    data = arm_frame(P=values, D=[0])
    frame = tk.summarize(data, outcome="CHG", arm="ARM").where(arm="P").frame()
    for name, quarter in (("q1", 1), ("median", 2), ("q3", 3)):
        j, rest = divmod(len(values) * quarter, 4)
        truth = ordered[j] if rest else (ordered[j - 1] + ordered[j]) / 2
        assert frame[name].item() == truth


def test_groups_arms_and_orders() -> None:
    data = pd.DataFrame(
        {
            "ARM": list("BBAABA"),
            "WEEK": pd.Categorical(
                ["Week 12", "Week 2", "Week 2", "Week 12", "Week 2", "Week 2"],
                categories=["Week 2", "Week 12"],
            ),
            "CHG": [1.0, 2.0, 3.0, 4.0, 6.0, np.nan],
        }
    )
    table = tk.summarize(data, outcome="CHG", arm="ARM", reference="B", by="WEEK")
    frame = table.frame()
    assert list(zip(frame["arm"], frame["WEEK"], strict=True)) == [
        ("B", "Week 2"),
        ("B", "Week 12"),
        ("A", "Week 2"),
        ("A", "Week 12"),
    ]
    assert list(frame["n"]) == [2, 1, 1, 1]
    assert list(frame["n_missing"]) == [0, 0, 1, 0]
    row = table.where(arm="B", WEEK="Week 2").frame().iloc[0]
    assert (row["mean"], row["se"]) == (4.0, 2.0)
    assert math.isnan(frame["sd"].iloc[1])


def test_an_arm_without_values_is_a_row_of_counts() -> None:
    frame = tk.summarize(arm_frame(P=[None, None], D=[1]), outcome="CHG", arm="ARM").frame()
    row = frame[frame["arm"] == "P"].iloc[0]
    assert (row["n"], row["n_missing"]) == (0, 2)
    assert math.isnan(row["mean"])
    assert math.isnan(row["max"])


def test_it_is_a_result_like_the_others() -> None:
    table = tk.summarize(arm_frame(P=[1, 2], D=[3, 4]), outcome="CHG", arm="ARM")
    other = tk.summarize(arm_frame(P=[1, 2], D=[3, 4]), outcome="CHG", arm="ARM", quantiles="r")
    assert set(table.frame()["method"]).isdisjoint(set(other.frame()["method"]))
    assert "PCTLDEF=5" in repr(table)
    assert "<table" in table._repr_html_()
    ard = table.to_ard()
    assert set(ard["stat_name"]) == set(table.statistics)
    mean = ard[(ard["stat_name"] == "mean") & (ard["group1_level"] == "D")]
    assert mean["stat"].item() == 3.5


def test_refusals() -> None:
    data = arm_frame(P=[1, 2], D=[3, 4])
    with pytest.raises(tk.SpecError, match="quantiles='minitab' is not offered; allowed: sas, r"):
        tk.summarize(data, outcome="CHG", arm="ARM", quantiles="minitab")  # type: ignore[arg-type]
    with pytest.raises(tk.SpecError, match="by=\\['ARM'\\] must name other columns"):
        tk.summarize(data, outcome="CHG", arm="ARM", by="ARM")
    with pytest.raises(tk.SpecError, match="rename \\['n'\\]"):
        tk.summarize(data.assign(n=1), outcome="CHG", arm="ARM", by="n")
    with pytest.raises(tk.DataError, match="No column 'SEX'"):
        tk.summarize(data, outcome="CHG", arm="ARM", by="SEX")
    with pytest.raises(tk.SpecError, match="No row has arm='X'"):
        tk.summarize(data, outcome="CHG", arm="ARM").where(arm="X")


def visits_frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    visit = pd.Categorical(["Week 4", "Week 12"] * 12, categories=["Week 4", "Week 12"])
    return pd.DataFrame(
        {"ARM": ["P"] * 12 + ["D"] * 12, "AVISIT": visit, "CHG": rng.normal(size=24)}
    )


def test_plot_draws_each_mean_with_its_t_interval() -> None:
    data = visits_frame()
    axes = tk.summarize(data, outcome="CHG", arm="ARM", reference="P", by="AVISIT").plot()
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    spans = {
        (round(s[0][1], 9), round(s[1][1], 9)) for c in axes.collections for s in c.get_segments()
    }
    for arm in ("P", "D"):
        for column, visit in enumerate(("Week 4", "Week 12")):
            values = data.loc[(data["ARM"] == arm) & (data["AVISIT"] == visit), "CHG"].to_numpy()
            ends = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
            assert lines[arm][column] == pytest.approx(values.mean())
            assert tuple(np.round(ends, 9)) in spans
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["Week 4", "Week 12"]
    assert axes.get_ylabel() == "Mean CHG (95% CI)"


def test_plot_needs_one_column_of_by() -> None:
    with pytest.raises(tk.SpecError, match="this table has 0: none"):
        tk.summarize(visits_frame(), outcome="CHG", arm="ARM", reference="P").plot()
