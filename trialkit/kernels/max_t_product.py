"""The largest of several t statistics whose correlations are products b_i b_j.

So it is for comparisons with a common control in a one-way layout (Dunnett 1955), and for most
triples of statistics. Given the common part U, the T_i S = b_i U + sqrt(1 - b_i^2) E_i are
independent: two integrals, over U and S, whatever the number of comparisons.
Reference: Dunnett & Sobel (1955), doi:10.1093/biomet/42.1-2.258.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from trialkit.kernels.chi_scale import scale_nodes
from trialkit.typing import FloatArray

__all__ = ["product_loadings", "product_tail"]

# Correlations from a covariance matrix carry rounding of this order.
MATCH_TOLERANCE = 1e-11
# A unique part this small would need more nodes than the integral is worth.
SMALLEST_UNIQUE_SD = 0.02
LARGEST_STEP = 0.1
# Phi(-9) = 1e-19: nothing of U is left beyond, once it is centred where the tail is.
REACH = 9.5
# Cells evaluated at once: a few megabytes a matrix.
CHUNK = 2**18


def product_loadings(correlation: FloatArray) -> FloatArray | None:
    """Loadings b (k,) with b_i b_j the correlations (k, k), or None where there are none."""
    k = correlation.shape[0]
    pairs = np.triu_indices(k, 1)
    values = correlation[pairs]
    if k < 3 or not values.any():
        return np.zeros(k) if not values.any() else None
    if np.abs(values).min() < MATCH_TOLERANCE:
        return None
    design = np.zeros((values.size, k))
    design[np.arange(values.size), pairs[0]] = 1.0
    design[np.arange(values.size), pairs[1]] = 1.0
    logs = np.linalg.lstsq(design, np.log(np.abs(values)), rcond=None)[0]
    signs = np.sign(correlation[0])
    loadings = np.exp(logs) * signs
    fits = np.abs(np.outer(loadings, loadings)[pairs] - values).max() < MATCH_TOLERANCE
    unique = 1.0 - loadings**2
    return loadings if fits and unique.min() > SMALLEST_UNIQUE_SD**2 else None


def product_tail(loadings: FloatArray, *, threshold: float, df: float, two_sided: bool) -> float:
    """P(some |T_i| > threshold), or P(some T_i > threshold), for loadings b (k,)."""
    if two_sided and threshold <= 0:
        return 1.0
    scales, weights = scale_nodes(df, threshold=threshold, n_events=loadings.size)
    unique = np.sqrt(1.0 - loadings**2)
    step = min(LARGEST_STEP, 0.5 * float(unique.min()))
    reach = REACH + float(np.abs(threshold) * scales.max())
    common = np.arange(-reach, reach + step, step)
    density = np.exp(-(common**2) / 2.0) * step / np.sqrt(2 * np.pi)
    common, density = common[density > 0], density[density > 0]
    total = 0.0
    rows = max(1, CHUNK // common.size)
    for start in range(0, scales.size, rows):
        x = threshold * scales[start : start + rows, None]
        log_none = np.zeros((x.shape[0], common.size))
        for b, d in zip(loadings, unique, strict=True):
            passing = special.ndtr((b * common - x) / d)
            if two_sided:
                passing = passing + special.ndtr((-b * common - x) / d)
            with np.errstate(divide="ignore"):  # certain to pass: log 0, and exp of it again
                log_none += np.log1p(-np.minimum(passing, 1.0))
        total += float(weights[start : start + rows] @ (-np.expm1(log_none) @ density))
    return total
