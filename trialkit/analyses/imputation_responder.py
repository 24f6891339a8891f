"""Responders among completed outcomes: a threshold, and risks standardised over the subjects."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trialkit.analyses.imputation_grid import Grid
from trialkit.analyses.imputation_problem import Problem
from trialkit.analyses.imputation_variance import Spread
from trialkit.data.vectors import number_vector
from trialkit.errors import DataError, SpecError
from trialkit.kernels.standardized_risk import standardized_risks
from trialkit.typing import BoolArray, FloatArray

__all__ = ["Responder", "read_responder", "responder_column", "responder_spread"]

RULE = re.compile(
    r"\s*(?P<outcome>[^<>=]+?)\s*(?P<sign><=|>=|<|>)\s*(?P<number>[-+]?\d+(\.\d*)?([eE][-+]?\d+)?)"
    r"\s*(\*\s*(?P<column>[^<>=*]+?)\s*)?"
)
SIGNS: dict[str, Callable[[FloatArray, FloatArray], BoolArray]] = {
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "<": np.less,
    ">": np.greater,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Responder:
    """Response is `sign` of the outcome against each subject's `threshold` (n,)."""

    rule: str
    sign: str
    threshold: FloatArray

    def of(self, completed: FloatArray) -> FloatArray:
        """Ones where completed outcomes (B, n, m) respond."""
        return SIGNS[self.sign](completed, self.threshold[:, None]).astype(np.float64)


def responder_column(rule: str | None) -> list[str]:
    """The column the rule multiplies, if there is one."""
    match = None if rule is None else RULE.fullmatch(rule)
    return [match["column"]] if match is not None and match["column"] else []


def read_responder(rule: str, grid: Grid) -> Responder:
    """The rule "outcome <= number" or "outcome <= number * column" over the subjects."""
    match = RULE.fullmatch(rule)
    if match is None or match["outcome"] != grid.outcome:
        raise SpecError(
            f"responder={rule!r} is not of the form '{grid.outcome} <= -2' or "
            f"'{grid.outcome} <= -0.3 * BASE' (signs <=, >=, <, >)."
        )
    number, column = float(match["number"]), match["column"]
    if column is None:
        return Responder(rule=rule, sign=match["sign"], threshold=np.full(grid.n, number))
    if not grid.is_subject_level[column]:
        raise DataError(f"responder={rule!r}: {column!r} changes within subjects.")
    values = number_vector(grid.frame, column)[:: len(grid.visits)]
    return Responder(rule=rule, sign=match["sign"], threshold=number * values)


def responder_spread(
    problem: Problem,
    strategy: str,
    responder: Responder,
    adjusted: Callable[[FloatArray], FloatArray],
) -> Spread:
    """Risk differences and risks of response at each visit, pooled over draws."""
    analysis = problem.analysis
    completed, n_failed = problem.draws(strategy)
    response = responder.of(adjusted(completed))
    estimates, variances = [], []
    for at in range(response.shape[2]):
        fits = standardized_risks(analysis.z, analysis.each_arm, response[:, :, at])
        rows = np.vstack(
            [
                np.eye(fits.risk.shape[1])[1:] - np.eye(fits.risk.shape[1])[0],
                np.eye(fits.risk.shape[1]),
            ]
        )
        lost = np.where(fits.is_fitted, 0.0, np.nan)[:, None]
        estimates.append(fits.risk @ rows.T + lost)
        variances.append(np.einsum("ra,bac,rc->br", rows, fits.covariance, rows) + lost)
    estimate, variance = np.stack(estimates, axis=2), np.stack(variances, axis=2)
    within = variance.mean(axis=0)[:, :, None, None]
    between = estimate.var(axis=0, ddof=1)[:, :, None, None]
    n = completed.shape[0]
    return Spread(
        kind="rubin",
        point=estimate.mean(axis=0)[:, :, None],
        between=between,
        within=within,
        bound=within + (1 + 1 / n) * between,
        n_copies=n,
        n_failed=n_failed,
        df_complete=np.inf,
    )
