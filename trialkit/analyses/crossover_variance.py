"""The variances of a crossover, each named for what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import expm1, inf, nan, sqrt

from trialkit.results import Estimate, EstimateTable, check_level

__all__ = [
    "BETWEEN",
    "PERIOD",
    "RESIDUAL",
    "WITHIN",
    "Variances",
    "variance_table",
    "within_name",
]

BETWEEN, WITHIN, PERIOD, RESIDUAL = "between", "within", "subject-by-period", "residual"
NOTE = (
    "between, within: variances of one subject's level and of one measurement around it; "
    "difference: variance of a difference of two periods of one subject, {difference}; "
    "sd: their square roots. cv_within = sqrt(exp(within) - 1), on the log scale only."
)
MEASURED_NOTE = (
    "between: variance of one subject's level; subject-by-period: of a period's level around it; "
    "residual: of one measurement around its period's level; within: of one measurement around "
    "its subject's level, subject-by-period + residual; difference: of a difference of two "
    "measurements of one subject in two periods, twice within; icc, icc_period: correlation of two "
    "measurements of a subject in two periods, in one period; sd: square roots of variances. "
    "cv_within = sqrt(exp(within) - 1), on the log scale only."
)
FIXED = "subjects are fixed: no variance between"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """Estimated variances by name, and their covariances by pairs of names.

    The names are "between" (not where subjects are fixed), and "within", or a
    `within_name` of each of the `treatments`, or "subject-by-period" and "residual". A variance
    at its bound has no part in `spread`. `df` are those of a mean square, None where variances
    are estimated otherwise.
    """

    theta: Mapping[str, float]
    spread: Mapping[tuple[str, str], float]
    treatments: tuple[object, ...]
    log: bool
    n: int
    method: str
    df: float | None = None

    @property
    def within(self) -> float:
        """Variance of one measurement around its subject's level; NaN where treatments differ."""
        if PERIOD in self.theta:
            return self.theta[PERIOD] + self.theta[RESIDUAL]
        return self.theta.get(WITHIN, nan)

    def describe(self) -> str:
        """The standard deviations within subjects, in words."""
        if PERIOD in self.theta:
            return f"SD of subject-by-period {self._sd(PERIOD)}, residual {self._sd(RESIDUAL)}"
        if WITHIN in self.theta:
            return f"SD within subjects {self._sd(WITHIN)}"
        parts = [f"{label} {self._sd(within_name(label))}" for label in self.treatments]
        return f"SD within subjects: {', '.join(parts)}"

    def _sd(self, name: str) -> str:
        return f"{_root(self.theta[name]):.4g}"


def within_name(treatment: object) -> str:
    """The name of the within-subject variance of one treatment."""
    return f"{WITHIN}[{treatment}]"


