"""What the data cannot tell about a covariance, and where."""

from __future__ import annotations

import numpy as np

from trialkit.errors import ConvergenceError
from trialkit.kernels.mmrm.layout import Layout
from trialkit.kernels.mmrm.start import joint_counts
from trialkit.typing import FloatArray

__all__ = ["CovarianceProblem", "refuse_singular", "refuse_unseen"]

# Smallest eigenvalue of a correlation matrix that double precision still inverts usefully.
MIN_EIGENVALUE = 1e-11
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
    """A covariance the data do not determine: `group`, `visits` (codes) and `n_subjects`.

    `reason` is "unseen" (no subject at the visit), "never together" (no subject at both),
    "singular" (a combination of the visits has no variance left).
    """

    def __init__(
        self, reason: str, *, group: int, visits: tuple[int, ...], n_subjects: int
    ) -> None:
        self.reason = reason
        self.group = group
        self.visits = visits
        self.n_subjects = n_subjects
        super().__init__(
            f"Covariance of group {group} is not determined ({reason}): visits {list(visits)}, "
            f"{n_subjects} subjects."
        )


def refuse_unseen(layout: Layout, covariance: str) -> None:
    """Raise CovarianceProblem for parameters that no observation of a group touches."""
    for group in range(layout.n_groups):
        counts = joint_counts(layout, group)
        n_subjects = int(layout.count[layout.group_slice(group)].sum())
        if covariance in OWN_VARIANCES:
            unseen = np.flatnonzero(np.diagonal(counts) == 0)
            if unseen.size:
                visits = tuple(int(v) for v in unseen)
                raise CovarianceProblem("unseen", group=group, visits=visits, n_subjects=n_subjects)
        if covariance == "unstructured":
            low, high = np.nonzero(np.triu(counts == 0, 1))
            if low.size:
                visits = (int(low[0]), int(high[0]))
                raise CovarianceProblem(
                    "never together", group=group, visits=visits, n_subjects=n_subjects
                )


def refuse_singular(layout: Layout, sigmas: list[FloatArray]) -> None:
    """Raise CovarianceProblem where a group's Sigma has come close to singular."""
    for group, sigma in enumerate(sigmas):
        n_subjects = int(layout.count[layout.group_slice(group)].sum())
        variances = np.diagonal(sigma[0])
        small = np.flatnonzero(variances < MIN_VARIANCE_RATIO * variances.max())
        if small.size:
            visits = tuple(int(v) for v in small)
            raise CovarianceProblem("singular", group=group, visits=visits, n_subjects=n_subjects)
        root = np.sqrt(variances)
        values, vectors = np.linalg.eigh(sigma[0] / np.outer(root, root))
        if values[0] < MIN_EIGENVALUE:
            loading = np.abs(vectors[:, 0])
            visits = tuple(int(v) for v in np.flatnonzero(loading >= MIN_LOADING * loading.max()))
            raise CovarianceProblem("singular", group=group, visits=visits, n_subjects=n_subjects)
