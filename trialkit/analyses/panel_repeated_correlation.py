"""Correlation, within subjects, of an analyte with a marker measured at the same occasions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import nan, sqrt

import numpy as np
import pandas as pd

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_units import PanelUnits, completed
from trialkit.errors import DataError, SpecError
from trialkit.kernels.effect_rows import SMALLEST_REST
from trialkit.kernels.fisher_z import fisher_z_interval
from trialkit.kernels.student_t import t_p_value
from trialkit.results import Estimate
from trialkit.results.estimate import with_hypothesis
from trialkit.typing import BoolArray, FloatArray

__all__ = ["repeated_correlations"]

METHOD = "repeated-measures correlation (Bakdash & Marusich 2017)"
# Fisher's z has the variance 1 / (df - 1).
MIN_DF = 2
# pingouin's own rounding of columns that are not read here.
OTHER_COLUMNS = ("round.column.CI95", "round.column.BF10")


def repeated_correlations(
    units: PanelUnits,
    options: PanelOptions,
    marker: Mapping[object, float],
    *,
    name: str,
    rule: str,
) -> list[Estimate]:
    """The correlation of each analyte of one contrast with the occasions' `marker`."""
    if not units.is_within:
        raise SpecError(
            'method="repeated" correlates changes within subjects; in a parallel design a subject '
            'has one value. Choose method="spearman".'
        )
    y, x = _occasions(units, completed(units, rule), marker, name)
    subject = np.repeat(np.arange(x.shape[0]), x.shape[1])
    method = METHOD
    if units.n_censored.any():
        method += f", censored values by {rule}"
    return [
        _correlation(str(label), y[row].ravel(), x.ravel(), subject, options, method)
        for row, label in enumerate(units.analytes)
    ]


def _occasions(
    units: PanelUnits, y: FloatArray, marker: Mapping[object, float], name: str
) -> tuple[FloatArray, FloatArray]:
    """Analytes (m, n, k) and marker (n, k) at the same k occasions; draws averaged or not."""
    lengths = {len(key) if isinstance(key, tuple) else 1 for key in marker}
    allowed = {2} if units.draws is None else {2, 3}
    if len(lengths) != 1 or not lengths <= allowed:
        draw = "" if units.draws is None else " or (subject, condition, draw)"
        raise DataError(
            f'{name!r}: with method="repeated" the marker\'s keys are (subject, condition){draw}.'
        )
    by_draw = lengths == {3} and units.draws is not None
    n, c, r = y.shape[1:]
    x = np.full((n, c, r if by_draw else 1), nan)
    for unit, subject in enumerate(units.subjects):
        for which, condition in enumerate(units.conditions):
            for place in range(x.shape[2]):
                key: tuple[object, ...] = (subject, condition)
                if by_draw and units.draws is not None:
                    key = (*key, units.draws[unit, which, place])
                x[unit, which, place] = float(marker.get(key, nan))
    if np.isnan(x).all():
        raise DataError(f"{name!r} has a value for none of the samples of the {n} subjects.")
    if not by_draw:
        y = units.condition_means(y)[..., None]
    return y.reshape(y.shape[0], n, -1), x.reshape(n, -1)


def _correlation(
    label: str,
    y: FloatArray,
    x: FloatArray,
    subject: np.ndarray,
    options: PanelOptions,
    method: str,
) -> Estimate:
    known = ~(np.isnan(x) | np.isnan(y))
    x, y, subject = x[known], y[known], subject[known]
    _, who, times = np.unique(subject, return_inverse=True, return_counts=True)
    several = (times > 1)[who]
    n = int(np.unique(who[several]).size)
    df = int(several.sum()) - n - 1
    blank = Estimate.undefined(
        label=label,
        status=f"fewer than {MIN_DF} degrees of freedom, or no change within the subjects",
        n=n,
        method=method,
        ci_level=options.ci_level,
        scale="standardized",
    )
    if df < MIN_DF or not (_varies(x, who, several) and _varies(y, who, several)):
        return blank
    r = _pingouin(x[several], y[several], who[several], df)
    rest = max(1 - r**2, SMALLEST_REST)
    t = r * sqrt(df / rest)
    low, high = fisher_z_interval(
        r, 1 / (df - 1), level=options.ci_level, alternative=options.alternative
    )
    return replace(
        blank,
        status="ok",
        estimate=r,
        df=float(df),
        statistic=t,
        p_value=t_p_value(t, df, options.alternative),
        ci_low=low,
        ci_high=high,
        method=with_hypothesis(method, options.alternative, 0.0),
    )


def _varies(values: FloatArray, who: np.ndarray, chosen: BoolArray) -> bool:
    """Whether any subject's values differ."""
    return any(np.ptp(values[chosen & (who == code)]) > 0 for code in np.unique(who[chosen]))


def _pingouin(x: FloatArray, y: FloatArray, who: np.ndarray, df: int) -> float:
    import pingouin

    rounding = [
        name
        for name, value in pingouin.options.items()
        if name.startswith("round") and name not in OTHER_COLUMNS and value is not None
    ]
    if rounding:
        raise SpecError(f"pingouin.options rounds its results ({', '.join(rounding)}); reset it.")
    # Centred within subjects: the correlation is the same, and large levels lose no digits.
    frame = pd.DataFrame({"x": _centred(x, who), "y": _centred(y, who), "subject": who})
    # Its interval and power, which are not used, have no limits at a correlation of one.
    with np.errstate(divide="ignore", invalid="ignore"):
        found = pingouin.rm_corr(frame, x="x", y="y", subject="subject").iloc[0]
    if int(found["dof"]) != df:
        raise DataError(f"pingouin counts {found['dof']} degrees of freedom where there are {df}.")
    return float(np.clip(found["r"], -1.0, 1.0))


def _centred(values: FloatArray, who: np.ndarray) -> FloatArray:
    times = np.bincount(who)
    mean = np.bincount(who, values) / np.maximum(times, 1)
    return np.asarray(values - mean[who])
