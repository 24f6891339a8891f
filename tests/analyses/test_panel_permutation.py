"""Westfall-Young within the design: arrangements, seeds, errors, validity."""

from __future__ import annotations

from itertools import combinations, product
from math import comb

import numpy as np
import pandas as pd
import pytest
from analyses.panels import (
    CROSSOVER,
    PAIRED,
    PARALLEL,
    crossover_panel,
    paired_panel,
    parallel_panel,
    three_period_panel,
)
from scipy import stats

import trialkit as tk


def test_parallel_enumeration_by_hand() -> None:
    data = parallel_panel(n=8, m=3)
    frame = tk.compare_panel(data, **PARALLEL, adjust="maxt").frame()
    y = data.assign(L=np.log2(data["AVAL"])).pivot(index="PARAMCD", columns="USUBJID", values="L")
    arm = data.drop_duplicates("USUBJID").set_index("USUBJID")["TRT01P"][y.columns] == "LDN"
    every = []
    for chosen in combinations(range(8), 4):
        g = np.isin(np.arange(8), chosen)
        t = stats.ttest_ind(y.to_numpy()[:, g], y.to_numpy()[:, ~g], axis=1).statistic
        every.append(np.abs(t))
    table = np.array(every).T
    observed = np.abs(stats.ttest_ind(y.loc[:, arm], y.loc[:, ~arm], axis=1).statistic)
    assert table.shape[1] == comb(8, 4)
    raw = np.mean(table >= observed[:, None] - 1e-9, axis=1)
    single = [np.mean(table.max(axis=0) >= value - 1e-9) for value in observed]
    np.testing.assert_allclose(frame["p_permutation"], raw)
    np.testing.assert_allclose(frame["p_single_step"], single)
    assert "all 70 rearrangements of the subjects" in frame["method"].iloc[0]


def test_min_p_agrees_with_max_t_where_all_rows_have_one_distribution() -> None:
    """Of paired ranks without ties every analyte has the same distribution."""
    data = paired_panel(n=7, m=6)
    options = {**PAIRED, "test": "wilcoxon"}
    high = tk.compare_panel(data, **options, adjust="maxt").frame()
    low = tk.compare_panel(data, **options, adjust="minp").frame()
    np.testing.assert_allclose(high["p_adjusted"], low["p_adjusted"])
    np.testing.assert_allclose(high["p_permutation"], high["p_value"])  # the exact test's own


def test_crossover_exchanges_sequences() -> None:
    data = crossover_panel(n=8, m=2)
    frame = tk.compare_panel(data, **CROSSOVER, adjust="maxt").frame()
    assert "all 70 rearrangements" in frame["method"].iloc[0]
    swapped = tk.compare_panel(data, **{**CROSSOVER, "reference": "LDN"}, adjust="maxt").frame()
    np.testing.assert_allclose(frame["p_adjusted"], swapped["p_adjusted"])


WILLIAMS = ("ABC", "BAC", "ACB", "BCA", "CAB", "CBA") * 2
THREE = {**CROSSOVER, "reference": "A", "adjust": "maxt"}


def test_three_periods_exchange_the_order_of_the_two_treatments_alone() -> None:
    """All rearrangements by hand: t of B - A by least squares on the pair's differences."""
    data = three_period_panel(WILLIAMS)
    table = tk.compare_panel(data, **THREE).where(contrast="B - A").frame()
    assert "all 216 rearrangements of the sequences that differ" in table["method"].iloc[0]
    wide = data.assign(L=np.log2(data["AVAL"])).pivot(
        index="USUBJID", columns=["PARAMCD", "TRTA"], values="L"
    )
    first = [min(s.index("A"), s.index("B")) for s in WILLIAMS]
    last = [max(s.index("A"), s.index("B")) for s in WILLIAMS]
    periods = np.zeros((12, 3))
    periods[np.arange(12), last] += 1
    periods[np.arange(12), first] -= 1
    later_b = np.array([s.index("B") > s.index("A") for s in WILLIAMS])

    def statistic(b_came_later: np.ndarray) -> np.ndarray:
        x = np.column_stack([2.0 * b_came_later - 1, periods[:, 1:]])
        out = []
        for name in ("A0", "A1", "A2"):
            d = (wide[name]["B"] - wide[name]["A"]).to_numpy() * (2.0 * later_b - 1)
            coef, rss = np.linalg.lstsq(x, d, rcond=None)[:2]
            se = np.sqrt(rss[0] / 9 * np.linalg.inv(x.T @ x)[0, 0])
            out.append(abs(coef[0] / se))
        return np.array(out)

    observed = statistic(later_b)
    np.testing.assert_allclose(observed, table["statistic"].abs())
    classes = [[i for i in range(12) if (first[i], last[i]) == pair] for pair in PAIRS]
    every = []
    for choice in product(*[list(combinations(group, 2)) for group in classes]):
        every.append(statistic(np.isin(np.arange(12), np.concatenate(choice))))
    values = np.array(every).T
    assert values.shape[1] == 216
    raw = np.mean(values >= observed[:, None] - 1e-9, axis=1)
    single = [np.mean(values.max(axis=0) >= value - 1e-9) for value in observed]
    np.testing.assert_allclose(table["p_permutation"], raw)
    np.testing.assert_allclose(table["p_single_step"], single)


