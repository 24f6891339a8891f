"""One test of a whole panel, or of a family of its analytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np
import pandas as pd
from scipy import special

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_fits import least_squares_rows, tobit_rows_of
from trialkit.analyses.panel_permutation import effect_of, exchangeable, permutation_plan
from trialkit.analyses.panel_ros import refuse_arbitrary_values
from trialkit.analyses.panel_units import PanelUnits, completed, only, only_subjects
from trialkit.errors import SpecError
from trialkit.kernels.effect_rows import effect_correlations, fit_effect, project, t_of
from trialkit.kernels.student_t import t_p_value
from trialkit.results import TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import FloatArray

__all__ = ["GLOBAL_TESTS", "global_tests"]

GLOBAL_TESTS = ("obrien-ols", "obrien-gls", "hotelling", "sum-of-squares")
BLOCK = 500_000
TIE = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    test: TestResult
    n_analytes: int
    n: int
    status: str


def global_tests(
    units: Sequence[PanelUnits],
    options: PanelOptions,
    *,
    families: Mapping[str, Sequence[object]] | None,
    permutations: int | pd.DataFrame | None,
    rng: np.random.Generator | int | None,
    variable: str,
) -> TestTable:
    """Every test of every family and contrast; keys family, contrast, test."""
    if options.plate_effect == "random":
        raise SpecError(
            'Global tests with plate_effect="random" are not defined; compare the panel with '
            'plate_effect="fixed".'
        )
    if options.null != 0:
        raise SpecError("Global tests are of no difference: they are not offered with null=.")
    chosen = _families(units[0], families)
    found: list[tuple[str, str, str, _Row]] = []
    for item in units:
        refuse_arbitrary_values(item, options, "a test of several analytes together")
        for name, analytes in chosen.items():
            part = _usable(only(item, np.array(analytes, dtype=np.int64)))
            rows = _parametric(part, options)
            rows["sum-of-squares"] = _sum_of_squares(part, options, permutations, rng)
            found += [(name, item.contrast, test, rows[test]) for test in GLOBAL_TESTS]
    return TestTable(
        tests=tuple(row.test for *_, row in found),
        keys={
            "family": tuple(item[0] for item in found),
            "contrast": tuple(item[1] for item in found),
            "test": tuple(item[2] for item in found),
        },
        extras={
            "n_analytes": tuple(row.n_analytes for *_, row in found),
            "n": tuple(row.n for *_, row in found),
            "status": tuple(row.status for *_, row in found),
        },
        variable=variable,
        notes=(
            "O'Brien's tests look for a common direction; Hotelling's and the sum of squares for "
            "any difference. Analytes without values in both conditions are left out.",
        ),
    )


def _families(
    units: PanelUnits, families: Mapping[str, Sequence[object]] | None
) -> dict[str, list[int]]:
    if families is None:
        return {"panel": list(range(len(units.analytes)))}
    if not isinstance(families, Mapping):
        raise SpecError("families= maps the name of a family to its analytes.")
    chosen = {}
    for name, analytes in families.items():
        if not isinstance(analytes, str) and len(set(analytes)) < len(analytes):
            raise SpecError(f"Family {name!r} names an analyte twice.")
        listed = () if isinstance(analytes, str) else analytes
        unknown = [label for label in listed if label not in units.analytes]
        if unknown or isinstance(analytes, str) or len(analytes) == 0:
            raise SpecError(
                f"Family {name!r} names {unknown[0]!r}, which is no analyte of the panel."
                if unknown
                else f"Family {name!r} must list analytes."
            )
        chosen[name] = [units.analytes.index(label) for label in analytes]
    return chosen


def _usable(units: PanelUnits) -> PanelUnits:
    """Analytes with a measured value on both sides, in subjects that have all of them."""
    there = units.used.sum(axis=1) >= 2
    measured = (units.present & (units.side == 0)).any(axis=(1, 2, 3))
    part = only(units, np.flatnonzero(there & measured))
    return only_subjects(part, np.flatnonzero(part.used.all(axis=0)))


def _responses(units: PanelUnits, options: PanelOptions) -> FloatArray:
    """Values for the parametric tests; censored ones stand at half their limit."""
    if tobit_rows_of(units, options.censoring).size == 0:
        return least_squares_rows(units, options.censoring)[0]
    return units.response(completed(units, "half"))


def _parametric(units: PanelUnits, options: PanelOptions) -> dict[str, _Row]:
    m, n = units.used.shape
    tests = ("obrien-ols", "obrien-gls", "hotelling")
    if units.own is not None:
        why = 'needs outcome="change": a baseline of each analyte is no common covariate'
        return {name: _undefined(name, why, m, n) for name in tests}
    y = _responses(units, options)
    rule = "" if not units.n_censored.any() else ", censored values by substitution"
    rows = project(y, units.nuisance)
    fits = fit_effect(rows, units.effect)
    df = int(fits.df[0]) if m else 0
    if m == 0 or df < 1 or not (fits.sigma2 > 0).all():
        return {name: _undefined(name, "too few subjects or analytes", m, n) for name in tests}
    t: FloatArray = np.asarray(fits.estimate / (fits.unscaled * np.sqrt(fits.sigma2)))
    correlation = _residual_correlation(rows.residuals, units, fits.estimate)
    out = {
        "obrien-ols": _directional(
            "OLS", np.ones(m, dtype=np.float64), t, correlation, df, n, options, rule
        )
    }
    if m > df:
        why = f"{m} analytes on {df} degrees of freedom: their correlation has no inverse"
        return out | {name: _undefined(name, why, m, n) for name in tests[1:]}
    inverse: FloatArray = np.asarray(
        np.linalg.solve(correlation, np.column_stack([np.ones(m), t])), dtype=np.float64
    )
    out["obrien-gls"] = _directional("GLS", inverse[:, 0], t, correlation, df, n, options, rule)
    squared = float(t @ inverse[:, 1])
    f = squared * (df - m + 1) / (m * df)
    out["hotelling"] = _Row(
        test=TestResult(
            num_df=m,
            den_df=df - m + 1,
            statistic=f,
            p_value=float(special.fdtrc(m, df - m + 1, f)),
            method=f"Hotelling's T squared{rule}",
        ),
        n_analytes=m,
        n=n,
        status="ok",
    )
    return out


def _residual_correlation(
    residuals: FloatArray, units: PanelUnits, estimate: FloatArray
) -> FloatArray:
    effect = project(units.effect[None, :], units.nuisance).residuals[0]
    rest = residuals - estimate[:, None] * effect
    scaled = rest / np.sqrt(np.sum(rest**2, axis=1))[:, None]
    return np.asarray(scaled @ scaled.T)


def _directional(
    kind: str,
    weights: FloatArray,
    t: FloatArray,
    correlation: FloatArray,
    df: int,
    n: int,
    options: PanelOptions,
    rule: str,
) -> _Row:
    """A weighted sum of the t statistics over its standard deviation."""
    statistic = float(weights @ t) / sqrt(float(weights @ correlation @ weights))
    test = TestResult(
        num_df=1,
        den_df=df,
        statistic=statistic,
        p_value=t_p_value(statistic, df, options.alternative),
        method=f"O'Brien {kind}, t{rule}",
    )
    return _Row(test=test, n_analytes=t.size, n=n, status="ok")


def _sum_of_squares(
    units: PanelUnits,
    options: PanelOptions,
    permutations: int | pd.DataFrame | None,
    rng: np.random.Generator | int | None,
) -> _Row:
    """The sum of the squared t statistics, rearranged within the design."""
    m, n = units.used.shape
    if m == 0 or n < 2:
        return _undefined("sum-of-squares", "too few subjects or analytes", m, n)
    plan = permutation_plan(units, permutations, rng)
    rows = exchangeable(units, options)

    def total(block: FloatArray) -> FloatArray:
        return np.asarray(
            np.sum(t_of(effect_correlations(rows, effect_of(units, block)), rows.df) ** 2, axis=0)
        )

    observed_arrangement = units.labels if units.design != "paired" else np.ones(n)
    observed = float(total(observed_arrangement[None, :])[0])
    reached = 0 if plan.includes_observed else 1
    for block in plan.make(max(1, BLOCK // m)):
        reached += int(np.sum(total(block) >= observed * (1 - TIE)))
    test = TestResult(
        num_df=m,
        den_df=inf,
        statistic=observed,
        p_value=reached / plan.n,
        method=f"sum of squared t{' of ranks' if options.test == 'wilcoxon' else ''}, {plan.words}",
    )
    return _Row(test=test, n_analytes=m, n=n, status="ok")


def _undefined(name: str, why: str, m: int, n: int) -> _Row:
    test = TestResult(num_df=nan, den_df=nan, statistic=nan, p_value=nan, method=name)
    return _Row(test=test, n_analytes=m, n=n, status=why)
