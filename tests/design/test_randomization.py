"""Randomisation lists: balanced in every block, uniform over orders, the same from its seed."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialkit.design.randomization import randomize, randomize_crossover
from trialkit.errors import SpecError


def blocks_of(frame: pd.DataFrame, strata: list[str], assigned: str = "arm") -> list[list[str]]:
    return [group[assigned].tolist() for _, group in frame.groupby([*strata, "block"], sort=False)]


@settings(deadline=None, max_examples=40)
@given(
    ratio=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    multiples=st.sets(st.integers(1, 3), min_size=1),
    n_blocks=st.integers(1, 12),
    seed=st.integers(0, 2**64),
)
def test_every_block_holds_the_ratio(
    ratio: list[int], multiples: set[int], n_blocks: int, seed: int
) -> None:
    arms = {f"arm {i}": share for i, share in enumerate(ratio)}
    total = sum(ratio)
    n = n_blocks * max(multiples) * total
    result = randomize(arms, n=n, blocks=[m * total for m in sorted(multiples)], rng=seed)
    frame = result.frame()
    assert len(frame) == n
    for block, size in zip(
        blocks_of(frame, []), frame.groupby("block")["block_size"].first(), strict=True
    ):
        assert len(block) == size
        assert Counter(block) == {arm: share * size // total for arm, share in arms.items()}


def test_arrangements_of_a_block_of_four_are_uniform() -> None:
    n_blocks = 6_000
    frame = randomize(["A", "B"], n=4 * n_blocks, blocks=4, rng=20260302).frame()
    counts = Counter("".join(block) for block in blocks_of(frame, []))
    assert set(counts) == {"".join(p) for p in permutations("AABB")}
    expected = n_blocks / 6
    chi2 = sum((count - expected) ** 2 / expected for count in counts.values())
    # The 0.9999 quantile of chi-square on 5 df.
    assert chi2 < 25.74


def test_first_assignments_over_seeds_are_uniform() -> None:
    n_seeds = 2_000
    firsts = Counter(
        randomize({"A": 2, "B": 1}, n=3, blocks=3, rng=seed).frame()["arm"].tolist().index("B")
        for seed in range(n_seeds)
    )
    expected = n_seeds / 3
    # The 0.9999 quantile of chi-square on 2 df: consecutive seeds are as good as any.
    assert sum((firsts[i] - expected) ** 2 / expected for i in range(3)) < 18.42


def test_strata_have_lists_of_their_own() -> None:
    strata = {"SITE": ["Oslo", "Odense"], "SEX": ["F", "M"]}
    result = randomize(["LDN", "Placebo"], n=20, blocks=(4, 6), strata=strata, rng=11)
    frame = result.frame()
    assert list(frame.columns) == [
        "randomization_number",
        "SITE",
        "SEX",
        "block",
        "block_size",
        "arm",
    ]
    assert frame.groupby(["SITE", "SEX"]).size().tolist() == [20] * 4
    assert frame["randomization_number"].is_unique
    lists = {tuple(group["arm"]) for _, group in frame.groupby(["SITE", "SEX"])}
    assert len(lists) == 4
    balance = result.balance()
    assert list(balance.columns) == ["SITE", "SEX", "arm", "n", "expected"]
    assert (balance["n"] == balance["expected"]).all()
    assert balance.loc[balance["SITE"] == "all", "n"].tolist() == [40, 40]


def test_the_last_stratum_leaves_the_others_as_they_were() -> None:
    one = randomize(["A", "B"], n=40, blocks=4, strata={"SITE": ["1", "2"]}, rng=3).frame()
    two = randomize(["A", "B"], n=40, blocks=4, strata={"SITE": ["1", "2", "3"]}, rng=3).frame()
    assert two.head(80)["arm"].tolist() == one["arm"].tolist()


def test_strata_may_differ_in_size() -> None:
    sizes = {("Oslo",): 8, ("Odense",): 16}
    strata = {"SITE": ["Oslo", "Odense"]}
    frame = randomize(["A", "B"], n=sizes, blocks=4, strata=strata, rng=1).frame()
    assert frame["SITE"].value_counts().to_dict() == {"Oslo": 8, "Odense": 16}
    by_label = {"Oslo": 8, "Odense": 16}
    again = randomize(["A", "B"], n=by_label, blocks=4, strata=strata, rng=1).frame()
    pd.testing.assert_frame_equal(frame, again)


def test_the_seed_makes_the_list_again() -> None:
    given_seed = randomize(["A", "B"], n=24, blocks=(4, 6, 8), rng=5)
    assert given_seed.seed == 5
    assert given_seed == randomize(["A", "B"], n=24, blocks=(4, 6, 8), rng=np.int64(5))
    assert given_seed.columns != randomize(["A", "B"], n=24, blocks=(4, 6, 8), rng=6).columns
    generator = np.random.default_rng(99)
    drawn = randomize(["A", "B"], n=24, blocks=4, rng=generator)
    second = randomize(["A", "B"], n=24, blocks=4, rng=generator)
    assert drawn.seed != second.seed
    assert drawn == randomize(["A", "B"], n=24, blocks=4, rng=drawn.seed)


def test_a_seed_gives_the_list_it_always_gave() -> None:
    # Not a truth from outside: it holds the promise that a seed on file keeps its list.
    frame = randomize({"LDN": 2, "Placebo": 1}, n=12, blocks=(3, 6), rng=2024).frame()
    assert "".join(arm[0] for arm in frame["arm"]) == "PLLPLLPLLLLP"


def test_the_method_names_every_choice() -> None:
    result = randomize({"LDN": 4, "Placebo": 2}, n=6, blocks=(3, 6), strata={"SEX": ["F"]}, rng=8)
    assert result.method == (
        "permuted blocks of random size 3, 6; ratio LDN 2 : Placebo 1; "
        "stratified by SEX (1); PCG64, seed 8"
    )
    assert "seed 8" in repr(result)
    assert "<table" in result._repr_html_()


def test_own_numbers_are_kept() -> None:
    ids = [f"KIT-{i}" for i in range(8)]
    assert (
        randomize(["A", "B"], n=8, blocks=4, ids=ids, rng=1)
        .frame()["randomization_number"]
        .tolist()
        == ids
    )


def test_the_csv_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        result = randomize(["LDN 6 mg", "Placebo"], n=16, blocks=(4, 8), rng=21)
        assert result.write_csv(path) == path
    assert paths[0].read_bytes() == paths[1].read_bytes()
    again = pd.read_csv(paths[0])
    assert again["arm"].tolist() == result.frame()["arm"].tolist()
    assert again["randomization_number"].tolist()[0] == "R001"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rng": None}, "needs rng="),
        ({"rng": -1}, "rng=-1 is not an integer seed"),
        ({"rng": True}, "rng=True is not an integer seed"),
        ({"rng": "seed"}, "rng='seed' is not an integer seed"),
        ({"arms": ["A"]}, "arms needs at least two labels"),
        ({"arms": ["A", "A"]}, "arms needs at least two labels, each given once"),
        ({"arms": "AB"}, "arms is a sequence of labels"),
        ({"arms": ["A", ""]}, "'' is not a label"),
        ({"arms": {"A": 1, "B": 0}}, "share of 'B' is a whole number of at least 1, not 0"),
        ({"arms": {"A": 1, "B": 1.5}}, "share of 'B'"),
        ({"blocks": 3}, "Block size 3 is not a multiple of 2, the sum of the ratio A 1 : B 1"),
        ({"blocks": ()}, "blocks needs at least one size"),
        ({"blocks": (4, 4)}, "each given once"),
        ({"blocks": 0}, "Block size 0"),
        ({"blocks": 4.0}, "Block size 4.0"),
        ({"n": 10}, r"n=10 cannot be made of whole blocks of 4; nearest: 8 and 12"),
        ({"n": 2}, "n=2 cannot be made of whole blocks of 4; nearest: 4"),
        ({"n": 0}, "n=0 is not a whole number of at least 1"),
        ({"n": 8.0}, "n=8.0 is not a whole number"),
        ({"n": {"F": 4}}, "n as a mapping gives one number for each of the 1 strata"),
        ({"n": {"F": 4}, "strata": {"SEX": ["F", "M"]}}, r"missing: \[\('M',\)\]"),
        ({"n": 6, "strata": {"SEX": ["F"]}}, "n=6 in stratum F cannot be made"),
        ({"strata": ["SEX"]}, "strata maps each column to its levels"),
        ({"strata": {"SEX": "FM"}}, "levels of 'SEX' are a sequence"),
        ({"strata": {"SEX": []}}, "levels of 'SEX' are a sequence"),
        ({"strata": {"SEX": ["F", "F"]}}, "'SEX' has a level more than once"),
        ({"strata": {"SEX": ["F", "all"]}}, "'all' is not a level of 'SEX'"),
        ({"strata": {"arm": ["F"]}}, "'arm' is a column of the list itself"),
        ({"strata": {"": ["F"]}}, "'' is not the name of a column"),
        ({"ids": ["x"]}, "ids needs 8 different randomisation numbers"),
        ({"ids": ["x"] * 8}, "ids needs 8 different randomisation numbers"),
    ],
)
def test_a_parallel_list_refuses(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"arms": ["A", "B"], "n": 8, "blocks": 4, "rng": 1}
    with pytest.raises(SpecError, match=message):
        randomize(**{**arguments, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_a_williams_list_is_balanced_for_period_and_carryover(k: int) -> None:
    treatments = [f"dose {i}" for i in range(k)]
    n = 4 * (k if k % 2 == 0 else 2 * k)
    result = randomize_crossover(treatments, n=n, rng=17)
    long = result.periods()
    assert set(long.groupby(["period", "treatment"]).size()) == {n // k}
    before = long.groupby("randomization_number")["treatment"].shift()
    pairs = long.assign(before=before).dropna().groupby(["before", "treatment"]).size()
    assert len(pairs) == k * (k - 1)
    assert set(pairs) == {n // k}


def test_sequences_are_balanced_in_every_block() -> None:
    frame = randomize_crossover(list("xyz"), n=24, blocks=12, rng=2).frame()
    for block in blocks_of(frame, [], "sequence"):
        assert set(Counter(block).values()) == {2}
    assert list(frame.columns)[-4:] == ["sequence", "period_1", "period_2", "period_3"]
    first = frame.iloc[0]
    letters = dict(zip("ABC", "xyz", strict=True))
    assert [letters[letter] for letter in first["sequence"]] == list(first.iloc[-3:])


def test_the_latin_square_has_k_sequences() -> None:
    frame = randomize_crossover(list("xyz"), n=6, design="latin-square", rng=2).frame()
    assert Counter(frame["sequence"]) == {"ABC": 2, "BCA": 2, "CAB": 2}


def test_ab_ba_within_strata() -> None:
    result = randomize_crossover(
        ["Placebo", "LDN"], n=8, design="ab-ba", blocks=4, strata={"SEX": ["F", "M"]}, rng=2
    )
    assert result.balance()["n"].tolist() == [4, 4, 4, 4, 8, 8]
    assert result.method.startswith("ab-ba crossover (A = Placebo, B = LDN), permuted blocks of 4")


def test_a_parallel_list_has_no_periods() -> None:
    with pytest.raises(SpecError, match="has no periods"):
        randomize(["A", "B"], n=4, blocks=4, rng=1).periods()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rng": None}, "needs rng="),
        ({"treatments": ["A"]}, "treatments needs at least two labels"),
        ({"treatments": ["A", "B", "C"], "design": "ab-ba"}, "ab-ba is for two treatments; got 3"),
        ({"design": "replicate"}, "allowed: williams, latin-square, ab-ba"),
        ({"treatments": [str(i) for i in range(27)]}, "27 treatments; at most 26"),
        ({"n": 5}, "n=5 cannot be made of whole blocks of 2; nearest: 4 and 6"),
        ({"blocks": 3}, "Block size 3 is not a multiple of 2"),
        ({"strata": {"period_1": ["x"]}}, "'period_1' is a column of the list itself"),
    ],
)
def test_a_crossover_list_refuses(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"treatments": ["A", "B"], "n": 8, "rng": 1}
    with pytest.raises(SpecError, match=message):
        randomize_crossover(**{**arguments, **changes})  # type: ignore[arg-type]
