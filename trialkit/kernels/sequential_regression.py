"""Missing outcomes filled visit by visit from a regression on the visits before.

Shapes: B sets of subject weights, n subjects, m visits, K covariates.
"""

from __future__ import annotations

import numpy as np

from trialkit.typing import BoolArray, FloatArray

__all__ = ["filled_in_order"]

# A direction of the donors' predictors below this share of the largest is not determined.
RANK_TOLERANCE = 1e-12


def filled_in_order(
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    donors: BoolArray,
    gap_donors: BoolArray,
    after: BoolArray,
) -> tuple[FloatArray, BoolArray]:
    """Outcomes (B, n, m) without gaps, and which sets (B,) had donors enough.

    `y` (n, m) is NaN where missing, `x` (n, K) the covariates with their intercept. At visit t
    what is missing `after` (n, m) dropout is predicted by the regression on x and the visits
    before among `donors` (n, m); other gaps among `gap_donors` (n, m). The predictions are
    linear in what was seen, so a predicted value stands in for its mean at later visits.
    """
    n_sets = weights.shape[0]
    out = np.repeat(y[None], n_sets, axis=0)
    is_sound = np.ones(n_sets, dtype=np.bool_)
    for visit in range(y.shape[1]):
        missing = np.isnan(y[:, visit])
        for gaps, chosen in ((after[:, visit], donors), (~after[:, visit], gap_donors)):
            wanted = missing & gaps
            if not wanted.any():
                continue
            giving = chosen[:, visit]
            design = np.concatenate([np.repeat(x[None], n_sets, axis=0), out[:, :, :visit]], axis=2)
            coef, is_determined = _regressions(
                design[:, giving], y[giving, visit], weights[:, giving]
            )
            is_sound &= is_determined
            out[:, wanted, visit] = (design[:, wanted] @ coef[:, :, None])[:, :, 0]
    return out, is_sound


def _regressions(
    design: FloatArray, y: FloatArray, weights: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """Weighted least squares of y (d,) on design (B, d, P): (B, P); NaN where not determined."""
    width = design.shape[2]
    if design.shape[1] < width:
        none = np.full((design.shape[0], width), np.nan)
        return none, np.zeros(design.shape[0], dtype=np.bool_)
    weighted = design * weights[:, :, None]
    cross = weighted.swapaxes(1, 2) @ design
    right = (weighted.swapaxes(1, 2) @ y[:, None])[:, :, 0]
    root = np.sqrt(np.diagonal(cross, axis1=1, axis2=2))
    root = np.where(root > 0, root, 1.0)
    scaled = cross / (root[:, :, None] * root[:, None, :])
    values = np.linalg.eigvalsh(scaled)
    is_determined = values[:, 0] > RANK_TOLERANCE * values[:, -1]
    safe = np.where(is_determined[:, None, None], scaled, np.eye(width))
    coef = np.linalg.solve(safe, (right / root)[:, :, None])[:, :, 0] / root
    return np.where(is_determined[:, None], coef, np.nan), is_determined
