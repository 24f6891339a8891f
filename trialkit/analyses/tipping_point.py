"""Tipping point: how much worse must the missing outcomes be before the conclusion changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_events import (
    DeltaKind,
    DeltaWhere,
    check_delta,
    delta_cells,
)
from trialkit.analyses.imputation_problem import read_problem
from trialkit.analyses.imputation_variance import VarianceKind
from trialkit.analyses.reference_based import Strategy
from trialkit.analyses.table_facade import TableFacade
from trialkit.analyses.tipping_grid import Deltas, Question, axes_of, parts_of, visit_positions
from trialkit.errors import SpecError
from trialkit.results import EstimateTable
from trialkit.results.estimate import check_alternative, check_level
from trialkit.typing import Alternative, MeanWeights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TippingPoint", "tipping_point"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TippingPoint(TableFacade):
    """The grid of deltas with the effect at each, and the border; see `tipping_point`.

    `table` has keys `visit, contrast, strategy` and the deltas, with the extra `is_concluded`;
    `border` the deltas at which the conclusion changes. `deltas` names the columns of deltas.
    """

    table: EstimateTable
    border: pd.DataFrame
    deltas: tuple[str, ...]
    alpha: float

    @property
    def main_table(self) -> EstimateTable:
        """The grid."""
        return self.table

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

    Missing at random cannot be tested; this asks how wrong it may be before it matters.
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

    References: Cro et al. (2020), doi:10.1002/sim.8569; Permutt (2016), Stat Med 35:2876-2879.

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
    ...     reference="Placebo", strategy="mar", deltas=np.linspace(0, 20, 5),
    ... )
    >>> tip.frame()["is_concluded"].tolist()
    [True, True, False, False, False]
    >>> bool(5 < tip.border["delta"].iloc[0] < 10)
    True
    """
    check_level(ci_level)
    check_level(1 - alpha)
    check_alternative(alternative)
    check_delta(delta_where, delta_kind)
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
    axes = axes_of(deltas, problem.grid, delta_kind)
    at = visit_positions(visits, problem.grid)
    mask, place = delta_cells(delta_where, problem.grid, problem.events)
    parts = parts_of(axes, mask, problem.grid, delta_kind)
    question = Question(
        problem=problem,
        axes=axes,
        at=at,
        alpha=alpha,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
        phrase=f"{delta_kind} delta{_whose(deltas, reference)} on values imputed {place}",
    )
    spreads = {each: problem.spread(each, parts) for each in problem.strategies}
    return TippingPoint(
        table=question.table(spreads),
        border=question.border(spreads),
        deltas=tuple(axis.name for axis in axes),
        alpha=alpha,
    )


def _whose(deltas: Deltas, reference: object) -> str:
    """Whom one sequence of deltas goes to; the key columns name the arms of a mapping."""
    return "" if isinstance(deltas, Mapping) else f" in all arms but {reference}"


def _titled(name: str) -> str:
    return name[:1].upper() + name[1:]
