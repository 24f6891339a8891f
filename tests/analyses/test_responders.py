"""Responders from a flag column: counts, missing flags, kinds of flag, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import trialkit as tk


def flags(**arms: list[object]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ARM": [arm for arm, values in arms.items() for _ in values],
            "FL": [value for values in arms.values() for value in values],
        }
    )


FINAL = flags(P=["Y"] * 13 + ["N"] * 37, D=["Y"] * 20 + ["N"] * 29)
KWARGS = {"outcome": "FL", "arm": "ARM", "reference": "P"}


def test_counts_go_into_the_risk_ratio() -> None:
    table = tk.responders(FINAL, **KWARGS)  # type: ignore[arg-type]
    frame = table.frame()
    counts = ["x", "n_arm", "x_ref", "n_ref", "n_missing"]
    assert frame[counts].iloc[0].tolist() == [20, 49, 13, 50, 0]
    truth = tk.risk_ratio(20, 49, 13, 50, label="D - P").single()
    assert table.single() == truth
    assert list(frame["contrast"]) == ["D - P"]


def test_one_row_a_non_reference_arm() -> None:
    data = pd.concat([FINAL, flags(C=["Y", "N", "N"])], ignore_index=True)
    table = tk.responders(data, **KWARGS)  # type: ignore[arg-type]
    assert list(table.frame()["contrast"]) == ["C - P", "D - P"]
    assert list(table.frame()["x"]) == [1, 20]
    assert list(table.frame()["x_ref"]) == [13, 13]


@pytest.mark.parametrize(
    ("mapping", "event", "dtype"),
    [
        ({"Y": True, "N": False}, True, "bool"),
        ({"Y": True, "N": False}, True, "boolean"),
        ({"Y": 1, "N": 0}, 1, "int64"),
        ({"Y": 1.0, "N": 0.0}, 1, "float64"),
        ({"Y": "Y", "N": "N"}, "Y", "string"),
        ({"Y": "Y", "N": "N"}, "Y", "category"),
        ({"Y": "Responder", "N": "Other"}, "Responder", "object"),
        ({"Y": "N", "N": "Y"}, "N", "object"),
    ],
)
def test_every_kind_of_flag(mapping: dict[str, object], event: object, dtype: str) -> None:
    data = FINAL.assign(FL=FINAL["FL"].map(mapping).astype(dtype))
    found = tk.responders(data, event=event, **KWARGS).single()  # type: ignore[arg-type]
    assert found == tk.responders(FINAL, **KWARGS).single()  # type: ignore[arg-type]


@pytest.mark.parametrize("blank", [None, np.nan, "", "  "])
def test_missing_flags_are_handled_as_asked_and_counted(blank: object) -> None:
    data = pd.concat([FINAL, flags(P=[blank] * 2, D=[blank])], ignore_index=True)
    none = tk.responders(data, missing="non-responder", **KWARGS)  # type: ignore[arg-type]
    out = tk.responders(data, missing="exclude", **KWARGS)  # type: ignore[arg-type]
    counts = ["x", "n_arm", "x_ref", "n_ref", "n_missing"]
    assert none.frame()[counts].iloc[0].tolist() == [20, 50, 13, 52, 3]
    assert out.frame()[counts].iloc[0].tolist() == [20, 49, 13, 50, 3]
    assert none.notes == ("D - P: 3 rows with FL missing counted as non-responders.",)
    assert out.notes == ("D - P: 3 rows with FL missing excluded.",)
    assert none.single().method != out.single().method
    message = r"'FL' is missing in 3 rows \(P: 2, D: 1\); say missing='non-responder' or missing='e"
    with pytest.raises(tk.DataError, match=message):
        tk.responders(data, **KWARGS)  # type: ignore[arg-type]


def test_a_flag_of_y_and_missing_alone() -> None:
    data = flags(P=["Y", None, None], D=["Y", "Y", None])
    table = tk.responders(data, missing="non-responder", **KWARGS)  # type: ignore[arg-type]
    assert table.frame()[["x", "n_arm", "x_ref", "n_ref"]].iloc[0].tolist() == [2, 3, 1, 3]


@pytest.mark.parametrize(("value", "event"), [("N", "Y"), (0, 1), (False, True), (0.0, True)])
def test_nobody_responded(value: object, event: object) -> None:
    data = flags(P=[value] * 3, D=[value] * 4)
    row = tk.responders(data, event=event, **KWARGS).single()  # type: ignore[arg-type]
    assert row.status.startswith("no event in either arm")


def test_options_reach_the_risk_ratio() -> None:
    row = tk.responders(
        FINAL, alternative="greater", ci_level=0.9, null=0.1, continuity=0.5, **KWARGS
    ).single()  # type: ignore[arg-type]
    truth = tk.risk_ratio(
        20,
        49,
        13,
        50,
        alternative="greater",
        ci_level=0.9,
        null=0.1,
        continuity=0.5,
        label="D - P",
    )
    assert row == truth.single()


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (flags(P=["Y", "N"], D=["y", "N"]), {}, "a flag of two values; it holds 'Y', 'N', 'y'"),
        (flags(P=[True, False], D=[True, True]), {}, "event='Y' is not among the values of 'FL'"),
        (flags(P=["N", "N"], D=["N"]), {"event": "Yes"}, "event='Yes' is not among"),
        (flags(P=[None], D=[None]), {"missing": "exclude"}, "it holds|not among the values"),
        (flags(P=["Y"], D=[None]), {"missing": "exclude"}, "Arm 'D' has no subject with 'FL'"),
        (FINAL, {"reference": "Placebo"}, "reference='Placebo' is not an arm"),
        (FINAL, {"reference": None}, "reference= must name the arm"),
        (FINAL, {"outcome": "CRIT1FL"}, "No column 'CRIT1FL'"),
        (FINAL.assign(S=1), {"subject": "S"}, "more than one row"),
        (FINAL.assign(ARM=FINAL["ARM"].where(FINAL.index > 0)), {}, "'ARM' is missing in 1 of 99"),
    ],
)
def test_refuses_wrong_data(data: pd.DataFrame, options: dict[str, object], message: str) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.responders(data, **{**KWARGS, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measure": "difference"}, "measure='difference' is not offered; allowed: ratio"),
        ({"missing": "locf"}, "missing='locf' is not offered; allowed: non-responder, exclude"),
        ({"method": "score"}, "allowed: log-wald"),
    ],
)
def test_refuses_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tk.responders(FINAL, **{**KWARGS, **options})  # type: ignore[arg-type]


def test_a_flag_of_lists_is_refused() -> None:
    data = pd.DataFrame({"ARM": ["P", "D"] * 2, "FLAG": [["Y"]] * 4})
    with pytest.raises(tk.DataError, match="'FLAG' holds values that are no flags"):
        tk.responders(data, outcome="FLAG", arm="ARM", reference="P")
