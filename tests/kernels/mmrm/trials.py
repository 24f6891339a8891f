"""Small invented trials for the kernels' tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Trial:
    x: np.ndarray
    y: np.ndarray
    subject: np.ndarray
    visit: np.ndarray
    group: np.ndarray
    time: np.ndarray
    weights: np.ndarray
    n_visits: int


def small_trial(
    *, n: int = 18, m: int = 4, seed: int = 1, missing: float = 0.15, own_times: bool = False
) -> Trial:
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    base = rng.normal(6, 1, n)
    scale = 1 + 0.3 * np.arange(m)
    correlation = 0.7 ** np.abs(np.subtract.outer(np.arange(m), np.arange(m)))
    root = np.linalg.cholesky(correlation * np.outer(scale, scale))
    y = rng.standard_normal((n, m)) @ root.T - 0.3 * arm[:, None] - 0.2 * base[:, None]
    seen = rng.random((n, m)) > missing
    seen[np.arange(n), rng.integers(0, m, n)] = True
    seen[:4] = True
    subject, visit = np.nonzero(seen)
    time = 4.0 * np.arange(1, m + 1)[visit]
    if own_times:
        time = time + rng.integers(-1, 2, time.size)
    dummies = np.eye(m)[visit][:, 1:]
    x = np.column_stack([np.ones(visit.size), arm[subject], dummies, base[subject]])
    x = np.column_stack([x, dummies * arm[subject][:, None]])
    weights = rng.integers(2, 8, visit.size) / 7
    shuffled = rng.permutation(visit.size)
    return Trial(
        x=x[shuffled],
        y=y[seen][shuffled],
        subject=subject[shuffled],
        visit=visit[shuffled],
        group=arm[subject][shuffled],
        time=time[shuffled],
        weights=weights[shuffled],
        n_visits=m,
    )
