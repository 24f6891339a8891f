"""ANCOVA: a textbook's numbers, a slow version, what must not matter, and what is shown."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from itertools import product

import numpy as np
import pandas as pd
import pytest
from analyses.ancova_trials import ARMS, FORMULA, fit_of, trial
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close

import trialkit as tk
from trialkit.errors import SpecError

NUMBERS = ["estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high"]


def by_hand(data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, float, int]:
    """FORMULA by normal equations on hand-made dummies: b, covariance, sigma, df."""
    x = np.array([dummies(row) for row in data.itertuples()])
    y = data["CHG"].to_numpy()
    inverse = np.linalg.inv(x.T @ x)
    b = inverse @ x.T @ y
    df = len(y) - x.shape[1]
    variance = float(np.sum((y - x @ b) ** 2) / df)
    return b, variance * inverse, variance**0.5, df


def dummies(row) -> list[float]:  # type: ignore[no-untyped-def]
    low, high, male = row.TRT01P == ARMS[1], row.TRT01P == ARMS[2], row.SEX == "M"
    region = [row.REGION == "y", row.REGION == "z"]
    return [1, low, high, male, row.BASE, *region, low * male, high * male]


def cell_mean(data: pd.DataFrame, arm: str, weights: str) -> np.ndarray:
    """The row of an LS mean, by walking through the cells one at a time."""
    total = np.zeros(9)
    shares = {name: data[name].value_counts(normalize=True) for name in ("SEX", "REGION")}
    for sex, region in product("FM", "xyz"):
        row = pd.Series({"TRT01P": arm, "SEX": sex, "REGION": region, "BASE": data["BASE"].mean()})
        weight = shares["SEX"][sex] * shares["REGION"][region] if weights == "observed" else 1 / 6
        total += weight * np.array(dummies(row), dtype=float)
    return total


def test_leprosy_trial_of_snedecor_and_cochran() -> None:
    """Two antibiotics and a control, counts of bacilli before and after; SAS GLM's output."""
    scores = {
        "A": "11 6 8 0 5 2 14 8 19 11 6 4 10 13 6 1 11 8 3 0",
        "D": "6 0 6 2 7 3 8 1 18 18 8 4 19 14 8 9 5 1 15 9",
        "F": "16 13 13 10 11 18 9 5 21 23 16 12 12 5 12 16 7 1 12 20",
    }
    rows = [
        (drug, *pair)
        for drug, text in scores.items()
        for pair in np.array(text.split(), dtype=float).reshape(-1, 2)
    ]
    data = pd.DataFrame(rows, columns=["DRUG", "PRE", "POST"])
    fit = tk.ancova("POST ~ DRUG + PRE", data, arm="DRUG", reference="F")
    means = fit.lsmeans()
    order = [means.where(arm=drug).single() for drug in "ADF"]
    assert_close([row.estimate for row in order], [6.7149635, 6.8239348, 10.1611017], rtol=1e-7)
    assert_close([row.se for row in order], [1.2884943, 1.2724690, 1.3159234], rtol=1e-7)
    tests = fit.type3().frame().set_index("term")
    assert_close(tests.loc[["DRUG", "PRE"], "sum_sq"], [68.5537106, 577.8974030], rtol=1e-8)
    assert tests["statistic"].round(2)[["DRUG", "PRE"]].tolist() == [2.14, 36.01]
    assert tests["p_value"].round(4)["DRUG"] == 0.1384
    assert round(fit.r_squared, 6) == 0.676261


@pytest.mark.parametrize("seed", range(3))
def test_against_normal_equations_and_cells_one_by_one(seed: int) -> None:
    data = trial(seed)
    b, covariance, sigma, df = by_hand(data)
    fit = fit_of(data)
    assert_close(fit.coef, b, rtol=1e-9)
    assert_close(fit.vcov, covariance, rtol=1e-8, atol=1e-12)
    assert_close(fit.sigma, sigma, rtol=1e-10)
    assert fit.df_residual == df
    for weights in ("equal", "observed"):
        rows = np.array([cell_mean(data, arm, weights) for arm in ARMS])
        means = fit.lsmeans(weights=weights)
        assert_close([row.estimate for row in means.estimates], rows @ b, rtol=1e-9)
        spread = np.sqrt(np.diag(rows @ covariance @ rows.T))
        assert_close([row.se for row in means.estimates], spread, rtol=1e-9)
        gaps = rows[1:] - rows[0]
        contrasts = fit.contrasts(weights=weights)
        assert_close([row.estimate for row in contrasts.estimates], gaps @ b, rtol=1e-8)
        spread = np.sqrt(np.diag(gaps @ covariance @ gaps.T))
        assert_close([row.se for row in contrasts.estimates], spread, rtol=1e-9)


