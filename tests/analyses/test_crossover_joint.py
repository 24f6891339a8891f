"""tk.crossover(baseline_as="joint"): dense matrices, analyses of covariance, refusals."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.mmrm.dense_check import check
from kernels.mmrm.dense_model import DenseModel, natural_sigma
from scipy import optimize

import trialkit as tk
from trialkit.analyses.crossover_joint import JointCrossoverFit

ROLES: dict[str, Any] = {
    "outcome": "AVAL",
    "subject": "ID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRT",
    "reference": "Placebo",
    "baseline": "BASE",
    "baseline_as": "joint",
}
SIGMA = np.array(
    [[1, 0.7, 0.5, 0.4], [0.7, 1.5, 0.4, 0.6], [0.5, 0.4, 1, 0.6], [0.4, 0.6, 0.6, 1.3]]
)


def trial(*, n: int = 14, seed: int = 1, missing: float = 0.0) -> pd.DataFrame:
    """AB/BA; LDN lowers the outcome; baseline and outcome of either period correlate."""
    rng = np.random.default_rng(seed)
    error = rng.standard_normal((n, 4)) @ np.linalg.cholesky(SIGMA).T
    is_ba = np.repeat(np.arange(n) % 2 == 1, 2)
    period = np.tile([1, 2], n)
    is_active = is_ba == (period == 1)
    base, aval = 6 + error[:, [0, 2]].ravel(), 5 + error[:, [1, 3]].ravel()
    aval = aval - 0.8 * is_active + 0.3 * (period == 2)
    gone = rng.random((2, 2 * n)) < missing
    return pd.DataFrame(
        {
            "ID": np.repeat([f"S-{i:02d}" for i in range(n)], 2),
            "SEQ": np.where(is_ba, "BA", "AB"),
            "PERIOD": period,
            "TRT": np.where(is_active, "LDN", "Placebo"),
            "BASE": np.where(gone[0], np.nan, base),
            "AVAL": np.where(gone[1], np.nan, aval),
        }
    )


def fit(data: pd.DataFrame, **kwargs: Any) -> JointCrossoverFit:
    found = tk.crossover(data, **(ROLES | kwargs))
    assert isinstance(found, JointCrossoverFit)
    return found


def stacked(data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Design, response, subject and cell of outcomes and baselines, written out row by row."""
    subjects = list(dict.fromkeys(data["ID"]))
    x, y, who, cell = [], [], [], []
    for row in data.itertuples():
        second = float(row.PERIOD == 2)
        if not np.isnan(row.AVAL):
            x.append([1, row.TRT == "LDN", second, row.SEQ == "BA", 0, 0])
            y.append(row.AVAL)
            who.append(subjects.index(row.ID))
            cell.append(2 * row.PERIOD - 1)
        if not np.isnan(row.BASE):
            x.append([0, 0, 0, 0, 1 - second, second])
            y.append(row.BASE)
            who.append(subjects.index(row.ID))
            cell.append(2 * row.PERIOD - 2)
    return np.array(x, dtype=float), np.array(y), np.array(who), np.array(cell)


def dense_model(data: pd.DataFrame, sigma: np.ndarray) -> DenseModel:
    x, y, who, cell = stacked(data)

    @lru_cache(maxsize=4)
    def of(values: bytes) -> np.ndarray:
        return natural_sigma("unstructured", 4)(np.frombuffer(values), np.zeros(4))

    return DenseModel(
        x=x,
        y=y,
        subject=who,
        visit=cell,
        sigma=[lambda theta, _time: of(theta.tobytes())],
        theta=sigma[np.tril_indices(4)],
        n_theta=10,
        group=np.zeros_like(who),
        time=np.zeros(y.size),
        n_visits=4,
        weights=np.ones(y.size),
    )


