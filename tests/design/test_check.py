"""Every rule fires on the fault that is its own, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from trialkit.data.findings import CheckReport
from trialkit.design.check import check
from trialkit.design.crossover import Crossover
from trialkit.design.parallel import Parallel
from trialkit.errors import DataError, SpecError

PARALLEL = Parallel(
    subject="USUBJID",
    arm="TRT01P",
    reference="Placebo",
    outcome="AVAL",
    visit="AVISIT",
    visit_order="AVISITN",
    baseline="BASE",
    strata=("SITE", "SEX"),
)
CROSSOVER = Crossover(
    subject="USUBJID",
    sequence="SEQ",
    period="PERIOD",
    treatment="TRTA",
    reference="Placebo",
    outcome="AVAL",
)
COLUMNS = ["rule", "subject", "visit", "column", "count", "message", "severity"]


def parallel_data() -> pd.DataFrame:
    """Eight subjects at Baseline, Week 2 and Week 12, with dates and study days; sound."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(8):
        base = round(float(rng.uniform(4, 9)), 1)
        start = pd.Timestamp("2024-01-10") + pd.Timedelta(days=number)
        for visit, week in (("Baseline", 0), ("Week 2", 2), ("Week 12", 12)):
            aval = base if week == 0 else round(float(rng.uniform(2, 9)), 1)
            rows.append(
                {
                    "USUBJID": f"S{number}",
                    "TRT01P": "Placebo" if number % 2 else "LDN 6 mg",
                    "SITE": "Oslo" if number < 4 else "Odense",
                    "SEX": "F",
                    "AVISIT": visit,
                    "AVISITN": week,
                    "ADY": 1 + 7 * week,
                    "ADT": (start + pd.Timedelta(weeks=week)).date().isoformat(),
                    "RANDDT": start.date().isoformat(),
                    "TRTSDT": start.date().isoformat(),
                    "TRTEDT": "2024-06",
                    "AVAL": aval,
                    "BASE": base,
                    "CHG": round(aval - base, 1),
                }
            )
    return pd.DataFrame(rows)


def crossover_data() -> pd.DataFrame:
    """Eight subjects, sequences AB and BA, two periods; A is Placebo, B is LDN; sound."""
    letters = {"A": "Placebo", "B": "LDN 6 mg"}
    return pd.DataFrame(
        [
            {
                "USUBJID": f"S{number}",
                "SEQ": sequence,
                "PERIOD": period,
                "TRTA": letters[letter],
                "AVAL": float(number + period),
            }
            for number in range(8)
            for sequence in [("AB", "BA")[number % 2]]
            for period, letter in enumerate(sequence, start=1)
        ]
    )


def rules(report: CheckReport) -> set[str]:
    return set(report.frame()["rule"])


def only(report: CheckReport, rule: str) -> pd.DataFrame:
    """The report's frame, after checking that one rule fired and no other."""
    frame = report.frame()
    assert set(frame["rule"]) == {rule}, report
    return frame


def put(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    values = frame[column].tolist()
    values[row] = value
    return frame.assign(**{column: values})


# --- sound data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "design"), [(parallel_data, PARALLEL), (crossover_data, CROSSOVER)]
)
def test_sound_data_give_an_empty_frame(
    data: Callable[[], pd.DataFrame], design: Parallel | Crossover
) -> None:
    report = check(data(), design)
    assert report.is_sound, report
    assert not report.has_errors
    assert len(report) == 0
    assert list(report.frame().columns) == COLUMNS
    assert len(report.frame()) == 0
    report.raise_if_any()
    assert repr(report).startswith("Nothing found")
    assert "Nothing found" in report._repr_html_()


def test_a_missing_outcome_and_a_missed_visit_are_no_findings() -> None:
    data = parallel_data()
    data.loc[[1, 5], ["AVAL", "CHG"]] = np.nan
    assert check(data.drop(index=[8, 11]), PARALLEL).is_sound


