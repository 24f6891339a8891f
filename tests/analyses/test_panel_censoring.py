"""compare_panel with limits of quantification: every rule, and analytes without a value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.panel_tables import NUMBERS, censor, frame_of
from analyses.panels import (
    CROSSOVER,
    PAIRED,
    PARALLEL,
    crossover_panel,
    paired_panel,
    parallel_panel,
)
from scipy import stats

import trialkit as tk
from trialkit.kernels.order_statistics_regression import regress_on_order

DESIGNS = {
    "paired": (paired_panel, PAIRED),
    "parallel": (parallel_panel, PARALLEL),
    "crossover": (crossover_panel, CROSSOVER),
}


@pytest.mark.parametrize("design", ["paired", "parallel", "crossover"])
def test_a_limit_that_nothing_reaches_changes_nothing(design: str) -> None:
    data, options = {
        "paired": (paired_panel(), PAIRED),
        "parallel": (parallel_panel(), PARALLEL),
        "crossover": (crossover_panel(), CROSSOVER),
    }[design]
    plain = frame_of(data, **options)
    limited = frame_of(data, **options, lloq=1e-9, uloq=1e9)
    np.testing.assert_array_equal(plain[NUMBERS], limited[NUMBERS])


@pytest.mark.parametrize("design", ["paired", "crossover"])
def test_a_hardly_censored_pair_is_nearly_the_t_test(design: str) -> None:
    """A value just below its limit carries nearly what it would measured."""
    data, options = {
        "paired": (paired_panel(n=30), PAIRED),
        "crossover": (crossover_panel(n=30), CROSSOVER),
    }[design]
    plain = frame_of(data, **options)
    lowest = data.groupby("PARAMCD")["AVAL"].transform("min")
    found = frame_of(data.assign(LLOQ=lowest * 1.0001), **options, lloq="LLOQ")
    assert (found["n_censored"] == 1).all()
    assert found["method"].str.startswith("censored mixed model").all()
    np.testing.assert_allclose(found["estimate"], plain["estimate"], atol=0.05)
    np.testing.assert_allclose(found["se"], plain["se"], rtol=0.12)
    np.testing.assert_array_equal(found["df"], plain["df"])


def test_upper_limits_mirror_lower_ones() -> None:
    for data, options in ((paired_panel(), PAIRED), (parallel_panel(n=30), PARALLEL)):
        low = censor(data, 0.3)
        high = low.assign(AVAL=1 / low["AVAL"], ULOQ=1 / low["LLOQ"])
        a, b = frame_of(low, **options, lloq="LLOQ"), frame_of(high, **options, uloq="ULOQ")
        np.testing.assert_allclose(a["estimate"], -b["estimate"], rtol=1e-6)
        np.testing.assert_allclose(a["p_value"], b["p_value"], rtol=1e-6)
        assert (a["n_censored"] > 0).all()


def test_limits_are_per_measurement() -> None:
    data = parallel_panel(n=30, m=1)
    second = data["SITE"] == 0
    limit = np.where(second, data["AVAL"].quantile(0.5), data["AVAL"].quantile(0.1))
    found = frame_of(data.assign(LLOQ=limit), **PARALLEL, lloq="LLOQ")
    assert found["n_censored"].item() == int((data["AVAL"] <= limit).sum())


@pytest.mark.parametrize("rule", ["half", "half-sqrt2"])
def test_substitution_is_what_it_says(rule: str) -> None:
    data = censor(paired_panel(n=10), 0.25)
    factor = {"half": 0.5, "half-sqrt2": math.sqrt(0.5)}[rule]
    below = data["AVAL"] <= data["LLOQ"]
    by_hand = data.assign(AVAL=data["AVAL"].where(~below, data["LLOQ"] * factor))
    expected = frame_of(by_hand, **PAIRED)
    found = frame_of(data, **PAIRED, lloq="LLOQ", censoring=rule)
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-9)
    np.testing.assert_allclose(found["p_value"], expected["p_value"], rtol=1e-9)
    # On logarithms the same substitution is a subtraction.
    logs = data.assign(AVAL=np.log2(data["AVAL"]), LLOQ=np.log2(data["LLOQ"]))
    same = frame_of(logs, **PAIRED, lloq="LLOQ", censoring=rule, transform="none")
    np.testing.assert_allclose(same["estimate"], found["estimate"], rtol=1e-9)


def test_dropping_leaves_out_the_pair() -> None:
    data = censor(paired_panel(n=12), 0.2)
    below = data["AVAL"] <= data["LLOQ"]
    expected = frame_of(data[~below], **PAIRED)
    found = frame_of(data, **PAIRED, lloq="LLOQ", censoring="drop")
    np.testing.assert_allclose(found["p_value"], expected["p_value"], rtol=1e-9)
    assert found["n"].tolist() == expected["n"].tolist()


def test_half_the_limit_is_biased_where_tobit_is_not() -> None:
    data = censor(parallel_panel(n=400, m=3, effect=-1.0), 0.4)
    tobit = frame_of(data, **PARALLEL, lloq="LLOQ")["estimate"]
    half = frame_of(data, **PARALLEL, lloq="LLOQ", censoring="half-sqrt2")["estimate"]
    assert (np.abs(tobit + 1.0) < 0.3).all()
    assert (half > tobit + 0.15).all()


def test_ros_of_two_arms_fills_in_each_arm_whatever_the_order_of_rows() -> None:
    """The values that the kernel fills in, compared by the t test."""
    data = censor(parallel_panel(n=24, m=2), 0.3)
    table = tk.compare_panel(data, **PARALLEL, lloq="LLOQ", censoring="ros")
    mixed = data.sample(frac=1, random_state=1)
    again = frame_of(mixed, **PARALLEL, lloq="LLOQ", censoring="ros")
    np.testing.assert_allclose(
        table.frame()["p_value"], again.loc[list(table.keys["analyte"]), "p_value"], rtol=1e-9
    )
    for name, rows in data.groupby("PARAMCD"):
        filled = {
            arm: regress_on_order(
                np.log2(part["AVAL"].to_numpy()), (part["AVAL"] <= part["LLOQ"]).to_numpy()
            ).completed
            for arm, part in rows.groupby("TRT01P")
        }
        truth = stats.ttest_ind(filled["LDN"], filled["Placebo"])
        assert again.loc[name, "p_value"] == pytest.approx(truth.pvalue)
    assert any("standard errors are too small" in note for note in table.notes)


@pytest.mark.parametrize(
    ("design", "changes", "message"),
    [
        ("paired", {}, "a difference within a subject would be arbitrary"),
        ("crossover", {}, "a difference within a subject would be arbitrary"),
        ("parallel", {"baseline": "BASE"}, "an adjustment for baseline="),
        ("parallel", {"strata": "SITE"}, "an adjustment for baseline=, covariates=, strata="),
        ("parallel", {"baseline": "BASE", "outcome": "change"}, "a change from the baseline"),
        ("parallel", {"adjust": "maxt"}, "not exchangeable between the arms"),
    ],
)
def test_ros_is_refused_where_its_values_would_be_paired_up(
    design: str, changes: dict[str, Any], message: str
) -> None:
    data, options = DESIGNS[design]
    with pytest.raises(tk.SpecError, match=message):
        tk.compare_panel(
            censor(data(), 0.3), **{**options, **changes}, lloq="LLOQ", censoring="ros"
        )
    # Without a censored value there is nothing to fill in.
    tk.compare_panel(data(), **{**options, **changes}, lloq=1e-9, censoring="ros")


def test_ros_is_refused_for_several_analytes_at_once_and_for_correlations() -> None:
    data = censor(parallel_panel(n=24, m=2), 0.3)
    table = tk.compare_panel(data, **PARALLEL, lloq="LLOQ", censoring="ros")
    with pytest.raises(tk.SpecError, match="a test of several analytes together would be"):
        table.global_test()
    with pytest.raises(tk.SpecError, match="a correlation with a marker would be arbitrary"):
        table.associate({"S00": 1.0}, name="ESR")


def test_an_analyte_censored_throughout_has_a_row_that_says_so() -> None:
    for data, options in ((paired_panel(), PAIRED), (parallel_panel(), PARALLEL)):
        data = data.assign(LLOQ=np.where(data["PARAMCD"] == "A1", 1e9, 1e-9))
        row = frame_of(data, **options, lloq="LLOQ").loc["A1"]
        assert row["status"] == "censored throughout: no value within the limits of quantification"
        assert np.isnan(row["estimate"])
        assert (row["p_value"], row["ci_low"], row["ci_high"]) == (1.0, -math.inf, math.inf)
        assert (row["detected"], row["detected_reference"]) == (0, 0)


@pytest.mark.parametrize("empty", ["LDN", "Placebo"])
def test_one_arm_below_the_limit_gives_a_bound_and_fishers_test(empty: str) -> None:
    data = parallel_panel(n=24, m=2)
    hidden = (data["TRT01P"] == empty) & (data["PARAMCD"] == "A0")
    data["LLOQ"] = np.where(data["PARAMCD"] == "A0", data["AVAL"].quantile(0.3), 1e-9)
    data.loc[hidden, "AVAL"] = 1e-3
    row = frame_of(data, **PARALLEL, lloq="LLOQ").loc["A0"]
    other = data[(data["PARAMCD"] == "A0") & (data["TRT01P"] != empty)]
    seen = int((other["AVAL"] > other["LLOQ"]).sum())
    p = stats.fisher_exact([[seen, len(other) - seen], [0, len(other)]]).pvalue
    assert row["p_value"] == pytest.approx(p)
    assert row["status"].startswith(f"censored throughout in {empty}: exact test on detection")
    bound, infinite = ("ci_high", "ci_low") if empty == "LDN" else ("ci_low", "ci_high")
    assert np.isfinite(row[bound])
    assert np.isinf(row[infinite])
    assert row[bound] * (-1 if empty == "LDN" else 1) > 0


def test_the_bound_is_where_the_profile_falls() -> None:
    """The profile log-likelihood by a general optimiser, one arm wholly below the limit."""
    rng = np.random.default_rng(4)
    y = np.concatenate([rng.normal(3, 1, 12), np.full(12, 2.0)])
    side = np.concatenate([np.where(y[:12] < 2, -1, 0), np.full(12, -1)])
    y = np.maximum(y, 2.0)
    data = pd.DataFrame(
        {
            "USUBJID": [f"S{i}" for i in range(24)],
            "TRT01P": ["Placebo"] * 12 + ["LDN"] * 12,
            "PARAMCD": "A",
            "AVAL": y,
            "LLOQ": 2.0,
        }
    )
    row = frame_of(data, **PARALLEL, lloq="LLOQ", transform="none").loc["A"]

    def profile(delta: float) -> float:
        from scipy import optimize

        g = (np.arange(24) >= 12).astype(float)

        def negative(p: np.ndarray) -> float:
            z = (y - p[0] - delta * g) / np.exp(p[1])
            return -float(
                np.sum(np.where(side == 0, stats.norm.logpdf(z) - p[1], stats.norm.logcdf(z)))
            )

        return -float(optimize.minimize(negative, [2.5, 0.0], tol=1e-12).fun)

    drop = stats.norm.ppf(0.975) ** 2 / 2
    assert profile(row["ci_high"]) == pytest.approx(profile(-200.0) - drop, abs=1e-5)


def test_pairs_below_the_limit_give_mcnemars_test() -> None:
    data = paired_panel(n=9, m=1)
    data["LLOQ"] = data["AVAL"].quantile(0.2)
    data.loc[data["AVISIT"] == "Week 8", "AVAL"] = 1e-3
    row = frame_of(data, **PAIRED, lloq="LLOQ").iloc[0]
    seen = int((data["AVAL"] > data["LLOQ"]).sum())
    assert row["p_value"] == pytest.approx(min(1, 2 * 0.5**seen))
    assert "McNemar" in row["method"]
