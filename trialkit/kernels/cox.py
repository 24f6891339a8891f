"""Cox's proportional hazards model by Newton's method on the partial likelihood.

Efron's and Breslow's treatment of tied events share their sums (`risk_sums`); "exact" is the
conditional likelihood of the d that failed among all sets of d at risk (discrete time).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.risk_sums import EventRows, RiskSums, event_rows, risk_sums
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["CoxFit", "cox_fit", "newton_maximum"]

MAX_STEPS = 50
# Newton's decrement (twice the gain still to be had in log likelihood) at which to stop: the
# next step would change the coefficients by 1e-12 standard errors.
DECREMENT = 1e-24
# A covariate in standard deviations with a log hazard ratio beyond this has a likelihood that
# rises for ever: exp(12) is 160 000.
LARGEST_STANDARD = 12.0


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


def newton_maximum(
    value: object, names: list[str], *, limit: float = LARGEST_STANDARD
) -> tuple[FloatArray, float, FloatArray]:
    """Coefficients of standardised covariates, log likelihood and information at its maximum.

    `value(beta)` gives log likelihood, score and information.
    """
    beta = np.zeros(len(names))
    current, score, information = value(beta)  # type: ignore[operator]
    for _ in range(MAX_STEPS):
        _require_information(information, names)
        step = np.linalg.solve(information, score)
        if float(step @ score) < DECREMENT * max(1.0, abs(current)):
            return beta + step, current, information
        for _ in range(30):
            proposed = value(beta + step)  # type: ignore[operator]
            if proposed[0] >= current - 1e-10 * abs(current):
                break
            step = step / 2
        beta = beta + step
        current, score, information = proposed
        if np.abs(beta).max() > limit:
            name = names[int(np.argmax(np.abs(beta)))]
            raise ConvergenceError(
                f"The coefficient of {name} runs to infinity: the likelihood has no maximum "
                "(no event, or every event, on one side of it). Leave it out or merge levels."
            )
    raise ConvergenceError(f"No maximum of the likelihood in {MAX_STEPS} Newton steps.")


def _require_information(information: FloatArray, names: list[str]) -> None:
    scale = np.sqrt(np.diag(information))
    if not (scale > 0).all():
        name = names[int(np.argmin(scale))]
        raise ConvergenceError(f"{name} does not vary in any risk set with an event.")
    smallest = float(np.linalg.eigvalsh(information / np.outer(scale, scale))[0])
    if smallest < 1e-10:
        raise DataError(
            f"The coefficients of {', '.join(names)} cannot be told apart: one of the columns is "
            "a combination of the others in every risk set."
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
