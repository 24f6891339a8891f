"""The one tidy schema, and what may be done with it."""

from __future__ import annotations

import dataclasses
import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from trialkit.errors import SpecError
from trialkit.results import Estimate, EstimateTable, TestTable
from trialkit.results.display import format_column
from trialkit.results.tables import TestResult

FIXED = [
    "estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high", "ci_level", "n",
    "method", "scale", "status",
]  # fmt: skip


def table(**changes: object) -> EstimateTable:
    rows = [("4.5 mg - Placebo", "Week 8", -0.4), ("4.5 mg - Placebo", "Week 12", -0.9)]
    rows += [("3 mg - Placebo", "Week 8", -0.1), ("3 mg - Placebo", "Week 12", -0.5)]
    settings: dict = {
        "estimates": tuple(
            Estimate.from_t(label=c, estimate=e, se=0.4, df=80, n=90, method="ANCOVA", unit="NRS")
            for c, _, e in rows
        ),
        "keys": {
            "contrast": tuple(row[0] for row in rows),
            "visit": tuple(row[1] for row in rows),
        },
        "variable": "CHG",
        "notes": ("7 rows with missing CHG excluded.",),
        **changes,
    }
    return EstimateTable(**settings)


def test_columns_are_keys_then_fixed_then_extras_then_adjusted() -> None:
    plain = table(extras={"n_low": (1, 2, 3, 4)})
    assert list(plain.frame().columns) == ["contrast", "visit", *FIXED, "n_low"]
    adjusted = plain.adjust("holm", family="visit").frame()
    assert list(adjusted.columns) == ["contrast", "visit", *FIXED, "n_low", "p_adjusted"]


def test_columns_do_not_depend_on_level() -> None:
    rows = tuple(dataclasses.replace(row, ci_level=0.9) for row in table().estimates)
    assert list(table(estimates=rows).frame().columns) == list(table().frame().columns)


def test_numbers_are_unrounded() -> None:
    estimate = Estimate.from_t(label="x", estimate=1 / 3, se=1 / 7, df=9.123456789, n=9, method="m")
    frame = EstimateTable(estimates=(estimate,), keys={"contrast": ("x",)}).frame()
    assert frame.loc[0, "estimate"] == 1 / 3
    assert frame.loc[0, "df"] == 9.123456789


def test_a_result_does_not_follow_the_lists_it_was_made_from() -> None:
    labels = ["a"]
    estimate = Estimate.from_z(label="x", estimate=1, se=1, n=9, method="m")
    result = EstimateTable(estimates=(estimate,), keys={"contrast": labels})
    labels[0] = "changed"
    frame = result.frame()
    frame.loc[0, "estimate"] = 99.0
    assert result.keys["contrast"] == ("a",)
    assert result.frame().loc[0, "estimate"] == 1


