"""The words of a reproduction."""

from __future__ import annotations

from math import nan

import pytest

from trialkit.report.verdicts import (
    by_cell,
    marked_statistic,
    note_numbers,
    published_marked,
    range_of,
    tally,
    verdict_of,
)


def record(**changes: object) -> dict[str, object]:
    return {
        "arm": "drug",
        "outcome": "pain",
        "timepoint": "wk12",
        "statistic": "p",
        "published": "0.022",
        "reproduced_printed": "0.021",
        "reproduced_low": 0.01945,
        "reproduced_high": 0.0234,
        "agrees": True,
        "basis": "summary",
        "provenance": "abstract",
        "note": "",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "agrees"),
        ({"agrees": False}, "DISAGREES"),
        ({"agrees": "uninformative"}, "uninformative"),
        ({"agrees": None, "basis": "derived"}, ""),
        ({"basis": "calibrated"}, "(agrees)"),
        ({"basis": "calibrated", "agrees": False}, "DISAGREES"),
        ({"basis": "synthetic"}, "agrees"),
    ],
)
def test_agreement_is_bracketed_where_it_is_no_evidence(
    changes: dict[str, object], words: str
) -> None:
    assert verdict_of(record(**changes)) == words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "0.0195 to 0.0234"),
        ({"reproduced_printed": "0.022"}, ""),
        ({"reproduced_printed": "0.022", "agrees": "uninformative"}, "0.0195 to 0.0234"),
        ({"reproduced_low": nan, "reproduced_high": nan}, ""),
        ({"reproduced_low": 3.0, "reproduced_high": 3.0, "published": "3/9"}, ""),
        (
            {"published": "", "reproduced_printed": "1.529", "reproduced_high": 2.0},
            "0.019 to 2.000",
        ),
    ],
)
def test_the_range_is_shown_where_the_verdict_rests_on_it(
    changes: dict[str, object], words: str
) -> None:
    assert range_of(record(**changes)) == words


COUNTS = {"agrees": 3, "disagrees": 0, "uninformative": 0, "derived": 0, "calibrated": 0}


@pytest.mark.parametrize(
    ("counts", "n_failures", "words"),
    [
        ({}, 0, "3 of 3 agree."),
        ({"disagrees": 1}, 1, "3 of 4 agree; 1 DISAGREE."),
        (
            {"calibrated": 5},
            2,
            "3 of 3 agree; 2 calibrated and MISSED; 5 calibrated (not counted).",
        ),
        ({"uninformative": 1, "derived": 2}, 0, "3 of 4 agree; 1 uninformative; 2 derived."),
        (
            {"agrees": 0, "not reproducible": 4},
            0,
            "No figure could be compared; 4 not reproducible.",
        ),
    ],
)
def test_the_tally_counts_only_what_is_evidence(
    counts: dict[str, int], n_failures: int, words: str
) -> None:
    assert tally({**COUNTS, **counts}, n_failures=n_failures) == words


def test_figures_not_read_at_their_source_are_marked() -> None:
    assert published_marked(record()) == "0.022"
    assert published_marked(record(provenance="transcription")) == "0.022*"
    assert published_marked(record(provenance="secondary")) == "0.022*"
    assert published_marked(record(provenance="secondary", published="")) == ""


def test_records_of_a_cell_stand_together_and_notes_are_numbered_once() -> None:
    records = [
        record(note="first"),
        record(arm="placebo", note="second"),
        record(statistic="sd", note="first", timepoint=""),
        record(statistic="mean"),
    ]
    assert {name: len(rows) for name, rows in by_cell(records).items()} == {
        "drug, pain, wk12": 2,
        "placebo, pain, wk12": 1,
        "drug, pain": 1,
    }
    numbers = note_numbers(records)
    assert numbers == {"first": 1, "second": 2}
    assert [marked_statistic(item, numbers) for item in records] == [
        "p [1]",
        "p [2]",
        "sd [1]",
        "mean",
    ]
