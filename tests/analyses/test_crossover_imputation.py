"""Imputation in a two-period crossover: by hand, in the limit, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import trialkit as tk
from trialkit.analyses.crossover_imputation import CrossoverImputed

ROLES: dict[str, Any] = {
    "outcome": "AVAL",
    "subject": "USUBJID",
    "period": "APERIOD",
    "treatment": "TRTA",
    "reference": "Placebo",
}
ALL = ("mar", "j2r", "cr", "cir", "lmcf")


def trial(n: int = 24, n_missing: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(2)
    first = np.resize(["Drug", "Placebo"], n)
    y = rng.normal(6, 1, (n, 1)) + rng.normal(0, 0.7, (n, 2)) + [0.0, 0.3]
    drug = np.column_stack([first == "Drug", first == "Placebo"])
    y = y - 1.2 * drug
    y[:n_missing, 1] = np.nan
    return pd.DataFrame(
        {
            "USUBJID": np.repeat([f"C{i:02d}" for i in range(n)], 2),
            "APERIOD": np.tile([1, 2], n),
            "TRTA": np.where(drug, "Drug", "Placebo").ravel(),
            "AVAL": y.ravel(),
        }
    )


def run(data: pd.DataFrame, **other: Any) -> CrossoverImputed:
    return tk.crossover_reference_based(data, **{**ROLES, **other})


def by_hand(data: pd.DataFrame, strategy: str) -> float:
    """Means, covariance and completion, participant by participant."""
    fit = tk.mmrm(
        "AVAL ~ C(APERIOD) + C(TRTA, Treatment('Placebo'))",
        data,
        subject="USUBJID",
        visit="APERIOD",
        df="normal",
    )
    intercept, second, drug = fit.coef
    s = fit.covariance.to_numpy()
    mean = {
        (p, t): intercept + second * (p == 2) + drug * (t == "Drug")
        for p in (1, 2)
        for t in ("Drug", "Placebo")
    }
    differences, signs = [], []
    for _, rows in data.groupby("USUBJID", observed=True):
        (t1, t2), (y1, y2) = rows["TRTA"], rows["AVAL"]
        if np.isnan(y2):
            m1, m2 = mean[1, t1], mean[2, t2]
            if strategy == "j2r":
                m2 = mean[2, "Placebo"]
            if strategy == "cr":
                m1, m2 = mean[1, "Placebo"], mean[2, "Placebo"]
            if strategy == "cir":
                m2 = m1 + mean[2, "Placebo"] - mean[1, "Placebo"]
            if strategy == "lmcf":
                m2 = m1
            y2 = m2 + s[1, 0] / s[0, 0] * (y1 - m1)
        differences.append(y2 - y1)
        signs.append(1 if t2 == "Drug" else -1)
    d, sign = np.array(differences), np.array(signs)
    return float((d[sign == 1].mean() - d[sign == -1].mean()) / 2)


@pytest.mark.parametrize("strategy", ALL)
def test_each_strategy_by_hand_with_its_jackknife(strategy: str) -> None:
    data = trial(16, 4)
    row = run(data, strategy=strategy).single()
    assert row.label == "Drug - Placebo"
    assert row.estimate == pytest.approx(by_hand(data, strategy), rel=1e-8)
    subjects = data["USUBJID"].unique()
    left = [by_hand(data[data["USUBJID"] != s], strategy) for s in subjects]
    assert row.se == pytest.approx(np.sqrt((len(left) - 1) * np.var(left)), rel=1e-6)


def test_complete_periods_give_the_classical_estimate() -> None:
    data = trial(n_missing=0)
    wide = data.pivot(index="USUBJID", columns="APERIOD", values="AVAL")
    first = data[data["APERIOD"] == 1].set_index("USUBJID")["TRTA"]
    d = wide[1] - wide[2]
    expected = (d[first == "Drug"].mean() - d[first == "Placebo"].mean()) / 2
    np.testing.assert_allclose(run(data, strategy=ALL).frame()["estimate"], expected, rtol=1e-10)


def test_those_planned_for_the_reference_jump_nowhere() -> None:
    data = trial()
    imputed = run(data, strategy=["mar", "j2r"]).imputed
    lost = imputed[~imputed["is_observed"]]
    planned = lost["TRTA"] == "Placebo"
    assert planned.any()
    assert (~planned).any()
    np.testing.assert_allclose(lost["j2r"][planned], lost["mar"][planned])
    assert (np.abs(lost["j2r"] - lost["mar"])[~planned] > 0.1).all()
    seen = imputed["is_observed"].to_numpy()
    np.testing.assert_array_equal(imputed["j2r"][seen], data["AVAL"][seen])


def test_treatments_exchanged_and_rows_shuffled() -> None:
    data = trial()
    there = run(data, strategy="mar").single()
    back = run(data.sample(frac=1, random_state=1), strategy="mar", reference="Drug").single()
    assert back.estimate == pytest.approx(-there.estimate, rel=1e-9)
    assert back.se == pytest.approx(there.se, rel=1e-8)


def bad_frames() -> list[tuple[str, pd.DataFrame]]:
    data = trial()
    twice = data.copy()
    twice.loc[1, "TRTA"] = twice.loc[0, "TRTA"]
    empty = data.copy()
    empty.loc[[0, 1], "AVAL"] = np.nan
    three = data.copy()
    three.loc[0, "TRTA"] = "Other"
    return [
        ("no row in one period, the first 'C00'", data.iloc[1:]),
        ("1 row.s. too many", pd.concat([data, data.iloc[:1]])),
        ("same treatment in both periods, the first 'C00'", twice),
        ("no observed outcome, the first 'C00'", empty),
        ("'TRTA' has 3 labels", three),
    ]


@pytest.mark.parametrize("position", range(5))
def test_data_that_are_refused(position: int) -> None:
    message, data = bad_frames()[position]
    with pytest.raises(tk.DataError, match=message):
        run(data)


def test_choices_that_are_refused() -> None:
    with pytest.raises(tk.SpecError, match="strategy='locf'"):
        run(trial(), strategy="locf")
    with pytest.raises(tk.SpecError, match="strategy= is empty"):
        run(trial(), strategy=())


def test_a_strategy_named_twice_is_refused_and_subjects_are_named_plainly() -> None:
    with pytest.raises(tk.SpecError, match="strategy= names 'j2r' twice"):
        run(trial(), strategy=("j2r", "j2r"))
    data = trial()
    data["USUBJID"] = data["USUBJID"].str[1:].astype(int)
    with pytest.raises(tk.DataError, match="the first 3; give one with the planned treatment"):
        run(data[~((data["USUBJID"] == 3) & (data["APERIOD"] == 2))])
