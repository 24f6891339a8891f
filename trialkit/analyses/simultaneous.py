"""Multiplicity among the contrasts of one fit: adjusted p-values and simultaneous intervals.

What needs only the p-values is `EstimateTable.adjust`; Dunnett, Tukey and `mvt` need the joint
distribution of the contrasts, which the fit knows. Simultaneous intervals come with the
single-step methods alone: a step-down p-value has no interval of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, nan, sqrt
from typing import Literal, get_args

import numpy as np

from trialkit.analyses.choices import check_choice
from trialkit.errors import DataError, SpecError
from trialkit.kernels.multivariate_t import DESCRIPTIONS, MaxT, max_t
from trialkit.kernels.studentized_range import range_critical_value, range_tail
from trialkit.results import Estimate, EstimateTable
from trialkit.typing import Alternative, ContrastAdjustment, FloatArray

__all__ = ["Multiplicity", "adjust_contrasts"]

# From the p-values alone, and without an interval of their own.
STEPWISE = ("holm", "hochberg", "hommel", "fdr_bh", "fdr_by")


@dataclass(frozen=True, slots=True)
class Multiplicity:
    """The adjustment asked for, over which family, in which direction."""

    adjust: ContrastAdjustment
    family: Literal["all"] | None
    alternative: Alternative

    def check(self, *, kind: str, n_groups: int) -> None:
        """Raise SpecError where it is not offered, or is not made for contrasts of this kind."""
        check_choice("adjust", self.adjust, get_args(ContrastAdjustment))
        if self.family not in (None, "all"):
            raise SpecError(
                f"family={self.family!r} is not offered; allowed: None (within visit), 'all'."
            )
        if self.adjust.startswith("dunnett") and kind != "reference":
            raise SpecError(
                f"adjust={self.adjust!r} is for comparisons with the reference "
                "(kind='reference'); use 'tukey' for all pairs, 'mvt' for other contrasts."
            )
        if self.adjust == "tukey":
            self._check_tukey(kind=kind, n_groups=n_groups)

    def _check_tukey(self, *, kind: str, n_groups: int) -> None:
        if kind != "pairwise":
            raise SpecError(
                "adjust='tukey' is for all pairs of arms (kind='pairwise'); use 'dunnett' for "
                "comparisons with the reference, 'mvt' for other contrasts."
            )
        if self.alternative != "two-sided":
            raise SpecError("adjust='tukey' is two-sided; use 'mvt' for one-sided contrasts.")
        if self.family == "all" and n_groups > 1:
            raise SpecError("adjust='tukey' holds within a visit; use 'mvt' for family='all'.")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Family:
    """Rows of a table that are adjusted together, and the covariance of their estimates."""

    positions: tuple[int, ...]
    rows: tuple[Estimate, ...]
    correlation: FloatArray


def adjust_contrasts(
    table: EstimateTable, covariance: FloatArray, *, request: Multiplicity, n_arms: int
) -> EstimateTable:
    """Add `p_adjusted`, and simultaneous intervals where the method has them.

    `covariance` (m, m) is that of the m estimates; `request` has passed its check.
    """
    if request.adjust == "none":
        return table
    apart = [key for key in table.keys if key != "contrast" and request.family is None]
    families = _families(table, apart, covariance)
    if request.adjust in STEPWISE:
        return table.adjust(request.adjust, family=apart)
    if request.adjust in ("bonferroni", "sidak"):
        adjusted = table.adjust(request.adjust, family=apart)
        return _with_intervals(adjusted, _by_count(families, request))
    for members in families:
        _refuse_undefined(members, request.adjust)
    if request.adjust == "tukey":
        return _tukey(table, families, n_arms)
    return _joint(table, families, request.adjust, request.alternative)


def _families(table: EstimateTable, apart: Sequence[str], covariance: FloatArray) -> list[_Family]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for row in range(len(table)):
        groups.setdefault(tuple(table.keys[name][row] for name in apart), []).append(row)
    families = []
    for positions in groups.values():
        block = covariance[np.ix_(positions, positions)]
        spread = np.sqrt(np.diagonal(block))
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = block / np.outer(spread, spread)
        np.fill_diagonal(correlation, 1.0)
        families.append(
            _Family(
                positions=tuple(positions),
                rows=tuple(table.estimates[i] for i in positions),
                correlation=correlation,
            )
        )
    return families


def _refuse_undefined(family: _Family, adjust: str) -> None:
    for row in family.rows:
        if row.status != "ok":
            raise DataError(
                f"adjust={adjust!r} needs the joint distribution of all contrasts of the family, "
                f"and {row.label!r} has none ({row.status})."
            )


def _by_count(families: Sequence[_Family], request: Multiplicity) -> dict[int, tuple[float, float]]:
    """Intervals of Bonferroni and Sidak: each at a level that depends on the number alone."""
    ends = {}
    for family in families:
        m = len(family.positions)
        for position, row in zip(family.positions, family.rows, strict=True):
            alpha = 1.0 - row.ci_level
            each = alpha / m if request.adjust == "bonferroni" else -np.expm1(np.log1p(-alpha) / m)
            if row.status != "ok":
                ends[position] = (nan, nan)
                continue
            wider = Estimate.from_t(
                label=row.label,
                estimate=row.estimate,
                se=row.se,
                df=row.df,
                n=row.n,
                method=row.method,
                ci_level=1.0 - each,
                alternative=request.alternative,
            )
            ends[position] = (wider.ci_low, wider.ci_high)
    return ends


def _tukey(table: EstimateTable, families: Sequence[_Family], n_arms: int) -> EstimateTable:
    p_adjusted = [nan] * len(table)
    ends = {}
    critical: dict[tuple[float, float], float] = {}
    for family in families:
        for position, row in zip(family.positions, family.rows, strict=True):
            p = range_tail(sqrt(2.0) * abs(row.statistic), n_means=n_arms, df=row.df)
            p_adjusted[position] = min(1.0, max(p, row.p_value))
            question = (row.ci_level, row.df)
            if question not in critical:
                q = range_critical_value(1.0 - row.ci_level, n_means=n_arms, df=row.df)
                critical[question] = q / sqrt(2.0)
            half = critical[question] * row.se
            ends[position] = (row.estimate - half, row.estimate + half)
    name = f"tukey over {_sizes(families)} (studentised range of {n_arms} means, Tukey-Kramer)"
    return _with_intervals(table.with_adjusted(p_adjusted, name), ends)


def _joint(
    table: EstimateTable,
    families: Sequence[_Family],
    adjust: str,
    alternative: Alternative,
) -> EstimateTable:
    """Dunnett and `mvt`: the largest of the family's t statistics."""
    p_adjusted = [nan] * len(table)
    ends: dict[int, tuple[float, float]] = {}
    ways, largest_error = [], 0.0
    for family in families:
        thresholds = [_against(row.statistic, alternative) for row in family.rows]
        maximum = max_t(family.correlation)
        ways.append(DESCRIPTIONS[maximum.way])
        if adjust == "dunnett-stepdown":
            values, error = _step_down(family, thresholds, alternative)
        else:
            values, error = _single_step(family, thresholds, maximum, alternative)
            ends.update(_joint_intervals(family, maximum, alternative))
        largest_error = max(largest_error, error)
        for position, row, p in zip(family.positions, family.rows, values, strict=True):
            p_adjusted[position] = min(1.0, max(p, row.p_value))
    how = "; ".join(dict.fromkeys(ways))
    if largest_error:
        how += f", error of p below {largest_error:.1g}"
    result = table.with_adjusted(p_adjusted, f"{adjust} over {_sizes(families)} ({how})")
    return _with_intervals(result, ends) if ends else result


