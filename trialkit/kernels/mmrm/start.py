"""Starting values: the empirical covariance of least-squares residuals."""

from __future__ import annotations

import numpy as np

from trialkit.kernels.mmrm.patterns import Patterns
from trialkit.kernels.mmrm.subject_rows import Moments
from trialkit.typing import BoolArray, FloatArray

__all__ = ["empirical_covariances", "joint_counts"]

# A visit's starting variance is at least this share of the mean over visits: fixed effects
# may fit a visit with few subjects exactly.
MIN_VARIANCE_SHARE = 1e-3


def joint_counts(patterns: Patterns, group: int) -> FloatArray:
    """Subjects of a group seen at both of two visits: (m, m)."""
    rows = patterns.group_slice(group)
    seen = patterns.mask[rows].astype(np.float64)
    return np.asarray((patterns.count[rows, None] * seen).T @ seen)


def empirical_covariances(patterns: Patterns, moments: Moments, width: int) -> list[FloatArray]:
    """Pairwise covariance (m, m) of the residuals, one a group; need not be definite."""
    outcome = np.zeros((width, width))
    outcome[-1, -1] = 1.0
    products = moments.spread(outcome)
    out = []
    for group in range(patterns.n_groups):
        counts = joint_counts(patterns, group)
        total = products[patterns.group_slice(group)].sum(axis=0)
        covariance = np.where(counts > 0, total / np.maximum(counts, 1), 0.0)
        out.append(_with_positive_diagonal(covariance, np.diagonal(counts) > 0))
    return out


def _with_positive_diagonal(covariance: FloatArray, is_seen: BoolArray) -> FloatArray:
    variances = np.diagonal(covariance).copy()
    mean = float(variances[is_seen].mean()) if is_seen.any() else 1.0
    mean = mean if mean > 0 else 1.0
    floor = MIN_VARIANCE_SHARE * mean
    replaced = np.where(is_seen, np.maximum(variances, floor), mean)
    out = covariance.copy()
    np.fill_diagonal(out, replaced)
    return out
