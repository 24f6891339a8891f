"""Westfall-Young adjusted p-values of a panel, rearranging what the design could rearrange.

Pairs: the two conditions of a subject may be exchanged (sign flips). Parallel: the arms among
subjects, within strata. Crossover: the sequences among subjects, within strata; with more than
two periods among those whose sequences differ in the order of the two treatments alone. Where there
are few arrangements all are enumerated; otherwise a seeded sample of them, whose error is
reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_fits import least_squares_rows, tobit_rows_of
from trialkit.analyses.panel_ranks import rank_response
from trialkit.analyses.panel_tobit import null_scores
from trialkit.analyses.panel_units import PanelUnits, has_several_draws, only
from trialkit.analyses.panel_welch import welch_statistics
from trialkit.analyses.random_generator import generator
from trialkit.data.vectors import number_vector
from trialkit.errors import DataError, DesignError, SpecError
from trialkit.kernels.arrangements import Labels, Signs, blocks
from trialkit.kernels.effect_rows import EffectRows, effect_correlations, project, t_of
from trialkit.kernels.ranks import midranks
from trialkit.kernels.step_down import PermutationP, step_down_max, step_down_min
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = [
    "Permuted",
    "effect_of",
    "exchangeable",
    "permutation_plan",
    "westfall_young",
]

# Up to this many arrangements all of them are enumerated.
MAX_COMPLETE = 2**20
DEFAULT_DRAWS = 10_000
# Statistics held in memory at once: what stays in the processor's cache is quickest.
BLOCK = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Permuted:
    """Permutation p-values by analyte (m,), NaN where none; `label` says how they were made."""

    raw: FloatArray
    single_step: FloatArray
    step_down: FloatArray
    error: FloatArray  # Monte Carlo standard error of `step_down`, zero if complete
    n: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Which arrangements are taken: `make(size)` gives them in blocks (b, n)."""

    make: Callable[[int], Iterator[FloatArray]]
    n: int
    includes_observed: bool
    is_complete: bool
    words: str