def test_the_frame_is_left_as_it_was() -> None:
    data = put(parallel_data(), 1, "AVAL", np.inf)
    before = data.copy(deep=True)
    check(data, PARALLEL)
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize("dtype", ["string", "category", "string[pyarrow]"])
def test_text_may_be_of_any_dtype(dtype: str) -> None:
    data = parallel_data()
    text = [name for name in data.columns if isinstance(data[name].iloc[0], str)]
    assert check(data.astype(dict.fromkeys(text, dtype)), PARALLEL).is_sound
    bad = put(data, 3, "TRT01P", "Placebo" if data["TRT01P"][3] != "Placebo" else "LDN 6 mg")
    only(check(bad.astype(dict.fromkeys(text, dtype)), PARALLEL), "subject-in-two-arms")


def test_nullable_numbers_are_numbers() -> None:
    data = parallel_data().astype({"AVAL": "Float64", "AVISITN": "Int64"})
    data.loc[1, ["AVAL", "CHG"]] = pd.NA
    assert check(data, PARALLEL).is_sound


# --- columns ---------------------------------------------------------------------------------


def test_missing_column() -> None:
    report = check(parallel_data().rename(columns={"SITE": "site"}), PARALLEL)
    found = only(report, "missing-column")
    assert found["column"].tolist() == ["SITE"]
    assert "No column 'SITE' for the stratum 1; 'site' is there" in found["message"][0]
    assert any("rules that need SITE" in note for note in report.notes)


@pytest.mark.parametrize("column", ["USUBJID", "TRT01P", "AVISIT", "AVISITN", "AVAL", "BASE"])
def test_each_missing_column_is_named_alone(column: str) -> None:
    found = only(check(parallel_data().drop(columns=column), PARALLEL), "missing-column")
    assert found["column"].tolist() == [column]


def test_repeated_column() -> None:
    data = parallel_data()
    data = pd.concat([data, data[["AVAL"]]], axis=1)
    found = only(check(data, PARALLEL), "repeated-column")
    assert found["count"].tolist() == [2]


def test_no_rows() -> None:
    only(check(parallel_data().head(0), PARALLEL), "no-rows")


# --- keys ------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [None, np.nan, "", "  "])
def test_missing_subject(missing: object) -> None:
    found = only(check(put(parallel_data(), 4, "USUBJID", missing), PARALLEL), "missing-subject")
    assert found["count"].tolist() == [1]
    assert "index 4" in found["message"][0]


@pytest.mark.parametrize(
    ("column", "rule"),
    [("TRT01P", "missing-arm"), ("AVISIT", "missing-visit"), ("SEX", "missing-stratum")],
)
@pytest.mark.parametrize("missing", [None, ""])
def test_missing_key_of_a_parallel_design(column: str, rule: str, missing: object) -> None:
    found = only(check(put(parallel_data(), 4, column, missing), PARALLEL), rule)
    assert found[["subject", "column", "count"]].values.tolist() == [["S1", column, 1]]


@pytest.mark.parametrize(
    ("column", "rule"),
    [("SEQ", "missing-sequence"), ("PERIOD", "missing-period"), ("TRTA", "missing-treatment")],
)
def test_missing_key_of_a_crossover_design(column: str, rule: str) -> None:
    # The last period of a subject: without it there is no gap.
    found = only(check(put(crossover_data(), 5, column, None), CROSSOVER), rule)
    assert found[["subject", "count"]].values.tolist() == [["S2", 1]]


def test_a_missing_arm_is_placed_by_visit_and_a_missing_visit_is_counted() -> None:
    data = put(put(parallel_data(), 4, "TRT01P", None), 5, "TRT01P", None)
    found = only(check(data, PARALLEL), "missing-arm")
    assert found[["visit", "count"]].values.tolist() == [["Week 2", 1], ["Week 12", 1]]
    data = put(put(parallel_data(), 4, "AVISIT", None), 5, "AVISIT", None)
    found = only(check(data, PARALLEL), "missing-visit")
    assert found[["subject", "count"]].values.tolist() == [["S1", 2]]


