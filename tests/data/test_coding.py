"""Columns as codes, labels as they read, numbers as they are held."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trialkit.data.coded_rows import CodedRows
from trialkit.data.coding import MISSING, Coded, normal_form
from trialkit.data.numbers import numbers_of
from trialkit.errors import DataError


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_blank_and_missing_text_have_no_code(dtype: object) -> None:
    frame = pd.DataFrame({"ARM": pd.Series(["b", None, "a", " ", "b", ""]).astype(dtype)})
    coded = Coded.of(frame, "ARM")
    assert [coded.label(code) for code in coded.codes.tolist()] == ["b", None, "a", None, "b", None]
    assert coded.is_missing.tolist() == [False, True, False, True, False, True]
    assert set(coded.labels) == {"a", "b"}


def test_numbers_by_label_follow_the_rows() -> None:
    coded = Coded.of(pd.DataFrame({"V": ["x", "y", None, "z"]}), "V")
    numbers = coded.numbers({"x": 1.0, "y": 2.0})
    np.testing.assert_array_equal(numbers, [1.0, 2.0, np.nan, np.nan])


def test_folding_keeps_the_first_of_what_reads_alike() -> None:
    coded = Coded.of(pd.DataFrame({"V": ["Placebo", "LDN", "placebo ", None, "LDN"]}), "V")
    folded = coded.folded()
    assert folded.labels == ("Placebo", "LDN")
    assert folded.codes.tolist() == [0, 1, 0, MISSING, 1]
    assert folded.folded() is folded


def test_a_column_of_lists_is_refused() -> None:
    with pytest.raises(DataError, match="'V' holds values that are not labels"):
        Coded.of(pd.DataFrame({"V": [[1], [2]]}), "V")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Placebo", " placebo  "),
        ("LDN 4.5 mg", "LDN  4.5\u00a0mg"),
        ("LDN-1", "LDN\u20111"),
        ("caf\u00e9", "cafe\u0301"),
        ("arm", "\u200barm"),
        (1, "1"),
        (1.0, 1),
    ],
)
def test_what_reads_alike_has_one_normal_form(one: object, other: object) -> None:
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"), [("<7", ">=7"), ("LDN 4.5", "LDN 45"), (1.5, 1), ("A", "B"), ("a b", "ab")]
)
def test_what_reads_differently_has_two(one: object, other: object) -> None:
    assert normal_form(one) != normal_form(other)


def test_places_are_grouped_in_order_of_appearance() -> None:
    frame = pd.DataFrame({"S": ["b", "a", "b", "a", "b"], "V": [1, 1, 1, 2, 2]})
    rows = CodedRows(frame=frame, subject=Coded.of(frame, "S"), visit=Coded.of(frame, "V"))
    everything = np.ones(5, dtype=bool)
    found = [(p.subject, p.visit, p.count) for p in rows.places(everything)]
    assert found == [("b", 1, 2), ("a", 1, 1), ("a", 2, 1), ("b", 2, 1)]
    by_subject = [(p.subject, p.visit, p.count) for p in rows.places(everything, by_visit=False)]
    assert by_subject == [("b", None, 3), ("a", None, 2)]
    assert list(rows.places(np.zeros(5, dtype=bool))) == []


@pytest.mark.parametrize(
    ("values", "numbers", "bad", "is_text"),
    [
        ([1, 2], [1, 2], [False, False], False),
        ([1.5, None], [1.5, np.nan], [False, False], False),
        (["1.5", "x", "", None], [1.5, np.nan, np.nan, np.nan], [False, True, False, False], True),
        ([1.5, "ND"], [1.5, np.nan], [False, True], True),
        (["nan", "2"], [np.nan, 2], [True, False], True),
        (["inf", "2"], [np.inf, 2], [False, False], True),
        ([True, False], [1, 0], [False, False], False),
        ([pd.Timestamp("2024-01-01"), pd.NaT], [np.nan, np.nan], [True, False], False),
        ([1 + 2j, 3], [np.nan, np.nan], [True, True], False),
    ],
)
def test_numbers_of_a_column(
    values: list[object], numbers: list[float], bad: list[bool], is_text: bool
) -> None:
    found = numbers_of(pd.Series(values))
    np.testing.assert_array_equal(found.values, numbers)
    assert found.is_bad.tolist() == bad
    assert found.is_text is is_text


def test_numbers_of_a_categorical_are_its_labels() -> None:
    found = numbers_of(pd.Series([2, 1, None]).astype("Int64").astype("category"))
    np.testing.assert_array_equal(found.values, [2.0, 1.0, np.nan])
    assert not found.is_text
    text = numbers_of(pd.Series(["2", "x", None]).astype("category"))
    np.testing.assert_array_equal(text.values, [2.0, np.nan, np.nan])
    assert text.is_bad.tolist() == [False, True, False]
    assert text.is_text
