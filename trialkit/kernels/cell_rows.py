"""Rows of subjects reduced to cells, without loss for variances that are alike within a cell.

A *cell* is a set of rows of one subject that nothing tells apart but independent error: its
measurements in a period, or under a treatment. A rotation leaves for each cell of n rows one row,
sqrt(n) times its mean, and n - 1 rows of deviations whose variance is that of the error
alone. The mean rows of a subject keep a small covariance; subjects with equal cells share it,
a *pattern*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["CellRows", "reduce_to_cells"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellRows:
    """Units (subjects, and one for each class's deviations) of up to m rows of z (w columns).

    `rows` (n, m, w) are zero where a unit has fewer; `pattern` (n,) is each unit's. Of the K
    patterns, `size` (K, m) is the number of rows n of a cell (zero: no cell, and for
    deviations), `kind` (K, m) the error class of each row (-1: no row), and `count` (K,) how
    many times the log determinant of the pattern's covariance enters the likelihood.
    """

    rows: FloatArray
    pattern: IntArray
    size: FloatArray
    kind: IntArray
    count: FloatArray

    @property
    def is_row(self) -> BoolArray:
        """Which of a pattern's rows (K, m) there are."""
        return self.kind >= 0


def reduce_to_cells(z: FloatArray, subject: IntArray, cell: IntArray, kind: IntArray) -> CellRows:
    """Reduce rows z (N, w) of subjects (codes (N,) from 0) by cell and error class (N,).

    `cell` are codes within a subject; all rows of a cell have one class.
    """
    _, first, code = np.unique(
        subject * (int(cell.max()) + 1) + cell, return_index=True, return_inverse=True
    )
    n_rows = np.bincount(code)
    sums = np.zeros((n_rows.size, z.shape[1]))
    np.add.at(sums, code, z)
    own_kind = kind[first]
    rows, keys = _by_subject(
        sums / np.sqrt(n_rows)[:, None], subject[first], n_rows.astype(np.int64), own_kind
    )
    deviations = z - (sums / n_rows[:, None])[code]
    patterns, pattern, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    m = rows.shape[1]
    parts = _Parts([rows], [pattern.reshape(-1)], [patterns[:, :m]], [patterns[:, m:]], [count])
    for each in range(int(kind.max()) + 1):
        free = int((kind == each).sum() - (own_kind == each).sum())
        if free:
            parts.add_deviations(deviations[kind == each], each, free)
    return CellRows(
        rows=np.concatenate(parts.rows),
        pattern=np.concatenate(parts.pattern),
        size=np.concatenate(parts.size).astype(np.float64),
        kind=np.concatenate(parts.kind),
        count=np.concatenate(parts.count).astype(np.float64),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """The units and patterns collected so far."""

    rows: list[FloatArray]
    pattern: list[IntArray]
    size: list[IntArray]
    kind: list[IntArray]
    count: list[IntArray]

    def add_deviations(self, deviations: FloatArray, kind: int, free: int) -> None:
        """Deviations of one class: a triangle with their cross-products stands for all of them."""
        triangle = linalg.qr(deviations, mode="r", check_finite=False)[0][: deviations.shape[1]]
        m = self.rows[0].shape[1]
        rows = np.zeros((triangle.shape[0], m, triangle.shape[1]))
        rows[:, 0] = triangle
        own = np.full((1, m), -1, dtype=np.int64)
        own[0, 0] = kind
        number = sum(each.shape[0] for each in self.kind)
        self.rows.append(rows)
        self.pattern.append(np.full(triangle.shape[0], number, dtype=np.int64))
        self.size.append(np.zeros((1, m), dtype=np.int64))
        self.kind.append(own)
        self.count.append(np.array([free]))


def _by_subject(
    means: FloatArray, subject: IntArray, n_rows: IntArray, kind: IntArray
) -> tuple[FloatArray, IntArray]:
    """Rows (S, m, w) of every subject, and its sizes and classes (S, 2 m), in one order."""
    order = np.lexsort((n_rows, kind, subject))
    who = subject[order]
    n_cells = np.bincount(who)
    place = np.arange(who.size) - np.repeat(np.cumsum(n_cells) - n_cells, n_cells)
    m = int(n_cells.max())
    rows = np.zeros((n_cells.size, m, means.shape[1]))
    rows[who, place] = means[order]
    size = np.zeros((n_cells.size, m), dtype=np.int64)
    size[who, place] = n_rows[order]
    kinds = np.full((n_cells.size, m), -1, dtype=np.int64)
    kinds[who, place] = kind[order]
    return rows, np.hstack([size, kinds])
