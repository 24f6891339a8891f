"""Effect sizes: R and metafor, the FINAL trial, integration, invariances, refusals."""

from __future__ import annotations

import math
from math import sqrt

import numpy as np
import pandas as pd
import pytest
from analyses.frames import arm_frame, grid_samples
from hypothesis import given, settings
from reference.loader import assert_close, reference_case
from scipy import integrate, optimize, special, stats

import trialkit as tk

RTOL = 1e-9


def reference_row(**options: object) -> dict[str, object]:
    data = reference_case("parallel/a_two_arm_week12").data()
    table = tk.effect_size(
        data,
        outcome="CHG",
        arm="TRT01P",
        reference="Placebo",
        **options,  # type: ignore[arg-type]
    )
    return table.frame().iloc[0].to_dict()


@pytest.mark.reference
@pytest.mark.parametrize(("kind", "letter"), [("cohen-d", "d"), ("hedges-g", "g")])
def test_matches_r(kind: str, letter: str) -> None:
    expected = reference_case("parallel/a_two_arm_week12")["effect_size"]
    exact = reference_row(kind=kind)
    normal = reference_row(kind=kind, interval="large-sample")
    name = "cohen_d" if letter == "d" else "hedges_g"
    assert_close(exact["estimate"], expected[name], RTOL, atol=1e-12)
    assert_close(exact["standardizer_sd"], expected["pooled_sd"], RTOL)
    limits = [exact["ci_low"], exact["ci_high"]]
    assert_close(limits, expected[f"{letter}_ci_noncentral_t"], RTOL, atol=1e-11)
    assert_close(normal["variance"], expected[f"{letter}_var_large_sample"], RTOL)
    assert_close(normal["se"], sqrt(expected[f"{letter}_var_large_sample"]), RTOL)
    limits = [normal["ci_low"], normal["ci_high"]]
    assert_close(limits, expected[f"{letter}_ci_large_sample"], RTOL, atol=1e-12)
    assert exact["scale"] == normal["scale"] == "standardized"
    assert exact["method"] != normal["method"]


@pytest.mark.reference
def test_the_correction_and_the_unbiased_variance_match_metafor() -> None:
    expected = reference_case("parallel/a_two_arm_week12")["effect_size"]
    row = reference_row(kind="hedges-g")
    assert_close(row["correction"], expected["hedges_J"], RTOL)
    assert_close(row["variance_unbiased"], expected["g_var_unbiased"], RTOL)


@pytest.mark.reference
def test_glass_delta_matches_r() -> None:
    expected = reference_case("parallel/a_two_arm_week12")["effect_size"]
    row = reference_row(kind="glass-delta")
    assert_close(row["estimate"], expected["glass_delta_placebo_sd"], RTOL, atol=1e-12)
    data = reference_case("parallel/a_two_arm_week12").data()
    placebo = data.loc[data["TRT01P"] == "Placebo", "CHG"]
    assert_close(row["standardizer_sd"], placebo.std(), RTOL)


@pytest.mark.reference
def test_at_no_effect_the_p_value_is_students() -> None:
    expected = reference_case("parallel/a_two_arm_week12").table("student_t").iloc[0]
    for kind in ("cohen-d", "hedges-g"):
        row = reference_row(kind=kind)
        assert_close(row["p_value"], expected["p_value"], RTOL)
        assert_close(row["statistic"], expected["statistic"], RTOL)
        assert row["df"] == expected["df"]


def final_like_trial() -> pd.DataFrame:
    """Arms that carry FINAL's printed figures: baseline SDs 1.3 (49) and 1.6 (50), -0.34."""

    def with_moments(n: int, mean: float, sd: float) -> np.ndarray:
        scores = stats.norm.ppf((np.arange(n) + 0.5) / n)
        return mean + sd * (scores - scores.mean()) / scores.std(ddof=1)

    rng = np.random.default_rng(6)
    base = [with_moments(49, 6.3, 1.3), with_moments(50, 6.2, 1.6)]
    change = [rng.permutation(with_moments(49, -1.24, 1.53)), with_moments(50, -0.9, 1.53)]
    return pd.DataFrame(
        {
            "ARM": ["LDN 6 mg"] * 49 + ["Placebo"] * 50,
            "BASE": np.concatenate(base),
            "CHG": np.concatenate(change),
        }
    )


