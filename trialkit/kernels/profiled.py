"""A restricted likelihood with its coefficients profiled out: value, gradient, Hessian.

Whatever the covariance, these need a handful of cross-products pooled over the subjects; how
they are pooled is the model's own affair. z = [X, y] has w = P + 1 columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg

from trialkit.typing import FloatArray

__all__ = ["Pooled", "Profiled", "profile_out"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooled:
    """Sums over subjects, with V_s the derivatives of V in its q parameters.

    `cross` z'V^-1 z (w, w); `slopes` z'V^-1 V_s V^-1 z (q, w, w); `products`
    z'V^-1 V_s V^-1 V_t V^-1 z (q, q, w, w); `traces` tr V^-1 V_s (q,); `pairs`
    tr V^-1 V_s V^-1 V_t (q, q); `log_determinant` of V. Where V is not linear, `bent` has
    z'V^-1 V_st V^-1 z (w, w) by (s, t), s <= t, and `bends` tr V^-1 V_st (q, q).
    """

    cross: FloatArray
    slopes: FloatArray
    products: FloatArray
    traces: FloatArray
    pairs: FloatArray
    log_determinant: float
    bent: Mapping[tuple[int, int], FloatArray] = field(default_factory=dict)
    bends: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiled:
    """-2 restricted log-likelihood (without constants), its derivatives, and the estimates.

    `observed` and `expected` (q, q) are its Hessian and the Hessian's expectation: twice the
    information. `gamma` (P,), `phi` (P, P); `slopes` (q, P, P) and `products` (q, q, P, P) as
    in SmallSample.
    """

    deviance: float
    gradient: FloatArray
    observed: FloatArray
    expected: FloatArray
    gamma: FloatArray
    phi: FloatArray
    slopes: FloatArray
    products: FloatArray


def profile_out(pooled: Pooled) -> Profiled | None:
    """Profile out the coefficients; REML's own terms are those in phi. None where not definite."""
    cross = pooled.cross
    try:
        factor = linalg.cholesky(cross[:-1, :-1], lower=True)
    except linalg.LinAlgError:
        return None
    gamma = linalg.cho_solve((factor, True), cross[:-1, -1])
    phi = linalg.cho_solve((factor, True), np.eye(gamma.size))
    away = np.append(-gamma, 1.0)
    log_information = 2 * float(np.log(np.diagonal(factor)).sum())
    deviance = pooled.log_determinant + log_information + float(away @ cross @ away)
    if not np.isfinite(deviance):
        return None
    slopes, products = pooled.slopes[:, :-1, :-1], pooled.products[:, :, :-1, :-1]
    turned = slopes @ phi
    fitted = np.einsum("sij,j->si", pooled.slopes, away)
    squares, drift = fitted @ away, fitted[:, :-1]
    residual = np.einsum("i,stij,j->st", away, pooled.products, away)
    expected = (
        pooled.pairs
        - 2 * np.einsum("stij,ji->st", products, phi)
        + np.einsum("sij,tji->st", turned, turned)
    )
    hessian = -expected + 2 * residual - 2 * drift @ phi @ drift.T
    _add_bends(hessian, pooled, phi, away)
    return Profiled(
        deviance=deviance,
        gradient=pooled.traces - np.einsum("sii->s", turned) - squares,
        observed=(hessian + hessian.T) / 2,
        expected=(expected + expected.T) / 2,
        gamma=gamma,
        phi=(phi + phi.T) / 2,
        slopes=slopes,
        products=products,
    )


def _add_bends(hessian: FloatArray, pooled: Pooled, phi: FloatArray, away: FloatArray) -> None:
    if pooled.bends is None:
        return
    for (s, t), matrix in pooled.bent.items():
        own = pooled.bends[s, t] - float(np.sum(matrix[:-1, :-1] * phi))
        own -= float(away @ matrix @ away)
        hessian[s, t] += own
        if s != t:
            hessian[t, s] += own
