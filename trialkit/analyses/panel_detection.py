"""What can be said of an analyte that no method can estimate: detection, and a bound.

Where every value of one condition lies beyond its limit, the likelihood rises without end in
one direction. It still bounds the difference on the other side (profile likelihood), and
whether the analyte was detected at all can be compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import numpy as np
from scipy import optimize, special

from trialkit.analyses.panel_tobit import fit_within, several_in_a_cell
from trialkit.analyses.panel_units import PanelUnits, condition_counts, condition_masks, only
from trialkit.errors import ConvergenceError
from trialkit.kernels.censored_mixed import CensoredMixed, censored_mixed
from trialkit.kernels.censored_nested import CensoredNested
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.tobit_rows import tobit_rows
from trialkit.typing import Alternative, FloatArray, IntArray

__all__ = ["Detection", "Unestimable", "detection", "detections", "exact_test", "unestimable"]

# How far, in units of the other condition's spread, a bound is looked for.
BOUND_STEPS = 60
# A bound is found to this on the log2 scale.
BOUND_PRECISION = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Measured and present values of both conditions, the reference first."""

    measured: tuple[int, int]
    present: tuple[int, int]

    @property
    def share(self) -> tuple[float, float]:
        """Share measured, by condition; NaN without values."""
        pairs = zip(self.measured, self.present, strict=True)
        first, second = (m / n if n else nan for m, n in pairs)
        return first, second


@dataclass(frozen=True, slots=True, kw_only=True)
class Unestimable:
    """An analyte without an estimate: why, the exact p on detection, and a bound if any."""

    status: str
    method: str
    p_value: float
    low: float
    high: float


def detections(units: PanelUnits) -> tuple[Detection, ...]:
    """Values measured in either condition, among the units used, by analyte."""
    used = units.present & units.used[:, :, None, None]
    present = condition_counts(units, used).tolist()
    measured = condition_counts(units, used & (units.side == 0)).tolist()
    return tuple(
        Detection(measured=(seen[0], seen[1]), present=(there[0], there[1]))
        for seen, there in zip(measured, present, strict=True)
    )


def detection(units: PanelUnits, row: int) -> Detection:
    """The same of one analyte."""
    return detections(only(units, np.array([row])))[0]


def unestimable(
    units: PanelUnits, row: int, *, ci_level: float, alternative: Alternative, with_bound: bool
) -> Unestimable:
    """The row of an analyte that is censored throughout, or in one condition."""
    found = detection(units, row)
    p_value, test = exact_test(units, row, alternative)
    if sum(found.measured) == 0:
        return Unestimable(
            status="censored throughout: no value within the limits of quantification",
            method=test,
            p_value=p_value,
            low=-inf,
            high=inf,
        )
    empty = 0 if found.measured[0] == 0 else 1
    low, high = -inf, inf
    if with_bound:
        try:
            low, high = _bound(units, row, empty, ci_level)
        except ConvergenceError:
            low, high = -inf, inf
    said = " and a bound" if np.isfinite(low) or np.isfinite(high) else ""
    return Unestimable(
        status=f"censored throughout in {units.conditions[empty]}: exact test on detection{said}",
        method=f"{test}{'; profile-likelihood bound, tobit' if said else ''}",
        p_value=p_value,
        low=low,
        high=high,
    )


def exact_test(units: PanelUnits, row: int, alternative: Alternative) -> tuple[float, str]:
    """Fisher between arms, McNemar within subjects; a subject is detected by any draw.

    A value above its limit is high: there the lower share within the limits speaks for the
    higher value. Values beyond both limits leave no one-sided test (NaN).
    """
    beyond = units.side[row][units.used[row]]
    if alternative != "two-sided" and (beyond > 0).any():
        if (beyond < 0).any():
            return nan, "no one-sided test on detection: values beyond both limits"
        alternative = "less" if alternative == "greater" else "greater"
    if units.is_within:
        seen = (units.present[row] & (units.side[row] == 0)).any(axis=2)[units.used[row]]
        gained = int(np.sum(seen[:, 1] & ~seen[:, 0]))
        lost = int(np.sum(seen[:, 0] & ~seen[:, 1]))
        return _binomial_p(gained, gained + lost, alternative), "exact McNemar test on detection"
    from scipy.stats import fisher_exact

    found = detection(units, row)
    counts = [
        [found.measured[1], found.present[1] - found.measured[1]],
        [found.measured[0], found.present[0] - found.measured[0]],
    ]
    return float(
        fisher_exact(np.array(counts), alternative=alternative)[1]
    ), "Fisher exact test on detection"


def _binomial_p(successes: int, n: int, alternative: Alternative) -> float:
    if n == 0:
        return 1.0
    lower = float(special.bdtr(successes, n, 0.5))
    upper = float(special.bdtrc(successes - 1, n, 0.5)) if successes else 1.0
    if alternative == "less":
        return lower
    return upper if alternative == "greater" else min(1.0, 2 * min(lower, upper))


