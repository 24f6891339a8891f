"""Rubin's rules for imputations made anywhere: estimates and variances in, one answer out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trialkit.errors import DataError, SpecError
from trialkit.kernels.rubin import Pooled, pool, pool_wald
from trialkit.results import Estimate, EstimateTable, TestTable
from trialkit.results.tables import TestResult
from trialkit.typing import Alternative, FloatArray, Scale

__all__ = ["pool_rubin", "pool_rubin_test", "pooled_extras"]

# Variance between imputations needs two of them.
MIN_IMPUTATIONS = 2
# A covariance whose entries differ from their mirror image by more than this share of the
# largest is not one.
SYMMETRY = 1e-8


def pool_rubin(
    estimates: ArrayLike | pd.DataFrame | Sequence[EstimateTable],
    variances: ArrayLike | pd.DataFrame | None = None,
    df_complete: float | None = None,
    *,
    terms: Sequence[str] | None = None,
    scale: Scale = "coefficient",
    n: int = 0,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Estimates pooled over m imputed data sets by Rubin's rules, one row a quantity.

    `estimates` (m,) for one quantity or (m, k) for k, an imputation a row, with `variances` (the
    squares of their standard errors) of the same shape; or a list of m tables of estimates from
    the same analysis, which carry their own standard errors, df and keys, and then neither
    `variances` nor `df_complete` is given. Key `term`: `terms`, or the columns of a frame.

    `df_complete` are the degrees of freedom the analysis would have with complete data (its
    residual df); the df are then those of Barnard & Rubin (1999). None takes them as infinite
    and gives Rubin's (1987) (m - 1) / lambda^2, which can exceed the size of the trial. Ratios
    (`scale="ratio"`) are given and pooled as logarithms, and reported back-transformed. `n`
    goes into the table's column n as it is (zero: not said).

    Extras: `within`, `between`, `total` variance, `df_complete`, `riv` (relative increase of
    variance), `lambda` (share of the variance due to missing values), `fmi` (fraction of missing
    information), `n_imputations`.

    Raises DataError for fewer than two imputations, values that are not finite, negative
    variances, shapes or tables that do not belong together.

    References: Rubin (1987), doi:10.1002/9780470316696; Barnard & Rubin (1999),
    doi:10.1093/biomet/86.4.948.

    Example
    -------
    >>> import trialkit as tk
    >>> pooled = tk.pool_rubin([-1.2, -0.9, -1.5], [0.16, 0.15, 0.17], df_complete=68)
    >>> row = pooled.single()
    >>> round(row.estimate, 3), round(row.se, 4), round(row.df, 2)
    (-1.2, 0.5292, 8.45)
    """
    tables = _tables(estimates)
    if tables:
        return _pool_tables(tables, variances, df_complete, terms, ci_level, alternative, null)
    if variances is None:
        raise SpecError("variances= is needed: the square of each estimate's standard error.")
    names = _term_names(estimates, terms)
    values = _matrix(estimates, "estimates")
    spread = _matrix(variances, "variances")
    if values.shape != spread.shape:
        raise DataError(f"estimates are {values.shape} and variances {spread.shape}; same shape.")
    if len(names) != values.shape[1]:
        raise SpecError(f"terms= names {len(names)} quantities; there are {values.shape[1]}.")
    _check(values, spread)
    complete = _complete_df(df_complete)
    pooled = pool(values, spread, complete)
    m = values.shape[0]
    rows = tuple(
        Estimate.from_t(
            label=name,
            estimate=float(pooled.estimate[k]),
            se=float(np.sqrt(pooled.total[k])),
            df=float(pooled.df[k]),
            n=n,
            method=_method(m, complete),
            ci_level=ci_level,
            alternative=alternative,
            null=null,
            scale=scale,
        )
        for k, name in enumerate(names)
    )
    extras = pooled_extras(pooled, m, [complete] * len(names))
    return EstimateTable(estimates=rows, keys={"term": names}, extras=extras)


def pool_rubin_test(
    estimates: ArrayLike | pd.DataFrame, covariances: ArrayLike, *, label: str = "all terms"
) -> TestTable:
    """Joint test that k pooled quantities are all zero, key `hypothesis`.

    `estimates` (m, k), an imputation a row, with `covariances` (m, k, k). The statistic D1 of
    Li, Raghunathan & Rubin, against F: the variance between imputations is taken proportional
    to that within them, which a handful of imputations cannot contradict. Extra `riv`: the
    average relative increase of variance.

    Raises DataError as `pool_rubin`, and for covariances that are not symmetric and positive
    definite. Reference: Li, Raghunathan & Rubin (1991), J Am Stat Assoc
    86:1065-1073.

    Example
    -------
    >>> import numpy as np
    >>> import trialkit as tk
    >>> b = [[1.0, 0.4], [1.2, 0.5], [0.9, 0.2]]
    >>> test = tk.pool_rubin_test(b, [0.1 * np.eye(2)] * 3).frame()
    >>> [round(float(test[c].iloc[0]), 3) for c in ("statistic", "num_df", "den_df")]
    [4.585, 2.0, 53.281]
    """
    values = _matrix(estimates, "estimates")
    spread = _numbers(covariances, "covariances")
    m, k = values.shape
    if spread.shape != (m, k, k):
        raise DataError(
            f"covariances are {spread.shape}; {m} imputations of {k} quantities need {(m, k, k)}."
        )
    _check(values, np.diagonal(spread, axis1=1, axis2=2))
    if np.abs(spread - spread.swapaxes(1, 2)).max() > SYMMETRY * np.abs(spread).max():
        raise DataError("covariances are not symmetric.")
    try:
        test = pool_wald(values, spread)
    except np.linalg.LinAlgError:
        raise DataError("The mean of the covariances is not positive definite.") from None
    result = TestResult(
        num_df=test.num_df,
        den_df=test.den_df,
        statistic=test.statistic,
        p_value=test.p_value,
        method=f"D1 of Li, Raghunathan and Rubin over {m} imputations, F",
    )
    return TestTable(
        tests=(result,), keys={"hypothesis": (label,)}, extras={"riv": (test.increase,)}
    )