def test_kenward_roger_of_the_likelihood_written_out() -> None:
    data = trial(n=11, seed=5, missing=0.1)
    model = fit(data)
    assert model.columns[:4] == ("Intercept", "treatment[T.LDN]", "period[T.2]", "sequence[T.BA]")
    dense = dense_model(data, model.covariance.to_numpy())
    check(model.marginal, dense, second_order=False)
    truth = dense.kenward_roger(second_order=False, w=dense.w)
    np.testing.assert_allclose(model.vcov, truth, rtol=2e-6, atol=1e-8)
    row = model.contrasts().single()
    assert row.estimate == pytest.approx(dense.gls(dense.theta)[0][1], rel=1e-8)
    assert row.se == pytest.approx(np.sqrt(truth[1, 1]), rel=2e-6)
    assert model.deviance == pytest.approx(dense.deviance(dense.theta), rel=1e-10)


def test_no_other_covariance_has_a_higher_likelihood() -> None:
    data = trial(missing=0.15)
    model = fit(data)
    x, y, who, cell = stacked(data)
    parts = [(x[who == i], y[who == i], cell[who == i]) for i in np.unique(who)]

    def deviance(theta: np.ndarray) -> float:
        root = np.zeros((4, 4))
        root[np.tril_indices(4)] = theta
        sigma = root @ root.T
        inverses = [np.linalg.inv(sigma[np.ix_(at, at)]) for _, _, at in parts]
        pairs = list(zip(parts, inverses, strict=True))
        information = sum(a.T @ w @ a for (a, _, _), w in pairs)
        beta = np.linalg.solve(information, sum(a.T @ w @ b for (a, b, _), w in pairs))
        total = np.linalg.slogdet(information)[1] + (y.size - 6) * np.log(2 * np.pi)
        for (a, b, _), w in pairs:
            total += (b - a @ beta) @ w @ (b - a @ beta) - np.linalg.slogdet(w)[1]
        return float(total)

    start = np.linalg.cholesky(SIGMA)[np.tril_indices(4)]
    found = optimize.minimize(deviance, start, method="BFGS", options={"gtol": 1e-6})
    assert model.deviance == pytest.approx(found.fun, abs=1e-6)


@pytest.mark.parametrize("sequence_effect", [True, False])
def test_complete_ab_ba_is_an_analysis_of_covariance_of_the_difference(
    sequence_effect: bool,
) -> None:
    """Given the baselines the outcomes' joint regression is that of ordinary least squares.

    Without a sequence effect the outcomes' sum does not depend on the sequence, and is one
    covariate more of their difference.
    """
    data = trial(n=16)
    wide = data.pivot_table(index="ID", columns="PERIOD", values=["AVAL", "BASE"])
    y, base = wide["AVAL"].to_numpy(), wide["BASE"].to_numpy()
    first = (data[data["PERIOD"] == 1]["TRT"] == "LDN").to_numpy()
    columns = [np.ones(16), first, base[:, 0], base[:, 1]]
    if not sequence_effect:
        columns.append(y.sum(axis=1))
    beta = np.linalg.lstsq(np.column_stack(columns), y[:, 0] - y[:, 1], rcond=None)[0]
    row = fit(data, sequence_effect=sequence_effect).contrasts().single()
    assert row.estimate == pytest.approx(beta[1] / 2, rel=1e-9)
    # Neither the baselines' difference alone nor the outcomes alone give it.
    narrow = np.column_stack([np.ones(16), first, base[:, 0] - base[:, 1]])
    other = np.linalg.lstsq(narrow, y[:, 0] - y[:, 1], rcond=None)[0]
    assert abs(other[1] / 2 - row.estimate) > 1e-4