def test_the_final_trials_d_is_standardised_by_the_baseline_sd() -> None:
    # FINAL (2024) prints a difference of -0.34 and d = 0.23: 0.34 over the pooled baseline SD
    # 1.46, where the SD of the change gives 0.22.
    data = final_like_trial()
    kwargs = {"outcome": "CHG", "arm": "ARM", "reference": "Placebo"}
    by_baseline = tk.effect_size(data, standardizer="baseline", baseline="BASE", **kwargs)  # type: ignore[arg-type]
    usual = tk.effect_size(data, **kwargs).single()  # type: ignore[arg-type]
    row = by_baseline.single()
    assert by_baseline.frame()["standardizer_sd"].item() == pytest.approx(1.46, abs=0.005)
    assert (f"{row.estimate:.2f}", f"{usual.estimate:.2f}") == ("-0.23", "-0.22")
    assert "pooled SD of BASE at baseline" in row.method
    assert by_baseline.notes == ("LDN 6 mg - Placebo: SD of BASE from 49 and 50 observed values.",)


def test_the_baseline_interval_is_the_delta_method_written_out() -> None:
    data = final_like_trial()
    x, y = (data.loc[data["ARM"] == arm, "CHG"] for arm in ("LDN 6 mg", "Placebo"))
    groups = data.groupby("ARM", observed=True)["BASE"]
    sd = sqrt(((groups.size() - 1) * groups.var()).sum() / 97)
    d = (x.mean() - y.mean()) / sd
    se = sqrt((x.var() / 49 + y.var() / 50) / sd**2 + d**2 / (2 * 97))
    for kind, factor in (("cohen-d", 1.0), ("hedges-g", math.gamma(48.5) / math.gamma(48))):
        scale = factor / (sqrt(48.5) if kind == "hedges-g" else 1.0)
        row = tk.effect_size(
            data,
            outcome="CHG",
            arm="ARM",
            reference="Placebo",
            kind=kind,  # type: ignore[arg-type]
            standardizer="baseline",
            baseline="BASE",
        ).single()
        half = stats.norm.ppf(0.975) * se * scale
        assert_close([row.estimate, row.se], [scale * d, scale * se], 1e-11)
        assert_close([row.ci_low, row.ci_high], [scale * d - half, scale * d + half], 1e-11)
        assert row.df == math.inf


def test_subjects_without_a_baseline_or_an_outcome_count_where_they_have_one() -> None:
    data = final_like_trial()
    data.loc[0, "CHG"] = np.nan
    data.loc[60, "BASE"] = np.nan
    table = tk.effect_size(
        data,
        outcome="CHG",
        arm="ARM",
        reference="Placebo",
        standardizer="baseline",
        baseline="BASE",
    )
    assert table.single().n == 98
    assert table.notes == (
        "LDN 6 mg - Placebo: 1 of 99 rows excluded, CHG missing.",
        "LDN 6 mg - Placebo: SD of BASE from 49 and 49 observed values.",
    )


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_the_limits_by_integration_over_chi(alternative: str) -> None:
    rng = np.random.default_rng(12)
    x, y = rng.normal(0.9, 1, 9), rng.normal(0, 1, 8)
    row = tk.effect_size(
        arm_frame(P=y, D=x),
        outcome="CHG",
        arm="ARM",
        reference="P",
        ci_level=0.9,
        alternative=alternative,  # type: ignore[arg-type]
    ).single()
    t, df, unit = row.statistic, 15, sqrt(1 / 9 + 1 / 8)
    assert t == pytest.approx(stats.ttest_ind(x, y).statistic)

    def lower_tail(ncp: float) -> float:
        def integrand(c: float) -> float:
            return float(stats.chi.pdf(c, df) * special.ndtr(t * c / sqrt(df) - ncp))

        return float(integrate.quad(integrand, 0, 12, epsabs=1e-12, limit=200)[0])

    tail = 0.05 if alternative == "two-sided" else 0.1
    low = optimize.brentq(lambda k: 1 - lower_tail(k) - tail, t - 8, t + 8, xtol=1e-11)
    high = optimize.brentq(lambda k: lower_tail(k) - tail, t - 8, t + 8, xtol=1e-11)
    expected_low = -math.inf if alternative == "less" else low * unit
    expected_high = math.inf if alternative == "greater" else high * unit
    assert row.ci_low == pytest.approx(expected_low, abs=1e-9)
    assert row.ci_high == pytest.approx(expected_high, abs=1e-9)


