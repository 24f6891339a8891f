"""The date rules of the check: each on its own fault, quiet where a date may be right."""

from __future__ import annotations

import pandas as pd
import pytest

from trialkit.design.check import check
from trialkit.design.parallel import Parallel


def trial() -> pd.DataFrame:
    """Two subjects, one an arm, at a baseline and three visits after it."""
    return pd.DataFrame(
        [
            {
                "USUBJID": subject,
                "TRT01P": arm,
                "AVISIT": visit,
                "AVISITN": week,
                "ADY": day,
                "ADT": (pd.Timestamp(start) + pd.Timedelta(days=day - 1)).date().isoformat(),
                "RANDDT": start,
                "TRTSDT": start,
            }
            for subject, arm, start in (
                ("S1", "Placebo", "2024-01-10"),
                ("S2", "LDN", "2024-02-01"),
            )
            for visit, week, day in (
                ("Baseline", 0, 1),
                ("Week 2", 2, 15),
                ("Week 4", 4, 29),
                ("Week 12", 12, 85),
            )
        ]
    )


DESIGN = Parallel(
    subject="USUBJID", arm="TRT01P", reference="Placebo", visit="AVISIT", visit_order="AVISITN"
)


def put(frame: pd.DataFrame, row: int, **values: object) -> pd.DataFrame:
    for column, value in values.items():
        cells = frame[column].tolist()
        cells[row] = value
        frame = frame.assign(**{column: cells})
    return frame


def only(frame: pd.DataFrame, rule: str) -> list[list[object]]:
    found = check(frame, DESIGN).frame()
    assert set(found["rule"]) == {rule}, found[["rule", "message"]].values.tolist()
    return found[["subject", "visit", "column", "count"]].values.tolist()


def test_sound_dates_are_no_finding() -> None:
    assert check(trial(), DESIGN).is_sound


@pytest.mark.parametrize("text", ["2024-02-30", "2024-13-01", "15/01/2024", "unknown"])
def test_impossible_date(text: str) -> None:
    assert only(put(trial(), 1, ADT=text), "impossible-date") == [["S1", "Week 2", "ADT", 1]]


@pytest.mark.parametrize("text", ["2024-01", "2024", "", None, "--01-24", "24JAN2024"])
def test_a_partial_or_missing_date_is_legal(text: object) -> None:
    assert check(put(trial(), 1, ADT=text), DESIGN).is_sound


def test_a_date_that_a_subject_carries_is_one_finding() -> None:
    data = trial().drop(columns="TRTSDT")
    data.loc[data["USUBJID"] == "S2", "RANDDT"] = "2024-02-31"
    assert only(data, "impossible-date") == [["S2", None, "RANDDT", 4]]


@pytest.mark.parametrize("name", ["LBDTC", "ADTM", "LSTALVDT"])
def test_date_columns_are_known_by_their_names(name: str) -> None:
    data = trial().assign(**{name: "2024-01-10"})
    assert check(data, DESIGN).is_sound
    assert only(put(data, 2, **{name: "2024-02-30"}), "impossible-date")[0][2] == name


@pytest.mark.parametrize("name", ["WIDTH", "lbdtc", "DTYPE", "ADTF"])
def test_other_columns_are_left_alone(name: str) -> None:
    assert check(trial().assign(**{name: "not a date"}), DESIGN).is_sound


def test_numeric_dates_are_left_to_their_unit() -> None:
    assert check(trial().drop(columns=["RANDDT", "TRTSDT"]).assign(ADT=23000.0), DESIGN).is_sound


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("AESTDTC", "AEENDTC"),
        ("ASTDT", "AENDT"),
        ("ASTDTM", "AENDTM"),
        ("TRTSDT", "TRTEDT"),
        ("AP01SDT", "AP01EDT"),
        ("RFSTDTC", "RFENDTC"),
    ],
)
def test_end_before_start(start: str, end: str) -> None:
    dates = {start: "2024-01-10", end: "2024-03-01"}
    data = trial().query("USUBJID == 'S1'").drop(columns=["TRTSDT"]).assign(**dates)
    design = Parallel(subject="USUBJID", arm="AVISIT", reference="Baseline", visit="AVISITN")
    quiet = {"subject-in-two-arms"}
    assert set(check(data, design).frame()["rule"]) == quiet
    found = check(put(data, 1, **{end: "2024-01-09"}), design).frame().query("rule not in @quiet")
    assert found[["rule", "column", "count"]].values.tolist() == [["end-before-start", end, 1]]


def test_end_before_start_by_study_day() -> None:
    data = trial().assign(ASTDY=3, AENDY=5)
    assert check(data, DESIGN).is_sound
    assert only(put(data, 2, AENDY=2), "end-before-start") == [["S1", "Week 4", "AENDY", 1]]


