"""Intercurrent events: the visits they affect and the outcomes each strategy leaves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import trialkit as tk

VISITS = {"Week 4": 28.0, "Week 8": 56.0, "Week 12": 84.0}
STRATEGIES = {
    "rescue": "hypothetical",
    "death": "composite",
    "stopped": "while-on-treatment",
    "moved": "treatment-policy",
}


def events(**changed: object) -> object:
    data = pd.DataFrame(
        {
            "ID": ["a", "b", "c", "d", "e", "f"],
            "WHY": ["rescue", "death", "stopped", "moved", "rescue", None],
            "DAY": [30, 56, 60, 10, 200, np.nan],
        }
    )
    options = {"visits": VISITS, "strategies": STRATEGIES, **changed}
    given = options.pop("data", data)
    return tk.intercurrent_events(given, subject="ID", event="WHY", day="DAY", **options)


def long() -> pd.DataFrame:
    rows = [(who, visit, float(ord(who) + k)) for who in "abcdef" for k, visit in enumerate(VISITS)]
    return pd.DataFrame(rows, columns=["ID", "AVISIT", "AVAL"])


def test_first_affected_visit_is_the_first_after_the_event() -> None:
    frame = events().frame().set_index("ID")
    assert frame["visit"].to_dict() == {
        "a": "Week 8",
        "b": "Week 12",
        "c": "Week 12",
        "d": "Week 4",
        "e": None,
    }
    assert frame.loc["c", "strategy"] == "while-on-treatment"


def test_each_strategy_leaves_its_outcome() -> None:
    done = events().apply(long(), outcome="AVAL", visit="AVISIT", composite=-1.0)
    values = {who: own["AVAL"].tolist() for who, own in done.groupby("ID", observed=True)}
    raw = {who: own["AVAL"].tolist() for who, own in long().groupby("ID", observed=True)}
    np.testing.assert_equal(values["a"], [raw["a"][0], np.nan, np.nan])
    assert values["b"] == [*raw["b"][:2], -1.0]
    assert values["c"] == [*raw["c"][:2], raw["c"][1]]
    for untouched in "def":
        assert values[untouched] == raw[untouched]
    assert done.set_index(["ID", "AVISIT"]).loc[("a", "Week 12"), "intercurrent"] == "rescue"
    assert long()["AVAL"].notna().all()


def test_the_first_event_that_matters_governs() -> None:
    data = pd.DataFrame({"ID": ["a"] * 3, "WHY": ["moved", "rescue", "death"], "DAY": [5, 35, 60]})
    done = events(data=data).apply(long(), outcome="AVAL", visit="AVISIT")
    own = done[done["ID"] == "a"]
    assert own["AVAL"].isna().tolist() == [False, True, True]


def test_events_for_imputation_are_the_hypothetical_ones() -> None:
    frame = events().for_imputation("AVISIT", {"rescue": "j2r"})
    assert frame.to_numpy().tolist() == [["a", "Week 8", "j2r"]]
    assert frame.columns.tolist() == ["ID", "AVISIT", "strategy"]
    with pytest.raises(tk.SpecError, match="no entry for the event 'rescue'"):
        events().for_imputation("AVISIT", {})


def test_what_is_refused() -> None:
    with pytest.raises(tk.SpecError, match="no entry for the event 'rescue'"):
        events(strategies={})
    with pytest.raises(tk.SpecError, match="'principal-stratum' needs a model"):
        events(strategies={**STRATEGIES, "rescue": "principal-stratum"})
    with pytest.raises(tk.SpecError, match="is not offered; allowed: treatment-policy"):
        events(strategies={**STRATEGIES, "rescue": "ignore"})
    with pytest.raises(tk.SpecError, match="give composite="):
        events().apply(long(), outcome="AVAL", visit="AVISIT")
    with pytest.raises(tk.SpecError, match="composite=nan is not an outcome"):
        events().apply(long(), outcome="AVAL", visit="AVISIT", composite=np.nan)
    with pytest.raises(tk.SpecError, match="must be in order"):
        events(visits={"Week 8": 56, "Week 4": 28})
    with pytest.raises(tk.SpecError, match="it is empty"):
        events(visits={})
    with pytest.raises(tk.DataError, match="without a day"):
        events(data=pd.DataFrame({"ID": ["a"], "WHY": ["rescue"], "DAY": [np.nan]}))
    same = pd.DataFrame({"ID": ["a", "a"], "WHY": ["rescue", "death"], "DAY": [5, 5]})
    with pytest.raises(tk.DataError, match="which governs is not given"):
        events(data=same)
    with pytest.raises(tk.DataError, match="'Week 16' of column 'AVISIT' has no planned day"):
        events().apply(
            long().assign(AVISIT="Week 16"), outcome="AVAL", visit="AVISIT", composite=0.0
        )


@pytest.mark.parametrize("kind", ["string", "string[pyarrow]", "category"])
def test_missing_labels_of_any_text_type_are_no_events(kind: str) -> None:
    data = pd.DataFrame({"ID": ["a", "b"], "WHY": ["rescue", None], "DAY": [30, 30]})
    assert len(events(data=data.astype({"ID": kind, "WHY": kind}))) == 1
    data = pd.DataFrame({"ID": ["a", None], "WHY": ["rescue", "death"], "DAY": [30, 30]})
    with pytest.raises(tk.DataError, match="'death' has no subject"):
        events(data=data.astype({"ID": kind, "WHY": kind}))


def test_missing_labels_of_an_outcome_of_any_text_type() -> None:
    data = long().assign(RESP=["Y", None, "N"] * 6).astype({"RESP": "string"})
    done = events().apply(data, outcome="RESP", visit="AVISIT", composite="N")
    assert done.loc[done["ID"] == "f", "RESP"].tolist() == ["Y", None, "N"]
    counts = events().account(data, outcome="RESP", visit="AVISIT")
    assert counts.loc[counts["event"] == "moved", "n_missing"].tolist() == [1]


def test_planned_visits_are_finite_and_named_once() -> None:
    for day in (np.nan, np.inf, "57", True):
        with pytest.raises(tk.SpecError, match=r"'Week 8' on day .*; a finite number is needed"):
            events(visits={"Week 4": 28, "Week 8": day})
    table = pd.DataFrame({"ID": ["a"], "WHY": ["rescue"], "AT": ["Week 8"]})
    for visits, message in ((["Week 8", "Week 8"], "'Week 8' twice"), ("Week 8", "is the text")):
        with pytest.raises(tk.SpecError, match=message):
            tk.intercurrent_events(
                table, subject="ID", event="WHY", visit="AT", visits=visits, strategies=STRATEGIES
            )


def test_identifiers_that_never_meet_are_refused() -> None:
    data = long().assign(ID=long()["ID"].map({who: k for k, who in enumerate("abcdef")}))
    with pytest.raises(tk.DataError, match="None of the 5 subjects with an event, first 'a', is"):
        events().apply(data, outcome="AVAL", visit="AVISIT", composite=0.0)
    part = long()[long()["ID"] == "f"]
    own = events().within(subjects={"f"})
    assert own.apply(part, outcome="AVAL", visit="AVISIT")["AVAL"].tolist() == [102, 103, 104]
