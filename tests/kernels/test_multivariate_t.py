"""Tails of the largest t statistic: three ways to compute them, and older books."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import integrate, special, stats

from trialkit.kernels.chi_scale import scale_nodes
from trialkit.kernels.max_t_factors import factor_loadings, factor_tail
from trialkit.kernels.max_t_polar import polar_factor, polar_tail
from trialkit.kernels.multivariate_t import MaxT, max_t
from trialkit.kernels.studentized_range import range_critical_value, range_tail

DF = (1, 2.5, 7, 155, 1e6, np.inf)
THRESHOLDS = (-1.0, 0.0, 0.4, 2.0, 5.0, 20.0)


def correlation_of(loadings: list[float]) -> np.ndarray:
    matrix = np.outer(loadings, loadings)
    np.fill_diagonal(matrix, 1.0)
    return matrix


@pytest.mark.reference
def test_dunnett_of_two_comparisons_is_rs() -> None:
    case = reference_case("parallel/b_three_arm_strata")
    expected = case["dunnett_two_sided"]
    pair = max_t(np.array([[1.0, expected["correlation"]], [expected["correlation"], 1.0]]))
    table = case.table("dunnett_two_sided")
    df = float(table["df"].iloc[0])
    ours = [pair.tail(abs(t), df=df, two_sided=True) for t in table["statistic"]]
    assert_close([p for p, _ in ours], table["p_value"], rtol=1e-10)
    assert all(error == 0 for _, error in ours)
    critical = pair.critical_value(0.05, df=df, two_sided=True)
    assert_close(critical, expected["critical_value"], rtol=1e-10)
    one_sided = case["dunnett_one_sided_less"]
    lower = [pair.tail(-t, df=df, two_sided=False)[0] for t in table["statistic"]]
    assert_close(lower, one_sided["p_value"], rtol=1e-10)
    critical = pair.critical_value(0.05, df=df, two_sided=False)
    assert_close(critical, one_sided["critical_value"], rtol=1e-10)


@pytest.mark.parametrize("df", DF)
@pytest.mark.parametrize("two_sided", [True, False])
def test_the_integral_over_the_angle_is_the_integral_over_the_common_part(
    df: float, two_sided: bool
) -> None:
    loadings = np.array([[0.8], [-0.5]])
    factor = polar_factor(correlation_of([0.8, -0.5]))
    assert factor is not None
    for threshold in THRESHOLDS:
        angle = polar_tail(factor, threshold=threshold, df=df, two_sided=two_sided)
        common = factor_tail(loadings, threshold=threshold, df=df, two_sided=two_sided)
        assert_close(angle, common, rtol=1e-10, atol=1e-290)


@pytest.mark.parametrize("df", [2, 10, 155, np.inf])
def test_all_pairs_of_three_equal_arms_have_the_studentised_range(df: float) -> None:
    pairs = np.array([[-1, 1, 0], [-1, 0, 1], [0, -1, 1]]) / np.sqrt(2)
    maximum = max_t(pairs @ pairs.T)
    assert maximum.way == "polar"
    for threshold in (0.3, 1.0, 3.0, 8.0):
        ours, _ = maximum.tail(threshold, df=df, two_sided=True)
        assert_close(ours, range_tail(threshold * np.sqrt(2), n_means=3, df=df), rtol=1e-10)


@pytest.mark.parametrize("n_means", [2, 3, 5, 10])
def test_the_studentised_range_is_scipys(n_means: int) -> None:
    for q, df in ((1.0, 3), (3.5, 12), (5.0, 60)):
        theirs = stats.studentized_range.sf(q, n_means, df)
        assert_close(range_tail(q, n_means=n_means, df=df), theirs, rtol=1e-9)


def test_the_studentised_range_of_two_means_is_the_t_test() -> None:
    for q, df in ((0.1, 1), (4.0, 8), (30.0, 5), (9.0, np.inf)):
        z = q / np.sqrt(2)
        exact = 2 * (special.ndtr(-z) if df == np.inf else special.stdtr(df, -z))
        assert_close(range_tail(q, n_means=2, df=df), exact, rtol=1e-12)
    assert range_tail(0.0, n_means=3, df=5) == 1.0
    assert np.isnan(range_tail(np.nan, n_means=3, df=5))


def test_published_critical_values() -> None:
    """Dunnett (1955, 1964): equal arms, 5 %; Tukey's tables as in every textbook."""
    half = correlation_of([np.sqrt(0.5)] * 4)
    four = max_t(half)
    assert four.way == "factors"
    assert round(four.critical_value(0.05, df=20, two_sided=True), 2) == 2.65
    assert round(four.critical_value(0.05, df=20, two_sided=False), 2) == 2.30
    two = max_t(half[:2, :2])
    assert round(two.critical_value(0.05, df=10, two_sided=True), 2) == 2.57
    assert round(two.critical_value(0.05, df=10, two_sided=False), 2) == 2.15
    assert round(range_critical_value(0.05, n_means=3, df=10), 2) == 3.88
    assert round(range_critical_value(0.05, n_means=4, df=20), 2) == 3.96
    assert round(range_critical_value(0.01, n_means=3, df=10), 2) == 5.27


