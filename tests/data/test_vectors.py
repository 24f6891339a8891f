from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from trialkit.data.vectors import (
    arm_codes,
    number_vector,
    require_frame,
    require_one_row_each,
    stratum_codes,
)
from trialkit.errors import DataError, SpecError


@pytest.mark.parametrize("dtype", ["float64", "float32", "object", "Float64", "double[pyarrow]"])
def test_numbers_of_every_kind_become_floats_with_nan(dtype: str) -> None:
    frame = pd.DataFrame({"CHG": pd.Series([1.5, None, -2.0], dtype=dtype)})
    vector = number_vector(frame, "CHG")
    assert vector.dtype == np.float64
    np.testing.assert_array_equal(vector, [1.5, np.nan, -2.0])


def test_a_column_without_any_value_is_all_nan() -> None:
    frame = pd.DataFrame({"CHG": pd.Series([None, None], dtype="object")})
    assert np.isnan(number_vector(frame, "CHG")).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.Series([True, None], dtype="boolean"), "its type is boolean"),
        (pd.Series([True, None], dtype="object"), "it holds True"),
        (pd.Series([1 + 2j, 3]), "it holds"),
        (pd.Series(["1", "2"], dtype="string"), "it holds '1'"),
        (pd.Series([1.0, "<5"], dtype="object"), "it holds '<5'"),
        (pd.Series(pd.to_timedelta([1, 2], unit="D")), "its type is timedelta64"),
        (pd.Series([1.0, -np.inf]), "1 infinite value"),
    ],
)
def test_what_is_not_a_finite_number_is_refused(values: pd.Series, message: str) -> None:
    with pytest.raises(DataError, match=message):
        number_vector(pd.DataFrame({"CHG": values}), "CHG")


def test_a_name_that_stands_twice_is_refused() -> None:
    frame = pd.DataFrame([[1, 2]], columns=["CHG", "CHG"])
    with pytest.raises(DataError, match="'CHG' stands 2 times"):
        number_vector(frame, "CHG")


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_codes_follow_the_order_of_arms(dtype: str) -> None:
    frame = pd.DataFrame({"ARM": pd.Series(["B", "P", "A", "B"], dtype=dtype)})
    arms, codes = arm_codes(frame, "ARM", "P")
    assert arms == ["P", "A", "B"]
    np.testing.assert_array_equal(codes, [2, 0, 1, 2])


def test_arms_may_be_numbers() -> None:
    arms, codes = arm_codes(pd.DataFrame({"DOSE": [4.5, 0.0, 3.0]}), "DOSE", 0.0)
    assert arms == [0.0, 3.0, 4.5]
    np.testing.assert_array_equal(codes, [2, 0, 1])


def test_strata_are_the_combinations_that_occur() -> None:
    frame = pd.DataFrame({"A": ["x", "y", "x", "y"], "B": [1, 1, 2, 1]})
    codes, n_strata = stratum_codes(frame, ["A", "B"])
    assert n_strata == 3
    assert codes[1] == codes[3]
    assert len(set(codes.tolist())) == 3


def test_a_missing_subject_is_refused() -> None:
    with pytest.raises(DataError, match="'S' is missing in 1 of 2 rows"):
        require_one_row_each(pd.DataFrame({"S": ["1", None]}), "S")


def test_only_a_frame_is_a_frame() -> None:
    with pytest.raises(DataError, match="not list"):
        require_frame([1])
    with pytest.raises(DataError, match="not NoneType"):
        number_vector(None, "X")


def test_a_column_is_named_and_not_handed_over() -> None:
    frame = pd.DataFrame({"X": [1.0, 2.0]})
    with pytest.raises(SpecError, match="by its name, not by a Series"):
        number_vector(frame, frame["X"])
    with pytest.raises(SpecError, match="by its name, not by a list"):
        number_vector(frame, ["X"])