PAIRS = ((0, 1), (0, 2), (1, 2))


def test_what_the_third_treatment_does_changes_nothing() -> None:
    data = three_period_panel(WILLIAMS)
    moved = data.assign(AVAL=data["AVAL"] * np.where(data["TRTA"] == "C", 50.0, 1.0))
    for other in (moved, data[(data["TRTA"] != "C") | (data["PARAMCD"] != "A0")]):
        a, b = (tk.compare_panel(d, **THREE).where(contrast="B - A").frame() for d in (data, other))
        np.testing.assert_allclose(a["p_adjusted"], b["p_adjusted"])
    without = {key: value for key, value in THREE.items() if key != "sequence"}
    a, b = (tk.compare_panel(data, **o).frame()["p_adjusted"] for o in (THREE, without))
    np.testing.assert_allclose(a, b)
    squares = tk.compare_panel(data, **{**THREE, "adjust": "none"}).global_test().frame()
    assert squares.groupby("test").size()["sum-of-squares"] == 2


def test_sequences_without_a_counterpart_are_not_rearranged() -> None:
    latin = three_period_panel(("ABC", "BCA", "CAB") * 3)
    with pytest.raises(tk.SpecError, match="differ in the order of the two treatments alone"):
        tk.compare_panel(latin, **THREE)
    assert tk.compare_panel(latin, **{**THREE, "adjust": "holm"}).frame()["p_value"].notna().all()
    wrong = latin.assign(SEQ=latin["SEQ"].replace("BCA", "ABC"))
    with pytest.raises(tk.DataError, match="SEQ='ABC' has both 'C' and 'A' in PERIOD=3"):
        tk.compare_panel(wrong, **THREE)


def test_plates_that_differ_within_subjects_are_not_exchanged() -> None:
    data = paired_panel(n=6)
    data["PLATE"] = np.where(data["USUBJID"] < "S03", "P1", "P2")
    same = tk.compare_panel(data, **PAIRED, plate="PLATE", adjust="maxt").frame()
    plain = tk.compare_panel(data, **PAIRED, adjust="maxt").frame()
    np.testing.assert_allclose(same["p_adjusted"], plain["p_adjusted"])
    data.loc[(data["USUBJID"] == "S00") & (data["AVISIT"] == "Week 8"), "PLATE"] = "P2"
    with pytest.raises(tk.SpecError, match="would exchange the plates"):
        tk.compare_panel(data, **PAIRED, plate="PLATE", adjust="maxt")


def test_strata_restrict_the_arrangements() -> None:
    data = parallel_panel(n=12, m=2)
    frame = tk.compare_panel(data, **PARALLEL, strata="SITE", adjust="maxt").frame()
    assert (
        f"all {comb(4, 2) ** 3} rearrangements of the subjects within strata"
        in (frame["method"].iloc[0])
    )


def test_a_sample_is_seeded_and_gives_its_error() -> None:
    data = parallel_panel(n=20, m=4)
    options = {**PARALLEL, "adjust": "maxt", "permutations": 400}
    one = tk.compare_panel(data, **{**options, "permutations": np.int64(400)}, rng=7).frame()
    two = tk.compare_panel(data, **options, rng=7).frame()
    other = tk.compare_panel(data, **options, rng=8).frame()
    pd.testing.assert_frame_equal(one, two)
    assert (one["p_adjusted"] != other["p_adjusted"]).any()
    p = one["p_adjusted"]
    np.testing.assert_allclose(one["p_adjusted_se"], np.sqrt(p * (1 - p) / 401))
    assert (one["p_adjusted"] >= 1 / 401).all()
    full = tk.compare_panel(data, **{**options, "permutations": None}).frame()
    assert "p_adjusted_se" not in full  # 184,756 arrangements: all of them
    np.testing.assert_allclose(one["p_adjusted"], full["p_adjusted"], atol=0.1)


