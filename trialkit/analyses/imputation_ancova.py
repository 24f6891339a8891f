"""The model that analyses completed outcomes, visit by visit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_grid import Grid
from trialkit.data.formula import parse_formula
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.errors import DataError, SpecError
from trialkit.kernels.mmrm.basis import has_full_rank
from trialkit.kernels.weighted_ancova import subject_means
from trialkit.typing import FloatArray

__all__ = ["AnalysisModel", "analysis_model", "default_analysis"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnalysisModel:
    """Design `z` (n, K) of the analysis, one row a subject, and how LS means are averaged."""

    formula: str
    frame: ModelFrame
    arm: str
    z: FloatArray
    weights: str
    each_arm: FloatArray

    @property
    def df_residual(self) -> int:
        """Residual degrees of freedom of the analysis of complete data."""
        return int(self.z.shape[0] - self.z.shape[1])

    def rows(self, weights: FloatArray) -> FloatArray:
        """Rows (B, A, K) whose fitted values are the arms' LS means, for weights (B, n)."""
        if self.weights == "counterfactual":
            return subject_means(weights, self.each_arm)
        return _grid_rows(self.frame, self.arm, weights, is_observed=self.weights == "observed")


def default_analysis(outcome: str, arm: str, variables: Sequence[str]) -> str:
    """Arm and the subjects' own covariates of the imputation model, as main effects."""
    return f"{outcome} ~ {' + '.join([arm, *(name for name in variables if name != arm)])}"


def analysis_model(formula: str, grid: Grid, *, weights: str) -> AnalysisModel:
    """Lay the analysis over the subjects.

    Raises SpecError for another outcome or a formula without the arm; DataError for variables
    that change within a subject and for coefficients that are not determined.
    """
    parsed = parse_formula(formula)
    if parsed.left != (grid.outcome,) or parsed.outcome != grid.outcome:
        raise SpecError(
            f"analysis={formula!r} has the outcome {parsed.outcome!r}; it is {grid.outcome!r} that "
            "is imputed."
        )
    if grid.arm not in parsed.right:
        raise SpecError(f"analysis={formula!r} has no term with the arm {grid.arm!r}.")
    changing = [name for name in parsed.right if not grid.is_subject_level[name]]
    if changing:
        raise DataError(
            f"analysis={formula!r} is made at each visit with one row a subject, but "
            f"{changing[0]!r} changes within subjects; take it out."
        )
    people = grid.frame.iloc[:: len(grid.visits)].reset_index(drop=True)
    frame = build_model_frame(
        formula,
        people.assign(**{grid.outcome: 0.0}),
        levels={grid.arm: grid.arms},
        every_level=[grid.arm],
    )
    if not has_full_rank(frame.matrix):
        raise DataError(f"analysis={formula!r} has coefficients that the others determine.")
    if frame.n <= len(frame.columns):
        raise DataError(f"{frame.n} subjects leave no residual degrees of freedom for {formula!r}.")
    each = [
        frame.rows_for(people.assign(**{grid.arm: pd.Series([label] * len(people))}))
        for label in grid.arms
    ]
    return AnalysisModel(
        formula=formula,
        frame=frame,
        arm=grid.arm,
        z=frame.matrix,
        weights=weights,
        each_arm=np.stack(each),
    )


def _grid_rows(
    frame: ModelFrame, arm: str, weights: FloatArray, *, is_observed: bool
) -> FloatArray:
    """Rows at the weighted means of the covariates, factors averaged equally or as observed."""
    share = weights / weights.sum(axis=1, keepdims=True)
    factors = [factor for name, factor in frame.factors.items() if name != arm]
    arms = frame.factors[arm].levels
    combinations = list(product(*(factor.levels for factor in factors)))
    n_sets, n_cells = share.shape[0], len(arms) * len(combinations)
    columns: dict[str, object] = {
        name: np.repeat(share @ frame.analysed[name].to_numpy(dtype=np.float64), n_cells)
        for name in frame.covariate_means
    }
    cells = [(label, *levels) for label in arms for levels in combinations]
    for position, name in enumerate([arm, *(factor.name for factor in factors)]):
        columns[name] = [cell[position] for cell in cells] * n_sets
    rows = frame.rows_for(pd.DataFrame(columns)).reshape(n_sets, len(arms), len(combinations), -1)
    average = np.full((n_sets, len(combinations)), 1.0 / len(combinations))
    if is_observed:
        average = np.ones((n_sets, len(combinations)))
        for position, factor in enumerate(factors):
            values = frame.analysed[factor.name].to_numpy()
            own = {level: share @ (values == level) for level in factor.levels}
            average *= np.stack([own[levels[position]] for levels in combinations], axis=1)
    return np.asarray(np.einsum("bc,back->bak", average, rows))
