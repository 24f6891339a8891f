"""Sound data have no finding; what check asks of its arguments; how the report reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from design.sound_frames import (
    COLUMNS,
    CROSSOVER,
    PARALLEL,
    crossover_data,
    only,
    parallel_data,
    put,
    rules,
)

from trialkit.data.findings import CheckReport
from trialkit.design.check import check
from trialkit.design.crossover import Crossover
from trialkit.design.parallel import Parallel
from trialkit.errors import DataError, SpecError


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
