"""Crossover analyses of a plan give what the functions give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import trialkit as tk
from trialkit.plan import load_plan, run_plan
from trialkit.plan.checking import check_plan

HEAD = """[plan]
title = "A tiny crossover"
study = "tiny"
ci_level = 0.9

[data]
adqs = "adqs.csv"

[design]
type = "crossover"
data = "adqs"
subject = "USUBJID"
sequence = "SEQ"
period = "PERIOD"
treatment = "TRTA"
reference = "R"
outcome = "AVAL"
"""
ANALYSIS = """
[[analysis]]
name = "{name}"
method = "{method}"
estimand = {{ treatment = "T against R", population = "all", variable = "AVAL", \
intercurrent = {{}}, summary = "difference" }}
{more}
"""
ROLES = {
    "outcome": "AVAL",
    "subject": "USUBJID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRTA",
    "reference": "R",
}


def data(sequences: tuple[str, ...] = ("RT", "TR")) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    rows = [
        {"USUBJID": f"S{i:02d}", "SEQ": seq, "PERIOD": k, "TRTA": t, "AVAL": level + rng.normal()}
        for i, (seq, level) in enumerate(
            zip(sequences * 10, 20 + 2 * rng.normal(size=10 * len(sequences)), strict=True)
        )
        for k, t in enumerate(seq, start=1)
    ]
    frame = pd.DataFrame(rows).round(2)
    frame["RESP"] = (frame["AVAL"] + (frame["TRTA"] == "T") > 20).astype(int)
    return frame


def planned(folder: Path, frame: pd.DataFrame, method: str, more: str = "", head: str = HEAD):  # type: ignore[no-untyped-def]
    frame.to_csv(folder / "adqs.csv", index=False)
    text = head + ANALYSIS.format(name="one", method=method, more=more)
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return run_plan(load_plan(folder / "plan.toml"))


def same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(ours, theirs, check_exact=False, rtol=1e-12)


def test_crossover(tmp_path: Path) -> None:
    run = planned(tmp_path, data(), "crossover", 'df = "satterthwaite"\nlog = true')
    fit = tk.crossover(data(), **ROLES, df="satterthwaite", log=True)
    same(run.table("one").frame(), fit.contrasts(ci_level=0.9).frame())
    same(run.table("one", "lsmeans").frame(), fit.lsmeans(ci_level=0.9).frame())
    same(run.table("one", "variance").frame(), fit.variance(ci_level=0.9).frame())
    same(run.table("one", "type3").frame(), fit.type3().frame())


def test_baselines_modelled_jointly_have_no_table_of_variances(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    frame = data().assign(BASE=lambda d: (d["AVAL"] / 2 + rng.normal(size=len(d))).round(2))
    run = planned(tmp_path, frame, "crossover", 'baseline = "BASE"\nbaseline_as = "joint"')
    fit = tk.crossover(frame, **ROLES, baseline="BASE", baseline_as="joint")
    same(run.table("one").frame(), fit.contrasts(ci_level=0.9).frame())
    assert list(run.analysis("one").tables) == ["contrasts", "lsmeans", "type3"]


def test_variances_by_treatment(tmp_path: Path) -> None:
    frame = data(("RTRT", "TRTR"))
    run = planned(tmp_path, frame, "crossover", 'variances = "by-treatment"')
    fit = tk.crossover(frame, **ROLES, variances="by-treatment")
    same(run.table("one").frame(), fit.contrasts(ci_level=0.9).frame())
    same(run.table("one", "variance").frame(), fit.variance(ci_level=0.9).frame())


def diary() -> pd.DataFrame:
    """Five days in every period of `data`, some without an outcome."""
    days = data().loc[lambda d: d.index.repeat(5)].reset_index(drop=True)
    number = np.arange(len(days))
    days["ADY"] = 1 + number % 5 + 20 * (days["PERIOD"] - 1)
    days["AVAL"] = (days["AVAL"] + np.sin(number)).where(number % 7 > 0)
    return days


def test_days_are_reduced_to_period_means(tmp_path: Path) -> None:
    keep, days = ["SEQ", "TRTA"], {"day": "ADY", "last": 3, "minimum": 2}
    means = tk.period_means(
        diary(), outcome="AVAL", subject="USUBJID", period="PERIOD", keep=keep, **days
    )
    more = 'measurements = { day = "ADY", last = 3, minimum = 2 }'
    run = planned(tmp_path, diary(), "crossover", more)
    table = run.table("one")
    fit = tk.crossover(means, **ROLES)
    same(
        table.frame().drop(columns="method"),
        fit.contrasts(ci_level=0.9).frame().drop(columns="method"),
    )
    assert table.single().method == f"{fit.method}; means of the last 3 day(s) of a period"
    assert table.notes[-1].startswith("AVAL is the mean of the last 3 day(s) of the period (ADY): ")
    assert run.table("one", "type3").notes[-1] == table.notes[-1]
    run = planned(tmp_path, diary(), "crossover_rank", more)
    expected = tk.crossover_rank(means, **ROLES, ci_level=0.9).single()
    assert run.table("one", "estimates").single().p_value == expected.p_value
    with pytest.raises(tk.SpecError, match=r"measurements.day: no column 'DAY'"):
        planned(tmp_path, diary(), "crossover", 'measurements = { day = "DAY" }')
    both = 'measurement = "ADY"\nmeasurements = { day = "ADY" }'
    with pytest.raises(tk.SpecError, match="give one of them"):
        planned(tmp_path, diary(), "crossover", both)


def test_a_diary_is_sound_where_the_design_names_its_day(tmp_path: Path) -> None:
    more = 'measurements = { day = "ADY" }'
    planned(
        tmp_path,
        diary(),
        "crossover",
        more,
        head=HEAD.replace("outcome", 'measurement = "ADY"\noutcome'),
    )
    assert check_plan(tmp_path / "plan.toml") == ()


def test_measurements_may_be_analysed_themselves(tmp_path: Path) -> None:
    frame = diary().assign(DAY=lambda d: d["ADY"] - 20 * (d["PERIOD"] - 1))
    run = planned(tmp_path, frame, "crossover", 'measurement = "DAY"')
    fit = tk.crossover(frame, **ROLES, measurement="DAY")
    same(run.table("one").frame(), fit.contrasts(ci_level=0.9).frame())


def test_ranks_and_binary(tmp_path: Path) -> None:
    run = planned(tmp_path, data(), "crossover_rank", "period_adjusted = false")
    expected = tk.crossover_rank(data(), **ROLES, period_adjusted=False, ci_level=0.9)
    same(run.table("one", "estimates").frame(), expected.frame())
    run = planned(tmp_path, data(), "crossover_binary", 'outcome = "RESP"')
    binary = tk.crossover_binary(data(), **{**ROLES, "outcome": "RESP"}, ci_level=0.9)
    same(run.table("one", "estimates").frame(), binary.frame())


def test_estimating_equations(tmp_path: Path) -> None:
    frame = data().assign(COUNT=lambda d: d["AVAL"].round().astype(int), DAYS=28)
    more = 'outcome = "COUNT"\nfamily = "poisson"\nexposure = "DAYS"\nvcov = "robust"'
    run = planned(tmp_path, frame, "crossover_gee", more)
    roles = {**ROLES, "outcome": "COUNT"}
    fit = tk.crossover_gee(frame, **roles, family="poisson", exposure="DAYS", vcov="robust")
    same(run.table("one").frame(), fit.contrasts(ci_level=0.9).frame())
    same(run.table("one", "coefficients").frame(), fit.coefficients(ci_level=0.9).frame())
    same(run.table("one", "type3").frame(), fit.type3().frame())


def test_bioequivalence_has_its_own_level(tmp_path: Path) -> None:
    frame = data(("RTRT", "TRTR"))
    run = planned(tmp_path, frame, "bioequivalence", 'ema_method = "B"\nlimits = "abel"')
    expected = tk.bioequivalence(frame, **ROLES, method="B", limits="abel")
    same(run.table("one", "estimates").frame(), expected.frame())
    assert expected.frame()["ci_level"].tolist() == [0.9]
    run = planned(tmp_path, frame, "rsabe")
    same(run.table("one", "estimates").frame(), tk.rsabe(frame, **ROLES).frame())


def test_phases(tmp_path: Path) -> None:
    frame = data(("RT", "RT")).assign(DAY=lambda d: d["PERIOD"])
    more = 'phase = "TRTA"\nday = "DAY"\nphase_order = ["R", "T"]\ncorrelation = "independent"'
    run = planned(tmp_path, frame, "phase_contrast", more, head=HEAD.replace("0.9", "0.95"))
    fit = tk.phase_contrast(
        frame,
        outcome="AVAL",
        subject="USUBJID",
        phase="TRTA",
        day="DAY",
        reference="R",
        phase_order=["R", "T"],
        correlation="independent",
    )
    same(run.table("one").frame(), fit.contrasts().frame())


def test_n_of_1(tmp_path: Path) -> None:
    frame = data(("RTRT", "TRTR", "RTTR")).assign(CYCLE=lambda d: (d["PERIOD"] + 1) // 2)
    run = planned(tmp_path, frame, "n_of_1", 'cycle = "CYCLE"\ntau2 = "paule-mandel"')
    roles = {k: v for k, v in ROLES.items() if k != "sequence"}
    fit = tk.n_of_1(frame, **roles, cycle="CYCLE", tau2="paule-mandel")
    same(run.table("one").frame(), fit.contrasts(ci_level=0.9).frame())
    same(run.table("one", "by_subject").frame(), fit.by_subject(ci_level=0.9).frame())
    same(run.table("one", "shrunken").frame(), fit.shrunken(ci_level=0.9).frame())
    same(run.table("one", "heterogeneity").frame(), fit.heterogeneity().frame())


def test_roles_that_the_design_lacks_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(tk.SpecError, match="phase, day missing"):
        planned(tmp_path, data(), "phase_contrast")
