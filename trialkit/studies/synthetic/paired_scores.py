"""Which score of one condition belongs to which of the other: a correlation met by exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, sqrt

from trialkit.errors import DesignError
from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["paired_with_p"]

# Exchanges tried before the search gives up.
EXCHANGES = 200_000
# Share of the printed p's rounding band aimed at, so that the p lies clear of its ends.
BAND = 0.6


def paired_with_p(
    first: Sequence[int], second: Sequence[int], p_value: str, stream: RawStream
) -> list[int]:
    """`second` in an order in which the paired t-test against `first` prints `p_value`.

    Both are whole numbers (n,). Raises DesignError where no order was found.
    """
    low, high = _product_bounds(first, second, p_value)
    order = stream.shuffled(second)
    total = sum(a * b for a, b in zip(first, order, strict=True))
    for _ in range(EXCHANGES):
        if low <= total <= high:
            return order
        i, j = stream.below(len(order)), stream.below(len(order))
        moved = total + (first[i] - first[j]) * (order[j] - order[i])
        if _distance(moved, low, high) < _distance(total, low, high):
            order[i], order[j] = order[j], order[i]
            total = moved
    raise DesignError(
        f"No order of {len(order)} pairs whose paired t-test prints p {p_value} was found in "
        f"{EXCHANGES} exchanges; that does not prove there is none."
    )


def _product_bounds(first: Sequence[int], second: Sequence[int], p_value: str) -> tuple[int, int]:
    """Bounds of the sum of products between which the p of the paired t-test prints as given."""
    from scipy import special

    n = len(first)
    half = BAND * 0.5 * 10.0 ** -len(p_value.partition(".")[2])
    difference = sum(first) - sum(second)
    squares = sum(a * a for a in first) + sum(b * b for b in second)
    bounds = []
    for p in (float(p_value) - half, float(p_value) + half):
        t = -float(special.stdtrit(n - 1, p / 2))
        # t^2 = n mean^2 / variance; the variance fixes the sum of squared differences.
        variance = difference**2 / n / t**2
        spread = (n - 1) * variance + difference**2 / n
        bounds.append((squares - spread) / 2)
    low, high = sorted(bounds)
    return floor(low) + 1, floor(high)


def _distance(value: int, low: int, high: int) -> float:
    return sqrt(max(low - value, value - high, 0))
