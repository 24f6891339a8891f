"""Regression of time within [0, tau] on covariates, weighted for censoring (Tian et al. 2014).

Each observed restricted time weighs one over the probability of being uncensored just before
it; the censoring curve is Kaplan-Meier's within each arm. The link is the identity
(differences) or the logarithm (ratios). The variance carries the estimation of the weights.
"""

from __future__ import annotations

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.life_table import life_table
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["censoring_weights", "rmst_regression"]

# R's survRM2 bounds the probability below, so that one late subject cannot carry everything.
SMALLEST_PROBABILITY = 1e-3
MAX_STEPS = 100


def censoring_weights(time: FloatArray, observed: BoolArray, group: IntArray) -> FloatArray:
    """Inverse probability of being uncensored, zero for the censored (n,); by group."""
    weights = np.zeros(time.size)
    for code in np.unique(group):
        own = group == code
        table = life_table(time[own], ~observed[own])
        probability = table.survival[np.searchsorted(table.time, time[own])]
        weights[own] = observed[own] / np.maximum(probability, SMALLEST_PROBABILITY)
    return weights


def rmst_regression(
    *,
    time: FloatArray,
    event: BoolArray,
    x: FloatArray,
    group: IntArray,
    tau: float,
    link: str,
) -> tuple[FloatArray, FloatArray]:
    """Coefficients (P,) of `x` (n, P), intercept included, and their covariance."""
    restricted = np.minimum(time, tau)
    observed = event | (restricted == tau)
    weights = censoring_weights(restricted, observed, group)
    coef = _weighted_fit(restricted, x, weights, link)
    fitted = np.exp(x @ coef) if link == "log" else x @ coef
    score = x * (weights * (restricted - fitted))[:, None]
    influence = np.empty_like(score)
    for code in np.unique(group):
        own = group == code
        influence[own] = score[own] + _censoring_part(restricted[own], observed[own], score[own])
    slope = x * fitted[:, None] if link == "log" else x
    bread = np.linalg.inv(slope.T @ x)
    vcov = bread @ (influence.T @ influence) @ bread.T
    return coef, (vcov + vcov.T) / 2


def _weighted_fit(y: FloatArray, x: FloatArray, weights: FloatArray, link: str) -> FloatArray:
    cross = (x * weights[:, None]).T
    if link == "identity":
        return _solve(cross @ x, cross @ y)
    start = np.log(np.maximum(y, np.finfo(float).tiny))
    positive = np.where(y > 0, start, np.log(y[y > 0].min()))
    coef = _solve(cross @ x, cross @ positive)
    for _ in range(MAX_STEPS):
        fitted = np.exp(x @ coef)
        step = _solve((cross * fitted) @ x, cross @ (y - fitted))
        coef = coef + step
        if np.abs(x @ step).max() < 1e-13:
            return coef
    raise ConvergenceError(
        f"The regression of restricted times did not settle in {MAX_STEPS} steps."
    )


def _solve(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(a, b), dtype=np.float64)


def _censoring_part(time: FloatArray, observed: BoolArray, score: FloatArray) -> FloatArray:
    """What each subject's own censoring adds to the score, through the estimated weights (n, P)."""
    order = np.argsort(time, kind="stable")
    t, censored, s = time[order], ~observed[order], score[order]
    first = np.searchsorted(t, t, side="left")
    last = np.searchsorted(t, t, side="right") - 1
    at_risk = (t.size - first).astype(float)
    beyond = np.cumsum(s[::-1], axis=0)[::-1][first]
    drift = np.cumsum(beyond * (censored / at_risk**2)[:, None], axis=0)[last]
    part = np.empty_like(score)
    part[order] = beyond * (censored / at_risk)[:, None] - drift
    return part
