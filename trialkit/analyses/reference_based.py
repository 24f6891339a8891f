"""Reference-based imputation: the effect if those who left fared like the reference arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_events import DeltaKind, DeltaWhere, read_delta
from trialkit.analyses.imputation_problem import Problem, read_problem
from trialkit.analyses.imputation_responder import (
    read_responder,
    responder_column,
    responder_spread,
)
from trialkit.analyses.imputation_variance import Spread, VarianceKind
from trialkit.analyses.table_facade import ContrastsFacade
from trialkit.analyses.two_arms import contrast_label
from trialkit.errors import SpecError
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import check_alternative, check_level
from trialkit.typing import Alternative, FloatArray, MeanWeights, Scale

__all__ = ["ReferenceBased", "Strategy", "reference_based"]

Strategy = Literal["mar", "j2r", "cr", "cir", "lmcf"]
# The outcome as imputed, no part of it apart.
WHOLE = np.ones(1)
SEPARATED = (
    "the logistic regression has no maximum in some imputation: a combination of the analysis's "
    "terms has responders only, or none"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ReferenceBased(ContrastsFacade):
    """Effects and means after imputation; see `reference_based`.

    `contrasts` has keys `visit, contrast, strategy`, `lsmeans` keys `visit, arm, strategy`.
    `frame`, `where`, `adjust`, `to_ard` and `plot` are those of `contrasts`. `n_failed` counts,
    by strategy, the refits without an optimum; `coef` and `covariance` are those of the
    imputation model, by strategy.
    """

    contrasts: EstimateTable
    lsmeans: EstimateTable
    imputed: pd.DataFrame
    n_failed: Mapping[str, int]
    coef: Mapping[str, pd.Series]
    covariance: Mapping[str, pd.DataFrame | dict[object, pd.DataFrame]]


def reference_based(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    strategy: Strategy | Sequence[Strategy] = "j2r",
    events: pd.DataFrame | None = None,
    visit_order: str | Sequence[object] | None = None,
    covariance: str = "unstructured",
    group: str | None = None,
    method: Literal["reml", "ml"] = "reml",
    weights: MeanWeights = "counterfactual",
    delta: float | pd.DataFrame | None = None,
    delta_where: DeltaWhere = "after-event",
    delta_kind: DeltaKind = "additive",
    variance: VarianceKind = "jackknife",
    n_samples: int | None = None,
    analysis: str | None = None,
    responder: str | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    rng: np.random.Generator | int | None = None,
) -> ReferenceBased:
    """Difference in mean outcome between arms at each visit, all subjects' outcomes completed.

    `formula` is the imputation model, a mixed model for repeated measures as in `mmrm`
    ("CHG ~ BASE*AVISIT + TRT01P*AVISIT"); `covariance`, `method` and `group` (a covariance for
    each level, usually the arm's column) as there. What is missing is completed given what the
    subject has; after an intercurrent event its mean follows the `strategy`:

    - "mar": that of its own arm (missing at random, an assumption no data can test);
    - "j2r": jumps to the reference arm's;
    - "cr": is the reference arm's, as if it had never been treated otherwise, also at a gap
      before the event (R's rbmi likewise);
    - "cir": keeps its distance from the reference arm as it was before the event;
    - "lmcf": stays where its own arm's was before the event. This is not the last observation
      carried forward, which takes a measurement for its own future.

    `events`: a frame of subject, first affected visit and (optional) `strategy`, in the data's
    own column names. An event's own strategy goes before the one asked for. Gaps before the
    event (but for "cr"), and those of subjects without one, are missing at random. Without
    `events` it is the first visit after a subject's last observation. An outcome observed after
    an event is analysed as it is; unless the strategy is "mar" it does not inform the imputation
    model (R's rbmi likewise).

    `delta` is added to imputed outcomes before the analysis (with `delta_kind="multiplicative"`
    they are multiplied by it): a number for every arm and visit, or a frame of arm, visit,
    delta, in which arms and visits left out stay as they are. `delta_where`: "after-event"
    (SAS) or "all", gaps before the event included (rbmi's habit).

    `analysis` is fitted to the completed outcomes at each visit by least squares; without one,
    the arm and the imputation model's covariates that do not change within subjects. `weights`
    of the LS means as in `mmrm`. With `responder` ("CHG <= -2", "CHG <= -0.3 * BASE") the
    completed outcomes are cut into response, the same terms fitted by logistic regression, and
    the risks standardised over all subjects (variance by the delta method); the estimates are
    risk differences. That needs draws, `variance="rubin"`: whether a mean responds is not how
    often a patient does. `variance`:

    - "jackknife": imputation by conditional means, every subject left out once, normal
      reference (Wolbers et al. 2022): the variance over repeated trials. No randomness. Refits
      without an optimum are left out, counted in `n_failed`, and `se_bound` is the standard
      error were each as far out as the farthest; more than a tenth of them raises;
    - "bootstrap": the same means, `n_samples` (1000) samples of subjects within arms;
    - "rubin": `n_samples` (100) approximate-Bayesian draws (each from a bootstrap fit), Rubin's
      rules, Barnard-Rubin df. Under reference-based strategies it exceeds the variance over
      repeated trials: it holds the information lost to missing values where "mar" has it
      (Cro et al. 2019). `compare_variances` sets the two side by side.

    Keys `visit, contrast, strategy`; `.lsmeans` has the arms' means, `.imputed` the completed
    conditional means. `rng` (generator or seed) is needed where chance enters.

    Raises SpecError for choices that exclude each other; DataError for covariates with gaps,
    two rows at a visit, events of unknown subjects; ConvergenceError where the imputation model
    cannot be estimated.

    References: Carpenter, Roger & Kenward (2013), doi:10.1080/10543406.2013.834911;
    Wolbers et al. (2022), doi:10.1002/pst.2234; Cro, Carpenter & Kenward (2019),
    doi:10.1111/rssa.12423.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> rng = np.random.default_rng(1)
    >>> n, visits = 40, 3
    >>> arm = np.repeat(["Placebo", "Drug"], n // 2)
    >>> y = rng.normal(size=(n, visits)).cumsum(axis=1) - (arm == "Drug")[:, None] * [0, 1, 2]
    >>> y[[3, 8, 25, 31], 2] = y[[8, 31], 1] = np.nan
    >>> data = pd.DataFrame({
    ...     "USUBJID": np.repeat(np.arange(n), visits),
    ...     "TRT01P": np.repeat(arm, visits),
    ...     "AVISITN": np.tile([4, 8, 12], n),
    ...     "CHG": y.ravel(),
    ... })
    >>> result = tk.reference_based(
    ...     "CHG ~ TRT01P*C(AVISITN)", data, subject="USUBJID", visit="AVISITN", arm="TRT01P",
    ...     reference="Placebo", strategy=["mar", "j2r"],
    ... )
    >>> last = result.where(visit=12).frame()
    >>> bool(abs(last["estimate"][1]) < abs(last["estimate"][0]))
    True
    """
    check_level(ci_level)
    check_alternative(alternative)
    _check_responder(responder, variance, weights)
    problem = read_problem(
        formula,
        data,
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        strategy=strategy,
        events=events,
        visit_order=visit_order,
        covariance=covariance,
        group=group,
        method=method,
        weights=weights,
        variance=variance,
        n_samples=n_samples,
        analysis=analysis,
        rng=rng,
        further_columns=responder_column(responder),
    )
    change = read_delta(delta, problem.grid, problem.events, where=delta_where, kind=delta_kind)
    if responder is None:
        answers = {
            each: problem.spread(each, lambda filled: change.applied(filled)[..., None])
            for each in problem.strategies
        }
    else:
        rule = read_responder(responder, problem.grid)
        answers = {
            each: responder_spread(problem, each, rule, change.applied)
            for each in problem.strategies
        }
    tests = _Tests(
        ci_level=ci_level,
        alternative=alternative,
        null=null,
        delta=change.phrase,
        responder=responder or "",
    )
    return ReferenceBased(
        contrasts=_table(problem, answers, tests, is_contrast=True),
        lsmeans=_table(problem, answers, tests, is_contrast=False),
        imputed=_imputed(problem),
        n_failed={each: answer.n_failed for each, answer in answers.items()},
        coef={
            each: pd.Series(model.fit.coef, index=list(model.fit.columns))
            for each, model in problem.models.items()
        },
        covariance={each: model.fit.covariance for each, model in problem.models.items()},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    """How the rows of a table are tested, and the adjustment in words."""

    ci_level: float
    alternative: Alternative
    null: float
    delta: str
    responder: str


def _check_responder(responder: str | None, variance: str, weights: str) -> None:
    if responder is not None and variance != "rubin":
        raise SpecError(
            f"responder= needs variance='rubin', not {variance!r}, which imputes conditional "
            "means: whether the mean of a patient's outcomes responds is not how often they do. "
            "Response is counted in drawn outcomes."
        )
    if responder is not None and weights != "counterfactual":
        raise SpecError("responder= standardises over subjects: weights='counterfactual' only.")


def _rows(
    problem: Problem, *, is_contrast: bool, is_response: bool
) -> Iterator[tuple[int, str, Scale]]:
    """Position among the R rows of the spread, label and scale."""
    arms = problem.grid.arms
    if is_contrast:
        for k, arm in enumerate(arms[1:]):
            yield k, contrast_label(arm, arms[0]), "difference"
    else:
        for k, arm in enumerate(arms):
            yield len(arms) - 1 + k, str(arm), "probability" if is_response else "mean"


def _table(
    problem: Problem, answers: Mapping[str, Spread], tests: _Tests, *, is_contrast: bool
) -> EstimateTable:
    keys: dict[str, list[object]] = {
        "visit": [],
        ("contrast" if is_contrast else "arm"): [],
        "strategy": [],
    }
    estimates: list[Estimate] = []
    extras: list[dict[str, object]] = []
    for strategy, answer in answers.items():
        values, errors, df = answer.at(WHOLE)
        for at, label in enumerate(problem.grid.visits):
            for row, name, scale in _rows(
                problem, is_contrast=is_contrast, is_response=bool(tests.responder)
            ):
                for key, value in zip(keys.values(), (label, name, strategy), strict=True):
                    key.append(value)
                numbers = tuple(float(each[row, at]) for each in (values, errors, df))
                method = problem.method(strategy, tests.delta, tests.responder)
                estimates.append(
                    _estimate(numbers, name, scale, n=problem.grid.n, method=method, tests=tests)
                )
                extras.append(_extras(answer, row, at))
    return EstimateTable(
        estimates=tuple(estimates),
        keys={name: tuple(values) for name, values in keys.items()},
        extras={name: tuple(each[name] for each in extras) for name in extras[0]},
        variable=problem.grid.outcome,
        notes=(*problem.notes(), *_failures(answers)),
    )


def _estimate(
    numbers: tuple[float, ...], label: str, scale: Scale, *, n: int, method: str, tests: _Tests
) -> Estimate:
    """A row from its estimate, standard error and df; means are not tested against anything."""
    value, error, df = numbers
    if np.isnan(value):
        return Estimate.undefined(
            label=label, status=SEPARATED, n=n, method=method, ci_level=tests.ci_level, scale=scale
        )
    is_contrast = scale == "difference"
    return Estimate.from_t(
        label=label,
        estimate=value,
        se=error,
        df=df,
        n=n,
        method=method,
        ci_level=tests.ci_level,
        alternative=tests.alternative if is_contrast else "two-sided",
        null=tests.null if is_contrast else 0.0,
        scale=scale,
    )


def _extras(answer: Spread, row: int, at: int) -> dict[str, object]:
    common: dict[str, object] = {
        "n_failed": answer.n_failed,
        "se_bound": float(answer.bound_at(WHOLE)[row, at]),
    }
    if answer.within is None:
        return common
    within, between = (float(each[row, at]) for each in answer.components(WHOLE))
    extra = (1 + 1 / answer.n_copies) * between
    return {
        "within": within,
        "between": between,
        "riv": extra / within,
        "lambda": extra / (within + extra),
        "df_complete": answer.df_complete,
        "n_imputations": answer.n_copies,
        "n_failed": answer.n_failed,
    }


def _failures(answers: Mapping[str, Spread]) -> list[str]:
    return [
        f"{strategy}: {answer.n_failed} refits had no optimum and are left out."
        for strategy, answer in answers.items()
        if answer.n_failed
    ]


def _imputed(problem: Problem) -> pd.DataFrame:
    """Subject, visit, whether observed, and the completed outcome under each strategy."""
    grid = problem.grid
    columns = {
        grid.subject: grid.frame[grid.subject],
        grid.arm: grid.frame[grid.arm],
        grid.visit: grid.frame[grid.visit],
        "is_observed": grid.seen.ravel(),
    }
    means: dict[str, FloatArray] = {
        each: problem.conditional_means(each).ravel() for each in problem.strategies
    }
    return pd.DataFrame({**columns, **means})
