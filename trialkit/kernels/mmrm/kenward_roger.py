"""Kenward and Roger's covariance of the fixed effects, scale and degrees of freedom.

References: Kenward & Roger (1997), doi:10.2307/2533558 (the adjustment, the F approximation);
Kenward & Roger (2009), doi:10.1016/j.csda.2008.12.013 (covariance structures linear in their
parameters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.information import Information
from trialkit.typing import FloatArray

__all__ = ["FTest", "adjusted_covariance", "kenward_roger_df", "kenward_roger_f", "scaled_f"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FTest:
    """An F statistic (already multiplied by its scale) with its degrees of freedom."""

    statistic: float
    num_df: int
    den_df: float
    scale: float


def adjusted_covariance(
    fit: MarginalFit, information: Information, *, second_order: bool = True
) -> FloatArray:
    """Phi_A (P, P) on the basis Q: Phi + 2 Phi sum W_st (Q_st - P_s Phi P_t - R_st / 4) Phi.

    Without `second_order` the terms R_st of the second derivatives of Sigma are left out.
    """
    point, patterns = fit.optimum.point, fit.patterns
    q = information.covariance.shape[0]
    weighted = np.tensordot(information.covariance, information.slopes, axes=1)
    # Sum over s of (P_s Phi)(W P)_s as one product of (P, q P) with (q P, P).
    left = (information.slopes @ point.phi).transpose(1, 0, 2).reshape(point.gamma.size, -1)
    total = -left @ weighted.reshape(q * point.gamma.size, -1)
    bounds = np.cumsum([0, *(n.first.shape[0] for n in information.naturals)])
    for group, natural in enumerate(information.naturals):
        own = slice(bounds[group], bounds[group + 1])
        rows = patterns.group_slice(group)
        inverse = point.inverse[rows]
        inner = _pair_products(inverse, natural.first, information.covariance[own, own])
        if second_order and natural.second is not None:
            inner = inner - np.tensordot(information.covariance[own, own], natural.second) / 4
        pooled = fit.likelihood.moments.pool(inverse @ inner @ inverse, rows)
        total += pooled[:-1, :-1]
    adjusted = point.phi + 2 * point.phi @ total @ point.phi
    return np.asarray((adjusted + adjusted.T) / 2)


def _pair_products(inverse: FloatArray, first: FloatArray, weight: FloatArray) -> FloatArray:
    """Sum over s, t of W_st S_s V_k^-1 S_t: (K, m, m), symmetrised."""
    q, c, m, _ = first.shape
    if c == 1:
        # The pairs of parameters collapse into one m^2 by m^2 matrix before they meet V^-1.
        flat = first.reshape(q, m * m)
        kernel = (flat.T @ weight @ flat).reshape(m, m, m, m)
        turned = kernel.transpose(1, 2, 0, 3).reshape(m * m, m * m)
        out = (inverse.reshape(-1, m * m) @ turned).reshape(-1, m, m)
    else:
        out = np.sum(first @ inverse @ np.tensordot(weight, first, axes=1), axis=0)
    return np.asarray((out + out.swapaxes(1, 2)) / 2)


def kenward_roger_df(fit: MarginalFit, information: Information, rows: FloatArray) -> FloatArray:
    """Degrees of freedom (r,) of single contrasts (r, P) on the basis Q.

    For one contrast the scale is one, and the df are those of Satterthwaite.
    """
    from trialkit.kernels.mmrm.satterthwaite import satterthwaite_df

    return satterthwaite_df(fit, information, rows)


def kenward_roger_f(
    fit: MarginalFit, information: Information, adjusted: FloatArray, rows: FloatArray
) -> FTest:
    """F test that all contrasts (r, P) on the basis Q are zero; rows must be independent."""
    return scaled_f(
        fit.optimum.point.phi,
        information.slopes,
        information.covariance,
        estimate=rows @ fit.gamma,
        adjusted=adjusted,
        rows=rows,
    )


def scaled_f(
    phi: FloatArray,
    slopes: FloatArray,
    weights: FloatArray,
    *,
    estimate: FloatArray,
    adjusted: FloatArray,
    rows: FloatArray,
) -> FTest:
    """`kenward_roger_f` from its parts: phi (P, P), slopes (q, P, P), W (q, q), L b (r,)."""
    r = rows.shape[0]
    turned = rows @ phi  # L Phi
    root = np.linalg.cholesky(turned @ rows.T)
    white = np.linalg.solve(root, turned)
    # L Phi P_s Phi L' between the whitened contrasts: (q, r, r).
    inner = white @ slopes @ white.T
    traces = np.trace(inner, axis1=1, axis2=2)
    flat = inner.reshape(inner.shape[0], -1)
    a1 = float(traces @ weights @ traces)
    a2 = float(np.sum(weights * (flat @ flat.T)))
    scale, den_df = _scale_and_df(a1, a2, r)
    wald = float(estimate @ np.linalg.solve(rows @ adjusted @ rows.T, estimate))
    return FTest(statistic=scale * wald / r, num_df=r, den_df=den_df, scale=scale)


def _scale_and_df(a1: float, a2: float, r: int) -> tuple[float, float]:
    """Scale and denominator df matching two moments of F (Kenward & Roger 1997, section 3)."""
    if a2 <= 0:
        return 1.0, np.inf
    b = (a1 + 6 * a2) / (2 * r)
    g = ((r + 1) * a1 - (r + 4) * a2) / ((r + 2) * a2)
    base = 3 * r + 2 * (1 - g)
    c1, c2, c3 = g / base, (r - g) / base, (r + 2 - g) / base
    mean = 1.0 / (1.0 - a2 / r)
    variance = (2.0 / r) * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    ratio = variance / (2 * mean**2)
    df = 4 + (r + 2) / (r * ratio - 1)
    return df / (mean * (df - 2)), df