def _bound(units: PanelUnits, row: int, empty: int, ci_level: float) -> tuple[float, float]:
    """Profile-likelihood limits of the difference, one of them infinite.

    Raises ConvergenceError where the model cannot be fitted on the way.
    """
    masks = condition_masks(units, row)
    sides = np.unique(units.side[row][masks[empty]])
    if sides.size != 1:
        return -inf, inf
    towards = float(sides[0]) if empty == 1 else -float(sides[0])
    profile = _Profile(units, row)
    top = profile.top(masks[1 - empty])
    drop = float(special.ndtri((1 + ci_level) / 2)) ** 2 / 2

    def short_of(delta: float) -> float:
        return profile.at(delta) - (top - drop)

    inner = profile.centre(masks)
    spread = max(profile.spread, 1e-6)
    start = inner + towards * spread
    for step in range(BOUND_STEPS):
        outer = start - towards * spread * (step + 1)
        if short_of(outer) < 0:
            break
        start = outer
    else:
        return -inf, inf
    while short_of(start) < 0:
        start += towards * spread
        if abs(start - inner) > BOUND_STEPS * spread:
            return -inf, inf
    limit = float(optimize.brentq(short_of, start, outer, xtol=BOUND_PRECISION))
    return (limit, inf) if towards > 0 else (-inf, limit)


class _Profile:
    """Log-likelihood of one analyte with the difference held at a value."""

    def __init__(self, units: PanelUnits, row: int) -> None:
        used = units.used[row]
        self.is_within = units.is_within
        self.used = used
        self.y: FloatArray = units.y[row][used]
        self.side: IntArray = units.side[row][used]
        n, c, r = self.y.shape
        x = np.repeat(units.cell_nuisance[used][:, :, None, :], r, axis=2)
        if units.own is not None:
            own = np.broadcast_to(units.own[row][used][:, None, None, None], (n, c, r, 1))
            x = np.concatenate([x, own], axis=3)
        self.x: FloatArray = x[..., ~aliased_columns(x[~np.isnan(self.y)])]
        treated = np.arange(2.0)[None, :, None] if self.is_within else units.effect[used]
        self.treated: FloatArray = np.broadcast_to(treated.reshape(-1, c, 1), (n, c, r))
        self.last: CensoredMixed | CensoredNested | None = None
        self.known: dict[float, float] = {}
        measured = self.y[(self.side == 0) & ~np.isnan(self.y)]
        self.spread = float(np.std(measured)) if measured.size > 1 else 1.0

    def at(self, delta: float) -> float:
        if delta not in self.known:
            self.known[delta] = self._fitted(self.y - delta * self.treated)
        return self.known[delta]

    def _fitted(self, y: FloatArray) -> float:
        if not self.is_within:
            return self._flat(y, np.ones(y.shape, dtype=np.bool_))
        fit = fit_within(y, self.side, self.x, start=self.last)
        if not fit.converged:
            fit = fit_within(y, self.side, self.x)
        self.last = fit
        return _value(fit.log_likelihood, converged=fit.converged)

    def top(self, kept: np.ndarray) -> float:
        """The supremum: the fit of the other condition alone, the empty one being certain."""
        chosen = kept[self.used]
        if not (self.is_within and several_in_a_cell(self.y)):
            return self._flat(self.y, chosen)
        other = int(chosen.any(axis=(0, 2)).argmax())
        y, x = self.y[:, other], self.x[:, other]
        there = ~np.isnan(y)
        if not (there.sum(axis=1) > 1).any():
            return self._flat(self.y, chosen)
        fit = censored_mixed(y, self.side[:, other], x[..., _varied(x[there])])
        return _value(fit.log_likelihood, converged=fit.converged)

    def _flat(self, y: FloatArray, kept: np.ndarray) -> float:
        chosen = kept & ~np.isnan(y)
        x = self.x[chosen]
        fit = tobit_rows(y[chosen][None], self.side[chosen][None], x[:, _varied(x)])
        return _value(float(fit.log_likelihood[0]), converged=bool(fit.converged[0]))

    def centre(self, masks: list[np.ndarray]) -> float:
        """Difference of the mean bounds, where the search begins."""
        means = [float(self.y[mask[self.used]].mean()) for mask in masks]
        return means[1] - means[0]


def _value(log_likelihood: float, *, converged: bool) -> float:
    if not converged:
        raise ConvergenceError("The censored likelihood has no maximum.")
    return log_likelihood


def _varied(x: FloatArray) -> np.ndarray:
    """The first column, the constant, and those that are none over these rows (n, p)."""
    return np.concatenate([[True], np.ptp(x[:, 1:], axis=0) > 0])