# --- subjects --------------------------------------------------------------------------------


def test_duplicate_subject_visit() -> None:
    data = parallel_data()
    found = only(check(pd.concat([data, data.iloc[[4, 4]]]), PARALLEL), "duplicate-subject-visit")
    assert found[["subject", "visit", "count"]].values.tolist() == [["S1", "Week 2", 3]]


def test_duplicates_are_counted_within_a_parameter() -> None:
    data = parallel_data()
    both = pd.concat([data.assign(PARAMCD="PAIN"), data.assign(PARAMCD="SLEEP")])
    report = check(both, PARALLEL)
    assert report.is_sound
    assert any("within each of 2 PARAMCD" in note for note in report.notes)
    found = only(check(pd.concat([both, both.iloc[[0]]]), PARALLEL), "duplicate-subject-visit")
    assert "of PARAMCD 'PAIN'" in found["message"][0]


def test_duplicate_subject_without_visits() -> None:
    data = parallel_data().query("AVISIT == 'Week 12'")
    design = Parallel(subject="USUBJID", arm="TRT01P", reference="Placebo")
    assert check(data, design).is_sound
    found = only(check(pd.concat([data, data.iloc[[2]]]), design), "duplicate-subject")
    assert found[["subject", "count"]].values.tolist() == [["S2", 2]]


def test_duplicate_subject_period() -> None:
    data = crossover_data()
    found = only(check(pd.concat([data, data.iloc[[3]]]), CROSSOVER), "duplicate-subject-period")
    assert found[["subject", "visit", "count"]].values.tolist() == [["S1", 2, 2]]


def test_subject_in_two_arms() -> None:
    found = only(
        check(put(parallel_data(), 4, "TRT01P", "LDN 6 mg"), PARALLEL), "subject-in-two-arms"
    )
    assert found[["subject", "column", "count"]].values.tolist() == [["S1", "TRT01P", 3]]
    assert "'LDN 6 mg', 'Placebo'" in found["message"][0]


def test_subject_in_two_strata() -> None:
    found = only(check(put(parallel_data(), 4, "SEX", "M"), PARALLEL), "subject-in-two-strata")
    assert found[["subject", "column"]].values.tolist() == [["S1", "SEX"]]


def test_subject_in_two_sequences() -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "1", "BA": "2"}))
    assert check(data, CROSSOVER).is_sound
    data = put(data, 3, "SEQ", "1")
    # A sequence of period 2 that got what period 2 of the other gets breaks no other rule.
    data = put(data, 3, "TRTA", data["TRTA"][1])
    found = only(check(data, CROSSOVER), "subject-in-two-sequences")
    assert found["subject"].tolist() == ["S1"]


# --- levels ----------------------------------------------------------------------------------


def test_unknown_reference() -> None:
    design = Parallel(subject="USUBJID", arm="TRT01P", reference="placebo", visit="AVISITN")
    found = only(check(parallel_data(), design), "unknown-level")
    assert "Reference 'placebo' is not among the arms of TRT01P" in found["message"][0]
    assert "reads as 'Placebo'" in found["message"][0]


def test_unknown_reference_of_a_crossover() -> None:
    data = crossover_data().replace({"TRTA": {"Placebo": "Sugar"}})
    found = only(check(data, CROSSOVER), "unknown-level")
    assert found["column"].tolist() == ["TRTA"]


def test_unknown_visit() -> None:
    design = Parallel(
        subject="USUBJID",
        arm="TRT01P",
        reference="Placebo",
        visit="AVISIT",
        visit_order=["Baseline", "Week 2", "Week 4"],
    )
    found = only(check(parallel_data(), design), "unknown-level")
    assert found[["visit", "count"]].values.tolist() == [["Week 12", 8]]
    assert "'Baseline', 'Week 2', 'Week 4'" in found["message"][0]


