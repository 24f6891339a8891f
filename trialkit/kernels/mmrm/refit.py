"""A fitted model fitted again to many reweighted copies of its data: jackknife and bootstrap.

The copies start from the full fit and take Newton steps together, on the elements of Sigma.
The Hessian's part of the fixed effects, a share of about P / N, stays that of the full fit, so
that a step shortens the remaining error by the product of two small numbers. A copy that does
not get there in a few steps is fitted by itself with the safeguarded search; one that has no
optimum is reported, not raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.cross_products import CrossProducts
from trialkit.kernels.mmrm.diagnosis import refuse_unseen
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.layout import Layout
from trialkit.kernels.mmrm.likelihood import Likelihood
from trialkit.kernels.mmrm.optimise import maximise
from trialkit.kernels.mmrm.patterns import Patterns
from trialkit.kernels.mmrm.reweighted_products import (
    LeftOut,
    Products,
    Weighted,
    subject_products,
)
from trialkit.kernels.mmrm.structures import Unstructured
from trialkit.kernels.mmrm.subject_rows import SubjectRows
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["Refits", "leave_one_out", "reweighted"]

# Copies worked on at once: bounds the memory, not the result.
CHUNK = 64
MAX_STEPS = 20
# Deviance still to gain before the last step: an error of a billionth of a standard error,
# which that step shortens further.
LAST_STEP_BELOW = 1e-18
MAX_HALVINGS = 8
# Smallest eigenvalue of the information of the coefficients over the largest.
RANK_TOLERANCE = 1e-11
# Deviance still to gain below which the exact Hessian is trusted.
NEWTON_BELOW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refits:
    """Fits of B copies: `coef` (B, P), `sigma` (B, G, m, m) in the outcome's unit.

    `problems` maps a copy that could not be fitted to why; its numbers are NaN.
    """

    coef: FloatArray
    sigma: FloatArray
    problems: dict[int, str]

    @property
    def is_fitted(self) -> BoolArray:
        """Which copies have a fit (B,)."""
        out = np.ones(self.coef.shape[0], dtype=np.bool_)
        out[list(self.problems)] = False
        return out


def leave_one_out(
    fit: MarginalFit, rows: SubjectRows, layout: Layout, subjects: IntArray
) -> Refits:
    """Fits without each of `subjects` (B,), codes of `layout`, in turn.

    `rows` are the fit's own, from `padded_rows`.
    """
    full = _products(fit, rows)
    place = np.empty(layout.n_subjects, dtype=np.int64)
    place[subject_codes(layout)] = np.arange(place.size)
    position = place[subjects]

    def copies() -> Iterator[Products]:
        for begin in range(0, position.size, CHUNK):
            chosen = position[begin : begin + CHUNK]
            yield LeftOut(full=full, z=rows.z[chosen], pattern=rows.pattern[chosen])

    return _refit(fit, full, copies())


def reweighted(fit: MarginalFit, rows: SubjectRows, layout: Layout, weights: FloatArray) -> Refits:
    """Fits with subjects counted `weights` (B, n) times, columns by code of `layout`."""
    full = _products(fit, rows)
    sorted_weights = weights[:, subject_codes(layout)]
    own = subject_products(rows, full)
    bounds = np.searchsorted(rows.pattern, np.arange(len(own) + 1))

    def copies() -> Iterator[Products]:
        for begin in range(0, weights.shape[0], CHUNK):
            chosen = sorted_weights[begin : begin + CHUNK]
            parts = [chosen[:, bounds[k] : bounds[k + 1]] for k in range(len(own))]
            packed = [
                (part @ each.reshape(each.shape[0], -1)).reshape(-1, *each.shape[1:])
                for part, each in zip(parts, own, strict=True)
            ]
            yield Weighted(
                full=full,
                packed=np.concatenate(packed, axis=1),
                count=np.stack([part.sum(axis=1) for part in parts], axis=1),
            )

    return _refit(fit, full, copies())


def subject_codes(layout: Layout) -> IntArray:
    """Code of each subject (n,) in the order of its padded rows."""
    size = np.repeat(layout.mask.sum(axis=1), layout.count)
    return np.asarray(layout.subject[np.concatenate([[0], np.cumsum(size)[:-1]])])


def _products(fit: MarginalFit, rows: SubjectRows) -> CrossProducts:
    """The fit's cross-products, or those of its rows, where it was fitted on rows."""
    moments = fit.likelihood.moments
    if isinstance(moments, CrossProducts):
        return moments
    pattern, low, high = np.nonzero(np.triu(fit.patterns.seen_together))
    empty = CrossProducts(
        packed=np.empty((0, 0)),
        pattern=pattern.astype(np.int64),
        low=low.astype(np.int64),
        high=high.astype(np.int64),
        width=rows.z.shape[2],
        patterns=fit.patterns.bare(),
    )
    packed = np.concatenate([each.sum(axis=0) for each in subject_products(rows, empty)])
    return replace(empty, packed=packed)


