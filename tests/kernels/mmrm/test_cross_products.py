"""Cross-products: the two operations, their twin on rows, and their sum over shards."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.trials import Trial, small_trial

from trialkit.errors import DataError
from trialkit.kernels.mmrm.basis import Basis, orthonormal_basis
from trialkit.kernels.mmrm.cross_products import CrossProducts, cross_products
from trialkit.kernels.mmrm.fit import fit_marginal
from trialkit.kernels.mmrm.layout import Layout, layout
from trialkit.kernels.mmrm.subject_rows import moments, padded_rows


def pieces(trial: Trial, *, weighted: bool) -> tuple[Layout, Basis, CrossProducts]:
    lay = layout(
        subject=trial.subject,
        visit=trial.visit,
        n_visits=trial.n_visits,
        group=trial.group,
        n_groups=2,
    )
    weights = trial.weights if weighted else None
    basis = orthonormal_basis(trial.x, trial.y, weights)
    return lay, basis, cross_products(trial.x, trial.y, layout=lay, basis=basis, weights=weights)


@pytest.mark.parametrize("weighted", [False, True])
def test_pool_and_spread_are_the_sums_they_say(weighted: bool) -> None:
    trial = small_trial(n=25, m=4, missing=0.3, seed=8)
    lay, basis, products = pieces(trial, weighted=weighted)
    z = basis.rows(trial.x, trial.y)
    if weighted:
        z = z * np.sqrt(trial.weights)[:, None]
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, lay.count.size, 4, 4))
    weights = weights + weights.swapaxes(-1, -2)
    matrix = rng.normal(size=(z.shape[1],) * 2)
    matrix = matrix + matrix.T
    pooled = np.zeros((3, z.shape[1], z.shape[1]))
    spread = np.zeros((lay.count.size, 4, 4))
    for i in range(trial.y.size):
        for j in range(trial.y.size):
            if trial.subject[i] == trial.subject[j]:
                k = lay.subject_pattern[trial.subject[i]]
                a, b = trial.visit[i], trial.visit[j]
                pooled += weights[:, k, a, b, None, None] * np.outer(z[i], z[j])
                spread[k, a, b] += z[i] @ matrix @ z[j]
    np.testing.assert_allclose(products.pool(weights), pooled, atol=1e-12)
    np.testing.assert_allclose(products.spread(matrix), spread, atol=1e-12)
    rows = padded_rows(
        trial.x,
        trial.y,
        layout=lay,
        basis=basis,
        weights=trial.weights if weighted else None,
    )
    np.testing.assert_allclose(rows.pool(weights), pooled, atol=1e-12)
    np.testing.assert_allclose(rows.spread(matrix), spread, atol=1e-12)
    own = lay.group_slice(1)
    for source in (products, rows):
        only = np.zeros_like(weights)
        only[:, own] = weights[:, own]
        np.testing.assert_allclose(source.pool(weights[:, own], own), source.pool(only), atol=1e-12)


def test_products_add_over_shards() -> None:
    trial = small_trial(n=20, m=3, missing=0.0, seed=9)
    whole = layout(subject=trial.subject, visit=trial.visit, n_visits=3)
    basis = orthonormal_basis(trial.x, trial.y)
    parts = []
    for members in (trial.subject < 8, trial.subject >= 8):
        subject = trial.subject[members] - trial.subject[members].min()
        lay = layout(subject=subject, visit=trial.visit[members], n_visits=3)
        parts.append(
            cross_products(
                trial.x[members], trial.y[members], layout=lay, basis=basis, weights=None
            )
        )
    total = parts[0] + parts[1]
    truth = cross_products(trial.x, trial.y, layout=whole, basis=basis, weights=None)
    np.testing.assert_allclose(total.packed, truth.packed, atol=1e-12)
    assert total.count.sum() == truth.count.sum() == 20


def test_products_of_other_patterns_do_not_add() -> None:
    one = pieces(small_trial(n=20, m=3, missing=0.0), weighted=False)[2]
    other = pieces(small_trial(n=20, m=3, missing=0.4, seed=3), weighted=False)[2]
    with pytest.raises(DataError, match="different patterns"):
        one + other


def test_rows_take_over_where_patterns_do_not_repeat() -> None:
    rng = np.random.default_rng(2)
    n, m = 30, 60
    subject, visit = np.nonzero(rng.random((n, m)) < 0.7)
    x = np.column_stack([np.ones(subject.size), rng.normal(size=(subject.size, 29))])
    y = rng.normal(size=subject.size) + rng.normal(size=n)[subject]
    lay = layout(subject=subject, visit=visit, n_visits=m)
    basis = orthonormal_basis(x, y)
    assert not isinstance(moments(x, y, layout=lay, basis=basis, weights=None), CrossProducts)
    fit = fit_marginal(x, y, layout=lay, covariance="compound-symmetry")
    same = cross_products(x, y, layout=lay, basis=basis, weights=None)
    np.testing.assert_allclose(
        same.pool(fit.optimum.point.inverse),
        fit.likelihood.moments.pool(fit.optimum.point.inverse),
        atol=1e-10,
    )