@pytest.mark.parametrize("df", [1, 5, 40])
def test_three_comparisons_agree_with_plain_quadrature(df: float) -> None:
    """Dunnett's double integral, by adaptive quadrature and one minus the complement."""
    loadings = np.array([0.6, 0.75, 0.5])
    unique = np.sqrt(1 - loadings**2)
    threshold = 1.7

    def inner(scale: float) -> float:
        def density(u: float) -> float:
            upper = special.ndtr((threshold * scale - loadings * u) / unique)
            lower = special.ndtr((-threshold * scale - loadings * u) / unique)
            return float(np.prod(upper - lower) * np.exp(-u * u / 2) / np.sqrt(2 * np.pi))

        return integrate.quad(density, -9, 9, epsabs=1e-12)[0]

    inside = integrate.quad(
        lambda s: inner(s) * 2 * df * s * stats.chi2.pdf(df * s * s, df), 0, 9, epsabs=1e-10
    )[0]
    maximum = max_t(correlation_of(list(loadings)))
    assert maximum.way == "factors"
    assert_close(maximum.tail(threshold, df=df, two_sided=True)[0], 1 - inside, rtol=1e-8)


@pytest.mark.parametrize("two_sided", [True, False])
@pytest.mark.parametrize("df", [6, np.inf])
def test_the_sampled_way_is_within_its_error(df: float, two_sided: bool) -> None:
    loadings = [0.7, 0.6, 0.75, 0.8, 0.5]
    factor = np.array(loadings)[:, None]
    sampled = MaxT(n_statistics=5, way="sampled", factor=correlation_of(loadings))
    for threshold in (0.5, 2.5, 7.0):
        exact = factor_tail(factor, threshold=threshold, df=df, two_sided=two_sided)
        ours, error = sampled.tail(threshold, df=df, two_sided=two_sided)
        assert 0 < error < 5e-5 * exact
        assert abs(ours - exact) < error
        assert sampled.tail(threshold, df=df, two_sided=two_sided) == (ours, error)


def two_factors(k: int) -> np.ndarray:
    """Comparisons of k unequal arms with a control, adjusted for one unbalanced covariate."""
    sizes = np.array([9, 12, 7, 10, 15, 8, 11])[: k + 1]
    covariate = np.array([0.3, -0.2, 0.5, 0.1, -0.4, 0.2, -0.1])[: k + 1]
    differences = covariate[1:] - covariate[0]
    matrix = np.diag(1 / sizes[1:]) + 1 / sizes[0] + np.outer(differences, differences) / 20
    spread = np.sqrt(np.diag(matrix))
    return matrix / np.outer(spread, spread)


@pytest.mark.parametrize("k", [3, 4, 6])
def test_one_covariate_adds_a_second_factor(k: int) -> None:
    matrix = two_factors(k)
    loadings = factor_loadings(matrix)
    assert loadings is not None
    rebuilt = loadings @ loadings.T
    np.fill_diagonal(rebuilt, 1.0)
    assert_close(rebuilt, matrix, rtol=1e-9)
    exact = max_t(matrix)
    assert exact.way == "factors"
    sampled = MaxT(n_statistics=k, way="sampled", factor=matrix)
    order = np.arange(k)[::-1]
    for threshold, df, two_sided in ((2.4, 40, True), (4.5, 12, True), (1.5, np.inf, False)):
        p, _ = exact.tail(threshold, df=df, two_sided=two_sided)
        turned, _ = max_t(matrix[np.ix_(order, order)]).tail(threshold, df=df, two_sided=two_sided)
        assert_close(turned, p, rtol=1e-9)
        check, error = sampled.tail(threshold, df=df, two_sided=two_sided)
        assert abs(check - p) <= max(error, 1e-9 * p)