def test_counterfactual_means_average_the_subjects() -> None:
    data = trial(7)
    b, covariance, _, _ = by_hand(data)
    fit = fit_of(data)
    rows = []
    for arm in ARMS:
        everybody = [dummies(row) for row in data.assign(TRT01P=arm).itertuples()]
        rows.append(np.mean(np.array(everybody, dtype=float), axis=0))
    means = fit.lsmeans(weights="counterfactual")
    assert_close([row.estimate for row in means.estimates], np.array(rows) @ b, rtol=1e-9)
    spread = np.sqrt(np.diag(np.array(rows) @ covariance @ np.array(rows).T))
    assert_close([row.se for row in means.estimates], spread, rtol=1e-9)
    assert "average prediction over subjects" in means.estimates[0].method
    within = fit.lsmeans(weights="counterfactual", by="SEX").where(SEX="M", arm="Placebo").single()
    men = data[data["SEX"] == "M"].assign(TRT01P="Placebo")
    expected = np.mean([np.array(dummies(row), float) @ b for row in men.itertuples()])
    assert_close(within.estimate, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_robust_contrasts_are_statsmodels(kind: str) -> None:
    from statsmodels.regression.linear_model import OLS

    data = trial(5)
    x = np.array([dummies(row) for row in data.itertuples()], dtype=float)
    robust = OLS(data["CHG"].to_numpy(), x).fit().get_robustcov_results(kind, use_t=True)
    fit = fit_of(data, vcov=kind)
    row = cell_mean(data, ARMS[2], "equal") - cell_mean(data, ARMS[0], "equal")
    theirs = robust.t_test(row)
    ours = fit.contrasts().estimates[1]
    expected = [theirs.effect[0], theirs.sd[0, 0], theirs.tvalue[0, 0], theirs.pvalue]
    assert_close([ours.estimate, ours.se, ours.statistic, ours.p_value], expected, rtol=1e-8)
    test = fit.type3().frame().set_index("term").loc["BASE"]
    base = robust.f_test(np.eye(9)[4])
    assert_close([test["statistic"], test["p_value"]], [base.fvalue, base.pvalue], rtol=1e-8)
    assert "sum_sq" not in test
    assert f"OLS with {kind} covariance" in ours.method


def test_without_covariates_it_is_the_t_test() -> None:
    data = trial(3)
    two = data[data["TRT01P"] != ARMS[1]]
    ours = fit_of(two, "CHG ~ TRT01P").contrasts().single()
    theirs = tk.ttest(two, outcome="CHG", arm="TRT01P", reference="Placebo", equal_var=True)
    for name in NUMBERS:
        assert_close(getattr(ours, name), getattr(theirs.single(), name), rtol=1e-10)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False))
def test_row_order_does_not_matter(seed: int, order) -> None:  # type: ignore[no-untyped-def]
    data = trial(seed)
    rows = list(range(len(data)))
    order.shuffle(rows)
    before, after = fit_of(data), fit_of(data.iloc[rows])
    for one, two in ((before.contrasts(), after.contrasts()), (before.lsmeans(), after.lsmeans())):
        assert_close(one.frame()[NUMBERS], two.frame()[NUMBERS], rtol=1e-7)
    assert_close(before.type3().frame()["statistic"], after.type3().frame()["statistic"], rtol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_another_reference_turns_the_sign(seed: int) -> None:
    data = trial(seed)
    forward = fit_of(data).contrasts().where(contrast="LDN 4.5 mg - Placebo").single()
    back = fit_of(data, reference="LDN 4.5 mg").contrasts()
    back = back.where(contrast="Placebo - LDN 4.5 mg").single()
    assert_close([back.estimate, back.statistic], [-forward.estimate, -forward.statistic], 1e-8)
    assert_close([back.ci_low, back.ci_high], [-forward.ci_high, -forward.ci_low], 1e-8)
    assert_close([back.se, back.p_value, back.df], [forward.se, forward.p_value, forward.df], 1e-8)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    unit=st.floats(1e-3, 1e3),
    shift=st.floats(-1e3, 1e3),
    # A covariate's spread stays above a thousandth of its mean: its interaction with the arm is
    # nearly aliased beyond, and the covariance loses the square of that ratio in digits.
    covariate_unit=st.floats(0.1, 1e3),
    covariate_shift=st.floats(-100, 100),
)
def test_units_and_constants(
    seed: int, unit: float, shift: float, covariate_unit: float, covariate_shift: float
) -> None:
    data = trial(seed)
    moved = data.assign(
        CHG=unit * data["CHG"] + shift, BASE=covariate_unit * data["BASE"] + covariate_shift
    )
    formula = "CHG ~ TRT01P*BASE + SEX"
    before, after = fit_of(data, formula), fit_of(moved, formula)
    for name in ("estimate", "se", "ci_low", "ci_high"):
        difference = [getattr(row, name) for row in before.contrasts().estimates]
        scaled = [getattr(row, name) for row in after.contrasts().estimates]
        assert_close(scaled, unit * np.array(difference), rtol=1e-6, atol=1e-8 * unit)
    p_values = [[row.p_value for row in fit.contrasts().estimates] for fit in (before, after)]
    assert_close(*p_values, rtol=1e-6)
    means = [row.estimate for row in before.lsmeans().estimates]
    again = [row.estimate for row in after.lsmeans().estimates]
    assert_close(again, unit * np.array(means) + shift, rtol=1e-6, atol=1e-7 * unit)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_renaming_the_arms_renames_the_rows(seed: int) -> None:
    data = trial(seed)
    names = {"Placebo": "z control", "LDN 3.0 mg": "b", "LDN 4.5 mg": "a"}
    renamed = fit_of(data.assign(TRT01P=data["TRT01P"].map(names)), reference="z control")
    contrasts = renamed.contrasts()
    assert contrasts.keys["contrast"] == ("a - z control", "b - z control")
    assert_close(
        contrasts.frame()[NUMBERS], fit_of(data).contrasts().frame()[NUMBERS][::-1], rtol=1e-7
    )


