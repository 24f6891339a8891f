"""Van Elteren's test: R, rank sums written out, its unstratified limit, refusals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from analyses.frames import arm_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import stats

import trialkit as tk


@pytest.mark.reference
def test_matches_r() -> None:
    case = reference_case("parallel/b_three_arm_strata")
    table = tk.van_elteren(
        case.data(),
        outcome="CHG",
        arm="TRT01P",
        reference="Placebo",
        strata=["STRATA1", "STRATA2"],
    )
    row = table.where(contrast="LDN 4.5 mg - Placebo").frame()
    assert_close(row["statistic"], [case["van_elteren"]["z"]], 1e-9)
    assert_close(row["p_value"], [case["van_elteren"]["p_value"]], 1e-9)
    assert len(table) == 2
    assert row["den_df"].item() == math.inf


def two_sites(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 46
    site = rng.choice(["A", "B", "C"], n, p=[0.5, 0.3, 0.2])
    arm = np.where(np.arange(n) % 2 == 0, "D", "P")
    change = np.round(rng.normal(0, 1.5, n) + (site == "A") - 0.7 * (arm == "D"), 0)
    return pd.DataFrame({"ARM": arm, "SITE": site, "CHG": change})


def slow_z(data: pd.DataFrame) -> float:
    """Wilcoxon rank sums of each site against their permutation moments, by the definition."""
    top = bottom = 0.0
    for _, part in data.groupby("SITE", observed=True):
        ranks = stats.rankdata(part["CHG"])
        is_arm = (part["ARM"] == "D").to_numpy()
        m, n = int(is_arm.sum()), len(part)
        if m in (0, n):
            continue
        top += (ranks[is_arm].sum() - m * ranks.mean()) / (n + 1)
        bottom += m * (n - m) / n * ranks.var(ddof=1) / (n + 1) ** 2
    return top / math.sqrt(bottom)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_is_its_definition_in_every_tail(seed: int, alternative: str) -> None:
    data = two_sites(seed)
    z = slow_z(data)
    p_values = {
        "two-sided": 2 * stats.norm.sf(abs(z)),
        "less": stats.norm.cdf(z),
        "greater": stats.norm.sf(z),
    }
    row = tk.van_elteren(
        data,
        outcome="CHG",
        arm="ARM",
        reference="P",
        strata="SITE",
        alternative=alternative,  # type: ignore[arg-type]
    ).tests[0]
    assert row.statistic == pytest.approx(z, rel=1e-11)
    assert row.p_value == pytest.approx(p_values[alternative], rel=1e-11)


def test_one_stratum_is_wilcoxon_without_continuity_correction() -> None:
    data = two_sites().assign(SITE="all")
    row = tk.van_elteren(data, outcome="CHG", arm="ARM", reference="P", strata="SITE").tests[0]
    wilcoxon = tk.rank_sum(
        data, outcome="CHG", arm="ARM", reference="P", exact=False, continuity=False, null=0.0
    ).single()
    assert row.statistic == pytest.approx(wilcoxon.statistic)
    assert row.p_value == pytest.approx(wilcoxon.p_value)


def test_null_is_the_shift_under_test() -> None:
    data = two_sites()
    moved = data.assign(CHG=data["CHG"] + 0.5 * (data["ARM"] == "D"))
    kwargs = {"outcome": "CHG", "arm": "ARM", "reference": "P", "strata": "SITE"}
    shifted = tk.van_elteren(moved, null=0.5, **kwargs).tests[0]  # type: ignore[arg-type]
    plain = tk.van_elteren(data, **kwargs).tests[0]  # type: ignore[arg-type]
    assert shifted.statistic == pytest.approx(plain.statistic)
    assert "null=0.5" in shifted.method


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_invariances(seed: int) -> None:
    data = two_sites(seed)
    kwargs = {"outcome": "CHG", "arm": "ARM", "strata": "SITE"}
    base = tk.van_elteren(data, reference="P", **kwargs).tests[0]  # type: ignore[arg-type]
    swapped = tk.van_elteren(data.iloc[::-1], reference="D", **kwargs).tests[0]  # type: ignore[arg-type]
    by_site = data["SITE"].map({"A": 0, "B": 100, "C": -7})
    moved = data.assign(CHG=3 * data["CHG"] + by_site)
    shifted = tk.van_elteren(moved, reference="P", **kwargs).tests[0]  # type: ignore[arg-type]
    assert swapped.statistic == pytest.approx(-base.statistic)
    assert shifted.statistic == pytest.approx(base.statistic)


def test_a_stratum_with_one_arm_contributes_nothing_and_is_counted() -> None:
    data = two_sites()
    lonely = pd.DataFrame({"ARM": ["D", "D"], "SITE": ["Z", "Z"], "CHG": [50.0, 60.0]})
    kwargs = {"outcome": "CHG", "arm": "ARM", "reference": "P", "strata": "SITE"}
    table = tk.van_elteren(pd.concat([data, lonely], ignore_index=True), **kwargs)  # type: ignore[arg-type]
    assert table.tests[0].statistic == tk.van_elteren(data, **kwargs).tests[0].statistic  # type: ignore[arg-type]
    assert table.frame()[["n", "n_strata"]].iloc[0].tolist() == [46, 3]
    assert table.notes == ("D - P: 1 of 4 strata hold one arm only and contribute nothing.",)


def test_missing_outcomes_are_counted() -> None:
    data = two_sites()
    data.loc[[0, 5], "CHG"] = np.nan
    table = tk.van_elteren(data, outcome="CHG", arm="ARM", reference="P", strata="SITE")
    assert table.notes == ("D - P: 2 rows excluded, CHG missing.",)
    assert table.frame()["n_missing"].item() == 2


def test_refusals() -> None:
    data = arm_frame(P=[1, 2], D=[3, 4]).assign(SITE=["A", "A", "B", "B"])
    kwargs = {"outcome": "CHG", "arm": "ARM", "strata": "SITE"}
    with pytest.raises(tk.DataError, match="no stratum holds both arms and two different"):
        tk.van_elteren(data, reference="P", **kwargs)  # type: ignore[arg-type]
    with pytest.raises(tk.DataError, match="'SITE' is missing in 1 of 4 rows"):
        tk.van_elteren(data.assign(SITE=["A", None, "A", "B"]), reference="P", **kwargs)  # type: ignore[arg-type]
    with pytest.raises(tk.DataError, match="reference= must name the arm"):
        tk.van_elteren(data, reference=None, **kwargs)  # type: ignore[arg-type]
    with pytest.raises(tk.SpecError, match="strata= must name at least one column"):
        tk.van_elteren(data, outcome="CHG", arm="ARM", reference="P", strata=[])
    with pytest.raises(tk.DataError, match="Arm 'D' has 1 observed"):
        tk.van_elteren(data.assign(CHG=[1, 2, 3, None]), reference="P", **kwargs)  # type: ignore[arg-type]
