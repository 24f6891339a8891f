"""Summary statistics of a continuous outcome by arm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.data.levels import arm_levels, factor_levels
from trialkit.data.vectors import label_codes, number_vector, require_frame
from trialkit.errors import SpecError
from trialkit.results import Estimate, ard, display
from trialkit.results.columns import freeze_columns, matching_rows, take_rows
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SummaryTable", "summarize"]

STATISTICS = ("n", "n_missing", "mean", "sd", "se", "median", "q1", "q3", "min", "max")
# Our name -> numpy's name and the words of `method`.
QUANTILES = {
    "sas": ("averaged_inverted_cdf", "quartiles as SAS PCTLDEF=5 (type 2)"),
    "r": ("linear", "quartiles as R (type 7)"),
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SummaryTable:
    """Summary statistics with the keys that tell the rows apart; unrounded."""

    keys: Mapping[str, tuple[object, ...]]
    statistics: Mapping[str, tuple[float, ...]]
    variable: str
    method: str

    def __post_init__(self) -> None:
        n_rows = len(next(iter(self.statistics.values())))
        object.__setattr__(self, "keys", freeze_columns(self.keys, n_rows, what="Key"))
        columns = freeze_columns(self.statistics, n_rows, what="Statistic")
        object.__setattr__(self, "statistics", columns)

    def __len__(self) -> int:
        return len(self.statistics["n"])

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self.variable, notes=(f"{self.method}.",))

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self.variable, notes=(f"{self.method}.",))

    def frame(self) -> pd.DataFrame:
        """The tidy frame: keys, the ten statistics, `method`."""
        columns: dict[str, Iterable[object]] = {**self.keys, **self.statistics}
        columns["method"] = [self.method] * len(self)
        return pd.DataFrame({name: list(values) for name, values in columns.items()})

    def where(self, **keys: object) -> Self:
        """The rows whose keys have these values; raises SpecError where none does."""
        rows = matching_rows(self.keys, len(self), keys)
        statistics: Mapping[str, tuple[object, ...]] = self.statistics
        return replace(
            self,
            keys=take_rows(self.keys, rows),
            statistics=take_rows(statistics, rows),  # type: ignore[arg-type]
        )

    def to_ard(self) -> pd.DataFrame:
        """One row a statistic; columns as in `EstimateTable.to_ard`."""
        return ard.analysis_results(
            self.frame(), keys=tuple(self.keys), variable=self.variable, notes=()
        )

    def plot(self, ax: Axes | None = None, *, ci_level: float = 0.95) -> Axes:
        """Means with t intervals (each mean's own SE, n - 1 df) over the one column of `by`.

        The levels stand in the table's order, the first arm is the reference. A mean of a
        single value has no interval. Raises SpecError unless the table has one `by` column.
        """
        from trialkit.figures.profile import profile

        groups = [name for name in self.keys if name != "arm"]
        if len(groups) != 1:
            raise SpecError(
                f"plot() draws means over one column of `by`; this table has {len(groups)}: "
                f"{', '.join(groups) or 'none'}."
            )
        (group,) = groups
        visits = list(dict.fromkeys(self.keys[group]))
        curves: list[dict[str, FloatArray]] = [{}, {}, {}]
        for arm in dict.fromkeys(self.keys["arm"]):
            for curve in curves:
                curve[str(arm)] = np.full(len(visits), nan)
        for row, arm in enumerate(self.keys["arm"]):
            mean = _mean_with_interval(self.statistics, row, ci_level)
            column = visits.index(self.keys[group][row])
            values = (mean.estimate, mean.ci_low, mean.ci_high)
            for curve, value in zip(curves, values, strict=True):
                curve[str(arm)][column] = value
        centre, low, high = curves
        return profile(
            visits=[str(visit) for visit in visits],
            centre=centre,
            low=low,
            high=high,
            y_label=f"Mean {self.variable} ({100 * ci_level:g}% CI)",
            ax=ax,
        )


def summarize(
    data: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    reference: object = None,
    by: str | Sequence[str] = (),
    quantiles: Literal["sas", "r"] = "sas",
) -> SummaryTable:
    """Count, mean, SD, SE, median, quartiles and range of the outcome in each arm.

    Keys: arm, and one for each column of `by` under that column's name, for the combinations
    that occur. Arms come reference first (where given), then in the Categorical's order,
    otherwise sorted; the levels of `by` likewise. `n` counts observed values, `n_missing`
    rows without one; what needs more values than there are is NaN (the SD of one value).

    `quantiles="sas"` averages at the step of the distribution (PCTLDEF=5, R's type 2), "r"
    interpolates (R's type 7). Raises DataError for a missing or non-numeric column, infinite
    values, and rows without an arm or `by` value.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPDDDD"), "CHG": [1, 2, 4, 8, 3, 5, None, 6]})
    >>> table = summarize(data, outcome="CHG", arm="ARM", reference="P")
    >>> table.frame()[["arm", "n", "n_missing", "mean", "q1"]].to_dict("records")
    [{'arm': 'P', 'n': 4, 'n_missing': 0, 'mean': 3.75, 'q1': 1.5},
     {'arm': 'D', 'n': 3, 'n_missing': 1, 'mean': 4.666666666666667, 'q1': 3.0}]
    """
    check_choice("quantiles", quantiles, QUANTILES)
    frame = require_frame(data)
    groups = [by] if isinstance(by, str) else list(by)
    clash = [name for name in groups if name in (*STATISTICS, "arm", "method", arm)]
    if clash or len(set(groups)) < len(groups):
        raise SpecError(
            f"by={groups} must name other columns, each once; rename {clash or groups}."
        )
    values = number_vector(frame, outcome)
    levels = [arm_levels(frame, arm, reference), *(factor_levels(frame, name) for name in groups)]
    codes = np.column_stack(
        [
            label_codes(frame, name, known)
            for name, known in zip((arm, *groups), levels, strict=True)
        ]
    )
    numpy_name, described = QUANTILES[quantiles]
    cells = np.unique(codes, axis=0)
    rows = [_statistics(values[(codes == cell).all(axis=1)], numpy_name) for cell in cells]
    return SummaryTable(
        keys={
            name: tuple(levels[column][cell[column]] for cell in cells)
            for column, name in enumerate(("arm", *groups))
        },
        statistics={
            name: tuple(row[position] for row in rows) for position, name in enumerate(STATISTICS)
        },
        variable=outcome,
        method=f"observed values, {described}",
    )


def _statistics(values: FloatArray, quantile_method: str) -> tuple[float, ...]:
    """The ten of STATISTICS, in that order."""
    observed = values[~np.isnan(values)]
    n, n_missing = observed.size, values.size - observed.size
    if n == 0:
        return (n, n_missing, *([nan] * (len(STATISTICS) - 2)))
    sd = float(np.std(observed, ddof=1)) if n > 1 else nan
    q1, q3 = np.quantile(observed, [0.25, 0.75], method=quantile_method)  # type: ignore[call-overload]
    return (
        n,
        n_missing,
        float(np.mean(observed)),
        sd,
        sd / sqrt(n),
        float(np.median(observed)),
        float(q1),
        float(q3),
        float(np.min(observed)),
        float(np.max(observed)),
    )


def _mean_with_interval(
    statistics: Mapping[str, tuple[float, ...]], row: int, ci_level: float
) -> Estimate:
    n = int(statistics["n"][row])
    return Estimate.from_t(
        label="mean",
        estimate=statistics["mean"][row],
        se=statistics["se"][row],
        df=n - 1,
        n=n,
        method="one-sample t interval",
        ci_level=ci_level,
        scale="mean",
    )
