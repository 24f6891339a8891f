"""Subdistribution hazards regression (Fine and Gray 1999), with its robust variance.

A subject who had a competing event stays in the risk set with weight G(t-) / G(X-), G being
the Kaplan-Meier curve of censoring in all subjects together; tied events as Breslow. The
variance adds to each subject's score what estimating G contributes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.kernels.life_table import life_table
from trialkit.kernels.newton import newton_maximum
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["FineGrayFit", "fine_gray_fit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FineGrayFit:
    """Coefficients (P,), robust and naive (inverse information) covariance, log likelihoods."""

    coef: FloatArray
    vcov: FloatArray
    naive_vcov: FloatArray
    log_likelihood: float
    log_likelihood_null: float


def fine_gray_fit(
    *, time: FloatArray, cause: IntArray, of: int, x: FloatArray, names: list[str]
) -> FineGrayFit:
    """Fit `x` (n, P) to the hazard of the subdistribution of cause `of` (0 is censored)."""
    is_event = cause == of
    moments, counts = np.unique(time[is_event], return_counts=True)
    weights = _weights(time, cause, of, moments)
    center, scale = x.mean(axis=0), x.std(axis=0)
    standard = (x - center) / np.where(scale > 0, scale, 1.0)
    sum_x = standard[is_event].sum(axis=0)

    def value(beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        predictor = standard @ beta
        shift = float(predictor.max())
        total, mean, second = _moments(weights * np.exp(predictor - shift), standard)
        spread = second - mean[:, :, None] * mean[:, None, :]
        log_likelihood = float(predictor[is_event].sum() - counts @ (np.log(total) + shift))
        return log_likelihood, sum_x - counts @ mean, np.einsum("m,mij->ij", counts, spread)

    beta, log_likelihood, information = newton_maximum(value, names)
    risk = weights * np.exp(standard @ beta)
    total, mean, _ = _moments(risk, standard)
    influence = _influence(time, cause, is_event, standard, moments, risk, counts / total, mean)
    naive = np.linalg.inv(information)
    robust = naive @ (influence.T @ influence) @ naive
    units = np.outer(scale, scale)
    return FineGrayFit(
        coef=beta / scale,
        vcov=robust / units,
        naive_vcov=naive / units,
        log_likelihood=log_likelihood,
        log_likelihood_null=value(np.zeros(len(names)))[0],
    )


def _weights(time: FloatArray, cause: IntArray, of: int, moments: FloatArray) -> FloatArray:
    """Weight of each subject in the risk set of each event time (M, n)."""
    censoring = life_table(time, cause == 0)
    steps = np.concatenate([[1.0], censoring.survival])
    g_moment = steps[np.searchsorted(censoring.time, moments, side="left")]
    g_own = steps[np.searchsorted(censoring.time, time, side="left")]
    at_risk = time[None, :] >= moments[:, None]
    competing = (cause > 0) & (cause != of)
    kept = g_moment[:, None] / np.where(g_own > 0, g_own, 1.0)[None, :]
    return np.where(at_risk, 1.0, np.where(competing[None, :], kept, 0.0))


def _moments(risk: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    total = risk.sum(axis=1)
    mean = risk @ x / total[:, None]
    second = np.einsum("mn,ni,nj->mij", risk, x, x, optimize=True) / total[:, None, None]
    return total, mean, second


def _influence(
    time: FloatArray,
    cause: IntArray,
    is_event: BoolArray,
    x: FloatArray,
    moments: FloatArray,
    risk: FloatArray,
    hazard: FloatArray,
    mean: FloatArray,
) -> FloatArray:
    """Each subject's share of the score, estimation of the censoring curve included (n, P)."""
    compensated = risk * hazard[:, None]  # (M, n)
    eta: FloatArray = -(x * compensated.sum(axis=0)[:, None] - compensated.T @ mean)
    own = np.searchsorted(moments, time[is_event])
    eta[is_event] += x[is_event] - mean[own]
    censored = cause == 0
    times = np.unique(time[censored])
    if times.size == 0:
        return eta
    # q(u): what those with a competing event before u still add to the score from u on.
    left = ~censored & ~is_event
    after = moments[:, None] >= times[None, :]
    past = time[:, None] < times[None, :]
    q = np.empty((times.size, x.shape[1]))
    for position in range(times.size):
        part = compensated[after[:, position]][:, left & past[:, position]]
        members = x[left & past[:, position]]
        q[position] = part.sum(axis=0) @ members - part.sum(axis=1) @ mean[after[:, position]]
    at_risk = np.array([np.sum(time >= u) for u in times], dtype=float)
    leaving = np.array([np.sum(censored & (time == u)) for u in times], dtype=float)
    scaled = q / at_risk[:, None]
    drift = np.cumsum(scaled * (leaving / at_risk)[:, None], axis=0)
    upto = np.searchsorted(times, time, side="right") - 1
    psi = np.where((upto >= 0)[:, None], -drift[np.maximum(upto, 0)], 0.0)
    psi[censored] += scaled[np.searchsorted(times, time[censored])]
    influence: FloatArray = eta + psi
    return influence
