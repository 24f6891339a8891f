"""Baselines and outcomes of a crossover's periods as one response of every subject.

With p periods a subject has 2 p responses: a baseline and an outcome in each. Their covariance is
unstructured. Baselines have a mean in each period and no other effect, so that they inform the
comparison of treatments through their covariance with the outcomes alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_fit import CrossoverFit
from trialkit.analyses.crossover_frame import MainEffects
from trialkit.analyses.crossover_inference import CrossoverInference
from trialkit.analyses.crossover_model import CrossoverModel, Predictor, build_model
from trialkit.analyses.crossover_rows import CrossoverRows, periods_seen
from trialkit.analyses.crossover_variance import WITHIN, Variances
from trialkit.analyses.mmrm_inference import inference
from trialkit.analyses.mmrm_options import DF_PHRASES, check_options
from trialkit.data.vectors import number_vector, on_scale
from trialkit.errors import ConvergenceError, DataError, SpecError
from trialkit.kernels.mmrm.diagnosis import CovarianceProblem
from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.layout import Layout, layout
from trialkit.results import EstimateTable
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["JointCrossoverFit", "check_joint", "fit_joint"]

MEASURES = ("baseline", "outcome")
OFFERED_DF = ("kenward-roger", "satterthwaite", "normal")
# Subjects a response below which Kenward-Roger's type I error is seen to leave its level.
FEW_SUBJECTS = 5
JOINT_NOTE = (
    "Baselines are responses with a mean of their own in each period, the same under every "
    "treatment and in every sequence: a treatment must not reach into a later baseline."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class JointCrossoverFit(CrossoverFit):
    """A crossover whose baselines are responses; see `crossover` with `baseline_as="joint"`.

    `n` and `n_subjects` count subjects with an outcome or a baseline; `n_observations` the
    outcomes, `n_baselines` the baselines. Tables and figures are those of the outcomes.
    """

    marginal: MarginalFit
    baselines: BoolArray

    @property
    def n_baselines(self) -> int:
        """Number of baselines analysed."""
        return int(self.baselines.sum())

    @property
    def covariance(self) -> pd.DataFrame:
        """Covariance of the baselines and outcomes, (period, measure) by (period, measure).

        On the scale of analysis.
        """
        places = pd.MultiIndex.from_product(
            [self.model.rows.periods, MEASURES], names=["period", "measure"]
        )
        return pd.DataFrame(self.marginal.sigma[0][0], index=places, columns=places)

    def contributions(self) -> pd.DataFrame:
        """Analysed periods of every subject, and in `baselines` those with a baseline."""
        rows = self.model.rows
        seen = periods_seen(rows, self.baselines)
        return CrossoverFit.contributions(self).assign(
            baselines=[
                ", ".join(str(p) for p, s in zip(rows.periods, row, strict=True) if s)
                for row in seen
            ]
        )

    def variance(self, *, ci_level: float = 0.95) -> EstimateTable:  # noqa: ARG002  not used
        """Refused: every period has a variance of its own, in `covariance`."""
        raise SpecError(
            "variance() is not defined for baseline_as='joint': an unstructured covariance has no "
            "one variance within and between subjects. See .covariance."
        )

    def _summary(self) -> str:
        rows = self.model.rows
        return (
            f"{self.method}\n"
            f"{self.n_subjects} subjects, {self.n_observations} outcomes and {self.n_baselines} "
            f"baselines; sequences {', '.join(map(str, rows.sequences))}"
        )


class OutcomeEffects(MainEffects):
    """The effects on the outcomes; the baselines' means are columns after them, zero here."""

    __slots__ = ()

    def rows_for(self, grid: pd.DataFrame) -> FloatArray:
        """Design rows L (m, P) of outcomes."""
        own = MainEffects.rows_for(self, grid)
        return np.pad(own, ((0, 0), (0, len(self.columns) - own.shape[1])))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stacked:
    """Outcomes, then baselines (n,): design (n, P), values, subject codes and layout."""

    x: FloatArray
    y: FloatArray
    subject: IntArray
    layout: Layout


