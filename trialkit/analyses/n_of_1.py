"""Series of N-of-1 trials: each subject's own treatment effect, and their distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice, check_flag
from trialkit.analyses.n_of_1_fit import NOf1Fit, SubjectEffects
from trialkit.analyses.n_of_1_rows import Series, SeriesRows, read_series
from trialkit.errors import DataError, SpecError
from trialkit.kernels.linear import aliased_columns, least_squares
from trialkit.kernels.random_effects import TAU2_KINDS, random_effects, tau2_estimate
from trialkit.kernels.serial_correlation import fit_serial
from trialkit.typing import FloatArray

__all__ = ["n_of_1"]

Variances = Literal["common", "by-subject"]
Errors = Literal["independent", "ar1"]
Tau2 = Literal["reml", "paule-mandel", "dersimonian-laird"]
Interval = Literal["hksj", "normal"]

TAU2_NAMES = {
    "reml": "REML",
    "paule-mandel": "Paule-Mandel",
    "dersimonian-laird": "DerSimonian-Laird",
}
# Residuals this small against the values are rounding: the subject's measurements do not vary.
ROUNDING = 1e-12
CONFOUNDED = (
    "Periods and cycles have their own order in each subject: what a treatment leaves behind in "
    "the next period is part of the effect, unless a washout or a run-in was left out."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Own:
    """A subject's coefficients (P,), their variances (P,) and df (P,), the residual variance."""

    coef: FloatArray
    variance: FloatArray
    df: FloatArray
    within: float


def n_of_1(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    treatment: str,
    reference: object,
    period: str | None = None,
    cycle: str | None = None,
    trend: bool = False,
    variances: Variances = "common",
    correlation: Errors = "independent",
    log: bool = False,
    tau2: Tau2 = "reml",
    ci: Interval = "hksj",
    period_order: str | Sequence[object] | None = None,
) -> NOf1Fit:
    """Difference between treatments in each subject of an N-of-1 series, and its mean over them.

    One row a measurement; every subject has the reference and another treatment, repeatedly. Two
    stages. First each subject by itself: outcome = level [+ cycle] [+ trend] + treatment, by
    least squares. `cycle` (or block) is a column whose levels get a mean of their own in each
    subject, so that treatments are compared within it; `trend=True` a straight line in `period`
    (a number; of labels in order, their position).

    `variances="common"`: one residual variance of all subjects, pooled, with its df; the usual
    choice, for a subject's own has few df. "by-subject": each has its own, and needs a
    replicate. `correlation="ar1"`: measurements d apart in `period` correlate by phi^d within a
    subject, phi and the variance common, by REML with Satterthwaite df. Several measurements in
    one treatment period are not replicates of it: average them, or take "ar1".

    Second, the subjects' effects as a sample: `contrasts()` is their random-effects mean, with
    tau2 by `tau2` and the interval by `ci`: "hksj" (Hartung-Knapp-Sidik-Jonkman, t with k - 1 df,
    as R's metafor, not held at or above the normal one) or "normal". The first stage's
    variances are taken for known. Prediction intervals use the same quantile (metafor).
    `shrunken()` draws each estimate to the mean, `heterogeneity()` tests whether the effects
    differ, `by_subject()` has them as they are.

    Rows without outcome are left out and counted; subjects without a comparison are counted and
    listed in `left_out`. With a `log` outcome the effects are ratios of geometric means.

    Raises DataError for subjects without a replicate (or without variation) where each has its
    own variance, and where nobody has a comparison; SpecError for choices that do not go
    together; ConvergenceError where the serial correlation goes to zero or one.

    References: Zucker et al. (1997), doi:10.1016/S0895-4356(96)00429-5; Hartung & Knapp (2001),
    doi:10.1002/sim.791; Higgins, Thompson & Spiegelhalter (2009),
    doi:10.1111/j.1467-985X.2008.00552.x.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [i for i in "ABC" for _ in range(6)],
    ...     "CYCLE": [1, 1, 2, 2, 3, 3] * 3,
    ...     "TRT": ["Placebo", "LDN"] * 9,
    ...     "PAIN": [6, 4, 7, 5, 6, 5, 5, 5, 6, 4, 5, 4, 8, 5, 7, 5, 8, 4],
    ... })
    >>> fit = n_of_1(data, outcome="PAIN", subject="ID", treatment="TRT", reference="Placebo",
    ...              cycle="CYCLE")
    >>> row = fit.contrasts().single()
    >>> row.label, round(row.estimate, 3), row.df
    ('LDN - Placebo', -1.889, 2.0)
    """
    check_choice("variances", variances, ("common", "by-subject"))
    check_choice("correlation", correlation, ("independent", "ar1"))
    check_choice("tau2", tau2, TAU2_KINDS)
    check_choice("ci", ci, ("hksj", "normal"))
    check_flag("trend", trend)
    check_flag("log", log)
    _check_period(period, trend, correlation, variances)
    rows = read_series(
        data,
        outcome=outcome,
        subject=subject,
        treatment=treatment,
        reference=reference,
        period=period,
        cycle=cycle,
        trend=trend,
        period_order=period_order,
        log=log,
    )
    phi, f_df = nan, inf
    if correlation == "ar1":
        own, phi = _serial(rows.series)
    elif variances == "common":
        own, f_df = _common(rows.series)
    else:
        own = _separate(rows.series)
    effects = tuple(
        _effects(rows, own, code, tau2)
        for code in range(1, len(rows.treatments))
        if any(code in one.columns for one in rows.series)
    )
    return NOf1Fit(
        effects=effects,
        outcome=rows.outcome,
        log=log,
        is_hartung_knapp=ci == "hksj",
        f_df=f_df,
        phi=phi,
        n_subjects=len(rows.series),
        n_excluded=rows.n_missing,
        left_out=pd.DataFrame(list(rows.left_out), columns=["subject", "reason"]),
        method=_method(variances, correlation, cycle, period if trend else None, period),
        summary_method=_summary_method(tau2, ci),
        notes=_notes(rows, outcome),
    )


