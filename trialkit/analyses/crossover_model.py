"""The linear predictor of a crossover: treatment, period, sequence, baseline, carryover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_frame import main_effects
from trialkit.analyses.crossover_measurements import (
    constant_in_periods,
    measurement_note,
    period_codes,
)
from trialkit.analyses.crossover_rows import (
    CrossoverRows,
    contribution_notes,
    previous_treatments,
)
from trialkit.data.model_frame import ModelFrame
from trialkit.data.vectors import number_vector, on_scale
from trialkit.errors import DataError, DesignError, SpecError
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.within_subject import deviations, within_aliased
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "BaselineUse",
    "Carryover",
    "CrossoverModel",
    "Predictor",
    "build_model",
    "check_baseline",
    "check_carryover",
    "with_effects",
]

BaselineUse = Literal["covariate", "within-subject", "change", "joint"]
Carryover = Literal["self-mixed"] | bool

BASELINE_WORDS = {
    "covariate": "baseline {} as covariate",
    "within-subject": "baseline {} within subjects as covariate",
    "change": "change from {}",
}
CHANGE_NOTE = (
    "The outcome is the raw change from the period's baseline: it carries the baseline's own "
    "error, and is less precise than a covariate unless baseline and outcome correlate by more "
    "than half within subjects."
)
CARRYOVER_NOTE = (
    "Carryover is a diagnostic: choosing between analyses by its test inflates the type I error "
    "(Freeman 1989), and trialkit offers no such procedure."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Which effects the model has."""

    subject_is_random: bool
    period: bool
    sequence: bool
    carryover: Carryover
    baseline: str | None
    baseline_as: BaselineUse
    log: bool
    complete_cases: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossoverModel:
    """Analysed rows: the model frame, and subject and sequence codes (n,) beside it.

    `term_columns` are the design columns of each term in the words of the result's tables.
    """

    frame: ModelFrame
    subject: IntArray
    subjects: tuple[object, ...]
    sequence: IntArray
    period: IntArray
    treatment: IntArray
    term_columns: dict[str, tuple[int, ...]]
    rows: CrossoverRows
    analysed: BoolArray


def build_model(data: pd.DataFrame, rows: CrossoverRows, predictor: Predictor) -> CrossoverModel:
    """Lay the model over the rows with outcome (and baseline).

    Raises DesignError where an effect is not determined beside the others, DataError where a
    treatment or period has no analysed row.
    """
    values, baseline, notes = _outcome(data, rows, predictor)
    analysed = ~np.isnan(values) if baseline is None else ~np.isnan(values) & ~np.isnan(baseline)
    if predictor.complete_cases:
        counts = np.bincount(rows.subject[analysed], minlength=len(rows.subjects))
        each = max(len(rows.measurements), 1)
        analysed = analysed & (counts == each * len(rows.periods))[rows.subject]
        every = "measurement of every period" if rows.measurements else "period"
        notes.append(f"Complete cases only: subjects with every {every}, as asked.")
    _require_levels(rows, analysed)
    subject_codes, subjects = _compressed(rows.subject[analysed], len(rows.subjects))
    factors, covariates = _effects(rows, predictor, baseline, analysed)
    if predictor.carryover is not False:
        notes.append(CARRYOVER_NOTE)
        _, n_inferred = previous_treatments(rows)
        if n_inferred:
            notes.append(
                f"In {n_inferred} row(s) the treatment before has no row of its own and is taken "
                "from the sequence."
            )
    if rows.measurements:
        notes.insert(
            0, measurement_note(rows.subject, rows.period, analysed, len(rows.measurements))
        )
    built = main_effects(
        values[analysed],
        {name: (codes[analysed], levels) for name, (codes, levels) in factors.items()},
        {name: column[analysed] for name, column in covariates.items()},
        outcome=_outcome_name(rows.outcome, predictor),
        spelling=lambda name: _spelt(name, rows),
        rows=np.flatnonzero(analysed),
        n_rows=analysed.size,
        subject=subject_codes,
        notes=(*contribution_notes(rows, analysed), *notes),
    )
    model = CrossoverModel(
        frame=built,
        subject=subject_codes,
        subjects=tuple(rows.subjects[code] for code in subjects.tolist()),
        sequence=rows.sequence[analysed],
        period=rows.period[analysed],
        treatment=rows.treatment[analysed],
        term_columns=_term_columns(built),
        rows=rows,
        analysed=analysed,
    )
    _require_determined(model, predictor)
    return model


