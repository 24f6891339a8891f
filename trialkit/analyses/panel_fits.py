"""The estimate of every analyte of one contrast, each by the route its censoring asks for.

Without a censored value the fit is least squares, whatever the rule; with one, the rule
decides. What no route can estimate gets a bound and an exact test on detection.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import numpy as np

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_detection import Detection, detections, exact_test, unestimable
from trialkit.analyses.panel_mixed import mixed_fit, needs_mixed_model, random_plate_fit
from trialkit.analyses.panel_moderation import Moderated, moderate
from trialkit.analyses.panel_ranks import rank_estimate
from trialkit.analyses.panel_ros import refuse_ros
from trialkit.analyses.panel_tobit import tobit_between, tobit_within
from trialkit.analyses.panel_units import (
    PanelUnits,
    completed,
    has_several_draws,
    only,
    present_by_condition,
)
from trialkit.analyses.panel_welch import welch_fits
from trialkit.analyses.two_arms import CONSTANT_WITHIN
from trialkit.errors import SpecError
from trialkit.kernels.effect_rows import EffectFits, fit_effect, project
from trialkit.results import Estimate
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["ContrastFits", "fit_contrast", "least_squares_rows", "rule_phrase", "tobit_rows_of"]

RULES = {
    "tobit": "no value beyond a limit",
    "half": "below LLOQ: LLOQ/2",
    "half-sqrt2": "below LLOQ: LLOQ/sqrt(2)",
    "ros": "below LLOQ: regression on order statistics within each condition",
    "drop": "values beyond a limit left out",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContrastFits:
    """Estimates of one contrast in the order of the analytes, and what goes beside them."""

    estimates: tuple[Estimate, ...]
    detections: tuple[Detection, ...]
    n_censored: IntArray
    moderated: Moderated | None
    notes: tuple[str, ...]


def fit_contrast(units: PanelUnits, options: PanelOptions) -> ContrastFits:
    """Fit all analytes of `units`."""
    refuse_ros(units, options)
    found = detections(units)
    censored = units.n_censored
    routes = np.array(
        [_route(item, int(n), options) for item, n in zip(found, censored, strict=True)]
    )
    _refuse_combinations(routes, options)
    estimates: list[Estimate | None] = [None] * len(found)
    moderated = _least_squares(units, options, np.flatnonzero(routes == "ls"), estimates)
    for row in np.flatnonzero(routes == "rank"):
        several = has_several_draws(only(units, np.array([row])))[0]
        words = "; differences of the means of draws" if several else ""
        words += rule_phrase(options, censored)
        estimates[row] = rank_estimate(units, int(row), options, words)
    _tobit(units, options, np.flatnonzero(routes == "tobit"), estimates)
    for row in np.flatnonzero(routes == "detection"):
        estimates[row] = _detected(units, int(row), options)
    for row in np.flatnonzero(routes == "empty"):
        estimates[row] = _empty(units, int(row), options)
    notes = []
    if options.censoring in ("half", "half-sqrt2") and (units.side == 1).any():
        notes.append("Values above the upper limit stand at that limit.")
    if options.censoring == "ros" and censored.any():
        notes.append(
            "Regression on order statistics takes filled-in values for measured ones: standard "
            "errors are too small."
        )
    return ContrastFits(
        estimates=tuple(item for item in estimates if item is not None),
        detections=found,
        n_censored=censored,
        moderated=moderated,
        notes=tuple(notes),
    )


def tobit_rows_of(units: PanelUnits, rule: str) -> IntArray:
    """The analytes that maximum likelihood for censored values is for."""
    if rule != "tobit" or not units.n_censored.any():
        return np.empty(0, dtype=np.int64)
    measured = np.array([min(item.measured) for item in detections(units)], dtype=np.int64)
    return np.flatnonzero((units.n_censored > 0) & (measured > 0)).astype(np.int64)


def _route(found: Detection, n_censored: int, options: PanelOptions) -> str:
    if min(found.present) == 0:
        return "empty"
    if sum(found.measured) == 0:
        return "detection"
    substituted = options.censoring in ("half", "half-sqrt2")
    if min(found.measured) == 0 and not substituted:
        return "detection"
    if options.test == "wilcoxon":
        return "rank"
    return "tobit" if n_censored and options.censoring == "tobit" else "ls"


def _refuse_combinations(routes: np.ndarray, options: PanelOptions) -> None:
    n_tobit = int(np.sum(routes == "tobit"))
    if n_tobit and options.plate_effect == "random":
        raise SpecError(
            f'plate_effect="random" is not offered for the tobit fit that {n_tobit} analyte(s) '
            'with censored values need; choose plate_effect="fixed" or censoring="half", '
            '"half-sqrt2" or "drop".'
        )
    if n_tobit and (options.moderated or options.test != "t"):
        asked = "moderated=True" if options.moderated else f'test="{options.test}"'
        why = "it replaces the likelihood"
        if options.moderated:
            why = (
                "it shrinks residual variances that have a chi-squared distribution on known "
                "degrees of freedom, and the scale of a censored likelihood has none"
            )
        raise SpecError(
            f"{asked} is not defined for the tobit fit that {n_tobit} analyte(s) with censored "
            f'values need: {why}. Choose censoring="half", "half-sqrt2" or "drop".'
        )


def rule_phrase(options: PanelOptions, censored: IntArray) -> str:
    """What happened to censored values, or nothing where there were none."""
    if not censored.any():
        return ""
    return f"; {RULES[options.censoring]}"


def least_squares_rows(units: PanelUnits, rule: str) -> tuple[FloatArray, FloatArray]:
    """Responses (m, n) under the rule and the nuisance columns (n, q)."""
    y = units.response(completed(units, rule))
    return np.where(np.isnan(y) | ~units.used, np.nan, y), units.nuisance


def _least_squares(
    units: PanelUnits, options: PanelOptions, rows: IntArray, estimates: list[Estimate | None]
) -> Moderated | None:
    if rows.size == 0:
        return None
    part = only(units, rows)
    y, nuisance = least_squares_rows(part, options.censoring)
    if options.test == "welch":
        fits = welch_fits(part, y, nuisance)
        df = fits.df_satterthwaite
        plain = fits.fits
    else:
        plain = fit_effect(project(y, nuisance, part.own), part.effect)
        df = plain.df.astype(np.float64)
    plain = _without_rounding(plain, y)
    estimate, se = plain.estimate.copy(), plain.unscaled * np.sqrt(plain.sigma2)
    moderated: Moderated | None = None
    problems: dict[int, str] = {}
    filled = completed(part, options.censoring)
    mixed = _by_mixed_model(part, options, filled)
    if options.moderated:
        moderated = moderate(part, rows, plain, y, options)
        se, df = moderated.se, moderated.df_total
    for place in np.flatnonzero(mixed).tolist():
        is_plate = part.random_plate is not None
        fit = random_plate_fit(part, y, place) if is_plate else mixed_fit(part, filled, place)
        estimate[place], se[place], df[place] = fit.estimate, fit.se, fit.df
        problems[place] = fit.problem
    several = has_several_draws(part)
    rule = rule_phrase(options, part.n_censored)
    for place, row in enumerate(rows):
        words = _method(units, options, is_mixed=bool(mixed[place]), several=bool(several[place]))
        estimates[row] = _student(
            str(units.analytes[row]),
            (float(estimate[place]), float(se[place]), float(df[place])),
            int(plain.n[place]),
            words + rule,
            options,
            problem=problems.get(place, ""),
        )
    return moderated


def _student(
    label: str,
    found: tuple[float, float, float],
    n: int,
    method: str,
    options: PanelOptions,
    *,
    problem: str,
) -> Estimate:
    """The row of an estimate, its standard error and df; or of what kept them from being had."""
    if problem:
        return Estimate.undefined(
            label=label, status=problem, n=n, method=method, ci_level=options.ci_level
        )
    estimate, se, df = found
    return Estimate.from_t(
        label=label,
        estimate=estimate,
        se=se,
        df=df,
        n=n,
        method=method,
        ci_level=options.ci_level,
        alternative=options.alternative,
        null=options.null,
    )


def _by_mixed_model(units: PanelUnits, options: PanelOptions, y: FloatArray) -> BoolArray:
    """Analytes (m,) for a mixed model; SpecError where moderation would meet them."""
    if units.random_plate is not None:
        return np.ones(len(units.analytes), dtype=np.bool_)
    if options.repeated != "mixed" or not units.is_within or units.y.shape[3] == 1:
        return np.zeros(len(units.analytes), dtype=np.bool_)
    mixed = needs_mixed_model(units, y)
    if options.moderated and mixed.any():
        raise SpecError(
            f"moderated=True moderates one residual variance, and {int(mixed.sum())} analyte(s) "
            'with draws of unequal number have several; choose repeated="mean".'
        )
    return mixed


def _without_rounding(fits: EffectFits, y: FloatArray) -> EffectFits:
    """A residual variance that is rounding error alone is zero."""
    size = np.nanmax(np.abs(y), axis=1, initial=0.0, where=~np.isnan(y))
    tiny = fits.sigma2 <= (CONSTANT_WITHIN * size) ** 2
    return replace(fits, sigma2=np.where(tiny, 0.0, fits.sigma2))


def _method(units: PanelUnits, options: PanelOptions, *, is_mixed: bool, several: bool) -> str:
    """Words on the fit of one analyte, with `several` draws in a condition or one."""
    if options.test == "welch":
        return "Welch t test, Welch-Satterthwaite df"
    if units.random_plate is not None:
        return (
            "mixed model (random plate), REML, variance at zero or above, Kenward-Roger with "
            "expected information"
        )
    if is_mixed:
        period = ", period" if units.design == "crossover" else ""
        return (
            f"mixed model (random subject and subject by condition{period}), REML, variances not "
            "bounded at zero, Kenward-Roger with expected information"
        )
    means = " of the means of draws" if several else ""
    if units.design == "paired":
        name = f"paired t{means}"
    elif units.design == "crossover":
        name = f"within-subject differences{means} adjusted for period, t"
    else:
        adjusted = units.nuisance.shape[1] > 1 or units.own is not None
        name = "ANCOVA, t" if adjusted else "Student t, pooled variance"
    if not options.moderated:
        return name
    trend = {True: ", trend in the mean response", "level": ", trend in the mean level"}
    kind = trend.get(options.trend, "") + (", robust" if options.robust else "")
    return f"{name}, moderated variances (Smyth 2004{kind})"


def _tobit(
    units: PanelUnits, options: PanelOptions, rows: IntArray, estimates: list[Estimate | None]
) -> None:
    if rows.size == 0:
        return
    part = only(units, rows)
    if options.repeated == "mean" and has_several_draws(part).any():
        raise SpecError(
            'repeated="mean" has no mean of draws one of which is censored; choose '
            'repeated="mixed", or censoring="half", "half-sqrt2" or "drop".'
        )
    fits = tobit_within(part) if units.is_within else tobit_between(part)
    for place, row in enumerate(rows):
        n = int(part.used[place].sum())
        label = str(units.analytes[row])
        if not fits.converged[place]:
            estimates[row] = _without_maximum(units, int(row), options)
            continue
        found = (float(fits.estimate[place]), float(fits.se[place]), float(fits.df[place]))
        estimates[row] = _student(label, found, n, fits.methods[place], options, problem="")


def _without_maximum(units: PanelUnits, row: int, options: PanelOptions) -> Estimate:
    """Too few measured values for a maximum: the exact test on detection stands in."""
    p_value, test = exact_test(units, row, options.alternative)
    blank = Estimate.undefined(
        label=str(units.analytes[row]),
        status="the censored likelihood has no maximum: exact test on detection",
        n=int(units.used[row].sum()),
        method=test,
        ci_level=options.ci_level,
    )
    return replace(blank, p_value=p_value, ci_low=-inf, ci_high=inf)


def _detected(units: PanelUnits, row: int, options: PanelOptions) -> Estimate:
    found = unestimable(
        units,
        row,
        ci_level=options.ci_level,
        alternative=options.alternative,
        with_bound=options.censoring == "tobit" and options.alternative == "two-sided",
    )
    blank = Estimate.undefined(
        label=str(units.analytes[row]),
        status=found.status,
        n=int(units.used[row].sum()),
        method=found.method,
        ci_level=options.ci_level,
    )
    return replace(blank, p_value=found.p_value, ci_low=found.low, ci_high=found.high)


def _empty(units: PanelUnits, row: int, options: PanelOptions) -> Estimate:
    there = present_by_condition(units, row)
    status = "no subject with values under both conditions"
    if min(there) == 0:
        status = f"no value under {units.conditions[0 if there[0] == 0 else 1]}"
    return Estimate.undefined(
        label=str(units.analytes[row]),
        status=status,
        n=0,
        method="none",
        ci_level=options.ci_level,
    )
