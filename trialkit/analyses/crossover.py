"""The linear model of a crossover trial, subjects random or fixed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.crossover_fit import CrossoverFit
from trialkit.analyses.crossover_inference import (
    CrossoverInference,
    containment_df,
    random_inference,
)
from trialkit.analyses.crossover_joint import check_joint, fit_joint
from trialkit.analyses.crossover_model import (
    BaselineUse,
    Carryover,
    CrossoverModel,
    Predictor,
    build_model,
    check_baseline,
    check_carryover,
)
from trialkit.analyses.crossover_rows import read_crossover
from trialkit.analyses.crossover_variance import Variances
from trialkit.errors import DataError, SpecError, TrialkitWarning
from trialkit.kernels.linear import WaldTest, f_tail
from trialkit.kernels.random_intercept import InterceptFit, fit_random_intercept
from trialkit.kernels.within_subject import WithinFit, between_within_sums, fit_within
from trialkit.typing import FloatArray

__all__ = ["BoundaryWarning", "CrossoverDf", "crossover"]

CrossoverDf = Literal["kenward-roger", "satterthwaite", "containment", "residual", "normal"]
DF_PHRASES = {
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite df",
    "containment": "containment df",
    "residual": "residual df",
    "normal": "normal reference",
}


class BoundaryWarning(TrialkitWarning):
    """The between-subject variance would be negative and is held at zero."""


def crossover(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    sequence: str,
    period: str,
    treatment: str,
    reference: object,
    subject_effect: Literal["random", "fixed"] = "random",
    period_effect: bool = True,
    sequence_effect: bool = True,
    carryover: Carryover = False,
    baseline: str | None = None,
    baseline_as: BaselineUse = "covariate",
    log: bool = False,
    variance_bound: bool = True,
    df: CrossoverDf | None = None,
    information: Literal["observed", "expected"] = "observed",
    complete_cases: bool = False,
    period_order: str | Sequence[object] | None = None,
) -> CrossoverFit:
    """Difference between treatments within subjects, each treatment minus the reference.

    `data` has one row a subject and period; any design: AB/BA, replicate (ABB/BAA, RTRT/TRTR),
    Balaam, Williams and other Latin squares, incomplete blocks, unequal sequences. The model is
    outcome = treatment + period + sequence [+ carryover] [+ baseline] + subject + error.

    **Subjects.** "random" (REML): the difference also uses comparisons between subjects, and a
    subject with one period contributes. The between-subject variance stays at or above zero
    (R's lme4, SAS PROC MIXED); `variance_bound=False` lets it go below, as a compound-symmetry
    covariance does. At the bound a BoundaryWarning is given, `notes` and `method` say so,
    Kenward-Roger keeps both variances (with the expected information, as R's pbkrtest), and
    Satterthwaite drops the between-subject one. "fixed": the analysis of variance, subjects as
    factor; sequence is then tested against subjects within sequences.

    **Degrees of freedom** of random subjects: "kenward-roger" (default), "satterthwaite",
    "containment" (SAS's, with random subject(sequence)), "residual", "normal" (naive z).
    `information`: "observed" (SAS, R's mmrm) or "expected" (R's pbkrtest) of the variances;
    they differ on incomplete data. Fixed subjects have residual df.

    **Carryover**: `True` adds the effect of the treatment of the period before, relative to the
    reference (or to nothing) before; "self-mixed" separates a treatment that follows itself.
    A diagnostic only. There is no "test carryover, then choose the analysis": that two-stage
    procedure has a type I error well above its level, because the carryover test and the
    first-period analysis it leads to are strongly correlated (Freeman 1989).

    **Baseline** of each period: "covariate" adds it as it is (with random subjects its slope
    mixes the relation between and within subjects); "within-subject" adds its deviation from
    the subject's mean (Kenward & Roger 2010); "change" subtracts it, and the note says at what
    loss. "joint" makes baselines responses beside the outcomes, with an unstructured covariance of
    all 2 p of them, a mean in each period, and no effect of treatment or sequence: subjects
    without some of their baselines or outcomes contribute what they have. In a complete AB/BA
    trial its estimate is that of the analysis of covariance of the outcomes' difference on
    sequence and both baselines (without the sequence effect: and on the outcomes' sum). Mehrotra
    (2014) compares such analyses, and recommends the difference of the baselines as covariate.

    **log**: the analysis of log(outcome) (and baseline); contrasts are ratios of geometric
    means and `variance()` has the within-subject coefficient of variation.

    Rows without outcome or baseline are left out and counted; the likelihood with random
    subjects is valid if they are missing at random. `complete_cases=True` keeps only subjects
    with every period. Raises DataError for rows that contradict a crossover (duplicates, two
    sequences), DesignError for effects the design cannot separate, SpecError for choices that
    do not go together.

    References: Hills & Armitage (1979), doi:10.1111/j.1365-2125.1979.tb05903.x;
    Freeman (1989), doi:10.1002/sim.4780081202; Kenward & Roger (1997), doi:10.2307/2533558;
    Kenward & Roger (2010), doi:10.1093/biostatistics/kxp046; Mehrotra (2014),
    doi:10.1002/pst.1638.

    Example
    -------
    >>> import pandas as pd
    >>> data = pd.DataFrame({
    ...     "ID": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
    ...     "SEQ": ["AB"] * 6 + ["BA"] * 6,
    ...     "PERIOD": [1, 2] * 6,
    ...     "TRT": ["Placebo", "LDN"] * 3 + ["LDN", "Placebo"] * 3,
    ...     "PAIN": [6.0, 4.5, 7.0, 6.5, 5.0, 3.0, 4.0, 5.5, 6.0, 6.5, 5.5, 7.0],
    ... })
    >>> fit = crossover(data, outcome="PAIN", subject="ID", sequence="SEQ", period="PERIOD",
    ...                 treatment="TRT", reference="Placebo")
    >>> row = fit.contrasts().single()
    >>> row.label, round(row.estimate, 3), round(row.se, 3), round(row.df, 3)
    ('LDN - Placebo', -1.25, 0.276, 4.0)
    """
    check_choice("subject_effect", subject_effect, ("random", "fixed"))
    check_choice("baseline_as", baseline_as, ("covariate", "within-subject", "change", "joint"))
    check_choice("information", information, ("observed", "expected"))
    check_carryover(carryover)
    if df is not None:
        check_choice("df", df, DF_PHRASES)
    is_random = subject_effect == "random"
    if not is_random:
        _refuse_random_choices(df, variance_bound, information)
    predictor = Predictor(
        subject_is_random=is_random,
        period=period_effect,
        sequence=sequence_effect,
        carryover=carryover,
        baseline=baseline,
        baseline_as=baseline_as,
        log=log,
        complete_cases=complete_cases,
    )
    check_baseline(predictor)
    if baseline_as == "joint":
        check_joint(predictor, df, variance_bound=variance_bound)
    rows = read_crossover(
        data,
        outcome=outcome,
        subject=subject,
        sequence=sequence,
        period=period,
        treatment=treatment,
        reference=reference,
        period_order=period_order,
    )
    if baseline_as == "joint":
        is_expected = information == "expected"
        return fit_joint(data, rows, predictor, df=df or "kenward-roger", is_expected=is_expected)
    model = build_model(data, rows, predictor)
    index = data.index[model.analysed]
    if is_random:
        return _random(
            model,
            index,
            df=df or "kenward-roger",
            is_expected=information == "expected",
            bounded=variance_bound,
            log=log,
        )
    return _fixed(model, index, log=log, sequence_effect=sequence_effect)


def _refuse_random_choices(df: str | None, variance_bound: bool, information: str) -> None:
    if df not in (None, "residual"):
        raise SpecError(f"df={df!r} is for random subjects; fixed subjects have residual df.")
    if not variance_bound or information != "observed":
        raise SpecError(
            "variance_bound= and information= are for random subjects; subject_effect='fixed' has "
            "neither."
        )


def _random(
    model: CrossoverModel,
    index: pd.Index,
    *,
    df: str,
    is_expected: bool,
    bounded: bool,
    log: bool,
) -> CrossoverFit:
    x, y = model.frame.matrix, model.frame.response
    _require_variation(model)
    fit = fit_random_intercept(x, y, model.subject, bounded=bounded)
    inference = random_inference(fit, df, expected=is_expected, plain_df=_plain_df(df, model))
    method = _random_method(fit, df, is_expected, bounded, log)
    return CrossoverFit(
        model=_with_bound_note(model, fit),
        inference=inference,
        variances=_random_variances(fit, is_expected, log, len(model.subjects)),
        method=method,
        residual=np.asarray(y - x @ fit.coef),
        index=index,
        deviance=fit.deviance,
        is_at_bound=fit.is_at_bound,
        extra_tests={},
    )


def _plain_df(df: str, model: CrossoverModel) -> Callable[[FloatArray], FloatArray]:
    x = model.frame.matrix
    n_rows, n_columns = x.shape
    if df == "containment":
        between = np.array(
            [
                name == "Intercept" or position in model.term_columns.get("sequence", ())
                for position, name in enumerate(model.frame.columns)
            ]
        )
        n_between = int(between.sum())
        n_subjects = len(model.subjects)
        return containment_df(
            between,
            df_between=float(n_subjects - n_between),
            df_within=float(n_rows - n_subjects - (n_columns - n_between)),
        )
    value = np.inf if df == "normal" else float(n_rows - n_columns)
    return lambda rows: np.full(rows.shape[0], value)


def _require_variation(model: CrossoverModel) -> None:
    y = model.frame.response
    if np.ptp(y) == 0:
        raise DataError(
            f"Outcome {model.frame.outcome!r} is {y[0]:g} in all {y.size} analysed rows: no "
            "standard error."
        )


def _random_method(fit: InterceptFit, df: str, is_expected: bool, bounded: bool, log: bool) -> str:
    parts = ["crossover of log outcome" if log else "crossover", "random subject (REML)"]
    if not bounded:
        parts.append("between-subject variance unbounded")
    phrase = DF_PHRASES[df]
    if df in ("kenward-roger", "satterthwaite"):
        kind = "expected" if is_expected or fit.is_at_bound else "observed"
        phrase += f" ({kind} information)"
    if fit.is_at_bound:
        kept = {"kenward-roger": ", which is kept", "satterthwaite": ", which is dropped"}
        phrase += f"; between-subject variance at its bound of zero{kept.get(df, '')}"
    return ", ".join([*parts, phrase])


def _with_bound_note(model: CrossoverModel, fit: InterceptFit) -> CrossoverModel:
    if not fit.is_at_bound:
        return model
    message = (
        "The between-subject variance is at its bound of zero: subjects' periods agree no more "
        "than periods of different subjects. variance_bound=False lets it go below."
    )
    warnings.warn(message, BoundaryWarning, stacklevel=4)
    frame = replace(model.frame, notes=(*model.frame.notes, message))
    return replace(model, frame=frame)


def _random_variances(
    fit: InterceptFit, is_expected: bool, log: bool, n_subjects: int
) -> Variances:
    scale = fit.basis.scale**2
    known = fit.small_sample(expected=is_expected or fit.is_at_bound)
    if fit.is_at_bound:
        known = known.without(0)
    spread = np.diagonal(known.weights) * scale**2
    return Variances(
        within=fit.within,
        within_se=float(np.sqrt(spread[-1])),
        within_df=2 * fit.within**2 / float(spread[-1]),
        between=fit.between,
        between_se=None if fit.is_at_bound else float(np.sqrt(spread[0])),
        log=log,
        n=n_subjects,
        method="REML, random subject",
    )


def _fixed(
    model: CrossoverModel, index: pd.Index, *, log: bool, sequence_effect: bool
) -> CrossoverFit:
    x, y = model.frame.matrix, model.frame.response
    _require_variation(model)
    n_subjects, n_slopes = len(model.subjects), x.shape[1] - 1
    if y.size - n_subjects - n_slopes <= 0:
        raise DataError(
            f"{y.size} analysed rows of {n_subjects} subjects leave no residual degree of freedom "
            f"beside {n_slopes} effects."
        )
    fit = fit_within(x, y, model.subject)
    df = float(fit.df_residual)
    inference = CrossoverInference(
        coef=fit.coef, vcov=fit.vcov, single_df=lambda rows: np.full(rows.shape[0], df)
    )
    return CrossoverFit(
        model=model,
        inference=inference,
        variances=Variances(
            within=fit.mse,
            within_se=fit.mse * float(np.sqrt(2 / df)),
            within_df=df,
            between=None,
            between_se=None,
            log=log,
            n=n_subjects,
            method="mean square within subjects",
        ),
        method=f"crossover{' of log outcome' if log else ''}, fixed subject, residual df",
        residual=fit.residuals,
        index=index,
        deviance=None,
        is_at_bound=False,
        extra_tests=_subject_tests(model, fit, sequence_effect),
    )


def _subject_tests(
    model: CrossoverModel, fit: WithinFit, sequence_effect: bool
) -> dict[str, tuple[WaldTest, float]]:
    """Subjects against the residual, and sequences against subjects within them."""
    tests = {"subject": _ratio(fit.subject_sum_sq, fit.subject_df, fit.mse, fit.df_residual)}
    _, group = np.unique(model.sequence, return_inverse=True)
    if sequence_effect and group.max() > 0:
        sum_sq, num_df, error, den_df = between_within_sums(
            model.frame.response, model.subject, group.astype(np.int64)
        )
        if den_df > 0:
            tests = {"sequence": _ratio(sum_sq, num_df, error / den_df, den_df), **tests}
    return tests


def _ratio(sum_sq: float, num_df: int, mean_square: float, den_df: int) -> tuple[WaldTest, float]:
    statistic = sum_sq / num_df / mean_square
    p_value = f_tail(statistic, num_df, den_df)
    return (
        WaldTest(statistic=statistic, num_df=num_df, den_df=den_df, p_value=p_value),
        sum_sq,
    )
