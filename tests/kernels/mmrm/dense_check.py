"""A fit and its inference against the dense model at the same parameters."""

from __future__ import annotations

import numpy as np
from kernels.mmrm.dense_model import DenseModel

from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.information import covariance_information
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance, kenward_roger_f
from trialkit.kernels.mmrm.satterthwaite import satterthwaite_df

# Differences of the fourth order with steps of 1e-3 leave about this much.
RTOL = 2e-6
MAX_DECREMENT = 1e-9


def check(fit: MarginalFit, dense: DenseModel, *, second_order: bool) -> None:
    beta, phi = dense.gls(dense.theta)
    np.testing.assert_allclose(fit.coef, beta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fit.vcov, phi, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(fit.deviance, dense.deviance(dense.theta), rtol=1e-12)
    # A gradient is zero where its Newton step is a small share of a standard error.
    decrement = dense.gradient @ dense.w @ dense.gradient
    assert decrement < MAX_DECREMENT
    contrasts = fit.basis.contrasts(np.eye(beta.size))
    slopes = np.array([dense.slope(s) for s in range(dense.theta.size)])
    for expected in (False, True):
        information = covariance_information(fit, expected=expected)
        w = dense.expected_w if expected else dense.w
        gradient = np.einsum("ij,qjk,ki->iq", phi, slopes, phi)
        df = 2 * np.diag(phi) ** 2 / np.einsum("iq,qs,is->i", gradient, w, gradient)
        np.testing.assert_allclose(satterthwaite_df(fit, information, contrasts), df, rtol=RTOL)
        if not dense.reml:
            continue
        adjusted = adjusted_covariance(fit, information, second_order=second_order)
        truth = dense.kenward_roger(second_order=second_order, w=w)
        np.testing.assert_allclose(fit.basis.covariance(adjusted), truth, rtol=RTOL, atol=1e-8)
        rows = np.eye(beta.size)[-3:]
        test = kenward_roger_f(fit, information, adjusted, fit.basis.contrasts(rows))
        scale, df_f = f_moments_to_scale(*dense.f_moments(rows, w), 3)
        estimate = rows @ beta
        wald = estimate @ np.linalg.solve(rows @ truth @ rows.T, estimate) / 3
        np.testing.assert_allclose([test.scale, test.den_df], [scale, df_f], rtol=1e-5)
        np.testing.assert_allclose(test.statistic, scale * wald, rtol=1e-5)


def f_moments_to_scale(a1: float, a2: float, r: int) -> tuple[float, float]:
    """Mean and variance of the F statistic, matched to lambda F(r, m)."""
    b = (a1 + 6 * a2) / (2 * r)
    g = ((r + 1) * a1 - (r + 4) * a2) / ((r + 2) * a2)
    c1, c2, c3 = np.array([g, r - g, r + 2 - g]) / (3 * r + 2 * (1 - g))
    e = 1 / (1 - a2 / r)
    v = 2 / r * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    m = 4 + (r + 2) / (r * v / (2 * e**2) - 1)
    return m / (e * (m - 2)), m
