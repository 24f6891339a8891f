"""Tipping point: the grid against single runs, the border against the grid, and the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.imputation_frames import ANALYSIS, FORMULA, ROLES, trial

import trialkit as tk
from trialkit.analyses.tipping_point import TippingPoint

STEPS = np.linspace(0, 12, 7)


def tip(data: pd.DataFrame, **other: Any) -> TippingPoint:
    return tk.tipping_point(FORMULA, data, **{**ROLES, "analysis": ANALYSIS, **other})


def alone(data: pd.DataFrame, delta: object, **other: Any) -> tk.Estimate:
    result = tk.reference_based(FORMULA, data, delta=delta, analysis=ANALYSIS, **ROLES, **other)
    return result.where(visit=12).single()


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
@pytest.mark.parametrize("where", ["after-event", "all"])
def test_each_point_is_the_analysis_with_that_delta(kind: str, where: str) -> None:
    data = trial()
    grid = tip(
        data,
        deltas={"Placebo": [0.5, 2.0], "Drug": [0.0, 3.0]},
        delta_kind=kind,
        delta_where=where,
        strategy="cir",
    ).frame()
    assert len(grid) == 4
    for _, row in grid.iterrows():
        delta = pd.DataFrame(
            {"arm": ["Placebo", "Drug"], "delta": [row["delta Placebo"], row["delta Drug"]]}
        )
        one = alone(data, delta, delta_kind=kind, delta_where=where, strategy="cir")
        assert row["estimate"] == pytest.approx(one.estimate, rel=1e-9)
        assert row["se"] == pytest.approx(one.se, rel=1e-8)
        assert row["p_value"] == pytest.approx(one.p_value, rel=1e-6)


@pytest.mark.parametrize("variance", ["bootstrap", "rubin"])
def test_each_point_with_chance_too(variance: str) -> None:
    data = trial()
    chance = {"variance": variance, "n_samples": 30, "rng": 5}
    grid = tip(data, deltas=[0.0, 4.0], strategy="mar", **chance).frame()
    delta = pd.DataFrame({"arm": ["Drug"], "delta": [4.0]})
    one = alone(data, delta, strategy="mar", **chance)
    assert grid["estimate"].iloc[1] == pytest.approx(one.estimate, rel=1e-9)
    assert grid["se"].iloc[1] == pytest.approx(one.se, rel=1e-8)
    assert grid["df"].iloc[1] == pytest.approx(one.df, rel=1e-8)


def test_the_border_is_where_p_is_alpha() -> None:
    data = trial(60)
    result = tip(data, deltas=STEPS, strategy="mar")
    frame, border = result.frame(), result.border
    assert frame["is_concluded"].iloc[0]
    assert not frame["is_concluded"].iloc[-1]
    assert len(border) == 1
    at = float(border["delta"].iloc[0])
    one = alone(data, pd.DataFrame({"arm": ["Drug"], "delta": [at]}), strategy="mar")
    assert one.p_value == pytest.approx(0.05, rel=1e-8)
    below = frame[frame["delta"] < at]
    assert below["is_concluded"].all()


def test_significance_the_other_way_round_is_not_the_conclusion() -> None:
    frame = tip(trial(60), deltas=[0.0, 200.0], delta_where="all", strategy="mar").frame()
    assert frame["estimate"].iloc[1] > 0 > frame["estimate"].iloc[0]
    assert frame["is_concluded"].tolist() == [True, False]


def test_one_sided_conclusions() -> None:
    less = tip(trial(60), deltas=STEPS, alternative="less", alpha=0.025, strategy="mar")
    two = tip(trial(60), deltas=STEPS, strategy="mar")
    np.testing.assert_allclose(less.border["delta"], two.border["delta"], rtol=1e-9)
    never = tip(trial(60), deltas=[0.0, 1.0], alternative="greater", strategy="mar")
    assert never.border["status"].tolist() == ["no change within the range"]
    assert never.border["delta"].isna().all()


def test_two_dimensions_have_a_border_for_each_value_of_the_first() -> None:
    result = tip(trial(60), deltas={"Placebo": [-2.0, 0.0, 2.0], "Drug": STEPS}, strategy="mar")
    border = result.border
    assert border["delta Placebo"].tolist() == [-2.0, 0.0, 2.0]
    # The worse the reference fares, the worse the drug may fare before it matters.
    found = border.loc[border["status"] == "ok", "delta Drug"].to_numpy()
    assert (np.diff(found) > 0).all()
    one = tip(trial(60), deltas=STEPS, strategy="mar")
    np.testing.assert_allclose(border["delta Drug"].iloc[1], one.border["delta"].iloc[0])


def test_the_grid_is_drawn() -> None:
    data = trial(60)
    curve = tip(data, deltas=STEPS, strategy="mar").plot()
    assert curve.get_xlabel() == "Delta"
    assert [text.get_text() for text in curve.texts]
    both = tip(data, deltas={"Placebo": [0.0, 2.0, 4.0], "Drug": STEPS}, strategy=["mar", "j2r"])
    with pytest.raises(tk.SpecError, match="several of strategy"):
        both.plot()
    axes = both.plot(strategy="j2r")
    assert axes.get_xlabel() == "Delta Drug"
    assert axes.get_ylabel() == "Delta Placebo"
    axes.figure.canvas.draw()


def test_text_of_the_result() -> None:
    result = tip(trial(), deltas=[0.0, 1.0])
    assert "delta" in repr(result)
    assert "<table" in result._repr_html_()
    assert len(result) == len(result.where(strategy="j2r")) == 2
    assert len(result.to_ard()) > 2


@pytest.mark.parametrize(
    ("deltas", "message"),
    [
        ([1.0, 0.0], "must increase"),
        ([0.0, np.nan], "finite"),
        (["a"], "sequence of numbers"),
        ([], "finite numbers"),
        ({}, "deltas= is empty"),
        ({"X": [0.0]}, "names the arm 'X'"),
        ({"Placebo": range(1000), "Drug": range(1000)}, "1000000 points"),
    ],
)
def test_deltas_that_are_refused(deltas: Any, message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tip(trial(), deltas=deltas)


def test_visits_are_those_of_the_data() -> None:
    result = tip(trial(), deltas=[0.0, 1.0], visits=[8, 12])
    assert set(result.frame()["visit"]) == {8, 12}
    with pytest.raises(tk.DataError, match="visits= names 9"):
        tip(trial(), deltas=[0.0], visits=[9])
    with pytest.raises(tk.SpecError, match="give a list"):
        tip(trial(), deltas=[0.0], visits="Week 8")
    with pytest.raises(tk.SpecError, match="ci_level=0"):
        tip(trial(), deltas=[0.0], alpha=1.0)


def test_the_method_says_whom_one_sequence_of_deltas_goes_to() -> None:
    method = tip(trial(), deltas=[0.0, 1.0]).frame()["method"].iloc[0]
    assert "additive delta in all arms but Placebo on values imputed after the event" in method
    method = tip(trial(), deltas={"Drug": [0.0, 1.0]}).frame()["method"].iloc[0]
    assert "additive delta on values imputed after the event" in method
