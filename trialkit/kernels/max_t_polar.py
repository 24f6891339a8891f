"""The largest of several t statistics that span at most two dimensions, exactly.

T_i = a_i'Z / S with Z a bivariate standard normal: the direction of Z is uniform, its length R
independent of it, and P(R / S > r) = (1 + r^2 / df)^(-df / 2). The probability that some T_i
passes c is therefore one integral over the angle, of a function that is smooth between the
angles at which the largest T_i changes hands.
"""

from __future__ import annotations

import numpy as np

from trialkit.typing import FloatArray

__all__ = ["polar_factor", "polar_tail"]

# Eigenvalues of a correlation matrix are of order one: below this they are rounding.
RANK_TOLERANCE = 1e-12
# Between kinks the integrand has a single hump, of width about 1 / c.
NODES, WEIGHTS = np.polynomial.legendre.leggauss(128)


def polar_factor(correlation: FloatArray) -> FloatArray | None:
    """Rows a_i (k, 2) with a_i'a_j the correlations (k, k); None where two dimensions are few."""
    if correlation.shape[0] == 1:
        return np.array([[1.0, 0.0]])
    eigenvalues, vectors = np.linalg.eigh(correlation)
    if eigenvalues.size > 2 and eigenvalues[-3] > RANK_TOLERANCE * eigenvalues.size:
        return None
    top = np.maximum(eigenvalues[-2:], 0.0)
    factor = vectors[:, -2:] * np.sqrt(top)
    return np.asarray(factor / np.linalg.norm(factor, axis=1)[:, None])


def polar_tail(factor: FloatArray, *, threshold: float, df: float, two_sided: bool) -> float:
    """P(some |T_i| > threshold), or P(some T_i > threshold), for rows `factor` (k, 2)."""
    if two_sided and threshold <= 0:
        return 1.0
    angles, weights = _quadrature(factor)
    reach = factor @ np.stack([np.cos(angles), np.sin(angles)])
    if threshold >= 0:
        largest = np.abs(reach).max(axis=0) if two_sided else reach.max(axis=0)
        return float(_beyond(largest, threshold, df) @ weights)
    # Below zero every T_i stays under the threshold only when R is long enough for all of them.
    return 1.0 - float(_beyond((-reach).min(axis=0), -threshold, df) @ weights)


def _beyond(reach: FloatArray, threshold: float, df: float) -> FloatArray:
    """P(R reach / S > threshold) for each direction; zero where reach is not positive."""
    ahead = reach > 0
    squared = (threshold / np.where(ahead, reach, 1.0)) ** 2
    if df == np.inf:
        chance = np.exp(-squared / 2.0)
    else:
        chance = np.exp(-df / 2.0 * np.log1p(squared / df))
    return np.where(ahead, chance, 0.0)


def _quadrature(factor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Angles and weights (summing to one) between all angles where the integrand may kink."""
    signed = np.concatenate([factor, -factor, np.zeros((1, 2))])
    differences = (signed[:, None, :] - signed[None, :, :]).reshape(-1, 2)
    differences = differences[np.linalg.norm(differences, axis=1) > 0]
    # a'e = b'e where e is at right angles to a - b.
    kinks = np.mod(np.arctan2(differences[:, 0], -differences[:, 1]), 2 * np.pi)
    edges = np.unique(np.concatenate([[0.0], kinks, [2 * np.pi]]))
    half = np.diff(edges) / 2.0
    angles = edges[:-1, None] + half[:, None] * (NODES + 1.0)
    weights = half[:, None] * WEIGHTS / (2 * np.pi)
    return angles.ravel(), weights.ravel()
