from __future__ import annotations

import math

import numpy as np
import pytest
from analyses.frames import arm_frame
from reference.loader import assert_close, reference_case
from scipy import stats

import trialkit as tk


@pytest.mark.reference
def test_matches_r() -> None:
    case = reference_case("parallel/a_two_arm_week12")
    expected = case["variance_tests"]
    row = tk.variance_ratio(case.data(), outcome="CHG", arm="TRT01P", reference="Placebo").single()
    assert_close(
        [row.estimate, row.p_value, row.ci_low, row.ci_high],
        [expected["F_ratio"], expected["F_p"], *expected["F_ci"]],
        1e-9,
    )
    assert row.scale == "ratio"


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_is_the_f_distribution_in_every_tail(alternative: str) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 2, 9), rng.normal(0, 1, 14)
    row = tk.variance_ratio(
        arm_frame(P=y, D=x),
        outcome="CHG",
        arm="ARM",
        reference="P",
        ci_level=0.9,
        alternative=alternative,  # type: ignore[arg-type]
        null=math.log(1.5),
    ).single()
    f, ratio = stats.f(8, 13), x.var(ddof=1) / y.var(ddof=1)
    under = f.cdf(ratio / 1.5)
    p_values = {"less": under, "greater": 1 - under, "two-sided": 2 * min(under, 1 - under)}
    limits = {
        "two-sided": (ratio / f.ppf(0.95), ratio / f.ppf(0.05)),
        "less": (0, ratio / f.ppf(0.1)),
        "greater": (ratio / f.ppf(0.9), math.inf),
    }
    assert row.statistic == pytest.approx(ratio / 1.5)
    assert row.p_value == pytest.approx(p_values[alternative], rel=1e-9)
    assert (row.ci_low, row.ci_high) == pytest.approx(limits[alternative], rel=1e-9)
    assert "null on the log scale" in row.method


def test_swapping_arms_inverts_the_ratio() -> None:
    data = arm_frame(P=[0, 1, 2, 5], D=[0, 4, 9])
    one = tk.variance_ratio(data, outcome="CHG", arm="ARM", reference="P")
    other = tk.variance_ratio(data, outcome="CHG", arm="ARM", reference="D").single()
    assert other.estimate == pytest.approx(1 / one.single().estimate)
    assert other.ci_low == pytest.approx(1 / one.single().ci_high)
    assert other.p_value == pytest.approx(one.single().p_value)
    assert one.frame()[["num_df", "den_df"]].iloc[0].tolist() == [2, 3]


@pytest.mark.parametrize(("p", "d", "arm"), [([1, 1], [1, 2], "P"), ([1, 2], [3, 3], "D")])
def test_a_constant_arm_is_refused(p: list[float], d: list[float], arm: str) -> None:
    with pytest.raises(tk.DataError, match=f"constant in arm '{arm}'"):
        tk.variance_ratio(arm_frame(P=p, D=d), outcome="CHG", arm="ARM", reference="P")
