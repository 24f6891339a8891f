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

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from trialkit.errors import DesignError, SpecError
from trialkit.kernels.grid_search import Target, search
from trialkit.kernels.grim import grimmer_possible, possible_sums
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.kernels.score_grid import Bound, ScoreGrid, as_fraction, rounding_interval
from trialkit.typing import IntArray

__all__ = ["decimals_of", "normal_level", "raw_stream", "scores_with_moments"]

# Attempts from fresh starts, and moves in each, before the search gives up.
ATTEMPTS = 6
MOVES = 20_000
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
) -> IntArray:
    """Scores, in units of `step`, whose mean and SD print as given; shape (n,), random order.

    `mean` and `sd` are the printed texts: their decimals are the rounding. `at_least` maps a
    score to the number of subjects at or above it. Raises DesignError with the proof where no
    scores on the grid between `low` and `high` print the two moments, and where the counts
    could not be met in the search (which says so: that is no proof).

    >>> scores = scores_with_moments("7.66", "1.55", n=47, low=0, high=10, rng=1)
    >>> f"{scores.mean():.2f} {scores.std(ddof=1):.2f}"
    '7.66 1.55'
    """
    grid = ScoreGrid.of(step=step, low=low, high=high)
    stream = raw_stream(rng, part="moments")
    verdict = grimmer_possible(
        mean,
        sd,
        mean_decimals=decimals_of(mean),
        sd_decimals=decimals_of(sd),
        n=n,
        step=grid.step,
        low=low,
        high=high,
    )
    if not verdict.possible:
        raise DesignError(
            f"No {n} scores in steps of {grid.step} from {low} to {high} have a mean printed "
            f"{mean} with SD {sd}: {verdict.reason}."
        )
    cuts = {as_fraction(cut) / grid.step: count for cut, count in (at_least or {}).items()}
    found = _search(mean, sd, n, grid, cuts, stream)
    if found is None and not cuts and verdict.example is not None:
        found = stream.shuffled(verdict.example)
    if found is None:
        raise DesignError(
            f"No {n} scores with mean {mean}, SD {sd} and the counts {dict(at_least or {})} were "
            f"found in {ATTEMPTS} attempts of {MOVES} moves; that does not prove there are none."
        )
    return np.array(found, dtype=np.int64)


def _search(
    mean: str, sd: str, n: int, grid: ScoreGrid, cuts: Mapping[Fraction, int], stream: RawStream
) -> list[int] | None:
    """Search towards each pair of total and middle sum of squares in turn."""
    if grid.low is None or grid.high is None:
        raise SpecError("Scores can only be drawn between two bounds.")
    levels = range(grid.low, grid.high + 1)
    centre, spread = as_fraction(mean) / grid.step, as_fraction(sd) / grid.step
    targets = _targets(mean, sd, n, grid, cuts)
    for attempt in range(ATTEMPTS):
        pair = targets[attempt % len(targets)]
        start = [
            (min(max(normal_level(stream, mean=centre, sd=spread), grid.low), grid.high),)
            for _ in range(n)
        ]
        rows = search(
            start,
            features=lambda row: (row[0], *(int(row[0] >= cut) for cut in cuts)),
            targets=pair,
            levels=[levels],
            stream=stream,
            moves=MOVES,
        )
        if rows is not None:
            return [score for (score,) in rows]
    return None


def _targets(
    mean: str, sd: str, n: int, grid: ScoreGrid, cuts: Mapping[Fraction, int]
) -> list[list[Target]]:
    """One list of targets for each total that prints the mean and has a sum of squares."""
    counts = [
        Target(kind="total", feature=k, low=count, high=count)
        for k, count in enumerate(cuts.values(), start=1)
    ]
    shortest, longest = rounding_interval(sd, decimals_of(sd))
    below, above = (n * (n - 1) * (end / grid.step) ** 2 for end in (shortest, longest))
    listed = []
    for total, squares in _sums(mean, sd, n, grid):
        # A spread exactly on a rounding boundary prints by the reader's convention: avoided
        # wherever there is another.
        spreads = [n * square - total * total for square in squares]
        inside = [spread for spread in spreads if below < spread < above] or spreads
        if inside:
            moments = [
                Target(kind="total", feature=0, low=total, high=total, scale=n),
                Target(
                    kind="spread",
                    feature=0,
                    low=inside[0],
                    high=inside[-1],
                    scale=max(inside[-1] // 10, 1),
                ),
            ]
            listed.append([*moments, *counts])
    # The total nearest the printed mean first: it is the least likely to sit on a boundary.
    centre = as_fraction(mean) * n / grid.step
    return sorted(listed, key=lambda targets: abs(targets[0].low - centre))


def _sums(mean: str, sd: str, n: int, grid: ScoreGrid) -> Iterator[tuple[int, range]]:
    return possible_sums(
        mean,
        sd,
        mean_decimals=decimals_of(mean),
        sd_decimals=decimals_of(sd),
        n=n,
        step=grid.step,
        low=None if grid.low is None else grid.low * grid.step,
        high=None if grid.high is None else grid.high * grid.step,
    )
