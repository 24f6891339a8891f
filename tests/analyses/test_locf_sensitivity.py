"""Last observation carried forward: against carrying by hand, and never without its warning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.imputation_frames import ANALYSIS, ROLES, VISITS, trial
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close

import trialkit as tk


def run(data: pd.DataFrame, formula: str = ANALYSIS, **changed: object) -> tk.EstimateTable:
    return tk.locf_sensitivity(formula, data, **{**ROLES, **changed})


def by_hand(data: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for _, own in data.sort_values("AVISITN").groupby("USUBJID"):
        last = np.nan
        for _, row in own.iterrows():
            last = row["CHG"] if not np.isnan(row["CHG"]) else last
            rows.append({**row.to_dict(), "CHG": last})
    return pd.DataFrame(rows)


@pytest.mark.parametrize("visit", VISITS)
def test_equals_ancova_of_values_carried_by_hand(visit: int) -> None:
    data = trial()
    filled = by_hand(data)
    filled = filled[filled["AVISITN"] == visit]
    theirs = tk.ancova(ANALYSIS, filled, arm="TRT01P", reference="Placebo").contrasts().single()
    table = run(data).where(visit=visit)
    ours = table.single()
    for name in ("estimate", "se", "df", "p_value", "ci_low", "ci_high"):
        assert_close(getattr(ours, name), getattr(theirs, name), 1e-12)
    assert table.extras["n_left_out"] == (int(filled["CHG"].isna().sum()),)
    gaps = data.loc[data["AVISITN"] == visit, "CHG"].isna().sum()
    assert table.extras["n_carried"] == (int(gaps - filled["CHG"].isna().sum()),)


def test_it_says_what_it_is() -> None:
    table = run(trial())
    assert "sensitivity analysis only" in table.notes[0]
    assert all(row.method.startswith("Sensitivity analysis") for row in table.estimates)


def test_rows_left_out_of_the_data_are_gaps() -> None:
    data = trial()
    assert run(data.dropna(subset="CHG"), ANALYSIS).frame()["n"].max() == 39  # one never seen
    kept = data[data["CHG"].notna() | (data["USUBJID"] == "S002")]
    pd.testing.assert_frame_equal(run(kept).frame(), run(data).frame())


def test_complete_data_need_nothing_carried() -> None:
    data = trial().assign(CHG=np.arange(120.0) % 17)
    table = run(data)
    assert set(table.extras["n_carried"]) == {0}


def test_several_arms_and_an_interaction() -> None:
    table = run(trial(60, arms=("Placebo", "3 mg", "6 mg")), "CHG ~ TRT01P * BASE")
    assert len(table) == 2 * len(VISITS)
    assert table.keys["contrast"][:2] == ("3 mg - Placebo", "6 mg - Placebo")


@given(st.integers(0, 1000), st.floats(-5, 5), st.floats(0.1, 10))
@settings(deadline=None, max_examples=10)
def test_order_of_rows_shift_and_unit(seed: int, shift: float, unit: float) -> None:
    data = trial()
    one = run(data).where(visit=12).single()
    other = data.sample(frac=1, random_state=seed).assign(CHG=lambda d: unit * d["CHG"] + shift)
    two = run(other).where(visit=12).single()
    assert_close([two.estimate, two.se], [unit * one.estimate, unit * one.se], 1e-9)
    turned = run(data, reference="Drug").where(visit=12).single()
    assert_close([turned.estimate, turned.p_value], [-one.estimate, one.p_value], 1e-9)


def test_one_sided_and_null() -> None:
    row = run(trial(), alternative="less", null=0.5, ci_level=0.9).where(visit=12).single()
    two = run(trial(), null=0.5).where(visit=12).single()
    assert row.ci_low == -np.inf
    assert_close(row.p_value, two.p_value / 2, 1e-12)  # the effect is below the null


@pytest.mark.parametrize(
    ("changed", "formula", "error", "message"),
    [
        ({}, "log(CHG) ~ TRT01P", tk.SpecError, "is an expression"),
        ({}, "CHG ~ BASE", tk.SpecError, "no term with the arm"),
        ({}, "CHG ~ TRT01P*C(AVISITN)", tk.DataError, "changes within subjects"),
        ({"weights": "om"}, ANALYSIS, tk.SpecError, "weights='om' is not offered"),
        ({"alternative": "two"}, ANALYSIS, tk.SpecError, "alternative='two'"),
        ({"ci_level": 95}, ANALYSIS, tk.SpecError, "ci_level=95"),
        ({"reference": "Nobody"}, ANALYSIS, tk.DataError, "Nobody"),
    ],
)
def test_refusals(
    changed: dict[str, object], formula: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(trial(), formula, **changed)


def test_an_arm_without_a_value_names_the_visit() -> None:
    data = trial()
    early = (data["TRT01P"] == "Drug") & (data["AVISITN"] == 4)
    with pytest.raises(tk.DataError, match="At AVISITN 4: "):
        run(data.assign(CHG=data["CHG"].mask(early)))


def test_two_rows_at_a_visit_are_refused() -> None:
    data = trial()
    with pytest.raises(tk.DataError, match="more than one row"):
        run(pd.concat([data, data.iloc[:1]]))
