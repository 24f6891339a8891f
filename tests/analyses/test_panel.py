"""compare_panel: designs against the single analyses, censoring, statuses, refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.panels import (
    CROSSOVER,
    PAIRED,
    PARALLEL,
    crossover_panel,
    paired_panel,
    parallel_panel,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import trialkit as tk
from trialkit.kernels.order_statistics_regression import regress_on_order

DESIGNS = {
    "paired": (paired_panel, PAIRED),
    "parallel": (parallel_panel, PARALLEL),
    "crossover": (crossover_panel, CROSSOVER),
}
NUMBERS = ["estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high"]


def wide(data: pd.DataFrame, condition: str) -> pd.DataFrame:
    logs = data.assign(LOG=np.log2(data["AVAL"]))
    return logs.pivot(index=["PARAMCD", "USUBJID"], columns=condition, values="LOG")


def frame_of(data: pd.DataFrame, **options: Any) -> pd.DataFrame:
    return tk.compare_panel(data, **options).frame().set_index("analyte")


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


# -- censoring -----------------------------------------------------------------


def censor(data: pd.DataFrame, share: float) -> pd.DataFrame:
    limit = data.groupby("PARAMCD")["AVAL"].transform(lambda v: v.quantile(share))
    return data.assign(AVAL=np.maximum(data["AVAL"], limit), LLOQ=limit)


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


# -- what cannot be estimated ----------------------------------------------------


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


# -- invariances -----------------------------------------------------------------


@settings(deadline=None, max_examples=12)
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


# -- the denominator -------------------------------------------------------------


def test_the_number_assayed_is_part_of_the_result() -> None:
    data = paired_panel()
    assert "taken to be all" in tk.compare_panel(data, **PAIRED).notes[-1]
    known = tk.compare_panel(data, **PAIRED, assayed=63)
    assert known.n_assayed == 63
    assert known.notes[-1].startswith("5 of 63 analytes assayed are compared; the other 58")
    with pytest.warns(tk.TrialkitWarning, match="how many were assayed is not known"):
        unknown = tk.compare_panel(data, **PAIRED, assayed="unknown")
    assert unknown.n_assayed is None


# -- refusals --------------------------------------------------------------------


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
