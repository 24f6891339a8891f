"""The twin of Bested 2023: how many may have been analysed, and what its plan shows."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trialkit as tk
from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import raw_stream
from trialkit.plan import PlanRun, run_plan
from trialkit.studies.synthetic import bested2023
from trialkit.studies.synthetic.ranked_differences import PrintedRanks, ranked_differences

PRINTED = PrintedRanks(n=40, median="2.5", iqr="9", effect_size="0.30", p_value="0.06")


@pytest.fixture(scope="module")
def run() -> PlanRun:
    study = tk.studies.load("bested2023")
    assert study.plan is not None
    return run_plan(study.plan)


def test_p_and_effect_sizes_allow_37_to_55() -> None:
    reproduction = tk.studies.reproduce("bested2023")
    implied = reproduction.frame().query("statistic == 'n implied by p and effect size'")
    low, high = implied["reproduced_low"].max(), implied["reproduced_high"].min()
    assert (ceil(low), floor(high)) == (37, 55)
    assert low <= bested2023.ANALYSED <= high
    readme = tk.studies.load("bested2023").readme
    for shown in (*implied["reproduced_low"], *implied["reproduced_high"]):
        assert f"{shown:.1f}" in readme
    assert all("37 to 55" in note for note in implied["note"])
    assert "37 to 55" in readme


def test_the_number_analysed_is_an_assumption_and_nothing_counts(run: PlanRun) -> None:
    reproduction = tk.studies.reproduce("bested2023")
    assumed = reproduction.frame().query("statistic == 'n, assumed'").iloc[0]
    assert (assumed["basis"], assumed["reproduced"]) == ("derived", bested2023.ANALYSED)
    assert "assumption" in assumed["note"]
    counts = reproduction.counts()
    assert counts["calibrated"] == 9
    assert counts["agrees"] == 0


def test_no_median_of_sixths_prints_the_fiqrs() -> None:
    """What the README says of the FIQR's grid: the median of 52 is a multiple of 1/12."""
    twelfths = np.arange(-30, 1) / 12
    assert not np.any(np.abs(twelfths + 1.65) < 0.005)
    thirds = np.arange(-30, 1) / 6
    assert np.any(np.abs(thirds + 0.33) < 0.005)


@pytest.mark.parametrize("code", ["FIQR", "SPIR"])
def test_the_signed_rank_is_named_and_ranks_and_models_differ_by_chance(
    run: PlanRun, code: str
) -> None:
    signed = run.table(f"{code}, signed rank").frame().iloc[0]
    assert "no period adjustment" in signed["method"]
    assert signed["n"] == bested2023.ANALYSED
    koch = run.table(f"{code}, ranks adjusted for period").frame().iloc[0]
    assert koch["method"].startswith("Koch")
    assert koch["n"] == bested2023.ANALYSED
    for name in ("mixed model", "mixed model with washout baselines"):
        mixed = run.table(f"{code}, {name}").frame().iloc[0]
        assert mixed["n"] == 58  # the first periods of those who left are used
        assert "Kenward-Roger" in mixed["method"]
        assert mixed["ci_low"] < 0 < mixed["ci_high"]


def test_who_left_has_a_first_period_only() -> None:
    adqs = tk.studies.load("bested2023").data["adqs"]
    left = adqs[adqs["ANL01FL"] == "N"]
    assert left["USUBJID"].nunique() == 6
    seen = left.groupby("APERIOD", observed=True)[["BASE", "AVAL"]].count()
    assert seen.loc[1].tolist() == [12, 12]
    assert seen.loc[2].tolist() == [0, 0]
    assert left["DIFF"].isna().all()


def test_the_differences_are_those_of_the_scores_and_within_bounds() -> None:
    adqs = tk.studies.load("bested2023").data["adqs"]
    for code, scale in bested2023.SCALES.items():
        rows = adqs[adqs["PARAMCD"] == code]
        units = (rows[["BASE", "AVAL"]] / float(scale.unit)).stack()
        assert np.abs(units - units.round()).max() < 1e-9
        assert units.between(0, scale.high).all()
        wide = rows.pivot(index="USUBJID", columns="TRTA", values=["AVAL", "DIFF"])
        found = wide["AVAL", "LDN 4.5 mg"] - wide["AVAL", "Placebo"]
        given = wide["DIFF", "LDN 4.5 mg"]
        assert (found - given).abs().max() < 1e-9
        assert given.notna().sum() == bested2023.ANALYSED


@pytest.mark.parametrize("method", ["linear", "weibull", "averaged_inverted_cdf", "hazen"])
def test_every_definition_of_a_quartile_gives_the_width(method: str) -> None:
    adqs = tk.studies.load("bested2023").data["adqs"]
    for code, width in (("FIQR", 18.55), ("SPIR", 19 / 3)):
        values = adqs.loc[adqs["PARAMCD"] == code, "DIFF"].dropna().to_numpy()
        low, high = np.quantile(values, [0.25, 0.75], method=method)  # type: ignore[call-overload]
        assert high - low == pytest.approx(width, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_differences_carry_what_is_asked(sign: int) -> None:
    printed = PrintedRanks(
        n=40, median=f"{sign * 2.5}", iqr="9", effect_size="0.30", p_value="0.06"
    )
    drawn = ranked_differences(printed, unit=Fraction(1, 2), largest=60, stream=raw_stream(4))
    values = pd.Series(drawn) / 2
    test = stats.wilcoxon(values, method="asymptotic")
    assert values.median() == sign * 2.5
    assert values.quantile(0.75) - values.quantile(0.25) == 9
    assert f"{abs(test.zstatistic) / np.sqrt(40):.2f}" == "0.30"
    assert f"{test.pvalue:.2f}" == "0.06"
    assert values.abs().max() <= 30
    assert np.sign(values.sum()) == sign


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": 42}, "42 differences do not divide into quarters"),
        ({"median": "2.4"}, r"No median in steps of 1/4 prints 2.4"),
        ({"iqr": "9.2"}, r"No interquartile range in steps of 1/2 prints 9.2"),
        ({"p_value": "0.60"}, "No z of 40 differences prints both"),
        ({"effect_size": "0.86", "p_value": "0.00"}, "does not prove there are none"),
    ],
)
def test_differences_that_cannot_be_are_refused(
    changed: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trialkit.studies.synthetic.ranked_differences.EXCHANGES", 20)
    fields = {name: getattr(PRINTED, name) for name in PRINTED.__dataclass_fields__}
    printed = PrintedRanks(**{**fields, **changed})
    with pytest.raises(DesignError, match=message):
        ranked_differences(printed, unit=Fraction(1, 2), largest=60, stream=raw_stream(4))