def test_single_level() -> None:
    data = parallel_data().query("TRT01P == 'Placebo'")
    only(check(data, PARALLEL), "single-level")


@pytest.mark.parametrize(
    "variant",
    ["placebo", "Placebo ", " Placebo", "PLACEBO", "Place\u200bbo", "\uff30lacebo", "Placebo\xa0"],
)
def test_label_variants(variant: str) -> None:
    data = parallel_data()
    data.loc[data["USUBJID"] == "S3", "TRT01P"] = variant
    found = only(check(data, PARALLEL), "label-variants")
    assert found[["column", "count"]].values.tolist() == [["TRT01P", 3]]


def test_label_variants_of_a_crossover_are_reported_once() -> None:
    found = only(check(put(crossover_data(), 3, "TRTA", "placebo"), CROSSOVER), "label-variants")
    assert found["column"].tolist() == ["TRTA"]


def test_numbers_and_text_that_read_alike_are_variants() -> None:
    data = put(parallel_data().assign(SITE=1), 0, "SITE", "1")
    found = only(check(data, PARALLEL), "label-variants")
    assert found["column"].tolist() == ["SITE"]


# --- order -----------------------------------------------------------------------------------


def text_visits(order: object = None) -> Parallel:
    return Parallel(
        subject="USUBJID", arm="TRT01P", reference="Placebo", visit="AVISIT", visit_order=order
    )


def test_visit_without_order() -> None:
    report = check(parallel_data(), text_visits())
    found = only(report, "visit-without-order")
    assert found[["column", "count"]].values.tolist() == [["AVISIT", 3]]
    assert any("for want of an order of AVISIT" in note for note in report.notes)


def test_visits_with_an_order_of_their_own_are_sound() -> None:
    data = parallel_data()
    labels = ["Baseline", "Week 2", "Week 12"]
    categories = data.assign(AVISIT=pd.Categorical(data["AVISIT"], labels, ordered=True))
    assert check(categories, text_visits()).is_sound
    assert check(data, text_visits(labels)).is_sound


@pytest.mark.parametrize(("row", "number"), [(4, 3), (4, 12), (4, None)])
def test_an_order_column_that_contradicts_itself(row: int, number: object) -> None:
    found = only(
        check(put(parallel_data(), row, "AVISITN", number), PARALLEL), "visit-without-order"
    )
    assert found["column"].tolist() == ["AVISITN"]


def test_period_without_order() -> None:
    data = crossover_data().assign(
        PERIOD=lambda frame: frame["PERIOD"].map({1: "first", 2: "second"})
    )
    only(check(data, CROSSOVER), "period-without-order")
    ordered = Crossover(
        subject="USUBJID",
        sequence="SEQ",
        period="PERIOD",
        treatment="TRTA",
        reference="Placebo",
        period_order=["first", "second"],
    )
    assert check(data, ordered).is_sound


def test_period_gap_of_a_subject() -> None:
    found = only(check(crossover_data().drop(index=4), CROSSOVER), "period-gap")
    assert found[["subject", "count"]].values.tolist() == [["S2", 1]]
    assert "has period 2 of PERIOD and not 1 before it" in found["message"][0]


def test_stopping_early_is_no_gap() -> None:
    assert check(crossover_data().drop(index=5), CROSSOVER).is_sound


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 3), (2, 3), (1, 1.5)])
def test_periods_count_from_one(first: float, second: float) -> None:
    data = crossover_data().assign(PERIOD=lambda frame: frame["PERIOD"].map({1: first, 2: second}))
    found = only(check(data, CROSSOVER), "period-gap")
    assert "count from 1 to 2" in found["message"].iloc[0]


# --- sequences -------------------------------------------------------------------------------


