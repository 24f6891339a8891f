"""Period means: windows, gaps, counts and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk
from trialkit.data.period_means import period_means_note

ROLES: dict[str, Any] = {"outcome": "PAIN", "subject": "ID", "period": "PER", "day": "ADY"}


def diary() -> pd.DataFrame:
    """Two subjects; s1 lacks day 3 of period 1, and its last day there has no entry."""
    rows = [
        *(("s1", 1, "P", day, pain) for day, pain in ((1, 8.0), (2, 6.0), (4, 4.0), (5, np.nan))),
        *(("s1", 2, "L", day, pain) for day, pain in ((15, 3.0), (16, 2.0), (17, 1.0))),
        *(("s2", 1, "L", day, pain) for day, pain in ((2, 5.0), (3, 7.0))),
        ("s2", 2, "P", 20, np.nan),
    ]
    return pd.DataFrame(rows, columns=["ID", "PER", "TRT", "ADY", "PAIN"])


def means(data: pd.DataFrame | None = None, **choices: Any) -> pd.DataFrame:
    return tk.period_means(diary() if data is None else data, **{**ROLES, **choices})


def test_the_whole_period() -> None:
    expected = pd.DataFrame(
        {
            "ID": ["s1", "s1", "s2", "s2"],
            "PER": [1, 2, 1, 2],
            "TRT": ["P", "L", "L", "P"],
            "PAIN": [6.0, 2.0, 6.0, np.nan],
            "FIRST_DAY": [1, 15, 2, 20],
            "LAST_DAY": [5, 17, 3, 20],
            "N_DAYS": [3, 3, 2, 0],
            "N_GAPS": [2, 0, 0, 1],
        }
    )
    pd.testing.assert_frame_equal(means(keep=["TRT"]), expected)


def test_the_last_days_end_with_the_last_row() -> None:
    found = means(last=2)
    assert found["FIRST_DAY"].tolist() == [4, 16, 2, 19]
    assert found["N_DAYS"].tolist() == [1, 2, 2, 0]
    assert found["N_GAPS"].tolist() == [1, 0, 0, 2]
    np.testing.assert_array_equal(found["PAIN"], [4.0, 1.5, 6.0, np.nan])
    # Without the day that was not filled in, the period ends a day earlier.
    short = means(diary().drop(index=3), last=2)
    assert short.loc[0, ["LAST_DAY", "N_DAYS", "N_GAPS"]].tolist() == [4, 1, 1]


def test_too_few_days_have_no_mean_and_are_counted() -> None:
    found = means(last=2, minimum=2)
    np.testing.assert_array_equal(found["PAIN"], [np.nan, 1.5, 6.0, np.nan])
    note = period_means_note(found, outcome="PAIN", day="ADY", last=2, minimum=2)
    assert note == (
        "PAIN is the mean of the last 2 day(s) of the period (ADY): 4 periods of subjects, 5 days "
        "with a value, 3 without in 2 periods; 2 with fewer than 2 have none."
    )
    whole = period_means_note(means(), outcome="PAIN", day="ADY", last=None, minimum=1)
    assert whole == (
        "PAIN is the mean of the period (ADY): 4 periods of subjects, 8 days with a value, 3 "
        "without in 2 periods; 1 with fewer than 1 have none."
    )


@settings(deadline=None, max_examples=20)
@given(
    st.permutations(range(10)),
    st.integers(-30, 30),
    st.sampled_from([1e-3, 1.0, 250.0]),
    st.floats(-50, 50),
)
def test_order_origin_and_unit(order: list[int], days: int, unit: float, shift: float) -> None:
    moved = (
        diary()
        .iloc[order]
        .assign(ADY=lambda d: d["ADY"] + days, PAIN=lambda d: shift + unit * d["PAIN"])
    )
    found = means(moved, last=3).sort_values(["ID", "PER"], ignore_index=True)
    base = means(last=3)
    np.testing.assert_allclose(found["PAIN"], shift + unit * base["PAIN"], rtol=1e-9, atol=1e-9)
    assert (found["FIRST_DAY"] == base["FIRST_DAY"] + days).all()
    assert found[["N_DAYS", "N_GAPS"]].equals(base[["N_DAYS", "N_GAPS"]])


def test_a_crossover_takes_them_and_counts_what_has_no_mean() -> None:
    rng = np.random.default_rng(2)
    rows = [
        (f"S{s}", "AB" if s % 2 else "BA", p, "AB"[(s + p) % 2], d, rng.normal())
        for s in range(10)
        for p in (1, 2)
        for d in range(1, 8)
    ]
    data = pd.DataFrame(rows, columns=["ID", "SEQ", "PER", "TRT", "ADY", "PAIN"])
    data.loc[data.index[:7], "PAIN"] = np.nan
    reduced = means(data, last=3, keep=["SEQ", "TRT"])
    roles = {key: ROLES[key] for key in ("outcome", "subject", "period")}
    choices: dict[str, Any] = {"sequence": "SEQ", "treatment": "TRT", "reference": "A"}
    fit = tk.crossover(reduced, **roles, **choices, variance_bound=False)
    assert (fit.n_observations, fit.n_excluded) == (19, 1)


def test_labels_may_be_categories_and_missing_kept_values() -> None:
    data = diary().assign(ID=lambda d: pd.Categorical(d["ID"], ["s2", "s1", "s3"]), BASE=np.nan)
    found = means(data, keep=["BASE"])
    assert found["ID"].tolist() == ["s1", "s1", "s2", "s2"]
    assert found["BASE"].isna().all()


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"last": 0}, r"last=0 is not offered; allowed: a whole number of days from 1, or None"),
        ({"last": 2.0}, "last=2.0 is not offered"),
        ({"minimum": True}, "minimum=True is not offered"),
        ({"minimum": None}, "minimum=None is not offered; allowed: a whole number of days from 1."),
        ({"last": 2, "minimum": 3}, "minimum=3 days of the last 2 can never be had"),
        ({"keep": ["PAIN"]}, "are columns of their own"),
        ({"keep": "TRT"}, r"keep='TRT' is one text; give a list of columns, \['TRT'\]"),
        ({"outcome": "N_DAYS"}, "none is called FIRST_DAY, LAST_DAY, N_DAYS, N_GAPS"),
    ],
)
def test_choices_that_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        means(**choices)


def test_data_that_are_refused() -> None:
    data = diary()
    with pytest.raises(tk.DataError, match=r"on a day \('ADY' = 2\) for subject 's1' in period 1"):
        means(data.assign(ADY=[2, *data["ADY"][1:]]))
    with pytest.raises(tk.DataError, match="'ADY' is missing for subject 's2' in period 1"):
        means(data.assign(ADY=data["ADY"].where(data.index != 8)))
    with pytest.raises(tk.DataError, match="not a whole number of days for subject 's1' in per"):
        means(data.assign(ADY=data["ADY"] + 0.5))
    with pytest.raises(tk.DataError, match=r"'TRT' of keep= has more than one value for subject"):
        means(data.assign(TRT=["L", *data["TRT"][1:]]), keep=["TRT"])
    with pytest.raises(tk.DataError, match="'PER' is missing in 1 of 10 rows, the first in row 0"):
        means(data.assign(PER=[np.nan, *data["PER"][1:]]))
    with pytest.raises(tk.DataError, match="'DAY'"):
        means(day="DAY")
    with pytest.raises(tk.DataError, match="'ID' holds values that are not labels"):
        means(data.assign(ID=[["s1"]] * len(data)))
    with pytest.raises(tk.DataError, match="The data have no row"):
        means(data.iloc[:0])
