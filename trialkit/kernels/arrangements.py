"""The ways a design could have been carried out: sign flips of pairs, labels within strata.

An arrangement is a vector over the units. They are made in blocks, so that neither the
complete set nor a large sample of it has to stand in memory; the first is the observed one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb, prod

import numpy as np

from trialkit.typing import FloatArray, IntArray

__all__ = ["Labels", "Signs", "blocks"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signs:
    """+1 or -1 for each of `n` units: a pair's two conditions may be exchanged."""

    n: int

    @property
    def count(self) -> int:
        """How many arrangements there are."""
        return int(2**self.n)

    def complete(self, size: int) -> Iterator[FloatArray]:
        """All of them in blocks of at most `size` (b, n), the observed (all +1) first."""
        bits = np.arange(self.n, dtype=np.int64)
        for start in range(0, self.count, size):
            codes = np.arange(start, min(start + size, self.count), dtype=np.int64)
            yield 1.0 - 2.0 * ((codes[:, None] >> bits) & 1).astype(np.float64)

    def sample(self, n_draws: int, size: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """`n_draws` random ones in blocks."""
        for start in range(0, n_draws, size):
            shape = (min(size, n_draws - start), self.n)
            yield 1.0 - 2.0 * rng.integers(0, 2, shape).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """The observed 0/1 `labels` (n,), exchanged within each stratum of `strata` (n,)."""

    labels: FloatArray
    strata: IntArray

    def _groups(self) -> list[tuple[IntArray, int]]:
        groups = [np.flatnonzero(self.strata == code) for code in np.unique(self.strata)]
        return [(units, int(self.labels[units].sum())) for units in groups]

    @property
    def count(self) -> int:
        """How many different arrangements there are."""
        return prod(comb(units.size, k) for units, k in self._groups())

    def complete(self, size: int) -> Iterator[FloatArray]:
        """All of them in blocks of at most `size` (b, n)."""
        choices = []
        for units, k in self._groups():
            chosen = list(combinations(range(units.size), k))
            indicator = np.zeros((len(chosen), units.size))
            np.put_along_axis(
                indicator, np.array(chosen, dtype=np.int64).reshape(len(chosen), k), 1.0, axis=1
            )
            choices.append((units, indicator))
        for start in range(0, self.count, size):
            index = np.arange(start, min(start + size, self.count))
            block = np.empty((index.size, self.labels.size))
            for units, indicator in choices:
                block[:, units] = indicator[index % indicator.shape[0]]
                index = index // indicator.shape[0]
            yield block

    def sample(self, n_draws: int, size: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """`n_draws` random ones in blocks."""
        groups = self._groups()
        for start in range(0, n_draws, size):
            b = min(size, n_draws - start)
            block = np.empty((b, self.labels.size))
            for units, _ in groups:
                block[:, units] = rng.permuted(np.tile(self.labels[units], (b, 1)), axis=1)
            yield block


def blocks(matrix: FloatArray, size: int) -> Iterator[FloatArray]:
    """The rows of a given matrix of arrangements (B, n) in blocks."""
    for start in range(0, matrix.shape[0], size):
        yield matrix[start : start + size]
