"""Who left and why: against R, and that everything adds up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import ARM, REFERENCE, case, rows
from reference.loader import assert_close

import trialkit as tk
from trialkit.kernels.exact_counts import exact_difference, poisson_limits

RTOL = 1e-8


def reference_rows() -> pd.DataFrame:
    data = rows("TTDISC")
    return data.assign(STATUS=data["CNSR"].map({1: "COMPLETED", 0: "DISCONTINUED"}))


def table(data: pd.DataFrame, **changed: object) -> object:
    options = {
        "arm": ARM,
        "status": "STATUS",
        "reason": "EVNTDESC",
        "reference": REFERENCE,
        "time": "AVAL",
        **changed,
    }
    return tk.disposition(data, **options)


def small() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ID": range(12),
            "ARM": ["P"] * 6 + ["D"] * 6,
            "STATUS": ["COMPLETED"] * 4
            + ["DISCONTINUED"] * 2
            + ["COMPLETED"] * 3
            + ["DISCONTINUED"] * 2
            + ["ONGOING"],
            "WHY": [None] * 4 + ["AE", "LOE"] + [None] * 3 + ["AE", None, None],
        }
    )


def of_small(**changed: object) -> object:
    return table(
        small(), **{"arm": "ARM", "reason": "WHY", "reference": "P", "time": None, **changed}
    )


@pytest.mark.reference
def test_counts_shares_and_rates_equal_r() -> None:
    theirs = pd.DataFrame(case()["reasons"]["table"])
    ours = table(reference_rows())
    rates, differences = ours.rates(per=700), ours.differences()
    for _, want in theirs.iterrows():
        row = ours.where(reason=want["reason"], arm=want["arm"]).frame().iloc[0]
        assert (row["n"], row["N"]) == (want["x"], want["n"])
        assert_close(row["estimate"], want["proportion"], RTOL)
        assert_close(row["percent"], 100 * want["proportion"], RTOL)
        assert_close(row["ci_low"], want["cp_low"], RTOL, atol=1e-15)
        assert_close(row["ci_high"], want["cp_high"], RTOL)
        rate = rates.where(reason=want["reason"], arm=want["arm"]).frame().iloc[0]
        assert_close(rate["person_time"], want["person_days"], RTOL)
        assert_close(rate["estimate"], want["rate_per_100_person_weeks"], RTOL)
        p = differences.where(reason=want["reason"]).single().p_value
        assert_close(p, want["p_fisher"], RTOL)


def test_rows_add_up_within_each_arm() -> None:
    frame = of_small().frame()
    for _, own in frame.groupby("arm", observed=True):
        n = own.set_index("reason")["n"]
        assert n["COMPLETED"] + n.get("ONGOING", 0) + n["ANY"] == own["N"].iloc[0]
        assert n["AE"] + n["LOE"] + n["REASON NOT GIVEN"] == n["ANY"]
    assert frame["reason"].drop_duplicates().tolist() == [
        "COMPLETED",
        "ONGOING",
        "ANY",
        "AE",
        "LOE",
        "REASON NOT GIVEN",
    ]


def test_a_reason_not_given_is_said() -> None:
    assert of_small().notes == ("1 subject(s) left without a reason in WHY.",)


def test_differences_are_arm_minus_reference_with_the_exact_interval() -> None:
    row = of_small().differences().where(reason="LOE").single()
    assert row.label == "D - P"
    assert_close(row.estimate, 0 / 6 - 1 / 6, 1e-12)
    assert_close([row.ci_low, row.ci_high], exact_difference(0, 6, 1, 6, 0.95), 1e-12)
    turned = of_small().differences(reference="D").where(reason="LOE").single()
    assert_close(turned.estimate, -row.estimate, 1e-12)
    assert_close([turned.ci_low, turned.ci_high], [-row.ci_high, -row.ci_low], 1e-6)


def test_rates_have_garwood_limits() -> None:
    data = small().assign(DAYS=10.0)
    ours = table(data, arm="ARM", reason="WHY", reference="P", time="DAYS").rates(per=100)
    row = ours.where(reason="ANY", arm="P").single()
    low, high = poisson_limits(2, 60.0, 0.95)
    assert_close([row.estimate, row.ci_low, row.ci_high], [200 / 60, 100 * low, 100 * high], 1e-12)


def test_withdrawal_for_an_adverse_event_is_the_difference_by_flag() -> None:
    data = small().assign(FL=lambda d: np.where(d["WHY"] == "AE", "Y", "N"))
    flagged = tk.ae_withdrawal(data, arm="ARM", reference="P", flag="FL").single()
    by_reason = of_small().differences().where(reason="AE").single()
    assert flagged == by_reason
    assert "exact" in flagged.method


def test_nobody_left() -> None:
    data = small().assign(STATUS="COMPLETED", WHY=None)
    frame = table(data, arm="ARM", reason="WHY", reference="P", time=None).frame()
    assert frame["reason"].drop_duplicates().tolist() == ["COMPLETED", "ANY"]
    assert frame[frame["reason"] == "ANY"]["n"].tolist() == [0, 0]


def test_what_is_refused() -> None:
    data = small()
    contradicted = data.assign(WHY=["AE"] + [None] * 11)
    with pytest.raises(tk.DataError, match=r"Subject 0 has the reason 'AE'.*status 'COMPLETED'"):
        table(contradicted, arm="ARM", reason="WHY", reference="P", time=None, subject="ID")
    with pytest.raises(tk.SpecError, match="Which status in 'STATUS'"):
        table(
            data.assign(STATUS=data["STATUS"].replace("DISCONTINUED", "LEFT")),
            arm="ARM",
            reason="WHY",
            reference="P",
            time=None,
        )
    with pytest.raises(tk.DataError, match="'STATUS' is missing in 1 of 12"):
        table(
            data.assign(STATUS=[None, *data["STATUS"][1:]]),
            arm="ARM",
            reason="WHY",
            reference="P",
            time=None,
        )
    with pytest.raises(tk.DataError, match="more than one row"):
        of_small(subject="ARM")
    with pytest.raises(tk.SpecError, match="Rates need the time"):
        of_small().rates()
    with pytest.raises(tk.DataError, match="is not an arm"):
        of_small().differences(reference="X")
    with pytest.raises(tk.DataError, match="missing or negative time"):
        table(data.assign(T=-1.0), arm="ARM", reason="WHY", reference="P", time="T")
    with pytest.raises(tk.DataError, match="'FL' is missing in 12 of 12"):
        tk.ae_withdrawal(data.assign(FL=None), arm="ARM", reference="P", flag="FL")
    with pytest.raises(tk.DataError, match="reference= must name"):
        tk.ae_withdrawal(data, arm="ARM", reference=None, flag="FL")


def edges(**changed: object) -> tk.EstimateTable:
    data = pd.DataFrame(
        {
            "ARM": ["P"] * 3 + ["D"] * 3,
            "EOSSTT": ["COMPLETED", "COMPLETED", "DISCONTINUED"] * 2,
            "DCSREAS": [None, None, "AE", None, None, None],
            "DAYS": [84.0, 84, 10, 84, 84, 30],
        }
    ).assign(**changed)
    return tk.disposition(
        data, arm="ARM", status="EOSSTT", reason="DCSREAS", reference="P", time="DAYS"
    )


@pytest.mark.parametrize(
    ("reason", "message"),
    [("ANY", "the name of all reasons together"), ("COMPLETED", "which is a status")],
)
def test_a_reason_that_is_the_name_of_something_else(reason: str, message: str) -> None:
    with pytest.raises(tk.DataError, match=message):
        edges(DCSREAS=[None, None, reason, None, None, None])


def test_a_reason_that_says_that_none_was_given_is_counted_with_those_left_blank() -> None:
    table = edges(DCSREAS=[None, None, "REASON NOT GIVEN", None, None, None])
    rows = table.where(reason="REASON NOT GIVEN").frame()
    assert rows["n"].tolist() == [1, 1]
    assert table.where(reason="ANY").frame()["n"].tolist() == [1, 1]


def test_rates_need_a_unit_and_some_time() -> None:
    for per in (0, -1, np.nan, True):
        with pytest.raises(tk.SpecError, match="must be a length of time above zero"):
            edges().rates(per=per)
    with pytest.raises(tk.DataError, match="Arm 'D' has no time in the trial"):
        edges(DAYS=[84.0, 84, 10, 0, 0, 0]).rates()


def test_one_arm_has_no_differences() -> None:
    data = pd.DataFrame({"ARM": ["P"] * 2, "S": ["COMPLETED"] * 2, "R": [None] * 2})
    table = tk.disposition(data, arm="ARM", status="S", reason="R")
    with pytest.raises(tk.DataError, match="one arm only, 'P'"):
        table.differences()
