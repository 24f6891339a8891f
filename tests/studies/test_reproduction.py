"""Every published figure stands beside ours, with a verdict that was computed."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import trialkit as tk
from trialkit.errors import DataError, SpecError
from trialkit.studies import reproduction
from trialkit.studies.calibration import calibrated_figures
from trialkit.studies.figure import FigureKey
from trialkit.studies.fixtures import names
from trialkit.studies.reproduction import Reproduction

AGREED_COLUMNS = [
    "study",
    "outcome",
    "timepoint",
    "statistic",
    "published",
    "reproduced",
    "reproduced_low",
    "reproduced_high",
    "agrees",
    "basis",
    "provenance",
    "note",
]
BASES = {"summary", "synthetic", "derived", "calibrated", "not reproducible"}


@pytest.fixture(scope="module")
def everything() -> dict[str, Reproduction]:
    return {name: tk.studies.reproduce(name) for name in names()}


def row(study: Reproduction, basis: str, statistic: str, **where: str) -> pd.Series:
    frame = study.frame()
    chosen = (frame["basis"] == basis) & (frame["statistic"] == statistic)
    for column, value in where.items():
        chosen &= frame[column] == value
    assert chosen.sum() == 1
    return frame[chosen].iloc[0]


@pytest.mark.parametrize("name", names())
def test_no_published_figure_is_left_out(name: str, everything: dict[str, Reproduction]) -> None:
    frame = everything[name].frame()
    shown = frame[frame["basis"] != "derived"]
    keys = ["arm", "outcome", "timepoint", "statistic"]
    beside = dict(zip(map(tuple, shown[keys].values), shown["published"], strict=True))
    for figure in tk.studies.load(name).figures[[*keys, "printed"]].itertuples(index=False):
        assert beside[tuple(figure[:4])] == figure.printed


@pytest.mark.parametrize("name", names())
def test_the_frame_keeps_its_agreed_columns(name: str, everything: dict[str, Reproduction]) -> None:
    frame = everything[name].frame()
    assert list(frame.columns)[: len(AGREED_COLUMNS)] == AGREED_COLUMNS
    assert list(frame.columns)[len(AGREED_COLUMNS) :] == ["arm", "reproduced_printed"]
    assert set(frame["basis"]) <= BASES
    assert set(frame["study"]) == {name}


@pytest.mark.parametrize("name", names())
def test_each_basis_says_what_it_is(name: str, everything: dict[str, Reproduction]) -> None:
    for line in everything[name].frame().itertuples():
        if line.basis == "derived":
            assert (line.published, line.agrees) == ("", None)
        elif line.basis == "not reproducible":
            assert line.note
            assert line.published
            assert (line.agrees, math.isnan(line.reproduced)) == (None, True)
        else:
            assert line.published
            assert isinstance(line.agrees, bool) or line.agrees == "uninformative"
        if line.basis == "summary":
            assert line.reproduced_low <= line.reproduced <= line.reproduced_high


@pytest.mark.parametrize("name", names())
def test_nothing_that_should_agree_fails(name: str, everything: dict[str, Reproduction]) -> None:
    assert everything[name].failures == ()
    assert everything[name].all_agree


@pytest.mark.parametrize("name", names())
def test_what_made_the_data_is_never_counted(
    name: str, everything: dict[str, Reproduction]
) -> None:
    targets = calibrated_figures(tk.studies.load(name).folder)
    for line in everything[name].rows:
        key = FigureKey(line.arm, line.outcome, line.timepoint, line.statistic)
        assert (line.basis == "synthetic") <= (key not in targets)
        assert (line.basis == "calibrated") <= (key in targets)
    counts = everything[name].counts()
    counted = [r for r in everything[name].rows if r.basis in {"summary", "synthetic"}]
    assert sum(counts[k] for k in ("agrees", "disagrees", "uninformative")) == len(counted)
    assert sum(counts.values()) == len(everything[name].rows)


def test_irwins_p_lies_in_the_range_of_its_inputs(everything: dict[str, Reproduction]) -> None:
    found = row(everything["irwin2024"], "summary", "p")
    assert found["published"] == "0.022"
    assert found["reproduced"] == pytest.approx(0.0214, abs=5e-5)
    assert found["reproduced_low"] == pytest.approx(0.0195, abs=5e-5)
    assert found["reproduced_high"] == pytest.approx(0.0234, abs=5e-5)
    assert found["agrees"] is True
    assert row(everything["irwin2024"], "derived", "sd")["reproduced_printed"] == "1.513"
    assert row(everything["irwin2024"], "derived", "r")["reproduced"] == pytest.approx(
        0.67, abs=5e-3
    )


def test_final_shows_the_standardiser_that_gives_its_d(
    everything: dict[str, Reproduction],
) -> None:
    final = everything["final2024"]
    for basis in ("summary", "synthetic"):
        found = row(final, basis, "cohens_d")
        assert (found["published"], found["reproduced_printed"]) == ("0.23", "0.23")
        assert found["agrees"] is True
    for usual in ("cohens_d, SD behind the contrast", "cohens_d, pooled SD of the change"):
        assert round(row(final, "derived", usual)["reproduced"], 2) == 0.22
    assert row(final, "summary", "p")["reproduced"] == pytest.approx(0.2714, abs=5e-5)
    assert row(final, "summary", "mean_difference")["agrees"] == "uninformative"
    ends = ["risk_ratio", "ci95_lo", "ci95_hi"]
    where = {"arm": "ldn / placebo", "outcome": "pain responder >=30% (ITT)"}
    ratios = [row(final, "derived", end, **where)["reproduced"] for end in ends]
    assert [round(value, 2) for value in ratios] == [1.57, 0.88, 2.79]


def test_innova_shows_the_standardiser_that_gives_its_d(
    everything: dict[str, Reproduction],
) -> None:
    innova = everything["innova2026"]
    for basis in ("summary", "synthetic"):
        assert row(innova, basis, "cohens_d")["reproduced_printed"] == "0.19"
    printed = row(innova, "derived", "cohens_d, B over the baseline SD")["reproduced"]
    assert round(printed, 2) == 0.30
    at_visit = row(innova, "derived", "cohens_d, SD at 3 months")
    assert at_visit["reproduced_high"] < 0.185  # cannot print 0.19
    p = row(innova, "summary", "p")
    assert p["reproduced"] == pytest.approx(0.236, abs=5e-4)
    # Three decimals are finer than its inputs carry: 0.228 to 0.243 holds fifteen of them.
    assert p["agrees"] == "uninformative"
    for visit, gap, of_b, of_sds in (
        ("3 mo", 0.50, 0.410, 0.354),
        ("6 mo", 0.13, 0.426, 0.388),
        ("12 mo", 0.28, 0.451, 0.422),
    ):
        expected = {"difference of means": gap, "se of B": of_b, "se from SDs": of_sds}
        for statistic, value in expected.items():
            found = row(innova, "derived", statistic, timepoint=visit)["reproduced"]
            assert found == pytest.approx(value, abs=1e-3)


def test_the_mixed_models_of_innova_are_shown_and_not_counted(
    everything: dict[str, Reproduction],
) -> None:
    innova = everything["innova2026"]
    # What the notes and the README quote, beside the printed 0.49, 0.13 and 0.37.
    for visit, printed, alone, adjusted in (
        ("3 mo", "0.49", 0.53, 0.43),
        ("6 mo", "0.13", 0.13, 0.02),
        ("12 mo", "0.37", 0.28, 0.16),
    ):
        of_paper = row(innova, "not reproducible", "lmm_B", timepoint=visit)
        assert (of_paper["published"], of_paper["agrees"]) == (printed, None)
        without, mmrm = (
            row(innova, "derived", f"difference, {model}", timepoint=visit)["reproduced"]
            for model in ("MMRM without baseline", "MMRM")
        )
        assert (round(without, 2), round(mmrm, 2)) == (alone, adjusted)
        found = row(innova, "derived", "se, MMRM without baseline", timepoint=visit)["reproduced"]
        # Wider than the data give, whatever B is rounded from.
        assert found < row(innova, "derived", "se of B", timepoint=visit)["reproduced_low"]
    noted = row(innova, "not reproducible", "ci95_lo", timepoint="12 mo")["note"]
    for visit, needed in (("3 mo", 36), ("6 mo", 40), ("12 mo", 42)):
        assert str(needed) in noted
        of_b = row(innova, "derived", "se of B", timepoint=visit)["reproduced"]
        sds = row(innova, "derived", "se from SDs", timepoint=visit)["reproduced"]
        assert round(48 * (sds / of_b) ** 2) == pytest.approx(needed, abs=1)


def test_finals_mixed_model_is_its_ancova_where_all_are_seen(
    everything: dict[str, Reproduction],
) -> None:
    final = everything["final2024"]
    for statistic, of_paper in (("difference", "mean_difference"), ("p", "p")):
        mmrm = row(final, "derived", f"{statistic}, MMRM")
        basis = "calibrated" if of_paper == "mean_difference" else "synthetic"
        ancova = row(final, basis, of_paper)
        assert mmrm["reproduced"] == pytest.approx(ancova["reproduced"], rel=1e-8)
        assert "at week 12 the MMRM is the ANCOVA" in mmrm["note"]


def test_younger_keeps_p_and_the_tests_that_print_it_apart(
    everything: dict[str, Reproduction],
) -> None:
    younger = everything["younger2013"]
    paired = row(younger, "calibrated", "p", outcome="pain_vas_pct_reduction_from_baseline")
    assert "correlation is not printed" in paired["note"]
    assert row(younger, "summary", "p")["reproduced_printed"] == "0.05"
    assert row(younger, "derived", "p, Fisher")["reproduced"] > 0.055
    sds = younger.frame().query("statistic == 'sd' and basis == 'derived'")["reproduced"]
    assert sorted(round(value, 1) for value in sds) == [24.0, 27.9]
    assert row(younger, "derived", "r")["reproduced"] == pytest.approx(0.64, abs=5e-3)


def test_polo_reproduces_its_proportions_exactly(everything: dict[str, Reproduction]) -> None:
    polo = everything["polo2019"].frame()
    summary = polo[polo["basis"] == "summary"]
    assert summary["agrees"].tolist() == [True] * 6
    assert (
        summary["published"].tolist()
        == summary["reproduced_printed"].replace("161", "161/218").tolist()
    )


def test_a_reproduction_shows_and_draws_itself(everything: dict[str, Reproduction]) -> None:
    final = everything["final2024"]
    assert "pain_nrs" in repr(final)
    assert f"{final.counts()['agrees']} agrees" in repr(final)
    assert "<table" in final._repr_html_()
    axes = final.plot()
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert len(labels) == sum(line.basis in {"summary", "synthetic"} for line in final.rows)
    assert "ldn - placebo, pain_nrs, wk12, p: 0.27 (summary)" in labels
    assert everything["bested2023"].plot().texts


def small_study(folder: Path, recipe: str, printed: str = "0.022") -> None:
    study = folder / "made_up"
    study.mkdir()
    (study / "published.csv").write_text(
        "study,arm,outcome,timepoint,statistic,printed,provenance\n"
        "made_up,a,change,,mean_difference,0.66,abstract\n"
        "made_up,a,change,,ci95_lo,0.10,abstract\n"
        "made_up,a,change,,ci95_hi,1.21,abstract\n"
        f"made_up,a,change,,p,{printed},abstract\n"
    )
    (study / "reproduce.toml").write_text(recipe)


P_RECIPE = """
[[summary]]
figure = "a | change | | p"
formula = "paired_p"
[summary.inputs]
estimate = "a | change | | mean_difference"
low = "a | change | | ci95_lo"
high = "a | change | | ci95_hi"
n = 31
"""
REST = """
[[missing]]
figures = ["a | change | | mean_difference", "a | change | | ci95_lo", "a | change | | ci95_hi"]
note = "Needs the data."
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("trialkit.studies.fixtures.fixtures_root", lambda: tmp_path)
    return tmp_path


