"""One question of imputation: read from its data once, asked of each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.imputation_ancova import AnalysisModel, analysis_model, default_analysis
from trialkit.analyses.imputation_events import Events, read_events
from trialkit.analyses.imputation_grid import Grid, plain_outcome, read_grid
from trialkit.analyses.imputation_model import ImputationModel, Settings, imputation_models
from trialkit.analyses.imputation_variance import (
    Parts,
    Spread,
    VarianceKind,
    bootstrap_weights,
    bootstrapped,
    drawn_outcomes,
    jackknifed,
    pooled_draws,
)
from trialkit.analyses.mmrm_options import check_options
from trialkit.analyses.random_generator import generator
from trialkit.analyses.reference_grid import MEAN_WEIGHTS
from trialkit.data.formula import Parsed, parse_formula
from trialkit.errors import SpecError
from trialkit.kernels.mmrm.refit import Refits
from trialkit.kernels.reference_means import STRATEGIES
from trialkit.typing import FloatArray

__all__ = ["Problem", "chance", "check_strategies", "read_problem"]

PHRASES = {
    "mar": "missing at random",
    "j2r": "jump to reference",
    "cr": "copy reference",
    "cir": "copy increments in reference",
    "lmcf": "last mean carried forward",
}
DEFAULT_SAMPLES = {"bootstrap": 1000, "rubin": 100}
MIN_SAMPLES = 2


@dataclass(kw_only=True, eq=False)
class Problem:
    """Data, events, models and analysis; `spread` answers for one strategy.

    Bootstrap samples are drawn once for each imputation model and shared by its strategies.
    """

    grid: Grid
    events: Events
    strategies: tuple[str, ...]
    models: dict[str, ImputationModel]
    analysis: AnalysisModel
    variance: VarianceKind
    n_samples: int
    rng: np.random.Generator | None
    settings: Settings
    seed: str

    def __post_init__(self) -> None:
        self._samples: dict[int, tuple[FloatArray, Refits]] = {}

    def spread(self, strategy: str, parts: Parts) -> Spread:
        """Estimates and their variance under one strategy."""
        model = self.models[strategy]
        incomplete = model.incomplete(self.events, strategy)
        if self.rng is None:
            return jackknifed(model, incomplete, self.analysis, parts)
        samples = self._bootstrap(model)
        if self.variance == "bootstrap":
            return bootstrapped(model, incomplete, self.analysis, parts, samples)
        return pooled_draws(model, incomplete, self.analysis, parts, samples, self.rng)

    def draws(self, strategy: str) -> tuple[FloatArray, int]:
        """Completed outcomes (B, n, m) of every draw, and how many refits failed."""
        if self.rng is None:
            raise SpecError("Draws need variance='rubin' and rng=.")
        model = self.models[strategy]
        incomplete = model.incomplete(self.events, strategy)
        return drawn_outcomes(incomplete, self._bootstrap(model), self.rng)

    def conditional_means(self, strategy: str) -> FloatArray:
        """Outcomes (n, m), the missing ones at their conditional mean."""
        model = self.models[strategy]
        full = model.full
        filled = model.incomplete(self.events, strategy).completed(full.coef, full.sigma)
        return np.asarray(filled[0])

    def method(self, strategy: str, delta: str, responder: str = "") -> str:
        """Every choice that changes the numbers."""
        by = f" by {self.settings.group}" if self.settings.group else ""
        model = self.models[strategy].fit.options.covariance
        how = {
            "jackknife": f"conditional means, jackknife over {self.grid.n} subjects, normal",
            "bootstrap": (
                f"conditional means, {self.n_samples} bootstrap samples{self.seed}, normal"
            ),
            "rubin": (
                f"{self.n_samples} approximate-Bayesian imputations{self.seed}, Rubin's rules, t "
                "with Barnard-Rubin df"
            ),
        }[self.variance]
        parts = [
            f"Imputation under {self._strategies(strategy)} (reference {self.settings.reference}) "
            f"from MMRM {self.settings.formula}, {model} covariance{by}, "
            f"{'REML' if self.settings.is_reml else 'ML'}",
            *([delta] if delta else []),
            (
                f"response {responder}, logistic regression as {self.analysis.formula} at each "
                "visit, risks standardised over subjects, delta method"
                if responder
                else f"analysis {self.analysis.formula} at each visit, OLS, "
                f"{MEAN_WEIGHTS[self.analysis.weights]}"
            ),
            how,
        ]
        return "; ".join(parts)

    def _strategies(self, strategy: str) -> str:
        """The strategy in words, or those that the events have of their own."""
        own = self.events.own
        is_anchor = self.events.has_anchor and strategy == "mar"
        if is_anchor or not (own != "").any():
            return PHRASES[strategy]
        counts = [
            f"{PHRASES[each]} {int((own == each).sum())}"
            for each in STRATEGIES
            if (own == each).any()
        ]
        n_others = int(((own == "") & (self.events.first < len(self.grid.visits))).sum())
        if n_others:
            counts.append(f"the {n_others} others {PHRASES[strategy]}")
        return f"each event's own strategy: {', '.join(counts)}"

    def notes(self) -> tuple[str, ...]:
        """What was imputed, and on what account."""
        missing = ~self.grid.seen
        after = missing & self.events.after(len(self.grid.visits))
        counts = ", ".join(
            f"{arm} {int(missing[self.grid.arm_code == code].sum())}"
            for code, arm in enumerate(self.grid.arms)
        )
        notes = [
            *self.events.notes,
            f"{int(missing.sum())} of {missing.size} outcomes imputed ({counts}): "
            f"{int(after.sum())} after an event, {int((missing & ~after).sum())} others under "
            "missing at random.",
        ]
        for strategy, model in self.models.items():
            is_copied = self.events.strategies(strategy) == "cr"
            has_event = self.events.first < len(self.grid.visits)
            n_copied = int((missing & ~after & (is_copied & has_event)[:, None]).sum())
            if n_copied:
                notes.append(
                    f"{strategy}: of the others, {n_copied} before an event met by copy reference "
                    "follow the reference arm too."
                )
            n_unused = int((self.grid.seen & ~model.used).sum())
            if n_unused:
                notes.append(
                    f"{strategy}: {n_unused} outcomes observed after an event are analysed and "
                    "not used to fit the imputation model."
                )
        return tuple(notes)

    def _bootstrap(self, model: ImputationModel) -> tuple[FloatArray, Refits]:
        if id(model) not in self._samples:
            rng = generator(self.rng)
            weights = bootstrap_weights(self.grid.arm_code, self.n_samples, rng)
            self._samples[id(model)] = (weights, model.reweighted(weights))
        return self._samples[id(model)]


def read_problem(
    formula: str,
    data: pd.DataFrame,
    *,
    subject: str,
    visit: str,
    arm: str,
    reference: object,
    strategy: str | Sequence[str],
    events: pd.DataFrame | None,
    visit_order: str | Sequence[object] | None,
    covariance: str,
    group: str | None,
    method: str,
    weights: str,
    variance: VarianceKind,
    n_samples: int | None,
    analysis: str | None,
    rng: np.random.Generator | int | None,
    further_columns: Sequence[str] = (),
    has_anchor: bool = False,
) -> Problem:
    """Check the choices, read the data, fit the imputation models."""
    strategies = (strategy,) if isinstance(strategy, str) else tuple(strategy)
    check_strategies(strategies)
    check_choice("weights", weights, MEAN_WEIGHTS)
    check_choice("variance", variance, ("jackknife", "bootstrap", "rubin"))
    drawn, count, seed = chance(variance, n_samples, rng)
    settings = _settings(formula, reference, covariance, group, method)
    parsed = parse_formula(formula)
    chosen = analysis or _own_covariates(parsed, data, subject=subject, visit=visit, arm=arm)
    grid = read_grid(
        data,
        outcome=plain_outcome(parsed),
        subject=subject,
        visit=visit,
        arm=arm,
        reference=reference,
        visit_order=visit_order,
        columns=[
            *parsed.right,
            *parse_formula(chosen).right,
            *([group] if group else []),
            *further_columns,
        ],
    )
    found = replace(read_events(events, grid), has_anchor=has_anchor)
    found.refuse_one_answer(strategies, len(grid.visits))
    return Problem(
        grid=grid,
        events=found,
        strategies=strategies,
        models=imputation_models(grid, found, strategies, settings),
        analysis=analysis_model(chosen, grid, weights=weights),
        variance=variance,
        n_samples=count,
        rng=drawn,
        settings=settings,
        seed=seed,
    )


def check_strategies(strategies: Sequence[str]) -> None:
    """SpecError for a strategy that is not offered or named twice, and for none."""
    if not strategies:
        raise SpecError(f"strategy= is empty; allowed: {', '.join(STRATEGIES)}.")
    for position, each in enumerate(strategies):
        check_choice("strategy", each, STRATEGIES)
        if each in strategies[:position]:
            raise SpecError(f"strategy= names {each!r} twice.")


def chance(
    variance: str, n_samples: int | None, rng: np.random.Generator | int | None
) -> tuple[np.random.Generator | None, int, str]:
    """The generator, the number of samples, and the seed in words."""
    if variance == "jackknife":
        if rng is not None or n_samples is not None:
            raise SpecError("variance='jackknife' draws nothing: leave rng= and n_samples= out.")
        return None, 0, ""
    count = DEFAULT_SAMPLES[variance] if n_samples is None else n_samples
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < MIN_SAMPLES:
        raise SpecError(f"n_samples={n_samples!r}; a whole number of at least {MIN_SAMPLES}.")
    seed = f", seed {rng}" if isinstance(rng, int | np.integer) else ""
    return generator(rng), int(count), seed


def _settings(
    formula: str, reference: object, covariance: str, group: str | None, method: str
) -> Settings:
    if covariance in ("spatial-exponential", "sp_exp"):
        raise SpecError(
            f"covariance={covariance!r} has no covariance at a visit without a time; choose a "
            "structure by visits."
        )
    options = check_options(
        covariance=covariance,
        method=method,
        df="normal",
        vcov=None,
        information="observed",
        time=None,
    )
    return Settings(
        formula=formula,
        reference=reference,
        covariance=options.covariance,
        group=group,
        is_reml=options.reml,
    )


def _own_covariates(
    parsed: Parsed, data: pd.DataFrame, *, subject: str, visit: str, arm: str
) -> str:
    """The default analysis: covariates of the formula that do not change within subjects."""
    constant = []
    for name in parsed.right:
        if name in (visit, arm) or name not in data.columns:
            continue
        if int(data.groupby(subject, observed=True)[name].nunique().max()) <= 1:
            constant.append(name)
    return default_analysis(parsed.outcome, arm, constant)