def _refit(fit: MarginalFit, full: CrossProducts, copies: Iterator[Products]) -> Refits:
    is_together = all(isinstance(each, Unstructured) for each in fit.structures)
    newton = _Newton.of(fit) if is_together else None
    gammas, sigmas, problems, done = [], [], {}, 0
    for products in copies:
        n = products.count.shape[0]
        if newton is not None:
            gamma, sigma, is_done = newton.solve(products)
        else:
            gamma = np.full((n, full.width - 1), np.nan)
            sigma = np.full((n, fit.patterns.n_groups, *[full.patterns.n_visits] * 2), np.nan)
            is_done = np.zeros(n, dtype=np.bool_)
        has_rank = _has_full_rank(fit, products)
        for copy in np.flatnonzero(~has_rank):
            gamma[copy], sigma[copy] = np.nan, np.nan
            problems[done + int(copy)] = "The fixed effects are linearly dependent."
        for copy in np.flatnonzero(has_rank & ~is_done):
            try:
                gamma[copy], sigma[copy] = _alone(fit, products, int(copy))
            except ConvergenceError as problem:
                gamma[copy], sigma[copy] = np.nan, np.nan
                problems[done + int(copy)] = str(problem)
        gammas.append(gamma)
        sigmas.append(sigma)
        done += n
    basis = fit.basis
    solved = linalg.solve_triangular(basis.factor, np.concatenate(gammas).T, check_finite=False)
    return Refits(
        coef=basis.start + basis.scale * solved.T,
        sigma=basis.scale**2 * np.concatenate(sigmas),
        problems=problems,
    )


def _has_full_rank(fit: MarginalFit, products: Products) -> BoolArray:
    """Which copies (B,) determine every coefficient.

    The columns of Q are orthonormal over the full data, so that a direction in which a copy has
    next to no information is one that it lacks; a covariance would be found all the same.
    """
    inverse = fit.optimum.point.inverse
    shape = (products.count.shape[0], *inverse.shape)
    information = products.pool(np.broadcast_to(inverse, shape))[:, :-1, :-1]
    values = np.linalg.eigvalsh(information)
    return np.asarray(values[:, 0] > RANK_TOLERANCE * values[:, -1])


def _alone(fit: MarginalFit, products: Products, copy: int) -> tuple[FloatArray, FloatArray]:
    """One copy by the safeguarded search, from the full fit."""
    moments = products.one(copy)
    # Patterns that the copy lacks keep their place and count nobody.
    refuse_unseen(moments.patterns, _covariance_name(fit))
    likelihood = Likelihood(patterns=moments.patterns, moments=moments, reml=fit.reml)
    optimum = maximise(likelihood, fit.structures, fit.optimum.thetas)
    sigma = [s.sigma(t)[0] for s, t in zip(fit.structures, optimum.thetas, strict=True)]
    return optimum.point.gamma, np.stack(sigma)


