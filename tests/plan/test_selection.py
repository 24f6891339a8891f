"""A filter keeps the rows it names, and refuses to mean nobody."""

from __future__ import annotations

import pandas as pd
import pytest

from trialkit.errors import SpecError
from trialkit.plan.selection import select

FRAME = pd.DataFrame(
    {
        "AVISIT": pd.Categorical(["Week 4", "Week 12", "Week 12", None, "Week 4"]),
        "N": [1, 2, 3, 4, 5],
        "X": [1.0, 2.5, float("nan"), 1.0, 2.5],
        "FL": [True, False, True, True, False],
        "TXT": ["Y", "N", None, "Y", "1"],
    }
)


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"AVISIT": "Week 12"}, [2, 3]),
        ({"AVISIT": ("Week 12", "Week 4")}, [1, 2, 3, 5]),
        ({"N": 4}, [4]),
        ({"X": 2.5}, [2, 5]),
        ({"X": 1}, [1, 4]),
        ({"FL": True}, [1, 3, 4]),
        ({"TXT": "Y", "FL": True}, [1, 4]),
        ({"TXT": "1"}, [5]),
    ],
)
def test_the_rows_named_are_kept_in_their_order(where: dict, kept: list[int]) -> None:
    frame, said = select(FRAME, where)
    assert frame["N"].tolist() == kept
    assert said.startswith(f"{len(kept)} of 5 rows" if where else "All 5 rows")


def test_the_same_holds_for_text_of_the_newer_kind() -> None:
    frame = FRAME.assign(TXT=FRAME["TXT"].astype("string"), N=FRAME["N"].astype("Int64"))
    assert select(frame, {"TXT": "Y"})[0]["N"].tolist() == [1, 4]
    assert select(frame, {"N": (1, 3)})[0]["N"].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"AVISITT": "Week 12"}, r"no column 'AVISITT' in the data \(near: AVISIT\); columns: AV"),
        ({"AVISIT": "Week12"}, "no row has AVISIT = 'Week12'; AVISIT has 'Week 4', 'Week 12'"),
        ({"AVISIT": ("Week 4", "Week 8")}, "no row has AVISIT = 'Week 8'"),
        ({"N": "4"}, "no row has N = '4'; N has 1, 2, 3"),
        ({"TXT": 1}, "no row has TXT = 1; TXT has 'Y', 'N', '1'"),
        ({"N": True}, "no row has N = True"),
        ({"FL": 1}, "no row has FL = 1; FL has True, False"),
        ({"AVISIT": "Week 4", "N": 2}, "no row of 5 has AVISIT = 'Week 4' and N = 2 together"),
    ],
)
def test_a_filter_that_keeps_nobody_says_why(where: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        select(FRAME, where)


def test_missing_values_are_never_selected() -> None:
    with pytest.raises(SpecError, match="X has 1"):
        select(FRAME, {"X": float("nan")})


def test_long_lists_of_levels_are_cut() -> None:
    with pytest.raises(SpecError, match=r"\.\.\. \(500 in all\)") as caught:
        select(pd.DataFrame({"N": range(500)}), {"N": -1})
    assert len(str(caught.value)) < 400
