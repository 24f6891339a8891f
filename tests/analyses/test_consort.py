"""The flow of participants: every number counted, every sum checked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import trialkit as tk


def adsl() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "USUBJID": [f"S{i:02d}" for i in range(14)],
            "ARM": ["P"] * 6 + ["D"] * 6 + [None, None],
            "STATUS": ["COMPLETED"] * 4
            + ["DISCONTINUED"] * 2
            + ["COMPLETED"] * 5
            + ["DISCONTINUED"]
            + [None, None],
            "WHY": [None] * 4
            + ["ADVERSE EVENT", "LOST TO FOLLOW-UP"]
            + [None] * 5
            + ["ADVERSE EVENT", None, None],
            "SAFFL": ["Y"] * 11 + ["N"] + [None, None],
            "ITTFL": ["Y"] * 12 + ["N", "N"],
            "SCREEN": [None] * 12 + ["Not eligible", "Declined"],
        }
    )


def flow(data: pd.DataFrame | None = None, **changed: object) -> object:
    options: dict[str, object] = {
        "arm": "ARM",
        "subject": "USUBJID",
        "status": "STATUS",
        "reason": "WHY",
        "reference": "P",
        **changed,
    }
    return tk.consort(adsl() if data is None else data, **options)


def test_every_number_of_a_small_trial() -> None:
    found = flow(treated="SAFFL", screening="SCREEN", sets={"ITT": "ITTFL", "Safety": ["S00"]})
    assert found.arms == ("P", "D")
    assert found.count("Assessed for eligibility") == 14
    assert found.count("Excluded") == 2
    assert found.count("  Declined") == 1
    assert found.count("Randomised") == 12
    assert [found.count("Allocated", arm=a) for a in "PD"] == [6, 6]
    assert [found.count("Did not receive treatment", arm=a) for a in "PD"] == [0, 1]
    assert [found.count("Discontinued", arm=a) for a in "PD"] == [2, 1]
    assert [found.count("  Adverse event", arm=a) for a in "PD"] == [1, 1]
    assert [found.count("Analysed (ITT)", arm=a) for a in "PD"] == [6, 6]
    assert [found.count("  Excluded from Safety", arm=a) for a in "PD"] == [5, 6]
    assert found.frame().columns.tolist() == ["stage", "item", "arm", "n"]


def test_numbers_not_in_the_data_may_be_stated() -> None:
    data = adsl().iloc[:12]
    found = flow(data, excluded={"Not eligible": 7, "Declined": 3}, assessed=22)
    assert found.count("Excluded") == 10
    assert flow(data, assessed=15).count("Excluded") == 3
    assert flow(data).frame()["item"].iloc[0] == "Randomised"


def test_an_analysed_frame_is_a_set() -> None:
    data = adsl()
    analysed = data[data["STATUS"] == "COMPLETED"][["USUBJID", "ARM"]]
    found = flow(sets={"Primary": analysed}, counts={"Primary": {"P": 4, "D": 5}})
    assert found.count("Analysed (Primary)", arm="D") == 5


def test_what_does_not_cross_foot_is_refused() -> None:
    data = adsl()
    randomised = data.iloc[:12]
    with pytest.raises(tk.DataError, match="assessed=20 is not 12 randomised"):
        flow(assessed=20)
    with pytest.raises(tk.DataError, match="assessed=11 is below 12"):
        flow(randomised, assessed=11)
    with pytest.raises(tk.DataError, match=r"assessed=22 is not 12 randomised \+ 7"):
        flow(randomised, assessed=22, excluded={"Declined": 7})
    with pytest.raises(tk.SpecError, match="one or the other"):
        flow(excluded={"Declined": 2})
    with pytest.raises(tk.DataError, match="flagged in 'ITTFL' were not randomised, first 'S12'"):
        flow(data.assign(ITTFL="Y"), sets={"ITT": "ITTFL"})
    with pytest.raises(tk.DataError, match="'ITTFL' is missing for 12"):
        flow(data.assign(ITTFL=None), sets={"ITT": "ITTFL"})
    with pytest.raises(tk.DataError, match=r"1 subject\(s\) were not randomised, first 'S99'"):
        flow(sets={"Primary": ["S00", "S99"]})
    moved = pd.DataFrame({"USUBJID": ["S00"], "ARM": ["D"]})
    with pytest.raises(tk.DataError, match=r"'S00' is analysed in arm 'D'.*allocated to 'P'"):
        flow(sets={"Primary": moved})
    with pytest.raises(tk.DataError, match="arm 'P': 5 stated, 6 in the data"):
        flow(sets={"ITT": "ITTFL"}, counts={"ITT": {"P": 5}})
    with pytest.raises(tk.SpecError, match="counts= names the set 'PP'"):
        flow(sets={"ITT": "ITTFL"}, counts={"PP": {"P": 5}})
    with pytest.raises(tk.SpecError, match="counts= names the arm 'X'"):
        flow(sets={"ITT": "ITTFL"}, counts={"ITT": {"X": 5}})
    with pytest.raises(tk.DataError, match="more than one row"):
        flow(pd.concat([data, data.iloc[:1]]))
    with pytest.raises(tk.DataError, match="'SAFFL' is missing for 1"):
        flow(data.assign(SAFFL=[None, *data["SAFFL"][1:]]), treated="SAFFL")
    # A reason that reads like a status, in small letters, would be counted twice.
    with pytest.raises(tk.DataError, match="'STATUS' is missing"):
        flow(data.assign(STATUS=[None, *data["STATUS"][1:]]))


def test_figure_and_page_carry_the_numbers(tmp_path: Path) -> None:
    found = flow(
        treated="SAFFL", screening="SCREEN", sets={"ITT": "ITTFL"}, title="A <small> trial"
    )
    axes = found.plot()
    drawn = " ".join(text.get_text() for text in axes.texts)
    for words in ("Assessed for eligibility (n = 14)", "Randomised (n = 12)", "Allocated (n = 6)"):
        assert words in drawn
    for name in ("flow.svg", "flow.png", "flow.html"):
        path = found.save(tmp_path / name)
        assert path.stat().st_size > 1000
    assert (tmp_path / "flow.svg").read_bytes() == found.save(tmp_path / "b.svg").read_bytes()
    page = (tmp_path / "flow.html").read_text(encoding="utf-8")
    assert "A &lt;small&gt; trial" in page
    assert "<td>Randomised</td>" in page
    with pytest.raises(tk.SpecError, match="saved as"):
        found.save(tmp_path / "flow.pdf")
    with pytest.raises(tk.SpecError, match="No item 'Lost'"):
        found.count("Lost")


def test_labels_keep_their_own_spelling_and_capitals_are_coded_text() -> None:
    data = adsl()
    data["WHY"] = data["WHY"].replace({"ADVERSE EVENT": "AE or SAE", "LOST TO FOLLOW-UP": "AE"})
    items = flow(data).frame()["item"].tolist()
    assert {"  AE or SAE", "  AE"} <= set(items)
    assert "  Lost to follow-up" in flow().frame()["item"].tolist()


@pytest.mark.parametrize(
    ("column", "old", "new", "other"),
    [
        ("STATUS", "S01", "Completed", {}),
        ("STATUS", "S01", "Discontinued", {"discontinued": "DISCONTINUED"}),
        ("WHY", "S05", "Adverse event", {}),
    ],
)
def test_two_labels_that_would_be_one_line_are_refused(
    column: str, old: str, new: str, other: dict[str, object]
) -> None:
    data = adsl()
    data.loc[data["USUBJID"] == old, column] = new
    with pytest.raises(tk.DataError, match=f"are both '{new}' in the diagram"):
        flow(data, **other)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"excluded": {"age": -2, "other": 3}}, "excluded.'age'.=-2; a whole number"),
        ({"excluded": {"age": 2.5}}, "excluded.'age'.=2.5; a whole number"),
        ({"assessed": 20.5}, "assessed=20.5; a whole number"),
        ({"assessed": True}, "assessed=True; a whole number"),
    ],
)
def test_counts_are_whole_numbers(given: dict[str, object], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        flow(adsl().iloc[:12], **given)


def test_missing_reasons_of_any_text_type() -> None:
    options = {"treated": "SAFFL", "screening": "SCREEN", "sets": {"ITT": "ITTFL"}}
    expected = flow(**options).frame()["n"].tolist()
    for kind in ("string", "string[pyarrow]", "category"):
        data = adsl().astype(kind)
        data.index = [0, 0, *range(12)]
        assert flow(data, **options).frame()["n"].tolist() == expected
