"""Restricted mean survival time: levels, differences and ratios up to a stated horizon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, nan, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from trialkit.analyses.event_times import (
    EventTimes,
    event_times,
    names_of,
    regression_frame,
    require_reference,
)
from trialkit.analyses.two_arms import contrast_label
from trialkit.errors import DataError, SpecError
from trialkit.kernels.life_table import LifeTable, RestrictedMean, life_table, restricted_mean
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.near_times import meant_time, tied_times
from trialkit.kernels.rmst_regression import rmst_regression
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level
from trialkit.typing import Alternative

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RmstTable", "rmst"]

Row = tuple[str, object, str, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RmstTable(EstimateTable):
    """Restricted means and their comparisons, keys `measure, arm, contrast`."""

    def plot(self, ax: Axes | None = None) -> Axes:
        """The differences with their intervals; rows of one scale alone are drawn as they are."""
        if len({row.scale for row in self.estimates}) == 1:
            return EstimateTable.plot(self, ax)
        chosen = self.where(measure="difference")
        tau = chosen.extras["tau"][0]
        return EstimateTable(
            estimates=chosen.estimates,
            keys={"contrast": chosen.keys["contrast"]},
            variable=f"difference in mean {self.variable} to {tau}",
        ).plot(ax)


def rmst(
    data: pd.DataFrame,
    *,
    time: str,
    event: str,
    arm: str,
    reference: object,
    tau: float,
    covariates: str | Sequence[str] = (),
    bias_correction: bool = False,
    subject: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> RmstTable:
    """Mean time without the event within [0, tau], its difference and ratio between arms.

    Rows, `time` and `event` as in `kaplan_meier`; `tau`, in the unit of `time`, has no default,
    because the number means nothing without it: state it before the data are seen, at or below
    the last follow-up of every arm. Keys: measure, arm, contrast. Measures: "rmst" and "rmtl"
    (tau minus rmst, the time lost) of each arm; "difference" and "ratio" of rmst and
    "rmtl-ratio", each other arm against the reference ("" where arm or contrast does not
    apply). Ratios are tested on the log scale. No proportional hazards are assumed; censoring
    is independent within each arm. Sampling variance of the mean (Greenwood-type, as survRM2 and
    SAS's PROC LIFETEST), which is a little small in small arms: with 30 subjects an arm, half of
    them with the event, a 95% interval covers 94.0%. `bias_correction` multiplies each arm's
    variance by m / (m - 1), m its events before tau (SAS's RMST(BC)): 94.8% there.

    `covariates` (columns, or terms such as "C(SITE)") give the difference and the ratio by
    regression of restricted time, weighted for censoring within each arm (Tian, Zhao & Wei
    2014); levels stay unadjusted, and there is no adjusted rmtl-ratio. Each contrast uses its
    own two arms.

    Raises SpecError for a tau not above zero, and for `bias_correction` with covariates;
    DataError where an arm was not followed to tau (its curve is not known there), or has fewer
    than two events to correct with.

    References: Royston & Parmar (2013), doi:10.1186/1471-2288-13-152; Tian, Zhao & Wei (2014),
    doi:10.1093/biostatistics/kxt050.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": list("PPPPDDDD"), "DAY": [2, 3, 4, 6, 5, 7, 8, 9],
    ...                      "DISC": [1, 1, 1, 1, 1, 0, 1, 0]})
    >>> table = rmst(data, time="DAY", event="DISC", arm="ARM", reference="P", tau=6)
    >>> table.where(measure="difference").single().estimate
    2.0
    """
    check_level(ci_level)
    check_alternative(alternative)
    is_number = isinstance(tau, int | float | np.number) and not isinstance(tau, bool)
    if not (is_number and 0 < tau < np.inf):
        raise SpecError(f"tau={tau!r} must be a time above zero, in the unit of {time!r}.")
    if bias_correction and names_of(covariates):
        raise SpecError("bias_correction=True is for unadjusted means: leave covariates= out.")
    require_reference(reference, arm)
    found = event_times(
        data, time=time, event=event, arm=arm, reference=reference, subject=subject, min_arms=2
    )
    tables = [
        life_table(found.time[found.of_arm(code)], found.event[found.of_arm(code)])
        for code in range(len(found.arms))
    ]
    _require_follow_up(found, tables, tau)
    means = [restricted_mean(table, tau) for table in tables]
    if bias_correction:
        means = [
            _corrected(mean, label, tau) for mean, label in zip(means, found.arms, strict=True)
        ]
    how = ", variance times m / (m - 1)" if bias_correction else ""
    rows = _levels(found, means, tau, ci_level, how)
    for code in range(1, len(found.arms)):
        if names_of(covariates):
            rows += _adjusted(
                found, code, time, arm, names_of(covariates), tau, ci_level, alternative
            )
        else:
            rows += _contrasts(found, code, means, tau, ci_level, alternative, how)
    return RmstTable(
        estimates=tuple(row[3] for row in rows),
        keys={
            "measure": tuple(row[0] for row in rows),
            "arm": tuple(row[1] for row in rows),
            "contrast": tuple(row[2] for row in rows),
        },
        extras={"tau": (float(tau),) * len(rows)},
        variable=time,
        notes=(*found.notes, *(() if names_of(covariates) else _without_variance(found, means))),
    )


def _without_variance(found: EventTimes, means: Sequence[RestrictedMean]) -> list[str]:
    """Arms whose part of a contrast's variance is zero, which their intervals do not show."""
    return [
        f"Arm {label!r} has a restricted mean without variance ({mean.n_event} event(s) before "
        "tau): contrasts carry the other arm's alone and their intervals are too narrow."
        for label, mean in zip(found.arms, means, strict=True)
        if mean.variance == 0
    ]


