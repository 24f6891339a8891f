"""Two-period crossover with participants who leave before period two, imputed by strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_problem import PHRASES, check_strategies
from trialkit.analyses.mmrm import mmrm
from trialkit.analyses.reference_based import Strategy
from trialkit.analyses.table_facade import ContrastsFacade
from trialkit.analyses.two_arms import contrast_label
from trialkit.data.levels import arm_levels, visit_levels
from trialkit.data.names import require_columns
from trialkit.data.vectors import label_codes, number_vector, require_frame
from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.completion import Incomplete
from trialkit.kernels.jackknife import jackknife_variance
from trialkit.kernels.mmrm.refit import leave_one_out
from trialkit.kernels.mmrm.subject_rows import padded_rows
from trialkit.kernels.reference_means import cells, mean_rows
from trialkit.kernels.weighted_ancova import fit_parts
from trialkit.results import Estimate, EstimateTable
from trialkit.results.estimate import check_alternative, check_level
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = ["CrossoverImputed", "crossover_reference_based"]

N_PERIODS = 2
# Beyond this share of refits without an optimum, what is left is not the jackknife.
MAX_FAILED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CrossoverImputed(ContrastsFacade):
    """The treatment effect by strategy, and the completed outcomes; keys `contrast, strategy`."""

    contrasts: EstimateTable
    imputed: pd.DataFrame


def crossover_reference_based(
    data: pd.DataFrame,
    *,
    outcome: str,
    subject: str,
    period: str,
    treatment: str,
    reference: object,
    strategy: Strategy | Sequence[Strategy] = "j2r",
    period_order: str | Sequence[object] | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> CrossoverImputed:
    """Difference in mean outcome between two treatments, each given in one of two periods.

    One row a participant and period, also for a period whose outcome is missing: its row says
    which treatment was planned. Means by period and treatment with an unstructured covariance
    of the two periods, by REML, from every observed period. A missing period two is completed
    given period one, its mean following the `strategy`: "mar" the planned treatment (missing at
    random, which no data can test); "j2r" the reference treatment in period two; "cr" the
    reference in both; "cir" the reference's change from period one to two, added to the mean of
    period one; "lmcf" the mean of period one. For a participant planned for the reference in
    period two, "j2r" and "mar" are one. A missing
    period one is always imputed under "mar".

    The effect is the coefficient of the treatments' order in the regression of the completed
    period differences (adjusted for period; without missing values the classical estimate). Its
    variance is the jackknife over participants with everything done again, normal reference.
    Keys `contrast, strategy`; extras `n_failed`, `se_bound` as in `reference_based`. Equal
    carryover is assumed; no test of it precedes the estimate.

    Raises DataError for more or fewer than two periods or treatments, a participant with one
    row, two rows in a period or the same treatment twice, without any observed outcome.

    References: Hills & Armitage (1979), Br J Clin Pharmacol 8:7-20; Wolbers et al.
    (2022), doi:10.1002/pst.2234.

    Example
    -------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import trialkit as tk
    >>> rng = np.random.default_rng(4)
    >>> n = 20
    >>> first = np.tile(["Drug", "Placebo"], n // 2)
    >>> y = rng.normal(6, 1, (n, 1)) + rng.normal(0, 0.5, (n, 2))
    >>> y[:, 0] -= first == "Drug"
    >>> y[:, 1] -= first == "Placebo"
    >>> y[[1, 5], 1] = np.nan
    >>> data = pd.DataFrame({
    ...     "USUBJID": np.repeat(np.arange(n), 2),
    ...     "APERIOD": np.tile([1, 2], n),
    ...     "TRTA": np.column_stack([first, np.roll(first, 1)]).ravel(),
    ...     "AVAL": y.ravel(),
    ... })
    >>> result = tk.crossover_reference_based(
    ...     data, outcome="AVAL", subject="USUBJID", period="APERIOD", treatment="TRTA",
    ...     reference="Placebo", strategy=["mar", "j2r"],
    ... )
    >>> effect = result.frame()["estimate"]
    >>> bool(effect[0] < effect[1] < 0)
    True
    """
    check_level(ci_level)
    check_alternative(alternative)
    asked = (strategy,) if isinstance(strategy, str) else tuple(strategy)
    check_strategies(asked)
    trial = _read(data, outcome, subject, period, treatment, reference, period_order)
    answers = {each: trial.jackknife(each) for each in asked}
    label = contrast_label(trial.treatments[1], trial.treatments[0])
    missing = np.isnan(trial.y)
    rows = tuple(
        Estimate.from_z(
            label=label,
            estimate=answer[0],
            se=answer[1],
            n=len(trial.y),
            method=f"Crossover, imputation under {PHRASES[each]} (reference {reference}) from "
            "means by period and treatment, unstructured covariance, REML; period differences; "
            f"jackknife over {len(trial.y)} participants, normal",
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )
        for each, answer in answers.items()
    )
    return CrossoverImputed(
        contrasts=EstimateTable(
            estimates=rows,
            keys={"contrast": (label,) * len(rows), "strategy": tuple(asked)},
            extras={
                "n_failed": tuple(answer[2] for answer in answers.values()),
                "se_bound": tuple(answer[3] for answer in answers.values()),
            },
            variable=outcome,
            notes=(
                f"{int(missing[:, 1].sum())} of {len(trial.y)} participants without an outcome "
                f"in period two, {int(missing[:, 0].sum())} in period one.",
            ),
        ),
        imputed=trial.frame.assign(
            is_observed=~missing.ravel(), **{each: trial.completed(each).ravel() for each in asked}
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Crossover:
    """Outcomes `y` (n, 2) by participant and period, and which treatment came when.

    `order` (n,) is 1 where the reference came first, else -1: what a treatment effect is
    multiplied by in the difference of period two and one. `own` and `reference` (n, 2, P) are
    the design rows as planned, and on the reference in both periods.
    """

    frame: pd.DataFrame
    y: FloatArray
    treatments: tuple[object, ...]
    order: FloatArray
    own: FloatArray
    reference: FloatArray
    coef: FloatArray
    sigma: FloatArray
    left_out: tuple[FloatArray, FloatArray, IntArray]

    def completed(self, strategy: str) -> FloatArray:
        """Outcomes (n, 2), what is missing at its conditional mean."""
        return np.asarray(self._data(strategy).completed(self.coef, self.sigma)[0])

    def jackknife(self, strategy: str) -> tuple[float, float, int, float]:
        """Effect, standard error, failed refits, standard error were those the farthest out."""
        n = len(self.y)
        data = self._data(strategy)
        point = self._effects(data.completed(self.coef, self.sigma), np.ones((1, n)))
        coef, sigma, kept = self.left_out
        left = self._effects(data.completed(coef[kept], sigma[kept]), (1.0 - np.eye(n))[kept])
        variance, bound = jackknife_variance(left, n)
        return float(point[0]), float(np.sqrt(variance)), n - kept.size, float(np.sqrt(bound))

    def _data(self, strategy: str) -> Incomplete:
        seen = ~np.isnan(self.y)
        # Only those who stop after period one have an event; a gap before it is at random.
        event = np.where(seen[:, 0] & ~seen[:, 1], 1, N_PERIODS)
        each = np.full(len(self.y), strategy)
        zero = np.zeros(len(self.y), dtype=np.int64)
        return Incomplete(
            y=self.y,
            means=mean_rows(self.own, self.reference, event, each),
            cells=cells(seen, event, each, zero, zero),
        )

    def _effects(self, completed: FloatArray, weights: FloatArray) -> FloatArray:
        """Effects (B,) from completed outcomes (B, n, 2)."""
        z = np.column_stack([np.ones_like(self.order), self.order])
        difference = (completed[:, :, 1] - completed[:, :, 0])[:, :, None, None]
        rows = np.broadcast_to(np.array([[[0.0, 1.0]]]), (len(weights), 1, 2))
        return fit_parts(z, weights, rows, difference).estimate[:, 0, 0, 0]


def _read(
    data: pd.DataFrame,
    outcome: str,
    subject: str,
    period: str,
    treatment: str,
    reference: object,
    period_order: str | Sequence[object] | None,
) -> _Crossover:
    frame = require_frame(data)
    require_columns(frame, [outcome, subject, period, treatment])
    periods = visit_levels(frame, period, period_order)
    treatments = arm_levels(frame, treatment, reference)
    for name, found in ((period, periods), (treatment, treatments)):
        if len(found) != N_PERIODS:
            raise DataError(
                f"Column {name!r} has {len(found)} labels; two periods of two are meant."
            )
    at = label_codes(frame, period, periods)
    owner, found_subjects = pd.factorize(frame[subject])
    subjects = pd.Index(list(found_subjects), dtype=object)
    if (owner < 0).any():
        raise DataError(f"Column {subject!r} is missing in {int((owner < 0).sum())} row(s).")
    slot = np.full((len(subjects), N_PERIODS), -1, dtype=np.int64)
    slot[owner, at] = np.arange(len(frame))
    _refuse_incomplete(slot, subjects, n_rows=len(frame))
    ordered = frame[[subject, period, treatment, outcome]].iloc[slot.ravel()].reset_index(drop=True)
    y = number_vector(ordered, outcome).reshape(-1, N_PERIODS)
    given = label_codes(ordered, treatment, treatments).reshape(-1, N_PERIODS)
    for bad, what in (
        (given[:, 0] == given[:, 1], "the same treatment in both periods"),
        (np.isnan(y).all(axis=1), "no observed outcome"),
    ):
        if bad.any():
            raise DataError(
                f"{int(bad.sum())} participant(s) have {what}, the first "
                f"{subjects[int(np.flatnonzero(bad)[0])]!r}; leave them out."
            )
    return _fitted(ordered, y, given, tuple(treatments), subject, period, treatment, periods)


def _refuse_incomplete(slot: IntArray, subjects: pd.Index, *, n_rows: int) -> None:
    absent = np.flatnonzero((slot < 0).any(axis=1))
    if absent.size:
        raise DataError(
            f"{absent.size} participant(s) have no row in one period, the first "
            f"{subjects[int(absent[0])]!r}; give one with the planned treatment and no outcome."
        )
    if n_rows > slot.size:
        raise DataError(f"{n_rows - slot.size} row(s) too many: a participant has one a period.")


def _fitted(
    ordered: pd.DataFrame,
    y: FloatArray,
    given: IntArray,
    treatments: tuple[object, ...],
    subject: str,
    period: str,
    treatment: str,
    periods: Sequence[object],
) -> _Crossover:
    outcome = str(ordered.columns[-1])
    fit = mmrm(
        f"`{outcome}` ~ C(`{period}`) + C(`{treatment}`)",
        ordered.dropna(subset=outcome),
        subject=subject,
        visit=period,
        visit_order=list(periods),
        df="normal",
    )
    marginal, design = fit.marginal, fit.model_frame
    rows = padded_rows(
        design.matrix, design.response, layout=fit.roles.layout, basis=marginal.basis, weights=None
    )
    place = pd.Index(fit.roles.subjects).get_indexer(pd.Index(ordered[subject].iloc[::N_PERIODS]))
    refits = leave_one_out(marginal, rows, fit.roles.layout, place.astype(np.int64))
    kept = np.flatnonzero(refits.is_fitted)
    if len(y) - kept.size > MAX_FAILED * len(y):
        raise ConvergenceError(f"{len(y) - kept.size} of {len(y)} leave-one-out fits failed.")
    referred = ordered.assign(**{treatment: pd.Series([treatments[0]] * len(ordered))})
    shape = (*y.shape, -1)
    return _Crossover(
        frame=ordered.drop(columns=outcome),
        y=y,
        treatments=treatments,
        order=np.where(given[:, 0] == 0, 1.0, -1.0),
        own=design.rows_for(ordered).reshape(shape),
        reference=design.rows_for(referred).reshape(shape),
        coef=marginal.coef[None],
        sigma=marginal.sigma[0][None],
        left_out=(refits.coef, refits.sigma, kept),
    )
