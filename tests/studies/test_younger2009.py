"""The twin of Younger 2009: phases in one order, read from a diary."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import trialkit as tk
from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import raw_stream
from trialkit.plan import PlanRun, run_plan
from trialkit.studies.synthetic.diary import diary_days, with_total

PHASE_DAYS = {"Baseline": (1, 14), "Placebo": (15, 28), "LDN 4.5 mg": (29, 84), "Washout": (85, 98)}


@pytest.fixture(scope="module")
def study() -> tk.studies.Study:
    return tk.studies.load("younger2009")


@pytest.fixture(scope="module")
def run(study: tk.studies.Study) -> PlanRun:
    assert study.plan is not None
    return run_plan(study.plan)


def test_every_result_says_that_the_order_is_confounded(run: PlanRun) -> None:
    for analysis in run.analyses[1:]:
        assert analysis.method == "phase_contrast"
        assert any("confounded" in note for note in analysis.tables["contrasts"].notes)


def test_phases_of_the_womens_reductions_are_the_paired_t_test(
    study: tk.studies.Study, run: PlanRun
) -> None:
    wide = study.data["adeff"].pivot(index="USUBJID", columns="APHASE", values="PCTRED")
    expected = stats.ttest_rel(wide["LDN 4.5 mg"], wide["Placebo"])
    found = run.table("reduction, phases compared").frame().iloc[0]
    assert found["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert found["df"] == 9
    assert [found["ci_low"], found["ci_high"]] == pytest.approx(
        list(expected.confidence_interval()), rel=1e-9
    )
    assert f"{found['p_value']:.3f}" == "0.003"


def test_the_ends_of_the_phases_are_those_of_the_diary(study: tk.studies.Study) -> None:
    diary, ends = study.data["adqs"], study.data["adeff"]
    by_day = diary.pivot(index="USUBJID", columns="ADY", values="AVAL")
    for phase, (_, last) in PHASE_DAYS.items():
        rows = ends[ends["APHASE"] == phase].set_index("USUBJID")
        if phase not in ("Placebo", "LDN 4.5 mg"):
            assert rows.empty
            continue
        base, end = by_day.loc[:, 1:14].mean(axis=1), by_day.loc[:, last - 2 : last].mean(axis=1)
        assert np.allclose(rows["BASE"], base, atol=5e-5)
        assert np.allclose(rows["AVAL"], end, atol=5e-5)
        assert np.allclose(rows["PCTRED"], 100 * (1 - end / base), atol=5e-5)
        assert (rows["ADY"] == last).all()


def test_the_diary_has_every_day_once_in_whole_scores(study: tk.studies.Study) -> None:
    diary = study.data["adqs"]
    assert len(diary) == 980
    for _, own in diary.groupby("USUBJID", observed=True):
        assert own["ADY"].tolist() == list(range(1, 99))
    for phase, (first, last) in PHASE_DAYS.items():
        days = diary.loc[diary["APHASE"] == phase, "ADY"]
        assert (days.min(), days.max()) == (first, last)
        flagged = diary.loc[(diary["APHASE"] == phase) & (diary["ANL01FL"] == "Y"), "ADY"]
        assert sorted(set(flagged)) == list(range(last - 6, last + 1))
    assert diary["AVAL"].between(0, 100).all()
    assert (diary["AVAL"] == diary["AVAL"].round()).all()


def test_all_days_show_less_than_the_last_week(run: PlanRun) -> None:
    """What the README says of the two ways to read the diary."""
    contrast = {"contrast": "LDN 4.5 mg - Placebo"}
    week, every = (
        run.table(f"diary, {name}").where(**contrast).single()
        for name in ("last week of each phase", "every day")
    )
    assert week.estimate < every.estimate < 0
    said = {
        name: any("modelled as a step" in note for note in run.table(f"diary, {name}").notes)
        for name in ("last week of each phase", "every day")
    }
    assert said == {"last week of each phase": False, "every day": True}
    paired = run.table("reduction, phases compared").single()
    width = (paired.ci_high - paired.ci_low) / paired.estimate
    assert abs((week.ci_high - week.ci_low) / week.estimate) < width


def test_a_diary_has_the_spread_and_correlation_asked_for() -> None:
    days = np.array(
        diary_days(
            [Fraction(50)] * 4000,
            sd=8,
            correlation=Fraction(1, 2),
            levels=range(101),
            stream=raw_stream(3),
        )
    )
    # Monte Carlo errors: SD of the mean 8 sqrt(3 / 4000), of a correlation sqrt(3 / 4 / 4000).
    assert abs(days.mean() - 50) < 4 * 8 * np.sqrt(3 / 4000)
    assert days.std() == pytest.approx(8, rel=0.06)
    assert np.corrcoef(days[:-1], days[1:])[0, 1] == pytest.approx(0.5, abs=0.055)


def test_days_are_moved_to_a_total() -> None:
    assert with_total([10, 20, 30], 66, levels=range(101)) == [16, 20, 30]
    assert with_total([10, 20, 30], 40, levels=range(101)) == [10, 15, 15]
    assert with_total([5, 6], 0, levels=range(101)) == [0, 0]
    with pytest.raises(DesignError, match="2 scores of the diary cannot add up to 201"):
        with_total([5, 6], 201, levels=range(101))