def test_an_end_that_may_be_the_same_day_is_no_finding() -> None:
    data = trial().assign(AESTDTC="2024-03-15", AEENDTC="2024-03")
    assert check(data, DESIGN).is_sound
    assert check(data.assign(AEENDTC="2024-03-15"), DESIGN).is_sound
    assert len(only(data.assign(AEENDTC="2024-02"), "end-before-start")) == 2


def test_first_dose_before_randomisation() -> None:
    data = trial()
    data.loc[data["USUBJID"] == "S1", "TRTSDT"] = "2024-01-09"
    assert only(data, "end-before-start") == [["S1", None, "TRTSDT", 4]]


@pytest.mark.parametrize(
    ("first", "last"), [("RANDDT", "EOSDT"), ("TRTSDT", "EOSDT"), ("TRTSDT", "DTHDT")]
)
def test_the_end_of_a_trial_follows_its_start(first: str, last: str) -> None:
    data = trial().drop(columns=["RANDDT", "TRTSDT", "ADT"])
    data = data.assign(**{first: "2024-01-10", last: "2024-01-10"})
    assert check(data, DESIGN).is_sound
    data.loc[data["USUBJID"] == "S2", last] = "2024-01-09"
    assert only(data, "end-before-start") == [["S2", None, last, 4]]


@pytest.mark.parametrize("origin", ["RANDDT", "TRTSDT"])
def test_visit_before_start(origin: str) -> None:
    data = trial().drop(columns=[{"RANDDT": "TRTSDT", "TRTSDT": "RANDDT"}[origin], "ADY"])
    data = data.query("AVISIT in ['Week 2', 'Week 12']").reset_index(drop=True)
    assert check(data, DESIGN).is_sound
    found = only(put(data, 0, ADT="2024-01-09"), "visit-before-start")
    assert found == [["S1", "Week 2", "ADT", 1]]


@pytest.mark.parametrize("label", ["Screening", "Baseline", "Run-in", "Pre-dose", "Enrolment"])
def test_visits_before_treatment_may_be_dated_before_it(label: str) -> None:
    data = trial().drop(columns="ADY")
    data = data.replace({"AVISIT": {"Baseline": label}, "AVISITN": {0: 1}})
    assert check(put(data, 0, ADT="2024-01-02"), DESIGN).is_sound


def test_a_flagged_baseline_may_be_dated_before_treatment() -> None:
    data = trial().drop(columns="ADY").replace({"AVISIT": {"Baseline": "Day 1"}, "AVISITN": {0: 1}})
    data = data.assign(ABLFL=["Y", None, None, None] * 2)
    assert check(put(data, 0, ADT="2024-01-02"), DESIGN).is_sound


def test_visits_out_of_order_by_study_day() -> None:
    assert only(put(trial(), 2, ADY=14), "visits-out-of-order") == [["S1", "Week 4", "ADY", 1]]


def test_visits_out_of_order_by_date() -> None:
    data = trial().drop(columns="ADY")
    found = only(put(data, 2, ADT="2024-01-20"), "visits-out-of-order")
    assert found == [["S1", "Week 4", "ADT", 1]]


def test_two_visits_on_one_day_and_unknown_days_are_in_order() -> None:
    assert check(put(trial(), 2, ADY=15), DESIGN).is_sound
    assert check(put(trial(), 2, ADY=None), DESIGN).is_sound
    partial = put(trial().drop(columns="ADY"), 2, ADT="2024-01")
    assert check(partial, DESIGN).is_sound


def test_a_visit_without_a_day_does_not_hide_what_comes_after_it() -> None:
    data = put(put(trial(), 2, ADY=None), 3, ADY=14)
    assert only(data, "visits-out-of-order") == [["S1", "Week 12", "ADY", 1]]


def test_rows_without_a_subject_are_no_series() -> None:
    data = put(put(trial(), 1, USUBJID=None), 6, USUBJID=None, ADY=3)
    assert only(data, "missing-subject") == [[None, None, "USUBJID", 2]]


def test_subjects_do_not_run_into_each_other() -> None:
    mixed = trial().sample(frac=1, random_state=1)
    assert check(mixed, DESIGN).is_sound


@pytest.mark.parametrize("name", ["ADY", "ASTDY", "VISITDY", "QSDY", "AESTDY"])
def test_study_day_zero(name: str) -> None:
    data = trial() if name == "ADY" else trial().assign(**{name: 3})
    report = check(put(data, 0, **{name: 0}), DESIGN)
    found = report.frame()
    assert found[["rule", "column", "severity"]].values.tolist() == [
        ["study-day-zero", name, "warning"]
    ]
    assert not report.has_errors


@pytest.mark.parametrize("name", ["STUDY", "BODY", "READY"])
def test_a_zero_elsewhere_is_no_study_day(name: str) -> None:
    assert check(trial().assign(**{name: 0}), DESIGN).is_sound
