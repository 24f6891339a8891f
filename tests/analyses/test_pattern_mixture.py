"""Pattern mixture against doing it by hand, and against the mixed model where they are one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.imputation_frames import ANALYSIS, FORMULA, ROLES, trial

import trialkit as tk
from trialkit.analyses.pattern_mixture import PatternMixture


def monotone(n: int = 90) -> pd.DataFrame:
    data = trial(n)
    return data[~data["USUBJID"].isin(["S002", "S007"])]


def run(data: pd.DataFrame, **other: Any) -> PatternMixture:
    return tk.pattern_mixture(ANALYSIS, data, **{**ROLES, **other})


def by_hand(data: pd.DataFrame, restriction: str) -> float:
    """The difference at the last visit, one regression at a time."""
    y = data["CHG"].to_numpy().reshape(-1, 3)
    first = data.iloc[::3]
    z = np.column_stack(
        [np.ones(len(y)), first["TRT01P"] == "Drug", first["BASE"].to_numpy()]
    ).astype(float)
    last = 2 - np.argmax(~np.isnan(y[:, ::-1]), axis=1)
    out = y.copy()
    for t in range(3):
        giving = {"ccmv": last == 2, "acmv": ~np.isnan(y[:, t]), "ncmv": last == t}[restriction]
        x = np.column_stack([z, out[:, :t]])
        lost = np.isnan(out[:, t])
        if lost.any():
            b = np.linalg.lstsq(x[giving], y[giving, t], rcond=None)[0]
            out[lost, t] = x[lost] @ b
    return float(np.linalg.lstsq(z, out[:, 2], rcond=None)[0][1])


@pytest.mark.parametrize("restriction", ["ccmv", "acmv", "ncmv"])
def test_each_restriction_by_hand_with_its_jackknife(restriction: str) -> None:
    data = monotone(60)
    row = run(data, restriction=restriction).where(visit=12).single()
    assert row.estimate == pytest.approx(by_hand(data, restriction), rel=1e-9)
    subjects = data["USUBJID"].unique()
    left = [by_hand(data[data["USUBJID"] != s], restriction) for s in subjects]
    expected = np.sqrt((len(left) - 1) * np.var(left))
    assert row.se == pytest.approx(expected, rel=1e-7)


def test_available_cases_with_monotone_dropout_are_missing_at_random() -> None:
    # Sequential regressions are the factored likelihood of the mixed model.
    data = monotone()
    mixed = run(data, restriction="acmv").frame()
    model = tk.reference_based(
        FORMULA, data, strategy="mar", method="ml", analysis=ANALYSIS, **ROLES
    ).frame()
    np.testing.assert_allclose(mixed["estimate"], model["estimate"], rtol=1e-8)
    np.testing.assert_allclose(mixed["se"], model["se"], rtol=1e-6)


def test_with_arms_apart_each_arm_is_imputed_from_itself() -> None:
    data = monotone()
    changed = data.copy()
    drug = changed["TRT01P"] == "Drug"
    changed.loc[drug, "CHG"] = changed.loc[drug, "CHG"] ** 3
    plain = {"restriction": "ccmv", "by_arm": True}
    one, other = (
        tk.pattern_mixture("CHG ~ TRT01P", d, **ROLES, **plain).lsmeans.where(arm="Placebo")
        for d in (data, changed)
    )
    np.testing.assert_allclose(one.frame()["estimate"], other.frame()["estimate"], rtol=1e-9)
    shared = tk.pattern_mixture("CHG ~ TRT01P", changed, restriction="ccmv", **ROLES)
    means = shared.lsmeans.where(arm="Placebo").frame()["estimate"]
    assert not np.allclose(means, one.frame()["estimate"])


def test_complete_data_need_no_restriction() -> None:
    data = trial().assign(CHG=lambda d: d["CHG"].fillna(-1.0 - d["BASE"] / 7))
    frame = run(data).frame()
    last = data[data["AVISITN"] == 12]
    plain = tk.ancova(ANALYSIS, last, arm="TRT01P", reference="Placebo").contrasts().single()
    np.testing.assert_allclose(frame[frame["visit"] == 12]["estimate"], plain.estimate)


def test_patterns_are_counted_and_sum_to_their_arm() -> None:
    data = trial(60)
    patterns = run(data, restriction="acmv").patterns
    assert patterns["n"].sum() == 60
    np.testing.assert_allclose(patterns.groupby("arm", observed=True)["share"].sum(), 1)
    assert patterns["last_visit"].isna().sum() == 1
    done = patterns[patterns["last_visit"] == 12]
    assert done["mean 12"].notna().all()


def test_tables_are_where_they_are_for_every_method() -> None:
    result = run(trial(60), restriction=["ccmv", "acmv"])
    assert list(result.frame().columns[:3]) == ["visit", "contrast", "restriction"]
    assert result.plot() is not None
    assert len(result.to_ard())
    assert "complete-case" in repr(result)


def test_refusals() -> None:
    with pytest.raises(tk.SpecError, match="restriction='locf'"):
        run(trial(), restriction="locf")
    with pytest.raises(tk.SpecError, match="restriction= is empty"):
        run(trial(), restriction=())
    with pytest.raises(tk.DataError, match="'ncmv' is not determined: its regressions"):
        run(monotone(12), restriction="ncmv", by_arm=True)


def test_a_sample_whose_regressions_fail_is_counted_and_bounded() -> None:
    frame = run(trial(), restriction=["acmv", "ncmv"]).frame()
    failing = frame["restriction"] == "ncmv"
    assert (frame.loc[failing, "n_failed"] == 1).all()
    assert (frame.loc[failing, "se_bound"] > frame.loc[failing, "se"]).all()
    np.testing.assert_allclose(frame.loc[~failing, "se_bound"], frame.loc[~failing, "se"])
