"""Correlation matrices of the visits as functions of a few parameters, with derivatives.

A family gives R(rho) with its first and second derivatives in rho, and a map from the real
line to each parameter's range, so that an optimiser can move freely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from trialkit.typing import FloatArray

__all__ = [
    "AnteDependence",
    "Autoregressive",
    "CompoundSymmetry",
    "Correlation",
    "Exponential",
    "Toeplitz",
    "Uncorrelated",
]

# Starting correlations stay this far inside their range.
START_MARGIN = 0.05


class Correlation(Protocol):
    """R (c, m, m) of `n_parameters` parameters; c is 1, or the number of sets of times."""

    @property
    def n_visits(self) -> int:
        """Number of visits m."""

    @property
    def n_parameters(self) -> int:
        """Number of correlation parameters p."""

    def matrix(self, rho: FloatArray, /) -> FloatArray:
        """R: (c, m, m)."""

    def first(self, rho: FloatArray, /) -> FloatArray:
        """Derivatives of R in rho_s: (p, c, m, m)."""

    def second(self, rho: FloatArray, /) -> FloatArray:
        """Second derivatives of R in rho_s and rho_t: (p, p, c, m, m)."""

    def start(self, correlation: FloatArray, /) -> FloatArray:
        """Parameters near an empirical correlation (m, m), strictly inside their range."""

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Parameters on the real line."""

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Parameters from the real line, with first and second derivative."""


def _tanh_link(free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    rho = np.tanh(free)
    slope = 1.0 / np.square(np.cosh(free))
    return rho, slope, -2.0 * rho * slope


def _lags(n_visits: int) -> FloatArray:
    visit = np.arange(n_visits, dtype=np.float64)
    return np.asarray(np.abs(visit[:, None] - visit[None, :]))


def _clip(values: ArrayLike, low: float, high: float) -> FloatArray:
    return np.clip(np.asarray(values, dtype=np.float64), low, high)


@dataclass(frozen=True, slots=True)
class Uncorrelated:
    """The only correlation of a single visit."""

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """None."""
        return 0

    def matrix(self, _rho: FloatArray, /) -> FloatArray:
        """The identity."""
        return np.eye(self.n_visits)[None]

    def first(self, _rho: FloatArray, /) -> FloatArray:
        """Empty."""
        return np.zeros((0, 1, self.n_visits, self.n_visits))

    def second(self, _rho: FloatArray, /) -> FloatArray:
        """Empty."""
        return np.zeros((0, 0, 1, self.n_visits, self.n_visits))

    def start(self, _correlation: FloatArray, /) -> FloatArray:
        """Empty."""
        return np.zeros(0)

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Empty."""
        return rho

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Empty."""
        return free, free, free


@dataclass(frozen=True, slots=True)
class CompoundSymmetry:
    """One correlation between any two visits, above -1 / (m - 1)."""

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """One."""
        return 1

    @property
    def _floor(self) -> float:
        return 1.0 / (self.n_visits - 1)

    def matrix(self, rho: FloatArray, /) -> FloatArray:
        """Ones on the diagonal, rho elsewhere."""
        eye = np.eye(self.n_visits)
        return np.asarray(eye + rho[0] * (1 - eye))[None]

    def first(self, _rho: FloatArray, /) -> FloatArray:
        """Ones off the diagonal."""
        return np.asarray(1 - np.eye(self.n_visits))[None, None]

    def second(self, _rho: FloatArray, /) -> FloatArray:
        """Zero."""
        return np.zeros((1, 1, 1, self.n_visits, self.n_visits))

    def start(self, correlation: FloatArray, /) -> FloatArray:
        """The mean correlation."""
        off = ~np.eye(self.n_visits, dtype=np.bool_)
        margin = START_MARGIN * self._floor
        return _clip([correlation[off].mean()], margin - self._floor, 1 - START_MARGIN)

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Logit of the share of the range."""
        share = (rho + self._floor) / (1 + self._floor)
        return np.asarray(np.log(share) - np.log1p(-share))

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Inverse logit onto the range."""
        share = 1.0 / (1.0 + np.exp(-np.clip(free, -700, 700)))
        width = 1 + self._floor
        slope = width * share * (1 - share)
        return width * share - self._floor, slope, slope * (1 - 2 * share)


@dataclass(frozen=True, slots=True)
class Autoregressive:
    """Correlation rho to the power of the number of visits between."""

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """One."""
        return 1

    def matrix(self, rho: FloatArray, /) -> FloatArray:
        """Powers of rho."""
        return np.asarray(rho[0] ** _lags(self.n_visits))[None]

    def first(self, rho: FloatArray, /) -> FloatArray:
        """Lag times rho to the lag less one."""
        lag = _lags(self.n_visits)
        return np.asarray(lag * rho[0] ** np.maximum(lag - 1, 0))[None, None]

    def second(self, rho: FloatArray, /) -> FloatArray:
        """Lag times lag less one, times rho to the lag less two."""
        lag = _lags(self.n_visits)
        return np.asarray(lag * (lag - 1) * rho[0] ** np.maximum(lag - 2, 0))[None, None, None]

    def start(self, correlation: FloatArray, /) -> FloatArray:
        """The mean correlation of neighbouring visits."""
        return _clip([np.diagonal(correlation, 1).mean()], START_MARGIN - 1, 1 - START_MARGIN)

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Fisher's z."""
        return np.arctanh(rho)

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Inverse of Fisher's z."""
        return _tanh_link(free)