def test_p_and_interval_invert_each_other() -> None:
    data = arm_frame(P=[0, 1, 3, 4, 9], D=[5, 6, 6, 8])
    kwargs = {"outcome": "CHG", "arm": "ARM", "reference": "P", "kind": "hedges-g"}
    row = tk.effect_size(data, **kwargs).single()  # type: ignore[arg-type]
    for limit in (row.ci_low, row.ci_high):
        at_limit = tk.effect_size(data, null=limit, **kwargs).single()  # type: ignore[arg-type]
        assert at_limit.p_value == pytest.approx(0.05, abs=1e-9)


def test_glass_delta_says_what_its_interval_assumes() -> None:
    data = arm_frame(P=[0, 1, 3, 4, 9], D=[5, 6, 6, 8])
    kwargs = {"outcome": "CHG", "arm": "ARM", "reference": "P", "kind": "glass-delta"}
    default = tk.effect_size(data, **kwargs).single()  # type: ignore[arg-type]
    exact = tk.effect_size(data, interval="noncentral-t", **kwargs).single()  # type: ignore[arg-type]
    assert "unequal variances allowed" in default.method
    assert "equal variances assumed" in exact.method
    assert exact.df == 4
    assert default.estimate == exact.estimate
    sd = np.std([0, 1, 3, 4, 9], ddof=1)
    variance = np.var([5, 6, 6, 8], ddof=1) / sd**2 / 4 + 1 / 5 + default.estimate**2 / (2 * 4)
    assert default.se == pytest.approx(sqrt(variance))


@settings(deadline=None, max_examples=12)
@given(x=grid_samples(), y=grid_samples())
def test_invariances(x: list[float], y: list[float]) -> None:
    data = arm_frame(P=y, D=x)
    base = tk.effect_size(data, outcome="CHG", arm="ARM", reference="P").single()
    turned = tk.effect_size(data.iloc[::-1], outcome="CHG", arm="ARM", reference="P").single()
    swapped = tk.effect_size(data, outcome="CHG", arm="ARM", reference="D").single()
    scaled = tk.effect_size(
        data.assign(CHG=data["CHG"] * 8 + 4), outcome="CHG", arm="ARM", reference="P"
    ).single()
    np.testing.assert_allclose(turned.ci_low, base.ci_low, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(swapped.estimate, -base.estimate, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(swapped.ci_low, -base.ci_high, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(scaled.estimate, base.estimate, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "d"}, "kind='d' is not offered; allowed: cohen-d, hedges-g, glass-delta"),
        ({"standardizer": "sd"}, "standardizer='sd' is not offered"),
        (
            {"kind": "glass-delta", "standardizer": "pooled"},
            "kind='glass-delta' is not defined with standardizer='pooled'; allowed: control",
        ),
        (
            {"kind": "cohen-d", "standardizer": "control"},
            "kind='cohen-d' is not defined with standardizer='control'; allowed: pooled, base",
        ),
        ({"standardizer": "baseline"}, "go together"),
        ({"baseline": "BASE"}, "go together"),
        ({"interval": "exact"}, "interval='exact' is not offered"),
        (
            {"standardizer": "baseline", "baseline": "BASE", "interval": "noncentral-t"},
            "exact only for the SD of the outcome itself; allowed: large-sample",
        ),
    ],
)
def test_refuses_contradictions(options: dict[str, object], message: str) -> None:
    data = arm_frame(P=[1, 2], D=[1, 3]).assign(BASE=[1, 2, 3, 4])
    with pytest.raises(tk.SpecError, match=message):
        tk.effect_size(data, outcome="CHG", arm="ARM", reference="P", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (arm_frame(P=[1, 1], D=[2, 2]), {}, "'CHG' is constant in both arms of D - P"),
        (arm_frame(P=[1, 1], D=[2, 3]), {"kind": "glass-delta"}, "constant in arm 'P'"),
        (
            arm_frame(P=[1, 1], D=[2, 3]).assign(BASE=5.0),
            {"standardizer": "baseline", "baseline": "BASE"},
            "'BASE' is constant in both arms",
        ),
        (
            arm_frame(P=[1, 1], D=[2, 3]).assign(BASE=[5, np.nan, 4, 3]),
            {"standardizer": "baseline", "baseline": "BASE"},
            r"Arm 'P' has 1 observed value\(s\) of 'BASE'",
        ),
    ],
)
def test_refuses_data_without_a_standardizer(
    data: pd.DataFrame, options: dict[str, object], message: str
) -> None:
    with pytest.raises(tk.DataError, match=message):
        tk.effect_size(data, outcome="CHG", arm="ARM", reference="P", **options)  # type: ignore[arg-type]
