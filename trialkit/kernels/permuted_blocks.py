"""Random arrangements of a block, and of blocks into a list of given length.

Only the raw 64-bit stream of PCG64 and the hashing of `SeedSequence` are used: numpy promises
both for all time, while the methods of `Generator` may change their stream between releases.
A list can therefore be made again, byte for byte, from its seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from trialkit.errors import SpecError

__all__ = ["RawStream", "block_sizes", "fillable", "streams"]

T = TypeVar("T")

_WORD = 2**64


class RawStream:
    """Uniform integers and shuffles from the raw stream of one bit generator."""

    __slots__ = ("_bits",)

    def __init__(self, seed: np.random.SeedSequence) -> None:
        self._bits = np.random.PCG64(seed)

    def below(self, bound: int) -> int:
        """A uniform integer in 0..bound-1; words past the last whole multiple are rejected."""
        limit = _WORD - _WORD % bound
        while True:
            word = int(self._bits.random_raw())
            if word < limit:
                return word % bound

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in an order drawn uniformly from all orders (Fisher-Yates)."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


def streams(seed: int, count: int) -> list[RawStream]:
    """One independent stream a stratum: adding strata at the end leaves the others as they are."""
    return [RawStream(child) for child in np.random.SeedSequence(seed).spawn(count)]


def fillable(length: int, sizes: Sequence[int]) -> list[bool]:
    """For each number 0..length, whether whole blocks of the given sizes can add up to it."""
    reachable = [True] + [False] * length
    for total in range(1, length + 1):
        reachable[total] = any(size <= total and reachable[total - size] for size in sizes)
    return reachable


def block_sizes(length: int, sizes: Sequence[int], stream: RawStream) -> list[int]:
    """Sizes of successive blocks that add up to exactly `length`.

    Each is drawn uniformly from the sizes after which the rest can still be filled by whole
    blocks; only near the end of the list does that leave fewer than all of them.
    """
    reachable = fillable(length, sizes)
    if not reachable[length]:
        raise SpecError(f"{length} cannot be made of whole blocks of {', '.join(map(str, sizes))}.")
    drawn: list[int] = []
    rest = length
    while rest:
        possible = [size for size in sizes if size <= rest and reachable[rest - size]]
        size = possible[stream.below(len(possible))]
        drawn.append(size)
        rest -= size
    return drawn