@dataclass(frozen=True, slots=True)
class Toeplitz:
    """A correlation for each distance in visits."""

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """One a distance."""
        return self.n_visits - 1

    def matrix(self, rho: FloatArray, /) -> FloatArray:
        """Bands."""
        lag = _lags(self.n_visits).astype(np.int64)
        return np.asarray(np.concatenate([[1.0], rho])[lag])[None]

    def first(self, _rho: FloatArray, /) -> FloatArray:
        """Indicators of the bands."""
        lag = _lags(self.n_visits)
        steps = np.arange(1, self.n_visits)
        return np.asarray(lag[None] == steps[:, None, None], dtype=np.float64)[:, None]

    def second(self, _rho: FloatArray, /) -> FloatArray:
        """Zero."""
        p, m = self.n_parameters, self.n_visits
        return np.zeros((p, p, 1, m, m))

    def start(self, correlation: FloatArray, /) -> FloatArray:
        """The mean correlation of each band."""
        bands = [np.diagonal(correlation, lag).mean() for lag in range(1, self.n_visits)]
        return _clip(bands, START_MARGIN - 1, 1 - START_MARGIN)

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Fisher's z."""
        return np.arctanh(rho)

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Inverse of Fisher's z."""
        return _tanh_link(free)


@dataclass(frozen=True, slots=True)
class AnteDependence:
    """A correlation for each pair of neighbouring visits, multiplied between others."""

    n_visits: int

    @property
    def n_parameters(self) -> int:
        """One a pair of neighbours."""
        return self.n_visits - 1

    def _between(self) -> np.ndarray:
        """Whether step s lies between visits a and b: (p, m, m)."""
        visit = np.arange(self.n_visits)
        low, high = np.minimum.outer(visit, visit), np.maximum.outer(visit, visit)
        step = np.arange(self.n_parameters)[:, None, None]
        return (low[None] <= step) & (step < high[None])

    def _factors(self, rho: FloatArray, /) -> FloatArray:
        return np.where(self._between(), rho[:, None, None], 1.0)

    def matrix(self, rho: FloatArray, /) -> FloatArray:
        """Products of the steps between."""
        return np.asarray(self._factors(rho).prod(axis=0))[None]

    def first(self, rho: FloatArray, /) -> FloatArray:
        """The product of the other steps."""
        between, factors = self._between(), self._factors(rho)
        out = np.empty_like(factors)
        for step in range(self.n_parameters):
            others = np.delete(factors, step, axis=0)
            out[step] = np.where(between[step], others.prod(axis=0), 0.0)
        return out[:, None]

    def second(self, rho: FloatArray, /) -> FloatArray:
        """The product of the steps other than the two."""
        between, factors = self._between(), self._factors(rho)
        p, m = self.n_parameters, self.n_visits
        out = np.zeros((p, p, m, m))
        for s in range(p):
            for t in range(s):
                others = np.delete(factors, (s, t), axis=0).prod(axis=0)
                out[s, t] = out[t, s] = np.where(between[s] & between[t], others, 0.0)
        return out[:, :, None]

    def start(self, correlation: FloatArray, /) -> FloatArray:
        """The correlations of neighbouring visits."""
        return _clip(np.diagonal(correlation, 1), START_MARGIN - 1, 1 - START_MARGIN)

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Fisher's z."""
        return np.arctanh(rho)

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Inverse of Fisher's z."""
        return _tanh_link(free)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Correlation exp(-distance / range) of the times of the visits.

    `distance` (c, m, m): one set of times, or one a pattern.
    """

    distance: FloatArray

    @property
    def n_visits(self) -> int:
        """Number of visits."""
        return int(self.distance.shape[1])

    @property
    def n_parameters(self) -> int:
        """The range."""
        return 1

    def matrix(self, rho: FloatArray, /) -> FloatArray:
        """exp(-d / r)."""
        return np.asarray(np.exp(-self.distance / rho[0]))

    def first(self, rho: FloatArray, /) -> FloatArray:
        """R d / r^2."""
        return np.asarray(self.matrix(rho) * self.distance / rho[0] ** 2)[None]

    def second(self, rho: FloatArray, /) -> FloatArray:
        """R (d^2 / r^4 - 2 d / r^3)."""
        d, r = self.distance, rho[0]
        return np.asarray(self.matrix(rho) * (d**2 / r**4 - 2 * d / r**3))[None, None]

    def start(self, correlation: FloatArray, /) -> FloatArray:
        """The range at which the mean distance has the mean correlation."""
        apart = self.distance > 0
        off = ~np.eye(self.n_visits, dtype=np.bool_)
        mean = np.clip(correlation[off].mean(), START_MARGIN, 1 - START_MARGIN)
        return np.array([-self.distance[apart].mean() / np.log(mean)])

    def to_free(self, rho: FloatArray, /) -> FloatArray:
        """Logarithm."""
        return np.log(rho)

    def from_free(self, free: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Exponential."""
        rho = np.exp(free)
        return rho, rho, rho
