"""What a panel's summary says of each analyte under each condition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.panels import PAIRED, PARALLEL, paired_panel, parallel_panel
from lifelines import KaplanMeierFitter

import trialkit as tk


def test_without_censoring_the_three_methods_are_the_sample() -> None:
    data = paired_panel(n=9, m=2)
    found = tk.compare_panel(data, **PAIRED).summary()
    for (name, visit), rows in data.groupby(["PARAMCD", "AVISIT"]):
        logs = np.log2(rows["AVAL"])
        row = found.where(analyte=name, condition=visit).frame().iloc[0]
        means = row[["km_mean_log2", "ros_mean_log2", "mle_mean_log2"]].astype(float)
        np.testing.assert_allclose(means, logs.mean())
        assert row["ros_sd"] == pytest.approx(rows["AVAL"].std())
        assert row["mle_sd_log2"] == pytest.approx(logs.std(ddof=0))
        assert row["km_median"] == pytest.approx(rows["AVAL"].median())
        assert row["ros_median"] == pytest.approx(rows["AVAL"].median())
        lognormal = np.exp(np.log(rows["AVAL"]).mean() + np.log(rows["AVAL"]).var(ddof=0) / 2)
        assert row["mle_mean"] == pytest.approx(lognormal)
        assert (row["detected"], row["n_below"], row["status"]) == (1, 0, "ok")


def test_the_median_is_that_of_kaplan_and_meier_turned_over() -> None:
    data = parallel_panel(n=41, m=3)
    data["LLOQ"] = data["AVAL"].quantile(0.25) * np.where(data["SITE"] == 0, 1.0, 0.8)
    data["AVAL"] = np.maximum(data["AVAL"], data["LLOQ"])
    found = tk.compare_panel(data, **PARALLEL, lloq="LLOQ").summary().frame()
    for row in found.to_dict("records"):
        part = data[(data["PARAMCD"] == row["analyte"]) & (data["TRT01P"] == row["condition"])]
        turned = 1e4 - part["AVAL"]
        fitter = KaplanMeierFitter().fit(turned, part["AVAL"] > part["LLOQ"])
        steps = fitter.survival_function_.iloc[:, 0]
        reached = [steps.index[steps <= 0.5 + 1e-9][0], steps.index[steps < 0.5 - 1e-9][0]]
        logs = np.log2(1e4 - np.array(reached))  # the middle of a flat step, on the log scale
        assert row["km_median_log2"] == pytest.approx(logs.mean())
        assert row["km_median"] == pytest.approx(2 ** logs.mean())
        assert row["n_below"] == (part["AVAL"] <= part["LLOQ"]).sum()


def test_every_sample_counts_also_without_a_partner() -> None:
    data = paired_panel(n=6, m=2, draws=2)
    gone = (data["USUBJID"] == "S00") & (data["AVISIT"] == "Week 8")
    single = (data["USUBJID"] == "S01") & (data["DRAW"] == 1) & (data["PARAMCD"] == "A1")
    data.loc[single, "AVAL"] = np.nan
    table = tk.compare_panel(data[~gone], **PAIRED, visit="DRAW")
    row = table.summary().where(analyte="A1", condition="Baseline").frame().iloc[0]
    assert (row["n"], row["n_subjects"], row["n_missing"]) == (11, 6, 1)
    later = table.summary().where(analyte="A1", condition="Week 8").frame().iloc[0]
    assert (later["n"], later["n_subjects"]) == (9, 5)
    assert table.where(analyte="A0").summary().frame()["analyte"].unique().tolist() == ["A0"]


def test_what_cannot_be_had_is_said() -> None:
    data = parallel_panel(n=20, m=4)
    lowest = data.groupby(["PARAMCD", "TRT01P"])["AVAL"].transform("min")
    highest = data.groupby(["PARAMCD", "TRT01P"])["AVAL"].transform("max")
    middle = data.groupby(["PARAMCD", "TRT01P"])["AVAL"].transform("median")
    which = data["PARAMCD"]
    data["LLOQ"] = np.select(
        [which == "A0", which == "A1", which == "A2"], [1e9, highest * 0.999, middle * 1.01], 1e-9
    )
    data["ULOQ"] = np.where(which == "A3", highest * 0.99, 1e12)
    data["LLOQ"] = data["LLOQ"].clip(upper=1e9)
    found = tk.compare_panel(data, **PARALLEL, lloq="LLOQ", uloq="ULOQ").summary().frame()
    by = found.groupby("analyte")
    assert lowest.min() > 0
    assert by.get_group("A0")["status"].str.startswith("censored throughout").all()
    assert by.get_group("A1")["status"].str.contains("one measured value").all()
    assert by.get_group("A2")["status"].str.contains("too many lie below").all()
    assert by.get_group("A3")["status"].str.startswith("values above a limit").all()
    assert by.get_group("A3")["mle_median"].notna().all()
    assert by.get_group("A3")["ros_median"].isna().all()
    assert by.get_group("A0")[["km_median", "ros_mean", "mle_mean"]].isna().all().all()


def test_logarithms_are_left_as_they_are() -> None:
    data = paired_panel(m=2)
    plain = tk.compare_panel(data, **PAIRED).summary().frame()
    logs = data.assign(AVAL=np.log2(data["AVAL"]))
    found = tk.compare_panel(logs, **PAIRED, transform="none").summary().frame()
    assert "mle_mean" not in found
    np.testing.assert_allclose(found["mle_mean_log2"], plain["mle_mean_log2"])
    long = tk.compare_panel(data, **PAIRED).summary().to_ard()
    assert "status" not in set(long["stat_name"])


def test_a_plot_shows_detection_of_two_conditions() -> None:
    table = tk.compare_panel(paired_panel(), **PAIRED, lloq=20.0)
    assert len(table.summary().plot().patches) == 2 * 5
    first = paired_panel()
    extra = first[first["AVISIT"] == "Week 8"].assign(AVISIT="Week 16")
    both = tk.compare_panel(pd.concat([first, extra]), **PAIRED).summary()
    with pytest.raises(tk.SpecError, match="this summary has 3: Baseline, Week 16, Week 8"):
        both.plot()
    assert "Week 16" in repr(both)


def test_constant_and_missing_analytes_have_a_row() -> None:
    data = paired_panel(n=5, m=3)
    data["AVAL"] = data["AVAL"].mask(data["PARAMCD"] == "A0").mask(data["PARAMCD"] == "A1", 5.0)
    found = tk.compare_panel(data, **PAIRED).summary().frame().set_index("analyte")
    assert (found.loc["A0", "status"] == "no value").all()
    assert found.loc["A1", "status"].str.contains("one measured value").all()
    assert found.loc["A1", "km_median"].tolist() == pytest.approx([5.0, 5.0])
    assert (found.loc["A2", "status"] == "ok").all()
    none = tk.compare_panel(data[data["PARAMCD"] == "A0"], **PAIRED).summary().frame()
    assert (none["status"] == "no value").all()
