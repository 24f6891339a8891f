"""Predictors of leaving: against R's glm, statsmodels and two-by-two tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.survival_frames import ARM, REFERENCE, case, r_term, rows
from reference.loader import assert_close

import trialkit as tk

RTOL = 1e-8
CALL = {
    "outcome": "AVAL",
    "subject": "ID",
    "visit": "WEEK",
    "arm": "ARM",
    "reference": "P",
}


def trial(seed: int = 1, n: int = 240) -> pd.DataFrame:
    """Four visits; high pain makes leaving likely."""
    rng = np.random.default_rng(seed)
    rows = []
    for who in range(n):
        base, alive = rng.normal(6, 1), True
        for week in (4, 8, 12, 16):
            value = base + rng.normal(0, 1)
            rows.append((who, "PD"[who % 2], week, value if alive else np.nan, base))
            alive = alive and rng.random() > 1 / (1 + np.exp(5.5 - 0.7 * value))
    return pd.DataFrame(rows, columns=["ID", "ARM", "WEEK", "AVAL", "BASE"])


def person_visits(data: pd.DataFrame) -> pd.DataFrame:
    """The same rows made one subject at a time."""
    out = []
    for who, own in data.groupby("ID", observed=True):
        seen = own[own["AVAL"].notna()]
        if seen.empty:
            continue
        last = seen["WEEK"].max()
        for week in (4, 8, 12):
            past = seen[seen["WEEK"] <= week]
            if week <= last and len(past):
                first = own.iloc[0]
                out.append(
                    (who, first["ARM"], first["BASE"], week, past["AVAL"].iloc[-1], week == last)
                )
    return pd.DataFrame(out, columns=["ID", "ARM", "BASE", "WEEK", "LAST", "LEFT"])


@pytest.mark.reference
def test_logistic_dropout_equals_r() -> None:
    expected = case()["logistic_dropout"]
    theirs = pd.DataFrame(expected["coefficients"])
    table = tk.predict_dropout(
        rows("TTDISC"),
        arm=ARM,
        reference=REFERENCE,
        event="EVENT",
        covariates=["AGE", "BASE", "STRATA1"],
    )
    ours = table.frame()
    names = [r_term(term).replace("Intercept", "(Intercept)") for term in ours["term"]]
    assert names == theirs["term"].tolist()
    assert_close(np.log(ours["estimate"]), theirs["estimate"], RTOL)
    assert_close(np.log(ours["ci_low"]), theirs["ci_low"], RTOL)
    for name in ("se", "statistic", "p_value"):
        assert_close(ours[name], theirs[name], RTOL)
    assert_close(table.deviance, expected["deviance"], RTOL)
    assert_close(table.log_likelihood, expected["logLik"], RTOL)


def test_hazard_equals_a_logistic_model_of_person_visits() -> None:
    from statsmodels.formula.api import logit

    data = trial()
    ours = tk.predict_dropout(data, **CALL, covariates="BASE").frame()
    person = person_visits(data).assign(LEFT=lambda d: d["LEFT"].astype(int))
    theirs = logit("LEFT ~ C(ARM, Treatment('P')) + C(WEEK) + LAST + BASE", person).fit(
        disp=0, tol=1e-12, method="newton"
    )
    assert ours["n"].iloc[0] == len(person)
    assert ours["term"].tolist() == [
        "Intercept",
        "ARM[T.D]",
        "visit[T.8]",
        "visit[T.12]",
        "last_AVAL",
        "BASE",
    ]
    assert_close(np.log(ours["estimate"]), theirs.params, 1e-6)
    assert_close(ours["se"], theirs.bse, 1e-6)


def test_outcome_that_drives_dropout_is_found_and_visits_may_be_a_trend() -> None:
    table = tk.predict_dropout(trial(2, 600), **CALL, trend="linear")
    row = table.where(term="last_AVAL").single()
    assert row.estimate > 1.5
    assert row.p_value < 1e-6
    assert "visit" in table.keys["term"]


def test_gaps_are_not_dropout() -> None:
    data = trial(3)
    gap = (data["ID"] == 0) & (data["WEEK"] == 8)
    full = data[(data["ID"] != 0) | (data["WEEK"] > 0)].copy()
    full.loc[full["ID"] == 0, "AVAL"] = 5.0
    holed = full.copy()
    holed.loc[gap, "AVAL"] = np.nan
    a, b = tk.predict_dropout(full, **CALL), tk.predict_dropout(holed, **CALL)
    assert a.n_event == b.n_event
    assert_close(a.frame()["estimate"], b.frame()["estimate"], 1e-10)


def test_two_by_two_odds_ratio() -> None:
    data = pd.DataFrame(
        {"ARM": ["P"] * 30 + ["D"] * 20, "L": [1] * 6 + [0] * 24 + [1] * 8 + [0] * 12}
    )
    row = tk.predict_dropout(data, arm="ARM", reference="P", event="L").where(term="ARM[T.D]")
    assert_close(row.single().estimate, (8 / 12) / (6 / 24), 1e-10)
    assert_close(row.single().se, np.sqrt(1 / 6 + 1 / 24 + 1 / 8 + 1 / 12), 1e-8)


def test_an_interaction_with_the_last_outcome_may_be_asked_for() -> None:
    table = tk.predict_dropout(trial(4, 400), **CALL, covariates=["ARM:last_AVAL"])
    assert "ARM[T.D]:last_AVAL" in table.keys["term"]


def test_the_sentence_on_what_it_cannot_show_is_there() -> None:
    table = tk.predict_dropout(trial(), **CALL)
    assert "None of them can show" in table.notes[-1]


def test_what_is_refused() -> None:
    data = trial()
    with pytest.raises(tk.SpecError, match="not both"):
        tk.predict_dropout(data, **CALL, event="L")
    with pytest.raises(tk.SpecError, match="or outcome=, visit= and subject="):
        tk.predict_dropout(data, arm="ARM", reference="P")
    with pytest.raises(tk.SpecError, match="trend='spline' is not offered"):
        tk.predict_dropout(data, **CALL, trend="spline")
    whole = data.assign(AVAL=5.0 + data["ID"] % 7)
    with pytest.raises(tk.DataError, match="nothing to tell apart"):
        tk.predict_dropout(whole, **CALL)
    split = pd.DataFrame({"ARM": ["P"] * 9 + ["D"] * 9, "L": [0] * 9 + [1] * 4 + [0] * 5})
    with pytest.raises(tk.ConvergenceError, match="runs to infinity"):
        tk.predict_dropout(split, arm="ARM", reference="P", event="L")
    with pytest.raises(tk.SpecError, match="has the name of a part of the model"):
        tk.predict_dropout(data.assign(last_AVAL=1.0), **CALL, covariates="last_AVAL")
