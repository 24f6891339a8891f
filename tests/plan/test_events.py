"""A plan's strategies are carried out on its table of events, said, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from plan.event_plans import EVENTS, POLICY, ROLES, STOPS, after_stop, entry, run, stops, write
from plan.tiny import HEAD, tiny_data

import trialkit as tk
from trialkit.plan import load_plan, results_json, run_plan
from trialkit.report.plan_page import plan_page


def test_treatment_policy_keeps_every_outcome_and_counts_them(tmp_path: Path) -> None:
    found = run(tmp_path, entry('stopped = "treatment-policy"'))
    week12 = tiny_data().query("AVISIT == 'Week 12'")
    direct = tk.ttest(week12, outcome="CHG", **ROLES)
    assert_frame_equal(found.table("primary").frame(), direct.frame())
    assert found.analyses[0].events == (
        "stopped (treatment-policy): 5 of 40 subjects. Outcomes from the event on: 4 observed are "
        "kept, 0 missing.",
    )
    counts = found.table("primary", "intercurrent").frame()
    assert counts[["arm", "N", "n_subjects", "n_observed"]].to_numpy().tolist() == [
        ["Placebo", 20, 3, 2],
        ["LDN 6 mg", 20, 2, 2],
    ]
    assert set(counts["handling"]) == {"kept as observed"}


def test_hypothetical_sets_aside_what_followed(tmp_path: Path) -> None:
    body = 'method = "mmrm"\nformula = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"'
    found = run(tmp_path, entry('stopped = "hypothetical"', body, where=""))
    data = tiny_data()
    data.loc[after_stop(data), "CHG"] = np.nan
    fit = tk.mmrm(
        "CHG ~ BASE*AVISIT + TRT01P*AVISIT",
        data,
        visit="AVISIT",
        visit_order=["Week 4", "Week 12"],
        **ROLES,
    )
    assert_frame_equal(found.table("primary").frame(), fit.contrasts().frame())
    assert "5 observed are set aside as missing, 0 missing already" in found.analyses[0].events[0]


def test_composite_makes_failures_of_those_seen_and_unseen(tmp_path: Path) -> None:
    data = tiny_data()
    data = data[~((data["USUBJID"] == "S-11") & (data["AVISIT"] == "Week 12"))]
    body = 'method = "responders"\noutcome = "CRIT2FL"'
    found = run(tmp_path, entry('stopped = "composite"', body), data=data)
    week12 = tiny_data().query("AVISIT == 'Week 12'")
    week12 = week12.assign(CRIT2FL=week12["CRIT2FL"].mask(after_stop(week12), "N"))
    direct = tk.responders(week12, outcome="CRIT2FL", **ROLES)
    assert_frame_equal(found.table("primary").frame(), direct.frame())
    said = " ".join(found.analyses[0].events)
    assert "3 observed and 1 missing, all set to N" in said
    assert "1 rows are made" in said
    body = 'method = "ttest"\ncomposite = 4.0'
    found = run(tmp_path, entry('stopped = "composite"', body), data=data)
    week12 = week12.assign(CHG=week12["CHG"].mask(after_stop(week12), 4.0))
    assert_frame_equal(
        found.table("primary").frame(), tk.ttest(week12, outcome="CHG", **ROLES).frame()
    )


def test_while_on_treatment_takes_the_last_before_even_where_that_visit_is_filtered(
    tmp_path: Path,
) -> None:
    body = 'method = "ttest"\nwhile_on_treatment = "last"'
    found = run(tmp_path, entry('stopped = "while-on-treatment"', body))
    data = tiny_data()
    early = data.query("AVISIT == 'Week 4'").set_index("USUBJID")["CHG"].astype(float)
    week12 = data.query("AVISIT == 'Week 12'")
    week12 = week12.assign(CHG=week12["CHG"].mask(after_stop(week12), week12["USUBJID"].map(early)))
    # The first of them stopped before any visit: nothing was seen on treatment.
    week12.loc[week12["USUBJID"] == "S-03", "CHG"] = np.nan
    direct = tk.ttest(week12, outcome="CHG", **ROLES)
    assert_frame_equal(found.table("primary").frame(), direct.frame())
    # A filter on another name of the visit is a filter on the visit.
    numbered = data.assign(WEEK=data["AVISIT"].map({"Week 4": 4, "Week 12": 12}))
    text = entry('stopped = "while-on-treatment"', body, where="{ WEEK = 12 }")
    assert run(tmp_path, text, data=numbered).table("primary") == found.table("primary")


def test_a_principal_stratum_is_what_where_keeps(tmp_path: Path) -> None:
    data = tiny_data()
    data["STAYFL"] = np.where(data["USUBJID"].isin(list(STOPS)), "N", "Y")
    for kept, words in (("Y", "none of 35 has it"), ("N", "all 5 subjects have it")):
        where = f'{{ AVISIT = "Week 12", STAYFL = "{kept}" }}'
        found = run(tmp_path, entry('stopped = "principal-stratum"', where=where), data=data)
        assert words in found.analyses[0].events[0]
    with pytest.raises(tk.SpecError, match="keeps 5 of 40 subjects with the event, first 'S-03'"):
        run(tmp_path, entry('stopped = "principal-stratum"'), data=data)
    mixed = 'method = "mmrm"\nformula = "CHG ~ TRT01P*AVISIT"'
    with pytest.raises(tk.SpecError, match="give where= with the column"):
        run(tmp_path, entry('stopped = "principal-stratum"', mixed, where=""), data=data)


def test_imputation_begins_at_the_events(tmp_path: Path) -> None:
    formula = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"
    body = f'method = "reference_based"\nformula = "{formula}"\nstrategy = ["mar", "j2r"]'
    data = tiny_data().astype({"CHG": float})
    data["CHG"] += np.random.default_rng(1).normal(size=len(data)).round(3)
    data.loc[(data["USUBJID"] == "S-30") & (data["AVISIT"] == "Week 12"), "CHG"] = np.nan
    aside = data.assign(CHG=data["CHG"].mask(after_stop(data)))
    events = pd.DataFrame(
        {
            "USUBJID": ["S-03", "S-06", "S-11", "S-20"],
            "AVISIT": ["Week 4", "Week 12", "Week 12", "Week 12"],
        }
    )
    options = {"visit": "AVISIT", "visit_order": ["Week 4", "Week 12"], **ROLES}

    def direct(frame: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
        return tk.reference_based(
            formula, frame, strategy=["mar", "j2r"], events=own, **options
        ).frame()

    def planned(how: str, further: str = "", **changed: object) -> pd.DataFrame:
        text = entry(f'stopped = "{how}"', body + further, where="")
        return run(tmp_path, text, data=data, **changed).table("primary").frame()

    assert_frame_equal(planned("hypothetical"), direct(aside, events))
    # What was seen after the event stays; S-30, who has none, is imputed under MAR.
    assert_frame_equal(planned("treatment-policy"), direct(data, events))
    one = body.replace('["mar", "j2r"]', '"mar"') + '\nevents = { stopped = "cr" }'
    text = entry('stopped = "hypothetical"', one, where="")
    own = tk.reference_based(
        formula, aside, strategy="mar", events=events.assign(strategy="cr"), **options
    )
    assert_frame_equal(run(tmp_path, text, data=data).table("primary").frame(), own.frame())
    # A data set of its own, as the function takes it.
    given = events.iloc[:2].assign(strategy=["cr", None], ICE="stopped", ASTDY=[10, 40])
    named = planned("hypothetical", '\nevents = "adice"', table=given)
    only = data["USUBJID"].isin(["S-03", "S-06"])
    assert_frame_equal(
        named,
        direct(data.assign(CHG=data["CHG"].mask(after_stop(data) & only)), given.iloc[:, :3]),
    )


def test_without_a_table_strategies_are_only_declared(tmp_path: Path) -> None:
    text = entry('stopped = "hypothetical", moved = "treatment-policy"')
    found = run(tmp_path, text, events="")
    assert found.analyses[0].events == (
        "Declared only, not applied: stopped (hypothetical). The plan names no table of [events]; "
        "outcomes are as in the data.",
    )
    document = json.loads(results_json(found))
    assert document["analyses"][0]["events"] == list(found.analyses[0].events)
    assert list(found.analyses[0].tables) == ["estimates"]
    assert run(tmp_path, entry('moved = "treatment-policy"'), events="").analyses[0].events == ()


def test_events_may_name_the_visit_and_need_no_design_order(tmp_path: Path) -> None:
    events = '\n[events]\ndata = "adice"\nevent = "ICE"\nvisit = "AT"\n'
    table = stops(AT=["Week 4", "Week 12", "Week 12", "Week 12", None])
    by_visit = run(tmp_path, entry('stopped = "hypothetical"'), events=events, table=table).table(
        "primary"
    )
    by_day = run(tmp_path, entry('stopped = "hypothetical"')).table("primary")
    assert by_visit == by_day


def test_data_without_visits_keep_every_value_or_are_refused(tmp_path: Path) -> None:
    adsl = tiny_data().query("AVISIT == 'Week 12'").drop(columns="AVISIT")
    head = HEAD.replace('visit = "AVISIT"\nvisit_order = ["Week 4", "Week 12"]\n', "")
    path = write(tmp_path, entry('stopped = "treatment-policy"', where=""), data=adsl)
    path.write_text(
        path.read_text().replace('visit = "AVISIT"\nvisit_order = ["Week 4", "Week 12"]\n', "")
    )
    assert head != HEAD
    said = run_plan(load_plan(path)).analyses[0].events
    assert said == ("stopped (treatment-policy): 5 of 40 subjects; every value is kept.",)
    path.write_text(path.read_text().replace("treatment-policy", "hypothetical"))
    with pytest.raises(tk.SpecError, match="has not a visit by which to tell what follows"):
        run_plan(load_plan(path))


def test_labels_name_events_that_nobody_had(tmp_path: Path) -> None:
    events = EVENTS + 'labels = ["stopped", "rescue"]\n'
    found = run(tmp_path, entry(f'{POLICY}, rescue = "hypothetical"'), events=events)
    assert "rescue (hypothetical): 0 of 40 subjects" in " ".join(found.analyses[0].events)


def test_the_table_itself_is_a_method(tmp_path: Path) -> None:
    found = run(tmp_path, entry(POLICY, 'method = "intercurrent_events"', where=""))
    counts = found.table("primary").frame()
    assert dict(zip(counts["visit"], counts["n_subjects"], strict=True)) == {
        "Week 4": 1,
        "Week 12": 3,
        "after the last": 1,
    }
    listing = found.table("primary", "listing").frame()
    direct = tk.intercurrent_events(
        stops(),
        subject="USUBJID",
        event="ICE",
        day="ASTDY",
        visits={"Week 4": 29, "Week 12": 85},
        strategies={"stopped": "treatment-policy"},
    )
    assert_frame_equal(listing.drop(columns="method"), direct.frame())
    with pytest.raises(
        tk.SpecError, match=r"event missing; give it in the analysis or in \[events\]"
    ):
        run(
            tmp_path,
            entry(POLICY, 'method = "intercurrent_events"\nday = "BASE"\ndata = "adqs"', where=""),
            events="",
        )


def test_in_a_crossover_events_act_by_period(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    n = 12
    first = np.tile(["Drug", "Placebo"], n // 2)
    data = pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S-{k:02d}" for k in range(n)], 2),
            "SEQ": np.repeat(np.where(first == "Drug", "DP", "PD"), 2),
            "APERIOD": np.tile([1, 2], n),
            "TRTA": np.column_stack([first, np.where(first == "Drug", "Placebo", "Drug")]).ravel(),
            "AVAL": (rng.normal(size=2 * n) + 3 * rng.normal(size=n).repeat(2)).round(3),
        }
    )
    stopped = pd.DataFrame({"USUBJID": ["S-02", "S-05"], "ICE": "stopped", "AT": [2, 2]})
    design = (
        '[plan]\ntitle = "Crossover"\n[data]\nadqs = "adqs.csv"\nadice = "adice.csv"\n[design]\n'
        'type = "crossover"\ndata = "adqs"\nsubject = "USUBJID"\nsequence = "SEQ"\n'
        'period = "APERIOD"\ntreatment = "TRTA"\nreference = "Placebo"\noutcome = "AVAL"\n'
        '[events]\ndata = "adice"\nevent = "ICE"\nvisit = "AT"\n'
    )
    data.to_csv(tmp_path / "adqs.csv", index=False)
    stopped.to_csv(tmp_path / "adice.csv", index=False)
    path = tmp_path / "plan.toml"
    text = design + entry('stopped = "hypothetical"', 'method = "crossover"', where="")
    path.write_text(text, encoding="utf-8")
    found = run_plan(load_plan(path))
    after = data["USUBJID"].isin(["S-02", "S-05"]) & (data["APERIOD"] == 2)
    fit = tk.crossover(
        data.assign(AVAL=data["AVAL"].mask(after)),
        outcome="AVAL",
        subject="USUBJID",
        sequence="SEQ",
        period="APERIOD",
        treatment="TRTA",
        reference="Placebo",
    )
    assert_frame_equal(found.table("primary").frame(), fit.contrasts().frame())
    (row,) = found.table("primary", "intercurrent").frame().to_dict("records")
    assert (row["N"], row["n_subjects"], row["n_observed"]) == (n, 2, 2)
    # What was seen before period two was seen under the other treatment.
    ended = 'stopped = "while-on-treatment"', 'method = "crossover"\nwhile_on_treatment = "last"'
    path.write_text(design + entry(*ended, where=""), encoding="utf-8")
    with pytest.raises(tk.SpecError, match="the last outcome before one was under another treat"):
        run_plan(load_plan(path))


def test_the_page_says_what_was_done(tmp_path: Path) -> None:
    found = run(tmp_path, entry(POLICY))
    page = plan_page(found, {})
    assert "Outcomes from the event on: 4 observed are kept, 0 missing." in page
    assert "Intercurrent events: CHG" in page
    declared = plan_page(run(tmp_path, entry('stopped = "hypothetical"'), events=""), {})
    assert "Declared only, not applied: stopped (hypothetical)." in declared


def test_imputation_has_one_account_of_when_events_were(tmp_path: Path) -> None:
    body = 'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\n'
    body += 'events = [{ USUBJID = "S-01", AVISIT = "Week 12" }]'
    with pytest.raises(tk.SpecError, match="imputed as if no event had been"):
        run(tmp_path / "both", entry('stopped = "hypothetical"', body, where=""))
    found = run(tmp_path / "own", entry(POLICY, body, where=""))
    assert "1 of 40 subjects have an event." in found.table("primary").notes


def test_those_with_an_event_may_be_in_another_data_set_alone(tmp_path: Path) -> None:
    rated = tiny_data()[~tiny_data()["USUBJID"].isin(STOPS)]
    path = write(tmp_path, entry(POLICY), data=rated)
    tiny_data()[["USUBJID"]].drop_duplicates().to_csv(tmp_path / "adsl.csv", index=False)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[data]", '[data]\nadsl = "adsl.csv"'), encoding="utf-8")
    said = run_plan(load_plan(path)).analyses[0].events
    assert said[-1] == "5 subjects with an event have no row in these data."


def test_an_event_before_any_outcome_leaves_nothing_to_take(tmp_path: Path) -> None:
    body = 'method = "ttest"\nwhile_on_treatment = "last"'
    found = run(tmp_path, entry('stopped = "while-on-treatment"', body))
    assert found.analyses[0].events[1:] == (
        "1 outcomes have none observed before their event and stay missing.",
    )
    assert found.table("primary").single().n == 39


def test_rows_made_without_a_covariate_are_counted(tmp_path: Path) -> None:
    data = tiny_data()
    data = data[~((data["USUBJID"] == "S-11") & (data["AVISIT"] == "Week 12"))]
    data.loc[data["USUBJID"] == "S-11", "BASE"] = np.nan
    body = 'method = "ancova"\nformula = "CHG ~ TRT01P + BASE"\ncomposite = 0.0'
    found = run(tmp_path, entry('stopped = "composite"', body), data=data)
    assert found.analyses[0].events[1:] == (
        "1 rows are made for outcomes that an event decides and nobody saw.",
        "1 of the rows made have no BASE, which the formula needs.",
    )
