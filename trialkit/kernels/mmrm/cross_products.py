"""Cross-products of the observations of each missingness pattern: all the data a fit needs.

For pattern k and visits a, b among its visits, C_k[a, b] = sum over subjects of z_a z_b', with
z = [x y]. Two operations on them give the likelihood, its derivatives and the small-sample
corrections: `pool` (visits by visits weights in, coefficients by coefficients out) and `spread`
(the reverse). Neither depends on the number of subjects. Products of two sets of subjects add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from trialkit.errors import DataError
from trialkit.kernels.mmrm.basis import Basis
from trialkit.kernels.mmrm.layout import Layout
from trialkit.kernels.mmrm.patterns import Patterns, merged
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["CrossProducts", "cross_products", "triangle_weights", "unpack_triangle"]

# Rows of z held at once while products are formed: bounds the memory, not the result.
CHUNK_ROWS = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossProducts:
    """Packed cross-products: a row for each pattern and pair of visits a <= b.

    `packed` (R, C) holds the upper triangle of C_k[a, b] + C_k[a, b]' (of C_k[a, a] where
    a = b), all that symmetric weights can see. `pattern`, `low`, `high` (R,) say which row is
    which; rows are sorted by pattern. `width` is the length of z.
    """

    packed: FloatArray
    pattern: IntArray
    low: IntArray
    high: IntArray
    width: int
    patterns: Patterns

    def pool(self, weights: FloatArray, patterns: slice | None = None) -> FloatArray:
        """Sum over patterns and visits of weights[..., k, a, b] C_k[a, b]: (..., width, width).

        `weights` (..., K, m, m) are symmetric in a, b; `patterns` says which patterns they
        are for, where not all.
        """
        rows, offset = self._rows(patterns)
        chosen = weights[..., self.pattern[rows] - offset, self.low[rows], self.high[rows]]
        return unpack_triangle(chosen @ self.packed[rows], self.width)

    def spread(self, matrix: FloatArray) -> FloatArray:
        """Inner products <C_k[a, b], matrix> with a symmetric (width, width): (K, m, m)."""
        inner = self.packed @ triangle_weights(matrix)
        inner[self.low != self.high] *= 0.5  # these rows hold C and its transpose
        m = self.patterns.n_visits
        out = np.zeros((self.patterns.n_patterns, m, m))
        out[self.pattern, self.low, self.high] = inner
        out[self.pattern, self.high, self.low] = inner
        return out

    def __add__(self, other: Self) -> Self:
        """The products of both sets of subjects, on the patterns of either.

        Both must have been made on one basis; which one matters to rounding only.
        """
        if self.width != other.width:
            raise DataError("Cross-products of different models cannot be added.")
        patterns, *places = merged(self.patterns, other.patterns)
        pattern, low, high = _pair_rows(patterns.mask)
        packed = np.zeros((pattern.size, self.packed.shape[1]))
        for part, place in zip((self, other), places, strict=True):
            # A pattern's pairs come in the same order everywhere.
            first = np.searchsorted(part.pattern, part.pattern)
            target = np.searchsorted(pattern, place[part.pattern])
            packed[target + np.arange(part.pattern.size) - first] += part.packed
        return type(self)(
            packed=packed,
            pattern=pattern,
            low=low,
            high=high,
            width=self.width,
            patterns=patterns,
        )

    def _rows(self, patterns: slice | None) -> tuple[slice, int]:
        if patterns is None:
            return slice(None), 0
        low, high = np.searchsorted(self.pattern, [patterns.start, patterns.stop])
        return slice(int(low), int(high)), patterns.start


def cross_products(
    x: FloatArray, y: FloatArray, *, layout: Layout, basis: Basis, weights: FloatArray | None
) -> CrossProducts:
    """Cross-products of z = [Q, r] from rows x (N, P), y (N,), weights (N,) in caller's order."""
    pattern, low, high = _pair_rows(layout.mask)
    width = basis.factor.shape[0] + 1
    triangle = _triangle_positions(width)
    packed = np.zeros((pattern.size, triangle[0].size))
    row = 0
    for position in range(layout.n_patterns):
        product = _gram(x, y, layout=layout, basis=basis, weights=weights, pattern=position)
        first, second = np.triu_indices(product.shape[0])
        block = product[first, :, second, :].reshape(first.size, width * width)
        target = packed[row : row + first.size]
        np.take(block, triangle[0], axis=1, out=target)
        target += np.take(block, triangle[1], axis=1)
        target[first == second] *= 0.5
        row += first.size
    return CrossProducts(
        packed=packed,
        pattern=pattern,
        low=low,
        high=high,
        width=width,
        patterns=layout.bare(),
    )


def _pair_rows(mask: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """Pattern and pairs of visits a <= b of the packed rows, by pattern."""
    n_visits = mask.shape[1]
    upper = np.triu(np.ones((n_visits, n_visits), dtype=np.bool_))
    pattern, low, high = np.nonzero(mask[:, :, None] & mask[:, None, :] & upper)
    return pattern.astype(np.int64), low.astype(np.int64), high.astype(np.int64)


def _gram(
    x: FloatArray,
    y: FloatArray,
    *,
    layout: Layout,
    basis: Basis,
    weights: FloatArray | None,
    pattern: int,
) -> FloatArray:
    """All products of one pattern: (m_k, width, m_k, width)."""
    size = int(layout.mask[pattern].sum())
    width = basis.factor.shape[0] + 1
    total = np.zeros((size * width, size * width))
    step = max(1, CHUNK_ROWS // size) * size
    for begin in range(layout.first[pattern], layout.first[pattern + 1], step):
        rows = layout.order[begin : min(begin + step, layout.first[pattern + 1])]
        z = basis.rows(x[rows], y[rows])
        if weights is not None:
            z *= np.sqrt(weights[rows])[:, None]
        wide = z.reshape(-1, size * width)
        total += wide.T @ wide
    return total.reshape(size, width, size, width)


def unpack_triangle(packed: FloatArray, width: int) -> FloatArray:
    """Symmetric matrices (..., width, width) from their packed upper triangles."""
    position = np.empty((width, width), dtype=np.intp)
    upper = np.triu_indices(width)
    position[upper] = np.arange(upper[0].size)
    position[upper[1], upper[0]] = np.arange(upper[0].size)
    return np.ascontiguousarray(packed[..., position])


def triangle_weights(matrix: FloatArray) -> FloatArray:
    """The vector whose product with a packed triangle is the inner product with `matrix`."""
    upper = np.triu_indices(matrix.shape[0])
    return np.asarray(np.where(upper[0] == upper[1], 1.0, 2.0) * matrix[upper])


def _triangle_positions(width: int) -> tuple[IntArray, IntArray]:
    """Flat positions of the upper triangle, and of its mirror image."""
    row, column = np.triu_indices(width)
    return row * width + column, column * width + row
