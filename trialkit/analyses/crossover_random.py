"""A crossover with random subjects: the fit, its degrees of freedom, its variances in words."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_fit import CrossoverFit
from trialkit.analyses.crossover_inference import (
    BETWEEN_PERIODS,
    BETWEEN_SUBJECTS,
    WITHIN_PERIODS,
    RandomFit,
    containment_df,
    random_inference,
    variance_information,
)
from trialkit.analyses.crossover_measurements import require_components
from trialkit.analyses.crossover_model import CrossoverModel
from trialkit.analyses.crossover_variance import (
    BETWEEN,
    PERIOD,
    RESIDUAL,
    WITHIN,
    Variances,
    within_name,
)
from trialkit.errors import ConvergenceError, DataError, TrialkitWarning
from trialkit.kernels.random_intercept import fit_random_intercept
from trialkit.kernels.variance_components import fit_components
from trialkit.typing import FloatArray

__all__ = ["DF_PHRASES", "BoundaryWarning", "RandomSubjects", "fit_random", "require_variation"]

DF_PHRASES = {
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite df",
    "containment": "containment df",
    "residual": "residual df",
    "normal": "normal reference",
}
# What it means that a variance is at its bound.
AT_BOUND = {
    BETWEEN: "subjects' periods agree no more than periods of different subjects",
    PERIOD: "measurements of one period agree no more than those of a subject's two periods",
    RESIDUAL: "measurements of one period do not differ",
}
HELD_TOGETHER = (
    "No subject has a treatment twice: the variances within subjects are told apart by the "
    "assumption that subjects differ by the same variance under every treatment."
)


class BoundaryWarning(TrialkitWarning):
    """A variance would be negative and is held at zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSubjects:
    """What was asked of a fit with random subjects."""

    df: str
    is_expected: bool
    bounded: bool
    variances: Literal["common", "by-treatment"]
    measurement: str | None
    log: bool


def fit_random(model: CrossoverModel, index: pd.Index, asked: RandomSubjects) -> CrossoverFit:
    """The fit by REML; warns where a variance is held at zero."""
    x, y = model.frame.matrix, model.frame.response
    require_variation(model)
    names = _names(model, asked)
    fit = _fit(model, asked)
    inference = random_inference(
        fit, asked.df, expected=asked.is_expected, plain_df=_plain_df(asked, model)
    )
    return CrossoverFit(
        model=_with_notes(model, names, fit, asked),
        inference=inference,
        variances=_variances(model, names, fit, asked),
        method=_method(names, fit, asked),
        residual=np.asarray(y - x @ fit.coef),
        index=index,
        deviance=fit.deviance,
        is_at_bound=bool(fit.at_bound),
        extra_tests={},
    )


def require_variation(model: CrossoverModel) -> None:
    """Raise DataError where the outcome is constant."""
    y = model.frame.response
    if np.ptp(y) == 0:
        raise DataError(
            f"Outcome {model.frame.outcome!r} is {y[0]:g} in all {y.size} analysed rows: no "
            "standard error."
        )


def _names(model: CrossoverModel, asked: RandomSubjects) -> tuple[str, ...]:
    """The model's variances, in the order of the kernel's parameters."""
    if asked.measurement is not None:
        return (BETWEEN, PERIOD, RESIDUAL)
    if asked.variances == "common":
        return (BETWEEN, WITHIN)
    return (BETWEEN, *(within_name(label) for label in model.rows.treatments))


def _fit(model: CrossoverModel, asked: RandomSubjects) -> RandomFit:
    x, y = model.frame.matrix, model.frame.response
    if asked.measurement is not None:
        require_components(model.subject, model.period, column=asked.measurement)
        one_kind = np.zeros_like(model.subject)
        cell, kind = model.period, one_kind
    elif asked.variances == "by-treatment":
        cell = kind = model.treatment
    else:
        return fit_random_intercept(x, y, model.subject, bounded=asked.bounded)
    try:
        return fit_components(
            x,
            y,
            model.subject,
            cell=cell,
            kind=kind,
            has_cell_variance=asked.measurement is not None,
            bounded=asked.bounded,
        )
    except ConvergenceError as error:
        simpler = "measurement=" if asked.measurement is not None else "variances='by-treatment'"
        raise ConvergenceError(
            f"{error} The variances are {', '.join(_names(model, asked))}, of {y.size} rows of "
            f"{len(model.subjects)} subjects. Leave {simpler} out, or look for values that are no "
            "measurements."
        ) from error


