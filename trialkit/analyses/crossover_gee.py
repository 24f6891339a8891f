"""Counts, events and ordered categories of a crossover by estimating equations with period."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice, check_flag
from trialkit.analyses.crossover_gee_fit import CrossoverGeeFit
from trialkit.analyses.crossover_model import (
    Carryover,
    CrossoverModel,
    Predictor,
    build_model,
    check_carryover,
    with_effects,
)
from trialkit.analyses.crossover_rows import read_crossover
from trialkit.analyses.gee_engine import GeeProblem, fit_gee
from trialkit.analyses.gee_outcome import Family, category_codes, exposure_log, outcome_values
from trialkit.data.vectors import require_frame
from trialkit.errors import DataError, SpecError
from trialkit.typing import FloatArray

__all__ = ["crossover_gee"]

Correlation = Literal["exchangeable", "independence"]
SandwichKind = Literal["mancl-derouen", "robust"]
GeeDf = Literal["subjects", "normal"]

MEASURES = {
    "poisson": "log-linear means of a count",
    "binomial": "logistic marginal probability",
    "gaussian": "linear means",
    "ordinal": "proportional odds of a higher category",
}
SANDWICHES = {
    "mancl-derouen": "Mancl-DeRouen bias-reduced sandwich covariance",
    "robust": "sandwich covariance",
}
MCAR_NOTE = (
    "{} of {} subjects lack a period. Estimating equations use what they have, and are valid if "
    "what is missing is missing completely at random."
)


def crossover_gee(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    family: Family,
    event: object = 1,
    category_order: str | Sequence[object] | None = None,
    exposure: str | None = None,
    period_effect: bool = True,
    sequence_effect: bool = True,
    carryover: Carryover = False,
    correlation: Correlation | None = None,
    vcov: SandwichKind = "mancl-derouen",
    df: GeeDf = "subjects",
    complete_cases: bool = False,
    period_order: str | Sequence[object] | None = None,
) -> CrossoverGeeFit:
    """Population-averaged ratio of rates or odds between treatments, each against the reference.

    One row a subject and period, any crossover design. The marginal mean of each row is modelled
    by treatment + period + sequence [+ carryover]; subjects' periods are correlated, and the
    sandwich covariance counts subjects, whatever the working correlation (Liang & Zeger 1986).

    - "poisson": counts, log link; contrasts are rate ratios. `exposure` is a column of times or
      sizes above zero, whose logarithm is the offset. No distribution is assumed beyond the
      mean: overdispersion is in the covariance.
    - "binomial": events (1 and 0, or two labels of which `event` is the event), logit link; odds
      ratios of the population's shares, closer to one than the within-subject ratios of
      `crossover_binary`.
    - "ordinal": ordered categories (numbers, a Categorical in order, or text with
      `category_order`), cumulative logits; the odds ratio of a **higher** category, the same at
      every cut.
    - "gaussian": differences of means.

    `correlation`: "exchangeable" (default) or "independence"; for ordinal outcomes only
    "independence" between periods. Moments are those of R's geepack (divided by rows and pairs):
    less the number of coefficients, as in R's gee and by default in statsmodels, the correlation
    of two periods can pass one in a small trial.

    `vcov="mancl-derouen"` with `df="subjects"` (t with the number of subjects less that of
    coefficients) is meant for small trials; `vcov="robust"`, `df="normal"` is what R's geepack
    and SAS PROC GENMOD print, and too narrow below some 40 subjects.

    Carryover as in `crossover`: a diagnostic. Rows without outcome are left out, the subjects
    that lack a period counted; `complete_cases=True` keeps those with every period. Unlike
    `crossover`'s likelihood, estimating equations need periods missing completely at random.

    Raises DataError for outcomes that are not of the family, for coefficients that are infinite
    (an empty cell, separation) or that one subject determines, DesignError for effects the
    design cannot separate, ConvergenceError where the equations are not solved.

    References: Liang & Zeger (1986), doi:10.1093/biomet/73.1.13; Mancl & DeRouen (2001),
    doi:10.1111/j.0006-341X.2001.00126.x; Lipsitz, Kim & Zhao (1994), doi:10.1002/sim.4780131106.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [i for i in range(8) for _ in (1, 2)],
    ...     "SEQ": ["AB"] * 8 + ["BA"] * 8,
    ...     "PERIOD": [1, 2] * 8,
    ...     "TRT": ["Placebo", "LDN"] * 4 + ["LDN", "Placebo"] * 4,
    ...     "ATTACKS": [6, 3, 4, 4, 9, 5, 2, 1, 3, 5, 1, 2, 4, 9, 2, 3],
    ... })
    >>> fit = crossover_gee(data, outcome="ATTACKS", subject="ID", sequence="SEQ",
    ...                     period="PERIOD", treatment="TRT", reference="Placebo",
    ...                     family="poisson")
    >>> row = fit.contrasts().single()
    >>> row.label, row.scale, round(row.estimate, 3), row.df
    ('LDN - Placebo', 'ratio', 0.571, 4.0)
    """
    carryover = check_carryover(carryover)
    check_flag("period_effect", period_effect)
    check_flag("sequence_effect", sequence_effect)
    check_flag("complete_cases", complete_cases)
    if exposure == outcome:
        raise SpecError(f"exposure={exposure!r} is the outcome itself.")
    _check_choices(family, exposure, category_order, event, correlation, vcov, df)
    frame = require_frame(data)
    categories: tuple[object, ...] = ()
    if family == "ordinal":
        values, categories = category_codes(frame, outcome, category_order)
    else:
        values = outcome_values(frame, outcome, family, event)
    offset = None if exposure is None else exposure_log(frame, exposure, values)
    rows = read_crossover(
        frame.assign(**{outcome: values}),
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        period_order=period_order,
    )
    predictor = Predictor(
        subject_is_random=True,  # sequence is then a term, and rows between subjects count
        period=period_effect,
        sequence=sequence_effect,
        carryover=carryover,
        baseline=None,
        baseline_as="covariate",
        log=False,
        complete_cases=complete_cases,
    )
    model = build_model(frame, rows, predictor)
    y, categories = _response(model, categories)
    is_exchangeable = family != "ordinal" and correlation != "independence"
    problem = GeeProblem(
        y=y,
        x=model.frame.matrix,
        subject=model.subject,
        subjects=model.subjects,
        family=family,
        log_exposure=None if offset is None else offset[model.analysed],
        is_exchangeable=is_exchangeable,
    )
    columns = (
        *((f"{outcome} > {label}" for label in categories[:-1]) if categories else ["Intercept"]),
        *model.frame.columns[1:],
    )
    df_used = _df(df, len(model.subjects), len(columns))
    estimates = fit_gee(problem, columns)
    return CrossoverGeeFit(
        model=model,
        estimates=estimates,
        vcov=estimates.bias_reduced if vcov == "mancl-derouen" else estimates.robust,
        columns=columns,
        family=family,
        categories=categories,
        df_used=df_used,
        method=with_effects(
            _method(family, exposure, categories, is_exchangeable, vcov, df), predictor
        ),
        notes=(*model.frame.notes, *_incomplete(model)),
    )


def _check_choices(
    family: str,
    exposure: str | None,
    category_order: object,
    event: object,
    correlation: str | None,
    vcov: str,
    df: str,
) -> None:
    check_choice("family", family, MEASURES)
    check_choice("vcov", vcov, SANDWICHES)
    check_choice("df", df, ("subjects", "normal"))
    if correlation is not None:
        check_choice("correlation", correlation, ("exchangeable", "independence"))
    if family == "ordinal" and correlation == "exchangeable":
        raise SpecError(
            "family='ordinal' has correlation='independence' only: one correlation does not "
            "describe the cuts of two periods. The sandwich covariance holds all the same."
        )
    for name, value, usual, owner in (
        ("exposure", exposure, None, "poisson"),
        ("category_order", category_order, None, "ordinal"),
        ("event", event, 1, "binomial"),
    ):
        if value != usual and family != owner:
            raise SpecError(f"{name}= is for family={owner!r}, not for {family!r}.")


def _response(
    model: CrossoverModel, categories: tuple[object, ...]
) -> tuple[FloatArray, tuple[object, ...]]:
    """The analysed outcome; categories without an analysed row have no cut."""
    y = model.frame.response
    if np.ptp(y) == 0:
        label = repr(categories[int(y[0])]) if categories else f"{y[0]:g}"
        raise DataError(
            f"Outcome {model.frame.outcome!r} is {label} in all {y.size} analysed rows: there is "
            "nothing to compare."
        )
    if not categories:
        return y, categories
    present, codes = np.unique(y, return_inverse=True)
    return codes.astype(np.float64), tuple(categories[int(code)] for code in present)


def _df(df: str, n_subjects: int, n_columns: int) -> float:
    if df == "normal":
        return inf
    if n_subjects <= n_columns:
        raise DataError(
            f"{n_subjects} subjects leave no degree of freedom beside {n_columns} coefficients. "
            "Take an effect out (period_effect=False, sequence_effect=False)."
        )
    return float(n_subjects - n_columns)


def _method(
    family: str,
    exposure: str | None,
    categories: Sequence[object],
    is_exchangeable: bool,
    vcov: str,
    df: str,
) -> str:
    measure = MEASURES[family]
    if exposure is not None:
        measure += f" per {exposure}"
    if categories:
        measure += f" ({' < '.join(map(str, categories))})"
    how = "exchangeable (moments as geepack)" if is_exchangeable else "independent"
    reference = "t with subjects less coefficients df" if df == "subjects" else "normal reference"
    return (
        f"crossover GEE, {measure}, population-averaged, {how} working correlation, "
        f"{SANDWICHES[vcov]}, {reference}"
    )


def _incomplete(model: CrossoverModel) -> tuple[str, ...]:
    counts = np.bincount(model.subject)
    lacking = int((counts < len(model.rows.periods)).sum())
    return (MCAR_NOTE.format(lacking, counts.size),) if lacking else ()
