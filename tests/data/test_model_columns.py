"""What passes for a number and for a label: dates, complex numbers and blanks do not."""

from __future__ import annotations

import decimal

import numpy as np
import pandas as pd
import pytest

from trialkit.analyses.ancova import ancova
from trialkit.analyses.quade import quade
from trialkit.analyses.ttest import ttest
from trialkit.analyses.van_elteren import van_elteren
from trialkit.data.model_columns import numeric_column
from trialkit.errors import DataError

FORMULA = "CHG ~ ARM + SITE"


def trial() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ARM": ["P", "D"] * 6,
            "SITE": ["A", "A", "B", "B"] * 3,
            "CHG": [1.0, 3.0, 2.0, 5.0, 0.0, 4.0, 1.5, 2.5, 3.5, 6.0, 2.2, 3.1],
        }
    )


NOT_NUMBERS = {
    "dates": pd.date_range("2024-01-01", periods=12, freq="7D"),
    "dates as objects": list(pd.date_range("2024-01-01", periods=12, freq="7D").to_numpy()),
    "durations": pd.timedelta_range("1D", periods=12),
    "months": pd.period_range("2024-01", periods=12, freq="M"),
    "complex": np.arange(12) + 1j,
    "booleans as objects": [True, 2.0] * 6,
}


@pytest.mark.parametrize("kind", NOT_NUMBERS)
def test_an_outcome_that_would_convert_to_numbers_is_refused(kind: str) -> None:
    values = NOT_NUMBERS[kind]
    as_object = isinstance(values, list)
    data = trial().assign(CHG=pd.Series(values, dtype=object) if as_object else values)
    with pytest.raises(DataError, match="'CHG' is not numeric"):
        ancova(FORMULA, data, arm="ARM", reference="P")


def test_decimals_and_missing_objects_are_numbers() -> None:
    values = pd.Series([decimal.Decimal("1.5"), 2, None, pd.NA], dtype=object)
    np.testing.assert_array_equal(numeric_column(values, "X"), [1.5, 2.0, np.nan, np.nan])


def test_a_whole_number_beyond_double_precision_is_refused() -> None:
    data = trial().assign(CHG=pd.Series([10**400] * 12, dtype=object))
    with pytest.raises(DataError, match="'CHG' holds a number beyond double precision"):
        ttest(data, outcome="CHG", arm="ARM", reference="P")


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_units_whose_squares_are_lost_are_refused(unit: float) -> None:
    data = trial()
    data["CHG"] *= unit
    with pytest.raises(DataError, match=r"'CHG' has 6e.*another unit"):
        ttest(data, outcome="CHG", arm="ARM", reference="P")
    with pytest.raises(DataError, match=r"'CHG' has 6e.*another unit"):
        ancova(FORMULA, data, arm="ARM", reference="P")


@pytest.mark.parametrize("unit", [1e-70, 1e70])
def test_other_units_change_no_p_value(unit: float) -> None:
    data = trial()
    expected = ancova(FORMULA, data, arm="ARM", reference="P", vcov="HC3").contrasts().single()
    data["CHG"] *= unit
    found = ancova(FORMULA, data, arm="ARM", reference="P", vcov="HC3").contrasts().single()
    np.testing.assert_allclose(found.p_value, expected.p_value, rtol=1e-9)


@pytest.mark.parametrize("column", ["ARM", "SITE"])
@pytest.mark.parametrize("kind", ["text", "category"])
def test_a_blank_label_is_no_level(column: str, kind: str) -> None:
    data = trial()
    data.loc[[2, 3, 6, 7], column] = " "
    if kind == "category":
        data[column] = data[column].astype("category")
    message = f"'{column}' has a blank label in 4 of 12 rows, the first in row 2"
    with pytest.raises(DataError, match=message):
        ancova(FORMULA, data, arm="ARM", reference="P")
    with pytest.raises(DataError, match=message):
        van_elteren(data, outcome="CHG", arm="ARM", reference="P", strata="SITE")


def test_labels_that_cannot_be_told_apart_by_hashing_are_refused() -> None:
    data = trial().assign(ARM=[["P"], ["D"]] * 6, BASE=range(12))
    with pytest.raises(DataError, match="'ARM' holds values that are not labels"):
        quade(data, outcome="CHG", covariates="BASE", arm="ARM")
