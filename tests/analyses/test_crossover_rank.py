"""Koch's test and the signed rank of a crossover against R, and by identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_cases import AB_BA, ROLES
from reference.loader import assert_close, reference_case

import trialkit as tk

EFFECTS = {
    "treatment": ("treatment_period_differences_BA_vs_AB", 0.5),
    "period": ("period_crossover_differences_AB_vs_BA", 0.5),
    "carryover": ("carryover_sums_AB_vs_BA", 1.0),
}


def rank(data: pd.DataFrame, **choices: Any) -> pd.Series:
    return tk.crossover_rank(data, **{**ROLES, **choices}).frame().iloc[0]


@pytest.mark.reference
@pytest.mark.parametrize("case", AB_BA)
@pytest.mark.parametrize("effect", EFFECTS)
def test_koch_wilcoxon_of_r(case: str, effect: str) -> None:
    name, factor = EFFECTS[effect]
    expected = reference_case(case)["koch_wilcoxon"][name]
    data = reference_case(case).data()
    exact = rank(data, effect=effect, exact=True)
    assert_close(exact["w"], expected["W"], 0)
    assert_close(exact["p_value"], expected["p_exact_permutation"], 1e-10)
    assert_close(exact["estimate"], factor * expected["median_of_differences"], 1e-10)
    limits = factor * np.array(expected["ci_order_statistics"])
    assert_close([exact["ci_low"], exact["ci_high"]], limits, 1e-10)
    for continuity, key in ((True, "p_continuity"), (False, "p_no_continuity")):
        normal = rank(data, effect=effect, exact=False, continuity=continuity)
        assert_close(normal["p_value"], expected[key], 1e-10)


@pytest.mark.reference
@pytest.mark.parametrize("case", AB_BA)
def test_half_the_shift_of_period_differences_is_the_treatment_effect(case: str) -> None:
    expected = reference_case(case)["koch_wilcoxon"]
    row = rank(reference_case(case).data(), exact=True)
    assert_close(row["estimate"], expected["treatment_effect_hl_half"], 1e-10)
    assert_close([row["ci_low"], row["ci_high"]], expected["treatment_ci_half"], 1e-10)


@pytest.mark.reference
@pytest.mark.parametrize("case", AB_BA)
def test_signed_rank_ignoring_period_of_r(case: str) -> None:
    expected = reference_case(case)["signed_rank_ignoring_period"]
    row = rank(reference_case(case).data(), exact=True, period_adjusted=False)
    assert_close(row["v"], expected["V"], 0)
    assert_close(row["p_value"], expected["p_exact"], 1e-10)


def trial(n: int = 9, seed: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "USUBJID": np.repeat(np.arange(2 * n), 2),
            "SEQ": np.repeat(["AB", "BA"], 2 * n),
            "PERIOD": np.tile([1, 2], 2 * n),
            "TRTA": ["Placebo", "LDN"] * n + ["LDN", "Placebo"] * n,
        }
    )
    return data.assign(AVAL=rng.normal(size=4 * n) - (data["TRTA"] == "LDN"))


def test_a_common_period_shift_cancels_only_where_adjusted() -> None:
    data = trial().drop(index=[34, 35])
    shifted = data.assign(AVAL=data["AVAL"] + 3 * (data["PERIOD"] == 2))
    columns = ["estimate", "p_value", "ci_low", "ci_high"]
    same, moved = rank(data)[columns], rank(shifted)[columns]
    assert_close(moved.astype(float), same.astype(float), 1e-9)
    assert_close(
        rank(shifted, effect="period")["estimate"],
        rank(data, effect="period")["estimate"] + 3,
        1e-9,
    )
    unadjusted = {"period_adjusted": False}
    assert rank(shifted, **unadjusted)["p_value"] > 2 * rank(data, **unadjusted)["p_value"]


def test_exchanging_the_reference_turns_the_sign() -> None:
    there, back = rank(trial()), rank(trial(), reference="LDN")
    assert back["contrast"] == "Placebo - LDN"
    assert_close(back["estimate"], -there["estimate"], 1e-12)
    assert_close(back["p_value"], there["p_value"], 1e-12)
    assert_close(back["effect_size_r"], -there["effect_size_r"], 1e-12)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("exact", [True, False])
def test_signed_rank_is_that_of_scipy(alternative: Any, exact: bool) -> None:
    from scipy import stats

    data = trial()
    wide = data.pivot(index="USUBJID", columns="TRTA", values="AVAL")
    row = rank(data, period_adjusted=False, exact=exact, alternative=alternative)
    theirs = stats.wilcoxon(
        wide["LDN"],
        wide["Placebo"],
        alternative=alternative,
        correction=True,
        method="exact" if exact else "asymptotic",
    )
    assert_close(row["p_value"], theirs.pvalue, 1e-9)
    differences = (wide["LDN"] - wide["Placebo"]).to_numpy()
    i, j = np.triu_indices(differences.size)
    assert_close(row["estimate"], np.median((differences[i] + differences[j]) / 2), 1e-12)


def test_effect_size_r_is_z_over_the_root_of_the_pairs() -> None:
    data = trial()
    plain = rank(data, period_adjusted=False, exact=False, continuity=False)
    assert_close(plain["effect_size_r"], plain["statistic"] / np.sqrt(18), 1e-12)


def test_ties_by_rounding_error_are_counted_and_can_be_joined() -> None:
    data = trial().assign(AVAL=lambda d: (10 + d["AVAL"]).round(1))
    table = tk.crossover_rank(data, **ROLES)
    assert any("ranked as computed" in note for note in table.notes)
    joined = tk.crossover_rank(data, **ROLES, near_ties="joined")
    assert any("rank as tied" in note for note in joined.notes)


def test_incomplete_pairs_are_counted() -> None:
    data = trial()
    data.loc[3, "AVAL"] = np.nan
    table = tk.crossover_rank(data, **ROLES)
    assert table.notes[0].startswith("1 of 18 subjects lack AVAL in a period")
    assert table.frame()["n"].tolist() == [17]


def test_refusals() -> None:
    data = trial()
    with pytest.raises(tk.DesignError, match="2 treatments, 3 periods"):
        rank(pd.concat([data, data[data["PERIOD"] == 2].assign(PERIOD=3)]))
    swapped = data.copy()
    swapped.loc[[0, 1], "TRTA"] = ["LDN", "Placebo"]
    with pytest.raises(tk.DesignError, match="'AB' got the treatments in different orders"):
        rank(swapped)
    with pytest.raises(tk.DesignError, match="Both sequences begin with 'Placebo'"):
        rank(data.assign(TRTA=["Placebo", "LDN"] * 18))
    with pytest.raises(tk.DataError, match=r"'BA' has 1 subject\(s\)"):
        rank(data[data["USUBJID"] <= 9])
    with pytest.raises(tk.SpecError, match="period_adjusted=False"):
        rank(data, effect="period", period_adjusted=False)
    with pytest.raises(tk.SpecError, match="allowed: treatment, period, carryover"):
        rank(data, effect="sequence")
    with pytest.raises(tk.DataError, match="is the same under"):
        rank(data.assign(AVAL=1.0), period_adjusted=False)
    with pytest.raises(tk.DataError, match="half period differences of 'AVAL' are 0 in all"):
        rank(data.assign(AVAL=1.0))
    with pytest.raises(tk.DataError, match="sums of both periods of 'AVAL' are 2 in all"):
        rank(data.assign(AVAL=1.0), effect="carryover")
    for unadjusted in ({"period_adjusted": False}, {}):
        with pytest.raises(tk.SpecError, match="near_ties='x' is not offered"):
            rank(data, near_ties="x", **unadjusted)
        with pytest.raises(tk.SpecError, match="exact='yes' is not offered; allowed: True, False"):
            rank(data, exact="yes", **unadjusted)
    with pytest.raises(tk.SpecError, match="continuity=0 is not offered"):
        rank(data, continuity=0)
    with pytest.raises(
        tk.SpecError, match="period_adjusted=1 is not offered; allowed: True, False"
    ):
        rank(data, period_adjusted=1)


@pytest.mark.parametrize("null", [0.0, 1.0])
def test_zeros_leave_the_signed_rank_test_and_not_the_estimate(null: float) -> None:
    change = null + np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 5.0, -1.5])
    rows = [
        {"ID": i, "SEQ": seq, "PERIOD": k + 1, "TRT": "T" if letter == "B" else "R", "Y": 20.0 + i}
        for i, seq in enumerate(["AB", "BA"] * 4)
        for k, letter in enumerate(seq)
    ]
    data = pd.DataFrame(rows)
    data["Y"] += np.where(data["TRT"] == "T", change[data["ID"]], 0.0)
    table = tk.crossover_rank(
        data,
        outcome="Y",
        subject="ID",
        sequence="SEQ",
        period="PERIOD",
        treatment="TRT",
        reference="R",
        period_adjusted=False,
        null=null,
    )
    pairs = [(a + b) / 2 for i, a in enumerate(change) for b in change[i:]]
    assert_close(table.single().estimate, np.median(pairs), 1e-12)
    assert table.extras["n_zero"] == (3,)
    assert any(f"3 difference(s) of {null:g} are left out" in note for note in table.notes)