def test_the_result_keeps_nothing_of_the_data() -> None:
    data = trial()
    fit = fit_of(data)
    before = fit.lsmeans(weights="counterfactual").frame()
    for column in ("TRT01P", "SEX", "REGION", "BASE", "CHG"):
        data[column] = 0.0
    pd.testing.assert_frame_equal(fit.lsmeans(weights="counterfactual").frame(), before)
    with pytest.raises(FrozenInstanceError):
        fit.arm = "SEX"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        fit.coef[0] = 1.0
    again = pickle.loads(pickle.dumps(fit))
    pd.testing.assert_frame_equal(again.contrasts().frame(), fit.contrasts().frame())


def test_missing_values_are_counted_and_said() -> None:
    data = trial()
    data.loc[[0, 1], "CHG"] = np.nan
    data.loc[[1, 2], "BASE"] = np.nan
    data.loc[3, "TRT01P"] = None
    fit = fit_of(data)
    assert (fit.n, fit.n_excluded) == (44, 4)
    assert fit.missing == {"CHG": 2, "TRT01P": 1, "BASE": 2}
    note = "4 of 48 rows excluded for missing values (CHG 2, TRT01P 1, BASE 2)."
    for table in (fit.coefficients(), fit.lsmeans(), fit.contrasts(), fit.type3(), fit.type2()):
        assert table.notes == (note,)
    complete = data.dropna()
    assert_close(fit.coef, fit_of(complete).coef, rtol=1e-12)
    assert fit.residuals().index.tolist() == complete.index.tolist()
    assert {row.n for row in fit.contrasts().estimates} == {44}
    assert [row.n for row in fit.lsmeans().estimates] == [
        int((complete["TRT01P"] == arm).sum()) for arm in ARMS
    ]


def test_residuals_fit_statistics_and_methods() -> None:
    data = trial()
    fit = fit_of(data)
    raw = fit.residuals()
    assert raw.name == "CHG"
    assert abs(raw.sum()) < 1e-9
    assert_close((raw**2).sum(), fit.residual_sum_sq, rtol=1e-12)
    standardized = fit.residuals(kind="standardized")
    assert_close(standardized, raw / (fit.sigma * np.sqrt(1 - fit.leverage)), rtol=1e-12)
    total = ((data["CHG"] - data["CHG"].mean()) ** 2).sum()
    assert_close(fit.r_squared, 1 - fit.residual_sum_sq / total, rtol=1e-12)
    through_zero = fit_of(data, "CHG ~ 0 + TRT01P + BASE")
    unexplained = through_zero.residual_sum_sq / (data["CHG"] ** 2).sum()
    assert_close(through_zero.r_squared, 1 - unexplained, rtol=1e-12)
    assert_close(through_zero.adj_r_squared, 1 - unexplained * 48 / 44, rtol=1e-12)
    assert [row.method for row in fit.contrasts().estimates] == [
        f"ANCOVA {FORMULA}, OLS, t with residual df; LS means, equal weights, "
        "covariates at their mean"
    ] * 2
    methods = {
        fit_of(data, vcov=vcov).contrasts(weights=weights).estimates[0].method
        for vcov in ("ols", "HC3")
        for weights in ("equal", "observed", "counterfactual")
    }
    assert len(methods) == 6
    with pytest.raises(SpecError, match="kind='pearson' is not offered; allowed: raw, standard"):
        fit.residuals(kind="pearson")  # type: ignore[arg-type]


def test_what_a_reader_sees() -> None:
    data = trial()
    data.loc[0, "CHG"] = np.nan
    fit = fit_of(data.rename(columns={"REGION": "A<B"}), "CHG ~ TRT01P + `A<B`")
    text = repr(fit)
    assert "47 rows analysed, 1 excluded" in text
    assert "arms Placebo, LDN 3.0 mg, LDN 4.5 mg" in text
    assert "LDN 4.5 mg - Placebo" in text
    html = fit._repr_html_()
    assert "A&lt;B" in html
    assert "A<B" not in html
    assert len(fit.plot().get_yticklabels()) == 2


def test_a_numeric_arm_is_a_factor() -> None:
    data = trial()
    data["DOSE"] = data["TRT01P"].map(dict(zip(ARMS, [0.0, 3.0, 4.5], strict=True)))
    fit = fit_of(data, "CHG ~ DOSE + BASE", arm="DOSE", reference=0)
    assert fit.contrasts().keys["contrast"] == ("3.0 - 0.0", "4.5 - 0.0")
    plain = fit_of(data, "CHG ~ TRT01P + BASE")
    assert_close(fit.coef, plain.coef, rtol=1e-12)