def _compressed(codes: IntArray, n: int) -> tuple[IntArray, IntArray]:
    """Codes (m,) below `n` without gaps, and the codes that occur, in order."""
    occurs = np.bincount(codes, minlength=n) > 0
    return (np.cumsum(occurs) - 1)[codes], np.flatnonzero(occurs)


def _outcome(
    data: pd.DataFrame, rows: CrossoverRows, predictor: Predictor
) -> tuple[FloatArray, FloatArray | None, list[str]]:
    """Outcome and covariate (N,) on the scale of analysis."""
    values = on_scale(rows.values, rows.outcome, predictor.log)
    if predictor.baseline is None:
        return values, None, []
    baseline = on_scale(number_vector(data, predictor.baseline), predictor.baseline, predictor.log)
    if rows.measurements:
        constant_in_periods(
            baseline,
            rows.subject,
            rows.period,
            column=predictor.baseline,
            subjects=rows.subjects,
            periods=rows.periods,
        )
    if predictor.baseline_as == "change":
        return values - baseline, None, [CHANGE_NOTE]
    known = ~np.isnan(values) & ~np.isnan(baseline)
    if predictor.baseline_as == "within-subject" and known.any():
        within = np.full(values.size, np.nan)
        # A period has one baseline, and counts once however many measurements it has.
        cell, first = period_codes(rows.subject[known], rows.period[known])
        _, codes = np.unique(rows.subject[known][first], return_inverse=True)
        within[known] = deviations(baseline[known][first], codes)[cell]
        return values, within, []
    return values, baseline, []


def _outcome_name(outcome: str, predictor: Predictor) -> str:
    name = f"log({outcome})" if predictor.log else outcome
    if predictor.baseline is not None and predictor.baseline_as == "change":
        base = f"log({predictor.baseline})" if predictor.log else predictor.baseline
        return f"{name} - {base}"
    return name


def _require_levels(rows: CrossoverRows, analysed: BoolArray) -> None:
    if not analysed.any():
        raise DataError(f"No row has all that the model needs ({rows.outcome!r} and baseline).")
    factors = [
        (rows.treatment, rows.treatments, "Treatment"),
        (rows.period, rows.periods, "Period"),
        (rows.sequence, rows.sequences, "Sequence"),
    ]
    if rows.measurement is not None:
        factors.append((rows.measurement, rows.measurements, "Measurement"))
    for codes, labels, what in factors:
        counts = np.bincount(codes[analysed], minlength=len(labels))
        empty = [label for label, n in zip(labels, counts, strict=True) if n == 0]
        if empty:
            raise DataError(
                f"{what} {', '.join(map(repr, empty))} has no analysed row; leave its rows out of "
                "the data if it is not to be analysed."
            )


def _effects(
    rows: CrossoverRows,
    predictor: Predictor,
    baseline: FloatArray | None,
    analysed: BoolArray,
) -> tuple[dict[str, tuple[IntArray, tuple[object, ...]]], dict[str, FloatArray]]:
    """Factors (codes of all rows, and levels) and covariates of the model, in order."""
    factors: dict[str, tuple[IntArray, tuple[object, ...]]] = {
        "treatment": (rows.treatment, rows.treatments)
    }
    if predictor.period:
        factors["period"] = (rows.period, rows.periods)
    if predictor.subject_is_random and predictor.sequence and len(rows.sequences) > 1:
        factors["sequence"] = (rows.sequence, rows.sequences)
    if rows.measurement is not None:
        factors["measurement"] = (rows.measurement, rows.measurements)
    covariates: dict[str, FloatArray] = {} if baseline is None else {"baseline": baseline}
    if predictor.carryover is not False:
        covariates |= _carryover(rows, predictor.carryover, analysed)
    return factors, covariates


def _carryover(
    rows: CrossoverRows, carryover: Carryover, analysed: BoolArray
) -> dict[str, FloatArray]:
    """Indicators of the treatment before, against the reference (or no treatment) before.

    "self-mixed": apart for a treatment that follows itself and one that follows another.
    """
    before, _ = previous_treatments(rows)
    columns: dict[str, FloatArray] = {}
    for code in range(1, len(rows.treatments)):
        after = before == code
        if carryover is True:
            columns[f"carryover_{code}"] = after.astype(np.float64)
            continue
        same = after & (rows.treatment == code)
        columns[f"carryover_{code}"] = (after & ~same).astype(np.float64)
        columns[f"carryover_self_{code}"] = same.astype(np.float64)
    if carryover == "self-mixed":
        columns = {name: v for name, v in columns.items() if v[analysed].any()}
        if not any(name.startswith("carryover_self") for name in columns):
            raise DesignError(
                "carryover='self-mixed' needs a sequence in which a treatment follows itself; "
                f"the sequences are {', '.join(map(repr, rows.sequences))}. Use carryover=True."
            )
    return columns


