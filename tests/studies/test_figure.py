"""Rows of a table of published figures, read or refused by row and column."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest

from trialkit.errors import DataError
from trialkit.studies.figure import FigureKey, figures_of

ROW = {"study": "s", "outcome": "pain", "statistic": "mean", "printed": "6.30"}


def frame(**changes: object) -> pd.DataFrame:
    return pd.DataFrame([{**ROW, **changes}])


def test_a_measured_figure_keeps_its_text_and_interval() -> None:
    (figure,) = figures_of(frame(granularity="1/7", unit="NRS 0-10"))
    assert figure.printed == "6.30"
    assert figure.bounds == (6.295, 6.305)
    assert figure.granularity == Fraction(1, 7)
    assert (figure.point, figure.last_digit) == (6.3, 0.01)


def test_a_count_has_two_numbers_and_no_rounding() -> None:
    (figure,) = figures_of(frame(statistic="n/N", printed="26/49"))
    assert figure.count == (26, 49)
    assert (figure.point, figure.last_digit) == (26, 1)
    with pytest.raises(DataError, match="is a count"):
        _ = figure.bounds


def test_n_is_exact_and_probabilities_stay_between_0_and_1() -> None:
    assert figures_of(frame(statistic="n", printed="49"))[0].bounds == (49, 49)
    assert figures_of(frame(statistic="p", printed="<0.001"))[0].bounds == (0, 0.001)
    assert figures_of(frame(statistic="proportion", printed="1.0"))[0].bounds == (0.95, 1)


def test_missing_optional_columns_and_values_are_empty() -> None:
    (figure,) = figures_of(frame(arm=float("nan"), granularity=None))
    assert (figure.arm, figure.timepoint, figure.granularity) == ("", "", None)


def test_numbers_read_as_numbers_are_accepted() -> None:
    (figure,) = figures_of(frame(printed=1.1, granularity=1.0))
    assert (figure.printed, figure.granularity) == ("1.1", 1)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"lack the column\(s\) printed; needed: study, outcome"):
        figures_of(frame().drop(columns="printed"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"printed": "six"}, "Row 1 .* column 'printed': 'six' is not a printed figure"),
        ({"printed": ""}, "Row 1 .* column 'printed' is empty"),
        ({"study": ""}, "Row 1 .* column 'study' is empty"),
        ({"statistic": "n/N", "printed": "26"}, "needs two whole numbers"),
        ({"granularity": "0"}, "Row 1 .* column 'granularity' holds '0'"),
        ({"granularity": "x"}, "Row 1 .* column 'granularity' holds 'x'"),
    ],
)
def test_an_unreadable_entry_is_named_by_row_and_column(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        figures_of(frame(**changes))


def test_a_figure_is_named_by_four_parts() -> None:
    key = FigureKey.parse("ldn | PEG change |  | p")
    assert key == FigureKey("ldn", "PEG change", "", "p")
    assert FigureKey.parse(str(key)) == key
    with pytest.raises(DataError, match="does not name a figure"):
        FigureKey.parse("ldn | p")
