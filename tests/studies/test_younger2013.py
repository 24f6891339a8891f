"""What the twin of Younger 2013 shows: the paired p, and which tests print the responders' 0.05."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import trialkit as tk
from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import raw_stream
from trialkit.kernels.paired_binary import mcnemar
from trialkit.plan import run_plan
from trialkit.studies.synthetic.paired_scores import paired_with_p


def test_the_plan_gives_the_paired_p_and_a_period_adjusted_one() -> None:
    study = tk.studies.load("younger2013")
    assert study.plan is not None
    run = run_plan(study.plan)
    paired = run.table("reduction, paired").frame().iloc[0]
    assert round(paired["p_value"], 3) == 0.016
    assert paired["estimate"] == pytest.approx(10.8, abs=0.06)
    assert paired["n"] == 28
    adjusted = run.table("reduction, period-adjusted").frame().iloc[0]
    assert adjusted["n"] == 28
    assert "Kenward-Roger" in adjusted["method"]


def test_no_usual_mcnemar_test_of_any_joint_table_prints_the_responders_p() -> None:
    """9 and 3 of 28: the joint table has 0 to 3 who respond to both."""
    for both in range(4):
        test = mcnemar(9 - both, 3 - both, ci_level=0.95)
        for p in (test.p_exact, test.p_mid, test.p_value, test.p_corrected):
            assert f"{p:.2f}" != "0.05", (both, p)
    for kind in ("pearson", "log-likelihood"):
        unpaired = stats.chi2_contingency([[9, 19], [3, 25]], correction=False, lambda_=kind)
        assert f"{unpaired.pvalue:.2f}" == "0.05"


def test_the_reproduction_shows_what_prints_the_responders_p() -> None:
    frame = tk.studies.reproduce("younger2013").frame()
    rows = frame[frame["outcome"] == "responder"].set_index("statistic")
    found = rows["reproduced"]
    assert found["p"] == pytest.approx(0.0507, abs=5e-5)
    assert found["p, likelihood ratio"] == pytest.approx(0.047, abs=5e-4)
    assert found["p, Barnard"] > 0.055
    below, above = (found[f"p, McNemar, nearest {side} 0.05"] for side in ("below", "above"))
    everything = [
        p
        for both in range(4)
        for test in [mcnemar(9 - both, 3 - both, ci_level=0.95)]
        for p in (test.p_exact, test.p_mid, test.p_value, test.p_corrected)
    ]
    assert below == max(p for p in everything if p <= 0.05) < 0.045
    assert above == min(p for p in everything if p > 0.05) > 0.055
    rare = rows[rows.index.str.contains("both")]
    assert [f"{p:.2f}" for p in rare["reproduced"]] == ["0.05", "0.05"]
    assert rare["note"].str.contains("needs the joint table").all()


def test_the_check_sees_ab_ba_and_no_deviation() -> None:
    study = tk.studies.load("younger2013")
    design = tk.Crossover(
        subject="USUBJID",
        sequence="TRTSEQP",
        period="APERIOD",
        treatment="TRTA",
        reference="Placebo",
        outcome="PCTRED",
    )
    report = tk.check(study.data["adqs"], design)
    assert len(report) == 0
    assert "Design seen: AB/BA" in " ".join(report.notes)


def test_pairs_carry_the_p_asked_for() -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.normal(50, 20, size=20).round().astype(int).tolist() for _ in "ab")
    shifted = [value + 8 for value in first]
    order = paired_with_p(shifted, second, "0.10", raw_stream(1))
    assert sorted(order) == sorted(second)
    assert f"{stats.ttest_rel(shifted, order).pvalue:.2f}" == "0.10"
    with pytest.raises(DesignError, match="does not prove"):
        paired_with_p([1, 2, 3], [1, 2, 3], "0.0001", raw_stream(1))
