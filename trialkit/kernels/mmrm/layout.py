"""Which subject was seen when: observations sorted so that equal patterns lie together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trialkit.errors import DataError
from trialkit.kernels.mmrm.patterns import Patterns
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["Layout", "layout"]

# Visits that fit into the bits of one integer; with more, patterns are told apart by rows.
MAX_BITS = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout(Patterns):
    """Patterns with the observations behind them, sorted by pattern, subject and visit.

    `order` (N,) takes the caller's rows into that order; `visit` (N,) and `subject` (N,) are
    codes in that order. `first` (K + 1,) bounds each pattern's observations;
    `subject_pattern` (n,) is by subject code.
    """

    order: IntArray
    subject: IntArray
    visit: IntArray
    first: IntArray
    subject_pattern: IntArray


def layout(
    *,
    subject: IntArray,
    visit: IntArray,
    n_visits: int,
    group: IntArray | None = None,
    n_groups: int = 1,
    time: FloatArray | None = None,
) -> Layout:
    """Sort observations by pattern.

    `subject` (N,) and `visit` (N,) are codes from 0; each subject code below the largest has
    an observation. `group` (N,) and `time` (N,) are per observation. Raises DataError for a
    subject with two observations at a visit or in two groups (with positions; the caller
    names them).
    """
    n_subjects = int(subject.max()) + 1
    key = subject * n_visits + visit
    by_subject = np.argsort(key, kind="stable")
    if (np.diff(key[by_subject]) == 0).any():
        raise DataError("A subject has two observations at the same visit.")
    mask = np.zeros((n_subjects, n_visits), dtype=np.bool_)
    mask[subject, visit] = True
    owner = np.zeros(n_subjects, dtype=np.int64)
    if group is not None:
        owner[subject] = group
        if (owner[subject] != group).any():
            raise DataError("A subject is in two covariance groups.")
    times = None
    if time is not None:
        times = np.zeros((n_subjects, n_visits))
        times[subject, visit] = time
    first_subject, pattern = _patterns(mask, owner, times)
    size = mask[first_subject].sum(axis=1)
    count = np.bincount(pattern, minlength=first_subject.size)
    order = by_subject[np.argsort(pattern[subject[by_subject]], kind="stable")]
    return Layout(
        order=order,
        subject=subject[order],
        visit=visit[order],
        mask=mask[first_subject],
        group=owner[first_subject],
        count=count,
        first=np.concatenate([[0], np.cumsum(count * size)]),
        subject_pattern=pattern,
        n_groups=n_groups,
        time=None if times is None else times[first_subject],
    )


def _patterns(
    mask: BoolArray, owner: IntArray, times: FloatArray | None
) -> tuple[IntArray, IntArray]:
    """One subject of each pattern, sorted by group, and each subject's pattern."""
    n_visits = mask.shape[1]
    if times is None and n_visits <= MAX_BITS:
        bits = mask @ (np.int64(1) << np.arange(n_visits, dtype=np.int64))
        _, code = np.unique(bits, return_inverse=True)
        joint = owner * (int(code.max()) + 1) + code
        _, first, pattern = np.unique(joint, return_index=True, return_inverse=True)
    else:
        columns = [owner[:, None], mask] if times is None else [owner[:, None], mask, times]
        _, first, pattern = np.unique(
            np.hstack(columns), axis=0, return_index=True, return_inverse=True
        )
    return first, pattern.reshape(-1)
