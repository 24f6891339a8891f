"""Cross-products of many reweighted copies of one data set, never formed from its rows again.

A copy gives each subject a weight: zero leaves it out, two counts it twice. Products are sums
over subjects, so a copy's are the full ones less one subject's, or a weighted sum.
Shapes: B copies, K patterns, m visits, z of length w, R packed rows of C numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from trialkit.kernels.mmrm.cross_products import CrossProducts, unpack_triangle
from trialkit.kernels.mmrm.subject_rows import SubjectRows
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["LeftOut", "Products", "Weighted", "subject_products"]


class Products(Protocol):
    """The cross-products of B copies, with `count` (B, K) of subjects by pattern."""

    @property
    def count(self) -> FloatArray:
        """Subjects of each pattern in each copy."""

    def pool(self, weights: FloatArray) -> FloatArray:
        """Sum of weights[b, k, a, c] C_bk[a, c], for weights (B, K, m, m): (B, w, w)."""

    def spread(self, matrix: FloatArray) -> FloatArray:
        """Inner products <C_bk[a, c], matrix[b]> for matrices (B, w, w): (B, K, m, m)."""

    def one(self, copy: int) -> CrossProducts:
        """The products of one copy, for a fit by itself."""

    def some(self, copies: BoolArray) -> Self:
        """Those of the copies where `copies` (B,) is true."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOut:
    """Copy b lacks one subject: its rows `z` (B, m, w), zero where not seen, of `pattern` (B,)."""

    full: CrossProducts
    z: FloatArray
    pattern: IntArray

    @property
    def count(self) -> FloatArray:
        """As `Products`."""
        out = np.repeat(
            self.full.patterns.count[None].astype(np.float64), self.pattern.size, axis=0
        )
        out[np.arange(self.pattern.size), self.pattern] -= 1
        return out

    def pool(self, weights: FloatArray) -> FloatArray:
        """As `Products`."""
        own = weights[np.arange(self.pattern.size), self.pattern]
        return np.asarray(self.full.pool(weights) - self.z.swapaxes(1, 2) @ (own @ self.z))

    def spread(self, matrix: FloatArray) -> FloatArray:
        """As `Products`."""
        inner = triangle_weights(matrix) @ self.full.packed.T
        out = _unfold(inner, self.full)
        out[np.arange(self.pattern.size), self.pattern] -= (self.z @ matrix) @ self.z.swapaxes(1, 2)
        return out

    def one(self, copy: int) -> CrossProducts:
        """As `Products`."""
        rows = self.full.pattern == self.pattern[copy]
        packed = self.full.packed.copy()
        packed[rows] -= pack(self.z[copy][None], self.full, rows)[0]
        count = self.count[copy]
        return replace(self.full, packed=packed, patterns=replace(self.full.patterns, count=count))

    def some(self, copies: BoolArray) -> Self:
        """As `Products`."""
        return replace(self, z=self.z[copies], pattern=self.pattern[copies])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighted:
    """Copies with products `packed` (B, R, C) of their own, arranged as `full`."""

    full: CrossProducts
    packed: FloatArray
    count: FloatArray

    def pool(self, weights: FloatArray) -> FloatArray:
        """As `Products`."""
        full = self.full
        chosen = weights[:, full.pattern, full.low, full.high]
        return unpack_triangle((chosen[:, None, :] @ self.packed)[:, 0], full.width)

    def spread(self, matrix: FloatArray) -> FloatArray:
        """As `Products`."""
        inner = (self.packed @ triangle_weights(matrix)[:, :, None])[:, :, 0]
        return _unfold(inner, self.full)

    def one(self, copy: int) -> CrossProducts:
        """As `Products`."""
        return replace(
            self.full,
            packed=self.packed[copy],
            patterns=replace(self.full.patterns, count=self.count[copy]),
        )

    def some(self, copies: BoolArray) -> Self:
        """As `Products`."""
        return replace(self, packed=self.packed[copies], count=self.count[copies])


def subject_products(rows: SubjectRows, full: CrossProducts) -> list[FloatArray]:
    """Each subject's own packed products, one (n_k, R_k, C) a pattern, in the order of `rows`."""
    out = []
    for pattern in range(full.patterns.n_patterns):
        members = rows.pattern == pattern
        out.append(pack(rows.z[members], full, full.pattern == pattern))
    return out


def pack(z: FloatArray, full: CrossProducts, rows: FloatArray) -> FloatArray:
    """Products of single subjects z (n, m, w) at the packed `rows` of their pattern: (n, R, C)."""
    low, high = full.low[rows], full.high[rows]
    first, second = np.triu_indices(full.width)
    a, b = z[:, low], z[:, high]
    packed = a[:, :, first] * b[:, :, second]
    packed += a[:, :, second] * b[:, :, first]
    packed[:, low == high] *= 0.5
    return packed


def triangle_weights(matrix: FloatArray) -> FloatArray:
    """Vectors (B, C) whose product with a packed triangle is the inner product with `matrix`."""
    first, second = np.triu_indices(matrix.shape[-1])
    return np.asarray(np.where(first == second, 1.0, 2.0) * matrix[..., first, second])


def _unfold(inner: FloatArray, full: CrossProducts) -> FloatArray:
    """Values (B, R) of the packed rows at their places in (B, K, m, m)."""
    inner[:, full.low != full.high] *= 0.5  # these rows hold C and its transpose
    out = np.zeros(
        (inner.shape[0], full.patterns.n_patterns, full.patterns.n_visits, full.patterns.n_visits)
    )
    out[:, full.pattern, full.low, full.high] = inner
    out[:, full.pattern, full.high, full.low] = inner
    return out