def variance_table(
    variances: Variances, *, variable: str, notes: tuple[str, ...], ci_level: float
) -> EstimateTable:
    """One row a component; extra `sd`, the square root of what is a variance."""
    check_level(ci_level)
    make = _Rows(variances, ci_level)
    if PERIOD in variances.theta:
        rows, note = make.measured(), MEASURED_NOTE
    elif WITHIN in variances.theta:
        rows, note = make.common(), NOTE.format(difference="twice within")
    else:
        rows = make.by_treatment()
        note = NOTE.format(difference="the sum of the two treatments' within")
    is_variance = [not row.label.startswith(("icc", "cv_within")) for row in rows]
    return EstimateTable(
        estimates=tuple(rows),
        keys={"component": tuple(row.label for row in rows)},
        extras={
            "sd": tuple(
                _root(row.estimate) if own else nan
                for row, own in zip(rows, is_variance, strict=True)
            )
        },
        variable=variable,
        notes=(note, *notes),
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of the table at one level."""

    variances: Variances
    ci_level: float

    def common(self) -> list[Estimate]:
        """One variance within subjects."""
        return [
            self._variance(BETWEEN, {BETWEEN: 1.0}, interval=False),
            self._variance(WITHIN, {WITHIN: 1.0}),
            self._variance("difference", {WITHIN: 2.0}),
            self._share("icc", (BETWEEN,), (BETWEEN, WITHIN)),
            self._cv("cv_within", {WITHIN: 1.0}),
        ]

    def by_treatment(self) -> list[Estimate]:
        """A variance within subjects for each treatment; differences from the reference's."""
        labels = self.variances.treatments
        names = [within_name(label) for label in labels]
        first = labels[0]
        differences = [
            self._variance(f"difference[{label} - {first}]", {name: 1.0, names[0]: 1.0})
            for label, name in zip(labels[1:], names[1:], strict=True)
        ]
        return [
            self._variance(BETWEEN, {BETWEEN: 1.0}, interval=False),
            *(self._variance(name, {name: 1.0}) for name in names),
            *differences,
            *(
                self._share(f"icc[{label}]", (BETWEEN,), (BETWEEN, name))
                for label, name in zip(labels, names, strict=True)
            ),
            *(self._cv(f"cv_{name}", {name: 1.0}) for name in names),
        ]

    def measured(self) -> list[Estimate]:
        """Several measurements in a period."""
        within = {PERIOD: 1.0, RESIDUAL: 1.0}
        every = (BETWEEN, PERIOD, RESIDUAL)
        return [
            self._variance(BETWEEN, {BETWEEN: 1.0}, interval=False),
            self._variance(PERIOD, {PERIOD: 1.0}, interval=False),
            self._variance(RESIDUAL, {RESIDUAL: 1.0}),
            self._variance(WITHIN, within),
            self._variance("difference", {PERIOD: 2.0, RESIDUAL: 2.0}),
            self._share("icc", (BETWEEN,), every),
            self._share("icc_period", (BETWEEN, PERIOD), every),
            self._cv("cv_within", within),
        ]

    def _variance(
        self, label: str, weights: Mapping[str, float], *, interval: bool = True
    ) -> Estimate:
        """A sum of variances; with the interval df * value / chi-square (Satterthwaite's df).

        A variance that may be zero has none: near zero no interval has the level it claims.
        """
        from scipy import special

        found = self._sum(weights)
        if found is None:
            return self._undefined(label, FIXED)
        value, se = found
        if not interval or not value > 0 or not se > 0:
            return self._row(label, value, se=se)
        exact = self.variances.df
        df = 2 * (value / se) ** 2 if exact is None else exact
        tail = (1 - self.ci_level) / 2
        return self._row(
            label,
            value,
            se=se,
            df=df,
            ci_low=value * df / float(special.chdtri(df, tail)),
            ci_high=value * df / float(special.chdtri(df, 1 - tail)),
        )

    def _sum(self, weights: Mapping[str, float]) -> tuple[float, float] | None:
        """Value and standard error (NaN at the bound); None where subjects are fixed."""
        own = self.variances
        if not weights.keys() <= own.theta.keys():
            return None
        value = sum(weight * own.theta[name] for name, weight in weights.items())
        known = [name for name in weights if (name, name) in own.spread]
        variance = sum(
            weights[one] * weights[other] * own.spread[one, other]
            for one in known
            for other in known
        )
        return value, sqrt(variance) if known else nan

    def _share(self, label: str, part: tuple[str, ...], whole: tuple[str, ...]) -> Estimate:
        theta = self.variances.theta
        if BETWEEN not in theta:
            return self._undefined(label, FIXED)
        return self._row(label, sum(theta[n] for n in part) / sum(theta[n] for n in whole))

    def _cv(self, label: str, weights: Mapping[str, float]) -> Estimate:
        """sqrt(exp(variance) - 1), and of the limits of its interval."""
        if not self.variances.log:
            return self._undefined(label, "a coefficient of variation needs log=True")
        row = self._variance(label, weights)
        return self._row(
            label,
            _cv_of(row.estimate),
            df=row.df,
            ci_low=_cv_of(row.ci_low),
            ci_high=_cv_of(row.ci_high),
        )

    def _row(
        self,
        label: str,
        value: float,
        *,
        se: float = nan,
        df: float = nan,
        ci_low: float = nan,
        ci_high: float = nan,
    ) -> Estimate:
        has_interval = ci_high == ci_high
        return Estimate(
            label=label,
            estimate=value,
            se=se,
            df=df,
            statistic=nan,
            p_value=nan,
            ci_low=ci_low,
            ci_high=ci_high,
            ci_level=self.ci_level,
            n=self.variances.n,
            method=self.variances.method + ("; chi-square interval" if has_interval else ""),
            scale="coefficient",
        )

    def _undefined(self, label: str, status: str) -> Estimate:
        return Estimate.undefined(
            label=label,
            status=status,
            n=self.variances.n,
            method=self.variances.method,
            ci_level=self.ci_level,
            scale="coefficient",
        )


def _cv_of(variance: float) -> float:
    if not variance >= 0:  # below zero, unbounded, or no limit
        return nan
    return sqrt(expm1(variance)) if variance < inf else inf


def _root(value: float) -> float:
    return sqrt(value) if value >= 0 else nan
