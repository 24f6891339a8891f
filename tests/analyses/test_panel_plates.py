"""Plates of an assay, as fixed and as random effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.panels import PAIRED, PARALLEL, paired_panel, parallel_panel
from analyses.test_panel_draws import slow_reml
from scipy import stats

import trialkit as tk

NUMBERS = ["estimate", "se", "df", "p_value"]


def plated(n: int = 30, m: int = 3, *, plates: int = 5, spread: float = 0.7) -> pd.DataFrame:
    """Two arms on plates that shift all their values."""
    data = parallel_panel(n=n, m=m)
    rng = np.random.default_rng(12)
    plate = rng.integers(0, plates, n)[data["USUBJID"].str[1:].astype(int)]
    shift = rng.normal(0, spread, plates)[plate]
    return data.assign(PLATE=[f"P{p}" for p in plate], AVAL=data["AVAL"] * 2.0**shift)


def test_a_fixed_plate_is_a_factor() -> None:
    data = plated()
    found = tk.compare_panel(data, **PARALLEL, plate="PLATE").frame().set_index("analyte")
    logs = data.assign(LOG=np.log2(data["AVAL"]))
    for name, rows in logs.groupby("PARAMCD"):
        fit = tk.ancova("LOG ~ TRT01P + PLATE", rows, arm="TRT01P", reference="Placebo")
        expected = fit.contrasts().frame()[NUMBERS].iloc[0].astype(float)
        np.testing.assert_allclose(found.loc[name, NUMBERS].astype(float), expected, rtol=1e-8)


def test_a_random_plate_is_the_mixed_model() -> None:
    data = plated()
    options = {**PARALLEL, "plate": "PLATE", "plate_effect": "random", "covariates": "AGE"}
    found = tk.compare_panel(data, **options, baseline="BASE").frame().set_index("analyte")
    assert found["method"].str.startswith("mixed model (random plate), REML").all()
    for name, rows in data.groupby("PARAMCD"):
        treated = (rows["TRT01P"] == "LDN").to_numpy(float)
        columns = [np.ones(len(rows)), rows["AGE"], np.log2(rows["BASE"]), treated]
        plate = rows["PLATE"].str[1:].astype(int).to_numpy()
        parts = [(plate[:, None] == plate) * 1.0, np.eye(len(rows))]
        y = np.log2(rows["AVAL"].to_numpy())
        estimate, se, df = slow_reml(y, np.column_stack(columns), parts)
        row = found.loc[name]
        np.testing.assert_allclose(row[NUMBERS[:3]].astype(float), [estimate, se, df], rtol=2e-5)
        assert row["p_value"] == pytest.approx(2 * stats.t.sf(abs(estimate / se), df), rel=1e-3)


def test_plates_that_do_not_differ_leave_the_t_test() -> None:
    """At its bound the variance is zero: the estimate and its variance are those without it."""
    data = plated(spread=0.0)
    centred = data.assign(L=np.log2(data["AVAL"]))
    by = ["PARAMCD", "PLATE"]
    mean = centred.groupby(by)["L"].transform("mean")
    data["AVAL"] = 2.0 ** (centred["L"] - mean + 5)
    found = tk.compare_panel(data, **PARALLEL, plate="PLATE", plate_effect="random").frame()
    plain = tk.compare_panel(data, **PARALLEL).frame()
    np.testing.assert_allclose(found["estimate"], plain["estimate"])
    assert (found["se"] >= plain["se"] * 0.999).all()


def test_a_large_variance_of_plates_gives_nearly_the_fixed_effect() -> None:
    data = plated(spread=40.0)
    options = {**PARALLEL, "plate": "PLATE"}
    fixed = tk.compare_panel(data, **options).frame()
    found = tk.compare_panel(data, **options, plate_effect="random").frame()
    np.testing.assert_allclose(
        found[NUMBERS[:3]].astype(float), fixed[NUMBERS[:3]].astype(float), rtol=1e-2
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plate": None}, "needs plate=, the column of the plate"),
        ({"plate_effect": "mixed"}, "plate_effect='mixed' is not offered; allowed: fixed, random"),
        ({"moderated": True}, "a mixed model with a t test of its own"),
        ({"test": "welch"}, "a mixed model with a t test of its own"),
        ({"adjust": "maxt"}, "a mixed model with a t test of its own"),
        ({"lloq": 40.0}, "not offered for the tobit fit"),
        ({"lloq": 40.0, "censoring": "ros"}, "an adjustment for baseline="),
    ],
)
def test_refuses_what_a_random_plate_does_not_define(changes: dict[str, Any], message: str) -> None:
    options = {**PARALLEL, "plate": "PLATE", "plate_effect": "random", **changes}
    with pytest.raises(tk.SpecError, match=message):
        tk.compare_panel(plated(), **options)


def test_refuses_designs_that_cannot_tell_plates_from_arms() -> None:
    options = {"plate": "PLATE", "plate_effect": "random"}
    with pytest.raises(tk.DesignError, match="needs 3 plates, there are 2"):
        tk.compare_panel(plated(plates=2), **PARALLEL, **options)
    data = plated()
    apart = data.assign(PLATE=data["PLATE"] + data["TRT01P"])
    with pytest.raises(tk.DesignError, match=r"None of the .* plates holds samples of both arms"):
        tk.compare_panel(apart, **PARALLEL, **options)
    gone = data.assign(PLATE=data["PLATE"].mask(data["USUBJID"] == "S03"))
    with pytest.raises(tk.DataError, match="'PLATE' is missing for 1 sample"):
        tk.compare_panel(gone, **PARALLEL, **options)
    single = data.assign(PLATE=data["USUBJID"])
    single.loc[single["USUBJID"] == "S01", "PLATE"] = "S00"
    found = tk.compare_panel(single, **PARALLEL, **options).frame()
    assert found["status"].eq("ok").all() or found["status"].str.contains("plate").all()
    with pytest.raises(tk.SpecError, match="cancels from their difference"):
        tk.compare_panel(paired_panel().assign(PLATE="P"), **PAIRED, **options)
    panel = tk.compare_panel(data, **PARALLEL, **options)
    with pytest.raises(tk.SpecError, match="Global tests with plate_effect"):
        panel.global_test()
    strip = panel.sensitivity()
    assert set(strip.frame()["status"]) == {"ok"}