def test_baselines_that_carry_nothing_leave_the_unstructured_model_of_the_outcomes() -> None:
    """Residual-free of the outcomes by construction: their covariance with them is zero."""
    data = trial(n=20)
    y = data["AVAL"].to_numpy().reshape(-1, 2)
    noise = np.random.default_rng(4).normal(size=(20, 2))
    first = (data["SEQ"] == "BA").to_numpy()[::2].astype(float)
    known = np.column_stack([np.ones(20), first, y])
    noise = noise - known @ np.linalg.lstsq(known, noise, rcond=None)[0]
    row = fit(data.assign(BASE=noise.ravel())).contrasts().single()
    alone = tk.mmrm(
        "AVAL ~ TRT + PERIOD + SEQ",
        data,
        subject="ID",
        period="PERIOD",
        arm="TRT",
        reference="Placebo",
    )
    assert row.estimate == pytest.approx(alone.contrasts().single().estimate, rel=1e-9)


def test_everyone_contributes_what_there_is_and_is_counted() -> None:
    data = trial(n=14)
    data.loc[[0, 3], "BASE"] = np.nan
    data.loc[5, "AVAL"] = np.nan
    data.loc[[8, 9], "AVAL"] = np.nan
    model = fit(data.assign(TRT=data["TRT"].where(data["AVAL"].notna())))
    assert (model.n_subjects, model.n_observations, model.n_baselines) == (14, 25, 26)
    assert model.notes[0] == (
        "25 outcomes and 26 baselines analysed, of 14 subjects: 10 with all 2 outcomes and "
        "baselines, 2 with all 2 outcomes and fewer baselines, 1 with fewer outcomes, 1 with "
        "baselines only."
    )
    assert "must not reach into a later baseline" in model.notes[1]
    assert "14 subjects are few for an unstructured covariance of 4 responses" in model.notes[2]
    assert not any("are few" in note for note in fit(trial(n=20)).notes)
    frame = model.contributions().set_index("subject")
    assert frame.loc["S-04", "n_periods"] == 0
    assert frame.loc["S-04", "baselines"] == "1, 2"
    assert frame.loc["S-00", "baselines"] == "2"
    complete = fit(data, complete_cases=True)
    assert complete.n_subjects == 10
    assert complete.notes[0].endswith("4 with neither. Complete cases only, as asked.")
    kept = data.groupby("ID")[["AVAL", "BASE"]].transform("count").eq(2).all(axis=1)
    only = fit(data[kept]).contrasts().single()
    assert complete.contrasts().single().estimate == pytest.approx(only.estimate, rel=1e-9)


def test_tables_and_residuals_are_those_of_the_outcomes() -> None:
    data = trial(n=20, missing=0.1)
    model = fit(data)
    means = model.lsmeans().frame().set_index("treatment")["estimate"]
    row = model.contrasts().single()
    assert row.label == "LDN - Placebo"
    assert row.estimate == pytest.approx(means["LDN"] - means["Placebo"])
    tests = model.type3().frame().set_index("term")
    assert tests.index.tolist() == ["sequence", "period", "treatment"]
    assert tests.loc["treatment", "p_value"] == pytest.approx(row.p_value, rel=1e-9)
    assert model.residuals().index.tolist() == data.index[data["AVAL"].notna()].tolist()
    assert model.covariance.index.names == ["period", "measure"]
    assert model.coefficients().keys["term"][-2:] == ("baseline[1]", "baseline[2]")
    complete = trial(n=20)
    variance = fit(complete).covariance.loc[(2, "baseline"), (2, "baseline")]
    assert variance == pytest.approx(complete[complete["PERIOD"] == 2]["BASE"].var(), rel=1e-8)
    assert "jointly (unstructured covariance, REML), Kenward-Roger" in row.method
    assert "outcomes and" in repr(model)


def test_degrees_of_freedom_on_request() -> None:
    data = trial(n=20, missing=0.1)
    satterthwaite = fit(data, df="satterthwaite")
    assert satterthwaite.contrasts().single().se < fit(data).contrasts().single().se
    assert np.isinf(fit(data, df="normal").contrasts().single().df)
    assert "expected information" in fit(data, information="expected").method
    assert satterthwaite.type3().frame()["p_value"].between(0, 1).all()


