"""Numbers of the synthetic trial: where a plan's results or plain descriptions hold them.

A *twin* is the trial simulated to carry a study's published moments. What is compared with the
paper comes from the twin's own plan, run by `trialkit.plan`, or is a mean, standard deviation
or count of its data sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trialkit.errors import DataError, SpecError
from trialkit.plan import PlanRun, run_plan
from trialkit.results import Estimate
from trialkit.studies.bundle import Study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AnalysisCell", "Description", "Share", "Twin", "TwinSource", "twin_source"]

DESCRIPTIONS = ("mean", "sd", "median", "iqr", "n", "ci_low", "ci_high", "half_width", "p_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisCell:
    """One column of one row of a plan analysis's table; `absolute` drops the sign."""

    analysis: str
    table: str
    column: str
    row: Mapping[str, object]
    absolute: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A statistic of `variable` over rows `where`.

    Mean, SD (n - 1), median, width between the quartiles (R's type 7), n, or of the one-sample
    t-test the 95% interval's ends, its half-width or p.
    `negated` turns the sign of the values first: a paper may print falls as positive.
    """

    data: str
    where: Mapping[str, object]
    variable: str
    statistic: str
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Rows `where` and how many of them are `count`; `percent` makes it a percentage."""

    data: str
    where: Mapping[str, object]
    count: Mapping[str, object]
    percent: bool = False


TwinSource = AnalysisCell | Description | Share


def twin_source(entry: Mapping[str, Any], place: str) -> TwinSource:
    """Read a `from` table; raises SpecError, naming `place`, for keys that fit no kind."""
    kinds: dict[str, type] = {"analysis": AnalysisCell, "variable": Description, "count": Share}
    for key, kind in kinds.items():
        if key in entry:
            frozen = {
                name: MappingProxyType(value)
                if isinstance(value, dict)
                else tuple(value)
                if isinstance(value, list)
                else value
                for name, value in entry.items()
            }
            try:
                source: TwinSource = kind(**frozen)
            except TypeError as error:
                raise SpecError(f"{place}, from: {error}.") from None
            if isinstance(source, Description) and source.statistic not in DESCRIPTIONS:
                raise SpecError(
                    f"{place}, from: statistic {source.statistic!r} is not offered; "
                    f"allowed: {', '.join(DESCRIPTIONS)}."
                )
            return source
    raise SpecError(f"{place}, from: needs one of {', '.join(kinds)}.")


class Twin:
    """A study's synthetic trial; its plan runs once, when a result is first asked for."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._run: PlanRun | None = None

    def value(self, source: TwinSource) -> tuple[float, int | None]:
        """The number at `source`; for a share, the count and what it is out of."""
        if isinstance(source, AnalysisCell):
            return self._analysed(source), None
        rows = _select(self._data(source.data), source.where)
        if isinstance(source, Description):
            values = -rows[source.variable] if source.negated else rows[source.variable]
            return describe(values, source.statistic), None
        count, total = len(_select(rows, source.count)), len(rows)
        if source.percent:
            return 100 * count / total, None
        return float(count), total

    def _analysed(self, source: AnalysisCell) -> float:
        if self._study.plan is None:
            raise SpecError(f"Study {self._study.name} has no plan to run.")
        if self._run is None:
            self._run = run_plan(self._study.plan)
        frame = _select(self._run.table(source.analysis, source.table).frame(), source.row)
        if len(frame) != 1:
            raise SpecError(
                f"{self._study.name}: {source.analysis}, {source.table} has {len(frame)} rows "
                f"with {dict(source.row)}; one is needed."
            )
        value = float(frame[source.column].item())
        return abs(value) if source.absolute else value

    def _data(self, name: str) -> pd.DataFrame:
        if name not in self._study.data:
            raise SpecError(
                f"Study {self._study.name} has no data set {name!r}; "
                f"there are: {', '.join(self._study.data) or 'none'}."
            )
        return self._study.data[name]


def describe(values: pd.Series, statistic: str) -> float:
    """One of `DESCRIPTIONS` of the values that are not missing."""
    observed = values.dropna()
    if len(observed) < 2:
        raise DataError(f"{values.name}: {len(observed)} value(s) are too few to describe.")
    mean, sd, n = float(observed.mean()), float(observed.std(ddof=1)), len(observed)
    found = Estimate.from_t(
        label="mean", estimate=mean, se=sd / sqrt(n), df=n - 1, n=n, method="one-sample t"
    )
    return {
        "mean": mean,
        "sd": sd,
        "median": float(observed.median()),
        "iqr": float(observed.quantile(0.75) - observed.quantile(0.25)),
        "n": float(n),
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "half_width": (found.ci_high - found.ci_low) / 2,
        "p_value": found.p_value,
    }[statistic]


def _select(frame: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    """Rows whose columns equal `where` (a tuple or list: any of its values)."""
    for column, wanted in where.items():
        if column not in frame.columns:
            raise SpecError(f"No column {column!r} among {', '.join(map(str, frame.columns))}.")
        allowed = list(wanted) if isinstance(wanted, list | tuple) else [wanted]
        frame = frame[frame[column].isin(allowed)]
    return frame
