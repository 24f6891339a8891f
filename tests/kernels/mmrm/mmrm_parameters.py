"""R mmrm's own covariance parameters, with the derivatives of Sigma in them.

Standard deviations on the log scale; unit lower triangular Cholesky factors row by row for the
unstructured; theta / sqrt(1 + theta^2) for correlations of neighbours or lags; a logistic map
onto (-1 / (m - 1), 1) for compound symmetry.
"""

from __future__ import annotations

import numpy as np

from trialkit.kernels.mmrm.structures import Natural


def parameters(short: str, theta: np.ndarray, m: int, log_scale: float) -> Natural:
    """Sigma's derivatives in mmrm's `theta`, the outcome divided by exp(log_scale)."""
    theta = theta.copy()
    n_sd = m if short in ("us", "toeph", "ar1h", "adh", "csh") else 1
    theta[:n_sd] -= log_scale
    build = _unstructured if short == "us" else _correlation
    core, first, second = build(short, theta[n_sd:], m)
    deviations = np.exp(np.broadcast_to(theta[:n_sd], (m,)))
    outer = np.outer(deviations, deviations)
    share = np.zeros((n_sd, m, m))
    for j in range(n_sd):
        hit = np.arange(m) == j if n_sd > 1 else np.ones(m, dtype=bool)
        share[j] = hit[:, None].astype(float) + hit[None, :]
    q = n_sd + first.shape[0]
    d1 = np.empty((q, m, m))
    d2 = np.empty((q, q, m, m))
    d1[:n_sd] = share * outer * core
    d1[n_sd:] = outer * first
    d2[:n_sd, :n_sd] = share[:, None] * share[None] * outer * core
    d2[:n_sd, n_sd:] = share[:, None] * (outer * first)[None]
    d2[n_sd:, :n_sd] = d2[:n_sd, n_sd:].swapaxes(0, 1)
    d2[n_sd:, n_sd:] = outer * second
    return Natural(values=theta, first=d1[:, None], second=d2[:, :, None])


def sigma(short: str, theta: np.ndarray, m: int) -> np.ndarray:
    n_sd = m if short in ("us", "toeph", "ar1h", "adh", "csh") else 1
    build = _unstructured if short == "us" else _correlation
    core = build(short, theta[n_sd:], m)[0]
    deviations = np.exp(np.broadcast_to(theta[:n_sd], (m,)))
    return np.outer(deviations, deviations) * core


def _unstructured(_: str, theta: np.ndarray, m: int):
    row, column = np.tril_indices(m, -1)
    lower = np.eye(m)
    lower[row, column] = theta
    q = row.size
    unit = np.zeros((q, m, m))
    unit[np.arange(q), row, column] = 1.0
    half = unit @ lower.T
    pair = np.einsum("sab,tcb->stac", unit, unit)
    return lower @ lower.T, half + half.swapaxes(1, 2), pair + pair.swapaxes(2, 3)


def _correlation(short: str, theta: np.ndarray, m: int):
    family = short.removesuffix("h")
    if family == "cs":
        a = 1 / (m - 1)
        p = 1 / (1 + np.exp(-theta))
        rho, slope = p * (1 + a) - a, (1 + a) * p * (1 - p)
        bend = slope * (1 - 2 * p)
    else:
        rho = theta / np.sqrt(1 + theta**2)
        slope = (1 + theta**2) ** -1.5
        bend = -3 * theta * (1 + theta**2) ** -2.5
    lag = np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    q = theta.size
    first, second = np.zeros((q, m, m)), np.zeros((q, q, m, m))
    if family == "cs":
        r = np.where(lag > 0, rho[0], 1.0)
        first[0] = lag > 0
    elif family == "toep":
        r = np.concatenate([[1.0], rho])[lag]
        first[:] = lag[None] == np.arange(1, m)[:, None, None]
    elif family == "ar1":
        r = rho[0] ** lag
        first[0] = lag * rho[0] ** np.maximum(lag - 1, 0)
        second[0, 0] = lag * (lag - 1) * rho[0] ** np.maximum(lag - 2, 0)
    else:
        low = np.minimum.outer(np.arange(m), np.arange(m))
        within = [(low <= s) & (s < low + lag) for s in range(q)]
        r = np.prod([np.where(w, x, 1.0) for w, x in zip(within, rho, strict=True)], axis=0)
        for s in range(q):
            first[s] = np.where(within[s], r / rho[s], 0.0)
            for t in range(q):
                if s != t:
                    second[s, t] = np.where(within[s] & within[t], r / (rho[s] * rho[t]), 0.0)
    second = second * slope[:, None, None, None] * slope[None, :, None, None]
    second[np.arange(q), np.arange(q)] += first * bend[:, None, None]
    return r, first * slope[:, None, None], second
