"""What a compared panel offers beyond its estimates."""

from __future__ import annotations

import pickle
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from analyses.panels import PAIRED, PARALLEL, paired_panel, parallel_panel
from scipy import stats

import trialkit as tk


def test_the_strip_repeats_each_rule() -> None:
    data = paired_panel(n=12).assign(LLOQ=18.0)
    panel = tk.compare_panel(data, **PAIRED, lloq="LLOQ")
    strip = panel.sensitivity()
    assert len(strip) == 5 * 5
    for rule in ("tobit", "half", "half-sqrt2", "drop"):
        alone = tk.compare_panel(data, **PAIRED, lloq="LLOQ", censoring=rule).frame()
        part = strip.where(censoring=rule).frame()
        np.testing.assert_array_equal(part["estimate"], alone["estimate"])
        np.testing.assert_array_equal(part["p_value"], alone["p_value"])
    ros = strip.where(censoring="ros").frame()
    assert ros["status"].str.contains("would be arbitrary").all()
    assert ros["estimate"].isna().all()
    high = tk.compare_panel(data, **PAIRED, uloq=100.0).sensitivity().where(censoring="ros")
    assert (high.frame()["status"].str.contains("below a limit")).all()
    with pytest.raises(tk.SpecError, match="censoring='best' is not offered"):
        panel.sensitivity(["best"])


def test_hotelling_of_one_analyte_is_the_squared_t() -> None:
    for data, options in ((paired_panel(), PAIRED), (parallel_panel(), PARALLEL)):
        panel = tk.compare_panel(data, **options)
        found = panel.global_test({"one": ["A1"]}).frame().set_index("test")
        single = panel.where(analyte="A1").single()
        assert found.loc["hotelling", "statistic"] == pytest.approx(single.statistic**2)
        assert found.loc["hotelling", "p_value"] == pytest.approx(single.p_value)
        for name in ("obrien-ols", "obrien-gls"):
            assert found.loc[name, "statistic"] == pytest.approx(single.statistic)
            assert found.loc[name, "p_value"] == pytest.approx(single.p_value)


def test_obrien_and_hotelling_from_their_definitions() -> None:
    data = paired_panel(n=12, m=4)
    panel = tk.compare_panel(data, **PAIRED)
    found = panel.global_test().frame().set_index("test")
    logs = data.assign(L=np.log2(data["AVAL"])).pivot(
        index="USUBJID", columns=["AVISIT", "PARAMCD"], values="L"
    )
    d = (logs["Week 8"] - logs["Baseline"]).to_numpy()
    ols = stats.ttest_1samp((d / d.std(axis=0, ddof=1)).sum(axis=1), 0)
    assert found.loc["obrien-ols", "statistic"] == pytest.approx(ols.statistic)
    assert found.loc["obrien-ols", "p_value"] == pytest.approx(ols.pvalue)
    t2 = 12 * d.mean(axis=0) @ np.linalg.solve(np.cov(d.T), d.mean(axis=0))
    assert found.loc["hotelling", "statistic"] == pytest.approx(t2 * (12 - 4) / (4 * 11))
    assert found.loc["hotelling", "den_df"] == 8
    r = np.linalg.inv(np.corrcoef(d.T))
    t = stats.ttest_1samp(d, 0).statistic
    gls = np.ones(4) @ r @ t / np.sqrt(np.ones(4) @ r @ np.ones(4))
    assert found.loc["obrien-gls", "statistic"] == pytest.approx(gls)


