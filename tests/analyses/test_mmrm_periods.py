"""tk.mmrm with periods: the direct product against matrices written out, identities, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import trialkit as tk
from trialkit.analyses.mmrm_fit import MmrmFit

VISITS = ["Week 2", "Week 4", "Week 12"]
FORMULA = "AVAL ~ TRTA*AVISIT + APERIOD + SEQ"
ROLES: dict[str, Any] = {
    "subject": "USUBJID",
    "visit": "AVISIT",
    "visit_order": VISITS,
    "period": "APERIOD",
    "arm": "TRTA",
    "reference": "Placebo",
}


def trial(*, n: int = 16, seed: int = 1, missing: float = 0.1) -> pd.DataFrame:
    """AB/BA with three visits a period; LDN lowers the last visit."""
    rng = np.random.default_rng(seed)
    of_visits = 0.6 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
    root = np.linalg.cholesky(np.kron([[1.0, 0.5], [0.5, 1.5]], of_visits))
    error = (rng.standard_normal((n, 6)) @ root.T).reshape(n, 2, 3)
    sequence = np.arange(n) % 2
    is_active = sequence[:, None] == np.array([1, 0])
    value = 6 + error - 1.2 * is_active[:, :, None] * np.array([0.2, 0.5, 1.0])
    value[rng.random(value.shape) < missing] = np.nan
    return pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S-{i:02d}" for i in range(n)], 6),
            "SEQ": np.repeat(np.where(sequence == 1, "BA", "AB"), 6),
            "APERIOD": np.tile(np.repeat([1, 2], 3), n),
            "AVISIT": VISITS * (2 * n),
            "TRTA": np.repeat(np.where(is_active.ravel(), "LDN", "Placebo"), 3),
            "AVAL": value.ravel().round(3),
        }
    )


def fit(data: pd.DataFrame, formula: str = FORMULA, **kwargs: Any) -> MmrmFit:
    return tk.mmrm(formula, data, **(ROLES | kwargs))


def dense(model: MmrmFit, data: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray, list[int]]]:
    """Design, outcome and cells (visits of the first period first) of each subject."""
    rows = data.iloc[model.model_frame.rows].reset_index(drop=True)
    cell = 3 * (rows["APERIOD"] - 1) + rows["AVISIT"].map(VISITS.index)
    frame = model.model_frame
    return [
        (frame.matrix[own.to_numpy()], frame.response[own.to_numpy()], cell[own].tolist())
        for own in rows.groupby("USUBJID").groups.values()
    ]


def restricted(sigma: np.ndarray, subjects: list[Any]) -> tuple[float, np.ndarray, np.ndarray]:
    """-2 restricted log-likelihood of a covariance of the six cells, estimate and covariance."""
    inverses = [np.linalg.inv(sigma[np.ix_(at, at)]) for _, _, at in subjects]
    parts = list(zip(subjects, inverses, strict=True))
    information = sum(x.T @ w @ x for (x, _, _), w in parts)
    phi = np.linalg.inv(information)
    beta = phi @ sum(x.T @ w @ y for (x, y, _), w in parts)
    total = np.linalg.slogdet(information)[1]
    for (x, y, _), w in parts:
        total += (y - x @ beta) @ w @ (y - x @ beta) - np.linalg.slogdet(w)[1]
    n = sum(y.size for _, y, _ in subjects)
    return float(total + (n - beta.size) * np.log(2 * np.pi)), beta, phi


def test_unstructured_by_ar1_is_the_optimum_of_the_likelihood_written_out() -> None:
    data = trial()
    model = fit(data, covariance="ar1", df="normal")
    subjects = dense(model, data)

    def deviance(theta: np.ndarray) -> float:
        root = np.array([[np.exp(theta[0]), 0.0], [theta[1], np.exp(theta[2])]])
        lag = np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
        return restricted(np.kron(root @ root.T, np.tanh(theta[3]) ** lag), subjects)[0]

    found = optimize.minimize(deviance, [0.0, 0.3, 0.0, 0.5], method="BFGS", tol=1e-7)
    assert model.deviance == pytest.approx(found.fun, abs=1e-7)
    assert model.n_covariance_parameters == 4
    value, beta, phi = restricted(model.covariance.to_numpy(), subjects)
    assert model.deviance == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(model.coef, beta, rtol=1e-9)
    np.testing.assert_allclose(model.vcov, phi, rtol=1e-9)


def test_covariance_is_a_readable_direct_product() -> None:
    model = fit(trial(), covariance="unstructured")
    frame = model.covariance
    assert frame.index.names == frame.columns.names == ["APERIOD", "AVISIT"]
    assert frame.index.tolist()[:4] == [*((1, v) for v in VISITS), (2, "Week 2")]
    first = frame.loc[1, 1].to_numpy()
    of_visits = first / first[0, 0]
    of_periods = frame.xs("Week 2", level=1).xs("Week 2", level=1, axis=1).to_numpy()
    np.testing.assert_allclose(frame.to_numpy(), np.kron(of_periods, of_visits), rtol=1e-10)
    assert np.diag(model.correlation.to_numpy()) == pytest.approx(np.ones(6))
    assert model.n_covariance_parameters == 3 + 5
    assert "unstructured covariance of APERIOD (x) unstructured of AVISIT, REML" in model.method
    assert "at 3 visits in 2 periods" in repr(model)


def test_contrasts_are_treatments_at_each_visit_and_period_is_averaged() -> None:
    model = fit(trial(n=40), covariance="ar1")
    table = model.contrasts()
    assert table.keys["contrast"] == ("LDN - Placebo",) * 3
    assert table.keys["visit"] == tuple(VISITS)
    assert table.where(visit="Week 12").single().estimate < -0.5
    means = model.lsmeans().frame().set_index(["arm", "visit"])["estimate"]
    for row, visit in zip(table.estimates, VISITS, strict=True):
        assert row.estimate == pytest.approx(means["LDN", visit] - means["Placebo", visit])
    interacting = fit(trial(n=40), "AVAL ~ TRTA*AVISIT + AVISIT*APERIOD + SEQ", covariance="ar1")
    by = interacting.lsmeans(by="APERIOD")
    assert set(by.keys) == {"arm", "visit", "APERIOD"}
    assert len(by) == 12


@pytest.mark.parametrize("df", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_one_visit_with_compound_symmetry_is_a_random_subject_unbounded(
    df: Any, information: Any
) -> None:
    data = trial(n=18, missing=0.15).query("AVISIT == 'Week 12'")
    crossover = tk.crossover(
        data,
        outcome="AVAL",
        subject="USUBJID",
        sequence="SEQ",
        period="APERIOD",
        treatment="TRTA",
        reference="Placebo",
        variance_bound=False,
        df=df,
        information=information,
    )
    truth = crossover.contrasts().single()
    common = {"period_covariance": "cs", "df": df, "information": information}
    formula = "AVAL ~ TRTA + APERIOD + SEQ"
    for model in (
        fit(data, formula, visit=None, visit_order=None, **common),
        fit(data, formula, covariance="ar1", **common),
    ):
        ours = model.contrasts().single()
        for name in ("estimate", "se", "df", "p_value"):
            assert getattr(ours, name) == pytest.approx(getattr(truth, name), rel=1e-6)
        assert model.deviance == pytest.approx(crossover.deviance, rel=1e-9)
    assert list(fit(data, formula, visit=None, visit_order=None).covariance.index) == [1, 2]


def test_one_visit_with_two_unstructured_periods_is_the_unstructured_model() -> None:
    data = trial(n=18, missing=0.15).query("AVISIT == 'Week 12'")
    formula = "AVAL ~ TRTA + APERIOD + SEQ"
    product = fit(data, formula, visit=None, visit_order=None)
    plain = tk.mmrm(
        "AVAL ~ TRTA + C(APERIOD) + SEQ",
        data.assign(TRTA=pd.Categorical(data["TRTA"], ["Placebo", "LDN"])),
        subject="USUBJID",
        visit="APERIOD",
    )
    assert product.deviance == pytest.approx(plain.deviance, rel=1e-12)
    ours, theirs = product.contrasts().single(), plain.coefficients()
    (truth,) = (row for row in theirs.estimates if row.label == "TRTA[T.LDN]")
    for name in ("estimate", "se", "df"):
        assert getattr(ours, name) == pytest.approx(getattr(truth, name), rel=1e-7)
    np.testing.assert_allclose(product.covariance, plain.covariance, rtol=1e-7)


def test_kenward_rogers_differ_because_a_product_is_not_linear() -> None:
    data = trial()
    se = [
        fit(data, covariance="us", df=df).contrasts().frame()["se"].to_numpy()
        for df in ("kenward-roger", "kenward-roger-linear")
    ]
    assert np.abs(se[0] / se[1] - 1).max() > 1e-4


def test_periods_missed_and_cells_nobody_has_are_missing_at_random() -> None:
    data = trial(missing=0.0)
    gone = (data["USUBJID"] == "S-03") & (data["APERIOD"] == 2)
    some = fit(data[~gone], covariance="cs")
    assert some.n_subjects == 16
    assert some.n_observations == 16 * 6 - 3
    cell = (data["APERIOD"] == 2) & (data["AVISIT"] == "Week 12")
    none = fit(data[~cell], covariance="cs")
    assert none.covariance.shape == (6, 6)
    assert np.isfinite(none.vcov).all()


def test_covariance_by_sequence_is_a_product_of_each() -> None:
    model = fit(trial(n=30), covariance="ar1", group="SEQ")
    assert set(model.covariance) == {"AB", "BA"}
    assert model.n_covariance_parameters == 8
    assert model.covariance["AB"].shape == (6, 6)


def test_conditional_prediction_uses_the_other_period() -> None:
    data = trial()
    model = fit(data, covariance="ar1")
    one = data[data["USUBJID"] == "S-05"].reset_index(drop=True)
    wanted = one.assign(AVAL=one["AVAL"].where(one["APERIOD"] == 1))
    seen = wanted["AVAL"].notna().to_numpy()
    sigma, x = model.covariance.to_numpy(), model.model_frame.rows_for(one)
    residual = (wanted["AVAL"].to_numpy() - x @ model.coef)[seen]
    truth = x @ model.coef + sigma[:, seen] @ np.linalg.solve(sigma[np.ix_(seen, seen)], residual)
    predicted = model.predict(wanted, conditional=True)
    np.testing.assert_allclose(predicted["prediction"], truth, rtol=1e-10)
    with pytest.raises(tk.DataError, match="two rows at 1, 'Week 2'"):
        model.predict(pd.concat([wanted, wanted.iloc[:1]]), conditional=True)


def test_residuals_and_simulation_follow_the_cells() -> None:
    data = trial()
    model = fit(data, covariance="ar1")
    scaled = model.residuals(kind="scaled")
    assert scaled.index.equals(model.residuals().index)
    assert scaled.std() == pytest.approx(1, abs=0.2)
    assert model.simulate(7).notna().all()


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(0.01, 100),
    shift=st.floats(-50, 50),
    cs=st.booleans(),
)
def test_order_labels_and_units_change_nothing(
    seed: int, scale: float, shift: float, cs: bool
) -> None:
    data = trial(seed=3)
    options: dict[str, Any] = {"covariance": "ar1", "period_covariance": "cs" if cs else "us"}
    plain = fit(data, **options).contrasts()
    other = data.sample(frac=1, random_state=np.random.default_rng(seed))
    other = other.assign(
        AVAL=scale * other["AVAL"] + shift, APERIOD=other["APERIOD"].map({1: "second", 2: "first"})
    )
    again = fit(other, period_order=["second", "first"], **options).contrasts()
    for one, two in zip(plain.estimates, again.estimates, strict=True):
        assert two.estimate == pytest.approx(scale * one.estimate, rel=1e-6, abs=1e-8 * scale)
        assert two.se == pytest.approx(scale * one.se, rel=1e-6)
        assert two.df == pytest.approx(one.df, rel=1e-5)


def test_periods_reversed_give_the_same_treatment_effect_by_symmetry() -> None:
    data = trial()
    one = fit(data, covariance="cs").contrasts()
    two = fit(data, covariance="cs", period_order=[2, 1]).contrasts()
    for first, second in zip(one.estimates, two.estimates, strict=True):
        assert first.estimate == pytest.approx(second.estimate, rel=1e-7)
        assert first.df == pytest.approx(second.df, rel=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"period": None, "period_covariance": "cs"}, "needs period="),
        ({"period": None, "period_order": [1, 2]}, "period_order= needs period="),
        ({"period": None, "visit": None}, "visit= is needed"),
        ({"period_covariance": "ar1"}, "period_covariance='ar1' is not offered"),
        ({"visit": None, "visit_order": VISITS}, "visit_order= needs visit="),
        ({"visit": "APERIOD"}, "leave visit= out"),
        ({"visit": None, "covariance": "ar1"}, "period_covariance= says all"),
        ({"covariance": "sp_exp", "time": "APERIOD"}, "same in every period"),
    ],
)
def test_choices_that_exclude_each_other_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        fit(trial(), **({} if "visit" not in changed else {"visit_order": None}) | changed)


def test_rows_that_contradict_periods_are_refused_by_name() -> None:
    data = trial(missing=0.0)
    with pytest.raises(tk.DataError, match=r"'S-00' .* at APERIOD 1, AVISIT 'Week 2' \(1 row"):
        fit(pd.concat([data, data.iloc[:1]]))
    with pytest.raises(tk.DataError, match="one period only, 1"):
        fit(data[data["APERIOD"] == 1])
    swapped = data.assign(TRTA=data["TRTA"].where(data.index != 8, "other"))
    with pytest.raises(tk.DataError, match=r"within a 'APERIOD': 'S-01' \(the first at APERIOD 1"):
        fit(swapped)
    unordered = data.assign(APERIOD=data["APERIOD"].map({1: "one", 2: "two"}))
    with pytest.raises(tk.DataError, match=r"order of the periods .* Give period_order="):
        fit(unordered)
    gone = data.assign(AVAL=data["AVAL"].where(data["APERIOD"] == 1))
    with pytest.raises(tk.DataError, match="Period 2 of 'APERIOD' has no analysed row"):
        fit(gone, "AVAL ~ TRTA + AVISIT + SEQ")


def test_arms_that_change_without_a_period_are_a_fault_in_few_and_the_design_in_many() -> None:
    data = trial(missing=0.0)
    last = data[data["AVISIT"] == "Week 12"]
    as_visits = {"period": None, "visit": "APERIOD", "visit_order": None}
    crossed = fit(last, "AVAL ~ TRTA + APERIOD", **as_visits)
    assert "16 of 16 subjects with several visits change 'TRTA'" in crossed.contrasts().notes[-1]
    declared = fit(last, "AVAL ~ TRTA + APERIOD", visit=None, visit_order=None)
    pd.testing.assert_frame_equal(
        crossed.coefficients().frame().drop(columns="method"),
        declared.coefficients().frame().drop(columns="method"),
        rtol=1e-9,
    )
    few = last["USUBJID"].isin(["S-01", "S-02", "S-03", "S-04", "S-05"])
    own = last["USUBJID"].str[-1].astype(int) % 2
    parallel = own.map({0: "Placebo", 1: "LDN"})
    assert set(parallel) == set(last["TRTA"])
    with pytest.raises(
        tk.DataError, match=r"5 subject\(s\) change 'TRTA'.*'S-03', \.\.\..*period="
    ):
        fit(last.assign(TRTA=last["TRTA"].where(few, parallel)), "AVAL ~ TRTA", **as_visits)


def test_what_cannot_be_estimated_is_named_by_period_and_visit() -> None:
    data = trial(missing=0.0)
    own = data["USUBJID"].str[-1].astype(int) % 4 // 2 + 1
    alone = data[data["APERIOD"] == own]
    with pytest.raises(tk.ConvergenceError, match=r"both APERIOD 1, 2.*period_covariance="):
        fit(alone, "AVAL ~ TRTA*AVISIT + SEQ", covariance="ar1")
    visit = data["AVISIT"].map({"Week 2": 1, "Week 4": 2, "Week 12": 3})
    apart = data[visit != own]
    with pytest.raises(tk.ConvergenceError, match=r"both AVISIT 'Week 2', 'Week 4'"):
        fit(apart, covariance="us")
    copied = data.assign(
        AVAL=data.groupby(["USUBJID", "APERIOD"])["AVAL"].transform("first")
        + data["AVISIT"].map({"Week 2": 0.0, "Week 4": 1.0, "Week 12": 2.0})
    )
    with pytest.raises(tk.ConvergenceError, match=r"\(APERIOD, AVISIT\) \(1, 'Week 2'\)"):
        fit(copied, covariance="us")


def test_no_row_and_subjects_that_are_no_labels_are_refused() -> None:
    data = trial()
    with pytest.raises(tk.DataError, match="'APERIOD' has no value in 0 rows"):
        fit(data.iloc[:0])
    with pytest.raises(tk.DataError, match="'USUBJID' holds values that are not labels"):
        fit(data.assign(USUBJID=[["S-01"]] * len(data)))


def test_visits_counted_over_the_trial_are_refused() -> None:
    data = trial(missing=0.0)
    over = data.assign(
        AVISIT=pd.Categorical(data["APERIOD"].astype(str) + "/" + data["AVISIT"].astype(str))
    )
    with pytest.raises(tk.DataError, match=r"No visit of 'AVISIT' occurs in two periods"):
        fit(over, "AVAL ~ TRTA", covariance="ar1", visit_order=None)
