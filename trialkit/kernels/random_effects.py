"""Estimates of several units with known variances: their spread, mean and best predictions.

y_i ~ N(mean, tau2 + v_i). Greek letters as in the literature: w_i = 1 / (tau2 + v_i).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from trialkit.typing import FloatArray

__all__ = ["TAU2_KINDS", "RandomEffects", "random_effects", "tau2_estimate"]

TAU2_KINDS = ("reml", "paule-mandel", "dersimonian-laird")

# tau2 is looked for between these shares of the units' own spread and variances together; the
# restricted likelihood may have several maxima, each wider than a step.
LOWEST, HIGHEST, N_STEPS = 1e-8, 1e3, 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RandomEffects:
    """`mean` with `variance` 1 / sum(w); `scale` is sum w (y - mean)^2 / (k - 1), Hartung-Knapp's.

    `q` is Cochran's (weights 1 / v, against k - 1), `i2` tau2's share of it and the typical
    variance. `share` (k,) is tau2 / (tau2 + v): how far a unit keeps its own estimate.
    """

    mean: float
    variance: float
    scale: float
    tau2: float
    q: float
    i2: float
    share: FloatArray


def random_effects(y: FloatArray, v: FloatArray, *, tau2: float) -> RandomEffects:
    """Mean and predictions of y (k,) with variances v (k,) at `tau2`; k is two or more."""
    w = 1 / (tau2 + v)
    mean = float(w @ y / w.sum())
    own = 1 / v
    centre = own @ y / own.sum()
    typical = (y.size - 1) * own.sum() / (own.sum() ** 2 - (own**2).sum())
    return RandomEffects(
        mean=mean,
        variance=float(1 / w.sum()),
        scale=float(w @ (y - mean) ** 2 / (y.size - 1)),
        tau2=tau2,
        q=float(own @ (y - centre) ** 2),
        i2=float(tau2 / (tau2 + typical)),
        share=np.asarray(tau2 / (tau2 + v), dtype=np.float64),
    )


def tau2_estimate(y: FloatArray, v: FloatArray, *, kind: str) -> float:
    """Variance between units of y (k,) with variances v (k,); zero where none is seen.

    "reml" (restricted maximum likelihood), "paule-mandel" (the generalised Q equals k - 1),
    "dersimonian-laird" (moments).
    """
    w = 1 / v
    free = y.size - 1
    q = float(w @ (y - w @ y / w.sum()) ** 2)
    if kind == "dersimonian-laird":
        return max(0.0, (q - free) / float(w.sum() - (w**2).sum() / w.sum()))
    unit = float(np.var(y) + v.mean())
    if kind == "paule-mandel":
        return _paule_mandel(y, v, q, unit)
    grid = unit * np.append(0.0, np.geomspace(LOWEST, HIGHEST, N_STEPS))
    slopes = [_slope(t, y, v) for t in grid]
    found = [0.0]
    for low, high, up, down in zip(grid[:-1], grid[1:], slopes[:-1], slopes[1:], strict=True):
        if up > 0 >= down:
            root = optimize.brentq(_slope, low, high, args=(y, v), xtol=1e-300, rtol=1e-14)
            found.append(float(root))
    return max(found, key=lambda t: _log_likelihood(t, y, v))


def _paule_mandel(y: FloatArray, v: FloatArray, q: float, unit: float) -> float:
    def excess(tau2: float) -> float:
        w = 1 / (tau2 + v)
        return float(w @ (y - w @ y / w.sum()) ** 2) - (y.size - 1)

    if q <= y.size - 1:
        return 0.0
    # At HIGHEST units of spread the generalised Q is below one.
    return float(optimize.brentq(excess, 0.0, HIGHEST * unit, xtol=1e-300, rtol=1e-14))


def _log_likelihood(tau2: float, y: FloatArray, v: FloatArray) -> float:
    w = 1 / (tau2 + v)
    residual = y - w @ y / w.sum()
    return float(np.log(w).sum() - np.log(w.sum()) - w @ residual**2) / 2


def _slope(tau2: float, y: FloatArray, v: FloatArray) -> float:
    """Derivative of the restricted log-likelihood in tau2."""
    w = 1 / (tau2 + v)
    residual = y - w @ y / w.sum()
    return float(-w.sum() + (w**2).sum() / w.sum() + w**2 @ residual**2) / 2
