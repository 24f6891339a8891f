"""Student's and Welch's t: R, scipy, a published example, invariances, refusals."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from analyses.frames import arm_frame, grid_samples
from hypothesis import given, settings
from reference.loader import assert_close, reference_case
from scipy import stats

import trialkit as tk

RTOL = 1e-9
NUMBERS = ("estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high")


@pytest.mark.reference
@pytest.mark.parametrize(("analysis", "equal_var"), [("student_t", True), ("welch_t", False)])
def test_matches_r(analysis: str, equal_var: bool) -> None:
    case = reference_case("parallel/a_two_arm_week12")
    table = tk.ttest(
        case.data(), outcome="CHG", arm="TRT01P", reference="Placebo", equal_var=equal_var
    ).frame()
    expected = case.table(analysis)
    assert list(table["contrast"]) == list(expected["contrast"])
    for name in NUMBERS:
        assert_close(table[name], expected[name], RTOL, atol=1e-12)


def test_students_sleep_data() -> None:
    # Cushny & Peebles' extra hours of sleep as Student (1908) prints them; R's t.test(extra ~
    # group) documents t = -1.8608, df = 17.776, p = 0.07939, interval -3.3654832 to 0.2054832.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    row = tk.ttest(arm_frame(g1=first, g2=second), outcome="CHG", arm="ARM", reference="g2")
    found = row.single()
    assert found.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p_value == pytest.approx(0.07939, abs=5e-6)
    assert (found.ci_low, found.ci_high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


@pytest.mark.parametrize("equal_var", [True, False])
@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_agrees_with_scipy_in_every_tail(equal_var: bool, alternative: str) -> None:
    rng = np.random.default_rng(20260301)
    x, y = rng.normal(0.4, 2, 11), rng.normal(0, 1, 17)
    found = tk.ttest(
        arm_frame(P=y, D=x),
        outcome="CHG",
        arm="ARM",
        reference="P",
        equal_var=equal_var,
        alternative=alternative,  # type: ignore[arg-type]
        null=0.25,
        ci_level=0.9,
    ).single()
    truth = stats.ttest_ind(x - 0.25, y, equal_var=equal_var, alternative=alternative)
    limits = truth.confidence_interval(0.9)
    assert_close([found.statistic, found.p_value], [truth.statistic, truth.pvalue], 1e-12)
    assert_close([found.ci_low, found.ci_high], [limits.low + 0.25, limits.high + 0.25], 1e-12)
    assert "null=0.25" in found.method


def test_one_row_an_arm_each_from_its_own_two_arms() -> None:
    data = arm_frame(P=[1, 2, 4], B=[2, 5, 6], A=[0, 9, 4, 1])
    table = tk.ttest(data, outcome="CHG", arm="ARM", reference="P").frame()
    assert list(table["contrast"]) == ["A - P", "B - P"]
    alone = tk.ttest(data[data["ARM"] != "B"], outcome="CHG", arm="ARM", reference="P").single()
    assert table.loc[0, "p_value"] == alone.p_value
    assert list(table["n"]) == [7, 6]
    assert list(table["n_arm"]) == [4, 3]


def test_the_order_of_a_categorical_is_kept_and_the_reference_comes_first() -> None:
    data = arm_frame(P=[1, 2, 4], B=[2, 5, 6], A=[0, 9, 4])
    data["ARM"] = pd.Categorical(data["ARM"], categories=["B", "P", "A", "unused"])
    table = tk.ttest(data, outcome="CHG", arm="ARM", reference="P").frame()
    assert list(table["contrast"]) == ["B - P", "A - P"]


@settings(deadline=None, max_examples=40)
@given(x=grid_samples(), y=grid_samples())
def test_invariances(x: list[float], y: list[float]) -> None:
    data = arm_frame(P=y, D=x)
    kwargs = {"outcome": "CHG", "arm": "ARM", "reference": "P"}
    base = tk.ttest(data, **kwargs).single()  # type: ignore[arg-type]
    reordered = tk.ttest(data.iloc[::-1], **kwargs).single()  # type: ignore[arg-type]
    swapped = tk.ttest(data, outcome="CHG", arm="ARM", reference="D").single()
    scaled = tk.ttest(data.assign(CHG=data["CHG"] * 8), **kwargs).single()  # type: ignore[arg-type]
    moved = tk.ttest(data.assign(CHG=data["CHG"] + 16), **kwargs).single()  # type: ignore[arg-type]
    np.testing.assert_allclose(reordered.p_value, base.p_value, rtol=1e-10)
    np.testing.assert_allclose(swapped.estimate, -base.estimate, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(swapped.ci_low, -base.ci_high, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scaled.se, 8 * base.se, rtol=1e-10)
    np.testing.assert_allclose(scaled.p_value, base.p_value, rtol=1e-9)
    np.testing.assert_allclose(moved.statistic, base.statistic, rtol=1e-7, atol=1e-9)


def test_equal_sizes_and_variances_make_welch_student() -> None:
    data = arm_frame(P=[0, 1, 2, 3], D=[2, 3, 4, 5])
    welch = tk.ttest(data, outcome="CHG", arm="ARM", reference="P").single()
    student = tk.ttest(data, outcome="CHG", arm="ARM", reference="P", equal_var=True).single()
    assert welch.df == pytest.approx(student.df)
    assert welch.p_value == pytest.approx(student.p_value)
    assert welch.method != student.method


def test_missing_outcomes_are_counted() -> None:
    table = tk.ttest(
        arm_frame(P=[0, 1, None, 3], D=[2, None, None, 5]), outcome="CHG", arm="ARM", reference="P"
    )
    assert table.frame()["n_missing"].item() == 3
    assert table.notes == ("D - P: 3 of 8 rows excluded, CHG missing.",)


def test_nullable_columns_are_numbers() -> None:
    data = arm_frame(P=[0, 1, None, 3], D=[2, 3, None, 5])
    plain = tk.ttest(data, outcome="CHG", arm="ARM", reference="P").single()
    nullable = data.assign(CHG=data["CHG"].astype("Int64"), ARM=data["ARM"].astype("string"))
    assert tk.ttest(nullable, outcome="CHG", arm="ARM", reference="P").single() == plain


@pytest.mark.parametrize(
    ("data", "changes", "message"),
    [
        (arm_frame(P=[1, 2], D=[1, 3]), {"outcome": "AVAL"}, "No column 'AVAL'"),
        (arm_frame(P=[1, 2], D=[1, 3]), {"arm": "TRT"}, "No column 'TRT'"),
        (
            arm_frame(P=[1, 2], D=[1, 3]),
            {"reference": "placebo"},
            "reference='placebo' is not an arm in column 'ARM'; arms: 'D', 'P'",
        ),
        (arm_frame(P=[1, 2], D=[1, 3]), {"reference": None}, "reference= must name the arm"),
        (
            arm_frame(P=[1, 2, 5], D=[1, None]),
            {},
            r"Arm 'D' has 1 observed value\(s\) of 'CHG' \(1 missing\); at least 2",
        ),
        (arm_frame(P=[1, 2]), {}, "only one arm, 'P'"),
        (arm_frame(P=[2, 2], D=[3, 3]), {}, "'CHG' is constant in both arms of D - P"),
        # A constant change of -2.9, computed row by row.
        (
            arm_frame(P=[3.6 - 6.5, 4.1 - 7.0], D=[0.6 - 3.5, 5.1 - 8.0]),
            {},
            "is constant in both arms",
        ),
        (arm_frame(P=[1, math.inf], D=[1, 3]), {}, "1 infinite value"),
        (
            arm_frame(P=[1, 2], D=[1, 3]).astype({"CHG": str}),
            {},
            "Column 'CHG' is not numeric: it holds '1.0'",
        ),
        (
            arm_frame(P=[1, 2], D=[1, 3]).assign(CHG=[True, False, True, True]),
            {},
            "'CHG' is not numeric: its type is bool",
        ),
        (
            arm_frame(P=[1, 2], D=[1, 3]).assign(
                CHG=pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-09"])
            ),
            {},
            "'CHG' is not numeric: its type is datetime",
        ),
        (
            arm_frame(P=[1, 2], D=[1, 3]).astype({"CHG": "category"}),
            {},
            "'CHG' is a Categorical",
        ),
        (
            arm_frame(P=[1, 2, 3], D=[1, 3]).assign(ARM=["P", "P", None, "D", "D"]),
            {},
            "Column 'ARM' is missing in 1 of 5 rows, the first in row 2",
        ),
    ],
)
def test_refuses_wrong_data(data: pd.DataFrame, changes: dict[str, str], message: str) -> None:
    arguments = {"outcome": "CHG", "arm": "ARM", "reference": "P", **changes}
    with pytest.raises(tk.DataError, match=message):
        tk.ttest(data, **arguments)  # type: ignore[arg-type]


def test_refuses_what_is_not_a_frame() -> None:
    with pytest.raises(tk.DataError, match="must be a pandas DataFrame, not dict"):
        tk.ttest({"CHG": [1]}, outcome="CHG", arm="ARM", reference="P")  # type: ignore[arg-type]


def test_a_repeated_subject_is_refused_where_the_subject_is_named() -> None:
    data = arm_frame(P=[1, 2], D=[1, 3]).assign(USUBJID=["S1", "S2", "S3", "S3"])
    with pytest.raises(tk.DataError, match=re.escape("1 subject(s) in 'USUBJID' have more than")):
        tk.ttest(data, outcome="CHG", arm="ARM", reference="P", subject="USUBJID")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ci_level": 95}, "ci_level=95 is not between 0 and 1"),
        ({"alternative": "larger"}, "allowed: two-sided, less, greater"),
    ],
)
def test_refuses_wrong_options(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tk.ttest(
            arm_frame(P=[1, 2], D=[1, 3]), outcome="CHG", arm="ARM", reference="P", **arguments
        )  # type: ignore[arg-type]
