"""What goes with leaving the trial: arm, baseline, and the last observed outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.cox_table import log_ratio_rows
from trialkit.analyses.event_times import (
    event_flags,
    names_of,
    regression_frame,
    require_reference,
)
from trialkit.analyses.visit_matrix import VisitMatrix, visit_matrix
from trialkit.data.model_frame import ModelFrame
from trialkit.data.names import require_columns
from trialkit.data.vectors import require_frame, require_one_row_each
from trialkit.errors import DataError, SpecError
from trialkit.kernels.logistic import logistic_fit
from trialkit.results import EstimateTable, check_level

__all__ = ["DropoutTable", "predict_dropout"]

# The response of the person-visit frame, and its visit.
LEFT = "left_after_visit"
CAVEAT = (
    "A ratio away from one speaks against missing completely at random. None of them can show "
    "that data are missing at random: that depends on outcomes nobody saw."
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DropoutTable(EstimateTable):
    """Odds ratios of leaving, key `term`, intercept included; with the fit's likelihood."""

    log_likelihood: float
    n_event: int

    @property
    def deviance(self) -> float:
        """Minus twice the log likelihood."""
        return -2 * self.log_likelihood


def predict_dropout(
    data: pd.DataFrame,
    *,
    arm: str,
    reference: object,
    covariates: str | Sequence[str] = (),
    subject: str | None = None,
    event: str | None = None,
    outcome: str | None = None,
    visit: str | None = None,
    visit_order: str | Sequence[object] | None = None,
    trend: Literal["factor", "linear"] = "factor",
    ci_level: float = 0.95,
) -> DropoutTable:
    """Odds ratios of leaving the trial, by arm, baseline covariates and last observed outcome.

    Two forms. With `outcome`, `visit` and `subject` (long data): the discrete-time hazard, a
    logistic regression over every visit a subject was still to be seen after: did it leave
    then, given the visit, the arm, `covariates` (of the subject's first row) and the outcome
    last observed up to that visit ("last_AVAL")? Leaving means that no later visit is observed;
    visits missed before a later one do not count. `trend="linear"` takes visits as 1, 2, ...
    instead of a level each. With `event` (one row a subject): a logistic regression of the flag
    on arm and covariates. A covariate may be a term such as "TRT01P:last_AVAL", to ask whether
    the arms leave for different reasons.

    Key: term; `scale` is "ratio". Normal reference (Wald). Subjects without any outcome are
    excluded and counted. A ratio away from one speaks against missing completely at random; that
    outcomes are missing at random no model of dropout can show, and the `notes` say so. Raises
    SpecError for anything but one of the two forms; ConvergenceError where a visit or level has
    nobody (or everybody) leaving.

    References: Allison (1982) Sociol Methodol 13:61-98, doi:10.2307/270718; Ridout (1991)
    Biometrics 47:1617-1621.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({"ARM": ["P"] * 10 + ["D"] * 10, "DISC": [1] * 2 + [0] * 8
    ...                      + [1] * 5 + [0] * 5})
    >>> table = predict_dropout(data, arm="ARM", reference="P", event="DISC")
    >>> round(table.where(term="ARM[T.D]").single().estimate, 4)
    4.0
    """
    check_level(ci_level)
    check_choice("trend", trend, ("factor", "linear"))
    frame = require_frame(data)
    require_reference(reference, arm)
    terms = names_of(covariates)
    if event is not None:
        if outcome is not None or visit is not None or visit_order is not None:
            raise SpecError("Give event= (one row a subject), or outcome= and visit=, not both.")
        return _by_subject(frame, arm, reference, terms, subject, event, ci_level)
    if outcome is None or visit is None or subject is None:
        raise SpecError("Give event= (one row a subject), or outcome=, visit= and subject=.")
    matrix = visit_matrix(
        frame,
        outcome=outcome,
        subject=subject,
        visit=visit,
        visit_order=visit_order,
        arm=arm,
        reference=reference,
    )
    long, note = _person_visits(frame, matrix, arm, outcome, terms, trend)
    steps = [] if len(matrix.visits) == 2 else ["visit"]
    model = regression_frame(
        long,
        outcome=LEFT,
        arm=arm,
        reference=reference,
        covariates=[*steps, f"last_{outcome}", *terms],
    )
    return _table(
        model,
        model.response == 1,
        outcome,
        ci_level,
        f"discrete-time logistic hazard of dropout, visits {trend}",
        (*note, CAVEAT),
    )


