"""The two variances side by side are those of the two analyses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.imputation_frames import ANALYSIS, FORMULA, ROLES, trial

import trialkit as tk


def test_both_columns_are_those_of_the_single_analyses() -> None:
    data = trial(60)
    chance = {"n_samples": 40, "rng": 3}
    table = tk.compare_variances(
        FORMULA, data, strategy=["j2r", "cir"], analysis=ANALYSIS, **ROLES, **chance
    )
    frame = table.frame()
    asked = {"strategy": ["mar", "j2r", "cir"], "analysis": ANALYSIS, **ROLES}
    jack = tk.reference_based(FORMULA, data, **asked).frame()
    rubin = tk.reference_based(FORMULA, data, variance="rubin", **asked, **chance).frame()
    assert frame["strategy"].tolist() == jack["strategy"].tolist()
    np.testing.assert_allclose(frame["estimate"], jack["estimate"])
    np.testing.assert_allclose(frame["se"], jack["se"])
    np.testing.assert_allclose(frame["se_rubin"], rubin["se"])
    np.testing.assert_allclose(frame["df_rubin"], rubin["df"])
    np.testing.assert_allclose(frame["se_ratio"], rubin["se"] / jack["se"])
    mar = frame[frame["strategy"] == "mar"]
    np.testing.assert_allclose(mar["variance_over_mar"], 1)
    np.testing.assert_allclose(mar["variance_over_mar_rubin"], 1)


def test_chance_needs_a_seed() -> None:
    with pytest.raises(tk.SpecError, match="rng=None"):
        tk.compare_variances(FORMULA, trial(), analysis=ANALYSIS, **ROLES)


def test_missing_at_random_is_the_anchor_whatever_strategies_events_have_of_their_own() -> None:
    data = trial(60)
    last = data.dropna(subset="CHG").groupby("USUBJID")["AVISITN"].max()
    events = pd.DataFrame(
        [(who, visit + 4) for who, visit in last.items() if visit < 12] + [("S002", 4)],
        columns=["USUBJID", "AVISITN"],
    )
    roles = {"analysis": ANALYSIS, "n_samples": 10, "rng": 3, **ROLES}
    named = tk.compare_variances(FORMULA, data, strategy="j2r", events=events, **roles)
    own = tk.compare_variances(
        FORMULA, data, strategy="lmcf", events=events.assign(strategy="j2r"), **roles
    )
    numbers = ["estimate", "se", "se_rubin", "variance_over_mar", "variance_over_mar_rubin"]
    np.testing.assert_allclose(named.frame()[numbers], own.frame()[numbers], rtol=1e-12)
    assert "each event's own strategy: jump to reference" in own.estimates[-1].method
    assert "Imputation under missing at random (" in own.estimates[0].method
