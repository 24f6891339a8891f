"""The grid of deltas: its axes, the parts of the outcome they multiply, estimates and border."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_grid import Grid
from trialkit.analyses.imputation_problem import Problem
from trialkit.analyses.imputation_variance import Parts, Spread
from trialkit.analyses.two_arms import contrast_label
from trialkit.errors import DataError, SpecError
from trialkit.results import Estimate, EstimateTable
from trialkit.typing import Alternative, BoolArray, FloatArray

__all__ = ["Axis", "Deltas", "Question", "axes_of", "parts_of", "visit_positions"]

# One sequence for every arm but the reference, or a sequence for each arm named.
Deltas = Sequence[float] | Mapping[object, Sequence[float]]

# A grid beyond this is a slip of the step, not a question.
LARGEST_GRID = 100_000
# Bisections between two points of the grid: the border to its last digits.
BISECTIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """One dimension of the grid: its `values` (g,) go to the arms `codes`."""

    name: str
    values: FloatArray
    codes: tuple[int, ...]
    neutral: float


def axes_of(deltas: Deltas, grid: Grid, kind: str) -> list[Axis]:
    """The axes that `deltas` ask for; SpecError for unknown arms and too large a grid."""
    neutral = 0.0 if kind == "additive" else 1.0
    if not isinstance(deltas, Mapping):
        codes = tuple(range(1, len(grid.arms)))
        return [Axis(name="delta", values=_values(deltas), codes=codes, neutral=neutral)]
    if not deltas:
        raise SpecError("deltas= is empty.")
    axes = []
    for label, values in deltas.items():
        if label not in grid.arms:
            raise SpecError(
                f"deltas= names the arm {label!r}; arms: {', '.join(map(repr, grid.arms))}."
            )
        axes.append(
            Axis(
                name=f"delta {label}",
                values=_values(values),
                codes=(grid.arms.index(label),),
                neutral=neutral,
            )
        )
    size = int(np.prod([axis.values.size for axis in axes]))
    if size > LARGEST_GRID:
        raise SpecError(f"deltas= make a grid of {size} points; at most {LARGEST_GRID}.")
    return axes


def _values(values: Sequence[float]) -> FloatArray:
    try:
        out = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(f"deltas={values!r}: give a sequence of numbers.") from None
    if out.ndim != 1 or out.size < 1 or not np.isfinite(out).all():
        raise SpecError("deltas= must be a sequence of finite numbers.")
    if (np.diff(out) <= 0).any():
        raise SpecError("deltas= must increase from one to the next.")
    return out


def visit_positions(visits: Sequence[object] | None, grid: Grid) -> list[int]:
    """Positions of the visits asked for: the last one where none are."""
    if visits is None:
        return [len(grid.visits) - 1]
    if isinstance(visits, str):
        raise SpecError(f"visits={visits!r}: give a list of visits.")
    for label in visits:
        if label not in grid.visits:
            raise DataError(
                f"visits= names {label!r}; visits: {', '.join(map(repr, grid.visits))}."
            )
    return [grid.visits.index(label) for label in visits]


def parts_of(axes: Sequence[Axis], mask: BoolArray, grid: Grid, kind: str) -> Parts:
    """The outcome apart from the deltas, then what each delta is multiplied by."""
    masks = np.stack([mask & np.isin(grid.arm_code, axis.codes)[:, None] for axis in axes])

    def parts(filled: FloatArray) -> FloatArray:
        if kind == "additive":
            shape = (filled.shape[0], *masks.shape[1:])
            units = [np.broadcast_to(each.astype(np.float64), shape) for each in masks]
            return np.stack([filled, *units], axis=-1)
        units = [np.where(each, filled, 0.0) for each in masks]
        return np.stack([np.where(masks.any(axis=0), 0.0, filled), *units], axis=-1)

    return parts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """The grid and the test, asked of the spread of each strategy."""

    problem: Problem
    axes: Sequence[Axis]
    at: Sequence[int]
    alpha: float
    ci_level: float
    alternative: Alternative
    null: float
    phrase: str

    def table(self, spreads: Mapping[str, Spread]) -> EstimateTable:
        """Every point of the grid, the last delta changing fastest."""
        grid = self.problem.grid
        points = np.array(list(product(*(axis.values for axis in self.axes))))
        d = np.column_stack([np.ones(len(points)), points])
        keys: dict[str, list[object]] = {"visit": [], "contrast": [], "strategy": []}
        keys |= {axis.name: [] for axis in self.axes}
        estimates, stands, failed = [], [], []
        for strategy, spread in spreads.items():
            values, errors, df = spread.at(d)
            concluded = self._excess(spread, d) > 0
            method = self.problem.method(strategy, self.phrase)
            for visit, row in product(self.at, range(len(grid.arms) - 1)):
                label = contrast_label(grid.arms[row + 1], grid.arms[0])
                for point in range(len(points)):
                    estimates.append(
                        Estimate.from_t(
                            label=label,
                            estimate=float(values[point, row, visit]),
                            se=float(errors[point, row, visit]),
                            df=float(df[point, row, visit]),
                            n=grid.n,
                            method=method,
                            ci_level=self.ci_level,
                            alternative=self.alternative,
                            null=self.null,
                        )
                    )
                keys["visit"] += [grid.visits[visit]] * len(points)
                keys["contrast"] += [label] * len(points)
                keys["strategy"] += [strategy] * len(points)
                for position, axis in enumerate(self.axes):
                    keys[axis.name] += points[:, position].tolist()
                stands += concluded[:, row, visit].tolist()
                failed += [spread.n_failed] * len(points)
        return EstimateTable(
            estimates=tuple(estimates),
            keys={name: tuple(column) for name, column in keys.items()},
            extras={"is_concluded": tuple(stands), "n_failed": tuple(failed)},
            variable=grid.outcome,
            notes=self.problem.notes(),
        )

    def border(self, spreads: Mapping[str, Spread]) -> pd.DataFrame:
        """Deltas at which the conclusion changes, along the last axis."""
        grid = self.problem.grid
        others = list(product(*(axis.values for axis in self.axes[:-1])))
        records = []
        for strategy, spread in spreads.items():
            for visit, row in product(self.at, range(len(grid.arms) - 1)):
                for other in others:
                    crossings = self._crossings(spread, np.array(other), row, visit)
                    for crossing in crossings or [np.nan]:
                        records.append(
                            {
                                "visit": grid.visits[visit],
                                "contrast": contrast_label(grid.arms[row + 1], grid.arms[0]),
                                "strategy": strategy,
                                **dict(
                                    zip(
                                        (axis.name for axis in self.axes),
                                        (*other, crossing),
                                        strict=True,
                                    )
                                ),
                                "status": "ok" if crossings else "no change within the range",
                            }
                        )
        return pd.DataFrame(records)

    def _crossings(self, spread: Spread, other: FloatArray, row: int, visit: int) -> list[float]:
        values = self.axes[-1].values
        excess = self._along(spread, other, values)[:, row, visit]
        found = []
        for position in np.flatnonzero((excess[1:] > 0) != (excess[:-1] > 0)):
            low, high = float(values[position]), float(values[position + 1])
            is_low_concluded = bool(excess[position] > 0)
            for _ in range(BISECTIONS):
                middle = (low + high) / 2
                value = self._along(spread, other, np.array([middle]))[0, row, visit]
                if bool(value > 0) == is_low_concluded:
                    low = middle
                else:
                    high = middle
            found.append((low + high) / 2)
        return found

    def _along(self, spread: Spread, other: FloatArray, last: FloatArray) -> FloatArray:
        fixed = np.broadcast_to(other, (last.size, other.size))
        return self._excess(spread, np.column_stack([np.ones(last.size), fixed, last]))

    def _excess(self, spread: Spread, d: FloatArray) -> FloatArray:
        """By how much alpha exceeds the tail (..., R, m) in the direction of the conclusion."""
        from scipy import special

        estimate, se, df = spread.at(d)
        neutral = np.array([1.0, *(axis.neutral for axis in self.axes)])
        if self.alternative == "two-sided":
            direction = np.sign(spread.at(neutral)[0] - self.null)
            share = self.alpha / 2
        else:
            direction = np.full(estimate.shape[-2:], 1.0 if self.alternative == "greater" else -1.0)
            share = self.alpha
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = direction * (estimate - self.null) / se
        tail = np.where(
            np.isinf(df), special.ndtr(-statistic), special.stdtr(np.minimum(df, 1e300), -statistic)
        )
        return np.asarray(share - np.nan_to_num(tail, nan=1.0))
