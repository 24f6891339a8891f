"""Two variances of one imputed effect: over repeated trials, and with information anchored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_problem import Problem, chance, read_problem
from trialkit.analyses.imputation_variance import Spread
from trialkit.analyses.reference_based import Strategy
from trialkit.analyses.two_arms import contrast_label
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import check_level
from trialkit.typing import FloatArray, MeanWeights

__all__ = ["compare_variances"]

WHOLE = np.ones(1)


def compare_variances(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    strategy: Strategy | Sequence[Strategy] = "j2r",
    events: pd.DataFrame | None = None,
    visit_order: str | Sequence[object] | None = None,
    covariance: str = "unstructured",
    group: str | None = None,
    method: Literal["reml", "ml"] = "reml",
    weights: MeanWeights = "counterfactual",
    n_samples: int | None = None,
    analysis: str | None = None,
    ci_level: float = 0.95,
    rng: np.random.Generator | int | None = None,
) -> EstimateTable:
    """Jackknife against Rubin standard error of each imputed difference, arm minus reference.

    Under a reference-based strategy the two answer different questions. The jackknife estimates
    the variance of the estimate over repeated trials, which falls as more subjects leave: what
    is imputed from the reference arm borrows its information. Rubin's rules keep the share of
    information lost to missing values at what it is under missing at random (information
    anchored); over repeated trials they are too wide. Which is wanted belongs in the plan.

    Arguments as in `reference_based`; "mar" is added where `strategy` lacks it, and is missing at
    random for everybody, whatever strategy an event has of its own. Keys
    `visit, contrast, strategy`; `se`, statistic and interval are the jackknife's. Extras:
    `estimate_rubin`, `se_rubin`, `df_rubin` over `n_samples` (100) draws; `se_ratio` (Rubin over
    jackknife); `variance_over_mar` and `variance_over_mar_rubin`, each variance over its own
    under missing at random: one is information anchored, below one the strategy adds
    information, above one it removes some.

    Reference: Cro, Carpenter & Kenward (2019), doi:10.1111/rssa.12423.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> rng = np.random.default_rng(1)
    >>> n, visits = 60, 3
    >>> arm = np.repeat(["Placebo", "Drug"], n // 2)
    >>> y = rng.normal(size=(n, visits)).cumsum(axis=1) - (arm == "Drug")[:, None] * [1, 2, 3]
    >>> y[::4, 2] = y[::12, 1] = np.nan
    >>> data = pd.DataFrame({
    ...     "USUBJID": np.repeat(np.arange(n), visits),
    ...     "TRT01P": np.repeat(arm, visits),
    ...     "AVISITN": np.tile([4, 8, 12], n),
    ...     "CHG": y.ravel(),
    ... })
    >>> table = tk.compare_variances(
    ...     "CHG ~ TRT01P*C(AVISITN)", data, subject="USUBJID", visit="AVISITN", arm="TRT01P",
    ...     reference="Placebo", rng=1,
    ... )
    >>> last = table.where(visit=12, strategy="j2r").frame().iloc[0]
    >>> bool(last["se_ratio"] > 1), bool(last["variance_over_mar"] < 1)
    (True, True)
    """
    check_level(ci_level)
    asked = (strategy,) if isinstance(strategy, str) else tuple(strategy)
    problem = read_problem(
        formula,
        data,
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        strategy=asked if "mar" in asked else ("mar", *asked),
        events=events,
        visit_order=visit_order,
        covariance=covariance,
        group=group,
        method=method,
        weights=weights,
        variance="jackknife",
        n_samples=None,
        analysis=analysis,
        rng=None,
        has_anchor=True,
    )
    drawn, count, seed = chance("rubin", n_samples, rng)
    with_draws = replace(problem, variance="rubin", rng=drawn, n_samples=count, seed=seed)
    return _table(problem, _spreads(problem), _spreads(with_draws), count, seed, ci_level)


def _spreads(problem: Problem) -> dict[str, Spread]:
    return {
        each: problem.spread(each, lambda filled: filled[..., None]) for each in problem.strategies
    }


def _table(
    problem: Problem,
    jackknife: Mapping[str, Spread],
    rubin: Mapping[str, Spread],
    count: int,
    seed: str,
    ci_level: float,
) -> EstimateTable:
    grid = problem.grid
    arms = grid.arms
    keys: dict[str, list[object]] = {"visit": [], "contrast": [], "strategy": []}
    estimates: list[Estimate] = []
    extras: dict[str, list[object]] = {}
    anchors = jackknife["mar"].at(WHOLE)[1], rubin["mar"].at(WHOLE)[1]
    for strategy in problem.strategies:
        one, other = jackknife[strategy].at(WHOLE), rubin[strategy].at(WHOLE)
        for at, label in enumerate(grid.visits):
            for row, compared in enumerate(arms[1:]):
                name = contrast_label(compared, arms[0])
                for key, value in zip(keys.values(), (label, name, strategy), strict=True):
                    key.append(value)
                estimates.append(
                    Estimate.from_z(
                        label=name,
                        estimate=float(one[0][row, at]),
                        se=float(one[1][row, at]),
                        n=grid.n,
                        method=f"{problem.method(strategy, '')}; beside {count} "
                        f"approximate-Bayesian imputations{seed} with Rubin's rules",
                        ci_level=ci_level,
                    )
                )
                for column, number in _extras(one, other, anchors, (row, at)).items():
                    extras.setdefault(column, []).append(number)
    return EstimateTable(
        estimates=tuple(estimates),
        keys={name: tuple(values) for name, values in keys.items()},
        extras={name: tuple(values) for name, values in extras.items()},
        variable=grid.outcome,
        notes=problem.notes(),
    )


def _extras(
    one: tuple[FloatArray, FloatArray, FloatArray],
    other: tuple[FloatArray, FloatArray, FloatArray],
    anchors: tuple[FloatArray, FloatArray],
    place: tuple[int, int],
) -> dict[str, float]:
    return {
        "estimate_rubin": float(other[0][place]),
        "se_rubin": float(other[1][place]),
        "df_rubin": float(other[2][place]),
        "se_ratio": float(other[1][place] / one[1][place]),
        "variance_over_mar": float((one[1][place] / anchors[0][place]) ** 2),
        "variance_over_mar_rubin": float((other[1][place] / anchors[1][place]) ** 2),
    }
