"""The mixed model for repeated measures: arms compared at each visit of a trial.

A linear model for the mean, and a covariance of the visits within a subject, fitted by
restricted maximum likelihood. It uses every observed visit of every subject, and is valid where
dropout depends on what was observed (missing at random).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.mmrm_fit import MmrmFit
from trialkit.analyses.mmrm_inference import ContrastInference, inference
from trialkit.analyses.mmrm_options import (
    DfMethod,
    Options,
    PeriodCovariance,
    RobustKind,
    check_options,
)
from trialkit.analyses.mmrm_refusals import named_problem
from trialkit.analyses.mmrm_roles import Roles, read_roles
from trialkit.data.levels import arm_levels, period_levels, visit_levels
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.errors import ConvergenceError, DataError, SpecError
from trialkit.kernels.estimability import null_space
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.mmrm.basis import has_full_rank
from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.typing import BoolArray

__all__ = ["mmrm"]


def mmrm(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str | None = None,
    arm: str | None = None,
    reference: object = None,
    visit_order: str | Sequence[object] | None = None,
    period: str | None = None,
    period_order: str | Sequence[object] | None = None,
    period_covariance: PeriodCovariance | None = None,
    time: str | None = None,
    covariance: str = "unstructured",
    group: str | None = None,
    weights: str | None = None,
    method: Literal["reml", "ml"] = "reml",
    df: DfMethod | None = None,
    vcov: RobustKind | None = None,
    information: Literal["observed", "expected"] = "observed",
    drop_aliased: bool = False,
) -> MmrmFit:
    """Difference in adjusted mean outcome between arms at each visit, arm minus reference.

    `formula` is `outcome ~ terms` over a frame with one row a subject and visit
    ("CHG ~ BASE*AVISIT + TRT01P*AVISIT"). The order of visits is that of a numeric column, of a
    Categorical, or `visit_order` (labels, or a numeric column). Without `arm` the fit has
    coefficients, means by visit and term tests, and no contrasts of arms.

    `covariance` of the visits: unstructured, toeplitz, toeplitz-het, ar1, ar1-het,
    compound-symmetry, compound-symmetry-het, ante-dependence, ante-dependence-het,
    spatial-exponential (with `time`, a numeric column; variance times exp(-distance / range)),
    or R's short names. With `group` each of its levels has a covariance of its own; with
    `weights` (a column above zero) a subject's covariance is W^-1/2 Sigma W^-1/2. A structure
    is never replaced by another: where it cannot be estimated, ConvergenceError says why.

    **Crossover trials.** With `period` (ordered as visits are, or by `period_order`) a row is
    one subject at one visit of one period, `arm` is the treatment of that period, and a
    subject's covariance is the direct product A (x) B of a covariance A of the periods
    (`period_covariance`: "unstructured", the default, or "compound-symmetry") and the
    `covariance` B of the visits within one. B has no scale of its own, its first variance being
    one: SAS's TYPE=UN@AR(1), UN@CS, UN@UN and their like, with REPEATED period visit. Natural
    parameters are those of A and B, as SAS's; Sigma is linear in either but not in both, so the
    two Kenward-Rogers differ, also for UN@UN. The formula carries the effects of period and
    sequence ("AVAL ~ TRTA*AVISIT + APERIOD + SEQ"); a visit missed in a period, or a whole
    period, is missing at random. Without `visit`, a subject has one row a period, and the
    covariance is that of the periods: with compound symmetry that of a random subject whose
    variance may be below zero. Without `period` a subject has one arm, unless so many change
    theirs (a third) that the visits must be periods themselves; a note says so.

    `df`: "kenward-roger" (SAS DDFM=KR: second derivatives in natural parameters: variances and
    correlations, or the elements of Sigma where it is linear in them, as unstructured, toeplitz
    and compound symmetry are), "kenward-roger-linear" (DDFM=KR(LINEAR)), "satterthwaite" (Fai
    and Cornelius for several df), "between-within" (R mmrm's rule), "residual", "normal". The
    default is Kenward-Roger; with maximum likelihood or a robust `vcov` ("CR0", "CR2", "CR3"
    over subjects, with Bell-McCaffrey df) it is Satterthwaite, and Kenward-Roger is refused.
    R mmrm's "Kenward-Roger" takes second derivatives in parameters of its own and differs;
    its "Kenward-Roger-Linear" agrees. `information` of the covariance parameters: "observed"
    (SAS, R mmrm) or "expected" (pbkrtest).

    Rows with a missing value in any variable used are left out and counted; a subject
    contributes the visits that are left. That is valid if outcomes are missing at random, given
    the model and the outcomes seen: no data can test it (`reference_based` and `tipping_point`
    ask what follows if it fails). With `drop_aliased`, coefficients that the others determine
    are left out, as R's lm does; otherwise they raise.

    Raises SpecError for options that exclude each other; DataError for two rows of a subject at
    a visit, a subject with two arms (within a period), a visit without rows, aliased
    coefficients, and other data that do not support the model; ConvergenceError where the
    covariance cannot be estimated.

    References: Mallinckrodt et al. (2008), doi:10.1177/009286150804200402; Kenward & Roger
    (1997), doi:10.2307/2533558; Pustejovsky & Tipton (2018), doi:10.1080/07350015.2016.1247004.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> before = [6.1, 5.2, 7.3, 6.6, 5.9, 7.0]
    >>> after = [5.0, 5.1, 6.0, 4.9, 5.2, 6.4]
    >>> data = pd.DataFrame({
    ...     "USUBJID": list("abcdef") * 2,
    ...     "AVISITN": [0] * 6 + [12] * 6,
    ...     "AVAL": before + after,
    ... })
    >>> fit = tk.mmrm("AVAL ~ C(AVISITN)", data, subject="USUBJID", visit="AVISITN")
    >>> change = fit.coefficients().estimates[1]
    >>> difference = np.subtract(after, before)
    >>> se = difference.std(ddof=1) / np.sqrt(6)
    >>> round(change.df, 6), bool(np.isclose(change.se, se))
    (5.0, True)
    """
    options = check_options(
        covariance=covariance,
        method=method,
        df=df,
        vcov=vcov,
        information=information,
        time=time,
        visit=visit,
        period=period,
        period_covariance=period_covariance,
    )
    if (arm is None) != (reference is None):
        raise SpecError("arm= and reference= go together: give both, or neither.")
    visits = _visits(data, visit, visit_order)
    periods = _periods(data, period, period_order)
    columns = {
        "subject": subject,
        "visit": visit,
        "period": period,
        "group": group,
        "time": time,
        "weights": weights,
    }
    orders = {visit: visits, period: periods or []}
    frame = _model_frame(
        formula, data, columns=columns, orders=orders, arm=arm, reference=reference
    )
    roles = read_roles(
        data,
        frame,
        columns=columns,
        visits=visits,
        periods=periods,
        arm=arm,
        group_order=frame.factors[arm].levels if arm is not None and group == arm else None,
    )
    frame = replace(frame, notes=(*frame.notes, *roles.notes))
    aliased = _aliased(frame, drop_aliased)
    fit, tests = _fit(frame, aliased, roles=roles, options=options, columns=columns)
    return MmrmFit(
        model_frame=frame,
        arm_column=arm,
        reference=reference,
        columns_by_role=columns,
        roles=roles,
        options=options,
        aliased=aliased,
        null_space=null_space(frame.matrix) if aliased.any() else np.empty((aliased.size, 0)),
        marginal=fit,
        inference=tests,
        method=_method(formula, frame, aliased, _choices(options, columns)),
    )


def _model_frame(
    formula: str,
    data: pd.DataFrame,
    *,
    columns: Mapping[str, str | None],
    orders: Mapping[str | None, Sequence[object]],
    arm: str | None,
    reference: object,
) -> ModelFrame:
    levels: dict[str, Sequence[object]] = {}
    if arm is not None:
        levels[arm] = arm_levels(data, arm, reference)
    for name, order in orders.items():
        if name is not None and len(order) > 1 and _mentions(formula, name):
            levels[name] = order
    frame = build_model_frame(
        formula,
        data,
        levels=levels,
        every_level=[] if arm is None else [arm],
        subject=columns["subject"],
        complete=[name for name in columns.values() if name is not None],
    )
    if arm is not None and not any(arm in term.variables for term in frame.terms):
        raise SpecError(f"Formula {formula!r} has no term with the arm {arm!r}.")
    return frame


def _visits(
    data: pd.DataFrame, visit: str | None, order: str | Sequence[object] | None
) -> list[object]:
    if visit is not None:
        return visit_levels(data, visit, order)
    if order is not None:
        raise SpecError("visit_order= needs visit=, the column of visits.")
    return [None]


def _periods(
    data: pd.DataFrame, period: str | None, order: str | Sequence[object] | None
) -> list[object] | None:
    if period is None:
        if order is not None:
            raise SpecError("period_order= needs period=, the column of periods.")
        return None
    periods = period_levels(data, period, order)
    if not periods:
        raise DataError(
            f"Column {period!r} has no value in {len(data)} rows: there are no periods."
        )
    if len(periods) < 2:
        raise DataError(
            f"Column {period!r} has one period only, {periods[0]!r}; without others leave period= "
            "out."
        )
    return periods


def _choices(options: Options, columns: Mapping[str, str | None]) -> str:
    return options.phrase(
        group=columns["group"],
        weights=columns["weights"],
        visit=columns["visit"],
        period=columns["period"],
    )


def _mentions(formula: str, name: str) -> bool:
    """Whether the name stands in the formula, as a word of its own."""
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", formula) is not None


def _aliased(frame: ModelFrame, drop_aliased: bool) -> BoolArray:
    if has_full_rank(frame.matrix):
        return np.zeros(len(frame.columns), dtype=np.bool_)
    aliased = aliased_columns(frame.matrix)
    if aliased.any() and not drop_aliased:
        names = ", ".join(np.array(frame.columns)[aliased])
        raise DataError(
            f"{frame.formula!r} has coefficients that the others determine: {names}. Take a term "
            "out, merge levels that do not occur together, or give drop_aliased=True."
        )
    return aliased


def _fit(
    frame: ModelFrame,
    aliased: BoolArray,
    *,
    roles: Roles,
    options: Options,
    columns: Mapping[str, str | None],
) -> tuple[MarginalFit, ContrastInference]:
    if float(np.ptp(frame.response)) == 0:
        raise DataError(
            f"Outcome {frame.outcome!r} is {frame.response[0]:g} in all {frame.n} analysed rows."
        )
    x = frame.matrix[:, ~aliased] if aliased.any() else frame.matrix
    try:
        fit = fit_marginal(
            x,
            frame.response,
            layout=roles.layout,
            covariance=options.structure(roles.n_periods),
            reml=options.reml,
            weights=roles.weights,
        )
        tests = inference(
            fit,
            x,
            frame.response,
            options=options,
            layout=roles.layout,
            weights=roles.weights,
            intercept=_intercept(frame),
        )
    except ConvergenceError as problem:
        raise named_problem(problem, roles=roles, options=options, columns=columns) from None
    return fit, tests


def _intercept(frame: ModelFrame) -> int | None:
    return frame.columns.index("Intercept") if "Intercept" in frame.columns else None


def _method(formula: str, frame: ModelFrame, aliased: BoolArray, choices: str) -> str:
    names = [name for name, is_out in zip(frame.columns, aliased, strict=True) if is_out]
    without = f" without aliased {', '.join(names)}" if names else ""
    return f"MMRM {formula}{without}, {choices}"
