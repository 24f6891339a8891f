"""The projected fit against ordinary least squares, one response at a time."""

from __future__ import annotations

import numpy as np
import pytest

from trialkit.kernels.effect_rows import effect_correlations, fit_effect, project, t_of


def slow_fit(y: np.ndarray, columns: np.ndarray) -> tuple[float, float, int]:
    """Effect of the last column, its standard error and df, by lstsq."""
    keep = ~np.isnan(y) & ~np.isnan(columns).any(axis=1)
    x, y = columns[keep], y[keep]
    beta, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    df = y.size - rank
    sigma2 = np.sum((y - x @ beta) ** 2) / df
    return float(beta[-1]), float(np.sqrt(sigma2 * np.linalg.pinv(x.T @ x)[-1, -1])), df


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_agrees_with_least_squares(missing: bool, own: bool) -> None:
    rng = np.random.default_rng(20260411)
    n, m = 14, 6
    y = rng.normal(size=(m, n))
    z = np.column_stack([np.ones(n), rng.normal(size=n)])
    g = (np.arange(n) % 2).astype(float)
    base = rng.normal(size=(m, n)) if own else None
    if missing:
        y[rng.random((m, n)) < 0.2] = np.nan
        if base is not None:
            base[0, 0] = np.nan
    rows = project(y, z, base)
    fits = fit_effect(rows, g)
    t = t_of(effect_correlations(rows, g[None, :]), rows.df)[:, 0]
    for row in range(m):
        extra = [] if base is None else [base[row]]
        estimate, se, df = slow_fit(y[row], np.column_stack([z, *extra, g]))
        assert fits.estimate[row] == pytest.approx(estimate, rel=1e-11)
        assert fits.unscaled[row] * np.sqrt(fits.sigma2[row]) == pytest.approx(se, rel=1e-11)
        assert fits.df[row] == df
        assert t[row] == pytest.approx(estimate / se, rel=1e-9)


def test_an_effect_among_the_nuisance_columns_is_not_estimated() -> None:
    n = 8
    g = (np.arange(n) % 2).astype(float)
    y = np.random.default_rng(1).normal(size=(3, n))
    shared = project(y, np.column_stack([np.ones(n), 1 - g]))
    assert np.isnan(fit_effect(shared, g).estimate).all()
    y[0, g == 1] = np.nan  # one analyte was measured under one condition only
    fits = fit_effect(project(y, np.ones((n, 1))), g)
    assert np.isnan(fits.estimate).tolist() == [True, False, False]


def test_dependent_nuisance_columns_count_once() -> None:
    n = 10
    y = np.random.default_rng(2).normal(size=(2, n))
    y[0, 3] = np.nan
    x = np.arange(n, dtype=float)
    z = np.column_stack([np.ones(n), x, 2 * x + 1])
    fits = fit_effect(project(y, z), (x % 3 == 0).astype(float))
    assert fits.df.tolist() == [6, 7]


def test_a_sign_flip_is_the_effect_column() -> None:
    y = np.random.default_rng(3).normal(size=(4, 9))
    signs = np.array([1, -1, 1, 1, -1, 1, -1, 1, 1.0])
    rows = project(y, np.empty((9, 0)))
    t = t_of(effect_correlations(rows, signs[None, :]), rows.df)[:, 0]
    flipped = y * signs
    expected = flipped.mean(axis=1) / (flipped.std(axis=1, ddof=1) / 3)
    np.testing.assert_allclose(t, expected, rtol=1e-12)


def test_a_perfect_correlation_has_a_large_finite_t() -> None:
    assert np.isfinite(t_of(np.array([[1.0, -1.0]]), np.array([400]))).all()
