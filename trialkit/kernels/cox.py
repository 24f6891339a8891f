"""Cox's proportional hazards model by Newton's method on the partial likelihood.

Efron's and Breslow's treatment of tied events share their sums (`risk_sums`); "exact" is the
conditional likelihood of the d that failed among all sets of d at risk (discrete time).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import DataError
from trialkit.kernels.newton import newton_maximum
from trialkit.kernels.risk_sums import EventRows, RiskSums, event_rows, risk_sums
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["CoxFit", "cox_fit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoxFit:
    """Coefficients (P,), their covariance, log likelihoods, score test; and what follows from them.

    `x` (n, P), centred at `center`, and `rows` are in the sorted order of `EventRows`.
    """

    coef: FloatArray
    vcov: FloatArray
    log_likelihood: float
    log_likelihood_null: float
    score_test: float
    rows: EventRows
    sums: RiskSums
    x: FloatArray
    center: FloatArray
    ties: str

    @property
    def risk(self) -> FloatArray:
        """Relative risk of each subject in the sorted order (n,), at the centred covariates."""
        return np.exp(self.x @ self.coef)

    def score_residuals(self) -> FloatArray:
        """Each subject's share of the score (n, P), in the order of the data."""
        rows, sums, risk = self.rows, self.sums, self.risk
        residuals = np.zeros_like(self.x)
        inverse = 1 / sums.total
        for start in np.unique(rows.start):
            own = np.flatnonzero(rows.start == start)
            members = np.flatnonzero(rows.stratum == rows.stratum[start])
            moment = rows.time[rows.subject[own]]
            weight = np.concatenate([[0.0], np.cumsum(inverse[own])])
            centre = sums.mean[own] * inverse[own, None]
            pull = np.concatenate([np.zeros((1, self.x.shape[1])), np.cumsum(centre, axis=0)])
            upto = np.searchsorted(moment, rows.time[members], side="right")
            term = self.x[members] * weight[upto][:, None] - pull[upto]
            residuals[members] -= risk[members][:, None] * term
        for tie in np.unique(rows.first):
            run = np.arange(tie, tie + rows.size[tie])
            dead = rows.subject[run]
            residuals[dead] += self.x[dead] - sums.mean[run].mean(axis=0)
            # Of its own tied events a death stays at risk for the share 1 - k / d only.
            share = rows.fraction[run] * inverse[run]
            excess = self.x[dead] * share.sum() - share @ sums.mean[run]
            residuals[dead] += risk[dead][:, None] * excess
        restored = np.empty_like(residuals)
        restored[rows.order] = residuals
        return restored


def cox_fit(
    *,
    time: FloatArray,
    event: BoolArray,
    x: FloatArray,
    stratum: IntArray,
    names: list[str],
    ties: str = "efron",
) -> CoxFit:
    """Fit covariates `x` (n, P) to times (n,); `names` (P,) serve the messages alone.

    Raises DataError for aliased covariates, ConvergenceError where a coefficient runs to
    infinity (no event, or every event, on one side of a covariate).
    """
    rows = event_rows(time, event, stratum, is_efron=ties == "efron")
    center = x.mean(axis=0)
    scale = x.std(axis=0)
    for name, spread in zip(names, scale, strict=True):
        if spread == 0:
            raise DataError(f"{name} is constant over the {time.size} analysed rows.")
    standard = ((x - center) / scale)[rows.order]

    def value(beta: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        return _likelihood(rows, standard, beta, ties)

    beta, log_likelihood, information = newton_maximum(value, names)
    null, score, null_information = value(np.zeros(x.shape[1]))
    vcov = np.linalg.inv(information) / np.outer(scale, scale)
    original = standard * scale
    coef = beta / scale
    sums = risk_sums(rows, original, np.exp(original @ coef))
    return CoxFit(
        coef=coef,
        vcov=(vcov + vcov.T) / 2,
        log_likelihood=log_likelihood,
        log_likelihood_null=null,
        score_test=float(score @ np.linalg.solve(null_information, score)),
        rows=rows,
        sums=sums,
        x=original,
        center=center,
        ties=ties,
    )


def _likelihood(
    rows: EventRows, x: FloatArray, beta: FloatArray, ties: str
) -> tuple[float, FloatArray, FloatArray]:
    predictor = x @ beta
    shift = float(predictor.max())
    risk = np.exp(predictor - shift)
    if ties == "exact":
        return _conditional_likelihood(rows, x, predictor, risk, shift)
    sums = risk_sums(rows, x, risk)
    dead = rows.subject
    value = float(np.sum(predictor[dead]) - np.sum(np.log(sums.total)) - dead.size * shift)
    return value, (x[dead] - sums.mean).sum(axis=0), sums.variance().sum(axis=0)


def _conditional_likelihood(
    rows: EventRows, x: FloatArray, predictor: FloatArray, risk: FloatArray, shift: float
) -> tuple[float, FloatArray, FloatArray]:
    """Of all sets of d among those at risk, the set that failed: one factor a distinct time."""
    p = x.shape[1]
    dead = rows.subject
    value = float(np.sum(predictor[dead])) - dead.size * shift
    score, information = x[dead].sum(axis=0), np.zeros((p, p))
    for tie in np.unique(rows.first):
        members = slice(int(rows.start[tie]), int(rows.stop[tie]))
        size = int(rows.size[tie])
        total, first, second = _elementary(x[members], risk[members], size)
        value -= float(np.log(total))
        mean = first / total
        score = score - mean
        information += second / total - np.outer(mean, mean)
    return value, score, information


def _elementary(x: FloatArray, risk: FloatArray, size: int) -> tuple[float, FloatArray, FloatArray]:
    """Sum over all sets of `size` of the product of risks, with its first two derivatives."""
    p = x.shape[1]
    value = np.zeros(size + 1)
    first, second = np.zeros((size + 1, p)), np.zeros((size + 1, p, p))
    value[0] = 1.0
    for row, weight in zip(x, risk, strict=True):
        v, f, s = value[:-1].copy(), first[:-1].copy(), second[:-1].copy()
        value[1:] += weight * v
        first[1:] += weight * (f + v[:, None] * row)
        cross = f[:, :, None] * row
        outer = np.multiply.outer(row, row)
        second[1:] += weight * (s + cross + cross.transpose(0, 2, 1) + v[:, None, None] * outer)
    return float(value[size]), first[size], second[size]
