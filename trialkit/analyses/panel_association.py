"""Correlation of what each analyte did with a marker of the same subjects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import permutations as orders
from math import nan, sqrt

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_repeated_correlation import repeated_correlations
from trialkit.analyses.panel_ros import refuse_arbitrary_values
from trialkit.analyses.panel_units import PanelUnits, completed
from trialkit.errors import DataError, SpecError
from trialkit.kernels.effect_rows import SMALLEST_REST
from trialkit.kernels.fisher_z import fisher_z_interval
from trialkit.kernels.ranks import midranks
from trialkit.kernels.student_t import t_p_value
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import Alternative, FloatArray

__all__ = ["associations", "marker_by_key"]

METHODS = {"spearman": "Spearman", "repeated": "Repeated-measures"}
# Up to this many subjects every order of the marker is enumerated (9! = 362,880).
MAX_EXACT = 9
# Fewer subjects than this and an interval of a rank correlation spans nearly everything.
FEW = 20
TIE = 1e-12


def marker_by_key(marker: object, name: str) -> dict[object, float]:
    """The marker as numbers by key; DataError where a value is none or a key stands twice."""
    if not isinstance(marker, Mapping | pd.Series):
        raise SpecError(f"marker= of {name!r} must be a mapping or a Series.")
    if isinstance(marker, pd.Series) and marker.index.has_duplicates:
        again = marker.index[marker.index.duplicated()][0]
        raise DataError(f"{name!r} has several values of {again!r}; give one.")
    values: dict[object, float] = {}
    for key, value in marker.items():
        try:
            values[key] = nan if pd.isna(value) else float(value)
        except (TypeError, ValueError):
            raise DataError(f"{name!r} has {value!r} for {key!r}; give numbers.") from None
    return values


def associations(
    units: Sequence[PanelUnits],
    options: PanelOptions,
    marker: Mapping[object, float],
    *,
    name: str,
    method: str,
    adjust: str,
) -> EstimateTable:
    """Correlation of each analyte with `marker`; keys analyte, contrast."""
    check_choice("method", method, METHODS)
    repeated = method == "repeated"
    rule = "half" if options.censoring == "tobit" else options.censoring
    rows: list[Estimate] = []
    analytes: list[object] = []
    contrasts: list[str] = []
    for item in units:
        refuse_arbitrary_values(item, options, "a correlation with a marker")
        if repeated:
            rows += repeated_correlations(item, options, marker, name=name, rule=rule)
        else:
            rows += _rank_correlations(item, options, marker, name=name, rule=rule)
        analytes += item.analytes
        contrasts += [item.contrast] * len(item.analytes)
    fewest = min(row.n for row in rows)
    notes = []
    if fewest < FEW:
        notes.append(
            f"With {fewest} subjects a correlation is nearly undetermined: intervals, not "
            "p-values, say what these data hold."
        )
    if repeated:
        notes.append(
            "A change that all subjects share, in the analyte and in the marker, counts as "
            "correlation here, whatever caused either."
        )
    table = EstimateTable(
        estimates=tuple(rows),
        keys={"analyte": tuple(analytes), "contrast": tuple(contrasts)},
        variable=f"{METHODS[method]} correlation with {name}",
        notes=tuple(notes),
    )
    return table if adjust == "none" else table.adjust(adjust, family="contrast")


def _rank_correlations(
    units: PanelUnits,
    options: PanelOptions,
    marker: Mapping[object, float],
    *,
    name: str,
    rule: str,
) -> list[Estimate]:
    value = _marker_values(units, marker, name)
    response = units.response(completed(units, rule))
    rows = []
    for row, label in enumerate(units.analytes):
        known = ~(np.isnan(response[row]) | np.isnan(value))
        by_rule = rule if units.n_censored[row] and rule != "drop" else ""
        rows.append(_spearman(str(label), response[row][known], value[known], options, by_rule))
    return rows


def _marker_values(units: PanelUnits, marker: Mapping[object, float], name: str) -> FloatArray:
    missing = [subject for subject in units.subjects if subject not in marker]
    if len(missing) == len(units.subjects):
        raise DataError(f"{name!r} has a value for none of the {len(missing)} subjects.")
    return np.array([float(marker.get(subject, nan)) for subject in units.subjects])


def _spearman(
    label: str, x: FloatArray, y: FloatArray, options: PanelOptions, rule: str
) -> Estimate:
    """Interval by Fisher's z with the variance of Bonett & Wright (2000)."""
    substituted = f", censored values by {rule}" if rule else ""
    method = f"Spearman rank correlation{substituted}"
    n = x.size
    if n < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        status = "fewer than four subjects, or all values equal"
        return Estimate.undefined(
            label=label,
            status=status,
            n=n,
            method=method,
            ci_level=options.ci_level,
            scale="standardized",
        )
    a, b = midranks(x) - (n + 1) / 2, midranks(y) - (n + 1) / 2
    length = sqrt(float(a @ a) * float(b @ b))
    rho = float(np.clip(a @ b / length, -1.0, 1.0))
    exact = n <= MAX_EXACT
    p_value = _exact_p(a, b, options.alternative) if exact else _t_p(rho, n, options.alternative)
    low, high = fisher_z_interval(
        rho, (1 + rho**2 / 2) / (n - 3), level=options.ci_level, alternative=options.alternative
    )
    blank = Estimate.undefined(
        label=label,
        status="-",
        n=n,
        method=with_hypothesis(
            f"{method}, {'exact' if exact else 't approximation'}", options.alternative, 0.0
        ),
        ci_level=options.ci_level,
        scale="standardized",
    )
    return replace(
        blank, estimate=rho, statistic=rho, p_value=p_value, ci_low=low, ci_high=high, status="ok"
    )


def _exact_p(a: FloatArray, b: FloatArray, alternative: Alternative) -> float:
    every = np.array(list(orders(range(b.size))), dtype=np.int64)
    sums = b[every] @ a
    observed = float(a @ b)
    slack = TIE * float(a @ a)
    if alternative == "two-sided":
        return float(np.mean(np.abs(sums) >= abs(observed) - slack))
    if alternative == "greater":
        return float(np.mean(sums >= observed - slack))
    return float(np.mean(sums <= observed + slack))


def _t_p(rho: float, n: int, alternative: Alternative) -> float:
    rest = max(1 - rho**2, SMALLEST_REST)
    return t_p_value(rho * sqrt((n - 2) / rest), n - 2, alternative)
