"""Numbers rounded for reading: half away from zero, as SAS prints them.

The shortest decimal that reads back to the same double is what is rounded, so that 0.285 gives
0.29 and not the 0.28 of its binary neighbour.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, localcontext
from math import floor, isfinite, isinf, isnan, log10

__all__ = ["ROUNDING_RULE", "common_decimals", "format_p", "round_half_away"]

ROUNDING_RULE = "Numbers are rounded for reading only, half away from zero as SAS does."

# A column is shown to three significant digits of its largest number, within these limits.
SIGNIFICANT = 3
MIN_DECIMALS = 2
MAX_DECIMALS = 6
# From here on a double no longer holds every integer.
LARGEST = 1e15


def round_half_away(value: float, decimals: int) -> str:
    """`value` with this many decimals, a half rounded away from zero; no negative zero."""
    if isnan(value):
        return ""
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= LARGEST:
        return f"{value:.3e}"
    with localcontext() as context:
        context.prec = 60
        step = Decimal(1).scaleb(-decimals)
        rounded = Decimal(repr(float(value))).quantize(step, rounding=ROUND_HALF_UP)
    return str(abs(rounded)) if rounded == 0 else str(rounded)


def format_p(p_value: float) -> str:
    """A p-value with three decimals; <0.001 and >0.999 at the ends."""
    if isnan(p_value):
        return ""
    if p_value < 0.001:
        return "<0.001"
    return ">0.999" if p_value > 0.999 else round_half_away(p_value, 3)


def common_decimals(values: Iterable[float]) -> int:
    """The decimals that suit all `values` of a column; 2 where none is finite."""
    sizes = [abs(value) for value in values if isfinite(value) and value != 0]
    if not sizes:
        return MIN_DECIMALS
    wanted = SIGNIFICANT - 1 - floor(log10(max(sizes)))
    return min(max(wanted, MIN_DECIMALS), MAX_DECIMALS)