def _by_subject(
    frame: pd.DataFrame,
    arm: str,
    reference: object,
    terms: tuple[str, ...],
    subject: str | None,
    event: str,
    ci_level: float,
) -> DropoutTable:
    if subject is not None:
        require_one_row_each(frame, subject)
    flags, known = event_flags(frame, event)
    lost = int((~known).sum())
    kept = frame.loc[known].assign(**{LEFT: flags[known].astype(np.float64)})
    model = regression_frame(kept, outcome=LEFT, arm=arm, reference=reference, covariates=terms)
    notes = (*((f"{lost} rows excluded, {event} missing.",) if lost else ()), CAVEAT)
    return _table(
        model, model.response == 1, event, ci_level, "logistic regression of dropout", notes
    )


def _table(
    model: ModelFrame,
    left: np.ndarray,
    variable: str,
    ci_level: float,
    method: str,
    notes: tuple[str, ...],
) -> DropoutTable:
    n_event = int(left.sum())
    if n_event in (0, model.n):
        raise DataError(
            f"{n_event} of {model.n} analysed rows are dropout: there is nothing to tell apart."
        )
    fit = logistic_fit(x=np.asarray(model.matrix), event=left, names=list(model.columns))
    return DropoutTable(
        estimates=log_ratio_rows(
            model.columns,
            fit.coef,
            np.sqrt(np.diag(fit.vcov)),
            n=model.n,
            method=method,
            ci_level=ci_level,
        ),
        keys={"term": model.columns},
        variable=variable,
        notes=(*model.notes, *notes),
        log_likelihood=fit.log_likelihood,
        n_event=n_event,
    )


def _person_visits(
    frame: pd.DataFrame,
    matrix: VisitMatrix,
    arm: str,
    outcome: str,
    terms: tuple[str, ...],
    trend: str,
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row for each subject and visit after which it could still leave."""
    present = [
        name
        for name in frame.columns
        if name != arm and any(_mentions(term, str(name)) for term in terms)
    ]
    require_columns(frame, present)
    last_name = f"last_{outcome}"
    for name in (LEFT, last_name, "visit"):
        if name in present or name == arm:
            raise SpecError(f"Column {name!r} has the name of a part of the model; rename it.")
    carried = np.full(len(matrix.subjects), np.nan)
    parts = []
    for place in range(len(matrix.visits) - 1):
        carried = np.where(matrix.seen[:, place], matrix.values[:, place], carried)
        at_risk = (matrix.last >= place) & ~np.isnan(carried)
        part = frame.iloc[matrix.first_row[at_risk]][[arm, *present]].reset_index(drop=True)
        step = float(place + 1) if trend == "linear" else str(matrix.visits[place])
        part = part.assign(
            **{
                LEFT: (matrix.last[at_risk] == place).astype(np.float64),
                last_name: carried[at_risk],
                "visit": step,
            }
        )
        parts.append(part)
    long = pd.concat(parts, ignore_index=True)
    if trend == "factor":
        labels = [str(label) for label in matrix.visits[:-1]]
        long["visit"] = pd.Categorical(long["visit"], categories=labels)
    never = int(np.sum(matrix.last < 0))
    note = (f"{never} subject(s) without any outcome excluded.",) if never else ()
    return long, note


def _mentions(term: str, column: str) -> bool:
    from trialkit.data.grammar import formula_columns

    if term == column:
        return True
    try:
        return column in formula_columns(f"y ~ {term}")
    except SpecError:
        return False
