"""Multiplicity: against R's p.adjust, against closed testing, and against Bretz et al. (2009)."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case

from trialkit.errors import SpecError
from trialkit.results import Estimate, EstimateTable
from trialkit.results.adjustment import P_VALUE_ADJUSTMENTS, adjust_p_values

R_NAMES = {
    "bonferroni": "bonferroni", "sidak": "sidak", "holm": "holm", "hochberg": "hochberg",
    "hommel": "hommel", "fdr_bh": "BH", "fdr_by": "BY",
}  # fmt: skip
# statsmodels collects garbage in every call of Holm's method: few examples keep it short.
few = settings(max_examples=20, deadline=None)
p_values = st.lists(st.floats(1e-6, 1), min_size=1, max_size=7)


@pytest.mark.reference
@pytest.mark.parametrize("method", R_NAMES)
@pytest.mark.parametrize("analysis", ["adjusted_ten_p", "adjusted_vs_control", "adjusted_pairwise"])
def test_agrees_with_r_p_adjust(analysis: str, method: str) -> None:
    expected = reference_case("parallel/b_three_arm_strata").table(analysis)
    actual = adjust_p_values(expected["raw"].tolist(), method)
    # The pack's own Sidak, 1 - (1 - p)^m, is right to rounding of one and no further.
    rounding = 1e-15 if method == "sidak" else 0.0
    assert_close(actual, expected[R_NAMES[method]], rtol=1e-12, atol=rounding)


def test_every_classical_method_is_compared_with_r() -> None:
    assert set(R_NAMES) | {"none", "fixed-sequence", "graphical"} == set(P_VALUE_ADJUSTMENTS)


@given(p_values)
def test_none_changes_nothing(values: list[float]) -> None:
    assert adjust_p_values(values, "none") == values


def holm_by_closure(values: list[float]) -> list[float]:
    """Closed testing with a Bonferroni test of every intersection: slow, and by definition."""
    everyone = range(len(values))
    sets = [s for size in range(1, len(values) + 1) for s in itertools.combinations(everyone, size)]
    return [
        max(min(1.0, len(s) * min(values[i] for i in s)) for s in sets if test in s)
        for test in everyone
    ]


def hommel_by_closure(values: list[float]) -> list[float]:
    """Closed testing with Simes' test of every intersection."""
    everyone = range(len(values))
    sets = [s for size in range(1, len(values) + 1) for s in itertools.combinations(everyone, size)]

    def simes(members: tuple[int, ...]) -> float:
        ordered = sorted(values[i] for i in members)
        return min(len(members) * p / rank for rank, p in enumerate(ordered, start=1))

    return [max(simes(s) for s in sets if test in s) for test in everyone]


@few
@given(p_values)
def test_holm_is_closed_bonferroni(values: list[float]) -> None:
    assert_close(adjust_p_values(values, "holm"), holm_by_closure(values), rtol=1e-12)


@given(p_values)
def test_hommel_is_closed_simes(values: list[float]) -> None:
    assert_close(adjust_p_values(values, "hommel"), hommel_by_closure(values), rtol=1e-12)


def test_fixed_sequence_stops_at_the_first_that_fails() -> None:
    assert adjust_p_values([0.01, 0.2, 0.001], "fixed-sequence") == [0.01, 0.2, 0.2]
    reordered = adjust_p_values([0.01, 0.2, 0.001], "fixed-sequence", order=[2, 0, 1])
    assert reordered == [0.01, 0.2, 0.001]


def graph_by_closure(
    values: list[float], weights: list[float], transitions: list[list[float]]
) -> list[float]:
    """Closed testing with the weighted Bonferroni test that the graph gives each intersection.

    The weights of an intersection come from deleting the other hypotheses one at a time
    (Bretz et al. 2009, algorithm 1): another route than the sequential one under test.
    """
    everyone = range(len(values))

    def weights_of(members: tuple[int, ...]) -> dict[int, float]:
        weight = dict(enumerate(weights))
        graph = {(i, j): transitions[i][j] for i in everyone for j in everyone}
        alive = list(everyone)
        for gone in [i for i in everyone if i not in members]:
            alive.remove(gone)
            new_graph = dict.fromkeys(graph, 0.0)
            for j in alive:
                weight[j] += weight[gone] * graph[gone, j]
                for k in alive:
                    back = graph[j, gone] * graph[gone, j]
                    if j != k and back < 1:
                        new_graph[j, k] = (graph[j, k] + graph[j, gone] * graph[gone, k]) / (
                            1 - back
                        )
            graph = new_graph
        return {i: weight[i] for i in members}

    def test_of(members: tuple[int, ...]) -> float:
        shares = weights_of(members)
        return min(
            (values[i] / shares[i] if shares[i] > 0 else math.inf for i in members),
            default=math.inf,
        )

    sets = [s for size in range(1, len(values) + 1) for s in itertools.combinations(everyone, size)]
    return [min(1.0, max(test_of(s) for s in sets if test in s)) for test in everyone]


@given(
    st.lists(st.floats(1e-4, 1), min_size=4, max_size=4),
    st.lists(st.floats(0.05, 1), min_size=4, max_size=4),
    st.lists(st.lists(st.floats(0.05, 1), min_size=4, max_size=4), min_size=4, max_size=4),
)
def test_graphical_is_closed_weighted_bonferroni(
    values: list[float], raw_weights: list[float], raw_graph: list[list[float]]
) -> None:
    weights = (np.array(raw_weights) / sum(raw_weights)).tolist()
    graph = np.array(raw_graph)
    np.fill_diagonal(graph, 0)
    graph /= graph.sum(axis=1, keepdims=True)
    actual = adjust_p_values(values, "graphical", weights=weights, transitions=graph.tolist())
    assert_close(actual, graph_by_closure(values, weights, graph.tolist()), rtol=1e-9)


