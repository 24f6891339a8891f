"""Gauss-Hermite nodes for a normal effect seen through censored values."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import special

from trialkit.typing import FloatArray

__all__ = ["hermite_rule"]

# Nodes that hold the logarithm of a subject's likelihood to some 1e-8, up to a ratio of the
# effect's standard deviation to the one around it: the larger the effects, the more like a step
# is the probability of a value beyond its bound.
RULES = ((1.5, 40), (2.5, 80), (4.0, 160), (7.0, 320), (14.0, 640))
MOST_NODES = 1280


def hermite_rule(ratio: float, *, most: int = MOST_NODES) -> tuple[FloatArray, FloatArray]:
    """Nodes (q,) and the logarithms (q,) of their weights, the kernel exp(-x^2) taken out.

    `most` bounds q where the memory does, and the precision with it.
    """
    return _rule(min(next((n for limit, n in RULES if abs(ratio) <= limit), MOST_NODES), most))


@cache
def _rule(n_nodes: int) -> tuple[FloatArray, FloatArray]:
    nodes, weights = special.roots_hermite(n_nodes)
    # Those whose weight is below the smallest double see nothing of the integrand.
    seen = weights > 0
    return nodes[seen], np.log(weights[seen]) + nodes[seen] ** 2
