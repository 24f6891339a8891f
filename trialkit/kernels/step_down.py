"""Westfall-Young step-down adjusted p-values from blocks of permuted statistics.

The family-wise error is controlled under subset pivotality (Westfall & Young 1993); the
algorithms are those of Ge, Dudoit & Speed (2003, doi:10.1007/BF02595811). A statistic counts
as reaching the observed one when it falls short of it by rounding error only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from trialkit.typing import FloatArray, IntArray

__all__ = ["PermutationP", "step_down_max", "step_down_min"]

# Rows whose maxima are taken together: where the rows after them already reach their largest
# threshold, all of them are reached.
GROUP = 100
# Statistics are compared with this slack, relative to max(1, |observed|): rearrangements that
# give the same sum in another order must count as ties.
TIE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PermutationP:
    """By row (m,): unadjusted, single-step and step-down adjusted p; `n` arrangements."""

    raw: FloatArray
    single_step: FloatArray
    step_down: FloatArray
    n: int


def step_down_max(
    observed: FloatArray, permuted: Iterable[FloatArray], *, includes_observed: bool
) -> PermutationP:
    """Adjusted p-values of `observed` (m,) by the maximum over the rows.

    `permuted` gives blocks (m, b); large values are extreme. Where the observed arrangement
    is not among them it is counted as one more (Phipson & Smyth 2010), so that no p is zero.
    """
    order = np.argsort(-observed, kind="stable")
    threshold = observed - TIE * np.maximum(1.0, np.abs(observed))
    first = 0 if includes_observed else 1
    raw = np.full(observed.size, first, dtype=np.int64)
    single, down = raw.copy(), raw.copy()
    n = first
    for block in permuted:
        n += block.shape[1]
        raw += np.count_nonzero(block >= threshold[:, None], axis=1)
        largest = _count_successive(block[order], threshold[order], down)
        largest.sort()
        single += largest.size - np.searchsorted(largest, threshold, side="left")
    adjusted = np.empty(observed.size)
    adjusted[order] = np.maximum.accumulate(down / n)
    return PermutationP(raw=raw / n, single_step=single / n, step_down=adjusted, n=n)


def _count_successive(block: FloatArray, threshold: FloatArray, counts: IntArray) -> FloatArray:
    """Add to `counts` (m,) how often the maximum of a row and all after it reaches its threshold.

    `block` (m, b) and the falling thresholds (m,) start with the most significant row. Returns
    the maximum over all rows (b,). From the least significant up, a group of rows at a time.
    """
    after = np.full(block.shape[1], -np.inf)
    for start in range((block.shape[0] - 1) // GROUP * GROUP, -1, -GROUP):
        rows = slice(start, start + GROUP)
        open_ones = np.flatnonzero(after < threshold[start])
        counts[rows] += after.size - open_ones.size
        if open_ones.size:
            upwards = np.vstack([after[open_ones], block[rows, open_ones][::-1]])
            running = np.maximum.accumulate(upwards, axis=0, out=upwards)[:0:-1]
            counts[rows] += np.count_nonzero(running >= threshold[rows][:, None], axis=1)
        after = np.maximum(after, block[rows].max(axis=0))
    return after


def step_down_min(
    n_rows: int,
    statistics: Callable[[IntArray], FloatArray],
    raw: FloatArray,
    *,
    n_at_once: int,
) -> PermutationP:
    """Adjusted p-values by the minimum p over the rows; `raw` (m,) are the unadjusted ones.

    `statistics(rows)` gives their statistics over all arrangements (k, B), the observed
    first; at most `n_at_once` rows are asked for together. Each row's statistics are turned
    into p-values by their own ranks, so that rows with different distributions weigh alike.
    """
    order = np.argsort(raw, kind="stable")
    lowest: FloatArray | None = None
    down, overall = np.empty(n_rows), np.empty(0)
    for position, p_values in _from_least_significant(order, statistics, n_at_once):
        lowest = p_values if lowest is None else np.minimum(lowest, p_values)
        # Shares of the same number of arrangements: equal or at least one apart.
        down[position] = np.mean(lowest <= p_values[0] + 0.5 / p_values.size)
        overall = lowest
    adjusted = np.empty(n_rows)
    adjusted[order] = np.maximum.accumulate(down)
    n = overall.size
    single = np.array([np.mean(overall <= p + 0.5 / max(n, 1)) for p in raw])
    return PermutationP(raw=raw, single_step=single, step_down=adjusted, n=n)


def _from_least_significant(
    order: IntArray, statistics: Callable[[IntArray], FloatArray], n_at_once: int
) -> Iterator[tuple[int, FloatArray]]:
    for stop in range(order.size, 0, -n_at_once):
        start = max(0, stop - n_at_once)
        block = statistics(order[start:stop])
        for position in range(stop - 1, start - 1, -1):
            yield position, _own_p_values(block[position - start])


def _own_p_values(statistics: FloatArray) -> FloatArray:
    """Share of the arrangements (B,) whose statistic is at least as large, for each of them."""
    in_order = np.sort(statistics)
    threshold = statistics - TIE * np.maximum(1.0, np.abs(statistics))
    reached = statistics.size - np.searchsorted(in_order, threshold, side="left")
    return np.asarray(reached / statistics.size)
