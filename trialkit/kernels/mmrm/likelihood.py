"""-2 log-likelihood of the covariance, with exact gradient and Hessian.

Fixed effects are profiled out. With M_k = R_k + T_k, the pattern's residual cross-products and
(REML) those of the fixed effects' own variance, everything but two terms of the Hessian is a
function of visits by visits matrices; the two need X'V^-1 V_s V^-1 X, one matrix a parameter.
All in the scaled units of `basis.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from trialkit.kernels.mmrm.patterns import Patterns
from trialkit.kernels.mmrm.subject_rows import Moments
from trialkit.typing import FloatArray

__all__ = ["Likelihood", "Point", "Slopes", "block_diagonal"]

# Weights (visits by visits, a pattern and parameter) held at once: bounds the memory (64 MB).
MANY_WEIGHTS = 8e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The likelihood at one covariance.

    `deviance` lacks its constants; `inverse` (K, m, m) holds V^-1, zero at visits not seen;
    `phi` (P, P) is the covariance and `gamma` (P,) the value of the coefficients; `spread`
    (K, m, m) is M_k.
    """

    deviance: float
    inverse: FloatArray
    phi: FloatArray
    gamma: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """X'V^-1 V_s V^-1 X (q, P, P) and X'V^-1 V_s V^-1 r (q, P), all groups' parameters."""

    matrix: FloatArray
    residual: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """The data of a fit: moments of the patterns, and whether REML or ML is meant."""

    patterns: Patterns
    moments: Moments
    reml: bool

    @property
    def groups(self) -> range:
        """Group codes."""
        return range(self.patterns.n_groups)

    def at(self, sigmas: list[FloatArray]) -> Point | None:
        """The point of these covariances (one (c, m, m) a group); None where not definite."""
        inverse = np.empty(
            (self.patterns.n_patterns, self.patterns.n_visits, self.patterns.n_visits)
        )
        log_determinant = 0.0
        for group in self.groups:
            rows = self.patterns.group_slice(group)
            result = _masked_inverse(sigmas[group], self.patterns.mask[rows])
            if result is None:
                return None
            inverse[rows] = result[0]
            log_determinant += float(self.patterns.count[rows] @ result[1])
        return self._profile(inverse, log_determinant)

    def _profile(self, inverse: FloatArray, log_determinant: float) -> Point | None:
        pooled = self.moments.pool(inverse)
        information, right = pooled[:-1, :-1], pooled[:-1, -1]
        try:
            factor = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            return None
        root, _ = lapack.dtrtri(factor, lower=1)
        half = root @ right
        phi, gamma = root.T @ root, root.T @ half
        deviance = log_determinant + float(pooled[-1, -1] - half @ half)
        weight = np.empty_like(pooled)
        weight[:-1, :-1] = np.outer(gamma, gamma)
        if self.reml:
            deviance += 2.0 * float(np.log(np.diagonal(factor)).sum())
            weight[:-1, :-1] += phi
        weight[:-1, -1] = weight[-1, :-1] = -gamma
        weight[-1, -1] = 1.0
        if not np.isfinite(deviance):
            return None
        return Point(
            deviance=deviance,
            inverse=inverse,
            phi=phi,
            gamma=gamma,
            spread=self.moments.spread(weight),
        )

    def sigma_gradient(self, point: Point) -> list[FloatArray]:
        """Derivative of the deviance in each element of Sigma: one (K_g, m, m) a group."""
        count = self.patterns.count[:, None, None]
        each = count * point.inverse - point.inverse @ point.spread @ point.inverse
        return [each[self.patterns.group_slice(group)] for group in self.groups]

    def curvature(
        self, point: Point, firsts: list[FloatArray], *, expected: bool = False
    ) -> FloatArray:
        """The Hessian's visits by visits part: (q, q), one block a group.

        Sum of tr(V^-1 V_s N V_t) with N = -n V^-1 + 2 V^-1 M V^-1. The part of d2 Sigma and
        that of the coefficients are apart. `expected` leaves out the residuals:
        N = n V^-1 - 2 V^-1 T V^-1, with M of the caller's point then holding T alone.
        """
        sign = -1.0 if expected else 1.0
        count = self.patterns.count[:, None, None]
        inner = 2 * point.inverse @ point.spread @ point.inverse - count * point.inverse
        blocks = [
            _trace_products(point.inverse[rows], sign * inner[rows], firsts[group])
            for group, rows in ((g, self.patterns.group_slice(g)) for g in self.groups)
        ]
        return block_diagonal(blocks)

    def slopes(self, point: Point, firsts: list[FloatArray]) -> Slopes:
        """Derivatives of the information of the coefficients, one a parameter."""
        pooled = []
        for group in self.groups:
            rows = self.patterns.group_slice(group)
            inverse = point.inverse[rows]
            step = max(1, int(MANY_WEIGHTS / inverse.size))
            for begin in range(0, firsts[group].shape[0], step):
                weights = inverse @ firsts[group][begin : begin + step] @ inverse
                pooled.append(self.moments.pool(weights, rows))
        stacked = np.concatenate(pooled)
        matrix = stacked[:, :-1, :-1]
        return Slopes(matrix=matrix, residual=stacked[:, :-1, -1] - matrix @ point.gamma)

    def coefficient_terms(
        self, point: Point, slopes: Slopes, *, expected: bool = False
    ) -> FloatArray:
        """The Hessian's part of the fixed effects: (q, q)."""
        q = slopes.residual.shape[0]
        out = np.zeros((q, q))
        if self.reml:
            turned = (slopes.matrix @ point.phi).reshape(q, -1)
            flipped = (slopes.matrix @ point.phi).swapaxes(1, 2).reshape(q, -1)
            out += turned @ flipped.T
        if expected:
            return out
        return -out - 2 * slopes.residual @ point.phi @ slopes.residual.T


