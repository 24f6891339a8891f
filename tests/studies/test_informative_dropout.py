"""The made-up trial with informative dropout does what its README says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import trialkit as tk
from trialkit.kernels.grid_moments import raw_stream
from trialkit.plan import run_plan
from trialkit.report.plan_page import plan_figures
from trialkit.studies.synthetic import informative_dropout as made

WEEKS = ["Week 2", "Week 4", "Week 8", "Week 12"]
ARMS = {"arm": "TRT01P", "reference": made.PLACEBO}


@pytest.fixture(scope="module")
def study() -> object:
    return tk.studies.load("informative_dropout")


def test_it_has_data_and_a_plan_and_no_figures(study: object) -> None:
    assert set(study.data) == {"adsl", "adqs", "adice"}
    assert study.figures.empty
    assert "informative_dropout" not in tk.studies.names()
    assert "-1.0" in study.readme


def test_nobody_is_seen_after_leaving(study: object) -> None:
    adsl = study.data["adsl"].set_index("USUBJID")
    last = study.data["adqs"].groupby("USUBJID", observed=True)["ADY"].max()
    assert (last <= adsl["TRTDURD"].loc[last.index]).all()
    completed = adsl["EOSSTT"] == "COMPLETED"
    assert (last[completed[completed].index] == made.LAST_DAY).all()
    assert (adsl.loc[completed, "TRTDURD"] == made.LAST_DAY).all()
    assert (adsl.loc[~completed, "TRTDURD"] < made.LAST_DAY).all()
    assert adsl.loc[~completed, "DCSREAS"].notna().all()


def test_the_truth_is_the_difference_had_nobody_left() -> None:
    stream = raw_stream(1, part="truth")
    changes = {
        arm: np.array([(p := made._pain(arm, stream))[-1] - p[0] for _ in range(4000)]) / 10
        for arm in (made.PLACEBO, made.DRUG)
    }
    difference = changes[made.DRUG].mean() - changes[made.PLACEBO].mean()
    # Scores cut at 0 and 10 take a little off; the Monte Carlo error is 0.04.
    assert abs(difference - made.TRUE_DIFFERENCE) < 0.16


def test_analyses_that_take_the_unseen_differently_disagree() -> None:
    """Over trials, completers understate what the mixed model recovers."""
    completers, mixed = [], []
    for seed in range(6):
        scores = made.make(seed=seed)["adqs"]
        later = scores[scores["AVISIT"] != "Baseline"]
        seen = later[later["AVISIT"] == "Week 12"]
        fit = tk.ancova("CHG ~ TRT01P + BASE", seen, **ARMS)
        completers.append(fit.contrasts().single().estimate)
        fit = tk.mmrm(
            "CHG ~ BASE*AVISIT + TRT01P*AVISIT",
            later,
            subject="USUBJID",
            visit="AVISIT",
            visit_order=WEEKS,
            **ARMS,
        )
        mixed.append(fit.contrasts().where(visit="Week 12").single().estimate)
    assert np.mean(completers) > np.mean(mixed) + 0.1
    assert abs(np.mean(mixed) - made.TRUE_DIFFERENCE) < 0.35


def test_its_plan_runs_and_finds_what_was_built_in(study: object) -> None:
    run = run_plan(study.plan)
    assert not run.failed
    drawn = {
        number
        for number, one in enumerate(run.analyses, start=1)
        if "tests" not in list(one.tables)[:1]
    }
    assert {int(name.split("-")[1]) for name in plan_figures(run)} == drawn
    events = run.table("adverse events").single()
    assert events.estimate > 0
    assert events.ci_low > 0
    odds = run.table("what goes with leaving").where(term="last_AVAL").single()
    assert odds.ci_low > 1
    assert run.table("Little").where(arm="all").tests[0].p_value < 0.01
    pain = run.table("pain at week 12").where(visit="Week 12").single()
    assert pain.ci_low < made.TRUE_DIFFERENCE < pain.ci_high
    gray = run.table("Gray").where(cause="LACK OF EFFICACY").tests[0]
    assert gray.p_value < 0.01
    # A subject without an outcome at week 12 has left, and the table of events says so.
    carried = run.table("last value carried forward (sensitivity only)").where(visit="Week 12")
    assert run.table("last value in the trial").single().estimate == pytest.approx(
        carried.single().estimate, rel=1e-12
    )
    jumps = run.table("jump to reference").where(visit="Week 12")
    answers = [
        run.table("completers").single().estimate,
        carried.single().estimate,
        pain.estimate,
        jumps.where(strategy="j2r").single().estimate,
        run.table("leaving counts as no change").single().estimate,
    ]
    assert np.ptp(answers) > 0.2
    assert jumps.where(strategy="mar").single().estimate == pytest.approx(pain.estimate, abs=1e-6)
    tipped = run.table("tipping point").frame()
    assert 0 < tipped["is_concluded"].mean() < 1


def test_patterns_are_monotone(study: object) -> None:
    adqs: pd.DataFrame = study.data["adqs"]
    found = tk.missing_patterns(
        adqs, outcome="AVAL", subject="USUBJID", visit="AVISIT", visit_order="AVISITN", **ARMS
    )
    assert found.notes[1] == "Missingness is monotone."
    assert found.frame()["n"].sum() == 240


def test_the_flow_cross_foots(study: object) -> None:
    adsl = study.data["adsl"]
    flow = tk.consort(
        adsl,
        subject="USUBJID",
        status="EOSSTT",
        reason="DCSREAS",
        sets={"ITT": "ITTFL", "Completers": "COMPLFL"},
        **ARMS,
    )
    for arm in flow.arms:
        assert flow.count("Completed", arm=arm) == flow.count("Analysed (Completers)", arm=arm)


def test_plans_of_the_published_trials_count_who_stopped() -> None:
    irwin = run_plan(tk.studies.load("irwin2024").plan).table("treatment stopped").frame()
    n = irwin.set_index("reason")["n"]
    assert n["ANY"] == 27
    assert (n["LACK OF EFFICACY"], n["LOSS OF EFFICACY"], n["ADVERSE EVENT"]) == (16, 7, 3)
    final = run_plan(tk.studies.load("final2024").plan)
    row = final.table("stopped for adverse events").frame().iloc[0]
    assert (row["x"], row["n_arm"], row["x_ref"], row["n_ref"]) == (4, 49, 3, 50)
    assert len(final.table("treatment stopped", "differences")) == 3
    stopped = final.table("mixed model", "intercurrent").frame()
    assert stopped["n_subjects"].tolist() == [4, 5]
    assert (stopped["n_missing"] == 0).all()
    aside = final.table("sensitivity, jump to reference after a stop").where(visit="Week 12")
    assert aside.where(strategy="j2r").single().estimate != pytest.approx(
        final.table("mixed model").where(visit="Week 12").single().estimate, abs=1e-3
    )
    innova = run_plan(tk.studies.load("innova2026").plan)
    assert innova.table("left the trial").where(reason="ANY").frame()["n"].tolist() == [1, 1]
    assert innova.analysis("mixed model").events[-1] == (
        "2 subjects with an event have no row in these data."
    )
    both = innova.table("sensitivity, imputation").frame().groupby("visit", observed=True)
    assert (both["estimate"].agg(np.ptp) < 1e-9).all()
