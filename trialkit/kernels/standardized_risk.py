"""Risks in each arm, standardised over all subjects by logistic regression, for many outcomes.

Shapes: B outcomes of n subjects, K coefficients, A arms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.typing import BoolArray, FloatArray

__all__ = ["Risks", "standardized_risks"]

MAX_STEPS = 50
# Change of the log-likelihood still to gain at the last Newton step.
LAST_STEP_BELOW = 1e-16
# Linear predictors beyond this are a separated outcome on its way to infinity.
MAX_PREDICTOR = 25.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Risks:
    """Mean predicted risk (B, A) with everyone in each arm, and its covariance (B, A, A).

    The covariance is the delta method's from the model's information: of the risks in these
    subjects. `is_fitted` (B,) is false where the likelihood has no maximum (separation).
    """

    risk: FloatArray
    covariance: FloatArray
    is_fitted: BoolArray


def standardized_risks(z: FloatArray, each_arm: FloatArray, outcome: FloatArray) -> Risks:
    """Fit outcome (B, n) of zeros and ones on z (n, K); average over rows each_arm (A, n, K)."""
    n_sets = outcome.shape[0]
    coef = np.zeros((n_sets, z.shape[1]))
    is_done = np.zeros(n_sets, dtype=np.bool_)
    information = np.empty((n_sets, z.shape[1], z.shape[1]))
    for _ in range(MAX_STEPS):
        predictor = np.clip(coef @ z.T, -MAX_PREDICTOR, MAX_PREDICTOR)
        mean = special.expit(predictor)
        information = np.einsum("bn,nk,nl->bkl", mean * (1 - mean), z, z, optimize=True)
        score = (outcome - mean) @ z
        step = np.linalg.solve(information, score[:, :, None])[:, :, 0]
        gain = (score * step).sum(axis=1) / 2
        coef = coef + np.where(is_done[:, None], 0.0, step)
        is_done |= gain < LAST_STEP_BELOW
        if is_done.all():
            break
    is_fitted = is_done & (np.abs(coef @ z.T).max(axis=1) < MAX_PREDICTOR)
    predicted = special.expit(np.einsum("ank,bk->ban", each_arm, coef, optimize=True))
    slope = predicted * (1 - predicted)
    gradient = np.einsum("ban,ank->bak", slope, each_arm, optimize=True) / z.shape[0]
    half = np.linalg.solve(information, gradient.swapaxes(1, 2))
    return Risks(
        risk=predicted.mean(axis=2),
        covariance=gradient @ half,
        is_fitted=is_fitted,
    )
