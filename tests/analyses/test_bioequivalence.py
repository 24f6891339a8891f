"""Average and reference-scaled bioequivalence against R on the replicate case."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_cases import ROLES
from reference.loader import assert_close, reference_case

import trialkit as tk
from trialkit.analyses.bioequivalence import Bioequivalence

CASE = "crossover/e_replicate_rtrt_trtr"
PK = {**ROLES, "reference": "R"}
# replicateBE's options of method B.
OPTIONS = {"A": ("A", None), "B1": ("B", "satterthwaite"), "B2": ("B", "containment")}
OPTIONS["B3"] = ("B", "kenward-roger")


@cache
def result(method: str = "A", df: Any = None, **choices: Any) -> Bioequivalence:
    data = reference_case(CASE).data()
    return tk.bioequivalence(data, **{**PK, **choices}, method=method, df=df)


def same(row: pd.Series, expected: dict[str, float], *, rtol: float, df_rtol: float) -> None:
    if "log_estimate" in expected:
        assert_close(np.log(row["estimate"]), expected["log_estimate"], rtol)
        assert_close(row["se"], expected["se"], rtol)
    assert_close(row["df"], expected["df"], df_rtol)
    assert_close(100 * row["estimate"], expected["pe_pct"], rtol)
    assert_close(100 * row["ci_low"], expected["ci90_low_pct"], rtol)
    assert_close(100 * row["ci_high"], expected["ci90_high_pct"], rtol)


@pytest.mark.reference
class TestReference:
    def test_ema_method_a(self) -> None:
        expected = reference_case(CASE)["ema_method_a"]
        same(result().frame().iloc[0], expected["table"][0], rtol=1e-8, df_rtol=0)
        fit = tk.crossover(reference_case(CASE).data(), **PK, log=True, subject_effect="fixed")
        within = fit.variance().frame().set_index("component").loc["within", "estimate"]
        assert_close(within, expected["mse"], 1e-9)

    def test_ema_method_b_satterthwaite(self) -> None:
        expected = reference_case(CASE)["ema_method_b_satterthwaite"]
        row = result("B", "satterthwaite").frame().iloc[0]
        same(row, expected["table"][0], rtol=1e-8, df_rtol=1e-6)
        fit = tk.crossover(reference_case(CASE).data(), **PK, log=True)
        sd = fit.variance().frame().set_index("component")["sd"]
        assert_close(sd["between"], expected["sd_between"], 1e-8)
        assert_close(sd["within"], expected["sd_within"], 1e-8)

    def test_ema_method_b_kenward_roger(self) -> None:
        expected = reference_case(CASE)["ema_method_b_kenward_roger"]
        row = result("B", "kenward-roger").frame().iloc[0]
        same(row, expected["table"][0], rtol=1e-8, df_rtol=1e-6)

    def test_ema_method_b_containment(self) -> None:
        """nlme stops at about 1e-8 of the standard error."""
        expected = reference_case(CASE)["ema_method_b_containment"]
        row = result("B").frame().iloc[0]
        same(row, expected["table"][0], rtol=5e-8, df_rtol=0)

    def test_variability(self) -> None:
        theirs = reference_case(CASE).table("variability").set_index("treatment")
        ours = result()
        assert_close(ours.cv_within_reference, theirs.loc["R", "cvw_pct"] / 100, 1e-9)
        assert_close(ours.sd_within_reference, theirs.loc["R", "sw"], 1e-9)
        assert_close(ours.sd_within_reference**2, theirs.loc["R", "s2w"], 1e-9)
        assert ours.df_within_reference == theirs.loc["R", "df"]
        assert_close(ours.cv_within_test, theirs.loc["T", "cvw_pct"] / 100, 1e-9)
        turned = result(reference="T")
        assert_close(turned.sd_within_reference, theirs.loc["T", "sw"], 1e-9)
        assert_close(turned.sd_within_reference**2, theirs.loc["T", "s2w"], 1e-9)
        assert turned.df_within_reference == theirs.loc["T", "df"]

    def test_abel_limits(self) -> None:
        expected = reference_case(CASE)["abel_limits"]
        ours = result(limits="abel")
        limits = 100 * np.array(ours.limits)
        assert_close(limits, [expected["low"], expected["high"]], 1e-9)
        assert_close(100 * ours.cv_within_reference, expected["cvwr_pct"], 1e-9)

    def test_replicatebe(self) -> None:
        """replicateBE prints its own optimum of method B, near the REML one to 1e-6."""
        if "replicateBE" not in reference_case(CASE).tools:
            pytest.skip("the pack was made without replicateBE")
        for expected in reference_case(CASE)["replicatebe"]["table"]:
            method, df = OPTIONS[expected["method"]]
            ours = result(method, df)
            same(ours.frame().iloc[0], expected, rtol=1e-6, df_rtol=1e-6)
            assert_close(100 * ours.cv_within_reference, expected["cvwr_pct"], 1e-9)

    def test_fda_rsabe(self) -> None:
        expected = reference_case(CASE)["fda_rsabe"]
        table = tk.rsabe(reference_case(CASE).data(), **PK).frame().set_index("quantity")
        ilat, s2 = table.loc["ilat"], table.loc["s2_wr"]
        assert ilat["n"] == expected["n"]
        assert_close(ilat["estimate"], expected["ilat_estimate"], 1e-9)
        assert_close(ilat["se"], expected["ilat_se"], 1e-9)
        assert_close([ilat["df"], s2["df"]], [expected["ilat_df"], expected["df_dlat"]], 0)
        assert_close([s2["estimate"], s2["sd"]], [expected["s2wr"], expected["swr"]], 1e-9)
        assert_close((np.log(1.25) / 0.25) ** 2, expected["theta"], 1e-12)
        assert_close(table.loc["criterion_bound", "estimate"], expected["critbound"], 1e-8)


def pk_data(sw: float = 0.5, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {"USUBJID": i, "SEQ": seq, "PERIOD": k, "TRTA": letter, "AVAL": level}
        for i, (seq, level) in enumerate(
            zip(["RTRT", "TRTR"] * 12, rng.normal(size=24), strict=True)
        )
        for k, letter in enumerate(seq, start=1)
    ]
    data = pd.DataFrame(rows)
    noise = rng.normal(size=len(data)) * np.where(data["TRTA"] == "R", sw, 0.2)
    return data.assign(AVAL=np.exp(3 + 0.3 * data["AVAL"] + noise))


def test_two_one_sided_tests_agree_with_the_interval() -> None:
    data = pk_data(sw=0.2)
    row = tk.bioequivalence(data, **PK).frame().iloc[0]
    t = (np.log(row["estimate"]) - np.log(0.8)) / row["se"]
    from scipy import stats

    assert_close(row["p_tost_low"], stats.t.sf(t, row["df"]), 1e-10)
    assert (row["p_tost"] < 0.05) == (row["ci_low"] > 0.8 and row["ci_high"] < 1.25)
    assert row["is_bioequivalent"] == (row["p_tost"] < 0.05)
    shifted = data.assign(AVAL=data["AVAL"] * np.where(data["TRTA"] == "T", 1.4, 1.0))
    far = tk.bioequivalence(shifted, **PK).frame().iloc[0]
    assert_close(far["estimate"], 1.4 * row["estimate"], 1e-10)
    assert not far["is_bioequivalent"]
    assert far["p_tost_high"] > 0.5


def test_limits_widen_only_above_thirty_percent_and_stop_at_fifty() -> None:
    narrow = tk.bioequivalence(pk_data(sw=0.15), **PK, limits="abel")
    wide = tk.bioequivalence(pk_data(sw=0.9), **PK, limits="abel")
    said = f"Limits {wide.limits[0]:.4f} to {wide.limits[1]:.4f}, by the reference's CV"
    assert any(said in note and "a ratio in 0.80 to 1.25" in note for note in wide.notes)
    assert not any("ABEL" in note for note in tk.bioequivalence(pk_data(sw=0.9), **PK).notes)
    assert narrow.limits == (0.8, 1.25)
    assert np.round(wide.limits, 4).tolist() == [0.6984, 1.4319]


def test_a_widened_limit_still_asks_for_the_point_estimate_inside() -> None:
    data = pk_data(sw=0.9)
    ratio = tk.bioequivalence(data, **PK).single().estimate
    moved = data.assign(AVAL=data["AVAL"] * np.where(data["TRTA"] == "T", 1.3 / ratio, 1.0))
    # Many copies of the subjects: an interval well inside the widened limits.
    many = pd.concat([moved.assign(USUBJID=moved["USUBJID"] + 100 * k) for k in range(9)])
    row = tk.bioequivalence(many, **PK, limits="abel").frame().iloc[0]
    assert row["ci_high"] < row["limit_high"]
    assert not row["is_bioequivalent"]


def test_without_a_repeated_reference_there_is_no_within_reference_variance() -> None:
    data = pk_data().query("PERIOD <= 2")
    table = tk.bioequivalence(data, **PK)
    assert np.isnan(table.cv_within_reference)
    with pytest.raises(tk.SpecError, match="no subject has it twice"):
        tk.bioequivalence(data, **PK, limits="abel")
    with pytest.raises(tk.DesignError, match="not a full replicate"):
        tk.rsabe(data, **PK)


def test_the_tables_keep_what_stands_beside_them() -> None:
    table = tk.bioequivalence(pk_data(), **PK)
    assert table.where(contrast="T - R").cv_within_reference == table.cv_within_reference
    assert table.single().method.startswith("EMA method A: crossover of log outcome, fixed")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"method": "C"}, "allowed: A, B"),
        ({"df": "containment"}, "are for method='B'"),
        ({"method": "B", "df": "residual"}, "allowed: containment"),
        ({"limits": "fda"}, "two numbers, 'abel'"),
        ({"limits": (1.25, 0.8)}, "two ratios around one"),
    ],
)
def test_refusals(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tk.bioequivalence(pk_data(), **PK, **choices)
    with pytest.raises(tk.DataError, match="at or below"):
        tk.rsabe(pk_data().assign(AVAL=0.0), **PK)


def test_one_sequence_cannot_tell_products_from_periods() -> None:
    data = pk_data()
    one = data[data["SEQ"] == data["SEQ"].iloc[0]]
    with pytest.raises(tk.DesignError, match="in one sequence only"):
        tk.rsabe(one, **PK)


@pytest.mark.parametrize("limits", [None, 0.8, (0.8, 1.0, 1.25), ("a", "b"), (float("nan"), 1.25)])
def test_limits_that_are_not_two_ratios(limits: Any) -> None:
    with pytest.raises(tk.SpecError, match="two ratios around one"):
        tk.bioequivalence(pk_data(), **PK, limits=limits)
