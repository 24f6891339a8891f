"""Logistic regression given each subject's number of events: the subject's own level cancels.

Exact conditional likelihood: all ways to place a subject's events among its periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import linalg, special

from trialkit.errors import ConvergenceError
from trialkit.kernels.separation import recession_direction
from trialkit.typing import FloatArray, IntArray

__all__ = ["ConditionalFit", "fit_conditional_logistic"]

MAX_ITERATIONS = 60
# Newton's decrement at which the next step changes no printed digit.
CONVERGED = 1e-20
MAX_HALVINGS = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConditionalFit:
    """`coef` (P,), `vcov` (P, P), and the subjects that inform it (events and non-events)."""

    coef: FloatArray
    vcov: FloatArray
    log_likelihood: float
    n_informative: int


def fit_conditional_logistic(x: FloatArray, y: IntArray, subject: IntArray) -> ConditionalFit:
    """Maximum conditional likelihood of y (N,) in {0, 1} on x (N, P), no intercept.

    Raises ConvergenceError where no subject informs it, or a coefficient has no finite value.
    """
    arrangements = []
    for code in np.unique(subject):
        own = subject == code
        events, rows = int(y[own].sum()), x[own]
        if 0 < events < rows.shape[0]:
            sums = [rows[list(c)].sum(axis=0) for c in combinations(range(rows.shape[0]), events)]
            arrangements.append((np.array(sums), y[own] @ rows))
    if not arrangements:
        raise ConvergenceError("No subject has both an event and a period without one.")
    _refuse_infinite(arrangements)
    coef = np.zeros(x.shape[1])
    value, score, information = _derivatives(coef, arrangements)
    for _ in range(MAX_ITERATIONS):
        step = linalg.cho_solve(linalg.cho_factor(information), score)
        if float(step @ score) < CONVERGED * max(1.0, abs(value)):
            coef = coef + step
            value, _, information = _derivatives(coef, arrangements)
            inverse = linalg.cho_solve(linalg.cho_factor(information), np.eye(coef.size))
            return ConditionalFit(
                coef=coef,
                vcov=(inverse + inverse.T) / 2,
                log_likelihood=value,
                n_informative=len(arrangements),
            )
        for _ in range(MAX_HALVINGS):
            proposed = _derivatives(coef + step, arrangements)
            if proposed[0] >= value - 1e-12 * abs(value):
                break
            step = step / 2
        coef = coef + step
        value, score, information = proposed
    raise ConvergenceError(f"No maximum of the likelihood in {MAX_ITERATIONS} Newton steps.")


def _refuse_infinite(arrangements: list[tuple[FloatArray, FloatArray]]) -> None:
    """The likelihood has a maximum, and one only, or it is an error.

    It rises along d for ever where no arrangement of a subject's events lies above the observed
    one, and is flat where all lie level.
    """
    gained = np.vstack([observed - sums for sums, observed in arrangements])
    if np.linalg.matrix_rank(gained) < gained.shape[1]:
        raise ConvergenceError(
            "The conditional likelihood is flat: the discordant subjects do not determine every "
            "effect."
        )
    if recession_direction(gained, np.ones(gained.shape[0], dtype=np.int64)) is not None:
        raise ConvergenceError(
            "An odds ratio goes to zero or infinity: an effect separates events from non-events "
            "within subjects."
        )


def _derivatives(
    coef: FloatArray, arrangements: list[tuple[FloatArray, FloatArray]]
) -> tuple[float, FloatArray, FloatArray]:
    value, score = 0.0, np.zeros(coef.size)
    information = np.zeros((coef.size, coef.size))
    for sums, observed in arrangements:
        linear = sums @ coef
        total = float(special.logsumexp(linear))
        share = np.exp(linear - total)
        mean = share @ sums
        value += float(observed @ coef) - total
        score += observed - mean
        information += (sums * share[:, None]).T @ sums - np.outer(mean, mean)
    return value, score, information
