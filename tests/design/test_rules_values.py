"""Numbers, baselines and changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from design.sound_frames import PARALLEL, only, parallel_data, put

from trialkit.design.check import check


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
