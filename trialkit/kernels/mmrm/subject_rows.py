"""The same two operations as cross-products, on the subjects' own rows.

Where nearly every subject has a pattern of its own (times that differ, many visits), sums over
subjects of a pattern would be larger than the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.kernels.mmrm.basis import Basis
from trialkit.kernels.mmrm.cross_products import CrossProducts, cross_products
from trialkit.kernels.mmrm.layout import Layout
from trialkit.typing import FloatArray, IntArray

__all__ = ["Moments", "SubjectRows", "moments", "padded_rows"]

# Work of one derivative by products over that by rows, up to which products are preferred:
# they run as one large matrix product, rows as many small ones.
PRODUCT_ADVANTAGE = 2.0
# Numbers in the products beyond which memory decides (160 MB).
MANY_PRODUCTS = 2e7


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRows:
    """Rows z of each subject at each visit, zero where not seen: `z` (n, m, width).

    `pattern` (n,) is sorted; subjects of a pattern lie together.
    """

    z: FloatArray
    pattern: IntArray
    n_patterns: int

    def pool(self, weights: FloatArray, patterns: slice | None = None) -> FloatArray:
        """As `CrossProducts.pool`."""
        rows, offset = slice(None), 0
        if patterns is not None:
            low, high = np.searchsorted(self.pattern, [patterns.start, patterns.stop])
            rows, offset = slice(int(low), int(high)), patterns.start
        z, pattern = self.z[rows], self.pattern[rows] - offset
        width = z.shape[2]
        flat = z.reshape(-1, width)
        stack = weights.reshape(-1, *weights.shape[-3:])
        out = np.empty((stack.shape[0], width, width))
        for position, weight in enumerate(stack):
            half = flat.T @ (weight[pattern] @ z).reshape(-1, width)
            out[position] = (half + half.T) / 2
        return out.reshape(*weights.shape[:-3], width, width)

    def spread(self, matrix: FloatArray) -> FloatArray:
        """As `CrossProducts.spread`."""
        each = (self.z @ matrix) @ self.z.transpose(0, 2, 1)
        first = np.searchsorted(self.pattern, np.arange(self.n_patterns))
        return np.asarray(np.add.reduceat(each, first, axis=0))


Moments = CrossProducts | SubjectRows


def padded_rows(
    x: FloatArray, y: FloatArray, *, layout: Layout, basis: Basis, weights: FloatArray | None
) -> SubjectRows:
    """Rows z = [Q, r] of every subject, in the order of the layout."""
    z = basis.rows(x[layout.order], y[layout.order])
    if weights is not None:
        z *= np.sqrt(weights[layout.order])[:, None]
    pattern = np.repeat(np.arange(layout.n_patterns), layout.count)
    size = layout.mask.sum(axis=1)[pattern]
    out = np.zeros((layout.n_subjects, layout.n_visits, z.shape[1]))
    out[np.repeat(np.arange(size.size), size), layout.visit] = z
    return SubjectRows(z=out, pattern=pattern, n_patterns=layout.n_patterns)


def moments(
    x: FloatArray, y: FloatArray, *, layout: Layout, basis: Basis, weights: FloatArray | None
) -> Moments:
    """Products where patterns repeat, rows where they do not: whichever is less work."""
    width = basis.factor.shape[0] + 1
    size = layout.mask.sum(axis=1)
    products = float((size * (size + 1) / 2).sum()) * width * (width + 1) / 2
    m = layout.n_visits
    numbers = float(layout.n_subjects) * m * width
    is_slower = products > PRODUCT_ADVANTAGE * numbers * (m + width)
    is_larger = products > max(MANY_PRODUCTS, numbers)
    build = padded_rows if is_slower or is_larger else cross_products
    return build(x, y, layout=layout, basis=basis, weights=weights)
