"""What an analysis leaves out comes from the plan, and visits stand in the design's order."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan.tiny import ESTIMAND, HEAD, PRIMARY, tiny_data, write_plan

import trialkit as tk
from trialkit.plan import load_plan, run_plan
from trialkit.plan.compile import resolve

BY_VISIT = '\n[[analysis]]\nname = "by visit"\nmethod = "summarize"\nby = "AVISIT"\n' + ESTIMAND


def test_defaults_come_from_the_design_and_the_plan(tmp_path: Path) -> None:
    plan = load_plan(
        write_plan(tmp_path, HEAD.replace("seed = 7", "ci_level = 0.9") + PRIMARY + ESTIMAND)
    )
    arguments = resolve(plan, plan.analyses[0]).arguments()
    assert arguments == {
        "arm": "TRT01P",
        "reference": "Placebo",
        "ci_level": 0.9,
        "outcome": "CHG",
        "subject": "USUBJID",
        "alternative": "two-sided",
        "null": 0.0,
        "equal_var": False,
    }


def test_what_the_analysis_says_wins(tmp_path: Path) -> None:
    own = 'outcome = "BASE"\nreference = "LDN 6 mg"\nci_level = 0.5\n'
    plan = load_plan(write_plan(tmp_path, HEAD + PRIMARY + own + ESTIMAND))
    arguments = resolve(plan, plan.analyses[0]).arguments()
    assert (arguments["outcome"], arguments["reference"], arguments["ci_level"]) == (
        *("BASE", "LDN 6 mg"),
        0.5,
    )
    assert arguments["arm"] == "TRT01P"


def test_without_a_design_everything_is_given_in_the_analysis(tmp_path: Path) -> None:
    head = HEAD.partition("[design]")[0]
    given = 'arm = "TRT01P"\nreference = "Placebo"\noutcome = "CHG"\n'
    run = run_plan(load_plan(write_plan(tmp_path, head + PRIMARY + given + ESTIMAND)))
    assert run.table("primary").frame()["n"].item() == 40
    plan = load_plan(write_plan(tmp_path, head + PRIMARY + ESTIMAND))
    with pytest.raises(tk.SpecError, match="'primary': arm, reference, outcome missing; give"):
        run_plan(plan)


def test_strata_come_from_the_design_where_it_has_any(tmp_path: Path) -> None:
    text = PRIMARY.replace('"ttest"', '"van_elteren"') + ESTIMAND
    with pytest.raises(tk.SpecError, match="'primary': strata missing"):
        run_plan(load_plan(write_plan(tmp_path, HEAD + text)))
    head = HEAD + 'strata = ["SEX", "SITE"]\n'
    run = run_plan(load_plan(write_plan(tmp_path, head + text)))
    assert run.analyses[0].arguments["strata"] == ("SEX", "SITE")


def test_normality_is_of_the_whole_column_unless_arms_are_asked_for(tmp_path: Path) -> None:
    text = PRIMARY.replace('"ttest"', '"shapiro_wilk"\noutcome = "BASE"') + ESTIMAND
    run = run_plan(load_plan(write_plan(tmp_path, HEAD + text)))
    assert run.analyses[0].arguments["arm"] is None
    assert len(run.table("primary").frame()) == 1


def test_visits_stand_in_the_designs_order_and_not_the_alphabets(tmp_path: Path) -> None:
    run = run_plan(load_plan(write_plan(tmp_path, HEAD + BY_VISIT)))
    visits = run.table("by visit").keys["AVISIT"]
    assert tuple(dict.fromkeys(visits)) == ("Week 4", "Week 12")
    reverse = HEAD.replace('["Week 4", "Week 12"]', '["Week 12", "Week 4"]')
    run = run_plan(load_plan(write_plan(tmp_path, reverse + BY_VISIT)))
    assert tuple(dict.fromkeys(run.table("by visit").keys["AVISIT"])) == ("Week 12", "Week 4")


def test_a_numeric_column_may_order_the_visits(tmp_path: Path) -> None:
    path = write_plan(tmp_path, HEAD.replace('["Week 4", "Week 12"]', '"AVISITN"') + BY_VISIT)
    week = tiny_data()["AVISIT"].str.removeprefix("Week ").astype(int)
    tiny_data().assign(AVISITN=week).to_csv(tmp_path / "adqs.csv", index=False)
    visits = run_plan(load_plan(path)).table("by visit").keys["AVISIT"]
    assert tuple(dict.fromkeys(visits)) == ("Week 4", "Week 12")


def test_a_visit_that_the_order_does_not_place_is_refused(tmp_path: Path) -> None:
    head = HEAD.replace('["Week 4", "Week 12"]', '["Week 4", "Week 8"]')
    with pytest.raises(tk.DataError, match=r"Analysis 'by visit': .*Week 12"):
        run_plan(load_plan(write_plan(tmp_path, head + BY_VISIT)))