def _covariance_name(fit: MarginalFit) -> str:
    """What `refuse_unseen` needs to know: whether every element is a parameter of its own."""
    is_free = all(isinstance(each, Unstructured) for each in fit.structures)
    return "unstructured" if is_free else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Newton:
    """Newton's method for B copies at once, unstructured; everything in scaled units.

    `start` (G, m, m); `fixed` (q, q) the Hessian's part of the fixed effects at the full fit;
    `elements` (q_g, m m) the derivatives of Sigma in its elements.
    """

    patterns: Patterns
    reml: bool
    start: FloatArray
    fixed: FloatArray
    elements: FloatArray

    @classmethod
    def of(cls, fit: MarginalFit) -> _Newton:
        """Start from the full fit."""
        naturals = [s.natural(t) for s, t in zip(fit.structures, fit.optimum.thetas, strict=True)]
        firsts = [natural.first for natural in naturals]
        likelihood, point = fit.likelihood, fit.optimum.point
        slopes = likelihood.slopes(point, firsts)
        return cls(
            patterns=fit.patterns,
            reml=fit.reml,
            start=np.stack(
                [s.sigma(t)[0] for s, t in zip(fit.structures, fit.optimum.thetas, strict=True)]
            ),
            fixed=likelihood.coefficient_terms(point, slopes),
            elements=firsts[0].reshape(firsts[0].shape[0], -1),
        )

    def solve(self, products: Products) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Coefficients (B, P), covariances (B, G, m, m) and which copies (B,) got there."""
        n = products.count.shape[0]
        sigma = np.repeat(self.start[None], n, axis=0)
        is_done = np.zeros(n, dtype=np.bool_)
        # Copies still on the way: one slow copy does not make the others go on.
        left, own = np.arange(n), products
        for _ in range(MAX_STEPS):
            _, spread, inverse = self._point(own, sigma[left])
            step, decrement = self._step(own, inverse, spread)
            is_sound = np.isfinite(decrement) & (decrement >= 0)
            is_done[left] = is_sound & (decrement < LAST_STEP_BELOW)
            step[~is_sound] = 0.0
            sigma[left] = self._moved(sigma[left], step)
            is_left = is_sound & ~is_done[left]
            if not is_left.any():
                break
            if not is_left.all():
                left, own = left[is_left], own.some(is_left)
        gamma, _, _ = self._point(products, sigma)
        is_done &= np.isfinite(gamma).all(axis=1)
        return gamma, sigma, is_done

    def _point(
        self, products: Products, sigma: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coefficients (B, P), M (B, K, m, m) and V^-1 (B, K, m, m) at these covariances."""
        mask = self.patterns.mask
        seen = mask[:, :, None] & mask[:, None, :]
        eye = np.eye(mask.shape[1])
        inverse = np.linalg.inv(np.where(seen, sigma[:, self.patterns.group], eye))
        inverse = np.where(seen, (inverse + inverse.swapaxes(2, 3)) / 2, 0.0)
        pooled = products.pool(inverse)
        phi = _inverse(pooled[:, :-1, :-1])
        gamma = (phi @ pooled[:, :-1, -1:])[:, :, 0]
        weight = np.empty_like(pooled)
        weight[:, :-1, :-1] = gamma[:, :, None] * gamma[:, None, :]
        if self.reml:
            weight[:, :-1, :-1] += phi
        weight[:, :-1, -1] = weight[:, -1, :-1] = -gamma
        weight[:, -1, -1] = 1.0
        return gamma, products.spread(weight), inverse

    def _step(
        self, products: Products, inverse: FloatArray, spread: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Newton's step (B, q) and its decrement (B,); Fisher scoring far from the optimum.

        Far out the deviance need not be convex in the elements of Sigma; the expected Hessian
        is positive definite everywhere, and with complete data its step is the whole way.
        """
        count = products.count[:, :, None, None]
        turned = inverse @ spread @ inverse
        gradient = self._gradient(count * inverse - turned)
        exact = self._curvature(inverse, 2 * turned - count * inverse)
        step, decrement = _solved(gradient, exact + self.fixed)
        far = ~((decrement >= 0) & (decrement < NEWTON_BELOW))
        if far.any():
            expected = self._curvature(inverse[far], (count * inverse)[far])
            step[far], decrement[far] = _solved(gradient[far], expected)
        return step, decrement

    def _gradient(self, slope: FloatArray) -> FloatArray:
        """Derivative (B, q) of the deviance in the elements, from that in Sigma (B, K, m, m)."""
        n = slope.shape[0]
        groups = [self.patterns.group_slice(group) for group in range(self.patterns.n_groups)]
        each = [slope[:, rows].sum(axis=1).reshape(n, -1) @ self.elements.T for rows in groups]
        return np.concatenate(each, axis=1)

    def _curvature(self, inverse: FloatArray, inner: FloatArray) -> FloatArray:
        """Sum over patterns of tr(V^-1 S_s N S_t) (B, q, q), a block a group."""
        n, _, m, _ = inverse.shape
        q = self.elements.shape[0]
        out = np.zeros((n, *self.fixed.shape))
        for group in range(self.patterns.n_groups):
            rows = self.patterns.group_slice(group)
            own = slice(group * q, (group + 1) * q)
            flat = inverse[:, rows].reshape(n, -1, m * m).swapaxes(1, 2)
            kernel = flat @ inner[:, rows].reshape(n, -1, m * m)
            kernel = kernel.reshape(n, m, m, m, m).transpose(0, 2, 3, 4, 1)
            block = self.elements @ kernel.reshape(n, m * m, m * m) @ self.elements.T
            out[:, own, own] = (block + block.swapaxes(1, 2)) / 2
        return out

    def _moved(self, sigma: FloatArray, step: FloatArray) -> FloatArray:
        """Sigma after the step, or after a share of it that leaves it positive definite."""
        n, groups = sigma.shape[:2]
        change = (step.reshape(n, groups, -1) @ self.elements).reshape(sigma.shape)
        share = np.ones((n, 1, 1, 1))
        bad = np.zeros(n, dtype=np.bool_)
        for _ in range(MAX_HALVINGS):
            bad[:] = (np.linalg.eigvalsh(sigma + share * change) <= 0).any(axis=(1, 2))
            if not bad.any():
                break
            share[bad] /= 2
        share[bad] = 0.0
        return np.asarray(sigma + share * change)


def _solved(gradient: FloatArray, hessian: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Newton's step (B, q) and the gain it promises (B,); NaN where the Hessian is singular."""
    try:
        step = np.asarray(-np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:
        step = np.full(gradient.shape, np.nan)
        for copy in range(gradient.shape[0]):
            try:
                step[copy] = -np.linalg.solve(hessian[copy], gradient[copy])
            except np.linalg.LinAlgError:
                continue
    return step, np.asarray(-(gradient * step).sum(axis=1) / 2)


def _inverse(matrices: FloatArray) -> FloatArray:
    """Inverses (B, P, P) of symmetric matrices; NaN where singular."""
    try:
        inverse = np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        inverse = np.full(matrices.shape, np.nan)
        for copy, matrix in enumerate(matrices):
            try:
                inverse[copy] = np.linalg.inv(matrix)
            except np.linalg.LinAlgError:
                continue
    return np.asarray((inverse + inverse.swapaxes(1, 2)) / 2)