def _plain_df(asked: RandomSubjects, model: CrossoverModel) -> Callable[[FloatArray], FloatArray]:
    """Degrees of freedom that need no information: containment, residual, normal."""
    n_rows, n_columns = model.frame.matrix.shape
    if asked.df != "containment":
        value = np.inf if asked.df == "normal" else float(n_rows - n_columns)
        return lambda rows: np.full(rows.shape[0], value)
    stratum = np.full(n_columns, BETWEEN_PERIODS)
    stratum[[model.frame.columns.index("Intercept"), *model.term_columns.get("sequence", ())]] = (
        BETWEEN_SUBJECTS
    )
    stratum[list(model.term_columns.get("measurement", ()))] = WITHIN_PERIODS
    n_between, n_periods, n_within = np.bincount(stratum, minlength=3).tolist()
    n_subjects = len(model.subjects)
    # With one measurement a period these are as many as the rows.
    n_cells = np.unique(np.stack([model.subject, model.period]), axis=1).shape[1]
    return containment_df(
        stratum,
        (
            float(n_subjects - n_between),
            float(n_cells - n_subjects - n_periods),
            float(n_rows - n_cells - n_within),
        ),
    )


def _method(names: tuple[str, ...], fit: RandomFit, asked: RandomSubjects) -> str:
    parts = ["crossover of log outcome" if asked.log else "crossover"]
    if asked.measurement is not None:
        parts.append("random subject and subject-by-period (REML)")
    elif asked.variances == "by-treatment":
        parts.append("random subject (REML), variance within subjects by treatment")
    else:
        parts.append("random subject (REML)")
    if not asked.bounded:
        only = len(names) == 2
        parts.append("between-subject variance unbounded" if only else "variances unbounded")
    phrase = DF_PHRASES[asked.df]
    if asked.df in ("kenward-roger", "satterthwaite"):
        kind = "expected" if asked.is_expected or fit.at_bound else "observed"
        phrase += f" ({kind} information)"
    for parameter in fit.at_bound:
        kept = {"kenward-roger": ", which is kept", "satterthwaite": ", which is dropped"}
        phrase += f"; {_in_words(names[parameter])} at its bound of zero{kept.get(asked.df, '')}"
    return ", ".join([*parts, phrase])


def _in_words(name: str) -> str:
    if name.startswith(WITHIN):
        return f"within-subject variance of {name.removeprefix(WITHIN)[1:-1]}"
    return "between-subject variance" if name == BETWEEN else f"{name} variance"


def _with_notes(
    model: CrossoverModel, names: tuple[str, ...], fit: RandomFit, asked: RandomSubjects
) -> CrossoverModel:
    """The model with notes on its variances; at a bound also a warning."""
    notes = []
    if asked.variances == "by-treatment" and not _has_repeats(model):
        notes.append(HELD_TOGETHER)
    for parameter in fit.at_bound:
        name = names[parameter]
        meaning = AT_BOUND.get(name, "its measurements agree no less than subjects' levels do")
        message = (
            f"The {_in_words(name)} is at its bound of zero: {meaning}. variance_bound=False lets "
            "it go below."
        )
        warnings.warn(message, BoundaryWarning, stacklevel=4)
        notes.append(message)
    if not notes:
        return model
    return replace(model, frame=replace(model.frame, notes=(*model.frame.notes, *notes)))


def _has_repeats(model: CrossoverModel) -> bool:
    pairs = model.subject * len(model.rows.treatments) + model.treatment
    return bool(np.unique(pairs).size < pairs.size)


def _variances(
    model: CrossoverModel, names: tuple[str, ...], fit: RandomFit, asked: RandomSubjects
) -> Variances:
    known = variance_information(fit, expected=asked.is_expected, drop=True)
    weights = known.weights * fit.basis.scale**4
    free = [name for position, name in enumerate(names) if position not in fit.at_bound]
    return Variances(
        theta=dict(zip(names, fit.theta.tolist(), strict=True)),
        spread={
            (one, other): float(weights[row, column])
            for row, one in enumerate(free)
            for column, other in enumerate(free)
        },
        treatments=model.rows.treatments,
        log=asked.log,
        n=len(model.subjects),
        method=_variance_method(asked),
    )


def _variance_method(asked: RandomSubjects) -> str:
    if asked.measurement is not None:
        return "REML, random subject and subject-by-period"
    if asked.variances == "by-treatment":
        return "REML, random subject, variance within subjects by treatment"
    return "REML, random subject"
