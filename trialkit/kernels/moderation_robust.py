"""The prior of many variances where a few are outliers (Phipson et al. 2016).

The prior comes from winsorized moments of log s2, matched to those of the winsorized log F
distribution; responses whose variance lies beyond it keep more of their own, with fewer
prior degrees of freedom. With a covariate the prior variance follows its lowess curve. Reference:
doi:10.1214/16-AOAS920. The dialect is limma's.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import optimize, special

from trialkit.kernels.lowess import lowess
from trialkit.kernels.moderation import Prior, fit_prior
from trialkit.kernels.ranks import midranks
from trialkit.typing import FloatArray

__all__ = ["fit_prior_robust"]

# Shares winsorized at the lower and the upper end.
TAILS = (0.05, 0.10)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(128)
# Variances below this share of the median are moved up to it before the logarithm.
SMALLEST_SHARE = 1e-12
# The neighbourhood and the robust refits of a trend's lowess curve.
TREND_SHARE, TREND_REFITS = 0.4, 3


def fit_prior_robust(s2: FloatArray, df: FloatArray, covariate: FloatArray | None = None) -> Prior:
    """Prior of the variances `s2` (m,) on `df` (m,), robust against outlying ones.

    With `covariate` (m,) the prior variance follows a lowess curve of it (without robustness,
    `fit_prior`, a spline). Fewer than three responses, or too few for a tail to hold one, get
    the ordinary prior.
    """
    plain = fit_prior(s2, df, covariate)
    n = s2.size
    if n < 3 or max(TAILS) < 1 / n:
        return plain
    x = np.maximum(s2, SMALLEST_SHARE * float(np.median(s2)))
    d = float(df.max())
    x = _on_common_df(x, df, d, plain)
    z = np.log(x)
    if covariate is None:
        centre = np.full(n, _trimmed_mean(z, TAILS[1]))
    else:
        centre = lowess(covariate, z, share=TREND_SHARE, iterations=TREND_REFITS)
    rest = z - centre
    low, high = np.quantile(rest, (TAILS[0], 1 - TAILS[1]))
    winsorized = np.clip(rest, low, high)
    mean = float(winsorized.mean())
    variance = float(np.var(winsorized, ddof=1))

    def distance(share: float) -> float:
        d0 = np.inf if share >= 1 else share / (1 - share)
        return float(np.log(variance / _moments(d, d0)[1]))

    if distance(1.0) <= 0:
        return _all_alike(z, centre + mean - _moments(d, np.inf)[0], d)
    if not np.isfinite(plain.df[0]):
        return plain
    start = float(plain.df[0] / (1 + plain.df[0]))
    if distance(start) >= 0:
        d0 = float(plain.df[0])
    else:
        share = float(optimize.brentq(distance, start, 1.0, xtol=1e-14))
        d0 = share / (1 - share)
    location = centre + mean - _moments(d, d0)[0]
    shrunk = _outlier_df(np.exp(z - location), d, d0)
    return Prior(variance=np.exp(location), df=shrunk)


def _trimmed_mean(values: FloatArray, share: float) -> float:
    cut = int(np.floor(values.size * share))
    return float(np.mean(np.sort(values)[cut : values.size - cut]))


def _on_common_df(x: FloatArray, df: FloatArray, d: float, plain: Prior) -> FloatArray:
    """Variances on fewer degrees of freedom, moved to the same tail area on the most."""
    fewer = df < d
    if not fewer.any():
        return x
    scale, d0 = plain.variance[fewer], float(plain.df[0])
    out = x.copy()
    out[fewer] = scale * _same_tail(x[fewer] / scale, df[fewer], d, d0)
    return out


def _same_tail(f: FloatArray, df: FloatArray, d: float, d0: float) -> FloatArray:
    """The value of F(d, d0) with the tail area that each `f` has under F(df, d0)."""
    if np.isinf(d0):
        upper, lower = special.chdtrc(df, f * df), special.chdtr(df, f * df)
        from_above = special.chdtri(d, upper) / d
        found = np.where(upper < lower, from_above, 2 * special.gammaincinv(d / 2, lower) / d)
        return np.asarray(found, dtype=np.float64)
    above, below = special.fdtrc(df, d0, f), special.fdtr(df, d0, f)
    # fdtri inverts the lower tail; a small upper tail is the lower one of 1/F(d0, d).
    with np.errstate(divide="ignore"):
        turned = 1 / special.fdtri(d0, d, above)
    return np.asarray(np.where(above < below, turned, special.fdtri(d, d0, below)))


def _moments(d: float, d0: float) -> tuple[float, float]:
    """Mean and variance of log F(d, d0), winsorized at `TAILS`."""
    quantile = partial(_f_quantile, d=d, d0=d0)
    ends = np.array([quantile(TAILS[0]), quantile(1 - TAILS[1])])
    tails = np.array(TAILS)
    # F / (1 + F) lives in (0, 1), where the quadrature needs no bound.
    low, high = ends / (1 + ends)
    nodes = low + (high - low) * (NODES + 1) / 2
    f = nodes / (1 - nodes)
    weight = (high - low) * WEIGHTS / 2 * np.exp(_f_log_density(f, d, d0)) / (1 - nodes) ** 2
    z, z_ends = np.log(f), np.log(ends)
    mean = float(np.sum(weight * z) + np.sum(tails * z_ends))
    variance = float(np.sum(weight * (z - mean) ** 2) + np.sum(tails * (z_ends - mean) ** 2))
    return mean, variance


def _f_quantile(probability: float, *, d: float, d0: float) -> float:
    if np.isinf(d0):
        return float(special.chdtri(d, 1 - probability)) / d
    return float(special.fdtri(d, d0, probability))


def _f_log_density(f: FloatArray, d: float, d0: float) -> FloatArray:
    if np.isinf(d0):
        log_x = np.log(d * f)
        inner = (d / 2 - 1) * log_x - d * f / 2 - d / 2 * np.log(2) - special.gammaln(d / 2)
        return np.asarray(inner + np.log(d))
    ratio = d / d0
    return np.asarray(
        d / 2 * np.log(ratio)
        + (d / 2 - 1) * np.log(f)
        - (d + d0) / 2 * np.log1p(ratio * f)
        - special.betaln(d / 2, d0 / 2)
    )


def _all_alike(z: FloatArray, location: FloatArray, d: float) -> Prior:
    """Infinite prior df, fewer for a variance beyond what chance would give."""
    n = z.size
    f = np.exp(z - location)
    tail = special.chdtrc(d, f * d)
    empirical = (n - midranks(f) + 0.5) / n
    inside = np.minimum(tail / empirical, 1.0)
    shrunk = np.where(inside < 1, inside * n * d, np.inf)
    if (inside < 1).any():
        order = np.argsort(tail, kind="stable")
        shrunk[order] = np.maximum.accumulate(shrunk[order])
    return Prior(variance=np.exp(location), df=shrunk)


def _outlier_df(f: FloatArray, d: float, d0: float) -> FloatArray:
    """Prior degrees of freedom (m,), below `d0` for variances whose F is too large."""
    n = f.size
    log_tail = _log_upper_tail(f, d, d0)
    log_empirical = np.log((n - midranks(f) + 0.5) / n)
    log_inside = np.minimum(log_tail - log_empirical, 0.0)
    if not (log_inside < 0).any():
        return np.full(n, d0)
    inside = np.exp(log_inside)
    lowest = float(log_tail.min())
    if np.isinf(lowest):
        shrunk = inside * d0
    else:
        # The df at which the largest F would be the median of its distribution, in two steps.
        outlier = np.log(0.5) / lowest * d0
        again = float(_log_upper_tail(np.array([f.max()]), d, outlier)[0])
        outlier *= np.log(0.5) / again
        shrunk = inside * d0 - np.expm1(log_inside) * outlier
    order = np.argsort(log_tail, kind="stable")
    in_order = shrunk[order]
    running = np.cumsum(in_order) / np.arange(1, n + 1)
    lowest_at = int(np.argmin(running))
    in_order[: lowest_at + 1] = running[lowest_at]
    shrunk[order] = np.maximum.accumulate(in_order)
    return shrunk


def _log_upper_tail(f: FloatArray, d: float, d0: float) -> FloatArray:
    """Logarithm of P(F(d, d0) > f)."""
    from scipy.stats import f as f_distribution

    return np.asarray(f_distribution.logsf(f, d, d0), dtype=np.float64)
