"""Quade's rank ANCOVA: R, the algebra written out, invariances, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.frames import arm_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import stats

import trialkit as tk


@pytest.mark.reference
def test_matches_r() -> None:
    case = reference_case("parallel/a_two_arm_week12")
    expected = case["quade_rank_ancova"]
    table = tk.quade(case.data(), outcome="CHG", covariates="BASE", arm="TRT01P").frame()
    assert list(table["term"]) == ["TRT01P"]
    assert (table["num_df"].item(), table["den_df"].item()) == (expected["df1"], expected["df2"])
    assert_close(table["statistic"], [expected["statistic"]], 1e-9)
    assert_close(table["p_value"], [expected["p_value"]], 1e-9)


def three_arms(n: int = 40, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    base, age = np.round(rng.normal(6, 1, n), 1), rng.integers(20, 60, n).astype(float)
    arm = np.array(["P", "A", "B"])[np.arange(n) % 3]
    change = np.round(-0.4 * base + 0.02 * age - 0.8 * (arm == "A") + rng.normal(0, 1, n), 1)
    return pd.DataFrame({"ARM": arm, "BASE": base, "AGE": age, "CHG": change})


def slow_quade(data: pd.DataFrame, covariates: list[str]) -> tuple[float, float]:
    """Normal equations for the ranks, sums of squares by loops over the arms."""
    ranks = {name: stats.rankdata(data[name]) for name in ["CHG", *covariates]}
    centred = {name: r - r.mean() for name, r in ranks.items()}
    design = np.array([centred[name] for name in covariates])
    slopes = np.linalg.solve(design @ design.T, design @ centred["CHG"])
    residuals = centred["CHG"] - slopes @ design
    between = within = 0.0
    arms = sorted(set(data["ARM"]))
    for arm in arms:
        part = residuals[(data["ARM"] == arm).to_numpy()]
        between += part.size * (part.mean() - residuals.mean()) ** 2
        within += sum((value - part.mean()) ** 2 for value in part)
    df = (len(arms) - 1, len(data) - len(arms))
    statistic = between / df[0] / (within / df[1])
    return statistic, float(stats.f(*df).sf(statistic))


@pytest.mark.parametrize("covariates", [["BASE"], ["BASE", "AGE"]])
def test_three_arms_and_several_covariates(covariates: list[str]) -> None:
    data = three_arms()
    table = tk.quade(data, outcome="CHG", covariates=covariates, arm="ARM").frame()
    statistic, p_value = slow_quade(data, covariates)
    assert table["statistic"].item() == pytest.approx(statistic, rel=1e-10)
    assert table["p_value"].item() == pytest.approx(p_value, rel=1e-9)
    assert table["method"].item().endswith(", ".join(covariates))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_only_the_order_of_values_matters(seed: int) -> None:
    data = three_arms(seed=seed)
    base = tk.quade(data, outcome="CHG", covariates="BASE", arm="ARM").frame()
    monotone = data.assign(CHG=np.exp(data["CHG"]), BASE=data["BASE"] ** 3)
    relabelled = monotone.assign(ARM=monotone["ARM"].map({"P": "z", "A": "y", "B": "x"}))
    turned = tk.quade(relabelled.iloc[::-1], outcome="CHG", covariates="BASE", arm="ARM").frame()
    assert turned["statistic"].item() == pytest.approx(base["statistic"].item(), rel=1e-8)


def test_rows_without_outcome_or_covariate_are_counted() -> None:
    data = three_arms()
    data.loc[[0, 1], "CHG"] = np.nan
    data.loc[[1, 2, 3], "BASE"] = np.nan
    table = tk.quade(data, outcome="CHG", covariates="BASE", arm="ARM")
    assert table.frame()[["n", "n_missing"]].iloc[0].tolist() == [36, 4]
    assert table.notes == ("4 of 40 rows excluded, CHG or covariate missing.",)
    complete = tk.quade(data.dropna(), outcome="CHG", covariates="BASE", arm="ARM")
    assert complete.tests == table.tests


@pytest.mark.parametrize("covariates", [[], "CHG", ["BASE", "BASE"]])
def test_refuses_covariates_that_are_none_or_repeated(covariates: object) -> None:
    with pytest.raises(tk.SpecError, match="must name at least one column, each once"):
        tk.quade(three_arms(), outcome="CHG", covariates=covariates, arm="ARM")  # type: ignore[arg-type]


def test_refuses_what_has_no_test() -> None:
    data = arm_frame(P=[1, 2, 3], D=[3, 1, 4])
    with pytest.raises(tk.DataError, match="'BASE' is constant in the rows analysed"):
        tk.quade(data.assign(BASE=1.0), outcome="CHG", covariates="BASE", arm="ARM")
    with pytest.raises(tk.DataError, match="The ranks of BASE determine those of 'CHG'"):
        tk.quade(data.assign(BASE=data["CHG"] * 2), outcome="CHG", covariates="BASE", arm="ARM")
    with pytest.raises(tk.DataError, match=r"Arm 'P' has 1 row\(s\) with CHG and BASE"):
        tk.quade(
            data.assign(BASE=[None, None, 3, 4, 5, 6]), outcome="CHG", covariates="BASE", arm="ARM"
        )
    with pytest.raises(tk.DataError, match="No column 'BASE'"):
        tk.quade(data, outcome="CHG", covariates="BASE", arm="ARM")
