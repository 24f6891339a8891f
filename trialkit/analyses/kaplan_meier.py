"""Kaplan-Meier curves by arm, with quantiles, cumulative hazards and differences at given times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.event_times import checked_times, event_times
from trialkit.analyses.two_arms import contrast_label
from trialkit.errors import DataError, SpecError
from trialkit.kernels.life_table import (
    LifeTable,
    life_table,
    probability_limits,
    quantile_of_curve,
)
from trialkit.results import Estimate, EstimateTable, check_level
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INTERVALS", "KaplanMeierTable", "kaplan_meier", "level_estimate"]

INTERVALS = ("log-log", "log", "plain")
IntervalKind = Literal["log-log", "log", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KaplanMeierTable(EstimateTable):
    """Survival at each time, keys `arm, time`; `median()`, `quantile()`, `at()` say the rest."""

    arms: tuple[object, ...]
    tables: tuple[LifeTable, ...]
    ci: str
    ci_level: float

    def median(self) -> EstimateTable:
        """Median time to the event, key `arm`; see `quantile`."""
        return self.quantile(0.5)

    def quantile(self, p: float) -> EstimateTable:
        """Time by which a share `p` has had the event, key `arm`, in the unit of time.

        The interval is Brookmeyer and Crowley's (1982): the times at which the pointwise limits
        of the curve, on this table's scale, cross 1 - p. A flat piece at exactly that height
        gives its midpoint (R's quantile() of a survfit). A limit not reached within follow-up is
        NaN, and so is the estimate, with a `status` that says so.
        """
        if not 0 < p < 1:
            raise SpecError(f"p={p!r} is not between 0 and 1; 0.5 is the median.")
        method = f"Kaplan-Meier {100 * p:g}th percentile, Brookmeyer-Crowley ({self.ci})"
        rows = []
        for arm, table in zip(self.arms, self.tables, strict=True):
            low, high = self._limit_curves(table)
            values = [quantile_of_curve(table.time, c, p) for c in (table.survival, low, high)]
            reached = "ok" if not np.isnan(values[0]) else "not reached within follow-up"
            rows.append(
                level_estimate(
                    str(arm),
                    values[0],
                    nan,
                    values[1:],
                    self.ci_level,
                    int(table.n_risk[0]),
                    method,
                    scale="mean",
                    status=reached,
                )
            )
        return EstimateTable(estimates=tuple(rows), keys={"arm": self.arms}, variable=self.variable)

    def at(self, times: Sequence[float]) -> EstimateTable:
        """Survival at the given times, keys `arm, time`; events counted since the time before.

        Past the last observed time the curve is not known unless it has reached zero: the row
        has no estimate and `status` says so.
        """
        rows, keys, extras = _curve_rows(self, sorted(checked_times(times)))
        return EstimateTable(estimates=rows, keys=keys, extras=extras, variable=self.variable)

    def cumulative_hazard(self, times: Sequence[float]) -> EstimateTable:
        """Nelson-Aalen cumulative hazard at the given times, keys `arm, time`; plain interval.

        It has no interval before the first event, and is not known past the last observed time.
        """
        rows, arms, moments = [], [], []
        z = _z(self.ci_level)
        for arm, table in zip(self.arms, self.tables, strict=True):
            for moment in checked_times(times):
                hazard = table.at(table.hazard, moment, start=0.0)
                se = table.at(table.hazard_se, moment, start=0.0)
                limits = [max(0.0, hazard - z * se), hazard + z * se]
                status = "ok"
                if table.meant(moment) > table.time[-1]:
                    hazard, se, limits = nan, nan, [nan, nan]
                    status = f"after the last observed time ({table.time[-1]:g})"
                elif hazard == 0:
                    limits, status = [nan, nan], "no interval before the first event"
                rows.append(
                    level_estimate(
                        str(arm),
                        hazard,
                        se,
                        limits,
                        self.ci_level,
                        int(table.n_risk[0]),
                        "Nelson-Aalen",
                        scale="mean",
                        status=status,
                    )
                )
                arms.append(arm)
                moments.append(float(moment))
        return EstimateTable(
            estimates=tuple(rows),
            keys={"arm": tuple(arms), "time": tuple(moments)},
            variable=self.variable,
        )

    def difference(self, times: Sequence[float], *, reference: object) -> EstimateTable:
        """Survival of each other arm minus the reference at given times, keys `contrast, time`.

        Greenwood standard errors of the two arms, normal reference, no adjustment for looking
        at several times. An arm without an event so far contributes no variance, and a note
        says so: the interval is too narrow there.
        """
        if reference not in self.arms:
            raise DataError(
                f"reference={reference!r} is not an arm; arms: {', '.join(map(str, self.arms))}."
            )
        base = self.tables[self.arms.index(reference)]
        rows, contrasts, moments = [], [], []
        asked, still = checked_times(times), []
        for arm, table in zip(self.arms, self.tables, strict=True):
            still += [f"{arm} at {t:g}" for t in asked if table.at(table.hazard, t, start=0) == 0]
            if arm == reference:
                continue
            for moment in asked:
                values = [t.at(t.survival, moment, start=1.0) for t in (table, base)]
                errors = [t.at(t.se, moment, start=0.0) for t in (table, base)]
                known = all(_is_known(t, moment) for t in (table, base))
                rows.append(
                    Estimate.from_z(
                        label=contrast_label(arm, reference),
                        estimate=values[0] - values[1] if known else nan,
                        se=sqrt(errors[0] ** 2 + errors[1] ** 2),
                        n=int(table.n_risk[0] + base.n_risk[0]),
                        method="difference of Kaplan-Meier survival, Greenwood",
                        ci_level=self.ci_level,
                    )
                )
                contrasts.append(contrast_label(arm, reference))
                moments.append(float(moment))
        return EstimateTable(
            estimates=tuple(rows),
            keys={"contrast": tuple(contrasts), "time": tuple(moments)},
            variable=self.variable,
            notes=(f"No event yet, so no variance: {', '.join(still)}.",) if still else (),
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curves with their bands, censoring marks, and the numbers at risk below."""
        from trialkit.figures.survival import survival_curves

        return survival_curves(
            labels=[str(arm) for arm in self.arms],
            tables=self.tables,
            bands=[self._limit_curves(table) for table in self.tables],
            x_label=self.variable,
            y_label="Without the event",
            ax=ax,
        )

    def _limit_curves(self, table: LifeTable) -> tuple[FloatArray, FloatArray]:
        limits = [
            probability_limits(float(s), float(e), ci_level=self.ci_level, kind=self.ci)
            for s, e in zip(table.survival, table.se, strict=True)
        ]
        both = np.array(limits, dtype=np.float64)
        return both[:, 0], both[:, 1]


def kaplan_meier(
    data: pd.DataFrame,
    *,
    time: str,
    event: str,
    arm: str | None = None,
    reference: object = None,
    ci: IntervalKind = "log-log",
    times: Sequence[float] | None = None,
    subject: str | None = None,
    ci_level: float = 0.95,
) -> KaplanMeierTable:
    """Probability of being without the event at each time, by arm (Kaplan-Meier).

    One row of `data` is one subject: `time` in any one unit from the start of follow-up, and
    `event` 1 (true, "Y") where the event was seen, 0 where the subject was last known without
    it. Keys: arm, time; every distinct time, or those of `times`. Extras: `n_risk` just before,
    `n_event` and `n_censored` there (with `times`: since the time before). Standard errors are
    Greenwood's; `ci` is the scale of the interval: "log-log" (SAS's default), "log" (R's
    survival) or "plain". Where the curve is one or zero, log-log has no interval and `status`
    says so. Rows without time or event are excluded and counted.

    Assumes that censored subjects would have gone on like those still followed, which cannot be
    tested. For the time to
    one reason among several, use `cumulative_incidence`: one minus Kaplan-Meier then counts
    every other reason as if it could not have happened.

    References: Kaplan & Meier (1958), doi:10.1080/01621459.1958.10501452; Brookmeyer & Crowley
    (1982) Biometrics 38:29-41, doi:10.2307/2530286.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"DAY": [3, 5, 5, 8, 10], "DISC": [1, 1, 0, 1, 0]})
    >>> curve = kaplan_meier(data, time="DAY", event="DISC")
    >>> [round(s, 4) for s in curve.frame()["estimate"]]
    [0.8, 0.6, 0.3, 0.3]
    >>> curve.median().single().estimate
    8.0
    """
    check_choice("ci", ci, INTERVALS)
    check_level(ci_level)
    found = event_times(data, time=time, event=event, arm=arm, reference=reference, subject=subject)
    tables = tuple(
        life_table(found.time[found.of_arm(code)], found.event[found.of_arm(code)])
        for code in range(len(found.arms))
    )
    draft = KaplanMeierTable(
        estimates=(),
        keys={"arm": (), "time": ()},
        arms=found.arms,
        tables=tables,
        ci=ci,
        ci_level=ci_level,
        variable=time,
        notes=found.notes,
    )
    chosen = None if times is None else sorted(checked_times(times))
    rows, keys, extras = _curve_rows(draft, chosen)
    return KaplanMeierTable(
        estimates=rows,
        keys=keys,
        extras=extras,
        arms=found.arms,
        tables=tables,
        ci=ci,
        ci_level=ci_level,
        variable=time,
        notes=found.notes,
    )


def level_estimate(
    label: str,
    estimate: float,
    se: float,
    limits: Sequence[float],
    ci_level: float,
    n: int,
    method: str,
    *,
    scale: Literal["mean", "probability"] = "probability",
    status: str = "ok",
) -> Estimate:
    """A level with its interval: no hypothesis, so no statistic and no p-value."""
    return Estimate(
        label=label,
        estimate=estimate,
        se=se,
        df=nan,
        statistic=nan,
        p_value=nan,
        ci_low=limits[0],
        ci_high=limits[1],
        ci_level=ci_level,
        n=n,
        method=method,
        scale=scale,
        status=status,
    )


def _curve_rows(
    curves: KaplanMeierTable, times: Sequence[float] | None
) -> tuple[tuple[Estimate, ...], dict[str, tuple[object, ...]], dict[str, tuple[object, ...]]]:
    method = f"Kaplan-Meier, Greenwood, {curves.ci} interval"
    rows: list[Estimate] = []
    columns: dict[str, list[object]] = {
        name: [] for name in ("arm", "time", "n_risk", "n_event", "n_censored")
    }
    for arm, table in zip(curves.arms, curves.tables, strict=True):
        before = -np.inf
        for moment in table.time.tolist() if times is None else times:
            survival = table.at(table.survival, moment, start=1.0)
            se = table.at(table.se, moment, start=0.0)
            status = "ok"
            if not _is_known(table, moment):
                survival = se = nan
                status = f"after the last observed time ({table.time[-1]:g})"
            limits = probability_limits(survival, se, ci_level=curves.ci_level, kind=curves.ci)
            if status == "ok" and np.isnan(limits[0]):
                status = "no interval where the curve is one or zero"
            rows.append(
                level_estimate(
                    str(arm),
                    survival,
                    se,
                    limits,
                    curves.ci_level,
                    int(table.n_risk[0]),
                    method,
                    status=status,
                )
            )
            until = table.meant(moment)
            since = (table.time > before) & (table.time <= until)
            columns["arm"].append(arm)
            columns["time"].append(float(moment))
            columns["n_risk"].append(table.at_risk(moment))
            columns["n_event"].append(int(table.n_event[since].sum()))
            columns["n_censored"].append(int(table.n_censored[since].sum()))
            before = until
    frozen: dict[str, tuple[object, ...]] = {k: tuple(v) for k, v in columns.items()}
    keys = {name: frozen.pop(name) for name in ("arm", "time")}
    return tuple(rows), keys, frozen


def _is_known(table: LifeTable, moment: float) -> bool:
    return bool(table.meant(moment) <= table.time[-1] or table.survival[-1] == 0)


def _z(ci_level: float) -> float:
    from scipy import special

    return float(special.ndtri(0.5 + ci_level / 2))
