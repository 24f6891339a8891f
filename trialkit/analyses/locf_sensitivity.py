"""Last observation carried forward: a named sensitivity analysis and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from trialkit.analyses.ancova import AncovaFit, ancova
from trialkit.analyses.choices import check_choice
from trialkit.analyses.imputation_grid import Grid, grid_of_formula
from trialkit.analyses.reference_grid import MEAN_WEIGHTS
from trialkit.data.formula import parse_formula
from trialkit.errors import DataError
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import check_alternative, check_level
from trialkit.typing import Alternative, FloatArray, MeanWeights

__all__ = ["locf_sensitivity"]

WARNING = (
    "Last observation carried forward is a sensitivity analysis only. It takes a measurement for "
    "a patient's future, can favour either arm even where outcomes are missing completely at "
    "random, and counts invented values as measured."
)


def locf_sensitivity(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    visit_order: str | Sequence[object] | None = None,
    weights: MeanWeights = "equal",
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Difference in mean outcome between arms, each missing one replaced by the last one seen.

    A sensitivity analysis, named as one, to be set beside `mmrm` or `reference_based` and never
    to take their place. Its mean is that of a last measurement, whenever it was taken. As an
    estimate of the mean at the visit it is biased where patients would have gone on changing,
    in favour of either arm and even where outcomes are missing completely at random
    (Molenberghs et al. 2004); its standard error counts carried values as measured. The
    National Research Council (2010) advises against single imputation as the primary analysis
    unless the assumptions behind it are scientifically justified. Every result carries this
    warning in its `notes`.

    `formula` ("CHG ~ TRT01P + BASE") is fitted at each visit by least squares, as in `ancova`;
    its variables do not change within a subject. Gaps before a last observation are filled in
    the same way. A subject with nothing to carry at a visit is left out there and counted.
    `weights` of the LS means as in `ancova`.

    Keys `visit, contrast`; extras `n_carried` and `n_left_out`, over all arms. Raises SpecError
    for an outcome that is an expression and a formula without the arm; DataError as `ancova`,
    and for two rows of a subject at a visit.

    References: National Research Council (2010), doi:10.17226/12955; Molenberghs et al. (2004),
    doi:10.1093/biostatistics/kxh001.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> data = pd.DataFrame({
    ...     "USUBJID": np.repeat(list("abcdef"), 2),
    ...     "TRT01P": np.repeat(["Placebo", "Drug"] * 3, 2),
    ...     "AVISITN": [4, 12] * 6,
    ...     "CHG": [-1, -2, -2, -4, -1, np.nan, -3, -3, 0, -1, -2, np.nan],
    ... })
    >>> table = tk.locf_sensitivity(
    ...     "CHG ~ TRT01P", data, subject="USUBJID", visit="AVISITN", arm="TRT01P",
    ...     reference="Placebo",
    ... )
    >>> last = table.where(visit=12)
    >>> round(last.single().estimate, 3), last.extras["n_carried"]
    (-1.667, (2,))
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_choice("weights", weights, MEAN_WEIGHTS)
    grid = grid_of_formula(
        formula,
        data,
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        visit_order=visit_order,
    )
    changing = [name for name in parse_formula(formula).right if not grid.is_subject_level[name]]
    if changing:
        raise DataError(
            f"{formula!r} is fitted at each visit with one row a subject, but {changing[0]!r} "
            "changes within subjects; take it out."
        )
    carried = _carried_forward(grid.y)
    rows: list[Estimate] = []
    visits: list[object] = []
    counts: list[tuple[int, int]] = []
    for at, label in enumerate(grid.visits):
        values = carried[:, at]
        is_lost = np.isnan(values)
        fit = _fit(formula, grid, values, label)
        found = fit.contrasts(
            weights=weights, ci_level=ci_level, alternative=alternative, null=null
        )
        for row in found.estimates:
            method = f"Sensitivity analysis, last observation carried forward: {row.method}"
            rows.append(replace(row, method=method))
            visits.append(label)
            counts.append((int(np.sum(~grid.seen[:, at] & ~is_lost)), int(is_lost.sum())))
    return EstimateTable(
        estimates=tuple(rows),
        keys={"visit": tuple(visits), "contrast": tuple(row.label for row in rows)},
        extras={
            "n_carried": tuple(carried for carried, _ in counts),
            "n_left_out": tuple(lost for _, lost in counts),
        },
        variable=grid.outcome,
        notes=(WARNING,),
    )


def _carried_forward(y: FloatArray) -> FloatArray:
    """Outcomes (n, m) with each gap replaced by the last one before it; NaN before the first."""
    last = np.maximum.accumulate(np.where(np.isnan(y), -1, np.arange(y.shape[1])), axis=1)
    out = np.take_along_axis(y, np.maximum(last, 0), axis=1)
    return np.asarray(np.where(last >= 0, out, np.nan))


def _fit(formula: str, grid: Grid, values: FloatArray, label: object) -> AncovaFit:
    people = grid.frame.iloc[:: len(grid.visits)].reset_index(drop=True)
    try:
        return ancova(
            formula,
            people.assign(**{grid.outcome: values}),
            arm=grid.arm,
            reference=grid.arms[0],
        )
    except DataError as problem:
        raise DataError(f"At {grid.visit} {label!r}: {problem}") from problem
