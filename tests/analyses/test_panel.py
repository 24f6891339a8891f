"""compare_panel: designs against the single analyses, invariances, the number assayed, refusals."""

from __future__ import annotations

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
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

import trialkit as tk


def wide(data: pd.DataFrame, condition: str) -> pd.DataFrame:
    logs = data.assign(LOG=np.log2(data["AVAL"]))
    return logs.pivot(index=["PARAMCD", "USUBJID"], columns=condition, values="LOG")


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_pairs_are_the_paired_t_test(alternative: str) -> None:
    data = paired_panel()
    found = frame_of(data, **PAIRED, alternative=alternative, null=-0.1, ci_level=0.9)
    for name, rows in wide(data, "AVISIT").groupby(level=0):
        truth = stats.ttest_1samp(rows["Week 8"] - rows["Baseline"], -0.1, alternative=alternative)
        limits = truth.confidence_interval(0.9)
        expected = [truth.statistic, truth.pvalue, limits.low, limits.high]
        row = found.loc[name, ["statistic", "p_value", "ci_low", "ci_high"]].astype(float)
        np.testing.assert_allclose(row, expected, rtol=1e-10)


@pytest.mark.parametrize("test", ["t", "welch"])
def test_arms_are_the_t_test_of_each_analyte(test: str) -> None:
    data = parallel_panel()
    found = frame_of(data, **PARALLEL, test=test)
    for name, rows in data.assign(LOG=np.log2(data["AVAL"])).groupby("PARAMCD"):
        single = tk.ttest(
            rows, outcome="LOG", arm="TRT01P", reference="Placebo", equal_var=test == "t"
        ).frame()
        np.testing.assert_allclose(
            found.loc[name, NUMBERS].astype(float), single[NUMBERS].iloc[0].astype(float), 1e-10
        )


def test_arms_with_covariates_are_the_ancova_of_each_analyte() -> None:
    data = parallel_panel().assign(SITE=lambda d: "site " + d["SITE"].astype(str))
    data.loc[3, "BASE"] = np.nan  # one analyte of one subject
    found = frame_of(data, **PARALLEL, baseline="BASE", covariates=("AGE",), strata=("SITE",))
    logs = data.assign(LOG=np.log2(data["AVAL"]), LB=np.log2(data["BASE"]))
    for name, rows in logs.groupby("PARAMCD"):
        fit = tk.ancova("LOG ~ TRT01P + LB + AGE + SITE", rows, arm="TRT01P", reference="Placebo")
        expected = fit.contrasts().frame().iloc[0]
        assert found.loc[name, "n"] == expected["n"]
        np.testing.assert_allclose(
            found.loc[name, NUMBERS].astype(float), expected[NUMBERS].astype(float), rtol=1e-8
        )


def test_a_crossover_is_half_the_difference_of_period_differences() -> None:
    data = crossover_panel()
    found = frame_of(data, **CROSSOVER)
    logs = data.assign(LOG=np.log2(data["AVAL"]))
    for name, rows in logs.groupby("PARAMCD"):
        values = rows.pivot(index=["SEQ", "USUBJID"], columns="PERIOD", values="LOG")
        d = values[1] - values[2]
        truth = stats.ttest_ind(d["BA"], d["AB"])
        assert found.loc[name, "estimate"] == pytest.approx((d["BA"].mean() - d["AB"].mean()) / 2)
        assert found.loc[name, "p_value"] == pytest.approx(truth.pvalue, rel=1e-10)
        assert found.loc[name, "df"] == len(d) - 2


def test_a_common_period_shift_cancels_in_a_crossover() -> None:
    data = crossover_panel()
    moved = data.assign(AVAL=data["AVAL"] * np.where(data["PERIOD"] == 2, 8.0, 1.0))
    for rule in ({}, {"lloq": 1e-6, "adjust": "maxt"}):
        a, b = frame_of(data, **CROSSOVER, **rule), frame_of(moved, **CROSSOVER, **rule)
        np.testing.assert_allclose(a["p_value"], b["p_value"], rtol=1e-9)
        np.testing.assert_allclose(a["p_adjusted"], b["p_adjusted"], rtol=1e-9)


