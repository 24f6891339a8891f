"""One place makes statistics, p-values and intervals: it must be right in every tail."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from trialkit.errors import SpecError
from trialkit.results import Estimate
from trialkit.results.estimate import with_method

finite = st.floats(-50, 50)
positive = st.floats(0.05, 20)
dfs = st.floats(1, 500)


def make(**changes: object) -> Estimate:
    settings: dict = {
        "label": "A - B", "estimate": -1.2, "se": 0.5, "df": 17.0, "n": 19, "method": "t",
        **changes,
    }  # fmt: skip
    return Estimate.from_t(**settings)


def test_another_method_changes_nothing_else() -> None:
    row = make(unit="mm", scale="ratio")
    other = with_method(row, "z")
    assert other == dataclasses.replace(row, method="z")
    assert row.method == "t"


def test_textbook_t_interval() -> None:
    # t(0.975, 10) = 2.228138852, printed in any table of Student's t.
    result = make(estimate=5.0, se=2.0, df=10)
    assert result.ci_low == pytest.approx(5 - 2 * 2.228138852, rel=1e-9)
    assert result.ci_high == pytest.approx(5 + 2 * 2.228138852, rel=1e-9)
    assert result.statistic == 2.5


@given(finite, positive, dfs)
def test_p_value_is_the_area_beyond_the_statistic(estimate: float, se: float, df: float) -> None:
    result = make(estimate=estimate, se=se, df=df)
    assert result.p_value == pytest.approx(2 * stats.t.sf(abs(estimate / se), df), rel=1e-9)


def test_p_value_by_integration_of_the_density() -> None:
    def density(t: float) -> float:
        scale = math.gamma(4.0) / math.gamma(3.5) / math.sqrt(7 * math.pi)
        return scale * (1 + t * t / 7) ** -4

    area, _ = integrate.quad(density, 2.4, math.inf)
    assert make(df=7).p_value == pytest.approx(2 * area, rel=1e-9)
    assert make(df=7, alternative="less").p_value == pytest.approx(area, rel=1e-9)
    assert make(df=7, alternative="greater").p_value == pytest.approx(1 - area, rel=1e-9)


def test_p_values_keep_their_digits_far_in_the_tail() -> None:
    result = Estimate.from_z(label="x", estimate=-30, se=1, n=9, method="z")
    assert result.p_value == pytest.approx(2 * stats.norm.sf(30), rel=1e-10)
    assert 0 < result.p_value < 1e-190


@given(finite, positive, dfs, st.floats(0.5, 0.99))
def test_the_interval_holds_what_its_own_test_does_not_reject(
    estimate: float, se: float, df: float, level: float
) -> None:
    result = make(estimate=estimate, se=se, df=df, ci_level=level)
    for end in (result.ci_low, result.ci_high):
        at_end = make(estimate=estimate, se=se, df=df, null=end)
        assert at_end.p_value == pytest.approx(1 - level, rel=1e-6)


@given(finite, positive, dfs)
def test_one_sided_intervals_match_their_side(estimate: float, se: float, df: float) -> None:
    less = make(estimate=estimate, se=se, df=df, alternative="less")
    greater = make(estimate=estimate, se=se, df=df, alternative="greater")
    assert less.ci_low == -math.inf
    assert greater.ci_high == math.inf
    assert less.p_value + greater.p_value == pytest.approx(1, rel=1e-12)
    at_end = make(estimate=estimate, se=se, df=df, null=less.ci_high, alternative="less")
    assert at_end.p_value == pytest.approx(0.05, rel=1e-6)


def test_a_ratio_is_carried_back_and_its_error_is_not() -> None:
    log = make(estimate=math.log(2), se=0.25)
    ratio = make(estimate=math.log(2), se=0.25, scale="ratio")
    assert ratio.estimate == pytest.approx(2, rel=1e-14)
    assert ratio.ci_low == pytest.approx(math.exp(log.ci_low), rel=1e-14)
    assert ratio.ci_high == pytest.approx(math.exp(log.ci_high), rel=1e-14)
    assert (ratio.se, ratio.statistic, ratio.p_value) == (log.se, log.statistic, log.p_value)


def test_a_one_sided_ratio_ends_at_zero() -> None:
    assert make(scale="ratio", alternative="less").ci_low == 0
    assert make(scale="ratio", alternative="greater").ci_high == math.inf


def test_a_ratio_too_large_for_a_float_is_infinite() -> None:
    assert make(estimate=800.0, scale="ratio").estimate == math.inf


def test_method_names_hypothesis_where_it_is_not_the_usual_one() -> None:
    assert make().method == "t"
    assert make(alternative="less", null=0.5).method == "t, one-sided (less), null=0.5"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"se": 0.0}, "no standard error above zero"),
        ({"se": math.nan}, "no standard error above zero"),
        ({"se": math.inf}, "standard error not finite"),
        ({"df": 0.0}, "no degrees of freedom"),
        ({"df": math.nan}, "no degrees of freedom"),
        ({"estimate": math.nan}, "estimate not finite"),
    ],
)
def test_what_has_no_statistic_says_why(changes: dict[str, float], status: str) -> None:
    result = make(**changes)
    assert result.status == status
    assert all(math.isnan(x) for x in (result.p_value, result.ci_low, result.ci_high))


def test_undefined_needs_a_reason() -> None:
    row = Estimate.undefined(label="x", status="not estimable", n=4, method="m")
    assert row.status == "not estimable"
    assert math.isnan(row.estimate)
    with pytest.raises(SpecError, match="needs a status"):
        Estimate.undefined(label="x", status="ok", n=4, method="m")


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, -0.1, math.nan])
def test_a_level_outside_zero_and_one_is_refused(level: float) -> None:
    with pytest.raises(SpecError, match="not between 0 and 1"):
        make(ci_level=level)


def test_an_unknown_alternative_is_refused() -> None:
    with pytest.raises(SpecError, match="allowed: two-sided, less, greater"):
        make(alternative="larger")


def test_an_estimate_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().estimate = 0.0  # type: ignore[misc]
