"""p-values of a statistic with Student's t as its reference."""

from __future__ import annotations

from scipy import special

from trialkit.typing import Alternative

__all__ = ["t_p_value"]


def t_p_value(statistic: float, df: float, alternative: Alternative) -> float:
    """P of a t at least as far out as `statistic`; each tail by itself, never one less the other.

    Example
    -------
    >>> round(t_p_value(-2.0, 10, "less"), 4), round(t_p_value(-2.0, 10, "two-sided"), 4)
    (0.0367, 0.0734)
    """
    if alternative == "two-sided":
        return 2 * float(special.stdtr(df, -abs(statistic)))
    return float(special.stdtr(df, statistic if alternative == "less" else -statistic))