def test_draws_within_a_condition_are_averaged() -> None:
    data = paired_panel(draws=3)
    found = frame_of(data, **PAIRED, visit="DRAW")
    means = (
        data.assign(AVAL=np.log2(data["AVAL"]))
        .groupby(["USUBJID", "AVISIT", "PARAMCD"], as_index=False, observed=True)["AVAL"]
        .mean()
    )
    plain = frame_of(means, **PAIRED, transform="none")
    np.testing.assert_allclose(found["p_value"], plain["p_value"], rtol=1e-10)
    assert "means of draws" in found["method"].iloc[0]


def test_three_conditions_give_two_contrasts_each_its_own_family() -> None:
    first = paired_panel()
    extra = first[first["AVISIT"] == "Week 8"].assign(AVISIT="Week 16")
    extra["AVAL"] *= 1.1 ** np.arange(len(extra))
    both = tk.compare_panel(pd.concat([first, extra]), **PAIRED)
    alone = tk.compare_panel(first, **PAIRED)
    frame = both.frame()
    assert frame["contrast"].unique().tolist() == ["Week 16 - Baseline", "Week 8 - Baseline"]
    part = both.where(contrast="Week 8 - Baseline").frame()
    np.testing.assert_allclose(part["p_adjusted"], alone.frame()["p_adjusted"])


def test_fold_changes_are_powers_of_two() -> None:
    frame = frame_of(paired_panel(), **PAIRED)
    for ours, column in (("", "estimate"), ("_low", "ci_low"), ("_high", "ci_high")):
        np.testing.assert_allclose(frame[f"fold_change{ours}"], 2 ** frame[column])


def test_an_analyte_missing_under_a_condition_is_named() -> None:
    data = paired_panel()
    gone = (data["PARAMCD"] == "A2") & (data["AVISIT"] == "Week 8")
    frame = frame_of(data[~gone], **PAIRED)
    assert frame.loc["A2", "status"] == "no value under Week 8"
    assert np.isnan(frame.loc["A2", "p_value"])
    assert (frame.drop("A2")["status"] == "ok").all()


def test_a_constant_difference_has_no_standard_error() -> None:
    data = paired_panel(m=1)
    base = data[data["AVISIT"] == "Baseline"]
    same = pd.concat([base, base.assign(AVISIT="Week 8", AVAL=base["AVAL"] * 1.5)])
    row = frame_of(same, **PAIRED).iloc[0]
    assert row["status"] == "no standard error above zero"


@settings(deadline=None, max_examples=12)
@example(seed=392, factor=0.25, share=0.3)  # subject effects fourteen times the residuals
@given(
    seed=st.integers(0, 1000), factor=st.sampled_from([0.25, 8.0]), share=st.sampled_from([0, 0.3])
)
def test_invariances(seed: int, factor: float, share: float) -> None:
    for data, options in (
        (paired_panel(n=7, m=3, seed=seed), PAIRED),
        (parallel_panel(n=14, m=3, seed=seed), PARALLEL),
    ):
        data = censor(data, share) if share else data.assign(LLOQ=1e-9)
        base = frame_of(data, **options, lloq="LLOQ")
        shuffled = frame_of(data.sample(frac=1, random_state=seed), **options, lloq="LLOQ")
        units = data.assign(AVAL=data["AVAL"] * factor, LLOQ=data["LLOQ"] * factor)
        scaled = frame_of(units, **options, lloq="LLOQ")
        other = "Week 8" if options["design"] == "paired" else "LDN"
        swapped = frame_of(data, **{**options, "reference": other}, lloq="LLOQ")
        for again, sign in ((shuffled.loc[base.index], 1), (scaled, 1), (swapped, -1)):
            ok = base["status"] == "ok"
            assert (ok == (again["status"] == "ok")).all()
            values = again.loc[ok, "estimate"] * sign
            np.testing.assert_allclose(values, base.loc[ok, "estimate"], atol=1e-6)
            np.testing.assert_allclose(again["p_value"], base["p_value"], rtol=1e-5)


