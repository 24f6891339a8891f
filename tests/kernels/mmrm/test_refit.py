"""Refits of reweighted data against fits of the data themselves."""

from __future__ import annotations

import numpy as np
import pytest

from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.refit import leave_one_out, reweighted
from trialkit.kernels.mmrm.subject_rows import SubjectRows, padded_rows

N, M = 40, 3


def trial(seed: int = 4, n: int = N) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    subject, visit = np.repeat(np.arange(n), M), np.tile(np.arange(M), n)
    arm = (subject % 2).astype(float)
    y = rng.normal(size=(n, M)).cumsum(axis=1).ravel() + 0.5 * arm * visit
    seen = rng.uniform(size=n * M) > 0.2 * (visit > 0)
    x = np.column_stack([np.eye(M)[visit], arm[:, None] * np.eye(M)[visit]])
    group = (subject % 2).astype(np.int64)
    return tuple(each[seen] for each in (x, y, subject, visit, group))


def fitted(
    data: tuple[np.ndarray, ...], covariance: str, by_group: bool = False
) -> tuple[MarginalFit, SubjectRows]:
    x, y, subject, visit, group = data
    _, codes = np.unique(subject, return_inverse=True)
    where = layout(
        subject=codes,
        visit=visit,
        n_visits=M,
        group=group if by_group else None,
        n_groups=2 if by_group else 1,
    )
    fit = fit_marginal(x, y, layout=where, covariance=covariance)
    return fit, padded_rows(x, y, layout=where, basis=fit.basis, weights=None)


def same(refits, row: int, other: MarginalFit) -> None:
    np.testing.assert_allclose(refits.coef[row], other.coef, rtol=0, atol=1e-9)
    for group, sigma in enumerate(other.sigma):
        np.testing.assert_allclose(refits.sigma[row, group], sigma[0], rtol=1e-8)


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("covariance", ["unstructured", "toeplitz-het", "ar1"])
def test_leaving_a_subject_out_is_the_fit_without_it(covariance: str, by_group: bool) -> None:
    data = trial()
    fit, rows = fitted(data, covariance, by_group)
    left = np.array([0, 7, 21])
    refits = leave_one_out(fit, rows, fit.patterns, left)
    assert refits.is_fitted.all()
    for row, subject in enumerate(left):
        kept = data[2] != subject
        same(refits, row, fitted(tuple(each[kept] for each in data), covariance, by_group)[0])


@pytest.mark.parametrize("covariance", ["unstructured", "ar1-het"])
def test_a_weight_of_two_is_a_subject_twice(covariance: str) -> None:
    data = trial()
    fit, rows = fitted(data, covariance)
    counts = np.random.default_rng(8).multinomial(N, np.ones(N) / N, size=3)
    refits = reweighted(fit, rows, fit.patterns, counts.astype(float))
    for row, times in enumerate(counts):
        chosen = np.repeat(np.arange(N), times)
        parts = [np.flatnonzero(data[2] == s) for s in chosen]
        take = np.concatenate(parts)
        owner = np.repeat(np.arange(chosen.size), [p.size for p in parts])
        copied = (data[0][take], data[1][take], owner, data[3][take], data[4][take])
        same(refits, row, fitted(copied, covariance)[0])


def test_weights_of_one_are_the_fit_itself() -> None:
    fit, rows = fitted(trial(), "unstructured")
    same(reweighted(fit, rows, fit.patterns, np.ones((2, N))), 1, fit)


def test_a_copy_without_an_optimum_is_reported_with_its_reason() -> None:
    fit, rows = fitted(trial(), "unstructured")
    weights = np.ones((2, N))
    weights[1, 4:] = 0
    refits = reweighted(fit, rows, fit.patterns, weights)
    assert list(refits.problems) == [1]
    assert np.isnan(refits.coef[1]).all()
    assert refits.is_fitted.tolist() == [True, False]
    same(refits, 0, fit)


@pytest.mark.parametrize("covariance", ["unstructured", "ar1"])
def test_a_coefficient_that_one_subject_alone_determines(covariance: str) -> None:
    x, y, subject, visit, group = trial()
    lone = (subject == 9).astype(float)
    fit, rows = fitted((np.column_stack([x, lone]), y, subject, visit, group), covariance)
    refits = leave_one_out(fit, rows, fit.patterns, np.array([3, 9]))
    assert refits.problems == {1: "The fixed effects are linearly dependent."}
    assert np.isnan(refits.coef[1]).all()
    assert np.isfinite(refits.coef[0]).all()