def test_treatment_against_coded_sequence() -> None:
    data = put(put(crossover_data(), 0, "TRTA", "LDN 6 mg"), 1, "TRTA", "Placebo")
    found = only(check(data, CROSSOVER), "treatment-against-sequence")
    assert found[["subject", "visit"]].values.tolist() == [["S0", 1], ["S0", 2]]
    assert "A is Placebo in 7 of 8 rows, B is LDN 6 mg in 7 of 8 rows" in found["message"][0]
    assert "got 'LDN 6 mg' in period 1; due was 'Placebo'" in found["message"][0]


@pytest.mark.parametrize(
    "labels",
    [
        {"AB": "Placebo-LDN 6 mg", "BA": "LDN 6 mg-Placebo"},
        {"AB": "placebo / LDN 6 MG", "BA": "ldn 6 mg then placebo"},
        {"AB": "Placebo -> LDN 6 mg", "BA": "LDN 6 mg -> Placebo"},
        {"AB": "PlaceboLDN 6 mg", "BA": "LDN 6 mgPlacebo"},
        {"AB": "P-L", "BA": "L-P"},
        {"AB": "placebo, naltrexone", "BA": "naltrexone, placebo"},
        {"AB": 12, "BA": 21},
        {"AB": 12.0, "BA": 21.0},
        {"AB": 1, "BA": 2},
        {"AB": "group one", "BA": "group two"},
    ],
    ids=str,
)
def test_treatment_against_sequence_however_it_is_written(labels: dict[str, object]) -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map(labels))
    assert check(data, CROSSOVER).is_sound
    wrong = put(data, 3, "TRTA", data["TRTA"][2])
    found = only(check(wrong, CROSSOVER), "treatment-against-sequence")
    assert found[["subject", "visit"]].values.tolist() == [["S1", 2]]


def test_a_spelled_sequence_holds_even_against_every_subject() -> None:
    labels = {"AB": "LDN 6 mg-Placebo", "BA": "Placebo-LDN 6 mg"}
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map(labels))
    assert len(only(check(data, CROSSOVER), "treatment-against-sequence")) == 16


def test_a_replicate_design_spells_its_treatments() -> None:
    rows = [
        {"USUBJID": f"S{n}", "SEQ": seq, "PERIOD": period, "TRTA": given, "AVAL": 1.0}
        for n in range(6)
        for seq in [("RTRT", "TRTR")[n % 2]]
        for period, given in enumerate(seq, start=1)
    ]
    design = Crossover(
        subject="USUBJID", sequence="SEQ", period="PERIOD", treatment="TRTA", reference="R"
    )
    data = pd.DataFrame(rows)
    assert check(data, design).is_sound
    found = only(check(put(data, 6, "TRTA", "R"), design), "treatment-against-sequence")
    assert found[["subject", "visit"]].values.tolist() == [["S1", 3]]


def test_one_order_under_two_labels() -> None:
    data = crossover_data()
    data["TRTA"] = ["Placebo", "LDN 6 mg"] * 8
    found = only(check(data, CROSSOVER), "treatment-against-sequence")
    assert "'AB' and 'BA' got the same treatments in the same order" in found["message"][0]


def test_a_sequence_without_a_majority() -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "x", "BA": "y"}))
    data.loc[data["USUBJID"].isin(["S0", "S2"]), "TRTA"] = ["LDN 6 mg", "Placebo"] * 2
    found = only(check(data, CROSSOVER), "treatment-against-sequence")
    assert found["visit"].tolist() == [1, 2]
    assert "Sequence 'x' has no one treatment in period 1" in found["message"][0]


def test_a_period_that_nobody_of_a_sequence_reached_is_no_fault() -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "x", "BA": "y"}))
    assert check(data.query("SEQ == 'x' or PERIOD == 1"), CROSSOVER).is_sound


