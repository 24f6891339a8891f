"""The imputation model of one set of rows, its refits, and the outcomes it completes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from trialkit.analyses.imputation_events import Events
from trialkit.analyses.imputation_grid import Grid
from trialkit.analyses.mmrm import mmrm
from trialkit.analyses.mmrm_fit import MmrmFit
from trialkit.errors import DataError
from trialkit.kernels.completion import Incomplete
from trialkit.kernels.mmrm.refit import Refits, leave_one_out, reweighted
from trialkit.kernels.mmrm.subject_rows import SubjectRows, padded_rows
from trialkit.kernels.reference_means import cells, mean_rows
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["ImputationModel", "Settings", "imputation_models"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the imputation model is."""

    formula: str
    reference: object
    covariance: str
    group: str | None
    is_reml: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class ImputationModel:
    """A mixed model fitted to the rows `used` (n, m), laid over every subject and visit.

    `own` and `reference` (n, m, P) are the design rows of each subject in its arm and in the
    reference arm. Outcomes after an event that is not met by "mar" inform no mean and are not
    used in the fit; an observed one still stands in the analysis, and its subject's other
    visits are imputed given it.
    """

    grid: Grid
    fit: MmrmFit
    used: BoolArray
    own: FloatArray
    reference: FloatArray
    group: IntArray
    reference_group: IntArray

    @cached_property
    def fitted(self) -> IntArray:
        """The grid's position of each subject of the fit, by the fit's code."""
        return self.grid.subject_codes(pd.Series(self.fit.roles.subjects))

    @cached_property
    def rows(self) -> SubjectRows:
        """The fit's rows, subject by subject."""
        frame, marginal = self.fit.model_frame, self.fit.marginal
        return padded_rows(
            frame.matrix,
            frame.response,
            layout=self.fit.roles.layout,
            basis=marginal.basis,
            weights=None,
        )

    @cached_property
    def full(self) -> Refits:
        """The fit itself, as one copy."""
        marginal = self.fit.marginal
        return Refits(
            coef=marginal.coef[None],
            sigma=np.stack([sigma[0] for sigma in marginal.sigma])[None],
            problems={},
        )

    @cached_property
    def jackknife(self) -> Refits:
        """Fits without each subject of the grid (n,); one without observations changes nothing."""
        some = leave_one_out(
            self.fit.marginal, self.rows, self.fit.roles.layout, np.arange(self.fitted.size)
        )
        coef = np.repeat(self.full.coef, self.grid.n, axis=0)
        sigma = np.repeat(self.full.sigma, self.grid.n, axis=0)
        coef[self.fitted], sigma[self.fitted] = some.coef, some.sigma
        problems = {int(self.fitted[code]): text for code, text in some.problems.items()}
        return Refits(coef=coef, sigma=sigma, problems=problems)

    def reweighted(self, weights: FloatArray) -> Refits:
        """Fits with the grid's subjects counted `weights` (B, n) times."""
        return reweighted(
            self.fit.marginal, self.rows, self.fit.roles.layout, weights[:, self.fitted]
        )

    def incomplete(self, events: Events, strategy: str) -> Incomplete:
        """The outcomes to complete, with their means under a strategy."""
        each = events.strategies(strategy)
        means = mean_rows(self.own, self.reference, events.first, each)
        found = cells(self.grid.seen, events.first, each, self.group, self.reference_group)
        return Incomplete(y=self.grid.y, means=means, cells=found)


def imputation_models(
    grid: Grid, events: Events, strategies: Sequence[str], settings: Settings
) -> dict[str, ImputationModel]:
    """The model of each strategy; strategies that use the same rows share one.

    Raises what `mmrm` raises.
    """
    models: dict[bytes, ImputationModel] = {}
    out = {}
    for strategy in strategies:
        is_mar = events.strategies(strategy) == "mar"
        used = grid.seen & (is_mar[:, None] | ~events.after(len(grid.visits)))
        key = used.tobytes()
        if key not in models:
            models[key] = _model(grid, used, settings)
        out[strategy] = models[key]
    return out


def _model(grid: Grid, used: BoolArray, settings: Settings) -> ImputationModel:
    frame = grid.frame.assign(**{grid.outcome: grid.y.ravel()})
    fit = mmrm(
        settings.formula,
        frame[used.ravel()],
        subject=grid.subject,
        visit=grid.visit,
        arm=grid.arm,
        reference=settings.reference,
        visit_order=list(grid.visits),
        covariance=settings.covariance,
        group=settings.group,
        method="reml" if settings.is_reml else "ml",
        df="normal",
    )
    if fit.roles.visits != grid.visits:
        raise DataError(
            f"No outcome before an event at a visit of {grid.visit!r}; the model has "
            f"{', '.join(map(repr, fit.roles.visits))}. Leave the other visits out."
        )
    referred = frame.assign(**{grid.arm: pd.Series([settings.reference] * len(frame))})
    shape = (*grid.y.shape, -1)
    group, reference_group = _groups(grid, fit, settings)
    return ImputationModel(
        grid=grid,
        fit=fit,
        used=used,
        own=fit.model_frame.rows_for(frame).reshape(shape),
        reference=fit.model_frame.rows_for(referred).reshape(shape),
        group=group,
        reference_group=reference_group,
    )


def _groups(grid: Grid, fit: MmrmFit, settings: Settings) -> tuple[IntArray, IntArray]:
    """Covariance group of each subject, and that of its reference."""
    zero = np.zeros(grid.n, dtype=np.int64)
    if settings.group is None:
        return zero, zero
    known = pd.Index(list(fit.roles.groups))
    labels = grid.frame[settings.group].iloc[:: len(grid.visits)]
    own = np.asarray(known.get_indexer(pd.Index(labels)), dtype=np.int64)
    if (own < 0).any():
        label = labels.iloc[int(np.flatnonzero(own < 0)[0])]
        raise DataError(f"No observed outcome in {settings.group!r} {label!r}: no covariance.")
    if settings.group != grid.arm:
        return own, own
    return own, zero + int(known.get_indexer(pd.Index([settings.reference]))[0])
