"""The largest of several t statistics whose correlations come from one or two common factors.

With correlations b_i'b_j the numerators are b_i'U + sqrt(1 - b_i'b_i) E_i: given U, and the
scale S, they are independent, and the probability is an integral over U and S whatever their
number. Comparisons with a control in a one-way layout have one factor (Dunnett 1955), one
covariate adds a second, and two factors are enough for nearly every set of four.
Reference: Dunnett & Sobel (1955), doi:10.1093/biomet/42.1-2.258.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
from scipy import special

from trialkit.kernels.chi_scale import scale_nodes
from trialkit.typing import FloatArray

__all__ = ["factor_loadings", "factor_tail"]

# Correlations from a covariance matrix carry rounding of this order.
MATCH_TOLERANCE = 1e-11
# A unique part smaller than this would need more nodes than the integral is worth.
SMALLEST_UNIQUE_SD = 0.05
# Phi(-9.5) = 1e-21: nothing of U is left beyond, once it is centred where the tail is.
REACH = 9.5
# The trapezoidal rule misses exp(-36), or 2e-16, of its integral.
LOG_QUADRATURE_ERROR = 36.0
# Cells evaluated at once: a few megabytes a matrix.
CHUNK = 2**18
# Each is a small least-squares solve; those that converge need about ten.
SEARCH_STEPS = 100


def factor_loadings(correlation: FloatArray) -> FloatArray | None:
    """Loadings (k, 1) or (k, 2) that give the correlations (k, k), or None where none do."""
    pairs = np.triu_indices(correlation.shape[0], 1)
    if not np.abs(correlation[pairs]).max(initial=0.0) > 0:
        return np.zeros((correlation.shape[0], 1))
    for n_factors in (1, 2):
        loadings = _search(correlation, _start(correlation, n_factors), pairs)
        gap = np.abs((loadings @ loadings.T - correlation)[pairs]).max()
        unique = 1.0 - np.sum(loadings**2, axis=1)
        if gap < MATCH_TOLERANCE and unique.min() > SMALLEST_UNIQUE_SD**2:
            return loadings
    return None


def _start(correlation: FloatArray, n_factors: int) -> FloatArray:
    """Principal factors, the shared variances taken from each one's largest correlation."""
    reduced = correlation.copy()
    np.fill_diagonal(reduced, 0.0)
    shared = np.abs(reduced).max(axis=1)
    for _ in range(SEARCH_STEPS):
        np.fill_diagonal(reduced, shared)
        values, vectors = np.linalg.eigh(reduced)
        loadings = vectors[:, -n_factors:] * np.sqrt(np.maximum(values[-n_factors:], 0.0))
        shared = np.minimum(np.sum(loadings**2, axis=1), 0.99)
    return np.asarray(loadings)


def _search(
    correlation: FloatArray, loadings: FloatArray, pairs: tuple[np.ndarray, np.ndarray]
) -> FloatArray:
    """Gauss-Newton on the off-diagonal elements, shortest steps where loadings are not unique."""
    first, second = pairs
    k, m = loadings.shape
    for _ in range(SEARCH_STEPS):
        gap = (loadings @ loadings.T - correlation)[pairs]
        if np.abs(gap).max() < MATCH_TOLERANCE * 1e-3:
            break
        slope = np.zeros((first.size, k, m))
        slope[np.arange(first.size), first] = loadings[second]
        slope[np.arange(first.size), second] = loadings[first]
        step = np.linalg.lstsq(slope.reshape(first.size, k * m), gap, rcond=1e-12)[0]
        length = float(np.abs(step).max())
        loadings = loadings - step.reshape(k, m) * min(1.0, 0.3 / length if length else 1.0)
    return loadings


def factor_tail(loadings: FloatArray, *, threshold: float, df: float, two_sided: bool) -> float:
    """P(some |T_i| > threshold), or P(some T_i > threshold), for loadings (k, m)."""
    if two_sided and threshold <= 0:
        return 1.0
    scales, weights = scale_nodes(df, threshold=threshold, n_events=loadings.shape[0])
    unique = np.sqrt(1.0 - np.sum(loadings**2, axis=1))
    factors, density = _grid(loadings / unique[:, None], loadings, abs(threshold) * scales.max())
    centres = factors @ (loadings / unique[:, None]).T
    total = 0.0
    rows = max(1, CHUNK // density.size)
    for start in range(0, scales.size, rows):
        x = threshold * scales[start : start + rows, None]
        log_none = np.zeros((x.shape[0], density.size))
        for i, d in enumerate(unique):
            passing = special.ndtr(centres[:, i] - x / d)
            if two_sided:
                passing = passing + special.ndtr(-centres[:, i] - x / d)
            with np.errstate(divide="ignore"):  # certain to pass: log 0, and exp of it again
                log_none += np.log1p(-np.minimum(passing, 1.0))
        total += float(weights[start : start + rows] @ (-np.expm1(log_none) @ density))
    return total


def _grid(
    slopes: FloatArray, loadings: FloatArray, largest: float
) -> tuple[FloatArray, FloatArray]:
    """Equally spaced nodes (n, m) and normal weights (n,) for the factors.

    Off the real line the integrand grows as exp(y^2 (1 + sum of squared slopes) / 2), which
    sets the step at which the trapezoidal rule is exact to rounding.
    """
    axes, densities = [], []
    for slope, loading in zip(slopes.T, loadings.T, strict=True):
        step = pi * sqrt(2.0 / LOG_QUADRATURE_ERROR / (1.0 + float(np.sum(slope**2))))
        reach = REACH + float(np.abs(loading).max()) * largest
        nodes = np.arange(-reach, reach + step, step)
        density = np.exp(-(nodes**2) / 2.0) * step / sqrt(2 * pi)
        axes.append(nodes[density > 0])
        densities.append(density[density > 0])
    if len(axes) == 1:
        return axes[0][:, None], densities[0]
    first, second = np.meshgrid(*axes, indexing="ij")
    factors = np.column_stack([first.ravel(), second.ravel()])
    return factors, np.outer(*densities).ravel()
