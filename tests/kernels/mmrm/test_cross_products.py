"""Cross-products: the two operations, their twin on rows, and their sum over shards."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.trials import Trial, small_trial

from trialkit.errors import DataError
from trialkit.kernels.mmrm.basis import Basis, orthonormal_basis
from trialkit.kernels.mmrm.cross_products import CrossProducts, cross_products
from trialkit.kernels.mmrm.fit import fit_marginal, fit_moments
from trialkit.kernels.mmrm.layout import Layout, layout
from trialkit.kernels.mmrm.patterns import Patterns
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


@pytest.mark.parametrize("weighted", [False, True])
def test_products_summed_over_shards_give_the_fit_of_all(weighted: bool) -> None:
    trial = small_trial(n=30, m=3, missing=0.3, seed=9)
    weights = trial.weights if weighted else None
    whole = layout(
        subject=trial.subject, visit=trial.visit, n_visits=3, group=trial.group, n_groups=2
    )
    truth = fit_marginal(trial.x, trial.y, layout=whole, weights=weights)
    # Any basis serves: here that of the first shard alone.
    shards = [trial.subject < 12, (trial.subject >= 12) & (trial.subject < 20), trial.subject >= 20]
    basis = orthonormal_basis(trial.x[shards[0]], trial.y[shards[0]])
    parts = []
    for members in shards:
        lay = layout(
            subject=trial.subject[members] - trial.subject[members].min(),
            visit=trial.visit[members],
            n_visits=3,
            group=trial.group[members],
            n_groups=2,
        )
        own = None if weights is None else weights[members]
        parts.append(
            cross_products(trial.x[members], trial.y[members], layout=lay, basis=basis, weights=own)
        )
    assert len({part.patterns.n_patterns for part in parts}) > 1
    total = parts[0] + parts[1] + parts[2]
    assert described(total.patterns) == described(whole)
    fit = fit_moments(
        total,
        patterns=total.patterns,
        basis=basis,
        covariance="unstructured",
        reml=True,
        n_observations=trial.y.size,
        log_weights=0.0 if weights is None else float(np.log(weights).sum()),
    )
    assert fit.deviance == pytest.approx(truth.deviance, rel=1e-10)
    np.testing.assert_allclose(fit.coef, truth.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fit.vcov, truth.vcov, rtol=1e-7, atol=1e-10)


def described(patterns: Patterns) -> dict[tuple[float, ...], int]:
    rows = [tuple(row) for row in patterns.rows().tolist()]
    return dict(zip(rows, patterns.count.tolist(), strict=True))


def test_shards_with_own_times_add() -> None:
    subject, visit = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    x, y = np.column_stack([np.ones(4), visit]), np.array([1.0, 2.5, 0.5, 3.0])
    basis = orthonormal_basis(x, y)
    parts = [
        cross_products(
            x,
            y,
            layout=layout(subject=subject, visit=visit, n_visits=2, time=np.array(time)),
            basis=basis,
            weights=None,
        )
        for time in ([1.0, 2.0, 1.0, 2.5], [1.0, 2.5, 1.0, 3.0])
    ]
    total = parts[0] + parts[1]
    np.testing.assert_array_equal(total.patterns.time, [[1, 2], [1, 2.5], [1, 3]])
    np.testing.assert_array_equal(total.patterns.count, [1, 2, 1])


def test_products_of_other_models_or_visits_do_not_add() -> None:
    trial = small_trial(n=20, m=3, missing=0.0)
    one = pieces(trial, weighted=False)[2]
    with pytest.raises(DataError, match="different models"):
        one + pieces(Trial(**{**vars_of(trial), "x": trial.x[:, :3]}), weighted=False)[2]
    wider = Trial(**{**vars_of(trial), "n_visits": 4})
    with pytest.raises(DataError, match="different visits or groups"):
        one + pieces(wider, weighted=False)[2]


def vars_of(trial: Trial) -> dict[str, object]:
    return {name: getattr(trial, name) for name in Trial.__dataclass_fields__}


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
