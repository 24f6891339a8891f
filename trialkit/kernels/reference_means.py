"""Means and covariances after an intercurrent event, by strategy (Carpenter, Roger & Kenward 2013).

Vocabulary: the *event* is the code 0..m of the first visit it affects (m: no event). A
strategy says how the mean of those visits follows from the subject's own arm and the reference
arm. Every mean is linear in the coefficients, so a strategy is a choice of design rows.
Shapes: n subjects, m visits, P coefficients, B fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["STRATEGIES", "Cell", "cells", "mean_rows", "strategy_covariance"]

# "mar" missing at random, "j2r" jump to reference, "cr" copy reference, "cir" copy increments
# in reference, "lmcf" last mean carried forward.
STRATEGIES = ("mar", "j2r", "cr", "cir", "lmcf")
# Strategies whose covariance is partly or wholly that of the reference arm.
MIXED = ("j2r", "cir")


def mean_rows(
    own: FloatArray, reference: FloatArray, event: IntArray, strategy: np.ndarray
) -> FloatArray:
    """Design rows A (n, m, P): the mean of subject i at visit j is A[i, j] b.

    `own` and `reference` (n, m, P) are the rows of the subject in its arm and, with the same
    covariates, in the reference arm; `strategy` (n,) names one of STRATEGIES. A subject whose
    event precedes the first visit has no mean of its own to start from: cir is then the
    reference, and lmcf missing at random. Copied reference holds before the event too.
    """
    n, m, _ = own.shape
    before = np.maximum(event - 1, 0)
    has_start = (event > 0)[:, None, None]
    rows = np.arange(n)
    own_last, reference_last = own[rows, before][:, None], reference[rows, before][:, None]
    increments = np.where(has_start, own_last + reference - reference_last, reference)
    carried = np.where(has_start, np.broadcast_to(own_last, own.shape), own)
    after = (np.arange(m) >= event[:, None])[:, :, None]
    has_event = (event < m)[:, None, None]
    chosen = strategy[:, None, None]
    out = own
    out = np.where(after & (chosen == "j2r"), reference, out)
    out = np.where(has_event & (chosen == "cr"), reference, out)
    out = np.where(after & (chosen == "cir"), increments, out)
    return np.asarray(np.where(after & (chosen == "lmcf"), carried, out))


def strategy_covariance(
    own: FloatArray, reference: FloatArray, event: int, strategy: str
) -> FloatArray:
    """Covariance (B, m, m) of the visits, from the arm's own and the reference arm's (B, m, m).

    Jump to reference and copied increments keep the arm's covariance before the event and the
    reference arm's regression on it after (Carpenter, Roger & Kenward 2013, with their matrix
    identities); copy reference takes the reference arm's throughout.
    """
    m = own.shape[-1]
    if event == m or strategy not in (*MIXED, "cr"):
        return own
    if strategy == "cr" or event == 0:
        return reference
    before, after = slice(0, event), slice(event, m)
    slopes = np.linalg.solve(reference[:, before, before], reference[:, before, after]).swapaxes(
        1, 2
    )
    out = np.empty_like(own)
    out[:, before, before] = own[:, before, before]
    out[:, after, before] = slopes @ own[:, before, before]
    out[:, before, after] = out[:, after, before].swapaxes(1, 2)
    difference = reference[:, before, before] - own[:, before, before]
    out[:, after, after] = reference[:, after, after] - slopes @ difference @ slopes.swapaxes(1, 2)
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """Subjects `members` with the same visits `seen` (m,) and the same covariance of them."""

    members: IntArray
    seen: BoolArray
    group: int
    reference_group: int
    event: int
    strategy: str

    def covariance(self, sigma: FloatArray) -> FloatArray:
        """Covariance (B, m, m) of these subjects from those of the groups (B, G, m, m)."""
        own = sigma[:, self.group]
        if self.group == self.reference_group:
            return own
        return strategy_covariance(own, sigma[:, self.reference_group], self.event, self.strategy)


def cells(
    seen: BoolArray,
    event: IntArray,
    strategy: np.ndarray,
    group: IntArray,
    reference_group: IntArray,
) -> list[Cell]:
    """Subjects with something missing, sorted into cells; inputs (n, m) and (n,)."""
    found: dict[tuple[object, ...], list[int]] = {}
    for subject in np.flatnonzero(~seen.all(axis=1)):
        own, other = int(group[subject]), int(reference_group[subject])
        # One covariance for both arms: neither event nor strategy can change it.
        kind = (seen.shape[1], "mar") if own == other else (event[subject], strategy[subject])
        key = (seen[subject].tobytes(), own, other, int(kind[0]), str(kind[1]))
        found.setdefault(key, []).append(int(subject))
    return [
        Cell(
            members=np.array(members, dtype=np.int64),
            seen=seen[members[0]],
            group=int(str(key[1])),
            reference_group=int(str(key[2])),
            event=int(str(key[3])),
            strategy=str(key[4]),
        )
        for key, members in found.items()
    ]
