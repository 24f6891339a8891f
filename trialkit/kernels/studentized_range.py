"""The studentised range: the largest difference of k independent means, over their common SE.

P(Q > q) = E k int phi(z) [Phi(z)^(k-1) - (Phi(z) - Phi(z - q S))^(k-1)] dz, which is the tail
itself and not one minus its complement (Tukey; Kramer 1956, doi:10.2307/3001469).
"""

from __future__ import annotations

from math import log

import numpy as np
from scipy import optimize, special

from trialkit.kernels.chi_scale import scale_nodes
from trialkit.typing import FloatArray

__all__ = ["range_critical_value", "range_tail"]

STEP = 0.08
REACH = 9.5
ROOT_TOLERANCE = 1e-12


def range_tail(q: float, *, n_means: int, df: float) -> float:
    """P(Q > q) for the range of `n_means` means, with `df` degrees of freedom for the SE."""
    if np.isnan(q) or np.isnan(df):
        return float("nan")
    if q <= 0:
        return 1.0
    # A range above q puts one mean above q/2 or below -q/2 of some centre: q / sqrt 2 is the
    # threshold of a single pair, with k (k - 1) / 2 pairs.
    scales, weights = scale_nodes(
        df, threshold=q / np.sqrt(2.0), n_events=n_means * (n_means - 1) // 2
    )
    width = q * scales[:, None]
    z = np.arange(-REACH, REACH + float(width.max()) + STEP, STEP)
    density = np.exp(-(z**2) / 2.0) * STEP / np.sqrt(2 * np.pi)
    z, density = z[density > 0], density[density > 0]
    below, far_below = special.ndtr(z)[None, :], special.ndtr(z - width)
    return float(weights @ (_power_gap(below, far_below, n_means - 1) @ density)) * n_means


def range_critical_value(alpha: float, *, n_means: int, df: float) -> float:
    """The q with P(Q > q) = alpha."""

    def excess(q: float) -> float:
        return log(max(range_tail(q, n_means=n_means, df=df), 1e-320)) - log(alpha)

    pairs = n_means * (n_means - 1) / 2
    tail = alpha / 2.0 / pairs
    bound = -float(special.ndtri(tail) if df == np.inf else special.stdtrit(df, tail))
    high = bound * np.sqrt(2.0) * (1 + 1e-9)
    return float(optimize.brentq(excess, 1e-8, high, xtol=ROOT_TOLERANCE, rtol=ROOT_TOLERANCE))


def _power_gap(high: FloatArray, gap: FloatArray, power: int) -> FloatArray:
    """high^power - (high - gap)^power, without the cancellation."""
    low = high - gap
    total = np.zeros(np.broadcast_shapes(high.shape, gap.shape))
    for i in range(power):
        total += high**i * low ** (power - 1 - i)
    return gap * total
