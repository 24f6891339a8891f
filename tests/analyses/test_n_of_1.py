"""N-of-1 series: identities with the analysis of variance, who is in, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.n_of_1_series import dummies, fit, series
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close
from scipy import linalg, stats

from trialkit.errors import ConvergenceError, DataError, SpecError


def interaction(data: pd.DataFrame) -> tuple[float, float, float]:
    """Subject by treatment in the fixed-effects analysis of variance: F and its df."""
    who = dummies(data["ID"])
    treated = (data["TRT"] == "LDN").to_numpy(float)[:, None]
    y, sums = data["PAIN"].to_numpy(), []
    for x in (np.hstack([who, treated]), np.hstack([who, who * treated])):
        sums.append((float(((y - x @ linalg.lstsq(x, y)[0]) ** 2).sum()), np.linalg.matrix_rank(x)))
    free = sums[1][1] - sums[0][1]
    error = y.size - sums[1][1]
    return (sums[0][0] - sums[1][0]) / free / (sums[1][0] / error), free, error


def test_heterogeneity_is_the_interaction_of_subject_and_treatment() -> None:
    data = series()
    test = fit(data).heterogeneity().frame().iloc[0]
    f, num_df, den_df = interaction(data)
    assert_close(test[["statistic", "num_df", "den_df"]].astype(float), [f, num_df, den_df], 1e-9)
    assert_close(test["p_value"], stats.f.sf(f, num_df, den_df), 1e-9)


def test_without_spread_the_mean_is_the_fixed_subject_analysis() -> None:
    data = series(seed=3, spread=0.0)
    row = fit(data, ci="normal").contrasts().frame().iloc[0]
    assert row["tau2"] == 0
    x = np.hstack([(data["TRT"] == "LDN").to_numpy(float)[:, None], dummies(data["ID"])])
    beta = linalg.lstsq(x, data["PAIN"].to_numpy())[0]
    assert_close(row["estimate"], beta[0], 1e-9)
    s = fit(data).by_subject().frame()["sd_within"][0]
    assert_close(row["se"], s * np.sqrt(np.linalg.inv(x.T @ x)[0, 0]), 1e-9)
    shrunk = fit(data).shrunken().frame()
    assert_close(shrunk["estimate"], row["estimate"], 1e-12)


@pytest.mark.parametrize("tau2", ["reml", "paule-mandel", "dersimonian-laird"])
def test_equal_series_are_the_one_sample_t_of_the_differences(tau2: Any) -> None:
    data = series(even=True, spread=2.0)
    means = data.groupby(["ID", "TRT"])["PAIN"].mean().unstack()
    d = means["LDN"] - means["Placebo"]
    test = stats.ttest_1samp(d, 0)
    ours = fit(data, tau2=tau2)
    row = ours.contrasts().frame().iloc[0]
    assert_close(
        row[["estimate", "statistic", "df"]].astype(float),
        [d.mean(), test.statistic, test.df],
        1e-9,
    )
    s2 = ours.by_subject().frame()["sd_within"][0] ** 2
    assert_close(row["tau2"], d.var() - s2 * 2 / 4, 1e-8)


def test_direction_and_reference() -> None:
    data = series(spread=0.3)
    row = fit(data).contrasts().single()
    assert (row.label, row.estimate < 0) == ("LDN - Placebo", True)
    less, greater = (fit(data).contrasts(alternative=a).single() for a in ("less", "greater"))
    assert less.p_value < 0.5 < greater.p_value
    assert (less.ci_low, greater.ci_high) == (-np.inf, np.inf)
    back = fit(data, reference="LDN").contrasts().single()
    assert_close([back.estimate, back.se], [-row.estimate, row.se], 1e-8)
    moved = fit(data).contrasts(null=row.estimate).single()
    assert_close(moved.p_value, 1, 1e-9)


@given(
    seed=st.integers(0, 500),
    factor=st.sampled_from([1e-3, 1e4]),
    variances=st.sampled_from(["common", "by-subject"]),
)
@settings(max_examples=6, deadline=None)
def test_rows_and_units(seed: int, factor: float, variances: Any) -> None:
    data = series(seed=seed)
    mixed = data.assign(PAIN=data["PAIN"] * factor + 10 * factor).sample(frac=1, random_state=seed)
    a, b = (
        fit(d, variances=variances, cycle=None).contrasts().frame().iloc[0] for d in (data, mixed)
    )
    for name, power in (("estimate", 1), ("se", 1), ("tau2", 2), ("prediction_low", 1)):
        assert_close(b[name], a[name] * factor**power, 1e-6, atol=1e-12 * factor**power)
    assert_close(b["p_value"], a["p_value"], 1e-6)


def test_logs_are_ratios() -> None:
    data = series().assign(PAIN=lambda d: np.exp(d["PAIN"] / 4))
    ours, plain = fit(data, log=True), fit(series().assign(PAIN=lambda d: d["PAIN"] / 4))
    a, b = ours.contrasts().frame().iloc[0], plain.contrasts().frame().iloc[0]
    for name in ("estimate", "ci_low", "ci_high", "prediction_low", "prediction_high"):
        assert_close(a[name], np.exp(b[name]), 1e-9)
    assert_close(
        a[["se", "tau2", "p_value"]].astype(float), b[["se", "tau2", "p_value"]].astype(float), 1e-9
    )
    assert a["scale"] == "ratio"
    assert_close(
        ours.shrunken().frame()["ci_low"], np.exp(plain.shrunken().frame()["ci_low"]), 1e-9
    )
    assert_close(ours.by_subject().frame()["se"], plain.by_subject().frame()["se"], 1e-9)
    assert ours.plot().get_xscale() == "log"
    with pytest.raises(DataError, match="log=True needs values above zero; 'PAIN' has 1 at or bel"):
        fit(data.assign(PAIN=data["PAIN"].where(data.index != 2, 0.0)), log=True)


def test_who_has_no_comparison_is_counted_and_listed() -> None:
    data = series()
    more = pd.DataFrame(
        {
            "ID": ["Q1", "Q1", "Q2", "Q3", "Q3"],
            "CYCLE": [1, 2, 1, 1, 2],
            "WEEK": [1, 2, 1, 1, 3],
            "TRT": ["Placebo", "Placebo", "LDN", "Placebo", "LDN"],
            "PAIN": [5.0, 6.0, 4.0, 5.0, 4.0],
        }
    )
    both = pd.concat([data, more, more.tail(1).assign(PAIN=np.nan, WEEK=9)], ignore_index=True)
    ours = fit(both, cycle="CYCLE")
    assert_close(
        ours.contrasts().single().estimate,
        fit(data, cycle="CYCLE").contrasts().single().estimate,
        1e-12,
    )
    assert ours.left_out.to_dict("list") == {
        "subject": ["Q1", "Q2", "Q3"],
        "reason": [
            "has values under 'Placebo' only",
            "has no value under 'Placebo'",
            "has treatments that cycles or trend do not tell apart",
        ],
    }
    assert ours.n_excluded == 1
    text = "\n".join(ours.notes)
    assert "7 of 10 subjects have a comparison." in text
    assert "1 subject(s), each of whom has values under 'Placebo' only: 'Q1'" in text
    assert "1 of 58 rows have no PAIN" in text.replace(str(len(both)), "58")


def test_three_treatments_are_compared_where_they_were_given() -> None:
    data = series()
    extra = data[data["ID"].isin(["P0", "P1", "P2"]) & (data["TRT"] == "LDN")]
    extra = extra.assign(
        TRT="high", PAIN=extra["PAIN"] - 2 + 0.1 * extra["CYCLE"], WEEK=extra["WEEK"] + 50
    )
    ours = fit(pd.concat([data, extra], ignore_index=True))
    rows = ours.contrasts().frame().set_index("contrast")
    assert list(rows.index) == ["LDN - Placebo", "high - Placebo"]
    assert list(rows["n"]) == [7, 3]
    assert list(ours.by_subject().where(contrast="high - Placebo").frame()["subject"]) == [
        "P0",
        "P1",
        "P2",
    ]
    assert len(ours.contrasts().adjust("holm").p_adjusted or ()) == 2
    with pytest.raises(SpecError, match="Choose one with contrast=: LDN - Placebo, high - Placebo"):
        ours.plot()
    with pytest.raises(SpecError, match="No contrast 'x'"):
        ours.plot(contrast="x")
    assert len(ours.plot(contrast="high - Placebo").get_yticks()) == 5


def test_one_subject_has_its_effect_and_no_mean() -> None:
    data = series(1, even=True)
    ours = fit(data)
    own = ours.by_subject().single()
    drug, placebo = (data.loc[data["TRT"] == t, "PAIN"] for t in ("LDN", "Placebo"))
    assert_close(own.p_value, stats.ttest_ind(drug, placebo).pvalue, 1e-10)
    row = ours.contrasts().single()
    assert np.isnan(row.estimate)
    assert row.status.startswith("one subject: no mean over subjects")
    assert ours.shrunken().single().status == row.status
    assert len(ours.heterogeneity()) == 0
    assert [t.get_text() for t in ours.plot().get_yticklabels()] == ["P0"]


def test_the_text_and_the_figure() -> None:
    ours = fit(series(), cycle="CYCLE", trend=True, period="WEEK", variances="by-subject")
    assert ours.method == (
        "N-of-1 series, linear trend in WEEK of each subject, within CYCLE, least squares by "
        "subject, residual variance of each subject"
    )
    assert ours.contrasts().single().method == (
        f"{ours.method}; two-stage random-effects mean, first-stage variances taken for known, "
        "tau2 by REML, Hartung-Knapp (untruncated), t with k - 1 df"
    )
    labels = [t.get_text() for t in ours.plot().get_yticklabels()]
    assert labels == [*ours.by_subject().keys["subject"], "Mean", "Prediction"]
    # The cycles that P2 has left all go from the drug to placebo, as a trend does.
    assert list(ours.left_out["subject"]) == ["P2"]
    assert "6 subjects" in repr(ours)
    assert "LDN - Placebo" in ours._repr_html_()
    assert ours.frame().equals(ours.contrasts().frame())
    assert len(ours.where(contrast="LDN - Placebo")) == 1


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"variances": "pooled"}, "variances='pooled' is not offered; allowed: common, by-subj"),
        ({"tau2": "ml"}, "tau2='ml' is not offered; allowed: reml, paule-mandel, dersimonian"),
        ({"ci": "t"}, "ci='t' is not offered; allowed: hksj, normal"),
        ({"correlation": "cs"}, "correlation='cs' is not offered; allowed: independent, ar1"),
        ({"log": "no"}, "log='no' is not offered; allowed: True, False"),
        ({"trend": True}, "trend=True needs period="),
        ({"correlation": "ar1"}, "correlation='ar1' needs period="),
        (
            {"correlation": "ar1", "period": "WEEK", "variances": "by-subject"},
            "one variance of all subjects: variances='common'",
        ),
        ({"period_order": [1, 2]}, "period_order= needs period="),
        ({"cycle": "TRT"}, "Each role is a column of its own"),
        ({"reference": None}, "reference= must name the treatment in column 'TRT'"),
    ],
)
def test_choices_that_are_not_offered(choices: dict[str, Any], match: str) -> None:
    with pytest.raises(SpecError, match=match):
        fit(series(), **choices)


def test_data_that_cannot_be_analysed() -> None:
    data = series()
    with pytest.raises(DataError, match=r"1 subject-period pair\(s\) have more than one row"):
        fit(data.assign(WEEK=data["WEEK"].where(data.index != 1, 1)), period="WEEK")
    with pytest.raises(DataError, match="'high' is not an arm"):
        fit(data, reference="high")
    with pytest.raises(DataError, match="has one label only, 'Placebo'"):
        fit(data[data["TRT"] == "Placebo"])
    with pytest.raises(DataError, match="No subject has 'PAIN' under 'Placebo' and another"):
        fit(data[(data["TRT"] == "LDN") == (data["ID"] == "P0")])
    with pytest.raises(DataError, match="Column 'TRT' is missing in 1 of"):
        fit(data.assign(TRT=data["TRT"].where(data.index != 4)))
    with pytest.raises(DataError, match="Column 'PAIN' has no value in"):
        fit(data.assign(PAIN=np.nan))
    with pytest.raises(DataError, match="'ID' holds values that are not labels"):
        fit(data.assign(ID=[[i] for i in data["ID"]]))
    with pytest.raises(SpecError, match="alternative='x' is not offered"):
        fit(data[data["ID"] == "P0"]).contrasts(alternative="x")
    with pytest.raises(DataError, match=r"The order of the periods.*period_order="):
        fit(data.assign(WEEK="w" + data["WEEK"].astype(str)), period="WEEK")


def test_subjects_without_replicate_or_variation() -> None:
    data = series()
    short = data[(data["ID"] != "P3") | (data["CYCLE"] == 1)]
    with pytest.raises(DataError, match=r"1 subject\(s\) have no replicate.*'P3'.*variances='comm"):
        fit(short, variances="by-subject")
    assert fit(short).n_subjects == 7
    with pytest.raises(DataError, match="no subject has a replicate"):
        fit(data[data["CYCLE"] == 1], cycle="CYCLE")
    still = data.assign(PAIN=data["PAIN"].mask(data["ID"] == "P2", 5.0 - (data["TRT"] == "LDN")))
    with pytest.raises(DataError, match=r"1 subject\(s\) do not vary within treatments: 'P2'"):
        fit(still, variances="by-subject")
    with pytest.raises(DataError, match="do not vary within subjects and treatments"):
        fit(data.assign(PAIN=(data["TRT"] == "LDN") * 1.5))


def test_a_serial_correlation_that_is_not_there_raises() -> None:
    data = series()
    up = data.assign(PAIN=np.where(data["WEEK"] % 2 == 0, 1.0, -1.0) + 0.01 * data["PAIN"])
    with pytest.raises(ConvergenceError, match="use correlation='independent'"):
        fit(up, period="WEEK", correlation="ar1")
    few = data[data["CYCLE"] == 1]
    with pytest.raises(DataError, match="too few degrees of freedom for a serial correlation"):
        fit(few, period="WEEK", correlation="ar1")
