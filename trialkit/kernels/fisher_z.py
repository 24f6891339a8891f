"""Confidence limits of a correlation on Fisher's scale, z = artanh(r)."""

from __future__ import annotations

from math import atanh, inf, sqrt, tanh

from scipy import special

from trialkit.typing import Alternative

__all__ = ["fisher_z_interval"]


def fisher_z_interval(
    r: float, variance: float, *, level: float, alternative: Alternative
) -> tuple[float, float]:
    """Limits about `r` where artanh(r) is normal with this variance; one-sided ones reach +-1."""
    if abs(r) >= 1:
        return (r, r)
    tail = (1 - level) / (2 if alternative == "two-sided" else 1)
    half = -float(special.ndtri(tail)) * sqrt(variance)
    low = -inf if alternative == "less" else atanh(r) - half
    high = inf if alternative == "greater" else atanh(r) + half
    return tanh(low), tanh(high)
