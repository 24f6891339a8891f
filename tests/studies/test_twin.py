"""Numbers taken from a synthetic trial, and how they print."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trialkit as tk
from trialkit.errors import DataError, SpecError
from trialkit.studies.bundle import Study
from trialkit.studies.calibration import calibrated_figures
from trialkit.studies.figure import Figure, figures_of
from trialkit.studies.printing import as_printed, prints_the_same
from trialkit.studies.twin import Description, Share, Twin, describe, twin_source


def study(**data: pd.DataFrame) -> Study:
    return Study(
        name="s",
        folder=Path(),
        data=MappingProxyType(data),
        plan=None,
        figures=pd.DataFrame(),
        readme="",
    )


def test_descriptions_are_those_of_a_one_sample_t() -> None:
    values = pd.Series(np.random.default_rng(20240103).normal(0.4, 1, 25), name="CHG")
    test = stats.ttest_1samp(values, 0)
    low, high = test.confidence_interval()
    with_gap = pd.concat([values, pd.Series([np.nan])], ignore_index=True).rename("CHG")
    for statistic, expected in {
        "mean": values.mean(),
        "sd": values.std(),
        "median": np.median(values),
        "iqr": stats.iqr(values),
        "n": 25,
        "ci_low": low,
        "ci_high": high,
        "p_value": test.pvalue,
    }.items():
        assert describe(with_gap, statistic) == pytest.approx(expected)


def test_too_few_values_are_refused() -> None:
    with pytest.raises(DataError, match="CHG: 1 value"):
        describe(pd.Series([1.0, np.nan], name="CHG"), "mean")


def test_rows_are_chosen_counted_and_negated() -> None:
    frame = pd.DataFrame(
        {"ARM": ["a", "a", "b", "a"], "FL": ["Y", "N", "Y", None], "CHG": [-1.0, -3.0, 9.0, -2.0]}
    )
    twin = Twin(study(adsl=frame))
    where = {"ARM": "a"}
    assert twin.value(Share(data="adsl", where=where, count={"FL": "Y"})) == (1, 3)
    assert twin.value(Share(data="adsl", where=where, count={"FL": ("Y", "N")})) == (2, 3)
    share, total = twin.value(Share(data="adsl", where=where, count={"FL": "Y"}, percent=True))
    assert (share, total) == (pytest.approx(100 / 3), None)
    fall = Description(data="adsl", where=where, variable="CHG", statistic="mean", negated=True)
    assert twin.value(fall) == (2.0, None)


def test_what_is_not_in_the_data_is_named() -> None:
    twin = Twin(study(adsl=pd.DataFrame({"FL": ["Y"]})))
    with pytest.raises(SpecError, match="No column 'ARM' among FL"):
        twin.value(Share(data="adsl", where={"ARM": "a"}, count={"FL": "Y"}))
    with pytest.raises(SpecError, match="no data set 'adqs'; there are: adsl"):
        twin.value(Share(data="adqs", where={}, count={"FL": "Y"}))


def test_a_place_in_a_plans_results_must_be_one_row() -> None:
    twin = Twin(tk.studies.load("final2024"))
    entry = {"analysis": "pain by visit", "table": "summary", "row": {}, "column": "mean"}
    with pytest.raises(SpecError, match=r"has 8 rows with \{\}; one is needed"):
        twin.value(twin_source(entry, "here"))


def test_the_sign_is_dropped_only_on_request() -> None:
    twin = Twin(tk.studies.load("final2024"))
    entry = {
        "analysis": "effect size",
        "table": "estimates",
        "row": {"contrast": "LDN 6 mg - Placebo"},
        "column": "estimate",
    }
    signed, _ = twin.value(twin_source(entry, "here"))
    size, _ = twin.value(twin_source({**entry, "absolute": True}, "here"))
    assert signed < 0 < size
    assert size == -signed


def figure(statistic: str, printed: str) -> Figure:
    row = {"study": "s", "outcome": "o", "statistic": statistic, "printed": printed}
    return figures_of(pd.DataFrame([row]))[0]


@pytest.mark.parametrize(
    ("statistic", "printed", "value", "total", "same", "text"),
    [
        ("mean", "6.30", 6.2951, None, True, "6.30"),
        ("mean", "6.30", 6.2949, None, False, "6.29"),
        ("mean", "0.13", 0.125, None, True, "0.13"),
        ("mean", "0.12", 0.125, None, True, "0.13"),  # halves print either way
        ("p", "<0.001", 0.0004, None, True, "<0.001"),
        ("p", ">0.99", 0.9951, None, True, ">0.99"),
        ("p", "<0.001", 0.002, None, False, "0.002"),
        ("n/N", "20/44", 20, 44, True, "20/44"),
        ("n/N", "20/44", 20, 49, False, "20/49"),
        ("n", "49", 49, None, True, "49"),
        ("n", "49", 49.2, None, False, "49"),
    ],
)
def test_equality_at_the_printed_decimals(
    statistic: str, printed: str, value: float, total: int | None, same: bool, text: str
) -> None:
    published = figure(statistic, printed)
    assert prints_the_same(published, value, total) is same
    assert as_printed(published, value, total) == text


def test_a_number_without_a_printed_one_shows_four_digits() -> None:
    assert as_printed(None, 0.222374, None) == "0.2224"
    assert as_printed(None, float("nan"), None) == ""


def test_a_list_of_targets_needs_its_columns(tmp_path: Path) -> None:
    assert calibrated_figures(tmp_path) == frozenset()
    (tmp_path / "calibrated.csv").write_text("arm,outcome\na,b\n")
    with pytest.raises(DataError, match=r"lacks the column\(s\) timepoint, statistic"):
        calibrated_figures(tmp_path)