def _single_step(
    family: _Family, thresholds: Sequence[float], maximum: MaxT, alternative: Alternative
) -> tuple[list[float], float]:
    two_sided = alternative == "two-sided"
    tails = [
        maximum.tail(threshold, df=row.df, two_sided=two_sided)
        for threshold, row in zip(thresholds, family.rows, strict=True)
    ]
    return [p for p, _ in tails], max(error for _, error in tails)


def _step_down(
    family: _Family, thresholds: Sequence[float], alternative: Alternative
) -> tuple[list[float], float]:
    """From the largest statistic down, each against the maximum of itself and the smaller ones."""
    order = sorted(range(len(thresholds)), key=lambda i: -thresholds[i])
    values = [nan] * len(thresholds)
    reached, largest_error = 0.0, 0.0
    for step, i in enumerate(order):
        left = order[step:]
        maximum = max_t(family.correlation[np.ix_(left, left)])
        p, error = maximum.tail(
            thresholds[i], df=family.rows[i].df, two_sided=alternative == "two-sided"
        )
        reached = max(reached, p, family.rows[i].p_value)
        values[i] = reached
        largest_error = max(largest_error, error)
    return values, largest_error


def _joint_intervals(
    family: _Family, maximum: MaxT, alternative: Alternative
) -> dict[int, tuple[float, float]]:
    critical: dict[tuple[float, float], float] = {}
    ends = {}
    for position, row in zip(family.positions, family.rows, strict=True):
        question = (row.ci_level, row.df)
        if question not in critical:
            critical[question] = maximum.critical_value(
                1.0 - row.ci_level, df=row.df, two_sided=alternative == "two-sided"
            )
        half = critical[question] * row.se
        low = -inf if alternative == "less" else row.estimate - half
        high = inf if alternative == "greater" else row.estimate + half
        ends[position] = (low, high)
    return ends


def _against(statistic: float, alternative: Alternative) -> float:
    """The statistic, turned so that large values speak against the hypothesis."""
    if alternative == "two-sided":
        return abs(statistic)
    return -statistic if alternative == "less" else statistic


def _with_intervals(table: EstimateTable, ends: dict[int, tuple[float, float]]) -> EstimateTable:
    positions = range(len(table))
    extras = {
        **table.extras,
        "ci_low_adjusted": tuple(float(ends[i][0]) for i in positions),
        "ci_high_adjusted": tuple(float(ends[i][1]) for i in positions),
    }
    return replace(table, extras=extras)


def _sizes(families: Sequence[_Family]) -> str:
    sizes = sorted({len(family.positions) for family in families})
    return str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}"