@few
@given(st.lists(st.floats(1e-4, 1), min_size=3, max_size=3))
def test_a_complete_graph_with_equal_weights_is_holm(values: list[float]) -> None:
    graph = [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    actual = adjust_p_values(values, "graphical", weights=[1 / 3] * 3, transitions=graph)
    assert_close(actual, adjust_p_values(values, "holm"), rtol=1e-9)


@given(st.lists(st.floats(1e-4, 1), min_size=3, max_size=3))
def test_a_chain_is_the_fixed_sequence(values: list[float]) -> None:
    chain = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
    actual = adjust_p_values(values, "graphical", weights=[1, 0, 0], transitions=chain)
    assert_close(actual, adjust_p_values(values, "fixed-sequence"), rtol=1e-12)


def test_parallel_gatekeeping_of_bretz_2009() -> None:
    # Two primary hypotheses with half of alpha each, each handing its share to both secondary
    # ones, which hand it to each other; adjusted by following the graph by hand.
    graph = [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5], [0, 0, 0, 1], [0, 0, 1, 0]]
    actual = adjust_p_values(
        [0.01, 0.04, 0.03, 0.5], "graphical", weights=[0.5, 0.5, 0, 0], transitions=graph
    )
    # H1: 0.01 / 0.5. It leaves H3, H4 a quarter each: H2 0.04 / 0.5 = 0.08 comes next
    # (H3: 0.03 / 0.25 = 0.12). Then H3 holds 0.5: 0.06, not below 0.08. Then H4 holds 1.
    assert_close(actual, [0.02, 0.08, 0.08, 0.5], rtol=1e-12)


def test_a_test_without_a_p_value_counts_and_keeps_none() -> None:
    adjusted = adjust_p_values([0.01, math.nan, 0.03], "bonferroni")
    assert adjusted[0] == 0.03
    assert math.isnan(adjusted[1])
    assert adjusted[2] == pytest.approx(0.09)


def test_arguments_that_do_not_apply_are_refused() -> None:
    with pytest.raises(SpecError, match="adjust='tukey' is not offered; allowed: none, bonf"):
        adjust_p_values([0.1], "tukey")
    with pytest.raises(SpecError, match="order= applies to 'fixed-sequence' only"):
        adjust_p_values([0.1], "holm", order=[0])
    with pytest.raises(SpecError, match="needs weights="):
        adjust_p_values([0.1], "graphical")
    with pytest.raises(SpecError, match="must list each row number 0 to 1 once"):
        adjust_p_values([0.1, 0.2], "fixed-sequence", order=[0, 0])
    with pytest.raises(SpecError, match=r"p-value 1\.2 at row 0"):
        adjust_p_values([1.2], "holm")


@pytest.mark.parametrize(
    ("weights", "graph", "message"),
    [
        ([0.5], [[0, 1], [1, 0]], r"2 tests need weights \(2,\)"),
        ([0.7, 0.5], [[0, 1], [1, 0]], "sum to at most 1"),
        ([0.5, 0.5], [[0, 2], [1, 0]], "Each row of transitions"),
        ([0.5, 0.5], [[0.5, 0.5], [1, 0]], "diagonal of transitions must be zero"),
    ],
)
def test_a_graph_that_is_none_is_refused(
    weights: list[float], graph: list[list[float]], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        adjust_p_values([0.1, 0.2], "graphical", weights=weights, transitions=graph)


def test_the_table_says_how_it_was_adjusted() -> None:
    rows = tuple(
        Estimate.from_z(label=str(z), estimate=z, se=1, n=9, method="z") for z in (2.0, 3.0)
    )
    result = EstimateTable(estimates=rows, keys={"contrast": ("a", "b")})
    graphical = result.adjust("graphical", weights=[0.5, 0.5], transitions=[[0.0, 1.0], [1.0, 0.0]])
    assert graphical.adjustment == (
        "graphical over 2, weights [0.5, 0.5], transitions [[0.0, 1.0], [1.0, 0.0]]"
    )
    assert graphical.p_adjusted == pytest.approx(result.adjust("holm").p_adjusted)


@pytest.mark.parametrize(
    ("weights", "transitions", "name"),
    [
        ([math.nan, 0.5], [[0, 1], [1, 0]], "weights"),
        (["a", "b"], [[0, 1], [1, 0]], "weights"),
        ([0.5, 0.5], [[0, math.nan], [1, 0]], "transitions"),
        ([0.5, 0.5], [[0, 1], [1]], "transitions"),
    ],
)
def test_a_graph_of_anything_but_finite_numbers_is_refused(
    weights: list[float], transitions: list[list[float]], name: str
) -> None:
    with pytest.raises(SpecError, match=rf"{name}=.* must hold finite numbers"):
        adjust_p_values([0.01, 0.02], "graphical", weights=weights, transitions=transitions)


def test_two_graphs_can_be_told_apart_by_the_method() -> None:
    rows = [Estimate.from_z(label=x, estimate=2, se=1, n=50, method="z") for x in "ab"]
    table = EstimateTable(estimates=tuple(rows), keys={"contrast": ("a", "b")})
    methods = {
        table.adjust("graphical", weights=[0.5, 0.5], transitions=edges).estimates[0].method
        for edges in ([[0, 1], [1, 0]], [[0, 0], [0, 0]])
    }
    assert len(methods) == 2