def _check_period(period: str | None, trend: bool, correlation: str, variances: str) -> None:
    if period is None and (trend or correlation == "ar1"):
        asked = "trend=True" if trend else "correlation='ar1'"
        raise SpecError(f"{asked} needs period=, the time of each measurement.")
    if correlation == "ar1" and variances != "common":
        raise SpecError("correlation='ar1' has one variance of all subjects: variances='common'.")


def _common(series: Sequence[Series]) -> tuple[list[_Own], float]:
    """Least squares a subject, one residual variance pooled over them; and its df."""
    fits = [least_squares(x=one.x, y=one.y, aliased=aliased_columns(one.x)) for one in series]
    df = float(sum(fit.df_residual for fit in fits))
    if df == 0:
        raise DataError(
            f"{sum(one.y.size for one in series)} measurements of {len(series)} subjects leave no "
            "residual degree of freedom: no subject has a replicate."
        )
    s2 = sum(fit.residual_sum_sq for fit in fits) / df
    if s2 <= ROUNDING**2 * max(float(np.max(one.y**2)) for one in series):
        raise DataError("The measurements do not vary within subjects and treatments.")
    own = [
        _Own(
            coef=fit.coef,
            variance=s2 * np.diagonal(fit.cross_inverse),
            df=np.full(fit.coef.size, df),
            within=s2,
        )
        for fit in fits
    ]
    return own, df


def _separate(series: Sequence[Series]) -> list[_Own]:
    """Least squares a subject, with its own residual variance and df."""
    lonely = [one.subject for one in series if one.y.size <= one.x.shape[1]]
    if lonely:
        raise DataError(
            f"{len(lonely)} subject(s) have no replicate, and so no variance of their own: "
            f"{_listed(lonely)}. Give variances='common', or leave them out."
        )
    own, still = [], []
    for one in series:
        fit = least_squares(x=one.x, y=one.y, aliased=aliased_columns(one.x))
        s2 = fit.residual_sum_sq / fit.df_residual
        if s2 <= ROUNDING**2 * float(np.max(one.y**2)):
            still.append(one.subject)
        own.append(
            _Own(
                coef=fit.coef,
                variance=s2 * np.diagonal(fit.cross_inverse),
                df=np.full(fit.coef.size, float(fit.df_residual)),
                within=s2,
            )
        )
    if still:
        raise DataError(
            f"The measurements of {len(still)} subject(s) do not vary within treatments: "
            f"{_listed(still)}. A variance of zero would take all the weight; give "
            "variances='common'."
        )
    return own


