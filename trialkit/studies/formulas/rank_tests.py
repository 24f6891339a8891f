"""What a rank test's p-value and effect size say about the number analysed."""

from __future__ import annotations

from scipy import special

__all__ = ["n_from_rank_r"]


def n_from_rank_r(p_value: float, effect_size: float) -> float:
    """Number of persons N for which r = |z| / sqrt(N) has both this p and this size.

    z is the normal deviate of the two-sided `p_value`; r is the effect size usually printed
    beside a Wilcoxon signed-rank test.
    """
    return float((special.ndtri(p_value / 2) / effect_size) ** 2)
