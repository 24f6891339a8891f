"""The noncentral t distribution, to the last digits and in both tails.

T = (Z + ncp) / S with Z standard normal and S = sqrt(chi2(df) / df), so that
P(T <= t) is the mean of Phi(t S - ncp) over S: a smooth integral over a short range.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Literal, TypeAlias

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.typing import FloatArray

__all__ = ["noncentral_t_tails", "noncentrality_at"]

# S has mean near one and standard deviation near 1/sqrt(2 df); its density is below 1e-40 of
# its peak beyond this many of them.
S_RANGE = 14.0
N_PANELS = 48
NODES_PER_PANEL = 20
# Phi(t s - ncp) goes from 0 to 1 within this many units of t s around ncp.
PHI_RANGE = 9.0
# The step that brackets a noncentrality doubles until it does, or until nothing can.
MAX_STEP = 1e15

Tail: TypeAlias = Literal["lower", "upper"]


def noncentral_t_tails(t: float, df: float, ncp: float) -> tuple[float, float]:
    """P(T <= t) and P(T > t), each computed as itself and not as one minus the other."""
    from scipy import special

    nodes, weights = _quadrature(t, df, ncp)
    log_density = (df - 1) * np.log(nodes) - df * nodes**2 / 2
    mass = weights * np.exp(log_density - np.max(log_density))
    # The constant of the density, too, comes from the quadrature: log-gamma loses digits.
    mass /= np.sum(mass)
    argument = t * nodes - ncp
    return (
        float(np.sum(mass * special.ndtr(argument))),
        float(np.sum(mass * special.ndtr(-argument))),
    )


def noncentrality_at(t: float, df: float, *, tail: Tail, probability: float) -> float:
    """The ncp that gives the lower tail P(T <= t), or the upper P(T > t), this probability."""
    from scipy import optimize

    index, sign = (0, 1.0) if tail == "lower" else (1, -1.0)

    def excess(ncp: float) -> float:
        """Falls from positive to negative as ncp grows, for either tail."""
        return sign * (noncentral_t_tails(t, df, ncp)[index] - probability)

    low, high = _bracket(excess, t)
    return float(optimize.brentq(excess, low, high, xtol=1e-13, rtol=1e-14, maxiter=500))


def _bracket(excess: Callable[[float], float], centre: float) -> tuple[float, float]:
    """Two points with `excess` positive at the lower and negative at the upper one."""
    step = 2.0
    while not excess(centre - step) > 0 > excess(centre + step):
        step *= 2
        if step > MAX_STEP:
            raise ConvergenceError(f"No noncentrality within {step:g} of t = {centre:g} is found.")
    return centre - step, centre + step


def _quadrature(t: float, df: float, ncp: float) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights over the range of S, denser where Phi rises."""
    spread = S_RANGE / sqrt(2 * df)
    low, high = max(0.0, 1 - spread), 1 + spread
    edges = np.linspace(low, high, N_PANELS + 1)
    if abs(t) > 1:  # for a smaller t the rise is wider than the even panels
        rise = ncp / t + np.linspace(-PHI_RANGE, PHI_RANGE, N_PANELS // 2 + 1) / abs(t)
        edges = np.unique(np.concatenate((edges, np.clip(rise, low, high))))
    unit_nodes, unit_weights = np.polynomial.legendre.leggauss(NODES_PER_PANEL)
    half = np.diff(edges)[:, None] / 2
    nodes = edges[:-1, None] + half * (1 + unit_nodes[None, :])
    return nodes.ravel(), (half * unit_weights[None, :]).ravel()
