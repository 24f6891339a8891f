"""The variances of a crossover, each named for what it is."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, inf, nan, sqrt

from trialkit.results import Estimate, EstimateTable, check_level

__all__ = ["Variances", "variance_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """Variances between and within subjects, with their standard errors.

    `between` is None where subjects are fixed; `between_se` None at the bound.
    """

    within: float
    within_se: float
    within_df: float
    between: float | None
    between_se: float | None
    log: bool
    n: int
    method: str


def variance_table(
    variances: Variances, *, variable: str, notes: tuple[str, ...], ci_level: float
) -> EstimateTable:
    """Rows between, within, difference, icc, cv_within; extra `sd`, the square root of each."""
    check_level(ci_level)
    within = _scaled_chi_square(variances, "within", variances.within, 1.0, ci_level)
    difference = _scaled_chi_square(variances, "difference", variances.within, 2.0, ci_level)
    rows = [_between(variances, ci_level), within, difference]
    rows += [_icc(variances, ci_level), _cv(variances, within, ci_level)]
    sds = [
        sqrt(row.estimate) if position < 3 and row.estimate >= 0 else nan
        for position, row in enumerate(rows)
    ]
    return EstimateTable(
        estimates=tuple(rows),
        keys={"component": tuple(row.label for row in rows)},
        extras={"sd": tuple(sds)},
        variable=variable,
        notes=(
            "between, within: variances of one subject's level and of one measurement around it; "
            "difference: variance of a difference of two periods of one subject, twice within; "
            "sd: their square roots. cv_within = sqrt(exp(within) - 1), on the log scale only.",
            *notes,
        ),
    )


def _scaled_chi_square(
    variances: Variances, label: str, value: float, factor: float, ci_level: float
) -> Estimate:
    """A variance with the interval df * value / chi-square (SAS's CL, Satterthwaite's df)."""
    from scipy import special

    df = variances.within_df
    tail = (1 - ci_level) / 2
    return Estimate(
        label=label,
        estimate=factor * value,
        se=factor * variances.within_se,
        df=df,
        statistic=nan,
        p_value=nan,
        ci_low=factor * value * df / float(special.chdtri(df, tail)),
        ci_high=factor * value * df / float(special.chdtri(df, 1 - tail)),
        ci_level=ci_level,
        n=variances.n,
        method=f"{variances.method}; chi-square interval",
        scale="coefficient",
    )


def _between(variances: Variances, ci_level: float) -> Estimate:
    if variances.between is None:
        return _none(variances, "between", "subjects are fixed: no variance between", ci_level)
    if variances.between_se is None:
        return _plain(variances, "between", variances.between, nan, ci_level)
    return _plain(variances, "between", variances.between, variances.between_se, ci_level)


def _icc(variances: Variances, ci_level: float) -> Estimate:
    if variances.between is None:
        return _none(variances, "icc", "subjects are fixed: no variance between", ci_level)
    icc = variances.between / (variances.between + variances.within)
    return _plain(variances, "icc", icc, nan, ci_level)


def _cv(variances: Variances, within: Estimate, ci_level: float) -> Estimate:
    if not variances.log:
        return _none(variances, "cv_within", "a coefficient of variation needs log=True", ci_level)
    return Estimate(
        label="cv_within",
        estimate=_cv_of(within.estimate),
        se=nan,
        df=within.df,
        statistic=nan,
        p_value=nan,
        ci_low=_cv_of(within.ci_low),
        ci_high=_cv_of(within.ci_high),
        ci_level=ci_level,
        n=variances.n,
        method=within.method,
        scale="coefficient",
    )


def _cv_of(variance: float) -> float:
    return sqrt(expm1(variance)) if variance < inf else inf


def _plain(variances: Variances, label: str, value: float, se: float, ci_level: float) -> Estimate:
    """A component without an interval: near zero none has the level it claims."""
    return Estimate(
        label=label,
        estimate=value,
        se=se,
        df=nan,
        statistic=nan,
        p_value=nan,
        ci_low=nan,
        ci_high=nan,
        ci_level=ci_level,
        n=variances.n,
        method=variances.method,
        scale="coefficient",
    )


def _none(variances: Variances, label: str, status: str, ci_level: float) -> Estimate:
    return Estimate.undefined(
        label=label,
        status=status,
        n=variances.n,
        method=variances.method,
        ci_level=ci_level,
        scale="coefficient",
    )
