"""Sorting of observations into patterns."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.trials import small_trial

from trialkit.errors import DataError
from trialkit.kernels.mmrm.layout import layout


def test_observations_lie_by_pattern_subject_and_visit() -> None:
    trial = small_trial(n=30, m=4, missing=0.3)
    lay = layout(
        subject=trial.subject, visit=trial.visit, n_visits=4, group=trial.group, n_groups=2
    )
    assert sorted(lay.order) == list(range(trial.y.size))
    np.testing.assert_array_equal(trial.subject[lay.order], lay.subject)
    np.testing.assert_array_equal(trial.visit[lay.order], lay.visit)
    for pattern in range(lay.count.size):
        rows = slice(lay.first[pattern], lay.first[pattern + 1])
        visits = np.flatnonzero(lay.mask[pattern])
        assert (lay.visit[rows].reshape(-1, visits.size) == visits).all()
        assert (lay.subject_pattern[lay.subject[rows]] == pattern).all()
        assert (trial.group[lay.order[rows]] == lay.group[pattern]).all()
    assert (np.diff(lay.group) >= 0).all()
    assert lay.n_subjects == len(set(trial.subject.tolist()))


def test_many_visits_find_the_same_patterns() -> None:
    rng = np.random.default_rng(1)
    kinds = rng.random((3, 60)) < 0.5
    kinds[:, 0] = True
    which = np.array([0, 1, 2, 0, 1, 0])
    subject, visit = np.nonzero(kinds[which])
    lay = layout(subject=subject, visit=visit, n_visits=60)
    assert sorted(lay.count.tolist()) == [1, 2, 3]


def test_own_times_make_own_patterns() -> None:
    subject, visit = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1] * 3)
    time = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.5])
    lay = layout(subject=subject, visit=visit, n_visits=2, time=time)
    assert sorted(lay.count.tolist()) == [1, 2]


def test_two_observations_at_a_visit_are_refused() -> None:
    with pytest.raises(DataError, match="two observations"):
        layout(subject=np.array([0, 0, 1]), visit=np.array([1, 1, 0]), n_visits=2)


def test_a_subject_in_two_groups_is_refused() -> None:
    with pytest.raises(DataError, match="two covariance groups"):
        layout(
            subject=np.array([0, 0]),
            visit=np.array([0, 1]),
            n_visits=2,
            group=np.array([0, 1]),
            n_groups=2,
        )
