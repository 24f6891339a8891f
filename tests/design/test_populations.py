"""Populations: who is in, who is out and why, and totals that add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.design.populations import populations
from trialkit.errors import DataError, SpecError


def adsl() -> pd.DataFrame:
    """Six subjects: 5 was never dosed, 6 never randomised, 4 got the other treatment."""
    return pd.DataFrame(
        {
            "USUBJID": ["1", "2", "3", "4", "5", "6"],
            "TRT01P": ["LDN", "LDN", "Placebo", "Placebo", "LDN", None],
            "TRT01A": ["LDN", "LDN", "Placebo", "LDN", None, None],
            "RANDDT": ["2024-01-10", "2024-01-11", "2024-01", "2024-01-13", "2024-01-14", None],
            "TRTSDT": ["2024-01-10", "2024-01-11", "2024-02-01", "2024-01-13", None, ""],
            "ITTFL": ["Y", "Y", "Y", "Y", "Y", "N"],
            "SAFFL": ["Y", "Y", "Y", "Y", "N", None],
            "PPROTFL": ["Y", "N", "Y", "N", "N", "N"],
        }
    )


DEVIATIONS = pd.DataFrame(
    {
        "USUBJID": ["2", "2", "3", "4"],
        "DVTERM": ["Opioid use", "Missed visit", "Late visit", "Wrong kit"],
        "MAJOR": ["Y", "Y", "N", "Y"],
    }
)
ROLES = {"subject": "USUBJID", "arm": "TRT01P"}
FLAGS = {"itt": "ITTFL", "safety": "SAFFL", "per-protocol": "PPROTFL"}
RULES: dict[str, Any] = {
    "randomized": "RANDDT",
    "treated": "TRTSDT",
    "deviations": DEVIATIONS,
    "deviation_major": "MAJOR",
}


def test_rules_say_who_is_out_and_why() -> None:
    sets = populations(adsl(), **ROLES, **RULES)
    assert sets.names == ("itt", "safety", "per-protocol")
    assert sets.members("itt") == ("1", "2", "3", "4", "5")
    assert sets.members("safety") == ("1", "2", "3", "4")
    assert sets.members("per-protocol") == ("1", "3")
    assert sets.frame().values.tolist() == [
        ["itt", "6", None, "not randomised: RANDDT is missing"],
        ["safety", "5", "LDN", "not treated: TRTSDT is missing"],
        ["safety", "6", None, "not treated: TRTSDT is missing"],
        ["per-protocol", "2", "LDN", "Opioid use; Missed visit"],
        ["per-protocol", "4", "Placebo", "Wrong kit"],
        ["per-protocol", "5", "LDN", "not treated: TRTSDT is missing"],
        [
            "per-protocol",
            "6",
            None,
            "not in itt (not randomised: RANDDT is missing); not treated: TRTSDT is missing",
        ],
    ]


def test_flags_and_rules_agree_on_the_same_trial() -> None:
    by_rule = populations(adsl(), **ROLES, **RULES)
    by_flag = populations(adsl(), **ROLES, flags=FLAGS)
    assert by_flag.names == by_rule.names
    for name in by_rule.names:
        assert by_flag.members(name) == by_rule.members(name)
    assert by_flag.frame()["reason"].tolist() == [
        "no arm: TRT01P is missing",
        "SAFFL = N",
        "SAFFL is missing",
        "PPROTFL = N",
        "PPROTFL = N",
        "PPROTFL = N",
        "not in itt (no arm: TRT01P is missing)",
    ]


def test_a_flag_takes_the_words_of_the_rule() -> None:
    both = populations(adsl(), **ROLES, flags=FLAGS, **RULES)
    frame = both.frame().set_index(["population", "subject"])["reason"]
    assert frame["safety", "5"] == "not treated: TRTSDT is missing"
    assert frame["per-protocol", "2"] == "Opioid use; Missed visit"
    assert both.definitions["per-protocol"] == "PPROTFL = Y"


def test_safety_is_counted_as_treated() -> None:
    sets = populations(adsl(), **ROLES, **RULES, actual_arm="TRT01A")
    counts = sets.counts().set_index(["population", "arm"])
    assert counts.loc[("itt", "LDN")].tolist() == [3, 0]
    assert counts.loc[("itt", "Placebo")].tolist() == [2, 0]
    assert counts.loc[("itt", "(no arm)")].tolist() == [0, 1]
    assert counts.loc[("safety", "LDN")].tolist() == [3, 1]
    assert counts.loc[("safety", "Placebo")].tolist() == [1, 0]
    assert counts.loc[("safety", "all")].tolist() == [4, 2]
    assert counts.loc[("per-protocol", "LDN")].tolist() == [1, 2]
    assert sets.switched().values.tolist() == [["4", "Placebo", "LDN"]]
    assert sets.arm_column("safety") == "TRT01A"
    assert sets.arm_column("itt") == "TRT01P"


def test_without_the_actual_arm_safety_is_counted_as_planned() -> None:
    sets = populations(adsl(), **ROLES, **RULES)
    counts = sets.counts().set_index(["population", "arm"])
    assert counts.loc[("safety", "LDN")].tolist() == [2, 1]
    assert sets.switched().empty


def test_only_what_is_defined_is_there() -> None:
    sets = populations(adsl(), **ROLES)
    assert sets.names == ("itt",)
    assert sets.frame()["reason"].tolist() == ["no arm: TRT01P is missing"]
    with pytest.raises(SpecError, match="No population 'per-protocol'; defined: itt"):
        sets.members("per-protocol")
    with pytest.raises(SpecError, match="No population 'ITT'"):
        sets.select(adsl(), "ITT")


def test_a_population_of_your_own() -> None:
    data = adsl().assign(RESPFL=[True, False, True, True, False, False])
    sets = populations(data, **ROLES, flags={"evaluable": "RESPFL"})
    assert sets.members("evaluable") == ("1", "3", "4")


@pytest.mark.parametrize("yes_no", [("Y", "N"), (True, False), (1, 0), (1.0, 0.0)])
def test_flags_may_be_text_or_numbers(yes_no: tuple[object, object]) -> None:
    yes, no = yes_no
    data = adsl().assign(ITTFL=[yes] * 5 + [no], DOSED=[yes] * 4 + [no] * 2)
    sets = populations(data, **ROLES, flags={"itt": "ITTFL"}, treated="DOSED")
    assert len(sets.members("itt")) == 5
    assert sets.members("safety") == ("1", "2", "3", "4")
    assert sets.frame()["reason"].tolist()[-1] == "not treated: DOSED = N"


@pytest.mark.parametrize("dtype", ["datetime64[ns]", "datetime64[s]"])
def test_dates_may_be_datetimes(dtype: str) -> None:
    dates = pd.Series(["2024-01-10"] * 4 + [None] * 2).astype(dtype)
    sets = populations(adsl().assign(TRTSDT=dates), **ROLES, treated="TRTSDT")
    assert sets.members("safety") == ("1", "2", "3", "4")


def test_numeric_dates_of_sas_count_as_present() -> None:
    data = adsl().assign(TRTSDT=[23385.0] * 4 + [np.nan] * 2)
    assert len(populations(data, **ROLES, treated="TRTSDT").members("safety")) == 4


def test_select_keeps_the_rows_of_members() -> None:
    sets = populations(adsl(), **ROLES, **RULES)
    visits = pd.DataFrame(
        {"USUBJID": ["5", "3", "1", "5"], "AVAL": [1.0, 2, 3, 4]}, index=list("abcd")
    )
    assert sets.select(visits, "safety").index.tolist() == ["b", "c"]
    assert sets.select(visits, "itt").index.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(DataError, match=r"1 subject.s. of the frame are not among the 6 .*: 9"):
        sets.select(visits.assign(USUBJID=["5", "3", "1", "9"]), "itt")
    with pytest.raises(DataError, match="No column 'USUBJID'"):
        sets.select(visits.rename(columns={"USUBJID": "ID"}), "itt")


def test_the_result_is_shown_and_shares_nothing_with_the_data() -> None:
    data = adsl()
    sets = populations(data, **ROLES, **RULES)
    before = sets.counts()
    data["TRT01P"] = "LDN"
    pd.testing.assert_frame_equal(sets.counts(), before)
    assert "Analysis populations of 6 subjects" in repr(sets)
    assert "in itt, treated, without a major protocol deviation" in repr(sets)
    assert "<table" in sets._repr_html_()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B"]), st.booleans(), st.booleans(), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_totals_always_add_up(people: list[tuple[str, bool, bool, bool]]) -> None:
    data = pd.DataFrame(people, columns=["ARM", "RAND", "DOSED", "DEVIATES"])
    data["ID"] = range(len(data))
    deviations = data.loc[data["DEVIATES"], ["ID"]].assign(DVTERM="late")
    sets = populations(
        data,
        subject="ID",
        arm="ARM",
        randomized="RAND",
        treated="DOSED",
        deviations=deviations,
    )
    counts = sets.counts()
    totals = counts[counts["arm"] == "all"]
    assert (totals["n"] + totals["n_excluded"] == len(data)).all()
    by_arm = counts[counts["arm"] != "all"].groupby("population")[["n", "n_excluded"]].sum()
    for name in sets.names:
        assert by_arm.loc[name, "n"] == len(sets.members(name))
        assert by_arm.loc[name, "n_excluded"] == (sets.frame()["population"] == name).sum()
    assert set(sets.members("per-protocol")) == set(
        data.query("RAND and DOSED and not DEVIATES")["ID"]
    )


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({"USUBJID": ["1", "1", "3", "4", "5", "6"]}, {}, "more than one row for 1 subject.s.: 1"),
        ({"USUBJID": ["1", "", "3", "4", "5", "6"]}, {}, "USUBJID is missing in 1 row"),
        ({"ITTFL": ["Y", "Yes", "Y", "Y", "Y", "N"]}, {}, "ITTFL of subject 2 is 'Yes'; allowed"),
        ({"ITTFL": ["Y", 2, "Y", "Y", "Y", "N"]}, {}, "ITTFL of subject 2 is 2"),
        ({"ITTFL": ["Y"] * 6}, {}, r"ITTFL is Y for 1 subject.s. .*6: not randomised"),
        ({"SAFFL": ["Y"] * 6}, {}, r"SAFFL is Y for 2 subject.s. .*: 5, 6 \(5: not treated"),
        ({"PPROTFL": ["Y", "Y", "Y", "N", "N", "N"]}, {}, "PPROTFL is Y for .*2: Opioid use"),
        (
            {"ITTFL": ["N", "Y", "Y", "Y", "Y", "N"]},
            {},
            r"PPROTFL is Y for 1 .*1: not in itt \(ITTFL = N\)",
        ),
        (
            {"TRT01P": ["LDN", "LDN", None, "Placebo", "LDN", None]},
            {},
            "1 subject.s. of population 'itt' have no TRT01P: 3",
        ),
        (
            {"TRT01A": ["LDN", None, "Placebo", "LDN", None, None]},
            {"actual_arm": "TRT01A"},
            "1 subject.s. of population 'safety' have no TRT01A: 2",
        ),
        (
            {"TRT01A": ["ldn", "LDN", "Placebo", "LDN", None, None]},
            {"actual_arm": "TRT01A"},
            "'LDN' and 'ldn' read as one arm",
        ),
        ({"TRT01P": ["all", "LDN", "LDN", "LDN", "LDN", None]}, {}, "'all' is not a label"),
        ({"TRTSDT": ["maybe"] + ["2024-01-10"] * 5}, {}, "neither Y, N nor a date"),
    ],
)
def test_contradictions_in_the_data_are_refused(
    change: dict[str, list[object]], arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        populations(adsl().assign(**change), **ROLES, flags=FLAGS, **RULES, **arguments)


def test_deviations_of_strangers_are_refused() -> None:
    stranger = DEVIATIONS.assign(USUBJID=["2", "2", "3", "77"])
    with pytest.raises(DataError, match="deviations names subject '77'"):
        populations(adsl(), **ROLES, deviations=stranger)


def test_a_deviation_without_text_is_still_one() -> None:
    blank = DEVIATIONS.assign(DVTERM=[None, None, "Late visit", "Wrong kit"])
    sets = populations(adsl(), **ROLES, deviations=blank)
    reasons = sets.frame().query("population == 'per-protocol'").set_index("subject")["reason"]
    assert reasons["2"] == "major deviation"
    assert reasons["3"] == "Late visit"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arm": "ARM"}, "No column 'ARM' in adsl; it has USUBJID"),
        ({"flags": {"itt": "FASFL"}}, "No column 'FASFL' in adsl"),
        ({"flags": ["ITTFL"]}, "flags maps a population to its column"),
        ({"flags": {"itt": ""}}, "flags maps a population to its column"),
        ({"treated": "EXDT"}, "No column 'EXDT'"),
        ({"deviations": DEVIATIONS, "deviation_reason": "TEXT"}, "No column 'TEXT' in deviations"),
        ({"deviations": "DV"}, "deviations is a DataFrame, not str"),
        ({"deviation_major": "MAJOR"}, "deviation_major= names a column of deviations="),
    ],
)
def test_columns_that_are_not_there_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        populations(adsl(), **{**ROLES, **arguments})