def test_three_periods_have_six_responses() -> None:
    rng = np.random.default_rng(6)
    orders = ["ABC", "BCA", "CAB", "ACB", "BAC", "CBA"]
    rows = []
    for number in range(36):
        level = rng.normal()
        for period, label in enumerate(orders[number % 6], start=1):
            base = level + rng.normal()
            value = level + 0.5 * base + rng.normal() - (label == "C")
            rows.append((number, orders[number % 6], period, label, base, value))
    data = pd.DataFrame(rows, columns=["ID", "SEQ", "PERIOD", "TRT", "BASE", "AVAL"])
    model = fit(data, reference="A", sequence_effect=False)
    assert model.covariance.shape == (6, 6)
    assert model.contrasts(adjust="dunnett").keys["contrast"] == ("B - A", "C - A")
    assert model.contrasts().estimates[1].estimate < -0.3


def test_log_outcomes_give_ratios() -> None:
    data = trial(n=20)
    raised = data.assign(AVAL=np.exp(data["AVAL"]), BASE=np.exp(data["BASE"]))
    ratio, difference = fit(raised, log=True).contrasts().single(), fit(data).contrasts().single()
    assert ratio.estimate == pytest.approx(np.exp(difference.estimate), rel=1e-8)
    assert ratio.scale == "ratio"
    with pytest.raises(tk.DataError, match="'BASE' has 1 at or below"):
        fit(raised.assign(BASE=raised["BASE"].where(raised.index != 3, 0.0)), log=True)


@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.floats(0.01, 100),
    slope=st.floats(0.01, 100),
    shift=st.floats(-50, 50),
)
def test_order_labels_and_either_unit_change_nothing(
    seed: int, scale: float, slope: float, shift: float
) -> None:
    data = trial(missing=0.1, seed=2)
    plain = fit(data).contrasts().single()
    other = data.sample(frac=1, random_state=np.random.default_rng(seed))
    other = other.assign(
        AVAL=scale * other["AVAL"] + shift,
        BASE=slope * other["BASE"] - shift,
        PERIOD=other["PERIOD"].map({1: "P9", 2: "P10"}),
        ID=other["ID"].map(lambda label: f"x{label[::-1]}"),
    )
    again = fit(other, period_order=["P9", "P10"]).contrasts().single()
    assert again.estimate == pytest.approx(scale * plain.estimate, rel=1e-6)
    assert again.se == pytest.approx(scale * plain.se, rel=1e-5)
    assert again.df == pytest.approx(plain.df, rel=1e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"baseline": None}, "baseline_as='joint' needs baseline="),
        ({"subject_effect": "fixed"}, "needs subject_effect='random'"),
        ({"variance_bound": False}, "variance_bound= does not apply"),
        ({"period_effect": False}, "period_effect=False does not apply"),
        ({"carryover": True}, "reaches its baseline too"),
        ({"df": "containment"}, "allowed: kenward-roger, satterthwaite, normal"),
    ],
)
def test_choices_a_joint_model_does_not_have_are_refused(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(tk.SpecError, match=message):
        tk.crossover(trial(), **(ROLES | changed))


def test_what_the_data_do_not_support_is_refused_by_name() -> None:
    data = trial(n=20)
    with pytest.raises(tk.SpecError, match="no one variance within and between subjects"):
        fit(data).variance()
    with pytest.raises(tk.DataError, match="No subject has 'BASE' in period 2"):
        fit(data.assign(BASE=data["BASE"].where(data["PERIOD"] == 1)))
    repeated = data.assign(BASE=data.groupby("ID")["BASE"].transform("first"))
    with pytest.raises(tk.ConvergenceError, match="baseline of period 1, baseline of period 2"):
        fit(repeated)
    number = data["ID"].str[-2:].astype(int)
    either = (number % 4 < 2) == (data["PERIOD"] == 1)
    with pytest.raises(tk.ConvergenceError, match="no subject has baseline of period 1 and"):
        fit(data.assign(BASE=data["BASE"].where(either)))
