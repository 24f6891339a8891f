"""The noncentral t against adaptive integration over chi, and against scipy's own."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from trialkit.errors import ConvergenceError
from trialkit.kernels import noncentral_t as kernel


def integrated_tail(t: float, df: float, ncp: float) -> float:
    """P(T <= t) as the mean of Phi(t chi/sqrt(df) - ncp) over the chi distribution."""
    density = stats.chi(df).pdf
    middle = stats.chi(df).median()

    def integrand(c: float) -> float:
        return float(density(c) * special.ndtr(t * c / df**0.5 - ncp))

    parts = [
        integrate.quad(integrand, low, high, epsabs=1e-13, epsrel=1e-12, limit=500)[0]
        for low, high in ((0, middle), (middle, middle + 20))
    ]
    return float(sum(parts))


@pytest.mark.parametrize("df", [1, 2, 5, 30, 97])
@pytest.mark.parametrize("t", [-2.5, 0.0, 0.4, 3.0])
@pytest.mark.parametrize("ncp", [-3.0, 0.0, 0.7, 4.0])
def test_both_tails_are_the_integral(df: float, t: float, ncp: float) -> None:
    lower, upper = kernel.noncentral_t_tails(t, df, ncp)
    assert lower == pytest.approx(integrated_tail(t, df, ncp), abs=1e-11)
    assert lower + upper == pytest.approx(1, abs=1e-13)


@settings(deadline=None, max_examples=60)
@given(
    t=st.floats(-40, 40),
    df=st.integers(1, 2000),
    ncp=st.floats(-40, 40),
)
def test_agrees_with_scipy(t: float, df: int, ncp: float) -> None:
    lower, _ = kernel.noncentral_t_tails(t, df, ncp)
    truth = float(special.nctdtr(df, ncp, t))
    if isnan(truth):  # scipy gives none where the tail is negligible
        assert min(lower, 1 - lower) < 1e-12
    else:
        # scipy is off by up to 3e-11 about t = 0 with one df; the next test tells whose digits.
        assert lower == pytest.approx(truth, abs=1e-10)


@settings(deadline=None, max_examples=60)
@given(t=st.floats(-40, 40), df=st.sampled_from([1, 2]))
@example(t=1e-6, df=1)
@example(t=1e-10, df=1)
def test_without_noncentrality_it_is_the_central_t_in_closed_form(t: float, df: int) -> None:
    lower, upper = kernel.noncentral_t_tails(t, df, 0.0)
    share = np.arctan(t) / np.pi if df == 1 else t / (2 * np.sqrt(2 + t * t))
    assert lower == pytest.approx(0.5 + share, abs=1e-14)
    assert upper == pytest.approx(0.5 - share, abs=1e-14)


@pytest.mark.parametrize(("t", "df"), [(0.0, 4), (0.22, 95), (-7.0, 3), (1e4, 2), (60.0, 40)])
@pytest.mark.parametrize("probability", [0.025, 0.05, 0.5])
def test_the_noncentrality_gives_back_its_tail(t: float, df: int, probability: float) -> None:
    for index, tail in enumerate(("lower", "upper")):
        ncp = kernel.noncentrality_at(t, df, tail=tail, probability=probability)  # type: ignore[arg-type]
        found = kernel.noncentral_t_tails(t, df, ncp)[index]
        assert found == pytest.approx(probability, rel=1e-9)


def test_without_noncentrality_it_is_students_t() -> None:
    lower, upper = kernel.noncentral_t_tails(2.1, 11, 0.0)
    assert lower == pytest.approx(stats.t(11).cdf(2.1), rel=1e-13)
    assert upper == pytest.approx(stats.t(11).sf(2.1), rel=1e-12)


def test_no_bracket_is_an_error_and_not_a_number() -> None:
    with pytest.raises(ConvergenceError, match="No noncentrality within"):
        kernel._bracket(lambda ncp: 1.0 if ncp < inf else 0.0, 0.0)