def pooled_extras(
    pooled: Pooled, m: int, df_complete: Sequence[float]
) -> dict[str, tuple[object, ...]]:
    """The components of Rubin's rules as columns of a table."""
    columns = {
        "within": pooled.within,
        "between": pooled.between,
        "total": pooled.total,
        "df_complete": np.asarray(df_complete, dtype=np.float64),
        "riv": pooled.increase,
        "lambda": pooled.share,
        "fmi": pooled.missing_information,
    }
    out: dict[str, tuple[object, ...]] = {k: tuple(v.tolist()) for k, v in columns.items()}
    return {**out, "n_imputations": (m,) * len(df_complete)}


def _tables(estimates: Any) -> list[EstimateTable]:
    """The tables, where `estimates` is a list of them; else none."""
    if not isinstance(estimates, list | tuple):
        return []
    tables = [item for item in estimates if isinstance(item, EstimateTable)]
    if tables and len(tables) < len(estimates):
        raise SpecError("Give tables of estimates only, or arrays only.")
    return tables


def _pool_tables(
    tables: list[EstimateTable],
    variances: object,
    df_complete: float | None,
    terms: object,
    ci_level: float,
    alternative: Alternative,
    null: float,
) -> EstimateTable:
    if variances is not None or df_complete is not None or terms is not None:
        raise SpecError("Tables carry their own variances, df and keys: leave these arguments out.")
    first = tables[0]
    _refuse_different(tables)
    logs = np.array([[row.scale == "ratio" for row in table.estimates] for table in tables])
    values = np.array([[row.estimate for row in table.estimates] for table in tables])
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(logs, np.log(values), values)
    spread = np.array([[row.se**2 for row in table.estimates] for table in tables])
    _check(values, spread)
    rows, parts = [], []
    for k, row in enumerate(first.estimates):
        column = slice(k, k + 1)
        each = pool(values[:, column], spread[:, column], row.df)
        parts.append(each)
        rows.append(
            Estimate.from_t(
                label=row.label,
                estimate=float(each.estimate[0]),
                se=float(np.sqrt(each.total[0])),
                df=float(each.df[0]),
                n=row.n,
                method=f"{row.method}; {_method(len(tables), row.df)}",
                ci_level=ci_level,
                alternative=alternative,
                null=null,
                unit=row.unit,
                scale=row.scale,
            )
        )
    joined = Pooled(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in Pooled.__slots__
        }
    )
    return EstimateTable(
        estimates=tuple(rows),
        keys=first.keys,
        extras=pooled_extras(joined, len(tables), [row.df for row in first.estimates]),
        variable=first.variable,
        notes=first.notes,
    )


def _refuse_different(tables: Sequence[EstimateTable]) -> None:
    first = tables[0]
    for position, table in enumerate(tables[1:], start=2):
        if _plain(table.keys) != _plain(first.keys):
            raise DataError(f"Table {position} has other keys or rows than the first.")
        for one, other in zip(first.estimates, table.estimates, strict=True):
            if (one.scale, one.unit) != (other.scale, other.unit) or one.df != other.df:
                raise DataError(
                    f"Table {position} has scale {other.scale!r}, unit {other.unit!r}, df "
                    f"{other.df:g} where the first has {one.scale!r}, {one.unit!r}, {one.df:g}."
                )


def _plain(keys: Mapping[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    return dict(keys)


def _term_names(estimates: Any, terms: Sequence[str] | None) -> tuple[str, ...]:
    if terms is not None:
        return tuple(map(str, terms))
    if isinstance(estimates, pd.DataFrame):
        return tuple(map(str, estimates.columns))
    shape = np.shape(estimates)
    width = shape[1] if len(shape) > 1 else 1
    return ("estimate",) if width == 1 else tuple(f"estimate {k + 1}" for k in range(width))


def _numbers(values: Any, name: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} are not an array of numbers.") from None


def _matrix(values: Any, name: str) -> FloatArray:
    numbers = _numbers(values, name)
    if numbers.ndim not in (1, 2):
        raise DataError(f"{name} have {numbers.ndim} dimensions; (m,) or (m, k) is meant.")
    return numbers[:, None] if numbers.ndim == 1 else numbers


def _check(values: FloatArray, variances: FloatArray) -> None:
    if values.shape[0] < MIN_IMPUTATIONS:
        raise DataError(f"{values.shape[0]} imputation(s); pooling needs at least two.")
    for name, numbers in (("estimates", values), ("variances", variances)):
        n_bad = int((~np.isfinite(numbers)).sum())
        if n_bad:
            raise DataError(
                f"{name} have {n_bad} value(s) that are not finite: an imputation whose analysis "
                "failed cannot be pooled."
            )
    n_negative = int((variances < 0).sum())
    if n_negative:
        raise DataError(f"variances have {n_negative} value(s) below zero.")


def _complete_df(df_complete: float | None) -> float:
    if df_complete is None:
        return float("inf")
    if not df_complete > 0:
        raise SpecError(f"df_complete={df_complete!r}; it must be above zero, or None.")
    return float(df_complete)


def _method(m: int, df_complete: float) -> str:
    df = "Rubin (1987) df" if df_complete == np.inf else "Barnard-Rubin df"
    return f"Rubin's rules over {m} imputations, t with {df}"
