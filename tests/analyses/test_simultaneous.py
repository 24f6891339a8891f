"""Adjusted p-values and simultaneous intervals of contrasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close
from scipy import stats

import trialkit as tk
from trialkit.analyses.ancova import AncovaFit
from trialkit.errors import SpecError

SINGLE_STEP = ("bonferroni", "sidak", "dunnett", "mvt")


def arms_frame(seed: int, sizes: tuple[int, ...], effect: float = 0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    arm = np.repeat([f"arm {i}" for i in range(len(sizes))], sizes)
    shift = np.repeat(np.arange(len(sizes)) * effect, sizes)
    n = sum(sizes)
    return pd.DataFrame(
        {"ARM": arm, "CHG": shift + rng.normal(size=n), "BASE": rng.normal(5, 1, n)}
    )


def fit_of(data: pd.DataFrame, formula: str = "CHG ~ ARM") -> AncovaFit:
    return tk.ancova(formula, data, arm="ARM", reference="arm 0")


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_dunnett_of_a_one_way_layout_is_scipys(alternative: str) -> None:
    data = arms_frame(1, (12, 9, 15, 10))
    groups = [data.loc[data["ARM"] == f"arm {i}", "CHG"].to_numpy() for i in range(4)]
    theirs = stats.dunnett(*groups[1:], control=groups[0], alternative=alternative, rng=1)
    table = fit_of(data).contrasts(adjust="dunnett", alternative=alternative)
    assert_close(table.p_adjusted, theirs.pvalue, rtol=0, atol=2e-4)
    interval = theirs.confidence_interval()
    frame = table.frame()
    assert_close(frame["ci_low_adjusted"], interval.low, rtol=2e-2, atol=2e-2)
    assert_close(frame["ci_high_adjusted"], interval.high, rtol=2e-2, atol=2e-2)
    assert "dunnett over 3 (exact, integral over common factors)" in frame["method"][0]


def test_tukey_of_a_one_way_layout_is_scipys() -> None:
    data = arms_frame(2, (8, 14, 9))
    groups = [data.loc[data["ARM"] == f"arm {i}", "CHG"].to_numpy() for i in range(3)]
    theirs = stats.tukey_hsd(*groups)
    table = fit_of(data).contrasts(kind="pairwise", adjust="tukey")
    pairs = [(1, 0), (2, 0), (2, 1)]
    assert_close(table.p_adjusted, [theirs.pvalue[pair] for pair in pairs], rtol=1e-8)
    interval = theirs.confidence_interval(0.95)
    frame = table.frame()
    assert_close(frame["ci_low_adjusted"], [interval.low[pair] for pair in pairs], rtol=1e-7)
    assert_close(frame["ci_high_adjusted"], [interval.high[pair] for pair in pairs], rtol=1e-7)
    assert "Tukey-Kramer" in frame["method"][0]


def test_balanced_pairs_are_the_same_by_tukey_and_by_the_joint_distribution() -> None:
    fit = fit_of(arms_frame(3, (10, 10, 10)))
    tukey = fit.contrasts(kind="pairwise", adjust="tukey").frame()
    joint = fit.contrasts(kind="pairwise", adjust="mvt").frame()
    for name in ("p_adjusted", "ci_low_adjusted", "ci_high_adjusted"):
        assert_close(tukey[name], joint[name], rtol=1e-9)


@pytest.mark.parametrize(
    ("formula", "sizes", "how"),
    [
        ("CHG ~ ARM + BASE", (8, 9, 10, 11, 7), "exact, integral over common factors"),
        ("CHG ~ ARM + BASE + X + Y", (6, 5, 7, 6, 5, 7), "error of p below"),
    ],
)
def test_dunnett_with_covariates_says_how_exact_it_is(
    formula: str, sizes: tuple[int, ...], how: str
) -> None:
    data = arms_frame(4, sizes, effect=0.3)
    rng = np.random.default_rng(1)
    data = data.assign(X=rng.normal(size=len(data)), Y=rng.normal(size=len(data)))
    table = fit_of(data, formula).contrasts(adjust="dunnett")
    assert how in table.estimates[0].method
    p = table.frame()
    assert (p["p_adjusted"] >= p["p_value"]).all()
    assert (p["p_adjusted"] <= np.minimum(1, len(p) * p["p_value"])).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), alternative=st.sampled_from(["two-sided", "less", "greater"]))
def test_simultaneous_intervals_and_adjusted_p_values_agree(seed: int, alternative: str) -> None:
    """An adjusted interval excludes the null exactly where the adjusted p is below alpha."""
    fit = fit_of(arms_frame(seed, (7, 8, 12)), "CHG ~ ARM + BASE")
    for adjust in SINGLE_STEP:
        frame = fit.contrasts(adjust=adjust, alternative=alternative, ci_level=0.8).frame()
        excludes = (frame["ci_low_adjusted"] > 0) | (frame["ci_high_adjusted"] < 0)
        assert excludes.tolist() == (frame["p_adjusted"] < 0.2).tolist()
        assert (frame["ci_low_adjusted"] <= frame["ci_low"]).all()
        assert (frame["ci_high_adjusted"] >= frame["ci_high"]).all()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_among_the_methods(seed: int) -> None:
    fit = fit_of(arms_frame(seed, (6, 9, 8, 7), effect=0.3))
    p = {
        adjust: np.array(fit.contrasts(adjust=adjust).p_adjusted)
        for adjust in ("bonferroni", "sidak", "holm", "dunnett", "dunnett-stepdown", "mvt")
    }
    slack = 1 + 1e-9
    assert (p["dunnett-stepdown"] <= p["dunnett"] * slack).all()
    assert (p["dunnett-stepdown"] <= p["holm"] * slack).all()
    assert (p["dunnett"] <= p["sidak"] * slack).all()
    assert (p["sidak"] <= p["bonferroni"] * slack).all()
    assert_close(p["mvt"], p["dunnett"], rtol=1e-12)
    raw = fit.contrasts().frame()["p_value"].to_numpy()
    largest = int(np.argmax(raw))
    assert p["dunnett-stepdown"][largest] >= raw[largest]
    assert_close(p["dunnett-stepdown"][np.argmin(raw)], p["dunnett"][np.argmin(raw)], rtol=1e-9)


def test_step_down_by_hand() -> None:
    fit = fit_of(arms_frame(9, (8, 8, 8, 8), effect=0.4))
    table = fit.contrasts(adjust="dunnett-stepdown")
    order = np.argsort([row.p_value for row in table.estimates])
    reached = 0.0
    for step, i in enumerate(order):
        left = sorted(order[step:])
        kind = {table.estimates[j].label: np.eye(4)[j + 1] - np.eye(4)[0] for j in left}
        alone = fit.contrasts(kind=kind, adjust="mvt")
        reached = max(reached, alone.p_adjusted[left.index(i)])
        assert_close(table.p_adjusted[i], reached, rtol=1e-9)


def test_a_single_comparison_needs_no_adjustment() -> None:
    fit = fit_of(arms_frame(5, (9, 11)), "CHG ~ ARM + BASE")
    plain = fit.contrasts().single()
    for adjust in (*SINGLE_STEP, "dunnett-stepdown", "holm"):
        frame = fit.contrasts(adjust=adjust).frame()
        assert_close(frame["p_adjusted"], plain.p_value, rtol=1e-10)
        if adjust in SINGLE_STEP:
            assert_close(frame["ci_low_adjusted"], plain.ci_low, rtol=1e-9)
            assert_close(frame["ci_high_adjusted"], plain.ci_high, rtol=1e-9)
    tukey = fit.contrasts(kind="pairwise", adjust="tukey").frame()
    assert_close(tukey["p_adjusted"], plain.p_value, rtol=1e-10)
    assert_close(tukey["ci_low_adjusted"], plain.ci_low, rtol=1e-9)


def test_a_shifted_null_is_adjusted_as_such() -> None:
    fit = fit_of(arms_frame(6, (9, 9, 9)))
    moved = fit_of(arms_frame(6, (9, 9, 9)).assign(CHG=lambda d: d["CHG"] - (d["ARM"] != "arm 0")))
    for adjust in SINGLE_STEP:
        ours = fit.contrasts(adjust=adjust, null=1.0, alternative="less").p_adjusted
        theirs = moved.contrasts(adjust=adjust, alternative="less").p_adjusted
        assert_close(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"adjust": "scheffe"}, "adjust='scheffe' is not offered; allowed: none, bonferroni"),
        ({"adjust": "dunnett", "kind": "pairwise"}, "'dunnett' is for comparisons with the ref"),
        ({"adjust": "dunnett", "kind": {"a": [-1, 0, 1]}}, "use 'tukey' for all pairs, 'mvt'"),
        ({"adjust": "dunnett-stepdown", "kind": "pairwise"}, "'dunnett-stepdown' is for compar"),
        ({"adjust": "tukey"}, "'tukey' is for all pairs of arms"),
        ({"adjust": "tukey", "kind": "pairwise", "alternative": "less"}, "'tukey' is two-sided"),
        ({"adjust": "holm", "family": "visit"}, "family='visit' is not offered; allowed: None"),
    ],
)
def test_adjustments_that_are_not_made_for_it(options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        fit_of(arms_frame(7, (5, 5, 5))).contrasts(**options)  # type: ignore[arg-type]


def test_tukey_holds_within_a_visit_only() -> None:
    from analyses.linear_fits import fit_visits, visit_data

    fit = fit_visits(visit_data())
    with pytest.raises(SpecError, match="'tukey' holds within a visit; use 'mvt'"):
        fit.contrasts(kind="pairwise", adjust="tukey", family="all")
    assert len(fit.contrasts(kind="pairwise", adjust="tukey")) == 9
