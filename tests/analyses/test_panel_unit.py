"""compare_panel in the unit of the values, and refusals of columns that contradict the design."""

from __future__ import annotations

from typing import Any

import matplotlib
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
from scipy import stats

import trialkit as tk

matplotlib.use("Agg")


def linear(**options: Any) -> Any:
    return tk.compare_panel(paired_panel(), **PAIRED, transform="linear", **options)


def test_values_in_their_own_unit_have_no_fold_change() -> None:
    data = paired_panel()
    found = linear().frame().set_index("analyte")
    assert not [name for name in found if "fold" in str(name)]
    for name, rows in data.groupby("PARAMCD"):
        pairs = rows.pivot(index="USUBJID", columns="AVISIT", values="AVAL")
        truth = stats.ttest_rel(pairs["Week 8"], pairs["Baseline"])
        assert found.loc[name, "statistic"] == pytest.approx(truth.statistic, rel=1e-9)
        difference = (pairs["Week 8"] - pairs["Baseline"]).mean()
        assert found.loc[name, "estimate"] == pytest.approx(difference, rel=1e-9)


def test_logarithms_keep_their_fold_change() -> None:
    data = paired_panel()
    logs = data.assign(AVAL=np.log2(data["AVAL"]))
    ours = tk.compare_panel(logs, **PAIRED, transform="none").frame()["fold_change"]
    np.testing.assert_allclose(ours, tk.compare_panel(data, **PAIRED).frame()["fold_change"])


def test_what_needs_logarithms_is_refused_in_the_unit_of_the_values() -> None:
    panel = linear()
    assert panel.volcano().get_xlabel().startswith("Difference in AVAL")
    with pytest.raises(tk.SpecError, match="no fold changes"):
        panel.forest()
    with pytest.raises(tk.SpecError, match="describes logarithms"):
        panel.summary()
    limit = float(paired_panel()["AVAL"].quantile(0.2))
    for rule in ("half", "half-sqrt2"):
        with pytest.raises(tk.SpecError, match="defined for logarithms"):
            linear(lloq=limit, censoring=rule)
    strip = linear(lloq=limit).sensitivity().frame()
    assert len(strip) == 25
    refused = strip["censoring"].isin(["half", "half-sqrt2", "ros"])
    assert strip.loc[refused, "estimate"].isna().any()
    assert strip.loc[strip["censoring"] == "drop", "status"].eq("ok").all()
    arms = parallel_panel()
    high = arms["BASE"].median()
    with pytest.raises(tk.SpecError, match="substituted on the log scale"):
        tk.compare_panel(
            arms,
            **PARALLEL,
            transform="linear",
            baseline="BASE",
            baseline_lloq=high,
        )


def test_censored_differences_in_their_unit_do_not_depend_on_its_size() -> None:
    data = paired_panel()
    limit = float(data["AVAL"].quantile(0.2))
    one = linear(lloq=limit).frame()
    scaled = data.assign(AVAL=data["AVAL"] * 10)
    ten = tk.compare_panel(scaled, **PAIRED, transform="linear", lloq=10 * limit).frame()
    np.testing.assert_allclose(ten["estimate"], 10 * one["estimate"], rtol=1e-4)
    np.testing.assert_allclose(ten["p_value"], one["p_value"], rtol=1e-3)


def test_a_sequence_that_contradicts_the_treatments_is_refused() -> None:
    data = crossover_panel()
    column = CROSSOVER["sequence"] if "sequence" in CROSSOVER else "SEQ"
    options = {**CROSSOVER, "sequence": column}
    first, second = data[column].unique()[:2]
    subject = data.loc[data[column] == first, "USUBJID"].iloc[0]
    wrong = data.assign(**{column: data[column].where(data["USUBJID"] != subject, second)})
    with pytest.raises(tk.DataError, match="has both"):
        tk.compare_panel(wrong, **options)
    period = CROSSOVER["period"]
    later = (data["USUBJID"] == subject) & (data[period] == data[period].max())
    with pytest.raises(tk.DataError, match="has several labels"):
        tk.compare_panel(data.assign(**{column: data[column].mask(later, second)}), **options)
    with pytest.raises(tk.DataError, match="missing for 1 sample"):
        tk.compare_panel(data.assign(**{column: data[column].mask(later)}), **options)


def test_a_missing_period_is_no_period() -> None:
    data = crossover_panel()
    data[CROSSOVER["period"]] = data[CROSSOVER["period"]].astype(object)
    data.loc[data["USUBJID"] == data["USUBJID"].iloc[0], CROSSOVER["period"]] = None
    with pytest.raises(tk.DataError, match="is missing for 2 sample"):
        tk.compare_panel(data, **CROSSOVER)


def test_undefined_rank_tests_keep_the_level_asked_for() -> None:
    data = paired_panel().assign(AVAL=1.0)
    frame = tk.compare_panel(data, **PAIRED, test="wilcoxon", ci_level=0.9, adjust="none").frame()
    assert set(frame["ci_level"]) == {0.9}
    arms = parallel_panel(4)
    few = arms[~arms["USUBJID"].isin(arms.loc[arms["TRT01P"] == "LDN", "USUBJID"].unique()[:1])]
    frame = tk.compare_panel(few, **PARALLEL, test="wilcoxon", ci_level=0.9, adjust="none").frame()
    assert set(frame["ci_level"]) == {0.9}


def test_global_tests_are_of_no_difference() -> None:
    panel = tk.compare_panel(paired_panel(), **PAIRED, null=0.5)
    with pytest.raises(tk.SpecError, match="of no difference"):
        panel.global_test()