def _spelt(name: str, rows: CrossoverRows) -> str:
    """A design column in words: `carryover_2` is the carryover of the third treatment."""
    for prefix, words in (("carryover_self_", "carryover-self"), ("carryover_", "carryover")):
        if name.startswith(prefix):
            return f"{words}[{rows.treatments[int(name.removeprefix(prefix))]}]"
    return name


def _term_columns(frame: ModelFrame) -> dict[str, tuple[int, ...]]:
    out: dict[str, tuple[int, ...]] = {}
    for term in frame.terms:
        name = term.name
        if name == "Intercept":
            continue
        if name.startswith("carryover"):
            name = "carryover-self" if name.startswith("carryover_self") else "carryover"
        own = tuple(range(*term.columns.indices(len(frame.columns))))
        out[name] = (*out.get(name, ()), *own)
    return {name: out[name] for name in sorted(out, key=_table_order)}


def _table_order(name: str) -> int:
    effects = ("sequence", "period", "treatment", "measurement")
    return (*effects, "baseline", "carryover", "carryover-self").index(name)


def _require_determined(model: CrossoverModel, predictor: Predictor) -> None:
    x = model.frame.matrix
    if predictor.subject_is_random:
        aliased = aliased_columns(x)
    else:
        aliased = np.concatenate([[False], within_aliased(x[:, 1:], model.subject)])
    if not aliased.any():
        return
    names = [n for n, out in zip(model.frame.columns, aliased, strict=True) if out]
    if any(name.startswith("carryover") for name in names):
        subjects = "" if predictor.subject_is_random else " within subjects"
        advice = (
            "in AB/BA it is the sequence effect under another name. Give sequence_effect=False to "
            "estimate it between subjects, and note that treatment then rests on period 1"
            if predictor.subject_is_random and predictor.sequence
            else "the design does not separate it"
        )
        raise DesignError(
            f"Carryover ({', '.join(names)}) is not determined{subjects} beside the other "
            f"effects: {advice}."
        )
    if any(name.startswith("measurement") for name in names):
        raise DesignError(
            f"The analysed rows do not determine {', '.join(names)} beside the other effects: the "
            "measurement's visit or day must be counted within its period, not over the trial."
        )
    raise DesignError(
        f"The analysed rows do not determine {', '.join(names)} beside the other effects; take an "
        "effect out (period_effect=False, sequence_effect=False), or check the sequences with "
        "trialkit.check()."
    )


def check_baseline(predictor: Predictor) -> None:
    """Raise SpecError for a use of the baseline without one."""
    if predictor.baseline is None and predictor.baseline_as != "covariate":
        raise SpecError(f"baseline_as={predictor.baseline_as!r} needs baseline=.")


def with_effects(method: str, predictor: Predictor) -> str:
    """The method's words, and after the first of them the effects that are not the usual ones."""
    said = []
    if not predictor.period:
        said.append("no period effect")
    if predictor.subject_is_random and not predictor.sequence:
        said.append("no sequence effect")
    if predictor.carryover is not False:
        kind = "first-order" if predictor.carryover is True else "self and mixed"
        said.append(f"{kind} carryover")
    if predictor.baseline is not None and predictor.baseline_as in BASELINE_WORDS:
        said.append(BASELINE_WORDS[predictor.baseline_as].format(predictor.baseline))
    first, *rest = method.split(", ")
    return ", ".join([first, *said, *rest])


def check_carryover(carryover: object) -> Carryover:
    """The carryover as True, False or "self-mixed"; SpecError for any other."""
    if isinstance(carryover, bool | np.bool_):
        return bool(carryover)
    # 1 and 0 equal True and False and are not they.
    if isinstance(carryover, str) and carryover == "self-mixed":
        return "self-mixed"
    raise SpecError(f"carryover={carryover!r} is not offered; allowed: False, True, self-mixed")