def test_a_figure_that_does_not_follow_is_a_failure(elsewhere: Path) -> None:
    small_study(elsewhere, P_RECIPE + REST, printed="0.018")
    found = reproduction.reproduce("made_up")
    assert [line.statistic for line in found.failures] == ["p"]
    assert not found.all_agree
    assert found.counts()["disagrees"] == 1
    assert "NO" in repr(found)


def test_a_calibrated_figure_that_is_missed_is_a_failure(elsewhere: Path) -> None:
    twin = (
        '[[synthetic]]\nfigure = "a | change | | p"\n'
        'from = { data = "adsl", where = {}, variable = "X", statistic = "p_value" }\n'
    )
    small_study(elsewhere, twin + REST)
    (elsewhere / "made_up" / "adsl.csv").write_text("X\n1\n2\n-3\n")
    counted = reproduction.reproduce("made_up")
    assert [line.basis for line in counted.failures] == ["synthetic"]
    (elsewhere / "made_up" / "calibrated.csv").write_text(
        "arm,outcome,timepoint,statistic\na,change,,p\n"
    )
    missed = reproduction.reproduce("made_up")
    assert [line.basis for line in missed.failures] == ["calibrated"]
    assert missed.counts()["disagrees"] == 0


@pytest.mark.parametrize(
    ("recipe", "error", "message"),
    [
        (P_RECIPE, DataError, r"leaves out 3 published figure\(s\): a \| change \|  \| mean_diff"),
        (
            P_RECIPE + REST.replace("ci95_hi", "ci99_hi"),
            SpecError,
            r"no published figure is called a \| change \|  \| ci99_hi",
        ),
        (
            '[[synthetic]]\nfigure = "a | change | | p"\n'
            'from = { data = "adsl", where = {}, count = { X = 1 } }\n' + REST,
            SpecError,
            "has no data set 'adsl'; there are: none",
        ),
        (
            '[[synthetic]]\nfigure = "a | change | | p"\n'
            'from = { analysis = "x", table = "y", row = {}, column = "p_value" }\n' + REST,
            SpecError,
            "has no plan to run",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused(
    elsewhere: Path, recipe: str, error: type[Exception], message: str
) -> None:
    small_study(elsewhere, recipe)
    with pytest.raises(error, match=message):
        reproduction.reproduce("made_up")
