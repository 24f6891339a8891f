"""Scores of one visit of one arm, given the scores at earlier visits.

All scores are whole numbers of the grid step. The *measure* of a visit is the score itself or
its change from the first component of the history, the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor, sqrt
from typing import Literal

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import MomentSums, nearest_level, normal_level
from trialkit.kernels.grid_search import Row, Target, search
from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["Correlation", "VisitTargets", "reduced_by", "scores_given"]

ATTEMPTS = 5
MOVES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Within-person correlation of the measure with an earlier visit's score."""

    value: float
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTargets:
    """What the scores of one visit must meet.

    `responders` maps a percentage to the exact number of subjects whose score is lower than
    their baseline by at least that; `correlations` maps a component of the history.
    """

    measure: Literal["score", "change"]
    sums: MomentSums
    levels: Sequence[int]
    correlations: Mapping[int, Correlation] = field(default_factory=dict)
    responders: Mapping[int, int] = field(default_factory=dict)


def reduced_by(percent: int, *, baseline: int, score: int) -> bool:
    """Whether the score lies at least `percent` below the baseline; exact at the cut."""
    return 100 * (baseline - score) >= percent * baseline


def scores_given(history: Sequence[Row], targets: VisitTargets, *, stream: RawStream) -> list[int]:
    """A score for each row of the history that together meet every target; shape (n,).

    Raises DesignError where the search ends without; that is no proof that there are none.
    """
    width = len(history[0])
    centres = [round(Fraction(sum(column), len(history))) for column in zip(*history, strict=True)]
    goal = [*_sums(targets), *_products(history, centres, targets), *_counts(targets)]
    centre = _centre(targets)

    def features(row: Row) -> Row:
        measure = row[width] - row[0] if targets.measure == "change" else row[width]
        away = measure - centre
        return (
            measure,
            away * away,
            *(away * (row[k] - centres[k]) for k in targets.correlations),
            *(reduced_by(cut, baseline=row[0], score=row[width]) for cut in targets.responders),
        )

    everyone: list[Sequence[int]] = [sorted(set(column)) for column in zip(*history, strict=True)]
    for _ in range(ATTEMPTS):
        rows = search(
            _start(history, targets, stream),
            features=features,
            targets=goal,
            levels=[*everyone, targets.levels],
            free=[width],
            stream=stream,
            moves=MOVES,
        )
        if rows is not None:
            return [row[width] for row in rows]
    raise DesignError(
        f"No {len(history)} scores with {targets.measure} total {targets.sums.total} and the "
        f"responders {dict(targets.responders)} were found in {ATTEMPTS} attempts of {MOVES} "
        "moves; that does not prove there are none."
    )


def _centre(targets: VisitTargets) -> int:
    return round(Fraction(targets.sums.total, targets.sums.n))


def _sums(targets: VisitTargets) -> list[Target]:
    return targets.sums.targets(feature=0, centre=_centre(targets))


def _counts(targets: VisitTargets) -> list[Target]:
    first = 2 + len(targets.correlations)
    return [
        Target(feature=first + k, low=count, high=count)
        for k, count in enumerate(targets.responders.values())
    ]


def _products(
    history: Sequence[Row], centres: Sequence[int], targets: VisitTargets
) -> list[Target]:
    """Bounds of the summed products of distances from the centres, one a correlation."""
    n, sums = targets.sums.n, targets.sums
    squares = (sums.squares_low + sums.squares_high) / 2
    spread = sqrt(squares - sums.total**2 / n)
    listed = []
    for k, (component, wanted) in enumerate(targets.correlations.items(), start=2):
        scores = [row[component] for row in history]
        total = sum(scores)
        other = sqrt(sum(score * score for score in scores) - total**2 / n)
        # Sum of products about the means plus what the whole-number centres add to it.
        shift = (sums.total - n * _centre(targets)) * (total - n * centres[component]) / n
        ends = [
            (wanted.value + sign * wanted.tolerance) * spread * other + shift for sign in (-1, 1)
        ]
        scale = max(int(spread * other / 10), 1)
        listed.append(Target(feature=k, low=ceil(ends[0]), high=floor(ends[1]), scale=scale))
    return listed


def _start(history: Sequence[Row], targets: VisitTargets, stream: RawStream) -> list[Row]:
    """Rows with a first guess of the visit: a normal measure, moved onto the nearest level."""
    sums = targets.sums
    mean = Fraction(sums.total, sums.n)
    variance = (Fraction(sums.squares_low + sums.squares_high, 2) - sums.n * mean**2) / (sums.n - 1)
    sd = Fraction(round(1000 * sqrt(variance)), 1000)
    rows = []
    for row in history:
        origin = row[0] if targets.measure == "change" else 0
        drawn = origin + normal_level(stream, mean=mean, sd=sd)
        rows.append((*row, nearest_level(targets.levels, drawn)))
    return rows
