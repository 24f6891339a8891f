"""The fit: closed forms, invariances, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from kernels.mmrm.trials import Trial, small_trial
from scipy import linalg

from trialkit.errors import ConvergenceError, DataError
from trialkit.kernels.mmrm.basis import has_full_rank
from trialkit.kernels.mmrm.diagnosis import CovarianceProblem
from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.information import covariance_information
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance, kenward_roger_df
from trialkit.kernels.mmrm.layout import layout
from trialkit.kernels.mmrm.structures import STRUCTURES

FIXED_DISTANCE = "spatial-exponential"


def fit_of(trial: Trial, name: str = "unstructured", **kwargs: object) -> MarginalFit:
    lay = layout(
        subject=trial.subject,
        visit=trial.visit,
        n_visits=trial.n_visits,
        time=trial.time if name == FIXED_DISTANCE else None,
    )
    return fit_marginal(trial.x, trial.y, layout=lay, covariance=name, **kwargs)


def test_complete_balanced_data_give_the_multivariate_estimate() -> None:
    trial = small_trial(n=24, m=3, missing=0.0, seed=5)
    order = np.lexsort((trial.visit, trial.subject))
    y = trial.y[order].reshape(-1, 3)
    between = trial.x[order][::3][:, [0, 1]]
    visits = np.eye(3)[trial.visit]
    x = np.hstack([visits, visits * trial.group[:, None]])
    lay = layout(subject=trial.subject, visit=trial.visit, n_visits=3)
    beta = np.linalg.lstsq(between, y, rcond=None)[0]
    residual = y - between @ beta
    for reml, free in ((True, 22), (False, 24)):
        fit = fit_marginal(x, trial.y, layout=lay, reml=reml)
        np.testing.assert_allclose(fit.sigma[0][0], residual.T @ residual / free, rtol=1e-9)
        np.testing.assert_allclose(fit.coef, beta.ravel(), rtol=1e-9)


@pytest.mark.parametrize("name", STRUCTURES)
def test_one_visit_is_least_squares(name: str) -> None:
    rng = np.random.default_rng(4)
    n = 20
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = rng.normal(size=n)
    zero = np.zeros(n, dtype=np.int64)
    time = np.ones(n) if name == FIXED_DISTANCE else None
    lay = layout(subject=np.arange(n), visit=zero, n_visits=1, time=time)
    fit = fit_marginal(x, y, layout=lay, covariance=name)
    coef, rss, *_ = np.linalg.lstsq(x, y, rcond=None)
    np.testing.assert_allclose(fit.coef, coef, rtol=1e-10)
    np.testing.assert_allclose(fit.sigma[0].ravel(), rss / (n - 2), rtol=1e-9)
    information = covariance_information(fit)
    df = kenward_roger_df(fit, information, fit.basis.contrasts(np.eye(2)))
    np.testing.assert_allclose(df, n - 2, rtol=1e-7)
    adjusted = fit.basis.covariance(adjusted_covariance(fit, information))
    np.testing.assert_allclose(adjusted, rss / (n - 2) * np.linalg.inv(x.T @ x), rtol=1e-7)


@pytest.mark.parametrize("name", STRUCTURES)
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_the_outcome_changes_nothing_else(name: str, unit: float) -> None:
    trial = small_trial(seed=6, n=24)
    own = fit_of(trial, name)
    scaled = Trial(**{**vars_of(trial), "y": unit * trial.y})
    other = fit_of(scaled, name)
    np.testing.assert_allclose(other.coef, unit * own.coef, rtol=1e-7)
    np.testing.assert_allclose(other.sigma[0], unit**2 * own.sigma[0], rtol=1e-6)
    rows = own.basis.contrasts(np.eye(own.coef.size))
    df = [kenward_roger_df(f, covariance_information(f), rows) for f in (own, other)]
    np.testing.assert_allclose(df[1], df[0], rtol=1e-6)
    free = trial.y.size - own.coef.size
    assert other.deviance == pytest.approx(own.deviance + 2 * free * np.log(unit), rel=1e-9)


def test_a_far_origin_and_collinear_coding_keep_their_digits() -> None:
    trial = small_trial(seed=7, n=24)
    own = fit_of(trial)
    mixed = trial.x @ (np.eye(trial.x.shape[1]) + np.triu(np.ones((trial.x.shape[1],) * 2), 1))
    far = Trial(**{**vars_of(trial), "x": mixed, "y": trial.y + 1e6})
    other = fit_of(far)
    np.testing.assert_allclose(other.sigma[0], own.sigma[0], rtol=1e-6)
    np.testing.assert_allclose(
        np.linalg.slogdet(other.vcov)[1], np.linalg.slogdet(own.vcov)[1], rtol=1e-6
    )


def test_row_order_does_not_matter() -> None:
    trial = small_trial(seed=8)
    again = np.random.default_rng(1).permutation(trial.y.size)
    shuffled = Trial(
        **{
            name: value if name == "n_visits" else value[again]
            for name, value in vars_of(trial).items()
        }
    )
    np.testing.assert_allclose(fit_of(shuffled).vcov, fit_of(trial).vcov, rtol=1e-9, atol=1e-12)


def vars_of(trial: Trial) -> dict[str, object]:
    return {name: getattr(trial, name) for name in Trial.__dataclass_fields__}


def test_convergence_is_reported() -> None:
    fit = fit_of(small_trial(seed=9))
    assert 1 <= fit.optimum.iterations < 30
    assert fit.optimum.gradient_norm < 1e-5
    assert fit.optimum.hessian_range[0] > 0


def test_unseen_visit_is_named_by_its_code() -> None:
    subject, visit = np.nonzero(np.array([[1, 1, 0]] * 8, dtype=bool))
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(16), visit])
    lay = layout(subject=subject, visit=visit, n_visits=3)
    with pytest.raises(CovarianceProblem, match="unseen") as caught:
        fit_marginal(x, rng.normal(size=16), layout=lay)
    assert caught.value.visits == (2,)
    assert fit_marginal(x, rng.normal(size=16), layout=lay, covariance="ar1").n_parameters == 2


def test_visits_never_seen_together_are_named() -> None:
    seen = np.array([[1, 1, 0]] * 10 + [[1, 0, 1]] * 10, dtype=bool)
    subject, visit = np.nonzero(seen)
    x = np.eye(3)[visit]
    y = np.random.default_rng(0).normal(size=visit.size)
    lay = layout(subject=subject, visit=visit, n_visits=3)
    with pytest.raises(CovarianceProblem, match="never together") as caught:
        fit_marginal(x, y, layout=lay)
    assert caught.value.visits == (1, 2)
    assert caught.value.n_subjects == 20
    assert caught.value.n_together == 0


def test_repeated_visits_are_singular() -> None:
    trial = small_trial(n=30, m=3, missing=0.0, seed=3)
    order = np.lexsort((trial.visit, trial.subject))
    y = trial.y[order].reshape(-1, 3)
    y[:, 2] = y[:, 1] + 1.0
    sorted_trial = Trial(
        **{
            name: value if name == "n_visits" else value[order]
            for name, value in vars_of(trial).items()
        }
    )
    repeated = Trial(**{**vars_of(sorted_trial), "y": y.ravel()})
    with pytest.raises(CovarianceProblem, match="singular") as caught:
        fit_of(repeated)
    assert set(caught.value.visits) == {1, 2}


def test_more_visits_than_subjects_are_singular() -> None:
    trial = small_trial(n=6, m=6, missing=0.0, seed=3)
    with pytest.raises(ConvergenceError):
        fit_of(Trial(**{**vars_of(trial), "x": trial.x[:, :1]}))


def test_an_exact_fit_is_refused() -> None:
    trial = small_trial()
    exact = Trial(**{**vars_of(trial), "y": trial.x @ np.arange(1.0, trial.x.shape[1] + 1)})
    with pytest.raises(DataError, match="fit the outcome exactly"):
        fit_of(exact)


def test_dependent_columns_are_refused() -> None:
    trial = small_trial()
    doubled = np.column_stack([trial.x, trial.x[:, 0] - trial.x[:, 1]])
    assert not has_full_rank(doubled)
    assert has_full_rank(trial.x)
    assert not has_full_rank(np.column_stack([trial.x, np.zeros(trial.y.size)]))
    with pytest.raises(DataError, match="linearly dependent"):
        fit_of(Trial(**{**vars_of(trial), "x": doubled}))


def test_too_few_rows_are_refused() -> None:
    lay = layout(subject=np.arange(3), visit=np.zeros(3, dtype=np.int64), n_visits=1)
    with pytest.raises(DataError, match="3 observations cannot support 3 fixed effects"):
        fit_marginal(np.eye(3), np.arange(3.0), layout=lay)


def test_nearly_dependent_columns_go_through_householder() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=(40, 2))
    near = np.column_stack([np.ones(40), base, base[:, 0] + 1e-6 * rng.normal(size=40)])
    assert has_full_rank(near)
    y = rng.normal(size=40)
    lay = layout(subject=np.arange(40), visit=np.zeros(40, dtype=np.int64), n_visits=1)
    fit = fit_marginal(near, y, layout=lay)
    q, r = linalg.qr(near, mode="economic")
    np.testing.assert_allclose(fit.coef, linalg.solve_triangular(r, q.T @ y), rtol=1e-6)