def test_tables_are_frozen_hashable_and_picklable() -> None:
    result = table().adjust("holm")
    assert pickle.loads(pickle.dumps(result)) == result
    assert hash(result) == hash(table().adjust("holm"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.notes = ()  # type: ignore[misc]
    with pytest.raises(AttributeError, match="cannot be changed"):
        result.keys.new = 1
    with pytest.raises(TypeError):
        iter(result)


def test_where_keeps_rows_and_refuses_what_is_not_there() -> None:
    chosen = table().where(visit="Week 12")
    assert chosen.frame()["estimate"].tolist() == [-0.9, -0.5]
    assert len(table().where(visit=["Week 8", "Week 12"])) == 4
    with pytest.raises(
        SpecError, match=r"No row has visit='week 12'; present: 'Week 8', 'Week 12'"
    ):
        table().where(visit="week 12")
    with pytest.raises(SpecError, match="No key 'analyte' in this table; keys: contrast, visit"):
        table().where(analyte="IL-6")


def test_where_takes_any_collection_of_values() -> None:
    for wanted in (np.array(["Week 12"]), pd.Series(["Week 12"]), pd.Index(["Week 12"])):
        assert table().where(visit=wanted).frame()["estimate"].tolist() == [-0.9, -0.5]
    with pytest.raises(SpecError, match="visit= lists no value; present: 'Week 8', 'Week 12'"):
        table().where(visit=[])


def test_single_is_for_one_row() -> None:
    assert table().where(visit="Week 8", contrast="3 mg - Placebo").single().estimate == -0.1
    with pytest.raises(SpecError, match="has 4 rows, not one"):
        table().single()


def test_adjusted_values_stay_those_of_their_family() -> None:
    whole = table().adjust("bonferroni")
    part = whole.where(visit="Week 12")
    assert part.p_adjusted == (whole.p_adjusted[1], whole.p_adjusted[3])


def test_families_are_adjusted_apart() -> None:
    frame = table().adjust("bonferroni", family="visit").frame()
    assert frame["p_adjusted"].tolist() == [min(1, 2 * p) for p in frame["p_value"]]
    both = table().adjust("bonferroni", family="all").frame()
    assert both["p_adjusted"].tolist() == [min(1, 4 * p) for p in both["p_value"]]
    with pytest.raises(SpecError, match="family='arm' is not a key"):
        table().adjust("holm", family="arm")


def test_method_tells_adjustments_apart() -> None:
    once = table().adjust("holm", family="visit")
    assert once.estimates[0].method == "ANCOVA; p_adjusted: holm over 2 within visit"
    again = once.adjust("fdr_bh")
    assert again.estimates[0].method == "ANCOVA; p_adjusted: fdr_bh over 4"


def test_lengths_and_names_that_clash_are_refused() -> None:
    with pytest.raises(SpecError, match="Key 'contrast' has 1 values for 4 rows"):
        table(keys={"contrast": ("a",)})
    with pytest.raises(SpecError, match="Column 'estimate' would stand twice"):
        table(extras={"estimate": (1, 2, 3, 4)})
    with pytest.raises(SpecError, match="Column 'visit' would stand twice"):
        table(extras={"visit": (1, 2, 3, 4)})


def test_ard_has_one_row_a_statistic() -> None:
    rows = table().adjust("holm").to_ard()
    one = rows[(rows["group1_level"] == "3 mg - Placebo") & (rows["group2_level"] == "Week 12")]
    stats = dict(zip(one["stat_name"], one["stat"], strict=True))
    assert stats["estimate"] == -0.5
    assert {"se", "df", "ci_low", "ci_high", "p_value", "p_adjusted", "n"} <= set(stats)
    assert set(one["group2"]) == {"visit"}
    assert set(one["variable"]) == {"CHG"}
    assert set(one["warning"]) == {"7 rows with missing CHG excluded."}
    assert one["error"].isna().all()
    assert list(rows.columns) == [
        "group1", "group1_level", "group2", "group2_level", "variable", "stat_name",
        "stat_label", "stat", "method", "warning", "error",
    ]  # fmt: skip


def test_ard_carries_the_reason_of_a_missing_number() -> None:
    row = Estimate.undefined(label="x", status="not estimable", n=3, method="m")
    rows = EstimateTable(estimates=(row,), keys={"contrast": ("x",)}).to_ard()
    assert set(rows["error"]) == {"not estimable"}


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_html_shows_numbers_and_escapes_labels() -> None:
    labels = ("<script>alert(1)</script>", "b", "c", "d")
    html = table(keys={"contrast": labels})._repr_html_()
    assert "<script>" not in html
    parser = _Text()
    parser.feed(html)
    assert {"-0.4000", "CHG", "Method: ANCOVA.", labels[0]} <= set(parser.texts)


def test_text_is_one_screen() -> None:
    row = Estimate.from_z(label="x", estimate=1, se=1, n=9, method="m")
    many = EstimateTable(estimates=(row,) * 100, keys={"analyte": tuple(range(100))})
    text = repr(many)
    assert "60 more rows" in text
    assert len(text.splitlines()) < 50


def test_plot_draws_every_row_and_refuses_mixed_scales() -> None:
    axes = table().plot()
    assert [label.get_text() for label in axes.get_yticklabels()][1] == "4.5 mg - Placebo | Week 12"
    assert axes.get_xlabel() == "CHG [NRS] (95% CI)"
    mixed = (
        table().estimates[0],
        Estimate.from_z(label="r", estimate=0.1, se=1, n=3, method="m", scale="ratio"),
    )
    with pytest.raises(SpecError, match="cannot hold the scales difference, ratio"):
        EstimateTable(estimates=mixed, keys={"contrast": ("a", "b")}).plot()


def test_test_table_has_its_own_fixed_columns() -> None:
    test = TestResult(num_df=2, den_df=155, statistic=3.45, p_value=0.034, method="F")
    tests = TestTable(tests=(test,), keys={"term": ("TRT01P",)}, extras={"sum_sq": (18.2,)})
    assert list(tests.frame().columns) == [
        "term", "num_df", "den_df", "statistic", "p_value", "method", "sum_sq",
    ]  # fmt: skip
    assert tests.where(term="TRT01P").tests == (test,)
    assert "0.034" in repr(tests)
    assert "0.034" in tests._repr_html_()
    assert len(tests) == 1
    stats = tests.to_ard().set_index("stat_name")["stat"]
    assert stats["den_df"] == 155
    assert pickle.loads(pickle.dumps(tests)) == tests


def test_display_keeps_nan_blank_and_small_p_readable() -> None:
    rows = (
        Estimate.from_z(label="x", estimate=9, se=1, n=9, method="m"),
        Estimate.undefined(label="y", status="not estimable", n=9, method="m"),
    )
    text = repr(EstimateTable(estimates=rows, keys={"contrast": ("x", "y")}))
    assert "<0.001" in text
    assert "nan" not in text.lower()
    assert "not estimable" in text


def test_frame_of_an_empty_table_keeps_its_columns() -> None:
    frame = EstimateTable(estimates=(), keys={"contrast": ()}).frame()
    assert list(frame.columns) == ["contrast", *FIXED]
    assert isinstance(frame, pd.DataFrame)


def test_a_column_shares_its_decimals_unless_that_hides_a_number() -> None:
    assert format_column("estimate", [-0.34, -1.23456]) == ["-0.340", "-1.235"]
    assert format_column("df", [97.0, 4.0]) == ["97", "4"]
    assert format_column("se", [1234.5, 0.00123]) == ["1234", "0.001230"]
    assert format_column("estimate", [float("inf"), 0.0, float("nan"), 2.5]) == [
        "inf",
        "0.000",
        "",
        "2.500",
    ]
    assert format_column("p_value", [0.0004, 0.9996, 0.05]) == ["<0.001", ">0.999", "0.050"]
    assert format_column("visit", ["Week 4", None, 8]) == ["Week 4", "", "8"]
