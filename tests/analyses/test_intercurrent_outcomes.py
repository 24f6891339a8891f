"""The outcomes that strategies leave: rows made, labels, several events; against a slow reading."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import trialkit as tk
from trialkit.analyses.intercurrent_events import STRATEGIES, IntercurrentEvents

VISITS = {"Week 4": 28.0, "Week 8": 56.0, "Week 12": 84.0}
ORDER = list(VISITS)
MET = {f"met by {how}": how for how in STRATEGIES}
COMPOSITE = -9.0


def read(rows: list[tuple[str, str, float]], **changed: object) -> IntercurrentEvents:
    data = pd.DataFrame(rows, columns=["ID", "WHY", "DAY"])
    options = {"day": "DAY", "visits": VISITS, "strategies": MET, **changed}
    return tk.intercurrent_events(data, subject="ID", event="WHY", **options)


def long(values: dict[tuple[str, str], float]) -> pd.DataFrame:
    rows = [
        (who, "AB"[ord(who) % 2], visit, ORDER.index(visit) + 1, value)
        for (who, visit), value in values.items()
    ]
    return pd.DataFrame(rows, columns=["ID", "ARM", "AVISIT", "AVISITN", "AVAL"])


def slowly(
    events: list[tuple[str, str, float]], values: dict[tuple[str, str], float]
) -> dict[tuple[str, str], float]:
    """The definition, one subject and visit after the other."""
    found = dict(values)
    for who in {key[0] for key in values}:
        own = sorted((day, why) for name, why, day in events if name == who)
        own = [(day, MET[why]) for day, why in own if MET[why] != "treatment-policy"]
        if not own:
            continue
        day, how = own[0]
        before = [values.get((who, visit), np.nan) for visit in ORDER if VISITS[visit] <= day]
        seen = [value for value in before if not np.isnan(value)]
        for visit in ORDER:
            if VISITS[visit] <= day:
                continue
            if how == "hypothetical" and (who, visit) in values:
                found[who, visit] = np.nan
            elif how == "composite":
                found[who, visit] = COMPOSITE
            elif how == "while-on-treatment":
                found[who, visit] = seen[-1] if seen else np.nan
    return found


cells = st.dictionaries(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(ORDER)),
    st.one_of(st.integers(0, 10).map(float), st.just(float("nan"))),
    min_size=6,
)
happened = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(list(MET)), st.integers(0, 90).map(float)),
    max_size=6,
    unique_by=lambda one: (one[0], one[2]),
)


@settings(deadline=None, max_examples=40)
@given(values=cells, events=happened, shift=st.integers(-3, 3))
def test_outcomes_are_those_of_the_definition(
    values: dict[tuple[str, str], float], events: list[tuple[str, str, float]], shift: int
) -> None:
    # A visit nobody attended is no visit of the data: nothing tells what its rows would hold.
    for visit in ORDER:
        values.setdefault(("a", visit), 3.0)
    # Events of nobody in the data are refused: the identifiers may not be the same.
    assume(not events or {who for who, _, _ in events} & {who for who, _ in values})
    record = read(events)
    done = record.apply(
        long(values), outcome="AVAL", visit="AVISIT", composite=COMPOSITE, add_rows=True
    )
    found = dict(zip(zip(done["ID"], done["AVISIT"], strict=True), done["AVAL"], strict=True))
    expected = slowly(events, values)
    assert found.keys() == expected.keys()
    np.testing.assert_equal([found[key] for key in expected], list(expected.values()))
    # The order of rows and an added constant change nothing but what they must.
    mixed = long(values).sample(frac=1, random_state=1)
    moved = record.apply(
        mixed.assign(AVAL=mixed["AVAL"] + shift),
        outcome="AVAL",
        visit="AVISIT",
        composite=COMPOSITE + shift,
        add_rows=True,
    )
    key = ["ID", "AVISIT"]
    pd.testing.assert_series_equal(
        moved.set_index(key)["AVAL"].sort_index() - shift, done.set_index(key)["AVAL"].sort_index()
    )


@settings(deadline=None, max_examples=40)
@given(values=cells, events=happened)
def test_the_account_counts_every_affected_outcome_once(
    values: dict[tuple[str, str], float], events: list[tuple[str, str, float]]
) -> None:
    for visit in ORDER:
        values.setdefault(("a", visit), 3.0)
    record = read(events)
    counts = record.account(long(values), outcome="AVAL", visit="AVISIT")
    people = {key[0] for key in values}
    first = {
        who: min((day for name, _, day in events if name == who), default=np.inf) for who in people
    }
    after = [(who, visit) for who in people for visit in ORDER if VISITS[visit] > first[who]]
    n_seen = sum(not np.isnan(values.get(key, np.nan)) for key in after)
    assert counts["n_observed"].sum() == n_seen
    assert counts["n_missing"].sum() == len(after) - n_seen
    for why in MET:
        n = len({name for name, own, _ in events if own == why and name in people})
        assert counts.set_index("event").loc[why, "n_subjects"] == n
    assert (counts["N"] == len(people)).all()
    by_arm = record.account(long(values), outcome="AVAL", visit="AVISIT", arm="ARM")
    sums = by_arm.groupby("event", observed=True)[["N", "n_subjects", "n_observed"]].sum()
    whole = counts.set_index("event").loc[sums.index, ["N", "n_subjects", "n_observed"]]
    pd.testing.assert_frame_equal(sums, whole)


def test_the_account_of_some_visits_and_its_reference_first() -> None:
    record = read([("b", "met by composite", 30.0)])
    data = long({(who, visit): 1.0 for who in "ab" for visit in ORDER})
    counts = record.account(
        data, outcome="AVAL", visit="AVISIT", arm="ARM", reference="B", visits={"Week 12"}
    )
    own = counts[counts["event"] == "met by composite"]
    assert own[["arm", "N", "n_subjects", "n_observed"]].to_numpy().tolist() == [
        ["B", 1, 0, 0],
        ["A", 1, 1, 1],
    ]


def test_made_rows_hold_what_never_changes() -> None:
    data = long({("a", "Week 4"): 5.0, ("b", "Week 4"): 6.0, ("b", "Week 12"): 2.0})
    data["NOTE"] = ["x", "y", "z"]
    done = read([("a", "met by composite", 30.0), ("z", "met by composite", 1.0)]).apply(
        data, outcome="AVAL", visit="AVISIT", composite=0, add_rows=True
    )
    made = done[done["ID"] == "a"].set_index("AVISIT")
    assert made.loc["Week 12", ["ARM", "AVISITN", "AVAL"]].tolist() == ["B", 3, 0.0]
    assert pd.isna(made.loc["Week 12", "NOTE"])
    assert done["AVISITN"].dtype == data["AVISITN"].dtype
    # Week 8 is no visit of these data.
    assert made.index.tolist() == ["Week 4", "Week 12"]
    assert set(done["ID"]) == {"a", "b"}


def test_an_outcome_may_be_a_label() -> None:
    data = long({("a", visit): 1.0 for visit in ORDER}).assign(RESP=["Y", "Y", "Y"])
    met = {"failed": "composite", "moved": "hypothetical", "stopped": "while-on-treatment"}
    for why, expected in (
        ("failed", ["Y", "N", "N"]),
        ("moved", ["Y", None, None]),
        ("stopped", ["Y", "Y", "Y"]),
    ):
        record = read([("a", why, 30.0)], strategies=met)
        done = record.apply(data, outcome="RESP", visit="AVISIT", composite="N")
        assert done["RESP"].tolist() == expected
    with pytest.raises(tk.SpecError, match="composite=0: column 'RESP' holds labels"):
        record.apply(data, outcome="RESP", visit="AVISIT", composite=0)
    with pytest.raises(tk.SpecError, match="composite='N': column 'AVAL' holds numbers"):
        record.apply(data, outcome="AVAL", visit="AVISIT", composite="N")


def test_events_may_name_the_visit_they_affect() -> None:
    data = pd.DataFrame(
        {"ID": ["a", "b", "c"], "WHY": ["rescue"] * 3, "AT": ["Week 8", None, "Week 4"]}
    )
    record = tk.intercurrent_events(
        data,
        subject="ID",
        event="WHY",
        visit="AT",
        visits=ORDER,
        strategies={"rescue": "hypothetical"},
    )
    assert record.frame().set_index("ID")["visit"].to_dict() == {
        "a": "Week 8",
        "b": None,
        "c": "Week 4",
    }
    assert record.frame()["day"].isna().all()
    later = record.within(subjects={"a", "b"}, visits={"Week 12"})
    assert later.frame()["visit"].tolist() == ["Week 12", None]
    with pytest.raises(tk.DataError, match="Column 'AT' has the visit 'Week 4'; visits: 'Week 8'"):
        tk.intercurrent_events(
            data,
            subject="ID",
            event="WHY",
            visit="AT",
            visits=["Week 8"],
            strategies={"rescue": "hypothetical"},
        )


def test_treatment_policy_gives_way_and_is_imputed_where_named() -> None:
    record = read(
        [
            ("a", "met by treatment-policy", 30.0),
            ("a", "met by hypothetical", 30.0),
            ("b", "met by treatment-policy", 30.0),
            ("c", "met by composite", 30.0),
            ("c", "met by treatment-policy", 10.0),
        ]
    )
    only = record.for_imputation("AVISIT", {"met by hypothetical": "j2r"})
    assert only.to_numpy().tolist() == [["a", "Week 8", "j2r"]]
    both = record.for_imputation(
        "AVISIT", {"met by hypothetical": None, "met by treatment-policy": "cr"}
    )
    assert both.to_numpy().tolist() == [["a", "Week 8", "cr"], ["b", "Week 8", "cr"]]


def test_reference_based_runs_on_the_events_of_the_table() -> None:
    rng = np.random.default_rng(5)
    n = 40
    data = pd.DataFrame(
        {
            "ID": np.repeat(np.arange(n), 3),
            "ARM": np.repeat(["P", "D"], n * 3 // 2),
            "AVISIT": pd.Categorical(ORDER * n, categories=ORDER, ordered=True),
            "AVAL": rng.normal(size=(n, 3)).cumsum(axis=1).ravel(),
        }
    )
    stops = pd.DataFrame({"ID": [3, 8, 25, 31], "WHY": "stopped", "DAY": [30, 60, 20, 60]})
    record = tk.intercurrent_events(
        stops,
        subject="ID",
        event="WHY",
        day="DAY",
        visits=VISITS,
        strategies={"stopped": "hypothetical"},
    )
    aside = record.apply(data, outcome="AVAL", visit="AVISIT").drop(columns="intercurrent")
    options = {"subject": "ID", "visit": "AVISIT", "arm": "ARM", "reference": "P"}
    events = record.for_imputation("AVISIT", {"stopped": "j2r"})
    own = tk.reference_based("AVAL ~ ARM*AVISIT", aside, strategy="mar", events=events, **options)
    asked = tk.reference_based("AVAL ~ ARM*AVISIT", aside, strategy="j2r", **options)
    # Each stop is followed by nothing seen, so the last visit seen says the same as the table.
    np.testing.assert_allclose(
        own.frame()["estimate"], asked.frame()["estimate"], rtol=1e-9, atol=1e-12
    )


def test_what_is_refused() -> None:
    twice = pd.concat([long({("a", visit): 1.0 for visit in ORDER})] * 2)
    record = read([("a", "met by while-on-treatment", 30.0)])
    with pytest.raises(tk.DataError, match="'a' has several rows at visit 'Week 4'"):
        record.apply(twice, outcome="AVAL", visit="AVISIT")
    with pytest.raises(tk.SpecError, match="by day= or by visit=, one of the two"):
        read([], visit="DAY")
    with pytest.raises(tk.SpecError, match="by day= or by visit=, one of the two"):
        read([], day=None)
    with pytest.raises(tk.SpecError, match="maps each visit to its planned day where day="):
        read([], visits=ORDER)
    with pytest.raises(tk.DataError, match="An event 'met by composite' has no subject"):
        read([(None, "met by composite", 3.0)])  # type: ignore[list-item]
    data = pd.DataFrame(
        {"ID": ["a", "a"], "WHY": ["met by composite", "met by hypothetical"], "AT": ["Week 4"] * 2}
    )
    with pytest.raises(tk.DataError, match="from one visit on: which governs is not given"):
        tk.intercurrent_events(
            data, subject="ID", event="WHY", visit="AT", visits=ORDER, strategies=MET
        )
