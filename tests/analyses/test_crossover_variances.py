"""tk.crossover with variances by treatment, and the choices that it and measurement= refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_variance_trials import WILLIAMS, components, fit, numbers, trial
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close
from scipy import optimize

import trialkit as tk
from trialkit.analyses.crossover import BoundaryWarning
from trialkit.typing import FloatArray

# A slow way to the same: dense matrices, an optimiser without derivatives, and Satterthwaite
# and Kenward-Roger as their papers write them.


def dense(data: pd.DataFrame, kind: str) -> tuple[FloatArray, FloatArray, list[FloatArray]]:
    """Design (N, P) with the treatments first, outcome, and the G_s."""
    factors = [data["TRT"], data["PER"], data["SEQ"]]
    factors += [data["VISIT"]] if kind == "measurement" else []
    columns = [
        (factor == label).to_numpy(dtype=float)
        for factor in factors
        for label in [one for one in sorted(factor.unique()) if one != "Placebo"][
            0 if factor is data["TRT"] else 1 :
        ]
    ]
    x = np.column_stack([*columns, np.ones(len(data))])
    who, when = (pd.factorize(data[name])[0] for name in ("ID", "PER"))
    same = (who[:, None] == who[None]).astype(float)
    if kind == "measurement":
        parts = [same, same * (when[:, None] == when[None]), np.eye(len(data))]
    else:
        given = sorted(data["TRT"].unique(), key=lambda label: (label != "Placebo", label))
        parts = [same, *(np.diag((data["TRT"] == each).to_numpy(dtype=float)) for each in given)]
    return x, data["AVAL"].to_numpy(), parts


def restricted(theta: FloatArray, x: FloatArray, y: FloatArray, parts: list[FloatArray]) -> float:
    v = sum(t * part for t, part in zip(theta, parts, strict=True))
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    r = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    log_determinants = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    return float(log_determinants + r @ inverse @ r + (y.size - x.shape[1]) * np.log(2 * np.pi))


def slow_kenward_roger(
    theta: FloatArray, x: FloatArray, y: FloatArray, parts: list[FloatArray]
) -> tuple[float, float, float]:
    """Estimate, standard error and df of the first coefficient, with the expected information."""
    inverse = np.linalg.inv(sum(t * part for t, part in zip(theta, parts, strict=True)))
    phi = np.linalg.inv(x.T @ inverse @ x)
    p = inverse - inverse @ x @ phi @ x.T @ inverse
    w = np.linalg.inv(np.array([[np.trace(p @ a @ p @ b) for b in parts] for a in parts]) / 2)
    slopes = [x.T @ inverse @ part @ inverse @ x for part in parts]
    total = sum(
        w[s, t] * (x.T @ inverse @ a @ inverse @ b @ inverse @ x - slopes[s] @ phi @ slopes[t])
        for s, a in enumerate(parts)
        for t, b in enumerate(parts)
    )
    adjusted = phi + 2 * phi @ total @ phi
    gradient = np.array([phi[0] @ slope @ phi[0] for slope in slopes])
    df = 2 * phi[0, 0] ** 2 / (gradient @ w @ gradient)
    return float((phi @ x.T @ inverse @ y)[0]), float(np.sqrt(adjusted[0, 0])), float(df)


@pytest.mark.parametrize(
    ("kind", "sequences"),
    [
        ("treatment", ("ABB", "BAA")),
        ("treatment", WILLIAMS),
        ("measurement", ("AB", "BA")),
        ("measurement", WILLIAMS),
    ],
)
def test_against_dense_matrices(kind: str, sequences: tuple[str, ...]) -> None:
    visits = 3 if kind == "measurement" else 0
    data = trial(sequences, n=18, visits=visits, missing=0.12, seed=5)
    choices = {"measurement": "VISIT"} if visits else {"variances": "by-treatment"}
    found = fit(data, information="expected", **choices)
    x, y, parts = dense(data, kind)
    best = optimize.minimize(
        lambda u: restricted(np.exp(u), x, y, parts), np.zeros(len(parts)), method="BFGS"
    )
    names = ["between", "subject-by-period", "residual"]
    if kind == "treatment":
        treatments = found.model.rows.treatments
        names = ["between", *(f"within[{label}]" for label in treatments)]
    theta = components(found)[names].to_numpy()
    assert_close(theta, np.exp(best.x), rtol=1e-3)
    assert found.deviance <= best.fun + 1e-9
    assert_close(found.deviance, restricted(theta, x, y, parts), rtol=1e-11)
    estimate, se, df = slow_kenward_roger(theta, x, y, parts)
    row = found.contrasts().estimates[0]
    assert_close([row.estimate, row.se, row.df], [estimate, se, df], rtol=1e-7)


@pytest.mark.parametrize("missing", [0.0, 0.15])
@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_in_ab_ba_it_is_an_unstructured_covariance_of_the_treatments(
    missing: float, df: str
) -> None:
    data = trial(("AB", "BA"), n=20, missing=missing, seed=4)
    found = fit(data, variances="by-treatment", variance_bound=False, df=df).contrasts().single()
    same = tk.mmrm(
        "AVAL ~ TRT + C(PER) + SEQ",
        data.assign(TRT=pd.Categorical(data["TRT"], ["Placebo", "LDN"], ordered=True)),
        subject="ID",
        visit="TRT",
        arm="SEQ",
        reference="AB",
        covariance="unstructured",
        df=df,
    )
    column = np.eye(len(same.columns))[same.columns.index("TRT[T.LDN]")]
    position = same.columns.index("TRT[T.LDN]")
    assert_close(found.estimate, same.coef[position], rtol=1e-8)
    assert_close(found.se, np.sqrt(same.vcov[position, position]), rtol=1e-8)
    assert_close(found.df, same.df(column), rtol=1e-7)
    if missing == 0:
        paired = fit(data, subject_effect="fixed").contrasts().single()
        assert_close([found.estimate, found.se], [paired.estimate, paired.se], rtol=1e-8)


def test_equal_variances_have_the_larger_deviance_and_a_name_each() -> None:
    data = trial(("ABB", "BAA"), n=24)
    data["AVAL"] = np.exp(data["AVAL"] / 10)
    found, common = fit(data, variances="by-treatment", log=True), fit(data, log=True)
    assert found.deviance < common.deviance
    parts = components(found)
    assert parts.index.tolist() == [
        "between",
        "within[Placebo]",
        "within[LDN]",
        "difference[LDN - Placebo]",
        "icc[Placebo]",
        "icc[LDN]",
        "cv_within[Placebo]",
        "cv_within[LDN]",
    ]
    both = parts["within[LDN]"] + parts["within[Placebo]"]
    assert_close(parts["difference[LDN - Placebo]"], both, rtol=1e-12)
    assert_close(parts["cv_within[LDN]"], np.sqrt(np.expm1(parts["within[LDN]"])), rtol=1e-12)
    icc = parts["between"] / (parts["between"] + parts["within[LDN]"])
    assert_close(parts["icc[LDN]"], icc, rtol=1e-12)
    assert parts["within[LDN]"] > parts["within[Placebo]"]
    sd = components(found, "sd")
    assert_close(sd["within[LDN]"] ** 2, parts["within[LDN]"], rtol=1e-12)
    low, high = (components(found, side)["within[LDN]"] for side in ("ci_low", "ci_high"))
    assert low < parts["within[LDN]"] < high
    assert sd[["icc[LDN]", "cv_within[LDN]"]].isna().all()
    assert "variance within subjects by treatment" in found.method
    assert "SD within subjects: Placebo 0." in repr(found)
    assert not any("no subject has" in note.lower() for note in found.contrasts().notes)


def test_without_repeats_a_note_says_what_tells_the_variances_apart() -> None:
    found = fit(trial(WILLIAMS, n=18), variances="by-treatment")
    assert any("No subject has a treatment twice" in note for note in found.contrasts().notes)


def test_containment_is_that_of_one_variance() -> None:
    data = trial(("ABB", "BAA"), n=14)
    found, common = (fit(data, variances=v, df="containment") for v in ("by-treatment", "common"))
    assert found.contrasts().single().df == common.contrasts().single().df
    assert fit(data, variances="by-treatment", df="normal").contrasts().single().df == np.inf


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
def test_a_variance_at_its_bound_is_named(df: str) -> None:
    data = trial(("AB", "BA"), n=14, between=2.0, seed=2)
    # The outcome under LDN is a subject's level alone, and varies less than the level does.
    level = data.groupby("ID", observed=True)["BASE"].transform("first")
    data["AVAL"] = data["AVAL"].where(data["TRT"] == "Placebo", 5 + 0.5 * level)
    data["AVAL"] += 1e-3 * np.random.default_rng(1).normal(size=len(data))
    with pytest.warns(BoundaryWarning, match="within-subject variance of LDN is at its bound"):
        held = fit(data, variances="by-treatment", df=df)
    assert held.is_at_bound
    kept = "kept" if df == "kenward-roger" else "dropped"
    assert f"within-subject variance of LDN at its bound of zero, which is {kept}" in held.method
    assert components(held)["within[LDN]"] == 0
    assert np.isnan(components(held, "se")["within[LDN]"])
    free = fit(data, variances="by-treatment", df=df, variance_bound=False)
    assert components(free)["within[LDN]"] < 0
    assert np.isnan(components(free, "ci_low")["within[LDN]"])
    assert np.isnan(components(free, "sd")["within[LDN]"])
    assert free.deviance < held.deviance


@settings(deadline=None, max_examples=8)
@given(st.permutations(range(36)), st.sampled_from([1e-3, 1.0, 250.0]), st.floats(-50, 50))
def test_order_unit_and_origin_do_not_matter(order: list[int], unit: float, shift: float) -> None:
    data = trial(("ABB", "BAA"), n=12)
    base = numbers(fit(data, variances="by-treatment").contrasts())
    moved = data.iloc[order].assign(AVAL=lambda d: shift + unit * d["AVAL"])
    found = numbers(fit(moved, variances="by-treatment").contrasts())
    assert_close(found, base * [unit, unit, 1, unit, unit, 1], 1e-6, atol=1e-9 * unit)


def test_exchanging_the_reference_turns_the_sign() -> None:
    data = trial(("ABB", "BAA"), n=12)
    there = fit(data, variances="by-treatment").contrasts().single()
    back = fit(data, variances="by-treatment", reference="LDN").contrasts().single()
    assert_close([back.estimate, back.ci_low], [-there.estimate, -there.ci_high], 1e-9)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"variances": "unequal"}, "allowed: common, by-treatment"),
        ({"variances": "by-treatment", "measurement": "VISIT"}, "one measurement a period"),
        ({"variances": "by-treatment", "subject_effect": "fixed"}, "are for random subjects"),
        ({"measurement": "VISIT", "subject_effect": "fixed"}, "are for random subjects"),
        ({"measurement": "PER"}, "treatment and measurement are six"),
    ],
)
def test_choices_that_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        fit(trial(visits=2), **choices)


def test_data_that_are_refused() -> None:
    data = trial(("AB", "BA"), n=8, visits=2)

    def refit(frame: pd.DataFrame) -> Any:
        return fit(frame, measurement="VISIT")

    with pytest.raises(tk.DataError, match="the first that of subject 'S00' in period 1 at 1"):
        refit(pd.concat([data, data.iloc[:1]]))
    stray = data.assign(TRT=["LDN", *data["TRT"][1:]])
    with pytest.raises(tk.DataError, match=r"'S00' has the treatments .* in period 1; a period"):
        refit(stray)
    with pytest.raises(tk.DataError, match="'VISIT' is missing in 1 of 32 rows"):
        refit(data.assign(VISIT=[np.nan, *data["VISIT"][1:]]))
    with pytest.raises(tk.DataError, match="'VISIT' has one label only, 1"):
        refit(data[data["VISIT"] == 1])
    with pytest.raises(tk.DataError, match="Measurement 2 has no analysed row"):
        refit(data.assign(AVAL=data["AVAL"].where(data["VISIT"] == 1)))
    alone = data["VISIT"] == 1 + (pd.factorize(data["ID"])[0] // 2 + data["PER"]) % 2
    with pytest.raises(tk.DataError, match=r"No subject has two measurements \(column 'VISIT'\)"):
        refit(data[alone])
    days = data.assign(DAY=data["VISIT"] + 10 * data["PER"])
    with pytest.raises(tk.DesignError, match="counted within its period, not over the trial"):
        fit(days, measurement="DAY")
    one = data[(data["PER"] == 1) == (pd.factorize(data["ID"])[0] < 4)]
    with pytest.raises(tk.DataError, match="No subject has two periods"):
        refit(one)
    few = trial(("AB", "BA"), n=8)
    few = few[(few["PER"] == 1) | (few["ID"] == "S00")]
    with pytest.raises(tk.ConvergenceError, match=r"The variances are between, within\[Placebo\]"):
        fit(few, variances="by-treatment", sequence_effect=False)