def test_the_sum_of_squares_enumerates_all_exchanges() -> None:
    data = paired_panel(n=6, m=3)
    found = tk.compare_panel(data, **PAIRED).global_test().frame().set_index("test")
    logs = data.assign(L=np.log2(data["AVAL"])).pivot(
        index="USUBJID", columns=["AVISIT", "PARAMCD"], values="L"
    )
    d = (logs["Week 8"] - logs["Baseline"]).to_numpy()
    sums = [
        np.sum(stats.ttest_1samp(d * np.array(s)[:, None], 0).statistic ** 2)
        for s in np.array(np.meshgrid(*[[1, -1]] * 6)).reshape(6, -1).T
    ]
    observed = np.sum(stats.ttest_1samp(d, 0).statistic ** 2)
    assert found.loc["sum-of-squares", "statistic"] == pytest.approx(observed)
    expected = np.mean(np.array(sums) >= observed - 1e-9)
    assert found.loc["sum-of-squares", "p_value"] == pytest.approx(expected)


def test_more_analytes_than_degrees_of_freedom_are_refused_by_name() -> None:
    found = tk.compare_panel(paired_panel(n=5, m=8), **PAIRED).global_test().frame()
    status = found.set_index("test")["status"]
    assert status["hotelling"].startswith("8 analytes on 4 degrees of freedom")
    assert status["obrien-ols"] == "ok"
    with pytest.raises(tk.SpecError, match="names 'IL6', which is no analyte"):
        tk.compare_panel(paired_panel(), **PAIRED).global_test({"x": ["IL6"]})


def test_associations_are_exact_for_few_subjects() -> None:
    data = paired_panel(n=6, m=2)
    marker = pd.Series([3.0, 1, 4, 1, 5, 9], index=[f"S{i:02d}" for i in range(6)])
    table = tk.compare_panel(data, **PAIRED).associate(marker, name="ESR")
    assert any("With 6 subjects" in note for note in table.notes)
    logs = data.assign(L=np.log2(data["AVAL"])).pivot(
        index=["PARAMCD", "USUBJID"], columns="AVISIT", values="L"
    )
    for name, rows in (logs["Week 8"] - logs["Baseline"]).groupby(level=0):
        row = table.where(analyte=name).single()
        rho = stats.spearmanr(rows, marker).statistic
        assert row.estimate == pytest.approx(rho)
        every = [
            abs(stats.spearmanr(rows, marker.iloc[list(o)]).statistic)
            for o in permutations(range(6))
        ][:720]
        assert row.p_value == pytest.approx(np.mean(np.array(every) >= abs(rho) - 1e-9))
    with pytest.raises(tk.DataError, match="has a value for none of the 6 subjects"):
        tk.compare_panel(data, **PAIRED).associate({"X": 1.0}, name="ESR")


def test_associations_of_many_subjects_use_t() -> None:
    data = paired_panel(n=30, m=1)
    marker = {f"S{i:02d}": float(i * 7 % 30) for i in range(30)}
    row = tk.compare_panel(data, **PAIRED).associate(marker, name="ESR", adjust="none").single()
    logs = data.assign(L=np.log2(data["AVAL"])).pivot(index="USUBJID", columns="AVISIT", values="L")
    truth = stats.spearmanr(logs["Week 8"] - logs["Baseline"], list(marker.values()))
    assert row.p_value == pytest.approx(truth.pvalue)
    assert row.ci_low < row.estimate < row.ci_high


def test_figures_show_every_analyte() -> None:
    panel = tk.compare_panel(paired_panel(n=10).assign(LLOQ=18.0), **PAIRED, lloq="LLOQ")
    n = len(panel)
    assert len(panel.forest().get_yticks()) == n
    map_ = panel.heatmap()
    assert len(map_.get_yticks()) == n
    beyond = paired_panel(n=10).query("AVAL <= 18")
    dots = sum(len(c.get_offsets()) for c in map_.collections)
    assert dots == len(beyond.drop_duplicates(["USUBJID", "PARAMCD"])) > 0
    assert "dots: a bound stands for a censored value" in map_.get_xlabel()
    assert len(panel.detection().patches) == 2 * n
    drawn = sum(len(c.get_offsets()) for c in panel.volcano().collections)
    assert drawn == int(panel.frame()["estimate"].notna().sum())
    labelled = {text.get_text() for text in panel.volcano(level=1.1).texts}
    assert labelled == set(panel.frame().dropna(subset="estimate")["analyte"])
    lines = panel.paired_lines("A0")
    assert len(lines.lines) == 10 + 1
    arms = tk.compare_panel(parallel_panel(), **PARALLEL)
    whole = arms.heatmap()
    assert len(whole.get_xticks()) == 20
    assert whole.get_xlabel() == "LDN - Placebo"
    with pytest.raises(tk.SpecError, match="needs both conditions"):
        arms.paired_lines("A0")
    with pytest.raises(tk.SpecError, match="is no analyte"):
        panel.paired_lines("IL6")


