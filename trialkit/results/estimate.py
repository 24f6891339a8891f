"""One number a table may print, with everything that says what it is.

`Estimate.from_t` and `from_z` are the only places where a statistic, a p-value or an interval
is made from an estimate and its standard error, so that every method agrees on tails, on
one-sided intervals and on how a ratio is carried back from the log scale.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache, lru_cache
from math import exp, inf, isfinite, isnan, nan
from numbers import Real
from types import ModuleType
from typing import Self

from trialkit.errors import SpecError
from trialkit.typing import Alternative, Scale

__all__ = [
    "Estimate",
    "check_alternative",
    "check_level",
    "check_null",
    "with_hypothesis",
    "with_method",
]

ALTERNATIVES = ("two-sided", "less", "greater")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate with its uncertainty, in the endpoint's unit (`unit`) and on `scale`.

    With `scale="ratio"`, `estimate`, `ci_low` and `ci_high` are ratios; `se` and `statistic`
    stay on the log scale, where they were computed. A number that could not be computed is
    NaN, and `status` then says why; `status` is "ok" otherwise.
    """

    label: str
    estimate: float
    se: float
    df: float
    statistic: float
    p_value: float
    ci_low: float
    ci_high: float
    ci_level: float
    n: int
    method: str
    unit: str = ""
    scale: Scale = "difference"
    status: str = "ok"

    @classmethod
    def from_t(
        cls,
        *,
        label: str,
        estimate: float,
        se: float,
        df: float,
        n: int,
        method: str,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
        unit: str = "",
        scale: Scale = "difference",
    ) -> Self:
        """Refer (estimate - null) / se to Student's t with `df` degrees of freedom.

        `estimate` and `null` are on the scale of estimation: logarithms when `scale` is
        "ratio". `df=inf` is the normal distribution. A one-sided `alternative` gives the
        matching one-sided interval, with an infinite (for ratios: zero or infinite) end.
        A standard error that is not above zero, or df that are not, give no statistic:
        `status` says so, and the estimate is kept.
        """
        check_level(ci_level)
        check_alternative(alternative)
        check_null(null)
        problem = _undefined(estimate, se, df)
        if problem:
            statistic = p_value = low = high = nan
        else:
            statistic = (estimate - null) / se
            p_value = _p_value(statistic, df, alternative)
            low, high = _interval(estimate, se, df, ci_level, alternative)
        if scale == "ratio":
            estimate, low, high = (_exp(value) for value in (estimate, low, high))
        return cls(
            label=label,
            estimate=float(estimate),
            se=float(se),
            df=float(df),
            statistic=float(statistic),
            p_value=float(p_value),
            ci_low=float(low),
            ci_high=float(high),
            ci_level=ci_level,
            n=int(n),
            method=with_hypothesis(method, alternative, null),
            unit=unit,
            scale=scale,
            status=problem or "ok",
        )

    @classmethod
    def from_z(
        cls,
        *,
        label: str,
        estimate: float,
        se: float,
        n: int,
        method: str,
        ci_level: float = 0.95,
        alternative: Alternative = "two-sided",
        null: float = 0.0,
        unit: str = "",
        scale: Scale = "difference",
    ) -> Self:
        """Refer (estimate - null) / se to the standard normal; as `from_t` with df infinite."""
        return cls.from_t(
            label=label,
            estimate=estimate,
            se=se,
            df=inf,
            n=n,
            method=method,
            ci_level=ci_level,
            alternative=alternative,
            null=null,
            unit=unit,
            scale=scale,
        )

    @classmethod
    def undefined(
        cls,
        *,
        label: str,
        status: str,
        n: int,
        method: str,
        ci_level: float = 0.95,
        unit: str = "",
        scale: Scale = "difference",
    ) -> Self:
        """A row for a quantity that has no value here; `status` says why."""
        if not status or status == "ok":
            raise SpecError("An undefined estimate needs a status that says why it has no value.")
        return cls(
            label=label,
            estimate=nan,
            se=nan,
            df=nan,
            statistic=nan,
            p_value=nan,
            ci_low=nan,
            ci_high=nan,
            ci_level=ci_level,
            n=n,
            method=method,
            unit=unit,
            scale=scale,
            status=status,
        )


ATTRIBUTES = tuple(item.name for item in fields(Estimate))


def with_method(row: Estimate, method: str) -> Estimate:
    """The same estimate under another `method`; `dataclasses.replace` takes twice as long."""
    new = object.__new__(type(row))
    for name in ATTRIBUTES:
        object.__setattr__(new, name, getattr(row, name))
    object.__setattr__(new, "method", method)
    return new


def check_level(ci_level: float) -> None:
    """Raise SpecError unless `ci_level` lies strictly between 0 and 1."""
    if not _is_number(ci_level) or not 0 < ci_level < 1:
        raise SpecError(f"ci_level={ci_level!r} is not between 0 and 1; 0.95 is the usual level.")


def check_alternative(alternative: str) -> None:
    """Raise SpecError unless `alternative` is one of the three that exist."""
    if alternative not in ALTERNATIVES:
        raise SpecError(
            f"alternative={alternative!r} is not offered; allowed: {', '.join(ALTERNATIVES)}."
        )


def check_null(null: float) -> None:
    """Raise SpecError unless the value under test is a finite number."""
    if not _is_number(null) or not isfinite(null):
        raise SpecError(f"null={null!r} is not a finite number; 0 tests for no effect.")


def _is_number(value: object) -> bool:
    # Tables have thousands of rows, and the general question is a slow one.
    return type(value) is float or (isinstance(value, Real) and not isinstance(value, bool))


def _undefined(estimate: float, se: float, df: float) -> str:
    """Why no statistic can be formed, or an empty string."""
    if not isfinite(estimate):
        return "estimate not finite"
    if isnan(se) or se <= 0:
        return "no standard error above zero"
    if not isfinite(se):
        return "standard error not finite"
    if isnan(df) or df <= 0:
        return "no degrees of freedom"
    return ""


def _p_value(statistic: float, df: float, alternative: Alternative) -> float:
    """Tail area, computed in the lower tail so that small p-values keep their digits."""
    if alternative == "two-sided":
        return 2.0 * _lower_tail(-abs(statistic), df)
    return _lower_tail(statistic if alternative == "less" else -statistic, df)


def _interval(
    estimate: float, se: float, df: float, ci_level: float, alternative: Alternative
) -> tuple[float, float]:
    tail = (1.0 - ci_level) / (2.0 if alternative == "two-sided" else 1.0)
    half_width = -_quantile(tail, df) * se
    low = -inf if alternative == "less" else estimate - half_width
    high = inf if alternative == "greater" else estimate + half_width
    return low, high


@cache
def _special() -> ModuleType:
    from scipy import special

    return special


def _lower_tail(statistic: float, df: float) -> float:
    if df == inf:
        return float(_special().ndtr(statistic))
    return float(_special().stdtr(df, statistic))


@lru_cache(maxsize=256)
def _quantile(probability: float, df: float) -> float:
    if df == inf:
        return float(_special().ndtri(probability))
    return float(_special().stdtrit(df, probability))


def _exp(value: float) -> float:
    try:
        return exp(value)
    except OverflowError:
        return inf


def with_hypothesis(method: str, alternative: Alternative, null: float) -> str:
    """Name the hypothesis in the method, where it is not the two-sided one of no effect."""
    if alternative == "two-sided" and null == 0:
        return method
    parts = [method]
    if alternative != "two-sided":
        parts.append(f"one-sided ({alternative})")
    if null != 0:
        parts.append(f"null={null:g}")
    return ", ".join(parts)