def block_diagonal(blocks: list[FloatArray]) -> FloatArray:
    """The groups' blocks as one matrix."""
    return blocks[0] if len(blocks) == 1 else np.asarray(linalg.block_diag(*blocks))


def _masked_inverse(sigma: FloatArray, mask: np.ndarray) -> tuple[FloatArray, FloatArray] | None:
    """V^-1 (K, m, m), zero where not seen, and log |V| (K,)."""
    seen = mask[:, :, None] & mask[:, None, :]
    # A visit not seen gets variance one and no correlation, which changes no determinant.
    padded = np.where(seen, sigma, np.eye(sigma.shape[-1]))
    try:
        root = np.linalg.cholesky(padded)
    except np.linalg.LinAlgError:
        return None
    inverse = np.linalg.inv(padded)
    inverse = np.where(seen, (inverse + inverse.swapaxes(1, 2)) / 2, 0.0)
    log_determinant = 2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    if not np.isfinite(log_determinant).all():
        return None
    return inverse, log_determinant


def _trace_products(inverse: FloatArray, inner: FloatArray, first: FloatArray) -> FloatArray:
    """Sum over patterns of tr(A_k S_s B_k S_t), symmetrised: (q, q)."""
    q, c, m, _ = first.shape
    if c == 1:
        # One Sigma for all patterns: the patterns collapse into a single m^2 by m^2 matrix.
        n_patterns = inverse.shape[0]
        kernel = inverse.reshape(n_patterns, -1).T @ inner.reshape(n_patterns, -1)
        turned = kernel.reshape(m, m, m, m).transpose(1, 2, 3, 0).reshape(m * m, m * m)
        flat = first.reshape(q, m * m)
        out = flat @ turned @ flat.T
    else:
        left = (inverse @ first).reshape(q, -1)
        right = (inner @ first).swapaxes(-1, -2).reshape(q, -1)
        out = left @ right.T
    return np.asarray((out + out.T) / 2)
