"""Order of visits and periods, and treatments against their sequence."""

from __future__ import annotations

import pandas as pd
import pytest
from design.sound_frames import CROSSOVER, PARALLEL, crossover_data, only, parallel_data, put

from trialkit.design.check import check
from trialkit.design.crossover import Crossover
from trialkit.design.parallel import Parallel


def text_visits(order: object = None) -> Parallel:
    return Parallel(
        subject="USUBJID", arm="TRT01P", reference="Placebo", visit="AVISIT", visit_order=order
    )


def test_visit_without_order() -> None:
    report = check(parallel_data(), text_visits())
    found = only(report, "visit-without-order")
    assert found[["column", "count"]].values.tolist() == [["AVISIT", 3]]
    assert any("for want of an order of AVISIT" in note for note in report.notes)


def test_visits_with_an_order_of_their_own_are_sound() -> None:
    data = parallel_data()
    labels = ["Baseline", "Week 2", "Week 12"]
    categories = data.assign(AVISIT=pd.Categorical(data["AVISIT"], labels, ordered=True))
    assert check(categories, text_visits()).is_sound
    assert check(data, text_visits(labels)).is_sound


@pytest.mark.parametrize(("row", "number"), [(4, 3), (4, 12), (4, None)])
def test_an_order_column_that_contradicts_itself(row: int, number: object) -> None:
    found = only(
        check(put(parallel_data(), row, "AVISITN", number), PARALLEL), "visit-without-order"
    )
    assert found["column"].tolist() == ["AVISITN"]


def test_period_without_order() -> None:
    data = crossover_data().assign(
        PERIOD=lambda frame: frame["PERIOD"].map({1: "first", 2: "second"})
    )
    only(check(data, CROSSOVER), "period-without-order")
    ordered = Crossover(
        subject="USUBJID",
        sequence="SEQ",
        period="PERIOD",
        treatment="TRTA",
        reference="Placebo",
        period_order=["first", "second"],
    )
    assert check(data, ordered).is_sound


def test_period_gap_of_a_subject() -> None:
    found = only(check(crossover_data().drop(index=4), CROSSOVER), "period-gap")
    assert found[["subject", "count"]].values.tolist() == [["S2", 1]]
    assert "has period 2 of PERIOD and not 1 before it" in found["message"][0]


def test_stopping_early_is_no_gap() -> None:
    assert check(crossover_data().drop(index=5), CROSSOVER).is_sound


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 3), (2, 3), (1, 1.5)])
def test_periods_count_from_one(first: float, second: float) -> None:
    data = crossover_data().assign(PERIOD=lambda frame: frame["PERIOD"].map({1: first, 2: second}))
    found = only(check(data, CROSSOVER), "period-gap")
    assert "count from 1 to 2" in found["message"].iloc[0]


def test_treatment_against_coded_sequence() -> None:
    data = put(put(crossover_data(), 0, "TRTA", "LDN 6 mg"), 1, "TRTA", "Placebo")
    found = only(check(data, CROSSOVER), "treatment-against-sequence")
    assert found[["subject", "visit"]].values.tolist() == [["S0", 1], ["S0", 2]]
    assert "A is Placebo in 7 of 8 rows, B is LDN 6 mg in 7 of 8 rows" in found["message"][0]
    assert "got 'LDN 6 mg' in period 1; due was 'Placebo'" in found["message"][0]


@pytest.mark.parametrize(
    "labels",
    [
        {"AB": "Placebo-LDN 6 mg", "BA": "LDN 6 mg-Placebo"},
        {"AB": "placebo / LDN 6 MG", "BA": "ldn 6 mg then placebo"},
        {"AB": "Placebo -> LDN 6 mg", "BA": "LDN 6 mg -> Placebo"},
        {"AB": "PlaceboLDN 6 mg", "BA": "LDN 6 mgPlacebo"},
        {"AB": "P-L", "BA": "L-P"},
        {"AB": "placebo, naltrexone", "BA": "naltrexone, placebo"},
        {"AB": 12, "BA": 21},
        {"AB": 12.0, "BA": 21.0},
        {"AB": 1, "BA": 2},
        {"AB": "group one", "BA": "group two"},
    ],
    ids=str,
)
def test_treatment_against_sequence_however_it_is_written(labels: dict[str, object]) -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map(labels))
    assert check(data, CROSSOVER).is_sound
    wrong = put(data, 3, "TRTA", data["TRTA"][2])
    found = only(check(wrong, CROSSOVER), "treatment-against-sequence")
    assert found[["subject", "visit"]].values.tolist() == [["S1", 2]]


def test_a_spelled_sequence_holds_even_against_every_subject() -> None:
    labels = {"AB": "LDN 6 mg-Placebo", "BA": "Placebo-LDN 6 mg"}
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map(labels))
    assert len(only(check(data, CROSSOVER), "treatment-against-sequence")) == 16


def test_a_replicate_design_spells_its_treatments() -> None:
    rows = [
        {"USUBJID": f"S{n}", "SEQ": seq, "PERIOD": period, "TRTA": given, "AVAL": 1.0}
        for n in range(6)
        for seq in [("RTRT", "TRTR")[n % 2]]
        for period, given in enumerate(seq, start=1)
    ]
    design = Crossover(
        subject="USUBJID", sequence="SEQ", period="PERIOD", treatment="TRTA", reference="R"
    )
    data = pd.DataFrame(rows)
    assert check(data, design).is_sound
    found = only(check(put(data, 6, "TRTA", "R"), design), "treatment-against-sequence")
    assert found[["subject", "visit"]].values.tolist() == [["S1", 3]]


def test_one_order_under_two_labels() -> None:
    data = crossover_data()
    data["TRTA"] = ["Placebo", "LDN 6 mg"] * 8
    found = only(check(data, CROSSOVER), "treatment-against-sequence")
    assert "'AB' and 'BA' got the same treatments in the same order" in found["message"][0]


def test_a_sequence_without_a_majority() -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "x", "BA": "y"}))
    data.loc[data["USUBJID"].isin(["S0", "S2"]), "TRTA"] = ["LDN 6 mg", "Placebo"] * 2
    found = only(check(data, CROSSOVER), "treatment-against-sequence")
    assert found["visit"].tolist() == [1, 2]
    assert "Sequence 'x' has no one treatment in period 1" in found["message"][0]


def test_a_period_that_nobody_of_a_sequence_reached_is_no_fault() -> None:
    data = crossover_data().assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "x", "BA": "y"}))
    assert check(data.query("SEQ == 'x' or PERIOD == 1"), CROSSOVER).is_sound


def test_a_label_that_reads_two_ways_is_not_read() -> None:
    # "1-11" and "11-1" both read as 111: only the majority can say what was due.
    data = crossover_data().replace({"TRTA": {"Placebo": "1", "LDN 6 mg": "11"}})
    data = data.assign(SEQ=lambda frame: frame["SEQ"].map({"AB": "111", "BA": "11 1"}))
    design = Crossover(
        subject="USUBJID", sequence="SEQ", period="PERIOD", treatment="TRTA", reference="1"
    )
    assert check(data, design).is_sound
    found = only(check(put(data, 0, "TRTA", "11"), design), "treatment-against-sequence")
    assert "what most of the sequence got" in found["message"][0]