@pytest.mark.parametrize("seed", range(5))
def test_four_comparisons_of_an_ancova_are_exact_whatever_the_covariates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm = np.arange(60) % 5
    x = np.column_stack([arm == i for i in range(5)] + [rng.normal(size=60) for _ in range(5)])
    spread = np.linalg.inv(x.T.astype(float) @ x)
    rows = np.column_stack([-np.ones(4), np.eye(4), np.zeros((4, 5))])
    covariance = rows @ spread @ rows.T
    sd = np.sqrt(np.diag(covariance))
    assert max_t(covariance / np.outer(sd, sd)).way == "factors"


def test_correlations_without_factors_are_sampled() -> None:
    rng = np.random.default_rng(8)
    matrix = np.corrcoef(rng.normal(size=(5, 12)) + rng.normal(size=12))
    general = max_t(matrix)
    assert general.way == "sampled"
    ours, error = general.tail(2.5, df=20, two_sided=True)
    scipys = 1 - stats.multivariate_t(shape=matrix, df=20, seed=1).cdf(
        np.full(5, 2.5), lower_limit=np.full(5, -2.5), maxpts=200_000
    )
    assert abs(ours - scipys) < 1e-4
    assert error < 5e-5
    order = [2, 0, 4, 3, 1]
    turned, turned_error = max_t(matrix[np.ix_(order, order)]).tail(2.5, df=20, two_sided=True)
    assert abs(turned - ours) < 2 * (error + turned_error)


def test_a_determined_statistic_adds_nothing() -> None:
    """All pairs of four arms: six statistics in three dimensions."""
    pairs = np.array(
        [[-1, 1, 0, 0], [-1, 0, 1, 0], [0, -1, 1, 0], [-1, 0, 0, 1], [0, -1, 0, 1], [0, 0, -1, 1]]
    ) / np.sqrt(2)
    ours, error = max_t(pairs @ pairs.T).tail(2.7, df=20, two_sided=True)
    assert abs(ours - range_tail(2.7 * np.sqrt(2), n_means=4, df=20)) < error


def test_statistics_that_are_one_and_independent_ones() -> None:
    one = max_t(np.ones((2, 2)))
    assert_close(one.tail(2.0, df=9, two_sided=True)[0], 2 * special.stdtr(9, -2.0), rtol=1e-12)
    opposite = max_t(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    single = special.stdtr(9, -2.0)
    assert_close(opposite.tail(2.0, df=9, two_sided=False)[0], 2 * single, rtol=1e-12)
    free = max_t(np.eye(5))
    exact = -np.expm1(5 * np.log1p(-2 * special.ndtr(-4.0)))
    assert_close(free.tail(4.0, df=np.inf, two_sided=True)[0], exact, rtol=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    loading=st.lists(st.floats(-0.95, 0.95), min_size=3, max_size=5),
    df=st.floats(1, 200),
    threshold=st.floats(0.1, 12),
)
def test_bounds_order_and_critical_value(loading: list[float], df: float, threshold: float) -> None:
    b = np.array(loading)[:, None]
    p = factor_tail(b, threshold=threshold, df=df, two_sided=True)
    single = 2 * special.stdtr(df, -threshold)
    assert single * (1 - 1e-10) <= p <= min(1.0, len(b) * single) * (1 + 1e-10)
    turned = factor_tail(b[::-1] * -1, threshold=threshold, df=df, two_sided=True)
    assert_close(turned, p, rtol=1e-10)
    upper = factor_tail(b, threshold=threshold, df=df, two_sided=False)
    assert p <= 2 * upper * (1 + 1e-10)
    maximum = MaxT(n_statistics=len(b), way="factors", factor=b)
    critical = maximum.critical_value(0.03, df=df, two_sided=True)
    assert_close(maximum.tail(critical, df=df, two_sided=True)[0], 0.03, rtol=1e-9)


def test_the_scale_has_its_moments() -> None:
    for df in (1, 2, 7.3, 1e3, 1e7):
        nodes, weights = scale_nodes(df, threshold=0.0, n_events=1)
        assert_close(weights.sum(), 1.0, rtol=1e-13)
        assert_close(weights @ nodes**2, 1.0, rtol=1e-12)


def test_limits() -> None:
    maximum = max_t(correlation_of([0.5, 0.6, 0.7]))
    assert maximum.tail(0.0, df=5, two_sided=True) == (1.0, 0.0)
    assert np.isnan(maximum.tail(np.nan, df=5, two_sided=True)[0])
    assert maximum.tail(-40.0, df=50, two_sided=False)[0] == pytest.approx(1.0, abs=1e-13)
    finite, _ = maximum.tail(3.0, df=1e8, two_sided=True)
    assert_close(finite, maximum.tail(3.0, df=np.inf, two_sided=True)[0], rtol=1e-6)