def test_a_label_that_reads_two_ways_is_not_read() -> None:
    # "1-11" and "11-1" both read as 111: only the majority can say what was due.
    data = crossover_data().replace({"TRTA": {"Placebo": "1", "LDN 6 mg": "11"}})
    data = data.assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "111", "BA": "11 1"}))
    design = Crossover(
        subject="USUBJID", sequence="SEQ", period="PERIOD", treatment="TRTA", reference="1"
    )
    assert check(data, design).is_sound
    found = only(check(put(data, 0, "TRTA", "11"), design), "treatment-against-sequence")
    assert "what most of the sequence got" in found["message"][0]


# --- numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "role"), [("AVAL", "outcome"), ("BASE", "baseline")])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite(column: str, role: str, value: float) -> None:
    data = parallel_data().drop(columns="CHG")
    if role == "baseline":
        data.loc[data["USUBJID"] == "S1", "BASE"] = value
    found = only(check(put(data, 4, column, value), PARALLEL), f"infinite-{role}")
    assert "S1" in found["subject"].tolist()


@pytest.mark.parametrize(("column", "role"), [("AVAL", "outcome"), ("BASE", "baseline")])
def test_non_numeric(column: str, role: str) -> None:
    data = parallel_data().drop(columns="CHG")
    found = only(check(put(data, 4, column, "ND"), PARALLEL), f"non-numeric-{role}")
    assert found["count"].tolist() == [1]
    assert "such as 'ND'; first: subject S1 at Week 2" in found["message"][0]


def test_numbers_held_as_text() -> None:
    data = parallel_data()
    found = only(
        check(data.assign(AVAL=data["AVAL"].astype("string")), PARALLEL), "non-numeric-outcome"
    )
    assert "holds its 24 numbers as text" in found["message"][0]


def test_dates_are_no_outcome() -> None:
    data = parallel_data().drop(columns="CHG").assign(AVAL=pd.Timestamp("2024-01-01"))
    assert only(check(data, PARALLEL), "non-numeric-outcome")["count"].tolist() == [24]


def test_missing_baseline() -> None:
    data = parallel_data()
    data.loc[data["USUBJID"] == "S1", ["BASE", "CHG"]] = np.nan
    found = only(check(data, PARALLEL), "missing-baseline")
    assert found[["subject", "count"]].values.tolist() == [["S1", 3]]


def test_baseline_changes_within_subject() -> None:
    data = put(parallel_data().drop(columns="CHG"), 4, "BASE", 9.9)
    found = only(check(data, PARALLEL), "baseline-changes-within-subject")
    assert found[["subject", "count"]].values.tolist() == [["S1", 3]]
    assert "has 2 values" in found["message"][0]


def test_each_parameter_has_a_baseline_of_its_own() -> None:
    data = parallel_data().drop(columns="CHG")
    other = data.assign(PARAMCD="SLEEP", BASE=data["BASE"] + 1)
    both = pd.concat([data.assign(PARAMCD="PAIN"), other], ignore_index=True)
    assert check(both, PARALLEL).is_sound
    found = only(check(put(both, 28, "BASE", 99.0), PARALLEL), "baseline-changes-within-subject")
    assert "of PARAMCD 'SLEEP'" in found["message"][0]


def test_change_differs() -> None:
    data = parallel_data()
    found = only(check(put(data, 4, "CHG", data["CHG"][4] + 0.3), PARALLEL), "change-differs")
    assert found[["subject", "visit"]].values.tolist() == [["S1", "Week 2"]]


def test_rounding_explains_a_change() -> None:
    data = parallel_data()
    # Three columns of one decimal: each may be off by half a unit, 0.15 in all.
    assert check(put(data, 4, "CHG", round(data["CHG"][4] + 0.1, 1)), PARALLEL).is_sound


