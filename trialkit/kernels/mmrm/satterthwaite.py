"""Satterthwaite's degrees of freedom for contrasts of the fixed effects.

References: Satterthwaite (1946), doi:10.2307/3002019; Fai & Cornelius (1996),
doi:10.1080/00949659608811740 (several contrasts at once).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.information import Information
from trialkit.typing import FloatArray

__all__ = ["fai_cornelius", "matched_df", "satterthwaite_df"]

# Degrees of freedom of the independent parts closer than this are taken for one value.
SAME_DF = 1e-8


def satterthwaite_df(fit: MarginalFit, information: Information, rows: FloatArray) -> FloatArray:
    """2 v^2 / (g' W g) for each contrast (r, P) on the basis Q: (r,).

    v = l' Phi l, and g its derivative in the covariance parameters.
    """
    return matched_df(fit.optimum.point.phi, information.slopes, information.covariance, rows)


def matched_df(
    phi: FloatArray, slopes: FloatArray, weights: FloatArray, rows: FloatArray
) -> FloatArray:
    """`satterthwaite_df` from phi (P, P), X'V^-1 V_s V^-1 X (q, P, P) and W (q, q)."""
    turned = rows @ phi
    variances = np.einsum("ri,ri->r", turned, rows)
    gradient = np.einsum("ri,qri->rq", turned, turned @ slopes)
    spread = np.einsum("rq,qs,rs->r", gradient, weights, gradient)
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(spread > 0, 2 * variances**2 / spread, np.inf))


def fai_cornelius(
    rows: FloatArray,
    vcov: FloatArray,
    estimate: FloatArray,
    single_df: Callable[[FloatArray], FloatArray],
) -> tuple[float, float]:
    """F statistic and its denominator df from independent single contrasts.

    `rows` (r, P), `vcov` (P, P), `estimate` (r,) of the contrasts; `single_df` gives the df
    (r,) of contrasts. Parts with df of 2 or less have no mean of F and are left out of the
    matching, as SAS does; where too little remains the df are 1.
    """
    r = rows.shape[0]
    values, vectors = np.linalg.eigh(rows @ vcov @ rows.T)
    statistic = float(np.sum((vectors.T @ estimate) ** 2 / values)) / r
    df = single_df(vectors.T @ rows)
    if np.isinf(df).all():
        return statistic, np.inf
    if np.ptp(df) < SAME_DF * df.max():
        return statistic, float(df.mean())
    usable = df[df > 2]
    expected = float(np.sum(1.0 / (1.0 - 2.0 / usable)))
    return statistic, 2 * expected / (expected - r) if expected > r else 1.0
