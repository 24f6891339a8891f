"""Newton's method on a concave log likelihood whose coefficients may run to infinity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from trialkit.errors import ConvergenceError, DataError
from trialkit.typing import FloatArray

__all__ = ["LARGEST_STANDARD", "newton_maximum"]

# (log likelihood, score, information) at a coefficient vector.
Likelihood: TypeAlias = Callable[[FloatArray], tuple[float, FloatArray, FloatArray]]

MAX_STEPS = 50
MAX_HALVINGS = 30
# Newton's decrement (twice the gain still to be had), relative to the log likelihood, at which
# to stop: the next step would change the coefficients by some 1e-11 standard errors.
DECREMENT = 1e-24
# A covariate in standard deviations with a log ratio beyond this has a likelihood that rises
# for ever: exp(12) is 160 000.
LARGEST_STANDARD = 12.0
# Share of a column's information that the others leave: below it, none.
SINGULAR = 1e-10


def newton_maximum(
    value: Likelihood, names: Sequence[str], *, limit: float = LARGEST_STANDARD
) -> tuple[FloatArray, float, FloatArray]:
    """Coefficients of standardised covariates, log likelihood and information at its maximum.

    Raises DataError where the columns cannot be told apart at the start, ConvergenceError
    where a coefficient passes `limit` or takes the information with it.
    """
    beta = np.zeros(len(names))
    current, score, information = value(beta)
    if _is_singular(information):
        raise DataError(
            f"The coefficients of {', '.join(names)} cannot be told apart: one of the columns "
            "does not vary, or is a combination of the others, wherever an event tells."
        )
    for _ in range(MAX_STEPS):
        step = np.linalg.solve(information, score)
        if float(step @ score) < DECREMENT * max(1.0, abs(current)):
            return beta + step, current, information
        for _ in range(MAX_HALVINGS):
            proposed = value(beta + step)
            # Equality but for rounding: the last steps gain less than the sum's own error.
            if proposed[0] >= current - 1e-10 * abs(current):
                break
            step = step / 2
        beta = beta + step
        current, score, information = proposed
        if np.abs(beta).max() > limit or _is_singular(information):
            name = names[int(np.argmax(np.abs(beta)))]
            raise ConvergenceError(
                f"The coefficient of {name} runs to infinity: the likelihood has no maximum "
                "(no event, or every event, on one side of it). Leave it out or merge levels."
            )
    raise ConvergenceError(f"No maximum of the likelihood in {MAX_STEPS} Newton steps.")


def _is_singular(information: FloatArray) -> bool:
    diagonal = np.diag(information)
    if not (diagonal > 0).all():  # also where the covariates' spread has been rounded away
        return True
    scale = np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(information / np.outer(scale, scale))[0] < SINGULAR)