def test_a_change_of_numbers_without_end_is_held_to_their_precision() -> None:
    data = parallel_data()
    sevenths = data.assign(AVAL=data["AVAL"] / 7, BASE=data["BASE"] / 7)
    sevenths["CHG"] = sevenths["AVAL"] - sevenths["BASE"]
    near = put(sevenths, 4, "CHG", sevenths["CHG"][4] + 1e-12)
    assert check(near, PARALLEL).is_sound
    far = put(sevenths, 4, "CHG", 0.25)
    message = only(check(far, PARALLEL), "change-differs")["message"][0]
    difference = sevenths["AVAL"][4] - sevenths["BASE"][4]
    assert message.startswith("CHG of subject S1 at Week 2 is 0.25; AVAL - BASE = ")
    assert message.endswith(f"= {difference:g}.")


# --- the report ------------------------------------------------------------------------------


def faulty() -> CheckReport:
    data = put(parallel_data(), 4, "AVAL", np.inf)
    data = put(data, 0, "ADY", 0)
    return check(data.drop(columns="CHG"), PARALLEL)


def test_the_report_says_what_and_where() -> None:
    report = faulty()
    assert rules(report) == {"infinite-outcome", "study-day-zero"}
    assert report.frame()["severity"].tolist() == ["error", "warning"]
    assert report.has_errors
    assert not report.is_sound
    assert "1 error and 1 warning" in repr(report)
    assert "infinite-outcome" in report._repr_html_()


def test_raise_if_any_names_the_findings() -> None:
    with pytest.raises(DataError, match="infinite-outcome: AVAL of subject S1 at Week 2"):
        faulty().raise_if_any()


def test_warnings_may_pass() -> None:
    report = check(put(parallel_data(), 0, "ADY", 0), PARALLEL)
    assert not report.has_errors
    report.raise_if_any(severity="error")
    with pytest.raises(DataError, match="study-day-zero"):
        report.raise_if_any()
    with pytest.raises(SpecError, match="allowed: error, warning"):
        report.raise_if_any(severity="all")  # type: ignore[arg-type]


def test_a_long_report_is_shown_in_part_and_held_in_full() -> None:
    data = pd.concat(
        [parallel_data().assign(USUBJID=lambda f, i=i: f["USUBJID"] + f"-{i}") for i in range(8)]
    )
    report = check(data.assign(AVAL=np.inf, CHG=np.nan), PARALLEL)
    assert len(report.frame()) == len(data)
    assert f"{len(data) - 40} more rows" in repr(report)
    assert report._repr_html_().count("<tr>") < 50
    with pytest.raises(DataError, match=f"and {len(data) - 5} more"):
        report.raise_if_any()


def test_labels_are_escaped_in_html() -> None:
    data = parallel_data()
    data.loc[data["USUBJID"] == "S1", "USUBJID"] = "<script>"
    assert "<script>" not in check(put(data, 4, "AVAL", np.inf), PARALLEL)._repr_html_()


@pytest.mark.parametrize(
    ("frame", "design", "message"),
    [
        ([1, 2], PARALLEL, "check needs a DataFrame, not list"),
        (parallel_data(), "parallel", "design is a Parallel or a Crossover, not str"),
    ],
)
def test_check_refuses(frame: object, design: object, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        check(frame, design)  # type: ignore[arg-type]


def test_without_a_design_dates_and_labels_are_checked() -> None:
    data = parallel_data()
    assert check(data).is_sound
    assert rules(check(put(data, 0, "ADT", "2024-02-30"))) == {"impossible-date"}
    assert check(pd.DataFrame({"x": [1]})).is_sound


def test_findings_do_not_depend_on_the_order_of_rows() -> None:
    data = put(put(parallel_data(), 4, "TRT01P", "LDN 6 mg"), 9, "AVAL", np.inf)
    data = data.drop(columns="CHG")
    shuffled = data.sample(frac=1, random_state=3)
    columns = ["rule", "subject", "visit", "column", "count"]
    first = check(data, PARALLEL).frame()[columns].astype(str)
    second = check(shuffled, PARALLEL).frame()[columns].astype(str)
    assert sorted(first.values.tolist()) == sorted(second.values.tolist())
