"""What the data cannot tell about a covariance, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.direct_product import PeriodsByVisits
from trialkit.kernels.mmrm.patterns import Patterns
from trialkit.kernels.mmrm.start import joint_counts
from trialkit.typing import BoolArray, FloatArray

__all__ = ["CovarianceProblem", "refuse_singular", "refuse_unseen"]

# Smallest eigenvalue of a correlation matrix that double precision still inverts usefully; and
# the one below which a search that failed was on its way to a singular matrix.
MIN_EIGENVALUE = 1e-10
SUSPECT_EIGENVALUE = 1e-5
# Smallest variance of a visit over the largest.
MIN_VARIANCE_RATIO = 1e-14
# Visits whose share in the singular direction is at least this are named.
MIN_LOADING = 0.3

# Structures with a variance of each visit's own.
OWN_VARIANCES = frozenset(
    {
        "unstructured",
        "toeplitz-het",
        "ar1-het",
        "compound-symmetry-het",
        "ante-dependence-het",
    }
)


class CovarianceProblem(ConvergenceError):
    """A covariance the data do not determine: `group` and `visits` (codes).

    In a direct product `axis` says of what they are codes: "visits", "periods", or None for the
    cells of both. `n_subjects` are in the group, `n_together` of them were seen at all these
    visits. `reason` is "unseen" (no subject at the visit), "never together" (no subject at
    both), "singular" (a combination of the visits has no variance left).
    """

    def __init__(
        self,
        reason: str,
        *,
        group: int,
        visits: tuple[int, ...],
        patterns: Patterns,
        axis: Literal["visits", "periods"] | None = None,
    ) -> None:
        rows = patterns.group_slice(group)
        together = patterns.mask[rows][:, list(visits)].all(axis=1)
        self.reason = reason
        self.group = group
        self.visits = visits
        self.axis = axis
        self.n_subjects = int(patterns.count[rows].sum())
        self.n_together = int(patterns.count[rows] @ together)
        super().__init__(
            f"Covariance of group {group} is not determined ({reason}): visits {list(visits)}, "
            f"seen together in {self.n_together} of {self.n_subjects} subjects."
        )


def refuse_unseen(patterns: Patterns, covariance: str | PeriodsByVisits) -> None:
    """Raise CovarianceProblem for parameters that no observation of a group touches."""
    if isinstance(covariance, str):
        _refuse_unseen(patterns, covariance, None)
        return
    seen = patterns.mask.reshape(patterns.n_patterns, covariance.n_periods, -1)
    of_visits = replace(patterns.bare(), mask=np.asarray(seen.any(axis=1)))
    _refuse_unseen(of_visits, covariance.visits, "visits")
    of_periods = replace(patterns.bare(), mask=np.asarray(seen.any(axis=2)))
    _refuse_unseen(of_periods, covariance.periods, "periods")


def _refuse_unseen(
    patterns: Patterns, covariance: str, axis: Literal["visits", "periods"] | None
) -> None:
    for group in range(patterns.n_groups):
        counts = joint_counts(patterns, group)
        unseen = np.flatnonzero(np.diagonal(counts) == 0)
        if covariance in OWN_VARIANCES and unseen.size:
            visits = tuple(int(v) for v in unseen)
            raise CovarianceProblem(
                "unseen", group=group, visits=visits, patterns=patterns, axis=axis
            )
        low, high = np.nonzero(np.triu(counts == 0, 1))
        if covariance == "unstructured" and low.size:
            visits = (int(low[0]), int(high[0]))
            raise CovarianceProblem(
                "never together", group=group, visits=visits, patterns=patterns, axis=axis
            )


def refuse_singular(
    patterns: Patterns, sigmas: list[FloatArray], *, below: float = MIN_EIGENVALUE
) -> None:
    """Raise CovarianceProblem where a group's correlations have an eigenvalue below `below`."""
    for group, sigma in enumerate(sigmas):
        if sigma.shape[0] > 1:
            visits = _singular_times(sigma, patterns.mask[patterns.group_slice(group)], below)
        else:
            visits = _singular_visits(sigma[0], below)
        if visits:
            raise CovarianceProblem("singular", group=group, visits=visits, patterns=patterns)


def _singular_visits(sigma: FloatArray, below: float) -> tuple[int, ...]:
    """Visits without variance, or those of a combination without; empty where there are none."""
    variances = np.diagonal(sigma)
    small = np.flatnonzero(variances < MIN_VARIANCE_RATIO * variances.max())
    if small.size:
        return tuple(int(visit) for visit in small)
    root = np.sqrt(variances)
    values, vectors = np.linalg.eigh(sigma / np.outer(root, root))
    if values[0] >= below:
        return ()
    loading = np.abs(vectors[:, 0])
    return tuple(int(visit) for visit in np.flatnonzero(loading >= MIN_LOADING * loading.max()))


def _singular_times(sigma: FloatArray, mask: BoolArray, below: float) -> tuple[int, ...]:
    """Two visits whose correlation is one at every pattern's own times."""
    both = mask[:, :, None] & mask[:, None, :] & ~np.eye(mask.shape[1], dtype=np.bool_)
    if not both.any():
        return ()
    lowest = np.where(both, sigma / sigma[0, 0, 0], np.inf)
    if lowest.min() < 1 - below:
        return ()
    _, low, high = np.unravel_index(int(lowest.argmin()), lowest.shape)
    return (int(low), int(high))
