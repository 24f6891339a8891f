"""Averages over the scale of Student's t: S = sqrt(chi-square(df) / df), by quadrature.

A t vector is a normal vector divided by S, so that P(T in c A) = E P(Z in c S A). In log S the
weight is analytic and falls off at least exponentially on either side: there the trapezoidal
rule gains digits in proportion to the number of its nodes, and has no others to lose.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from trialkit.typing import FloatArray

__all__ = ["scale_nodes"]

# In log S the integrands are analytic up to pi / 4 from the real line, so that this distance
# misses exp(-2 pi (pi / 4) / 0.12), or 1e-18; many df need finer steps, which a minimum gives.
LARGEST_STEP = 0.12
FEWEST_NODES = 96
# e^-45 = 3e-20: what lies beyond cannot change the last digit of the sum.
LOG_NEGLIGIBLE = 45.0
# Coarse grid on which the support is found: log S from -120 to 4 holds df down to 0.4.
_COARSE = np.linspace(-120.0, 4.0, 6201)


def scale_nodes(df: float, *, threshold: float, n_events: int) -> tuple[FloatArray, FloatArray]:
    """Nodes s (m,) and weights (m,) for E h(threshold * S), h a tail of `n_events` normals.

    For a tail probability the mass sits at smaller S than the weight itself; the nodes cover
    what `weight * min(1, 2 * n_events * Phi(-threshold * s))` makes of it, so that small
    probabilities keep their relative accuracy. `df` infinite gives the one node 1.
    """
    if df == np.inf:
        return np.ones(1), np.ones(1)
    everywhere, total = _support(df, 0.0, 1)
    total_weight = float(np.sum(np.exp(_log_weight(everywhere, df)))) * total
    nodes, step = _support(df, max(threshold, 0.0), n_events)
    weights = np.exp(_log_weight(nodes, df)) * step / total_weight
    return np.exp(nodes), weights


def _log_weight(log_s: FloatArray, df: float) -> FloatArray:
    """Log density of log S, up to a constant; zero at log S = 0 whatever the df."""
    return np.asarray(df * (log_s - np.expm1(2.0 * log_s) / 2.0))


def _support(df: float, threshold: float, n_events: int) -> tuple[FloatArray, float]:
    """Equally spaced nodes in log S over all that matters, and their distance."""
    coarse = _COARSE
    for _ in range(3):  # many df make the support far narrower than the first grid
        log_bound = _log_weight(coarse, df) + np.minimum(
            0.0, np.log(2.0 * n_events) + special.log_ndtr(-threshold * np.exp(coarse))
        )
        kept = np.flatnonzero(log_bound > log_bound.max() - LOG_NEGLIGIBLE)
        low = coarse[max(kept[0] - 1, 0)]
        high = coarse[min(kept[-1] + 1, coarse.size - 1)]
        coarse = np.linspace(low, high, coarse.size)
    n_nodes = max(FEWEST_NODES, int(np.ceil((high - low) / LARGEST_STEP)) + 1)
    nodes = np.linspace(low, high, n_nodes)
    return nodes, float(nodes[1] - nodes[0])
