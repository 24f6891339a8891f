"""Least squares against plain normal equations, statsmodels, and Longley's data."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close

from trialkit.errors import SpecError
from trialkit.kernels.estimability import is_estimable, null_space
from trialkit.kernels.linear import (
    HC_KINDS,
    aliased_columns,
    hc_covariance,
    least_squares,
    ols_covariance,
    wald_f,
)


def problem(seed: int, n: int = 25, p: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(5, 2, (n, p - 1))])
    return x, x @ rng.normal(size=p) + rng.normal(size=n) * x[:, 1]


def fit_of(x: np.ndarray, y: np.ndarray):  # type: ignore[no-untyped-def]
    return least_squares(x=x, y=y, aliased=np.zeros(x.shape[1], dtype=bool))


def longley() -> tuple[list[list[str]], list[str]]:
    """Longley (1967): employment on six series so alike that careless code loses all digits."""
    rows = """83.0 234289 2356 1590 107608 1947 60323
        88.5 259426 2325 1456 108632 1948 61122
        88.2 258054 3682 1616 109773 1949 60171
        89.5 284599 3351 1650 110929 1950 61187
        96.2 328975 2099 3099 112075 1951 63221
        98.1 346999 1932 3594 113270 1952 63639
        99.0 365385 1870 3547 115094 1953 64989
        100.0 363112 3578 3350 116219 1954 63761
        101.2 397469 2904 3048 117388 1955 66019
        104.6 419180 2822 2857 118734 1956 67857
        108.4 442769 2936 2798 120445 1957 68169
        110.8 444546 4681 2637 121950 1958 66513
        112.6 482704 3813 2552 123366 1959 68655
        114.2 502601 3931 2514 125368 1960 69564
        115.7 518173 4806 2572 127852 1961 69331
        116.9 554894 4007 2827 130081 1962 70551"""
    table = [line.split() for line in rows.splitlines()]
    return [["1", *row[:6]] for row in table], [row[6] for row in table]


def exact_solution(x: list[list[str]], y: list[str]) -> list[Fraction]:
    """The normal equations in rational numbers: no rounding at all."""
    rows = [[Fraction(value) for value in row] for row in x]
    p = len(rows[0])
    system = [
        [sum(row[i] * row[j] for row in rows) for j in range(p)]
        + [sum(row[i] * Fraction(value) for row, value in zip(rows, y, strict=True))]
        for i in range(p)
    ]
    for i in range(p):
        system[i] = [value / system[i][i] for value in system[i]]
        for j in range(p):
            if j != i:
                factor = system[j][i]
                system[j] = [a - factor * b for a, b in zip(system[j], system[i], strict=True)]
    return [row[-1] for row in system]


def test_longley_against_exact_arithmetic_and_the_certified_values() -> None:
    x, y = longley()
    fit = fit_of(np.array(x, dtype=float), np.array(y, dtype=float))
    exact = [float(value) for value in exact_solution(x, y)]
    assert_close(fit.coef, exact, rtol=1e-7)
    # NIST StRD, Longley: intercept and its standard error, residual SD.
    assert_close(fit.coef[0], -3482258.63459582, rtol=1e-8)
    assert_close(np.sqrt(ols_covariance(fit)[0, 0]), 890420.383607373, rtol=1e-8)
    assert_close(np.sqrt(fit.residual_sum_sq / fit.df_residual), 304.854073561965, rtol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_against_normal_equations_and_statsmodels(seed: int) -> None:
    from statsmodels.regression.linear_model import OLS

    x, y = problem(seed)
    fit = fit_of(x, y)
    inverse = np.linalg.inv(x.T @ x)
    assert_close(fit.coef, inverse @ x.T @ y, rtol=1e-9)
    assert_close(fit.leverage, np.diag(x @ inverse @ x.T), rtol=1e-9)
    theirs = OLS(y, x).fit()
    assert_close(ols_covariance(fit), theirs.cov_params(), rtol=1e-9)
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        ours = hc_covariance(fit=fit, x=x, kind=kind)
        assert_close(ours, getattr(theirs, f"cov_{kind}"), rtol=1e-9)
    h = fit.leverage
    bread = inverse @ x.T
    delta = np.minimum(4, x.shape[0] * h / h.sum())
    meat = np.diag((y - x @ fit.coef) ** 2 / (1 - h) ** delta)
    assert_close(hc_covariance(fit=fit, x=x, kind="HC4"), bread @ meat @ bread.T, rtol=1e-9)
    with pytest.raises(SpecError, match=r"vcov='HC9' is not offered; allowed: HC0, .*HC4"):
        hc_covariance(fit=fit, x=x, kind="HC9")
    assert HC_KINDS == ("HC0", "HC1", "HC2", "HC3", "HC4")


def test_wald_f_is_the_extra_sum_of_squares_test() -> None:
    x, y = problem(5)
    full, reduced = fit_of(x, y), fit_of(x[:, :2], y)
    test = wald_f(coef=full.coef, vcov=ols_covariance(full), hypothesis=np.eye(4)[2:], den_df=21.0)
    gain = (reduced.residual_sum_sq - full.residual_sum_sq) / 2
    assert_close(test.statistic, gain / (full.residual_sum_sq / 21), rtol=1e-9)
    from statsmodels.regression.linear_model import OLS

    theirs = OLS(y, x).fit().f_test(np.eye(4)[2:])
    assert_close([test.statistic, test.p_value], [theirs.fvalue, theirs.pvalue], rtol=1e-9)
    assert (test.num_df, test.den_df) == (2, 21)


def test_a_repeated_hypothesis_counts_once_and_none_has_no_value() -> None:
    x, y = problem(6)
    fit = fit_of(x, y)
    vcov = ols_covariance(fit)
    once = wald_f(coef=fit.coef, vcov=vcov, hypothesis=np.eye(4)[1:3], den_df=np.inf)
    thrice = np.vstack([np.eye(4)[1:3], 1e3 * np.eye(4)[1], [0, 1, -1, 0]])
    again = wald_f(coef=fit.coef, vcov=vcov, hypothesis=thrice, den_df=np.inf)
    assert again.num_df == 2
    assert_close(again.statistic, once.statistic, rtol=1e-9)
    assert_close(again.p_value, once.p_value, rtol=1e-8)
    nothing = wald_f(coef=fit.coef, vcov=vcov, hypothesis=np.zeros((1, 4)), den_df=9)
    assert nothing.num_df == 0
    assert np.isnan(nothing.p_value)


def test_aliased_columns_are_the_later_ones() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=20), rng.normal(1e6, 1e3, size=20)
    x = np.column_stack([np.ones(20), a, 3 * a - 2, b, np.zeros(20), b + a, a**2])
    expected = [False, False, True, False, True, True, False]
    assert aliased_columns(x).tolist() == expected
    y = rng.normal(size=20)
    kept = [0, 1, 3, 6]
    fit = least_squares(x=x, y=y, aliased=aliased_columns(x))
    alone = fit_of(x[:, kept], y)
    assert_close(fit.coef[kept], alone.coef, rtol=1e-12)
    assert (fit.coef[[2, 4, 5]] == 0).all()
    assert (ols_covariance(fit)[[2, 4, 5]] == 0).all()
    assert fit.rank == 4
    assert fit.df_residual == 16


def test_a_far_away_covariate_is_not_aliased() -> None:
    x = np.column_stack([np.ones(50), 1e5 + np.linspace(0, 1, 50)])
    assert not aliased_columns(x).any()


def test_estimable_combinations() -> None:
    """Two factors with an empty cell: the missing cell mean, and nothing else, is undetermined."""
    cells = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]], dtype=float).repeat(4, axis=0)
    null = null_space(cells)
    assert null.shape == (4, 1)
    rows = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1e-3]])
    assert is_estimable(rows, null).tolist() == [True, True, True, False, False]
    assert null_space(problem(1)[0]).shape == (4, 0)
    assert is_estimable(rows, np.empty((4, 0))).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3))
def test_units_and_constants(seed: int, scale: float, shift: float) -> None:
    x, y = problem(seed)
    fit = fit_of(x, y)
    moved = fit_of(x, scale * y + shift)
    # A constant far larger than the outcome takes its last digits away.
    rounding = 1e-9 * scale + 1e-12 * abs(shift)
    assert_close(moved.coef[1:], scale * fit.coef[1:], rtol=1e-6, atol=rounding)
    assert_close(
        ols_covariance(moved), scale**2 * ols_covariance(fit), rtol=1e-6, atol=scale * rounding
    )
    rescaled = x * np.array([1, scale, 1, 1])
    again = fit_of(rescaled, y)
    assert_close(again.coef[1] * scale, fit.coef[1], rtol=1e-8)
    assert is_estimable(np.eye(4), null_space(rescaled)).all()
