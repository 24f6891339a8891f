"""Whole numbers with a given sum and sum of squares, between two bounds.

The arithmetic behind a printed mean and standard deviation on a grid: in units of the grid
step the scores are integers, their total fixes the mean and their sum of squares the standard
deviation. Everything here is exact integer arithmetic.
"""

from __future__ import annotations

from collections import Counter

__all__ = ["EXACT_LIMIT", "enumerate_vector", "square_range", "vector_with_sums"]

# Big-integer word operations the exhaustive search may spend: a few seconds at most.
EXACT_LIMIT = 20_000_000


def square_range(*, n: int, total: int, low: int, high: int) -> tuple[int, int] | None:
    """Least and greatest sum of squares of `n` integers in [low, high] adding to `total`.

    None when no such integers exist. The least has all values within one of each other; the
    greatest has all values but one at a bound.
    """
    if not n * low <= total <= n * high:
        return None
    base, above = divmod(total, n)
    least = (n - above) * base**2 + above * (base + 1) ** 2
    if high == low:
        return least, least
    at_high, rest = divmod(total - n * low, high - low)
    if at_high == n:
        return least, n * high**2
    greatest = at_high * high**2 + (low + rest) ** 2 + (n - at_high - 1) * low**2
    return least, greatest


def vector_with_sums(
    *, n: int, total: int, squares: int, low: int, high: int
) -> tuple[int, ...] | None:
    """Sorted integers in [low, high] with the given sum and sum of squares, by spreading.

    Starts from the flattest vector and pushes pairs apart, each push adding twice
    (upper - lower + 1) to the sum of squares, the largest push that still fits first. A
    returned vector proves feasibility; None proves nothing (see `enumerate_vector`).
    """
    limits = square_range(n=n, total=total, low=low, high=high)
    if limits is None or not limits[0] <= squares <= limits[1] or (squares - limits[0]) % 2:
        return None
    base, above = divmod(total, n)
    counts = Counter({base: n - above, base + 1: above})
    missing = (squares - limits[0]) // 2
    while missing:
        pair = _widest_push(+counts, missing, low, high)
        if pair is None:
            return None
        upper, lower = pair
        counts.subtract((upper, lower))
        counts.update((upper + 1, lower - 1))
        missing -= upper - lower + 1
    return tuple(sorted(counts.elements()))


def _widest_push(counts: Counter[int], budget: int, low: int, high: int) -> tuple[int, int] | None:
    """The pair (upper, lower) whose push apart costs most within the budget, or None."""
    levels = sorted(counts)
    best: tuple[int, int] | None = None
    best_cost = 0
    for upper in reversed(levels):
        if upper == high:
            continue
        for lower in levels:
            cost = upper - lower + 1
            if cost <= best_cost:
                break
            alone = upper == lower and counts[upper] < 2
            if cost <= budget and lower > low and not alone:
                best, best_cost = (upper, lower), cost
                break
    return best


def enumerate_vector(
    *, n: int, total: int, squares: int, low: int, high: int
) -> tuple[tuple[int, ...] | None, bool]:
    """Exhaustive search for the same integers: (vector or None, whether the search was complete).

    Reachable (count, sum) pairs carry the set of reachable sums of squares as the bits of one
    integer. Over `EXACT_LIMIT` the search is not started and the answer is (None, False).
    """
    levels = range(high - low + 1)
    shifted_total = total - n * low
    shifted_squares = squares - 2 * low * total + n * low**2
    if shifted_total < 0 or shifted_squares < 0:
        return None, True
    words = shifted_squares // 64 + 1
    if n * (shifted_total + 1) * len(levels) * words > EXACT_LIMIT:
        return None, False
    mask = (1 << (shifted_squares + 1)) - 1
    layers: list[dict[int, int]] = [{0: 1}]
    for _ in range(n):
        layer: dict[int, int] = {}
        for subtotal, bits in layers[-1].items():
            for level in levels:
                if subtotal + level > shifted_total:
                    break
                moved = (bits << level**2) & mask
                if moved:
                    layer[subtotal + level] = layer.get(subtotal + level, 0) | moved
        layers.append(layer)
    if not layers[-1].get(shifted_total, 0) >> shifted_squares & 1:
        return None, True
    return _walk_back(layers, shifted_total, shifted_squares, low), True


def _walk_back(layers: list[dict[int, int]], total: int, squares: int, low: int) -> tuple[int, ...]:
    """One vector that leads to the reachable end (total, squares), sorted."""
    values: list[int] = []
    for layer in reversed(layers[:-1]):
        level = 0
        while squares < level**2 or not layer.get(total - level, 0) >> (squares - level**2) & 1:
            level += 1
        values.append(low + level)
        total, squares = total - level, squares - level**2
    return tuple(sorted(values))