def test_a_count_beyond_the_arrangements_enumerates_them() -> None:
    table = tk.compare_panel(paired_panel(n=6), **PAIRED, adjust="maxt", permutations=1000)
    assert "all 64 exchanges" in table.adjustment


def test_alternatives_look_at_one_tail() -> None:
    data = paired_panel(n=8, m=3, effect=-1.0)
    less = tk.compare_panel(data, **PAIRED, adjust="maxt", alternative="less").frame()
    greater = tk.compare_panel(data, **PAIRED, adjust="maxt", alternative="greater").frame()
    both = tk.compare_panel(data, **PAIRED, adjust="maxt").frame()
    assert (less["p_permutation"] + greater["p_permutation"] >= 1).all()
    np.testing.assert_allclose(both["p_permutation"], np.minimum(1, 2 * less["p_permutation"]))


@pytest.mark.parametrize("design", ["paired", "parallel"])
def test_censored_scores_reduce_to_the_t_test(design: str) -> None:
    """A limit just above the lowest value leaves the permutation p-values nearly alone."""
    data, options = {
        "paired": (paired_panel(n=9, m=3), PAIRED),
        "parallel": (parallel_panel(n=16, m=3), {**PARALLEL, "baseline": "BASE"}),
    }[design]
    plain = tk.compare_panel(data, **options, adjust="maxt").frame()
    limit = data.groupby("PARAMCD")["AVAL"].transform("min") * 1.0001
    found = tk.compare_panel(data.assign(LLOQ=limit), **options, lloq="LLOQ", adjust="maxt").frame()
    assert (found["n_censored"] > 0).all()
    assert "(3 with censored values by the t statistic of their scores" in found["method"].iloc[0]
    np.testing.assert_allclose(found["p_permutation"], plain["p_permutation"], atol=0.06)


def test_null_rejections_stay_at_the_level() -> None:
    """The smallest adjusted p of a null panel is uniform or above: 200 panels."""
    smallest = []
    for seed in range(200):
        data = paired_panel(n=6, m=4, effect=0.0, seed=seed)
        frame = tk.compare_panel(data, **PAIRED, adjust="maxt").frame()
        smallest.append(frame["p_adjusted"].min())
    share = np.mean(np.array(smallest) <= 0.125)
    assert share <= 0.125 + 3 * np.sqrt(0.125 * 0.875 / 200)
    assert share > 0.03


def test_given_arrangements_are_checked() -> None:
    data = parallel_panel(n=8, m=2)
    options = {**PARALLEL, "adjust": "maxt"}
    names = data["USUBJID"].unique()
    good = pd.DataFrame([[0, 1] * 4, [1, 0] * 4], columns=names)
    frame = tk.compare_panel(data, **options, permutations=good).frame()
    assert "2 given arrangements;" in frame["method"].iloc[0] + ";"
    with pytest.raises(tk.DataError, match=r"1 analysed subject\(s\) have none \(first 'S00'\)"):
        tk.compare_panel(data, **options, permutations=good.drop(columns="S00"))
    with pytest.raises(tk.DataError, match="rows of 0"):
        tk.compare_panel(data, **options, permutations=good * 2)
    with pytest.raises(tk.DesignError, match="row 0 gives 8 subjects the role that 4 of 8 had"):
        tk.compare_panel(data, **options, permutations=good * 0 + 1)
    with pytest.raises(tk.SpecError, match="permutations=-3"):
        tk.compare_panel(data, **options, permutations=-3)


def test_chance_needs_a_seed() -> None:
    with pytest.raises(tk.SpecError, match="needs rng="):
        tk.compare_panel(parallel_panel(n=30), **PARALLEL, adjust="maxt")


@pytest.mark.parametrize("dtype", ["object", "category"])
def test_a_seed_gives_the_same_arrangements_whatever_the_order_of_rows(dtype: str) -> None:
    data = parallel_panel()
    data = data.assign(USUBJID=data["USUBJID"].astype(dtype))
    options = PARALLEL | {"adjust": "maxt", "permutations": 300, "rng": 4}
    first = tk.compare_panel(data, **options).frame().set_index("analyte")["p_adjusted"]
    mixed = data.sample(frac=1, random_state=2)
    again = tk.compare_panel(mixed, **options).frame().set_index("analyte")["p_adjusted"]
    assert again.loc[first.index].tolist() == first.tolist()
    assert 0 < first.min() < first.max()
