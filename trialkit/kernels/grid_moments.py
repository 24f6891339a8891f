"""Scores on an instrument's grid that carry a printed mean and standard deviation.

The idea of SPRITE (Heathers, Anaya, van der Zee, Brown 2018), made exact: the sums that print
the moments are listed in whole numbers, so that data are either found or shown not to exist.

References
----------
Heathers JAJ, Anaya J, van der Zee T, Brown NJL (2018). Recovering data from summary statistics:
Sample Parameter Reconstruction via Iterative TEchniques (SPRITE). PeerJ Preprints 6:e26968v1.
doi:10.7287/peerj.preprints.26968v1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

import numpy as np

from trialkit.errors import DesignError, SpecError
from trialkit.kernels.grid_search import Target, search
from trialkit.kernels.grim import grimmer_possible, possible_sums
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.kernels.score_grid import Bound, ScoreGrid, as_fraction, rounding_interval
from trialkit.typing import IntArray

__all__ = [
    "MomentSums",
    "decimals_of",
    "moment_sums",
    "nearest_level",
    "normal_level",
    "raw_stream",
    "scores_with_moments",
]

# Attempts from fresh starts, and moves in each, before the search gives up.
ATTEMPTS = 6
MOVES = 20_000
# Share of the SD's rounding band aimed at first.
MIDDLE = Fraction(1, 5)
# A normal deviate is approximated by the sum of this many uniform draws (Irwin-Hall).
UNIFORMS = 12
UNIFORM_RANGE = 2**16


def raw_stream(rng: np.random.Generator | int | None, *, part: str = "") -> RawStream:
    """A reproducible stream from a seed or a generator; `part` names an independent branch.

    Raises SpecError for None: chance is never drawn from a default seed.
    """
    if rng is None:
        raise SpecError("rng=None: give a seed or a numpy Generator; there is no default seed.")
    if isinstance(rng, np.random.Generator):
        seed = int(rng.bit_generator.random_raw())
    elif rng < 0:
        raise SpecError(f"rng={rng}: a seed is a whole number from 0 up.")
    else:
        seed = int(rng)
    return RawStream(np.random.SeedSequence([seed, *part.encode()]))


def decimals_of(printed: str) -> int:
    """Number of decimals of a number as printed: 2 for "7.10"."""
    return len(printed.partition(".")[2])


def normal_level(stream: RawStream, *, mean: Fraction, sd: Fraction) -> int:
    """An integer near a normal deviate, by whole-number arithmetic alone."""
    total = sum(stream.below(UNIFORM_RANGE) for _ in range(UNIFORMS))
    deviate = Fraction(2 * total - UNIFORMS * (UNIFORM_RANGE - 1), 2 * UNIFORM_RANGE)
    return round(mean + sd * deviate)


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentSums:
    """A total and the bounds of a sum of squares, in grid units, that print two moments."""

    n: int
    total: int
    squares_low: int
    squares_high: int

    def narrowed(self, share: Fraction) -> MomentSums:
        """The same total, with a sum of squares in the middle `share` of its band."""
        middle = (self.squares_low + self.squares_high) // 2
        # At least one either side: sums of squares of one total lie two apart.
        reach = floor(Fraction(self.squares_high - self.squares_low, 2) * share) + 1
        return MomentSums(
            n=self.n,
            total=self.total,
            squares_low=max(middle - reach, self.squares_low),
            squares_high=min(middle + reach, self.squares_high),
        )

    def targets(self, *, feature: int, centre: int) -> list[Target]:
        """Targets for a score (`feature`) and its squared distance from `centre` (the next)."""
        moved = self.n * centre**2 - 2 * centre * self.total
        low, high = self.squares_low + moved, self.squares_high + moved
        return [
            Target(feature=feature, low=self.total, high=self.total, scale=self.n),
            Target(feature=feature + 1, low=low, high=high, scale=max(high // 10, 1)),
        ]


def nearest_level(levels: Sequence[int], value: int) -> int:
    """The allowed score nearest a value, the lower of two."""
    return min(levels, key=lambda level: abs(level - value))


def moment_sums(
    mean: str, sd: str, *, n: int, step: Bound = 1, low: Bound, high: Bound
) -> list[MomentSums]:
    """Sums of `n` grid scores that print the mean and SD, the total nearest the mean first.

    A spread exactly on a rounding boundary prints by the reader's convention and is left out
    wherever there is another. Raises DesignError with the proof where no scores on the grid
    between `low` and `high` have such sums.
    """
    unit = ScoreGrid.of(step=step, low=low, high=high).step
    moments = {"mean_decimals": decimals_of(mean), "sd_decimals": decimals_of(sd), "n": n}
    verdict = grimmer_possible(mean, sd, step=unit, low=low, high=high, **moments)
    if not verdict.possible:
        raise DesignError(
            f"No {n} scores in steps of {unit} from {low} to {high} have a mean printed {mean} "
            f"with SD {sd}: {verdict.reason}."
        )
    ends = [(n - 1) * (end / unit) ** 2 for end in rounding_interval(sd, decimals_of(sd))]
    listed = []
    for total, squares in possible_sums(mean, sd, step=unit, low=low, high=high, **moments):
        between = [end + Fraction(total**2, n) for end in ends]
        inside = [square for square in squares if between[0] < square < between[1]] or squares
        if inside:
            listed.append(
                MomentSums(n=n, total=total, squares_low=inside[0], squares_high=inside[-1])
            )
    exact = as_fraction(mean) * n / unit
    return sorted(listed, key=lambda sums: abs(sums.total - exact))


def scores_with_moments(
    mean: str,
    sd: str,
    *,
    n: int,
    rng: np.random.Generator | int | None,
    step: Bound = 1,
    low: Bound,
    high: Bound,
    at_least: Mapping[Bound, int] | None = None,
    allowed: Sequence[int] | None = None,
    total: int | None = None,
) -> IntArray:
    """Scores, in units of `step`, whose mean and SD print as given; shape (n,), random order.

    `mean` and `sd` are the printed texts: their decimals are the rounding. `at_least` maps a
    score to the number of subjects at or above it; `allowed` lists the scores that occur, in
    units of `step`, where not every step between the bounds does; `total` picks one of the
    totals that print the mean. Raises DesignError with the proof where no
    scores on the grid between `low` and `high` print the two moments, and where the counts or
    the allowed scores could not be met in the search (which says so: that is no proof). An SD
    near the printed one, rather than anywhere in its rounding band, is tried first.

    >>> scores = scores_with_moments("7.66", "1.55", n=47, low=0, high=10, rng=1)
    >>> f"{scores.mean():.2f} {scores.std(ddof=1):.2f}"
    '7.66 1.55'
    """
    grid = ScoreGrid.of(step=step, low=low, high=high)
    stream = raw_stream(rng, part="moments")
    listed = moment_sums(mean, sd, n=n, step=grid.step, low=low, high=high)
    if total is not None:
        listed = [sums for sums in listed if sums.total == total]
        if not listed:
            raise DesignError(f"A total of {total} steps does not print the mean {mean} (SD {sd}).")
    cuts = {as_fraction(cut) / grid.step: count for cut, count in (at_least or {}).items()}
    spread = as_fraction(sd) / grid.step
    first, last = grid.bounds()
    levels = sorted(
        level for level in (allowed or range(first, last + 1)) if first <= level <= last
    )
    for attempt in range(ATTEMPTS):
        sums = listed[attempt % len(listed)]
        aimed = sums.narrowed(MIDDLE) if attempt < ATTEMPTS // 2 else sums
        found = _search(aimed, spread, levels, cuts, stream)
        if found is not None:
            return np.array(found, dtype=np.int64)
    if not cuts and allowed is None and total is None:
        # The search failed where an example is known: near the greatest spread, say.
        example = _example(mean, sd, n=n, grid=grid)
        if example is not None:
            return np.array(stream.shuffled(example), dtype=np.int64)
    raise DesignError(
        f"No {n} scores with mean {mean}, SD {sd} and the counts {dict(at_least or {})} were "
        f"found in {ATTEMPTS} attempts of {MOVES} moves; that does not prove there are none."
    )


def _search(
    sums: MomentSums,
    spread: Fraction,
    levels: Sequence[int],
    cuts: Mapping[Fraction, int],
    stream: RawStream,
) -> list[int] | None:
    """Scores with the given sums and counts, from a start near a normal sample."""
    average = Fraction(sums.total, sums.n)
    centre = round(average)
    start = [
        (nearest_level(levels, normal_level(stream, mean=average, sd=spread)),)
        for _ in range(sums.n)
    ]
    counts = [
        Target(feature=k, low=count, high=count) for k, count in enumerate(cuts.values(), start=2)
    ]
    rows = search(
        start,
        features=lambda row: (row[0], (row[0] - centre) ** 2, *(row[0] >= cut for cut in cuts)),
        targets=[*sums.targets(feature=0, centre=centre), *counts],
        levels=[levels],
        stream=stream,
        moves=MOVES,
    )
    return None if rows is None else [score for (score,) in rows]


def _example(mean: str, sd: str, *, n: int, grid: ScoreGrid) -> tuple[int, ...] | None:
    low, high = grid.bounds()
    return grimmer_possible(
        mean,
        sd,
        mean_decimals=decimals_of(mean),
        sd_decimals=decimals_of(sd),
        n=n,
        step=grid.step,
        low=low * grid.step,
        high=high * grid.step,
    ).example
