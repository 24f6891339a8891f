"""Adjusted p-values for a family of tests, from their raw p-values alone.

The classical procedures are statsmodels'; the two gatekeeping procedures, where the order or
the weights of the hypotheses are part of the plan, are here. Procedures that need the joint
distribution of the statistics (Dunnett, Tukey) belong to the fit that knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, isnan, nan

import numpy as np

from trialkit.errors import SpecError
from trialkit.typing import FloatArray

__all__ = ["P_VALUE_ADJUSTMENTS", "adjust_p_values", "fixed_sequence", "graphical"]

# Our name -> statsmodels' name.
_STATSMODELS = {
    "bonferroni": "bonferroni",
    "sidak": "sidak",
    "holm": "holm",
    "hochberg": "simes-hochberg",
    "hommel": "hommel",
    "fdr_bh": "fdr_bh",
    "fdr_by": "fdr_by",
}
P_VALUE_ADJUSTMENTS = ("none", *_STATSMODELS, "fixed-sequence", "graphical")

# Weights and transition rows are shares written by hand ("1/3" as 0.333...): a sum may pass
# one by rounding, not by more.
SHARE_TOLERANCE = 1e-9


def adjust_p_values(
    p_values: Sequence[float],
    method: str,
    *,
    order: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    transitions: Sequence[Sequence[float]] | None = None,
) -> list[float]:
    """Adjusted p-values (m,) of one family, in the order given.

    A NaN stays NaN and counts as a test that did not reject (p = 1), so that a contrast which
    could not be estimated never makes the others easier to reject.
    """
    if method not in P_VALUE_ADJUSTMENTS:
        raise SpecError(
            f"adjust={method!r} is not offered; allowed: {', '.join(P_VALUE_ADJUSTMENTS)}."
        )
    for name, value, owner in (
        ("order", order, "fixed-sequence"),
        ("weights", weights, "graphical"),
        ("transitions", transitions, "graphical"),
    ):
        if value is not None and method != owner:
            raise SpecError(f"{name}= applies to {owner!r} only, not to {method!r}.")
    _check_p_values(p_values)
    raw = np.array([1.0 if isnan(p) else p for p in p_values], dtype=np.float64)
    if method == "none" or raw.size == 0:
        adjusted = raw
    elif method == "fixed-sequence":
        adjusted = fixed_sequence(raw, range(raw.size) if order is None else order)
    elif method == "graphical":
        if weights is None or transitions is None:
            raise SpecError("The graphical procedure needs weights= (m,) and transitions= (m, m).")
        adjusted = graphical(raw, _shares("weights", weights), _shares("transitions", transitions))
    else:
        from statsmodels.stats.multitest import multipletests

        adjusted = multipletests(raw, method=_STATSMODELS[method])[1]
    return [nan if isnan(p) else float(a) for p, a in zip(p_values, adjusted, strict=True)]


def fixed_sequence(p_values: FloatArray, order: Sequence[int]) -> FloatArray:
    """Each test is reached only if all before it rejected: the running maximum along `order`.

    `p_values` (m,); `order` lists the row numbers 0..m-1 in the order of testing.
    """
    if sorted(order) != list(range(p_values.size)):
        raise SpecError(
            f"order={list(order)} must list each row number 0 to {p_values.size - 1} once."
        )
    adjusted = np.empty_like(p_values)
    adjusted[list(order)] = np.maximum.accumulate(p_values[list(order)])
    return adjusted


def graphical(p_values: FloatArray, weights: FloatArray, transitions: FloatArray) -> FloatArray:
    """Adjusted p-values of the graphical procedure of Bretz et al. (2009), algorithm 2.

    `p_values` (m,), initial `weights` (m,) summing to at most one, `transitions` (m, m) with
    zero diagonal and rows summing to at most one: on rejection of i, its weight passes to j
    in the share `transitions[i, j]`. Reference: doi:10.1002/sim.3495.
    """
    _check_graph(p_values.size, weights, transitions)
    weight, graph = weights.copy(), transitions.copy()
    active = np.ones(p_values.size, dtype=np.bool_)
    adjusted = np.empty_like(p_values)
    largest = 0.0
    for _ in range(p_values.size):
        with np.errstate(divide="ignore", invalid="ignore"):
            # A hypothesis without weight cannot be rejected until some is passed to it.
            ratios = np.where(active & (weight > 0), p_values / weight, np.inf)
        rejected = int(np.argmin(ratios))
        if not isfinite(ratios[rejected]):
            adjusted[active] = 1.0
            break
        largest = max(largest, min(1.0, float(ratios[rejected])))
        adjusted[rejected] = largest
        active[rejected] = False
        weight, graph = _pass_on(rejected, weight, graph, active)
    return adjusted


def _pass_on(
    rejected: int, weight: FloatArray, graph: FloatArray, active: np.ndarray
) -> tuple[FloatArray, FloatArray]:
    """Redistribute a rejected hypothesis' weight and edges (Bretz et al. 2009, eq. 1)."""
    new_weight = np.where(active, weight + weight[rejected] * graph[rejected], 0.0)
    through = np.outer(graph[:, rejected], graph[rejected])
    back = 1.0 - graph[:, rejected] * graph[rejected]
    with np.errstate(divide="ignore", invalid="ignore"):
        # back is zero only where all of i's weight would return to i: no edge is left there.
        new_graph = np.where(back[:, None] > 0, (graph + through) / back[:, None], 0.0)
    keep = active[:, None] & active[None, :] & ~np.eye(active.size, dtype=np.bool_)
    return new_weight, np.where(keep, new_graph, 0.0)


def _check_p_values(p_values: Sequence[float]) -> None:
    for position, p in enumerate(p_values):
        if not isnan(p) and not 0 <= p <= 1:
            raise SpecError(f"p-value {p!r} at row {position} is not between 0 and 1.")


def _shares(name: str, values: Sequence[object]) -> FloatArray:
    try:
        shares = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.array(np.nan)
    if not np.isfinite(shares).all():
        raise SpecError(f"{name}={values!r} must hold finite numbers in rows of equal length.")
    return shares


def _check_graph(n_tests: int, weights: FloatArray, transitions: FloatArray) -> None:
    if weights.shape != (n_tests,) or transitions.shape != (n_tests, n_tests):
        raise SpecError(
            f"{n_tests} tests need weights ({n_tests},) and transitions ({n_tests}, {n_tests}); "
            f"got {weights.shape} and {transitions.shape}."
        )
    if (weights < 0).any() or weights.sum() > 1 + SHARE_TOLERANCE:
        raise SpecError("weights must be at least 0 and sum to at most 1.")
    if (transitions < 0).any() or (transitions.sum(axis=1) > 1 + SHARE_TOLERANCE).any():
        raise SpecError("Each row of transitions must be at least 0 and sum to at most 1.")
    if np.diagonal(transitions).any():
        raise SpecError("The diagonal of transitions must be zero: no test passes to itself.")
