"""Tables of events and strategies that cannot be carried out are refused and found by check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from plan.event_plans import EVENTS, POLICY, entry, run, stops, write
from plan.tiny import tiny_data

import trialkit as tk
from trialkit.plan import check_plan, load_plan, run_plan
from trialkit.plan.events import Events, event_labels


@pytest.mark.parametrize(
    ("analysis", "changed", "message"),
    [
        (entry('moved = "treatment-policy"'), {}, "has the event 'stopped', for which"),
        (
            entry(f'{POLICY}, moved = "hypothetical"'),
            {},
            "names 'moved', which is not among the events of .events.: 'stopped'",
        ),
        (entry(""), {}, "is empty, .* 4 of the outcomes analysed follow 'stopped'"),
        (entry('stopped = "composite"'), {}, "'composite' needs composite =, the outcome"),
        (
            entry('stopped = "while-on-treatment"'),
            {},
            'needs a summary of the outcomes .* while_on_treatment = "last"',
        ),
        (
            entry(POLICY, 'method = "ttest"\ncomposite = 3'),
            {},
            "composite = 3: no event is met by 'composite'",
        ),
        (
            entry(POLICY, 'method = "ttest"\nwhile_on_treatment = "last"'),
            {"events": ""},
            "the plan has no .events., and no event is met by 'while-on-treatment'",
        ),
        (
            entry(
                'stopped = "hypothetical"',
                'method = "responders"\noutcome = "CRIT2FL"\nmissing = "non-responder"',
            ),
            {},
            "would count them as failures: that is 'composite'",
        ),
        (
            entry('stopped = "composite"', 'method = "ttest"\ncomposite = "N"'),
            {},
            "composite='N': column 'CHG' holds numbers",
        ),
        (
            entry(POLICY),
            {"table": stops(ASTDY=np.nan)},
            "has the event 'stopped' without a day in 'ASTDY'",
        ),
        (
            entry(
                POLICY,
                'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\n'
                'events = { moved = "j2r" }',
                where="",
            ),
            {},
            "events names 'moved'; imputed are outcomes after",
        ),
        (
            entry(
                POLICY,
                'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\n'
                'events = { stopped = "j2r" }',
                where="",
            ),
            {"events": ""},
            "strategies by event: that needs the table of .events.",
        ),
        (
            entry('stopped = "composite"', 'method = "responders"\noutcome = "BAD"'),
            {"data": tiny_data().assign(BAD=["Y", "N", "X", "N"] * 20)},
            "which value of 'BAD' is no response",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_refused_and_found_by_check(
    tmp_path: Path, analysis: str, changed: dict[str, object], message: str
) -> None:
    path = write(tmp_path, analysis, **changed)
    with pytest.raises(tk.TrialkitError, match=rf"Analysis 'primary': .*{message}"):
        run_plan(load_plan(path))
    findings = check_plan(path)
    assert any("primary" in finding.place for finding in findings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('day = "ASTDY"\n', "", r"\[events\]: say when an event was by day or by visit"),
        ('visits = { "Week 4" = 29, "Week 12" = 85 }', "", "day needs visits, the planned day"),
        ('day = "ASTDY"', 'visit = "ASTDY"', "visit needs no planned days"),
        ('data = "adice"', 'data = "adxx"', r"\[events\]: data = 'adxx' is not in \[data\]"),
        ('event = "ICE"', 'evnt = "ICE"', r"\[events\]: unknown key 'evnt' \(did you mean 'event'"),
    ],
)
def test_a_table_of_events_is_checked_when_the_plan_is_loaded(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in EVENTS
    path = write(tmp_path, entry(POLICY), events=EVENTS.replace(old, new))
    with pytest.raises(tk.SpecError, match=message):
        load_plan(path)


@pytest.mark.parametrize(
    ("events", "table", "message"),
    [
        (EVENTS.replace('"ICE"', '"ICF"'), stops(), r"event: no column 'ICF' in the data \(near"),
        (EVENTS + 'labels = ["moved"]\n', stops(), "the event 'stopped', which is not among 'mov"),
    ],
)
def test_a_wrong_table_of_events_is_said_once(
    tmp_path: Path, events: str, table: pd.DataFrame, message: str
) -> None:
    path = write(tmp_path, entry(POLICY) + entry(POLICY, name="b"), events=events, table=table)
    (finding,) = check_plan(path)
    assert finding.place == "[events]"
    with pytest.raises(tk.SpecError, match=message):
        run_plan(load_plan(path))


def test_a_missing_file_of_events_is_all_that_check_says(tmp_path: Path) -> None:
    body = 'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\nevents = "adice"'
    text = (
        entry('stopped = "composite"', 'method = "ttest"\ncomposite = 3.0')
        + entry(POLICY, body, where="", name="imputed")
        + entry(POLICY, 'method = "intercurrent_events"', where="", name="events")
    )
    path = write(tmp_path, text)
    (tmp_path / "adice.csv").unlink()
    (finding,) = check_plan(path)
    assert finding.place == "[data] adice"


def test_a_wrong_choice_among_several_forms_is_named_by_its_key(tmp_path: Path) -> None:
    body = 'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\nstrategy = ["mar", "x"]'
    with pytest.raises(tk.SpecError, match=r"'primary', strategy.1: .*'lmcf'; given: 'x'") as found:
        load_plan(write(tmp_path, entry(POLICY, body, where="")))
    assert "[literal" not in str(found.value)


def test_events_are_named_by_text() -> None:
    events = Events(data="adice", event="ICE", visit="AT")
    with pytest.raises(tk.SpecError, match="'ICE' holds 3; events are named by text"):
        event_labels(events, pd.DataFrame({"ICE": [3], "AT": ["Week 4"]}))


def test_a_data_set_of_events_must_be_there(tmp_path: Path) -> None:
    body = 'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\nevents = "adxx"'
    path = write(tmp_path, entry(POLICY, body, where=""))
    with pytest.raises(tk.SpecError, match=r"events: data = 'adxx' is not in \[data\]"):
        load_plan(path)


@pytest.mark.parametrize("intercurrent", ['stopped = "hypothetical"', POLICY, ""])
def test_identifiers_of_events_that_the_data_do_not_have_are_refused(
    tmp_path: Path, intercurrent: str
) -> None:
    # Nobody would have the event, and the estimate would be that of another estimand.
    path = write(tmp_path, entry(intercurrent), table=stops(USUBJID=[3, 6, 11, 20, 24]))
    with pytest.raises(tk.DataError, match=r"None of the 5 subjects of .events., first 11, is in"):
        run_plan(load_plan(path))
    assert any("identifiers" in finding.message for finding in check_plan(path))


def test_a_hypothetical_event_without_an_imputation_strategy_is_refused(tmp_path: Path) -> None:
    body = 'method = "reference_based"\nformula = "CHG ~ TRT01P*AVISIT"\n'
    body += 'events = { moved = "j2r" }'
    table = stops(ICE=["stopped", "moved", "stopped", "stopped", "moved"])
    both = 'stopped = "hypothetical", moved = "hypothetical"'
    with pytest.raises(tk.SpecError, match="no imputation strategy for 'stopped', which is met by"):
        run(tmp_path, entry(both, body, where=""), table=table)
