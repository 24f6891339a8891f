"""Tipping point: how much worse must the missing outcomes be before the conclusion changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.imputation_events import DeltaKind, DeltaWhere
from trialkit.analyses.imputation_grid import Grid
from trialkit.analyses.imputation_problem import Problem, read_problem
from trialkit.analyses.imputation_variance import Parts, Spread, VarianceKind
from trialkit.analyses.reference_based import Strategy
from trialkit.analyses.reference_grid import MeanWeights
from trialkit.analyses.two_arms import contrast_label
from trialkit.errors import DataError, SpecError
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import check_alternative, check_level
from trialkit.typing import Alternative, BoolArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Deltas", "TippingPoint", "tipping_point"]

# One sequence for every arm but the reference, or a sequence for each arm named.
Deltas = Sequence[float] | Mapping[object, Sequence[float]]

# A grid beyond this is a slip of the step, not a question.
LARGEST_GRID = 100_000
# Bisections between two points of the grid: the border to its last digits.
BISECTIONS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TippingPoint:
    """The grid of deltas with the effect at each, and the border; see `tipping_point`.

    `table` has keys `visit, contrast, strategy` and the deltas, with the extra `is_concluded`;
    `border` the deltas at which the conclusion changes. `deltas` names the columns of deltas.
    """

    table: EstimateTable
    border: pd.DataFrame
    deltas: tuple[str, ...]
    alpha: float

    def frame(self) -> pd.DataFrame:
        """The grid, tidy and unrounded."""
        return self.table.frame()

    def where(self, **keys: object) -> EstimateTable:
        """The rows of the grid whose keys have these values."""
        return self.table.where(**keys)

    def to_ard(self) -> pd.DataFrame:
        """The grid, one row a statistic."""
        return self.table.to_ard()

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"{self.border.to_string(index=False)}\n\n{self.table!r}"

    def _repr_html_(self) -> str:
        return f"{self.border.to_html(index=False)}{self.table._repr_html_()}"

    def plot(self, ax: Axes | None = None, **keys: object) -> Axes:
        """Effect along one delta, or a heat map of p over two, with the border.

        `keys` choose one visit, contrast and strategy where the grid has several.
        """
        from trialkit.figures.tipping import tipping_curve, tipping_map

        frame = (self.table.where(**keys) if keys else self.table).frame()
        several = [name for name in ("visit", "contrast", "strategy") if frame[name].nunique() > 1]
        if several:
            raise SpecError(
                f"The grid has several of {', '.join(several)}; choose one: plot("
                f"{several[0]}={frame[several[0]].iloc[0]!r})."
            )
        names = self.deltas
        same = np.ones(len(self.border), dtype=np.bool_)
        for name in ("visit", "contrast", "strategy"):
            same &= (self.border[name] == frame[name].iloc[0]).to_numpy()
        border = self.border[same & (self.border["status"] == "ok").to_numpy()]
        if len(names) == 1:
            return tipping_curve(
                delta=frame[names[0]],
                estimate=frame["estimate"],
                low=frame["ci_low"],
                high=frame["ci_high"],
                crossings=border[names[0]],
                x_label=_titled(names[0]),
                y_label=f"{frame['contrast'].iloc[0]} ({100 * frame['ci_level'].iloc[0]:g}% CI)",
                ax=ax,
            )
        if len(names) > 2:
            raise SpecError(f"A map shows two deltas; there are {len(names)}: {', '.join(names)}.")
        shape = (frame[names[0]].nunique(), frame[names[1]].nunique())
        return tipping_map(
            x=frame[names[1]].unique(),
            y=frame[names[0]].unique(),
            p_value=frame["p_value"].to_numpy().reshape(shape),
            is_concluded=frame["is_concluded"].to_numpy().reshape(shape),
            border_x=border[names[1]],
            border_y=border[names[0]],
            alpha=self.alpha,
            x_label=_titled(names[1]),
            y_label=_titled(names[0]),
            ax=ax,
        )


def tipping_point(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    deltas: Deltas,
    strategy: Strategy | Sequence[Strategy] = "j2r",
    events: pd.DataFrame | None = None,
    visits: Sequence[object] | None = None,
    visit_order: str | Sequence[object] | None = None,
    covariance: str = "unstructured",
    group: str | None = None,
    method: Literal["reml", "ml"] = "reml",
    weights: MeanWeights = "counterfactual",
    delta_where: DeltaWhere = "after-event",
    delta_kind: DeltaKind = "additive",
    variance: VarianceKind = "jackknife",
    n_samples: int | None = None,
    analysis: str | None = None,
    alpha: float = 0.05,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    rng: np.random.Generator | int | None = None,
) -> TippingPoint:
    """Difference in mean outcome between arms as imputed outcomes are made worse, delta by delta.

    Everything as in `reference_based`; `deltas` are the adjustments. A sequence of numbers goes
    to every arm but the reference (one dimension). A mapping of arms to sequences crosses them:
    `{"Placebo": ..., "Drug": ...}` is the two-dimensional grid; arms it leaves out are not
    adjusted. The delta is added to (or multiplies) what `delta_where` says, after imputation,
    at every visit: it does not carry over from one imputed visit to the next.

    The conclusion *stands* where the effect is significant at `alpha` in the direction it has
    without adjustment (for a one-sided alternative: in that direction). `visits`: by default
    the last one only.

    All deltas use one set of imputations and refits: estimates are linear and variances
    quadratic in the deltas, so a fine grid costs no more than a coarse one, and `.border` holds
    the deltas at which the conclusion changes as exactly as they can be computed, not the next
    point of the grid: for each combination of the other deltas, every change along the last
    one within its range (NaN with `status` where there is none).

    Key columns: `visit, contrast, strategy`, then `delta`, or `delta <arm>` for each arm named.

    Raises what `reference_based` raises, and SpecError for deltas that are not finite, not in
    increasing order, or of arms that do not exist.

    References: Cro et al. (2020), doi:10.1002/sim.8569; Permutt (2016), doi:10.1002/sim.6753.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> rng = np.random.default_rng(1)
    >>> n, visits = 40, 3
    >>> arm = np.repeat(["Placebo", "Drug"], n // 2)
    >>> y = rng.normal(size=(n, visits)).cumsum(axis=1) - (arm == "Drug")[:, None] * [1, 2, 3]
    >>> y[[3, 8, 22, 25, 31, 35], 2] = y[[8, 31], 1] = np.nan
    >>> data = pd.DataFrame({
    ...     "USUBJID": np.repeat(np.arange(n), visits),
    ...     "TRT01P": np.repeat(arm, visits),
    ...     "AVISITN": np.tile([4, 8, 12], n),
    ...     "CHG": y.ravel(),
    ... })
    >>> tip = tk.tipping_point(
    ...     "CHG ~ TRT01P*C(AVISITN)", data, subject="USUBJID", visit="AVISITN", arm="TRT01P",
    ...     reference="Placebo", deltas=np.linspace(0, 20, 5),
    ... )
    >>> tip.frame()["is_concluded"].tolist()
    [True, True, False, False, False]
    >>> bool(5 < tip.border["delta"].iloc[0] < 10)
    True
    """
    check_level(ci_level)
    check_level(1 - alpha)
    check_alternative(alternative)
    check_choice("delta_where", delta_where, ("after-event", "all"))
    check_choice("delta_kind", delta_kind, ("additive", "multiplicative"))
    problem = read_problem(
        formula,
        data,
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        strategy=strategy,
        events=events,
        visit_order=visit_order,
        covariance=covariance,
        group=group,
        method=method,
        weights=weights,
        variance=variance,
        n_samples=n_samples,
        analysis=analysis,
        rng=rng,
    )
    axes = _axes(deltas, problem.grid, delta_kind)
    at = _visit_positions(visits, problem.grid)
    mask = ~problem.grid.seen
    if delta_where == "after-event":
        mask = mask & problem.events.after(len(problem.grid.visits))
    parts = _parts(axes, mask, problem.grid, delta_kind)
    place = "after the event" if delta_where == "after-event" else "everywhere"
    question = _Question(
        problem=problem,
        axes=axes,
        at=at,
        alpha=alpha,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
        phrase=f"{delta_kind} delta on values imputed {place}",
    )
    spreads = {each: problem.spread(each, parts) for each in problem.strategies}
    return TippingPoint(
        table=question.table(spreads),
        border=question.border(spreads),
        deltas=tuple(axis.name for axis in axes),
        alpha=alpha,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Axis:
    """One dimension of the grid: its `values` (g,) go to the arms `codes`."""

    name: str
    values: FloatArray
    codes: tuple[int, ...]
    neutral: float


def _titled(name: str) -> str:
    return name[:1].upper() + name[1:]


def _axes(deltas: Deltas, grid: Grid, kind: str) -> list[_Axis]:
    neutral = 0.0 if kind == "additive" else 1.0
    if not isinstance(deltas, Mapping):
        codes = tuple(range(1, len(grid.arms)))
        return [_Axis(name="delta", values=_values(deltas), codes=codes, neutral=neutral)]
    if not deltas:
        raise SpecError("deltas= is empty.")
    axes = []
    for label, values in deltas.items():
        if label not in grid.arms:
            raise SpecError(
                f"deltas= names the arm {label!r}; arms: {', '.join(map(repr, grid.arms))}."
            )
        axes.append(
            _Axis(
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


def _visit_positions(visits: Sequence[object] | None, grid: Grid) -> list[int]:
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


def _parts(axes: Sequence[_Axis], mask: BoolArray, grid: Grid, kind: str) -> Parts:
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
class _Question:
    """The grid and the test, asked of the spread of each strategy."""

    problem: Problem
    axes: Sequence[_Axis]
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
