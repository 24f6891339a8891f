"""Tables of hazard ratios, and the tests and curves that belong to a Cox fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from trialkit.analyses.choices import check_choice
from trialkit.errors import DataError, SpecError
from trialkit.kernels.cox import CoxFit
from trialkit.kernels.proportional_hazards import (
    TRANSFORMS,
    baseline_hazard,
    score_tests_of_time,
)
from trialkit.results import Estimate, EstimateTable, TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import Alternative, FloatArray

__all__ = ["CoxTable", "log_ratio_rows", "undefined_ratios"]

Transform = Literal["km", "rank", "identity", "log"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CoxTable(EstimateTable):
    """Hazard ratios, key `term`, with the tests and curves that belong to the fit."""

    fit: CoxFit
    term_columns: tuple[tuple[str, tuple[int, ...]], ...]
    stratum_labels: tuple[str, ...]

    @property
    def log_likelihood(self) -> float:
        """Log partial likelihood at the estimate."""
        return self.fit.log_likelihood

    @property
    def log_likelihood_null(self) -> float:
        """Log partial likelihood with every coefficient zero."""
        return self.fit.log_likelihood_null

    def tests(self) -> TestTable:
        """Likelihood ratio, Wald and score tests that no covariate matters, key `test`."""
        coef, vcov = self.fit.coef, self.fit.vcov
        statistics = {
            "likelihood-ratio": 2 * (self.log_likelihood - self.log_likelihood_null),
            "wald": float(coef @ np.linalg.solve(vcov, coef)),
            "score": self.fit.score_test,
        }
        return TestTable(
            tests=tuple(
                _chi_square(value, coef.size, f"Cox model, {name}")
                for name, value in statistics.items()
            ),
            keys={"test": tuple(statistics)},
            variable=self.variable,
        )

    def proportional_hazards(self, transform: Transform = "km") -> TestTable:
        """Score test, by term and GLOBAL, that log hazard ratios do not drift with g(t).

        g is one minus Kaplan-Meier ("km"), the rank of the time, the time ("identity") or its
        logarithm. The full score test of R's survival from version 3 on, which differs from
        the older correlation of scaled Schoenfeld residuals. Not offered for exact ties.

        Reference: Grambsch & Therneau (1994) Biometrika 81:515-526, doi:10.1093/biomet/81.3.515.
        """
        check_choice("transform", transform, TRANSFORMS)
        if self.fit.ties == "exact":
            raise SpecError("The test of proportional hazards needs ties='efron' or 'breslow'.")
        if transform == "log" and self.fit.rows.time[self.fit.rows.event].min() <= 0:
            raise DataError("transform='log' needs event times above zero.")
        groups = [np.array(columns, dtype=np.int64) for _, columns in self.term_columns]
        results = score_tests_of_time(self.fit, transform, groups)
        method = f"proportional hazards score test, g(t) = {transform}"
        return TestTable(
            tests=tuple(_chi_square(value, df, method) for value, df in results),
            keys={"term": (*(name for name, _ in self.term_columns), "GLOBAL")},
            extras={"transform": (transform,) * len(results)},
            variable=self.variable,
        )

    def baseline_hazard(self) -> pd.DataFrame:
        """Cumulative hazard with every covariate at zero: stratum, time, cumulative_hazard."""
        if self.fit.ties == "exact":
            raise SpecError("The baseline hazard needs ties='efron' or 'breslow'.")
        parts = []
        for code, label in enumerate(self.stratum_labels):
            time, hazard = baseline_hazard(self.fit, code)
            parts.append(
                pd.DataFrame({"stratum": label, "time": time, "cumulative_hazard": hazard})
            )
        return pd.concat(parts, ignore_index=True)


def log_ratio_rows(
    names: Sequence[str],
    coef: FloatArray,
    se: FloatArray,
    *,
    n: int,
    method: str,
    ci_level: float,
    alternative: Alternative = "two-sided",
) -> tuple[Estimate, ...]:
    """One ratio a coefficient, from its log and standard error, normal reference."""
    return tuple(
        Estimate.from_z(
            label=name,
            estimate=float(b),
            se=float(e),
            n=n,
            method=method,
            ci_level=ci_level,
            alternative=alternative,
            scale="ratio",
        )
        for name, b, e in zip(names, coef, se, strict=True)
    )


def undefined_ratios(
    names: Sequence[str], problem: Exception, *, n: int, method: str, ci_level: float
) -> tuple[Estimate, ...]:
    """Rows without a number for a fit among several that could not be made; `status` says why."""
    return tuple(
        Estimate.undefined(
            label=name, status=str(problem), n=n, method=method, ci_level=ci_level, scale="ratio"
        )
        for name in names
    )


def _chi_square(statistic: float, df: int, method: str) -> TestResult:
    return TestResult(
        num_df=float(df),
        den_df=inf,
        statistic=statistic,
        p_value=float(special.chdtrc(df, statistic)),
        method=method,
    )