def test_a_volcano_names_as_many_as_there_is_room_for() -> None:
    panel = tk.compare_panel(paired_panel(n=40, m=120), **PAIRED)
    axes = panel.volcano(level=1.1)
    axes.figure.canvas.draw()
    assert 10 < len(axes.texts) < 60
    unnamed = 120 - len(axes.texts)
    assert axes.get_xlabel().endswith(f"({unnamed} marked without room for a name)")
    moved = [abs(text.xy[1] - text.get_position()[1]) for text in axes.texts]
    assert max(moved) < 0.12 * axes.get_ylim()[1]


def test_a_panel_of_two_contrasts_asks_which_to_draw() -> None:
    first = paired_panel()
    extra = first[first["AVISIT"] == "Week 8"].assign(AVISIT="Week 16")
    panel = tk.compare_panel(pd.concat([first, extra]), **PAIRED)
    with pytest.raises(tk.SpecError, match="2 contrasts; give contrast="):
        panel.volcano()
    assert len(panel.forest(contrast="Week 16 - Baseline").get_yticks()) == 5


def test_a_panel_is_a_value() -> None:
    panel = tk.compare_panel(paired_panel(), **PAIRED)
    again = pickle.loads(pickle.dumps(panel))
    pd.testing.assert_frame_equal(panel.frame(), again.frame())
    pd.testing.assert_frame_equal(panel.sensitivity().frame(), again.sensitivity().frame())
    with pytest.raises(ValueError, match="read-only"):
        panel.units[0].y[0, 0] = 0.0


# -- correlation within subjects -------------------------------------------------


def slow_rm_corr(x: np.ndarray, y: np.ndarray, subject: np.ndarray) -> tuple[float, int, float]:
    """ANCOVA by hand: y on x and one intercept a subject, against the intercepts alone."""
    dummies = (subject[:, None] == np.unique(subject)).astype(float)

    def left(columns: np.ndarray) -> float:
        fit = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
        return float(np.sum((y - fit) ** 2))

    full, null = left(np.column_stack([dummies, x])), left(dummies)
    slope = np.linalg.lstsq(np.column_stack([dummies, x]), y, rcond=None)[0][-1]
    df = len(y) - dummies.shape[1] - 1
    p = stats.f.sf((null - full) / (full / df), 1, df)
    return float(np.sign(slope) * np.sqrt((null - full) / null)), df, float(p)


