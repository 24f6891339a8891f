"""Restricted mean survival time: against survRM2's numbers and by simulation-free identities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import ARM, PARAMETERS, REFERENCE, case, rows, simulated
from reference.loader import assert_close

import trialkit as tk

RTOL = 1e-8
# survRM2's own least squares and, for the ratio, iteration limit its adjusted results.
RTOL_ADJUSTED = 1e-6
TAUS = [name for name in case()["ttdisc"] if name.startswith("rmst_tau_")]


def adjusted_case(parameter: str, analysis: str) -> dict[str, Any]:
    if "survRM2" not in case().tools:
        pytest.skip("the pack was made without survRM2")
    return dict(case()[parameter.lower()][analysis])


def call(data: pd.DataFrame, **changed: object) -> object:
    options = {"time": "DAY", "event": "DISC", "arm": "ARM", "reference": "Arm 0", **changed}
    return tk.rmst(data, **options)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("analysis", TAUS)
def test_unadjusted_equals_r(parameter: str, analysis: str) -> None:
    expected = case()[parameter.lower()][analysis]
    data = rows(parameter)
    table = call(
        data, time="AVAL", event="EVENT", arm=ARM, reference=REFERENCE, tau=expected["tau"]
    )
    other = next(label for label in data[ARM] if label != REFERENCE)
    for arm, name in ((REFERENCE, "Placebo"), (other, "LDN")):
        row = table.where(measure="rmst", arm=arm).single()
        assert_close(row.estimate, expected[f"rmst_{name}"], RTOL)
        assert_close(row.se, expected[f"se_{name}"], RTOL)
        lost = table.where(measure="rmtl", arm=arm).single()
        assert_close(lost.estimate, expected["tau"] - expected[f"rmst_{name}"], RTOL)
    for measure, value, interval, p in (
        ("difference", "difference", "diff_ci", "p_difference"),
        ("ratio", "ratio", "ratio_ci", "p_ratio"),
        ("rmtl-ratio", "rmtl_ratio", "rmtl_ratio_ci", "p_rmtl_ratio"),
    ):
        row = table.where(measure=measure).single()
        assert_close(row.estimate, expected[value], RTOL)
        assert_close([row.ci_low, row.ci_high], expected[interval], RTOL)
        assert_close(row.p_value, expected[p], RTOL)
    assert_close(table.where(measure="difference").single().se, expected["se_difference"], RTOL)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("analysis", TAUS)
def test_adjusted_equals_r(parameter: str, analysis: str) -> None:
    expected = adjusted_case(parameter, analysis)
    table = call(
        rows(parameter),
        time="AVAL",
        event="EVENT",
        arm=ARM,
        reference=REFERENCE,
        tau=expected["tau"],
        covariates=["AGE", "BASE", "STRATA1"],
    )
    theirs = pd.DataFrame(expected["adjusted_difference"]).set_index("term").loc["arm"]
    row = table.where(measure="difference").single()
    for name in ("estimate", "se", "statistic", "p_value", "ci_low", "ci_high"):
        assert_close(getattr(row, name), theirs[name], RTOL_ADJUSTED)
    theirs = pd.DataFrame(expected["adjusted_ratio"]).set_index("term").loc["arm"]
    row = table.where(measure="ratio").single()
    assert_close(row.estimate, theirs["exp_estimate"], RTOL_ADJUSTED)
    assert_close(np.log(row.estimate), theirs["estimate"], RTOL_ADJUSTED)
    assert_close(row.se, theirs["se"], RTOL_ADJUSTED)
    assert_close(row.p_value, theirs["p_value"], RTOL_ADJUSTED)


@pytest.mark.reference
@pytest.mark.parametrize("parameter", PARAMETERS)
@pytest.mark.parametrize("analysis", TAUS)
def test_every_adjusted_coefficient_equals_r(parameter: str, analysis: str) -> None:
    from trialkit.kernels.rmst_regression import rmst_regression

    expected = adjusted_case(parameter, analysis)
    data = rows(parameter)
    arm = (data[ARM] != REFERENCE).to_numpy(dtype=np.int64)
    x = np.column_stack(
        [np.ones(len(data)), arm, data["AGE"], data["BASE"], data["STRATA1"] == "NONE"]
    ).astype(float)
    for link, name in (("identity", "adjusted_difference"), ("log", "adjusted_ratio")):
        coef, vcov = rmst_regression(
            time=data["AVAL"].to_numpy(dtype=float),
            event=data["EVENT"].to_numpy() == 1,
            x=x,
            group=arm,
            tau=expected["tau"],
            link=link,
        )
        theirs = pd.DataFrame(expected[name])
        assert_close(coef, theirs["estimate"], RTOL_ADJUSTED)
        assert_close(np.sqrt(np.diag(vcov)), theirs["se"], RTOL_ADJUSTED)


def test_without_censoring_it_is_the_mean_of_the_restricted_times() -> None:
    data = simulated(1).assign(DISC=1)
    table = call(data, tau=20)
    for arm, own in data.groupby("ARM", observed=True):
        times = own["DAY"].clip(upper=20)
        row = table.where(measure="rmst", arm=arm).single()
        assert_close(row.estimate, times.mean(), 1e-12)
        # Greenwood's variance is that of a mean with divisor n.
        assert_close(row.se, times.std(ddof=0) / np.sqrt(len(own)), 1e-12)


def test_the_corrected_variance_is_that_of_a_mean_with_divisor_n_minus_one() -> None:
    data = simulated(1).assign(DISC=1)
    table = call(data, tau=1000, bias_correction=True)
    for arm, own in data.groupby("ARM", observed=True):
        row = table.where(measure="rmst", arm=arm).single()
        assert_close(row.se, own["DAY"].std(ddof=1) / np.sqrt(len(own)), 1e-12)


def test_published_standard_errors_of_sas() -> None:
    # The maintained arm of the leukaemia data (Miller 1981): PROC LIFETEST RMST(TAU=161) gives
    # 52.64545 and 19.8286, RMST(BC TAU=161) 21.4173.
    data = pd.DataFrame(
        {
            "WEEK": [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161] * 2,
            "DEAD": [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0] * 2,
            "ARM": ["maintained"] * 11 + ["copy"] * 11,
        }
    )
    roles = {"time": "WEEK", "event": "DEAD", "reference": "copy", "tau": 161}
    row = call(data, **roles).where(measure="rmst", arm="maintained").single()
    assert round(row.estimate, 5) == 52.64545
    assert round(row.se, 4) == 19.8286
    table = call(data, bias_correction=True, **roles)
    assert round(table.where(measure="rmst", arm="maintained").single().se, 4) == 21.4173
    assert_close(table.where(measure="difference").single().se, 21.4173 * np.sqrt(2), 1e-5)
    assert "m / (m - 1)" in table.where(measure="difference").single().method


def test_adjusted_without_covariate_effect_or_censoring_is_near_the_difference() -> None:
    data = simulated(2, n=400).assign(DISC=1)
    plain = call(data, tau=20).where(measure="difference").single()
    adjusted = call(data, tau=20, covariates="AGE").where(measure="difference").single()
    assert abs(plain.estimate - adjusted.estimate) < 0.5 * plain.se
    assert adjusted.se < plain.se * 1.05


def test_difference_turns_with_the_arms() -> None:
    data = simulated(3)
    one = call(data, tau=15).where(measure="difference").single()
    two = call(data, tau=15, reference="Arm 1").where(measure="difference").single()
    assert_close(one.estimate, -two.estimate, 1e-12)
    assert_close(one.se, two.se, 1e-12)


def test_the_figure_draws_the_differences() -> None:
    table = call(simulated(5, n=90, n_arms=3), tau=15)
    axes = table.plot()
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["Arm 1 - Arm 0", "Arm 2 - Arm 0"]
    assert len(table.where(measure="ratio").plot().get_yticklabels()) == 2


def test_what_is_refused() -> None:
    data = simulated(4)
    with pytest.raises(tk.SpecError, match="bias_correction=True is for unadjusted means"):
        call(data, tau=10, covariates="AGE", bias_correction=True)
    with pytest.raises(tk.DataError, match=r"has 0 event\(s\) before tau=1e-06"):
        call(data, tau=1e-6, bias_correction=True)
    with pytest.raises(tk.SpecError, match="must be a time above zero"):
        call(data, tau=0)
    with pytest.raises(tk.DataError, match="was followed to"):
        call(data.assign(DISC=data["DISC"].where(data["DAY"] < 10, 0)), tau=1e6)
    with pytest.raises(TypeError, match="tau"):
        call(data)
    with pytest.raises(tk.DataError, match="OLD can be told from the other covariates"):
        call(data.assign(OLD=2 * data["AGE"]), tau=10, covariates=["AGE", "OLD"])
    with pytest.raises(tk.DataError, match="reference= must name"):
        call(data, tau=10, reference=None)
