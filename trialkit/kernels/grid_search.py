"""Integer scores that meet several exact targets at once, found by threshold accepting.

Each subject is a tuple of integers (one score, or a baseline and a follow-up, in units of the
grid step). A *feature* is an integer computed from one subject: a score, its squared distance
from some centre, a product of two scores, whether a cut is passed. A *target* bounds the sum of
a feature over all subjects. With the total fixed, the sum of squares fixes a standard deviation
and the sum of products a covariance; distances from a centre near the mean serve the search
better than plain squares, since a shift of one score then disturbs the total alone.

Penalties, moves and acceptance are whole numbers throughout and chance comes from a raw bit
stream, so the same start and stream give the same scores on every machine.

References
----------
Dueck G, Scheuer T (1990). Threshold accepting. J Comput Phys 90:161-175.
doi:10.1016/0021-9991(90)90201-B.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["Row", "Target", "search"]

Row = tuple[int, ...]
Features = Callable[[Row], Row]

# A target missed by its `scale` costs this much; moves costing up to the threshold are accepted.
UNIT = 1_000_000
FIRST_THRESHOLD = UNIT // 2
# Share of an attempt's moves after which only moves that cost nothing are accepted.
COOLING_SHARE = 3, 4
# Largest change of one score in one move, in levels.
STRIDE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Closed bounds for the sum of one feature; `scale` is a miss that counts as one unit."""

    feature: int
    low: int
    high: int
    scale: int = 1

    def penalty(self, value: int) -> int:
        """0 within the bounds, else the miss in units of `scale`, rounded up."""
        miss = max(self.low - value, value - self.high, 0)
        return -(-miss * UNIT // self.scale)


class _State:
    """The subjects, their features, the sums of the features and what these cost."""

    __slots__ = ("_compute", "_targets", "cost", "features", "rows", "sums")

    def __init__(self, rows: Sequence[Row], compute: Features, targets: Sequence[Target]) -> None:
        self._compute = compute
        self._targets = targets
        self.rows = list(rows)
        self.features = [compute(row) for row in rows]
        self.sums = [sum(column) for column in zip(*self.features, strict=True)]
        self.cost = self._cost(self.sums)

    def _cost(self, sums: Sequence[int]) -> int:
        return sum(target.penalty(sums[target.feature]) for target in self._targets)

    def try_rows(self, changes: Sequence[tuple[int, Row]], allowance: int) -> None:
        """Replace the given rows if that costs at most `allowance` more."""
        sums = self.sums.copy()
        fresh = []
        for index, row in changes:
            new = self._compute(row)
            fresh.append(new)
            for k, (before, after) in enumerate(zip(self.features[index], new, strict=True)):
                sums[k] += after - before
        cost = self._cost(sums)
        if cost <= self.cost + allowance:
            self.sums, self.cost = sums, cost
            for (index, row), values in zip(changes, fresh, strict=True):
                self.rows[index], self.features[index] = row, values


def search(
    rows: Sequence[Row],
    *,
    features: Features,
    targets: Sequence[Target],
    levels: Sequence[Sequence[int]],
    stream: RawStream,
    moves: int,
    admissible: Callable[[Row], bool] | None = None,
    free: Sequence[int] | None = None,
) -> list[Row] | None:
    """Rows that meet every target, starting from `rows`; None where `moves` did not suffice.

    `levels` holds, for each component of a row, the allowed scores in ascending order;
    `admissible` may forbid combinations. Every row of the start is on the levels and
    admissible. `free` lists the components that may move, all when left out. None is no proof
    that there are no such rows.
    """
    state = _State(rows, features, targets)
    movable = range(len(levels)) if free is None else free
    places = [{level: place for place, level in enumerate(allowed)} for allowed in levels]
    cooling = moves * COOLING_SHARE[0] // COOLING_SHARE[1]
    for move in range(moves):
        if state.cost == 0:
            return state.rows
        allowance = FIRST_THRESHOLD * max(cooling - move, 0) ** 2 // max(cooling, 1) ** 2
        changes = _proposal(state.rows, movable, levels, places, stream)
        if changes and (not admissible or all(admissible(row) for _, row in changes)):
            state.try_rows(changes, allowance)
    return state.rows if state.cost == 0 else None


def _proposal(
    rows: Sequence[Row],
    movable: Sequence[int],
    levels: Sequence[Sequence[int]],
    places: Sequence[dict[int, int]],
    stream: RawStream,
) -> list[tuple[int, Row]]:
    """One of three moves on one component: shift a score, shift two apart, exchange two."""
    component = movable[stream.below(len(movable))]
    kind = stream.below(3)
    first, second = stream.below(len(rows)), stream.below(len(rows))
    stride = stream.below(STRIDE) + 1
    if stream.below(2):
        stride = -stride
    if kind == 0:
        return _shifted(rows, first, component, stride, levels, places)
    if first == second:
        return []
    if kind == 1:
        up = _shifted(rows, first, component, stride, levels, places)
        down = _shifted(rows, second, component, -stride, levels, places)
        return [*up, *down] if up and down else []
    return [
        (first, _with(rows[first], component, rows[second][component])),
        (second, _with(rows[second], component, rows[first][component])),
    ]


def _shifted(
    rows: Sequence[Row],
    index: int,
    component: int,
    stride: int,
    levels: Sequence[Sequence[int]],
    places: Sequence[dict[int, int]],
) -> list[tuple[int, Row]]:
    place = places[component][rows[index][component]] + stride
    if not 0 <= place < len(levels[component]):
        return []
    return [(index, _with(rows[index], component, levels[component][place]))]


def _with(row: Row, component: int, value: int) -> Row:
    return (*row[:component], value, *row[component + 1 :])