@pytest.mark.parametrize("by_draw", [False, True])
def test_repeated_measures_correlation_is_the_ancova(by_draw: bool) -> None:
    data = paired_panel(n=8, m=3, draws=3)
    data["PAIN"] = 10 - np.log2(data["AVAL"]) + np.sin(np.arange(len(data)))
    keys = ["USUBJID", "AVISIT"] + (["DRAW"] if by_draw else [])
    marker = data[data["PARAMCD"] == "A1"].groupby(keys, observed=True)["PAIN"].mean()
    marker = marker.drop(marker.index[3])
    panel = tk.compare_panel(data, **PAIRED, visit="DRAW")
    table = panel.associate(marker, name="pain", method="repeated", adjust="none")
    assert any("8 subjects" in note or "7 subjects" in note for note in table.notes)
    assert any("counts as correlation here" in note for note in table.notes)
    for name, rows in data.groupby("PARAMCD"):
        logs = np.log2(rows.set_index(keys)["AVAL"]).groupby(level=list(range(len(keys)))).mean()
        logs = logs[marker.index]
        subject = logs.index.get_level_values(0)
        times = subject.value_counts()
        kept = np.isin(subject, times.index[times > 1])
        r, df, p = slow_rm_corr(
            marker.to_numpy()[kept], logs.to_numpy()[kept], subject.to_numpy()[kept]
        )
        row = table.where(analyte=name).single()
        assert row.estimate == pytest.approx(r, abs=1e-10)
        assert (row.df, row.n) == (df, times[times > 1].size)
        assert row.p_value == pytest.approx(p, rel=1e-8)
        z = np.arctanh(r) + np.array([-1, 1]) * stats.norm.ppf(0.975) / np.sqrt(df - 1)
        np.testing.assert_allclose([row.ci_low, row.ci_high], np.tanh(z))


def test_the_correlation_of_pairs_is_that_of_differences_through_the_origin() -> None:
    data = paired_panel(n=9, m=2)
    logs = data.assign(L=np.log2(data["AVAL"])).pivot(
        index="USUBJID", columns=["AVISIT", "PARAMCD"], values="L"
    )
    d = logs["Week 8"] - logs["Baseline"]
    marker = {
        (subject, visit): float(logs.loc[subject, (visit, "A1")])
        for subject in logs.index
        for visit in ("Baseline", "Week 8")
    }
    for alternative, tail in (("less", stats.t.cdf), ("greater", stats.t.sf)):
        panel = tk.compare_panel(data, **PAIRED, alternative=alternative)
        row = panel.associate(marker, name="A1", method="repeated").where(analyte="A0").single()
        r = (d["A0"] @ d["A1"]) / np.sqrt((d["A0"] @ d["A0"]) * (d["A1"] @ d["A1"]))
        assert row.estimate == pytest.approx(r)
        assert row.df == 8
        assert row.p_value == pytest.approx(tail(r * np.sqrt(8 / (1 - r**2)), 8))
        assert (row.ci_low == -1) == (alternative == "less")
        assert row.ci_low < 1
        own = panel.associate(marker, name="A1", method="repeated").where(analyte="A1").single()
        assert own.estimate == pytest.approx(1)


def test_a_correlation_within_subjects_is_refused_or_blank_where_there_is_none() -> None:
    panel = tk.compare_panel(paired_panel(n=5), **PAIRED)
    subjects = [f"S{i:02d}" for i in range(5)]
    with pytest.raises(tk.DataError, match=r"keys are \(subject, condition\)\."):
        panel.associate(dict.fromkeys(subjects, 1.0), name="pain", method="repeated")
    with pytest.raises(tk.DataError, match="none of the samples of the 5 subjects"):
        panel.associate({("X", "Y"): 1.0}, name="pain", method="repeated")
    with pytest.raises(tk.SpecError, match="method='kendall' is not offered"):
        panel.associate({("X", "Y"): 1.0}, name="pain", method="kendall")
    same = {(s, v): float(i) for i, s in enumerate(subjects) for v in ("Baseline", "Week 8")}
    row = panel.associate(same, name="pain", method="repeated").frame().iloc[0]
    assert "no change within the subjects" in row["status"]
    arms = tk.compare_panel(parallel_panel(), **PARALLEL)
    with pytest.raises(tk.SpecError, match="a subject has one value"):
        arms.associate({("S00", "LDN"): 1.0}, name="pain", method="repeated")
    import pingouin

    varied = {key: value + (key[1] == "Week 8") * value**2 for key, value in same.items()}
    pingouin.options["round"] = 3
    try:
        with pytest.raises(tk.SpecError, match="rounds its results"):
            panel.associate(varied, name="pain", method="repeated")
    finally:
        pingouin.options["round"] = None