def _require_follow_up(found: EventTimes, tables: Sequence[LifeTable], tau: float) -> None:
    for label, table in zip(found.arms, tables, strict=True):
        if table.time[-1] < table.meant(tau) and table.survival[-1] > 0:
            raise DataError(
                f"Arm {label!r} was followed to {table.time[-1]:g} only: the curve is not known "
                f"at tau={tau:g}. Choose a tau at or below it."
            )


def _corrected(mean: RestrictedMean, label: object, tau: float) -> RestrictedMean:
    m = mean.n_event
    if m < 2:
        raise DataError(
            f"Arm {label!r} has {m} event(s) before tau={tau:g}: bias_correction=True needs 2."
        )
    return replace(mean, variance=mean.variance * m / (m - 1))


def _levels(
    found: EventTimes, means: Sequence[RestrictedMean], tau: float, ci_level: float, how: str
) -> list[Row]:
    rows: list[Row] = []
    for measure in ("rmst", "rmtl"):
        for code, (label, mean) in enumerate(zip(found.arms, means, strict=True)):
            row = Estimate.from_z(
                label=str(label),
                estimate=mean.mean if measure == "rmst" else tau - mean.mean,
                se=sqrt(mean.variance),
                n=int(found.of_arm(code).sum()),
                method=f"area under Kaplan-Meier to tau={tau:g}{how}",
                ci_level=ci_level,
                scale="mean",
            )
            rows.append((measure, label, "", row))
    return rows


def _contrasts(
    found: EventTimes,
    code: int,
    means: Sequence[RestrictedMean],
    tau: float,
    ci_level: float,
    alternative: Alternative,
    how: str,
) -> list[Row]:
    contrast = contrast_label(found.arms[code], found.arms[0])
    n = int((found.of_arm(code) | found.of_arm(0)).sum())
    arm, ref = means[code], means[0]
    lost, lost_ref = tau - arm.mean, tau - ref.mean
    measures: dict[str, tuple[float, float]] = {
        "difference": (arm.mean - ref.mean, sqrt(arm.variance + ref.variance)),
        "ratio": _log_ratio(arm.mean, ref.mean, arm.variance, ref.variance),
        "rmtl-ratio": _log_ratio(lost, lost_ref, arm.variance, ref.variance),
    }
    return [
        (
            measure,
            "",
            contrast,
            Estimate.from_z(
                label=contrast,
                estimate=estimate,
                se=se,
                n=n,
                method=f"restricted means to tau={tau:g}, unadjusted{how}",
                ci_level=ci_level,
                alternative=alternative,
                scale="difference" if measure == "difference" else "ratio",
            ),
        )
        for measure, (estimate, se) in measures.items()
    ]


def _log_ratio(a: float, b: float, var_a: float, var_b: float) -> tuple[float, float]:
    if a <= 0 or b <= 0:
        return nan, nan
    return log(a) - log(b), sqrt(var_a / a**2 + var_b / b**2)


def _adjusted(
    found: EventTimes,
    code: int,
    time: str,
    arm: str,
    covariates: tuple[str, ...],
    tau: float,
    ci_level: float,
    alternative: Alternative,
) -> list[Row]:
    pair = found.of_arm(code) | found.of_arm(0)
    model = regression_frame(
        found.frame.loc[pair],
        outcome=time,
        arm=arm,
        reference=found.arms[0],
        covariates=covariates,
    )
    aliased = aliased_columns(np.asarray(model.matrix))
    if aliased.any():
        names = [name for name, out in zip(model.columns, aliased, strict=True) if out]
        raise DataError(f"{', '.join(names)} can be told from the other covariates: leave it out.")
    # Under default coding the arm is the first column after the intercept.
    column = 1
    contrast = contrast_label(found.arms[code], found.arms[0])
    times = tied_times(model.response)
    rows: list[Row] = []
    for measure, link in (("difference", "identity"), ("ratio", "log")):
        coef, vcov = rmst_regression(
            time=times,
            event=found.event[pair][model.rows],
            x=np.asarray(model.matrix),
            group=found.codes[pair][model.rows],
            tau=meant_time(tau, np.unique(times)),
            link=link,
        )
        row = Estimate.from_z(
            label=contrast,
            estimate=float(coef[column]),
            se=sqrt(vcov[column, column]),
            n=model.n,
            method=(
                f"restricted means to tau={tau:g}, adjusted for {', '.join(covariates)}: "
                f"censoring-weighted regression, {link} link"
            ),
            ci_level=ci_level,
            alternative=alternative,
            scale="difference" if link == "identity" else "ratio",
        )
        rows.append((measure, "", contrast, row))
    return rows