def check_joint(predictor: Predictor, df: str | None, *, variance_bound: bool) -> None:
    """Raise SpecError for choices that a joint model of the baselines does not have."""
    why = "baseline_as='joint'"
    if not predictor.subject_is_random:
        raise SpecError(f"{why} has an unstructured covariance; it needs subject_effect='random'.")
    if not variance_bound:
        raise SpecError(f"variance_bound= does not apply to {why}: its covariance is unstructured.")
    if not predictor.period:
        raise SpecError(f"{why} has a mean in every period; period_effect=False does not apply.")
    if predictor.carryover is not False:
        raise SpecError(
            f"carryover= does not go with {why}: a treatment that reaches into the next period "
            "reaches its baseline too, and how is not known."
        )
    if df is not None and df not in OFFERED_DF:
        raise SpecError(f"df={df!r} is not defined for {why}; allowed: {', '.join(OFFERED_DF)}.")


def fit_joint(
    data: pd.DataFrame, rows: CrossoverRows, predictor: Predictor, *, df: str, is_expected: bool
) -> JointCrossoverFit:
    """Fit baselines and outcomes of the analysed rows of `data`.

    Raises DataError where a period has no baseline, ConvergenceError where the covariance is
    not determined (baselines that repeat each other, too few subjects).
    """
    name = str(predictor.baseline)
    baseline = on_scale(number_vector(data, name), name, predictor.log)
    rows, baseline = _kept(rows, baseline, predictor)
    _require_baselines(rows, baseline, name)
    outcomes = replace(predictor, baseline=None, baseline_as="covariate", complete_cases=False)
    model = build_model(data, rows, outcomes)
    stacked = _stack(model, baseline)
    model = _joint_model(model, stacked, baseline, predictor)
    options = check_options(
        covariance="unstructured",
        method="reml",
        df=df,
        vcov=None,
        information="expected" if is_expected else "observed",
        time=None,
    )
    try:
        fit = fit_marginal(stacked.x, stacked.y, layout=stacked.layout)
        tests = inference(
            fit,
            stacked.x,
            stacked.y,
            options=options,
            layout=stacked.layout,
            weights=None,
            intercept=None,
        )
    except ConvergenceError as problem:
        raise _named(problem, rows, len(model.subjects)) from None
    n_outcomes = model.frame.n
    return JointCrossoverFit(
        model=model,
        inference=CrossoverInference(
            coef=fit.coef,
            vcov=tests.vcov,
            single_df=tests.single_df,
            is_satterthwaite=df == "satterthwaite",
            kenward_roger=tests.f_test if df == "kenward-roger" else None,
        ),
        variances=_no_variances(len(model.subjects), predictor.log),
        method=_method(len(rows.periods), df, is_expected, predictor.log),
        residual=(stacked.y - stacked.x @ fit.coef)[:n_outcomes],
        index=data.index[model.analysed],
        deviance=fit.deviance,
        is_at_bound=False,
        extra_tests={},
        marginal=fit,
        baselines=~np.isnan(baseline),
    )


def _kept(
    rows: CrossoverRows, baseline: FloatArray, predictor: Predictor
) -> tuple[CrossoverRows, FloatArray]:
    """Everything, or only subjects with every outcome and baseline."""
    if not predictor.complete_cases:
        return rows, baseline
    both = periods_seen(rows, rows.observed) & periods_seen(rows, ~np.isnan(baseline))
    keep = np.asarray(both.all(axis=1))[rows.subject]
    kept = replace(rows, values=np.where(keep, rows.values, np.nan))
    return kept, np.where(keep, baseline, np.nan)


def _require_baselines(rows: CrossoverRows, baseline: FloatArray, name: str) -> None:
    counts = np.bincount(rows.period[~np.isnan(baseline)], minlength=len(rows.periods))
    empty = [label for label, n in zip(rows.periods, counts, strict=True) if n == 0]
    if empty:
        raise DataError(
            f"No subject has {name!r} in period {', '.join(map(repr, empty))}; a joint model needs "
            "the baselines of every period."
        )


def _stack(model: CrossoverModel, baseline: FloatArray) -> _Stacked:
    rows, known = model.rows, ~np.isnan(baseline)
    means = np.eye(len(rows.periods))[rows.period[known]]
    effects = model.frame.matrix
    x = np.block(
        [
            [effects, np.zeros((effects.shape[0], means.shape[1]))],
            [np.zeros((means.shape[0], effects.shape[1])), means],
        ]
    )
    who, _ = pd.factorize(np.concatenate([rows.subject[model.analysed], rows.subject[known]]))
    cell = np.concatenate([2 * model.period + 1, 2 * rows.period[known]])
    subject = who.astype(np.int64)
    return _Stacked(
        x=x,
        y=np.concatenate([model.frame.response, baseline[known]]),
        subject=subject,
        layout=layout(subject=subject, visit=cell, n_visits=2 * len(rows.periods)),
    )