def test_numpy_numbers_of_analytes_and_strange_limits() -> None:
    data = paired_panel()
    panel = tk.compare_panel(data, **PAIRED, assayed=np.int64(63))  # type: ignore[arg-type]
    assert panel.n_assayed == 63
    limits: Any = {"A0": 1.0}
    with pytest.raises(tk.SpecError, match="a column or a finite number"):
        tk.compare_panel(data, **PAIRED, lloq=limits)


def test_numbers_beyond_a_limit_are_flagged_as_marks_are() -> None:
    wide = pd.DataFrame({"S": ["a", "b", "c", "d"], "IL6": [0.2, 5.0, 12.0, "<0.4"]})
    limits = pd.DataFrame({"PARAMCD": ["IL6"], "LLOQ": [0.5], "ULOQ": [10.0]})
    long = tk.panel_long(wide, id_columns="S", analytes="IL6", limits=limits)
    assert long["FLAG"].tolist() == ["below", "", "above", "below"]
    assert long["AVAL"].tolist() == [0.2, 5.0, 12.0, 0.4]


@pytest.mark.parametrize("within", [True, False])
def test_an_arm_above_its_limit_is_the_higher_one(within: bool) -> None:
    data, options = (paired_panel(), PAIRED) if within else (parallel_panel(), PARALLEL)
    above = data[options["condition"]] == options["reference"]
    limits = {"low": dict.fromkeys(["lloq"], "LIMIT"), "high": dict.fromkeys(["uloq"], "LIMIT")}
    for which, said in limits.items():
        limit = 1e6 if which == "low" else 1e-6
        censored = data.assign(LIMIT=np.where(above, limit, np.nan))
        p = {
            alternative: tk.compare_panel(
                censored, **options, **said, adjust="none", alternative=alternative
            ).frame()["p_value"]
            for alternative in ("less", "greater")
        }
        likely, unlikely = ("greater", "less") if which == "low" else ("less", "greater")
        assert (p[likely] < 0.01).all()
        assert (p[unlikely] > 0.99).all()


def test_values_beyond_both_limits_have_no_one_sided_test_on_detection() -> None:
    data = paired_panel()
    reference = data["AVISIT"] == "Baseline"
    low = data["USUBJID"].isin(["S00", "S01"])
    limits = data.assign(
        LOW=np.where(reference & low, 1e6, np.nan), HIGH=np.where(reference & ~low, 1e-6, np.nan)
    )
    options = {**PAIRED, "lloq": "LOW", "uloq": "HIGH", "adjust": "none"}
    assert tk.compare_panel(limits, **options).frame()["p_value"].notna().all()
    frame = tk.compare_panel(limits, **options, alternative="less").frame()
    assert frame["p_value"].isna().all()
    assert frame["method"].str.contains("no one-sided test").all()


def test_markers_families_and_arrangements_that_are_none() -> None:
    panel = tk.compare_panel(paired_panel(), **PAIRED)
    nothing: Any = [1.0, 2.0]
    text: Any = {"S00": "a"}
    with pytest.raises(tk.SpecError, match="a mapping or a Series"):
        panel.associate(nothing, name="ESR")
    with pytest.raises(tk.DataError, match="give numbers"):
        panel.associate(text, name="ESR")
    with pytest.raises(tk.DataError, match="several values of 'S00'"):
        panel.associate(pd.Series([1.0, 2.0], index=["S00", "S00"]), name="ESR")
    with pytest.raises(tk.SpecError, match="maps the name"):
        panel.global_test(nothing)
    with pytest.raises(tk.SpecError, match="twice"):
        panel.global_test({"pair": ["A0", "A0"]})
    with pytest.raises(tk.SpecError, match="must list"):
        panel.global_test({"one": "A0"})
    words = pd.DataFrame([["x"] * 8], columns=[f"S{i:02d}" for i in range(8)])
    with pytest.raises(tk.DataError, match="not numeric"):
        panel.global_test(permutations=words)


def test_what_is_left_out_is_counted() -> None:
    arms = parallel_panel()
    first = arms["USUBJID"] == "S00"
    for outcome in ("level", "change"):
        panel = tk.compare_panel(
            arms.assign(BASE=arms["BASE"].mask(first)), **PARALLEL, baseline="BASE", outcome=outcome
        )
        assert set(panel.frame()["n"]) == {19}
        assert "5 measurement(s) have no baseline and are left out." in panel.notes
    data = paired_panel().iloc[1:]
    panel = tk.compare_panel(data, **PAIRED)
    assert any("1 time(s) an analyte of a subject has values under one" in n for n in panel.notes)


def test_words_of_ranks_and_of_censored_values_stand_where_they_hold() -> None:
    data = paired_panel()
    panel = tk.compare_panel(data, **PAIRED, test="wilcoxon", adjust="none")
    assert panel.global_test().frame()["method"].iloc[-1].startswith("sum of squared t of ranks")
    marker = {name: float(i) for i, name in enumerate(data["USUBJID"].unique())}
    found = panel.associate(marker, name="ESR").frame()
    assert not found["method"].str.contains("censored").any()
    limit = float(data.loc[data["PARAMCD"] == "A0", "AVAL"].min())
    censored = tk.compare_panel(data[data["PARAMCD"] == "A0"], **PAIRED, lloq=limit)
    method = censored.associate(marker, name="ESR").frame()["method"]
    assert method.str.contains("censored values by half").all()
