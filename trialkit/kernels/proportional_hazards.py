"""Tests of proportional hazards, and the baseline hazard, of a fitted Cox model."""

from __future__ import annotations

import numpy as np

from trialkit.kernels.cox import CoxFit
from trialkit.kernels.life_table import life_table
from trialkit.kernels.ranks import midranks
from trialkit.typing import FloatArray, IntArray

__all__ = ["TRANSFORMS", "baseline_hazard", "score_tests_of_time", "transformed_times"]

TRANSFORMS = ("km", "rank", "identity", "log")


def transformed_times(fit: CoxFit, transform: str) -> FloatArray:
    """g(t) of each event (E,): 1 - Kaplan-Meier just before, the rank, the time or its log."""
    rows = fit.rows
    moment = rows.time[rows.subject]
    if transform == "identity":
        return moment
    if transform == "log":
        return np.log(moment)
    if transform == "rank":
        return midranks(rows.time)[rows.subject]
    table = life_table(rows.time, rows.event)
    before = np.concatenate([[1.0], table.survival])[np.searchsorted(table.time, moment)]
    falling: FloatArray = 1 - before
    return falling


def score_tests_of_time(
    fit: CoxFit, transform: str, groups: list[IntArray]
) -> list[tuple[float, int]]:
    """Score tests of adding g(t) times each group of columns; (chi-square, df), then all at once.

    Grambsch and Therneau's idea with the information of every event time kept (the score test,
    not its approximation by one average variance).
    """
    g = transformed_times(fit, transform)
    g = g - g.mean()
    spread = fit.sums.variance()
    p = fit.x.shape[1]
    residual = fit.x[fit.rows.subject] - fit.sums.mean
    information = np.empty((2 * p, 2 * p))
    information[:p, :p] = spread.sum(axis=0)
    information[:p, p:] = information[p:, :p] = np.einsum("e,eij->ij", g, spread)
    information[p:, p:] = np.einsum("e,eij->ij", g**2, spread)
    score = np.concatenate([np.zeros(p), g @ residual])
    tests = []
    for columns in [*groups, np.arange(p)]:
        kept = np.concatenate([np.arange(p), p + columns])
        part = score[kept]
        statistic = float(part @ np.linalg.solve(information[np.ix_(kept, kept)], part))
        tests.append((statistic, int(columns.size)))
    return tests


def baseline_hazard(fit: CoxFit, stratum: int) -> tuple[FloatArray, FloatArray]:
    """Event times of one stratum and the cumulative hazard there with every covariate at zero."""
    chosen = fit.rows.stratum[fit.rows.subject] == stratum
    moment = fit.rows.time[fit.rows.subject][chosen]
    at_zero = np.exp(-float(fit.center @ fit.coef))
    steps = at_zero / fit.sums.total[chosen]
    distinct, last = np.unique(moment[::-1], return_index=True)
    cumulative = np.cumsum(steps)
    return distinct, cumulative[moment.size - 1 - last]