def _serial(series: Sequence[Series]) -> tuple[list[_Own], float]:
    """All subjects in one likelihood with AR(1) errors: one variance, one correlation."""
    ends = np.cumsum([one.x.shape[1] for one in series])
    x = np.zeros((sum(one.y.size for one in series), int(ends[-1])))
    subject = np.repeat(np.arange(len(series)), [one.y.size for one in series])
    for code, one in enumerate(series):
        x[subject == code, ends[code] - one.x.shape[1] : ends[code]] = one.x
    if x.shape[0] <= x.shape[1] + 1:
        raise DataError(
            f"{x.shape[0]} measurements leave too few degrees of freedom for a serial correlation "
            f"beside {x.shape[1]} coefficients."
        )
    y, time = (np.concatenate([getattr(one, name) for one in series]) for name in ("y", "time"))
    fit = fit_serial(x, y, subject.astype(np.int64), time, random_subject=False)
    df = fit.small_sample.df(fit.basis.contrasts(np.eye(x.shape[1])))
    own = [
        _Own(
            coef=fit.coef[at],
            variance=np.diagonal(fit.vcov)[at],
            df=df[at],
            within=fit.residual,
        )
        for at in (slice(end - one.x.shape[1], end) for one, end in zip(series, ends, strict=True))
    ]
    return own, fit.phi


def _effects(rows: SeriesRows, own: Sequence[_Own], code: int, kind: str) -> SubjectEffects:
    having = [(one, fit) for one, fit in zip(rows.series, own, strict=True) if code in one.columns]
    at = [one.columns[code] for one, _ in having]
    pick = [fit for _, fit in having]
    y = np.array([fit.coef[k] for fit, k in zip(pick, at, strict=True)])
    v = np.array([fit.variance[k] for fit, k in zip(pick, at, strict=True)])
    together = None
    if y.size > 1:
        together = random_effects(y, v, tau2=tau2_estimate(y, v, kind=kind))
    return SubjectEffects(
        label=f"{rows.treatments[code]} - {rows.treatments[0]}",
        subjects=tuple(one.subject for one, _ in having),
        estimate=y,
        variance=v,
        df=np.array([fit.df[k] for fit, k in zip(pick, at, strict=True)]),
        within=np.array([fit.within for fit in pick]),
        n_reference=np.array([one.counts[0] for one, _ in having]),
        n_treatment=np.array([one.counts[code] for one, _ in having]),
        together=together,
    )


def _method(
    variances: str, correlation: str, cycle: str | None, line: str | None, period: str | None
) -> str:
    parts = ["N-of-1 series", "least squares by subject"]
    if correlation == "ar1":
        parts[1] = f"AR(1) errors by {period} (REML), one variance, Satterthwaite df"
    elif variances == "common":
        parts.append("one residual variance of all subjects")
    else:
        parts.append("residual variance of each subject")
    if cycle is not None:
        parts.insert(1, f"within {cycle}")
    if line is not None:
        parts.insert(1, f"linear trend in {line} of each subject")
    return ", ".join(parts)


def _summary_method(tau2: str, ci: str) -> str:
    interval = (
        "Hartung-Knapp (untruncated), t with k - 1 df" if ci == "hksj" else "normal reference"
    )
    return (
        f"two-stage random-effects mean, first-stage variances taken for known, tau2 by "
        f"{TAU2_NAMES[tau2]}, {interval}"
    )


def _notes(rows: SeriesRows, outcome: str) -> tuple[str, ...]:
    notes = [f"{len(rows.series)} of {rows.n_subjects} subjects have a comparison."]
    for reason, count in Counter(reason for _, reason in rows.left_out).items():
        who = [subject for subject, why in rows.left_out if why == reason]
        notes.append(f"Left out: {count} subject(s), each of whom {reason}: {_listed(who)}.")
    if rows.n_missing:
        notes.append(f"{rows.n_missing} of {rows.n_rows} rows have no {outcome} and are left out.")
    return (*notes, CONFOUNDED)


def _listed(subjects: Sequence[object]) -> str:
    shown = ", ".join(map(repr, subjects[:6]))
    return f"{shown}, ... ({len(subjects)})" if len(subjects) > 6 else shown
