"""Keys as people write them; everything else with the decimals of its column."""

from __future__ import annotations

from trialkit.report.cells import readable
from trialkit.results import Estimate, EstimateTable


def table(**keys: tuple[object, ...]) -> EstimateTable:
    estimate = Estimate.from_t(
        label="x", estimate=-0.25, se=0.5, df=30, n=32, method="made up", unit=""
    )
    return EstimateTable(
        estimates=(estimate,) * len(next(iter(keys.values()))), keys=keys, variable="AVAL"
    )


def test_whole_numbers_that_name_a_row_have_no_decimals() -> None:
    cells = readable(table(time=(28.0, 56.0, -0.0), arm=("a", "b", "c")))
    assert [row[:2] for row in cells.rows] == [("28", "a"), ("56", "b"), ("0", "c")]
    assert cells.is_number[:2] == (True, False)
    assert [row[2] for row in cells.rows] == ["-0.25"] * 3


def test_fractions_that_name_a_row_keep_theirs_and_a_missing_one_is_blank() -> None:
    assert [row[0] for row in readable(table(delta=(0.5, 1.0))).rows] == ["0.50", "1.00"]
    assert [row[0] for row in readable(table(delta=(2.0, float("nan")))).rows] == ["2", ""]
