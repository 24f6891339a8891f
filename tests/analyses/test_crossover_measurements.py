"""Crossovers with several measurements in a period: means, components, counts, figures."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_variance_trials import WILLIAMS, components, fit, numbers, trial
from reference.loader import assert_close

import trialkit as tk
from trialkit.analyses.crossover import BoundaryWarning


def means_of(data: pd.DataFrame) -> pd.DataFrame:
    return data.groupby(["ID", "SEQ", "PER", "TRT"], as_index=False, observed=True)["AVAL"].mean()


@pytest.mark.parametrize("sequences", [("AB", "BA"), WILLIAMS])
@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite", "containment", "normal"])
def test_complete_measurements_are_the_analysis_of_period_means(
    sequences: tuple[str, ...], df: str
) -> None:
    data = trial(sequences, n=18, visits=4, period_sd=1.0)
    found, means = fit(data, measurement="VISIT", df=df), fit(means_of(data), df=df)
    tables = [each.contrasts(kind="pairwise") for each in (found, means)]
    assert_close(numbers(tables[0]), numbers(tables[1]), rtol=1e-6, atol=1e-9)
    parts, plain = components(found), components(means)
    assert_close(parts["between"], plain["between"], rtol=1e-7)
    within = parts["subject-by-period"] + parts["residual"] / 4
    assert_close(within, plain["within"], rtol=1e-7)


def test_components_of_measurements_are_named() -> None:
    data = trial(("AB", "BA"), n=16, visits=3, missing=0.1, seed=6)
    data["AVAL"] = np.exp(data["AVAL"] / 10)
    found = fit(data, measurement="VISIT", log=True)
    parts = components(found)
    names = ["between", "subject-by-period", "residual", "within", "difference"]
    assert parts.index.tolist() == [*names, "icc", "icc_period", "cv_within"]
    within = parts["subject-by-period"] + parts["residual"]
    assert_close(parts[["within", "difference"]], [within, 2 * within], rtol=1e-12)
    total = parts["between"] + within
    assert_close(parts["icc"], parts["between"] / total, rtol=1e-12)
    period = parts["between"] + parts["subject-by-period"]
    assert_close(parts["icc_period"], period / total, rtol=1e-12)
    assert_close(parts["cv_within"], np.sqrt(np.expm1(within)), rtol=1e-12)
    assert_close(components(found, "sd")["within"], np.sqrt(within), rtol=1e-12)
    assert "SD of subject-by-period" in repr(found)
    assert "random subject and subject-by-period (REML)" in found.method
    assert found.type3().frame()["term"].tolist() == [
        *("sequence", "period", "treatment", "measurement")
    ]


def test_gaps_and_dropped_rows_are_counted() -> None:
    data = trial(("AB", "BA"), n=12, visits=3)
    data.loc[[0, 7], "AVAL"] = np.nan
    data = data.drop(index=[13])
    found = fit(data, measurement="VISIT")
    assert (found.n_observations, found.n_excluded, found.n_subjects) == (69, 2, 12)
    rows, periods = found.contrasts().notes[:2]
    assert rows == "69 of 71 rows analysed, of 12 subjects: 12 with 2 of 2 periods."
    assert periods == (
        "24 periods of subjects analysed, with 2 to 3 of 3 measurements each (21 with all)."
    )
    assert fit(data, measurement="VISIT", complete_cases=True).n_subjects == 9
    counts = found.contributions().set_index("subject")["n_periods"]
    assert (counts == 2).all()


def test_containment_has_a_stratum_for_the_periods() -> None:
    data = trial(("AB", "BA"), n=10, visits=3)
    tests = fit(data, measurement="VISIT", df="containment").type3().frame()
    found = tests.set_index("term")["den_df"].to_dict()
    cells, rows = 20, 60
    periods = cells - 10 - 2
    assert found == {
        "sequence": 8,
        "period": periods,
        "treatment": periods,
        "measurement": rows - cells - 2,
    }


def test_a_subject_by_period_variance_of_zero_is_held_and_said() -> None:
    data = trial(("AB", "BA"), n=12, visits=4, period_sd=0.0, seed=9)
    means = data.groupby(["ID", "PER"], observed=True)["AVAL"].transform("mean")
    level = data.groupby("ID", observed=True)["AVAL"].transform("mean")
    data["AVAL"] -= 0.9 * (means - level)
    with pytest.warns(BoundaryWarning, match="subject-by-period variance is at its bound"):
        held = fit(data, measurement="VISIT")
    assert components(held)["subject-by-period"] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        free = fit(data, measurement="VISIT", variance_bound=False)
    assert components(free)["subject-by-period"] < 0
    assert "variances unbounded" in free.method


def test_a_baseline_of_the_period_stands_in_all_its_rows() -> None:
    data = trial(("AB", "BA"), n=16, visits=3, missing=0.1, seed=8)
    data["BASE"] += 0.5 * data["PER"] * (pd.factorize(data["ID"])[0] % 3)
    plain = fit(data, measurement="VISIT", baseline="BASE", baseline_as="within-subject")
    assert "baseline" in plain.columns
    # Each period's baseline counts once in the subject's mean, whatever its measurements.
    once = data.drop_duplicates(["ID", "PER"])
    mean = once.groupby("ID", observed=True)["BASE"].mean()
    given = data.assign(BASE=data["BASE"] - data["ID"].map(mean))
    assert_close(
        numbers(plain.contrasts()),
        numbers(fit(given, measurement="VISIT", baseline="BASE").contrasts()),
        rtol=1e-9,
    )
    stray = data.assign(BASE=data["BASE"].where(data.index != 1, 99.0))
    with pytest.raises(tk.DataError, match=r"'BASE' has more than one value for subject 'S00' in"):
        fit(stray, measurement="VISIT", baseline="BASE")


def test_carryover_reads_the_period_before() -> None:
    data = trial(WILLIAMS, n=18, visits=2)
    found = fit(data, measurement="VISIT", carryover=True)
    assert "carryover[LDN]" in found.columns
    same = fit(means_of(data), carryover=True)
    assert_close(numbers(found.contrasts()), numbers(same.contrasts()), rtol=1e-6)
    # The treatment of a row without an outcome is that of its period's other rows.
    unknown = data.assign(TRT=data["TRT"].where(data.index != 3), AVAL=data["AVAL"])
    unknown.loc[3, "AVAL"] = np.nan
    empty = data.assign(AVAL=unknown["AVAL"])
    tables = [fit(each, measurement="VISIT", carryover=True) for each in (unknown, empty)]
    assert_close(*(numbers(each.contrasts()) for each in tables), rtol=1e-12)


def test_figures_show_the_means_of_periods() -> None:
    data = trial(("AB", "BA"), n=12, visits=3, missing=0.1)
    found, means = fit(data, measurement="VISIT"), fit(means_of(data))
    for name in ("plot_profiles", "plot_period_means", "plot_paired"):
        ours, theirs = (getattr(each, name)() for each in (found, means))
        for one, other in zip(ours.lines, theirs.lines, strict=True):
            assert_close(one.get_ydata(), other.get_ydata(), rtol=1e-12)
    assert found.plot_residuals() is not None