def westfall_young(
    units: PanelUnits,
    options: PanelOptions,
    rows: IntArray,
    *,
    permutations: int | pd.DataFrame | None,
    rng: np.random.Generator | int | None,
) -> Permuted:
    """Adjusted p-values of the analytes `rows` of one contrast; the others are NaN."""
    plan = permutation_plan(units, permutations, rng)
    part = only(units, rows)
    statistics = _statistics(part, options)
    observed = statistics(_observed(units)[None, :], None)[:, 0]
    if options.adjust == "maxt":
        found = step_down_max(
            observed,
            (statistics(block, None) for block in plan.make(max(1, BLOCK // max(rows.size, 1)))),
            includes_observed=plan.includes_observed,
        )
    else:
        found = _min_p(units, plan, statistics, rows.size)
    what = _what_is_rearranged(part, options)
    return _spread(found, plan, rows, len(units.analytes), options.adjust, what)


def _what_is_rearranged(units: PanelUnits, options: PanelOptions) -> str:
    """Words on the statistic where it is not the one that the table shows."""
    n_scores = tobit_rows_of(units, options.censoring).size
    if n_scores:
        return (
            f" ({n_scores} with censored values by the t statistic of their scores in the tobit "
            "fit without the contrast)"
        )
    if options.test == "t" and has_several_draws(units).any():
        return " (several draws by the t statistic of their means)"
    return ""


def _min_p(
    units: PanelUnits,
    plan: Plan,
    statistics: Callable[[FloatArray, IntArray | None], FloatArray],
    n_rows: int,
) -> PermutationP:
    """Step-down min-P; every arrangement is held (B, n), the statistics a few rows at a time."""
    held = [block for block in plan.make(BLOCK // max(len(units.subjects), 1) + 1)]
    matrix = np.concatenate([_observed(units)[None, :], *held])
    if plan.includes_observed:
        same = np.flatnonzero((matrix[1:] == matrix[0]).all(axis=1)) + 1
        matrix = np.delete(matrix, same[0], axis=0)
    at_once = max(1, BLOCK // matrix.shape[0])

    def of(chosen: IntArray) -> FloatArray:
        return statistics(matrix, chosen)

    raw = np.empty(n_rows)
    for start in range(0, n_rows, at_once):
        chosen = np.arange(start, min(start + at_once, n_rows))
        values = of(chosen)
        first = values[:, :1]
        slack = 1e-10 * np.maximum(1.0, np.abs(first))
        raw[chosen] = np.mean(values >= first - slack, axis=1)
    return step_down_min(n_rows, of, raw, n_at_once=at_once)


def _observed(units: PanelUnits) -> FloatArray:
    return np.ones(len(units.subjects)) if units.design == "paired" else units.labels


def _statistics(
    units: PanelUnits, options: PanelOptions
) -> Callable[[FloatArray, IntArray | None], FloatArray]:
    """Statistics of (some) analytes under arrangements (B, n); the large ones are extreme."""
    if options.test == "welch":
        y = least_squares_rows(units, options.censoring)[0]

        def welch(block: FloatArray, chosen: IntArray | None) -> FloatArray:
            part = y if chosen is None else y[chosen]
            return extreme(welch_statistics(part, block), options.alternative)

        return welch
    rows = exchangeable(units, options)
    uneven = np.unique(rows.df).size > 1
    ranks = options.test == "wilcoxon"

    def ordinary(block: FloatArray, chosen: IntArray | None) -> FloatArray:
        part = rows if chosen is None else _take(rows, chosen)
        found = effect_correlations(part, effect_of(units, block))
        if ranks and uneven:
            found = found * np.sqrt(part.n)[:, None]
        elif uneven:
            # With equal degrees of freedom |r| orders the arrangements as |t| does.
            found = t_of(found, part.df)
        return extreme(found, options.alternative)

    return ordinary


def extreme(statistic: FloatArray, alternative: Alternative) -> FloatArray:
    """The statistic turned, in its own place, so that large values speak for the alternative."""
    if alternative == "two-sided":
        return np.abs(statistic, out=statistic)
    return statistic if alternative == "greater" else -statistic


def exchangeable(units: PanelUnits, options: PanelOptions) -> EffectRows:
    """What is correlated with the arrangement: responses, their ranks, or tobit scores."""
    y, nuisance = least_squares_rows(units, options.censoring)
    own = units.own
    if options.test == "wilcoxon":
        y = np.vstack(
            [
                _ranked(rank_response(units, row, options.censoring), units.is_within)
                for row in range(len(units.analytes))
            ]
        )
    tobit = tobit_rows_of(units, options.censoring)
    if tobit.size:
        y = y.copy()
        y[tobit] = null_scores(only(units, tobit))
        failed = [str(units.analytes[row]) for row in tobit if np.isnan(y[row]).all()]
        if failed:
            raise DataError(
                "Scores to permute: the tobit fit without the contrast did not converge for "
                f"{', '.join(failed)}; leave it out or choose another censoring= rule."
            )
    if units.plate_differs:
        raise SpecError(
            f"Permutation tests with plate= in a {units.design} design are not offered: exchanging "
            "the conditions would exchange the plates."
        )
    if units.design == "crossover":
        y, nuisance = _by_period(units, y, nuisance)
    return project(y, nuisance, own)


def _by_period(
    units: PanelUnits, y: FloatArray, nuisance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Later less earlier period: what the periods contribute stays where it is."""
    sign = effect_of(units, units.labels)
    return y * sign, nuisance * sign[:, None]


def effect_of(units: PanelUnits, arrangements: FloatArray) -> FloatArray:
    """The effect's column under arrangements of the labels; +-1 on later less earlier."""
    return 2 * arrangements - 1 if units.design == "crossover" else arrangements


def _ranked(values: FloatArray, is_within: bool) -> FloatArray:
    """Midranks, signed within subjects, where zeros count nothing; NaN stays."""
    out = values.copy()
    known = ~np.isnan(values)
    if not is_within:
        out[known] = midranks(values[known])
        return out
    moved = known & (values != 0)
    out[moved] = np.sign(values[moved]) * midranks(np.abs(values[moved]))
    return out


def _take(rows: EffectRows, chosen: IntArray) -> EffectRows:
    return EffectRows(
        residuals=rows.residuals[chosen],
        present=rows.present[chosen],
        basis=rows.basis if rows.is_shared else rows.basis[chosen],
        rank=rows.rank[chosen],
        sum_sq=rows.sum_sq[chosen],
    )


def permutation_plan(
    units: PanelUnits,
    permutations: int | pd.DataFrame | None,
    rng: np.random.Generator | int | None,
) -> Plan:
    """The arrangements to take: given, all, or a seeded sample; SpecError where undefined."""
    if isinstance(permutations, pd.DataFrame):
        return _given(units, permutations)
    if permutations is not None and (
        isinstance(permutations, bool)
        or not isinstance(permutations, int | np.integer)
        or permutations < 1
    ):
        raise SpecError(
            f"permutations={permutations!r}; give a count, or a frame with one column a subject."
        )
    source = units.arrangements()
    if source.count == 1:
        raise SpecError(_nothing_to_rearrange(units))
    enough = permutations is None or permutations >= source.count
    if source.count <= MAX_COMPLETE and enough:
        return Plan(
            make=source.complete,
            n=source.count,
            includes_observed=True,
            is_complete=True,
            words=f"all {source.count} {_kind(units, source)}",
        )
    draws = DEFAULT_DRAWS if permutations is None else permutations
    chance = generator(rng, what="A sample of arrangements")
    seed = f", seed {rng}" if not isinstance(rng, np.random.Generator) else ""

    def make(size: int) -> Iterator[FloatArray]:
        return source.sample(draws, size, chance)

    return Plan(
        make=make,
        n=draws + 1,
        includes_observed=False,
        is_complete=False,
        words=f"{draws} random {_kind(units, source)} and the observed one{seed}",
    )


def _kind(units: PanelUnits, source: Signs | Labels) -> str:
    if isinstance(source, Signs):
        return "exchanges of the conditions within subjects"
    if units.has_more_periods:
        return "rearrangements of the sequences that differ in the order of the two alone"
    within = " within strata" if np.unique(source.strata).size > 1 else ""
    return f"rearrangements of the subjects{within}"


def _nothing_to_rearrange(units: PanelUnits) -> str:
    if units.has_more_periods:
        return (
            f"{units.contrast}: no two subjects (of one stratum) have sequences that differ in the "
            "order of the two treatments alone, so that their equality leaves nothing to "
            "rearrange. Exchanging whole sequences would test that no treatment differs from any."
        )
    return f"{units.contrast}: within the strata there is no other arrangement than the observed."


def _given(units: PanelUnits, frame: pd.DataFrame) -> Plan:
    """A frame of arrangements, 1 where the subject is not given the reference."""
    names = [str(name) for name in frame.columns]
    subjects = [str(subject) for subject in units.subjects]
    if sorted(names) != sorted(subjects):
        missing = sorted(set(subjects) - set(names))
        strange = sorted(set(names) - set(subjects))
        raise DataError(
            f"permutations= has one column a subject: {len(missing)} analysed subject(s) have none "
            f"({_first(missing)}), {len(strange)} column(s) are no analysed subject "
            f"({_first(strange)})."
        )
    named = frame.set_axis(names, axis=1)
    matrix = np.column_stack([number_vector(named, subject) for subject in subjects])
    if not np.isin(matrix, (0.0, 1.0)).all() or matrix.shape[0] == 0:
        raise DataError("permutations= must hold rows of 0 (reference) and 1 only.")
    if units.design != "paired":
        _refuse_other_counts(units, matrix)
    if units.design == "paired":
        matrix = 2 * matrix - 1
    includes = bool((matrix == _observed(units)).all(axis=1).any())

    def make(size: int) -> Iterator[FloatArray]:
        return blocks(matrix, size)

    observed = "" if includes else " and the observed one"
    return Plan(
        make=make,
        n=matrix.shape[0] + (not includes),
        includes_observed=includes,
        is_complete=False,
        words=f"{matrix.shape[0]} given arrangements{observed}",
    )


def _refuse_other_counts(units: PanelUnits, matrix: FloatArray) -> None:
    for code in np.unique(units.strata):
        inside = units.strata == code
        wanted = units.labels[inside].sum()
        wrong = np.flatnonzero(matrix[:, inside].sum(axis=1) != wanted)
        if wrong.size:
            raise DesignError(
                f"permutations=: row {int(wrong[0])} gives {int(matrix[wrong[0], inside].sum())} "
                f"subjects the role that {int(wanted)} of {int(inside.sum())} had; an arrangement "
                "keeps the number in each stratum."
            )


def _first(names: Sequence[str]) -> str:
    return f"first {names[0]!r}" if names else "none"


def _spread(
    found: PermutationP, plan: Plan, rows: IntArray, n_analytes: int, adjust: str, what: str
) -> Permuted:
    def full(values: FloatArray) -> FloatArray:
        out = np.full(n_analytes, np.nan)
        out[rows] = values
        return out

    p = found.step_down
    error = np.zeros_like(p) if plan.is_complete else np.sqrt(p * (1 - p) / found.n)
    name = {"maxt": "max-T", "minp": "min-P"}[adjust]
    return Permuted(
        raw=full(found.raw),
        single_step=full(found.single_step),
        step_down=full(p),
        error=full(error),
        n=found.n,
        label=f"Westfall-Young step-down {name} over {rows.size} analytes{what}, {plan.words}",
    )
