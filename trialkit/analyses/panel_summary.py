"""Each analyte under each condition: how often measured, and mean and median by three methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Self

import numpy as np

from trialkit.analyses.descriptive import SummaryTable
from trialkit.analyses.panel_cells import PanelCells
from trialkit.errors import SpecError
from trialkit.kernels.order_statistics_regression import (
    left_censored_mean,
    left_censored_quantile,
    regress_on_order,
)
from trialkit.kernels.tobit_rows import tobit_rows
from trialkit.results.columns import matching_rows
from trialkit.typing import BoolArray, FloatArray, IntArray

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["PanelSummary", "panel_summary"]

COUNTS = ("n", "n_subjects", "n_missing", "n_below", "n_above", "detected")
KAPLAN_MEIER = ("km_mean_log2", "km_q1_log2", "km_median_log2", "km_q3_log2")
ORDER = ("ros_mean_log2", "ros_sd_log2")
LIKELIHOOD = ("mle_mean_log2", "mle_sd_log2")
IN_UNITS = ("km_median", "ros_mean", "ros_sd", "ros_median", "mle_mean", "mle_median")
QUARTILES = (0.25, 0.5, 0.75)
# A line through order statistics and a likelihood need this many different measured values.
MIN_MEASURED = 2


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PanelSummary(SummaryTable):
    """Keys analyte, condition; the columns that `PanelTable.summary` describes.

    `status` (one a row) says what could not be estimated, and why.
    """

    status: tuple[str, ...]

    def frame(self) -> pd.DataFrame:
        """The tidy frame: keys, statistics, `method`, `status`."""
        return SummaryTable.frame(self).assign(status=list(self.status))

    def where(self, **keys: object) -> Self:
        """The rows whose keys have these values; raises SpecError where none does."""
        rows = matching_rows(self.keys, len(self), keys)
        part = SummaryTable.where(self, **keys)
        return replace(part, status=tuple(self.status[row] for row in rows))

    def plot(self, ax: Axes | None = None, *, ci_level: float = 0.95) -> Axes:
        """Shares of values within the limits, of two conditions; they have no intervals."""
        del ci_level
        from trialkit.figures.detection import detection_bars

        names = list(dict.fromkeys(self.keys["condition"]))
        if len(names) != 2:
            raise SpecError(
                f"plot() draws two conditions; this summary has {len(names)}: "
                f"{', '.join(map(str, names))}. Choose rows by where(condition=...)."
            )
        labels = list(dict.fromkeys(self.keys["analyte"]))
        share = {name: np.full(len(labels), nan) for name in names}
        rows = zip(self.keys["analyte"], self.keys["condition"], strict=True)
        for (label, name), value in zip(rows, self.statistics["detected"], strict=True):
            share[name][labels.index(label)] = value
        first, second = names
        return detection_bars(
            labels=[str(label) for label in labels],
            reference=share[first],
            condition=share[second],
            names=(str(first), str(second)),
            ax=ax,
        )


def panel_summary(
    cells: PanelCells, analytes: Sequence[object], *, variable: str, in_units: bool
) -> PanelSummary:
    """One row an analyte of `analytes` and condition, the reference first."""
    chosen = [cells.analytes.index(label) for label in dict.fromkeys(analytes)]
    by_condition = [
        _of_condition(cells, np.array(chosen, dtype=np.int64), code, in_units=in_units)
        for code in range(len(cells.conditions))
    ]
    rows = [part[place] for place in range(len(chosen)) for part in by_condition]
    return PanelSummary(
        keys={
            "analyte": tuple(cells.analytes[row] for row in chosen for _ in cells.conditions),
            "condition": tuple(name for _ in chosen for name in cells.conditions),
        },
        statistics={name: tuple(row[name] for row, _ in rows) for name in rows[0][0]},
        status=tuple(status for _, status in rows),
        variable=variable,
        method=(
            "every sample; left-censored Kaplan-Meier (the mean counts what lies below the "
            "smallest value as that value), robust regression on order statistics, normal "
            "maximum likelihood"
        ),
    )


def _of_condition(
    cells: PanelCells, analytes: IntArray, code: int, *, in_units: bool
) -> list[tuple[dict[str, float], str]]:
    here = cells.condition == code
    y, side = cells.y[np.ix_(analytes, here)], cells.side[np.ix_(analytes, here)]
    subject = cells.subject[here]
    measured = [
        np.unique(y[row][(side[row] == 0) & ~np.isnan(y[row])]).size for row in range(len(y))
    ]
    chosen = np.flatnonzero(np.array(measured) >= MIN_MEASURED)
    fits = tobit_rows(y[chosen], side[chosen], np.ones((y.shape[1], 1)))
    normal = {
        int(row): (float(fits.coef[place, 0]), float(fits.sigma[place]))
        for place, row in enumerate(chosen)
        if fits.converged[place]
    }
    return [
        _statistics(y[row], side[row], subject, normal.get(row), in_units=in_units)
        for row in range(analytes.size)
    ]


def _statistics(
    y: FloatArray,
    side: IntArray,
    subject: IntArray,
    normal: tuple[float, float] | None,
    *,
    in_units: bool,
) -> tuple[dict[str, float], str]:
    known = ~np.isnan(y)
    values, beyond = y[known], side[known]
    n, below, above = values.size, int(np.sum(beyond < 0)), int(np.sum(beyond > 0))
    shares = (n, np.unique(subject[known]).size, y.size - n, below, above)
    detected = (n - below - above) / n if n else nan
    out: dict[str, float] = dict(zip(COUNTS, (*shares, detected), strict=True))
    out |= dict.fromkeys((*KAPLAN_MEIER, *ORDER, *LIKELIHOOD, *(IN_UNITS if in_units else ())), nan)
    measured = np.unique(values[beyond == 0]).size
    if measured and not above:
        out |= _kaplan_meier(values, beyond < 0, in_units=in_units)
    if measured >= MIN_MEASURED and not above:
        out |= _order_statistics(values, beyond < 0, in_units=in_units)
    if normal is not None:
        out |= _likelihood(*normal, in_units=in_units)
    return out, _status(n, measured, above, out)


def _status(n: int, measured: int, above: int, found: dict[str, float]) -> str:
    if n == 0:
        return "no value"
    if measured == 0:
        return "censored throughout: no value within the limits of quantification"
    said = []
    if above:
        said.append("values above a limit: neither Kaplan-Meier nor order statistics")
    elif np.isnan(found["km_q1_log2"]):
        which = "median" if np.isnan(found["km_median_log2"]) else "lower quartile"
        said.append(f"too many lie below for a Kaplan-Meier {which}")
    if measured < MIN_MEASURED:
        said.append("one measured value: neither order statistics nor maximum likelihood")
    return "; ".join(said) or "ok"


def _kaplan_meier(values: FloatArray, below: BoolArray, *, in_units: bool) -> dict[str, float]:
    quartiles = [left_censored_quantile(values, below, share) for share in QUARTILES]
    found = (left_censored_mean(values, below), *quartiles)
    out: dict[str, float] = dict(zip(KAPLAN_MEIER, found, strict=True))
    return out | ({"km_median": _power(quartiles[1])} if in_units else {})


def _order_statistics(values: FloatArray, below: BoolArray, *, in_units: bool) -> dict[str, float]:
    filled = regress_on_order(values, below).completed if below.any() else values
    out: dict[str, float] = {
        "ros_mean_log2": float(filled.mean()),
        "ros_sd_log2": float(filled.std(ddof=1)),
    }
    if in_units:
        unlogged = np.exp2(filled)
        out["ros_mean"] = float(unlogged.mean())
        out["ros_sd"] = float(unlogged.std(ddof=1))
        out["ros_median"] = float(np.median(unlogged))
    return out


def _likelihood(mean: float, sd: float, *, in_units: bool) -> dict[str, float]:
    out: dict[str, float] = {"mle_mean_log2": mean, "mle_sd_log2": sd}
    if in_units:
        # A lognormal mean, its variance in logarithms to base 2.
        out["mle_mean"] = _power(mean + float(np.log(2)) * sd**2 / 2)
        out["mle_median"] = _power(mean)
    return out


def _power(log2_value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp2(log2_value))
