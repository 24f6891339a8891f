"""The check names the crossover design that the data show."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

import trialkit as tk

DESIGN = tk.Crossover(
    subject="ID", sequence="SEQ", period="PER", treatment="TRT", reference="A", outcome=None
)


def notes(sequences: list[str], per: int = 2) -> str:
    rows = [
        {"ID": f"{seq}{copy}", "SEQ": seq, "PER": period, "TRT": letter}
        for seq in sequences
        for copy in range(per)
        for period, letter in enumerate(seq, start=1)
    ]
    report = tk.check(pd.DataFrame(rows), DESIGN)
    assert len(report) == 0, report.frame()
    return " ".join(report.notes)


@pytest.mark.parametrize(
    ("sequences", "name", "is_balanced"),
    [
        (["AB", "BA"], "AB/BA", True),
        (["AA", "AB", "BA", "BB"], "Balaam", True),
        (["ABB", "BAA"], "full replicate (ABB/BAA)", True),
        (["ABB", "BAB", "BBA"], "partial replicate (ABB/BAB/BBA)", True),
        (["ABAB", "BABA"], "full replicate (ABAB/BABA)", True),
        (["ABC", "BCA", "CAB", "ACB", "BAC", "CBA"], "Williams 3x3", True),
        (["ABC", "BCA", "CAB"], "Latin square 3x3", False),
        (["ADBC", "BACD", "CBDA", "DCAB"], "Williams 4x4", True),
        (["AB", "BA", "AC", "CA", "BC", "CB"], "incomplete blocks", True),
        (["ABC", "ACB"], "complete blocks 3x3", False),
    ],
)
def test_designs_by_name_and_balance(sequences: list[str], name: str, is_balanced: bool) -> None:
    text = notes(sequences)
    assert f"Design seen: {name}" in text
    assert ("is not balanced" in text) != is_balanced


def test_unequal_sequences_are_said() -> None:
    rows = [
        {"ID": f"{seq}{i}", "SEQ": seq, "PER": k + 1, "TRT": seq[k]}
        for seq, n in (("AB", 7), ("BA", 3))
        for i in range(n)
        for k in range(2)
    ]
    text = " ".join(tk.check(pd.DataFrame(rows), DESIGN).notes)
    assert "subjects AB 7, BA 3 (unequal)" in text
    assert "sequence effect under another name" in text


def test_one_deviating_subject_is_a_finding_and_not_another_design() -> None:
    rows = [
        {"ID": f"{seq}{i}", "SEQ": seq, "PER": k + 1, "TRT": seq[k]}
        for seq in ("AB", "BA")
        for i in range(5)
        for k in range(2)
    ]
    frame = pd.DataFrame(rows)
    frame.loc[[0, 1], "TRT"] = ["B", "A"]
    report = tk.check(frame, DESIGN)
    assert report.frame()["subject"].unique().tolist() == ["AB0"]
    assert "Design seen: AB/BA" in " ".join(report.notes)


def test_a_diary_has_several_rows_a_period_and_one_a_day() -> None:
    days = pd.DataFrame(
        [
            {"ID": f"{seq}{i}", "SEQ": seq, "PER": k + 1, "TRT": seq[k], "DAY": day}
            for seq in ("AB", "BA")
            for i in range(3)
            for k in range(2)
            for day in (1, 2, 3)
        ]
    )
    assert set(tk.check(days, DESIGN).frame()["rule"]) == {"duplicate-subject-period"}
    design = replace(DESIGN, measurement="DAY")
    sound = tk.check(days, design)
    assert len(sound) == 0
    assert "Design seen: AB/BA" in " ".join(sound.notes)
    (twice,) = (
        tk.check(days.assign(DAY=days["DAY"].replace({2: 1})), design)
        .frame()
        .to_dict("records")[:1]
    )
    assert (twice["rule"], twice["count"]) == ("duplicate-subject-period", 2)
    assert "at period 1 that share a DAY" in twice["message"]
    lost = tk.check(days.assign(DAY=days["DAY"].where(days.index != 4)), design).frame()
    assert lost["rule"].tolist() == ["missing-measurement"]
    other = tk.check(days.assign(TRT=["B", *days["TRT"][1:]]), design).frame()
    assert other["rule"].tolist() == ["treatment-against-sequence"]


@pytest.mark.parametrize("flip", [False, True])
def test_letters_start_at_the_reference_and_are_explained(flip: bool) -> None:
    rows = [
        {"ID": f"{seq}{i}", "SEQ": seq, "PER": k + 1, "TRT": letter}
        for seq in ("TRTR", "RTRR")
        for i in range(3)
        for k, letter in enumerate(seq)
    ]
    frame = pd.DataFrame(rows)
    report = tk.check(frame[::-1] if flip else frame, replace(DESIGN, reference="R"))
    text = " ".join(report.notes)
    assert "Design seen: full replicate (ABAA/BABA);" in text
    assert "A is R, B is T." in text


def test_one_period_is_no_crossover() -> None:
    assert "Design seen: no crossover, one period only; 2 treatments, 1 period," in notes(
        ["A", "B"]
    )