def test_the_number_assayed_is_part_of_the_result() -> None:
    data = paired_panel()
    assert "taken to be all" in tk.compare_panel(data, **PAIRED).notes[-1]
    known = tk.compare_panel(data, **PAIRED, assayed=63)
    assert known.n_assayed == 63
    assert known.notes[-1].startswith("5 of 63 analytes assayed are compared; the other 58")
    with pytest.warns(tk.TrialkitWarning, match="how many were assayed is not known"):
        unknown = tk.compare_panel(data, **PAIRED, assayed="unknown")
    assert unknown.n_assayed is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": "cohort"}, "design='cohort' is not offered; allowed: paired, parallel"),
        ({"censoring": "mean"}, "censoring='mean' is not offered"),
        (
            {"visit": "DRAW", "repeated": "median"},
            "repeated='median' is not offered; allowed:",
        ),
        ({"repeated": "mean"}, 'repeated="mean" is for several draws; name them by visit='),
        ({"adjust": "tukey"}, "adjust='tukey' is not offered"),
        ({"outcome": "change"}, 'outcome="change" is for design="parallel"'),
        ({"test": "welch"}, 'test="welch" compares two arms'),
        ({"trend": True}, "trend= is a variant of moderation"),
        ({"moderated": True, "adjust": "maxt"}, "permutes the ordinary t statistic"),
        ({"moderated": True, "test": "wilcoxon"}, "moderates a t statistic"),
        ({"baseline": "AGE"}, 'baseline= does not apply to design="paired"'),
        ({"period": "AVISIT"}, 'period= does not apply to design="paired"'),
        ({"permutations": 100}, 'permutations= is for adjust="maxt" or "minp"'),
        ({"assayed": 3}, "assayed=3; give"),
        ({"design": "crossover"}, "needs period="),
        ({"null": 1.0, "adjust": "maxt"}, "null= other than 0"),
        ({"lloq": float("nan")}, "lloq=nan; give a column or a finite number"),
        (
            {"lloq": 20.0, "moderated": True},
            r"not defined for the tobit fit that .* need: it shrinks residual variances",
        ),
        ({"lloq": 20.0, "test": "wilcoxon"}, "ranks values, and 'A"),
        ({"uloq": 40.0, "censoring": "ros"}, "for values below a limit"),
    ],
)
def test_refuses_what_is_not_defined(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tk.compare_panel(paired_panel(), **{**PAIRED, **changes})


def test_refuses_wrong_data() -> None:
    data = paired_panel()
    with pytest.raises(tk.DataError, match=r"stand more than once, first PARAMCD='A0'"):
        tk.compare_panel(pd.concat([data, data.iloc[:1]]), **PAIRED)
    bad = data.assign(AVAL=data["AVAL"].where(data.index > 1, 0.0))
    with pytest.raises(tk.DataError, match=r"2 value\(s\) at or below zero, the first in row 0"):
        tk.compare_panel(bad, **PAIRED)
    with pytest.raises(tk.DataError, match="'Week 0' is not an arm"):
        tk.compare_panel(data, **{**PAIRED, "reference": "Week 0"})
    with pytest.raises(tk.DataError, match="is missing in 1 of"):
        tk.compare_panel(data.assign(USUBJID=data["USUBJID"].where(data.index > 0)), **PAIRED)
    with pytest.raises(tk.DataError, match="that is not a parallel design"):
        tk.compare_panel(data, **{**PAIRED, "design": "parallel"})
    renamed = data.assign(USUBJID=data["USUBJID"] + data["AVISIT"])
    with pytest.raises(tk.DesignError, match="No subject has samples under both"):
        tk.compare_panel(renamed, **PAIRED)
    with pytest.raises(tk.DataError, match="lloq is not below uloq"):
        tk.compare_panel(data, **PAIRED, lloq=5.0, uloq=4.0)
    with pytest.raises(tk.DataError, match=r"12 subject.s. have both conditions in one period"):
        tk.compare_panel(crossover_panel().assign(PERIOD=1), **CROSSOVER)
    arms = parallel_panel()
    one = arms[(arms["TRT01P"] == "LDN") | (arms["USUBJID"] == "S01")]
    ranked = tk.compare_panel(one, **PARALLEL, test="wilcoxon").frame()
    assert (ranked["status"] == "fewer than two values under Placebo").all()
    arms["AGE"] = range(len(arms))
    with pytest.raises(tk.DataError, match="has several values within one sample"):
        tk.compare_panel(arms, **PARALLEL, covariates="AGE")