def _joint_model(
    model: CrossoverModel, stacked: _Stacked, baseline: FloatArray, predictor: Predictor
) -> CrossoverModel:
    """The model of the outcomes, with the columns and subjects of both."""
    rows, frame = model.rows, model.frame
    known = ~np.isnan(baseline)
    either = np.concatenate([rows.subject[model.analysed], rows.subject[known]])
    complete = " Complete cases only, as asked." if predictor.complete_cases else ""
    given = {field.name: getattr(frame, field.name) for field in fields(frame)}
    given |= {
        "matrix": stacked.x[: frame.n],
        "columns": (*frame.columns, *(f"baseline[{label}]" for label in rows.periods)),
        "notes": (
            _contributions(rows, model.analysed, known) + complete,
            JOINT_NOTE,
            *_few(len(pd.unique(either)), 2 * len(rows.periods)),
            *frame.notes[1:],
        ),
    }
    return replace(
        model,
        frame=OutcomeEffects(**given),
        subject=stacked.subject[: frame.n],
        subjects=tuple(rows.subjects[code] for code in pd.unique(either)),
    )


def _contributions(rows: CrossoverRows, outcomes: BoolArray, baselines: BoolArray) -> str:
    n_outcomes = periods_seen(rows, outcomes).sum(axis=1)
    n_baselines = periods_seen(rows, baselines).sum(axis=1)
    p = len(rows.periods)
    kinds = {
        f"all {p} outcomes and baselines": (n_outcomes == p) & (n_baselines == p),
        f"all {p} outcomes and fewer baselines": (n_outcomes == p) & (n_baselines < p),
        "fewer outcomes": (n_outcomes > 0) & (n_outcomes < p),
        "baselines only": (n_outcomes == 0) & (n_baselines > 0),
        "neither": (n_outcomes == 0) & (n_baselines == 0),
    }
    counted = ", ".join(f"{int(n.sum())} with {kind}" for kind, n in kinds.items() if n.any())
    return (
        f"{int(outcomes.sum())} outcomes and {int(baselines.sum())} baselines analysed, of "
        f"{int(((n_outcomes > 0) | (n_baselines > 0)).sum())} subjects: {counted}."
    )


def _few(n_subjects: int, n_responses: int) -> tuple[str, ...]:
    if n_subjects >= FEW_SUBJECTS * n_responses:
        return ()
    return (
        f"{n_subjects} subjects are few for an unstructured covariance of {n_responses} responses: "
        "intervals and p-values are approximate, and rather too small than too large.",
    )


def _named(problem: ConvergenceError, rows: CrossoverRows, n: int) -> ConvergenceError:
    """The kernels' refusal in the names of the data."""
    places = [f"{measure} of period {label!r}" for label in rows.periods for measure in MEASURES]
    reason = str(problem)
    if isinstance(problem, CovarianceProblem):
        listed = ", ".join(places[code] for code in problem.visits)
        reason = (
            f"nothing varies in a combination of {listed} ({problem.n_together} subjects have "
            "them all)."
            if problem.reason == "singular"
            else f"no subject has {' and '.join(places[code] for code in problem.visits)}."
        )
    return ConvergenceError(
        f"The unstructured covariance of {len(places)} baselines and outcomes is not determined by "
        f"{n} subjects: {reason} One baseline repeated in every period is no baseline of the "
        "periods. baseline_as='within-subject' needs less of the data."
    )


def _method(n_periods: int, df: str, is_expected: bool, log: bool) -> str:
    what = "log outcome and baseline" if log else "outcome and baseline"
    phrase = DF_PHRASES[df]
    if df != "normal":
        phrase += f" ({'expected' if is_expected else 'observed'} information)"
    covariance = "unstructured covariance, REML"
    return f"crossover, {what} of {n_periods} periods jointly ({covariance}), {phrase}"


def _no_variances(n: int, log: bool) -> Variances:
    """One variance within subjects does not exist here: every figure of it is missing."""
    return Variances(
        theta={WITHIN: np.nan},
        spread={},
        treatments=(),
        log=log,
        n=n,
        method="unstructured covariance",
    )
