"""Sums over risk sets at every event, from which the Cox model's likelihood is built.

One row an event (E,), in order of stratum and time. Under Efron's treatment of d tied deaths
the k-th of them (k = 0 ... d - 1) sees the risk set with the fraction k / d of the deaths taken
out; under Breslow's the fraction is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["EventRows", "RiskSums", "event_rows", "risk_sums"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EventRows:
    """Where each event stands, whatever the coefficients.

    Subjects are sorted by stratum, and by time from last to first within it: the risk set of an
    event is a run of rows `start` ... `stop - 1` of that order. `subject` (E,) is the row that
    fails, `first` and `size` the run of events tied with it, `fraction` Efron's k / d.
    """

    order: IntArray  # (n,) rows of the data in that order
    time: FloatArray  # (n,) in that order
    stratum: IntArray  # (n,) in that order
    event: BoolArray  # (n,) in that order
    start: IntArray
    stop: IntArray
    subject: IntArray
    first: IntArray
    size: IntArray
    fraction: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskSums:
    """Weighted size (E,), mean (E, P) and second moment (E, P, P) of every risk set."""

    total: FloatArray
    mean: FloatArray
    second: FloatArray

    def variance(self) -> FloatArray:
        """Covariance of the covariates over each risk set (E, P, P)."""
        spread: FloatArray = self.second - self.mean[:, :, None] * self.mean[:, None, :]
        return spread


def event_rows(
    time: FloatArray, event: BoolArray, stratum: IntArray, *, is_efron: bool
) -> EventRows:
    """Sort the subjects and locate every event's risk set."""
    order = np.lexsort((-time, stratum))
    t, s, e = time[order], stratum[order], event[order]
    position = np.arange(time.size)
    new_stratum = np.concatenate([[True], s[1:] != s[:-1]])
    opens = np.maximum.accumulate(np.where(new_stratum, position, 0))
    new_time = new_stratum | np.concatenate([[True], t[1:] != t[:-1]])
    run = np.cumsum(new_time) - 1
    closes = np.append(np.flatnonzero(new_time)[1:], time.size)[run]
    failing = np.flatnonzero(e)
    # Earlier times come first among the events of a stratum.
    failing = failing[np.lexsort((t[failing], s[failing]))]
    _, first, inverse, size = np.unique(
        run[failing], return_index=True, return_inverse=True, return_counts=True
    )
    first, size = first[inverse], size[inverse]
    fraction = (np.arange(failing.size) - first) / size if is_efron else np.zeros(failing.size)
    return EventRows(
        order=order.astype(np.int64),
        time=t,
        stratum=s,
        event=e,
        start=opens[failing].astype(np.int64),
        stop=closes[failing].astype(np.int64),
        subject=failing.astype(np.int64),
        first=first.astype(np.int64),
        size=size.astype(np.int64),
        fraction=np.asarray(fraction, dtype=np.float64),
    )


def risk_sums(rows: EventRows, x: FloatArray, risk: FloatArray) -> RiskSums:
    """Sums for covariates `x` (n, P) and relative risks `risk` (n,), both in the sorted order."""
    n, p = x.shape
    stack = np.concatenate(
        [np.ones((n, 1)), x, (x[:, :, None] * x[:, None, :]).reshape(n, p * p)], axis=1
    )
    stack *= risk[:, None]
    running = np.concatenate([np.zeros((1, stack.shape[1])), np.cumsum(stack, axis=0)])
    sums = running[rows.stop] - running[rows.start]
    dying = np.concatenate([np.zeros((1, stack.shape[1])), np.cumsum(stack[rows.subject], axis=0)])
    ties = dying[rows.first + rows.size] - dying[rows.first]
    sums -= rows.fraction[:, None] * ties
    total = sums[:, 0]
    moments = sums[:, 1:] / total[:, None]
    return RiskSums(total=total, mean=moments[:, :p], second=moments[:, p:].reshape(-1, p, p))
