"""Logistic regression by Newton's method on the binomial likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialkit.kernels.newton import newton_maximum
from trialkit.typing import BoolArray, FloatArray

__all__ = ["LogisticFit", "logistic_fit"]

# The intercept belongs to standardised columns: beyond this no share of events is left.
LARGEST = 25.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticFit:
    """Coefficients (P,) and covariance, the intercept first; log likelihood."""

    coef: FloatArray
    vcov: FloatArray
    log_likelihood: float

    @property
    def deviance(self) -> float:
        """Minus twice the log likelihood: single trials have a saturated likelihood of one."""
        return -2 * self.log_likelihood


def logistic_fit(*, x: FloatArray, event: BoolArray, names: list[str]) -> LogisticFit:
    """Fit `event` (n,) to `x` (n, P), whose first column is the intercept.

    Raises ConvergenceError where a column separates events from the others.
    """
    y = event.astype(np.float64)
    center, scale = x.mean(axis=0), x.std(axis=0)
    center[0], scale[0] = 0.0, 1.0
    scale[scale == 0] = 1.0
    standard = (x - center) / scale

    def value(beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        predictor = standard @ beta
        chance = special.expit(predictor)
        log_likelihood = float(y @ predictor - np.logaddexp(0, predictor).sum())
        weighted = standard * (chance * (1 - chance))[:, None]
        return log_likelihood, standard.T @ (y - chance), weighted.T @ standard

    beta, log_likelihood, information = newton_maximum(value, names, limit=LARGEST)
    # Back to the columns as given: each slope by its scale, the intercept by every centre.
    back = np.diag(1 / scale)
    back[0] -= np.where(np.arange(scale.size) > 0, center / scale, 0.0)
    vcov = back @ np.linalg.inv(information) @ back.T
    return LogisticFit(coef=back @ beta, vcov=(vcov + vcov.T) / 2, log_likelihood=log_likelihood)
