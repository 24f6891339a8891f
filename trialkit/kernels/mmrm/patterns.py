"""Missingness patterns: which visits were seen, by how many subjects, in which group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from trialkit.errors import DataError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["Patterns", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """K patterns of m visits, sorted by group.

    `mask` (K, m) marks the visits seen, `group` (K,) is the covariance group's code, `count`
    (K,) the number of subjects. `time` (K, m) holds the pattern's own times where subjects
    differ in them (zero where not seen), else None.
    """

    mask: BoolArray
    group: IntArray
    count: IntArray
    n_groups: int
    time: FloatArray | None = None

    @property
    def n_patterns(self) -> int:
        """Number of patterns K."""
        return int(self.count.size)

    @property
    def n_visits(self) -> int:
        """Number of visits m."""
        return int(self.mask.shape[1])

    @property
    def n_subjects(self) -> int:
        """Number of subjects n with at least one observation."""
        return int(self.count.sum())

    @property
    def seen_together(self) -> BoolArray:
        """Pairs of visits seen: (K, m, m)."""
        return np.asarray(self.mask[:, :, None] & self.mask[:, None, :])

    def group_slice(self, group: int) -> slice:
        """The patterns of one group, which lie together."""
        low, high = np.searchsorted(self.group, [group, group + 1])
        return slice(int(low), int(high))

    def bare(self) -> Patterns:
        """The patterns alone, without the observations behind them."""
        return Patterns(
            mask=self.mask,
            group=self.group,
            count=self.count,
            n_groups=self.n_groups,
            time=self.time,
        )

    def rows(self) -> FloatArray:
        """What tells patterns apart: (K, 1 + m), or (K, 1 + 2 m) with times."""
        parts = [self.group[:, None], self.mask]
        return np.hstack(parts if self.time is None else [*parts, self.time]).astype(np.float64)

    @classmethod
    def from_rows(cls, rows: FloatArray, count: IntArray, *, n_visits: int, n_groups: int) -> Self:
        """Patterns from what `rows()` gives."""
        has_time = rows.shape[1] > 1 + n_visits
        return cls(
            mask=rows[:, 1 : 1 + n_visits] > 0,
            group=rows[:, 0].astype(np.int64),
            count=count,
            n_groups=n_groups,
            time=rows[:, 1 + n_visits :] if has_time else None,
        )


def merged(one: Patterns, other: Patterns) -> tuple[Patterns, IntArray, IntArray]:
    """The patterns of two sets of subjects, and where each set's patterns are among them."""
    mine, theirs = one.rows(), other.rows()
    if mine.shape[1] != theirs.shape[1] or one.n_groups != other.n_groups:
        raise DataError("Patterns of different visits or groups cannot be put together.")
    rows, place = np.unique(np.vstack([mine, theirs]), axis=0, return_inverse=True)
    place = place.reshape(-1)
    count = np.zeros(rows.shape[0], dtype=np.int64)
    np.add.at(count, place, np.concatenate([one.count, other.count]))
    together = Patterns.from_rows(rows, count, n_visits=one.n_visits, n_groups=one.n_groups)
    return together, place[: mine.shape[0]], place[mine.shape[0] :]
