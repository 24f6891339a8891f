"""Every rule on keys and subjects fires on the fault that is its own, and on nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from design.sound_frames import CROSSOVER, PARALLEL, crossover_data, only, parallel_data, put

from trialkit.design.check import check
from trialkit.design.parallel import Parallel


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
