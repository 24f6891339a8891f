"""Little's test: against its closed form for two visits, and a slow EM."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from reference.loader import assert_close

import trialkit as tk
from trialkit.kernels.normal_patterns import fit_normal

CALL = {"outcome": "AVAL", "subject": "ID", "visit": "WEEK"}


def trial(seed: int, n: int = 80, *, informative: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shared = rng.normal(6, 1, n)
    wide = shared[:, None] + rng.normal(0, 1, (n, 3))
    chance = 1 / (1 + np.exp(-3 * (wide[:, 0] - 6.5))) if informative else np.full(n, 0.3)
    gone = rng.random(n) < chance
    wide[gone, 2] = np.nan
    wide[gone & (rng.random(n) < 0.5), 1] = np.nan
    rows = [(who, "PD"[who % 2], 4 * (k + 1), wide[who, k]) for who in range(n) for k in range(3)]
    return pd.DataFrame(rows, columns=["ID", "ARM", "WEEK", "AVAL"])


def test_two_visits_have_a_closed_form() -> None:
    data = trial(1)
    data = data[data["WEEK"] != 8]
    wide = data.pivot(index="ID", columns="WEEK", values="AVAL")
    first, gone = wide[4].to_numpy(), wide[12].isna().to_numpy()
    spread = first.var()
    expected = sum(
        part.size * (part.mean() - first.mean()) ** 2 / spread
        for part in (first[gone], first[~gone])
    )
    row = tk.little_mcar(data, **CALL).frame().iloc[0]
    assert row["num_df"] == 1
    assert_close(row["statistic"], expected, 1e-8)


def test_em_maximises_the_observed_likelihood() -> None:
    wide = trial(2).pivot(index="ID", columns="WEEK", values="AVAL").to_numpy()
    fit = fit_normal(wide)

    def log_likelihood(mean: np.ndarray, covariance: np.ndarray) -> float:
        total = 0.0
        for row in wide:
            o = ~np.isnan(row)
            away, inner = row[o] - mean[o], covariance[np.ix_(o, o)]
            total -= 0.5 * (np.linalg.slogdet(inner)[1] + away @ np.linalg.solve(inner, away))
        return total

    best = log_likelihood(fit.mean, fit.covariance)
    rng = np.random.default_rng(0)
    for _ in range(40):
        move = rng.normal(0, 1e-3, 3)
        twist = rng.normal(0, 1e-3, (3, 3))
        assert log_likelihood(fit.mean + move, fit.covariance + twist + twist.T) < best


def test_dropout_that_follows_the_outcome_is_seen() -> None:
    assert tk.little_mcar(trial(3, 200, informative=True), **CALL).tests[0].p_value < 1e-4
    assert tk.little_mcar(trial(3, 200), **CALL).tests[0].p_value > 1e-3


def test_within_arms_the_statistics_add_up() -> None:
    frame = tk.little_mcar(trial(4), **CALL, arm="ARM", reference="P").frame().set_index("arm")
    assert_close(frame.loc["all", "statistic"], frame.loc[["P", "D"], "statistic"].sum(), 1e-12)
    assert frame.loc["all", "num_df"] == frame.loc[["P", "D"], "num_df"].sum()
    assert frame.index.tolist() == ["P", "D", "all"]


def test_units_and_order_do_not_matter() -> None:
    data = trial(5)
    other = data.sample(frac=1, random_state=1).assign(AVAL=lambda d: 100 * d["AVAL"] - 7)
    a, b = tk.little_mcar(data, **CALL).tests[0], tk.little_mcar(other, **CALL).tests[0]
    assert_close(a.statistic, b.statistic, 1e-7)


def test_the_sentence_on_what_it_cannot_tell_is_there() -> None:
    assert "no test on the observed data can tell" in tk.little_mcar(trial(6), **CALL).notes[-1]


def test_complete_data_have_no_test() -> None:
    data = trial(7).assign(AVAL=lambda d: d["AVAL"].fillna(6.0))
    row = tk.little_mcar(data, **CALL).tests[0]
    assert row.num_df == 0
    assert np.isnan(row.p_value)


def test_what_is_refused() -> None:
    data = trial(8)
    apart = data.assign(
        AVAL=data["AVAL"]
        .where((data["ID"] % 2 == 0) | (data["WEEK"] == 4))
        .where((data["ID"] % 2 == 1) | (data["WEEK"] != 4))
    )
    with pytest.raises(tk.DataError, match="visits 4 and 8 were observed together in 0"):
        tk.little_mcar(apart, **CALL)
    with pytest.raises(tk.DataError, match="4 subjects for 3 visits: too few"):
        tk.little_mcar(data[data["ID"] < 4], **CALL)
    flat = data.assign(AVAL=data["AVAL"].where(data["WEEK"] != 4, 6.0))
    rng = np.random.default_rng(1)
    first = rng.normal(size=30)
    repeated = pd.DataFrame(
        {
            "ID": np.tile(np.arange(30), 3),
            "WEEK": np.repeat([4, 8, 12], 30),
            "AVAL": np.concatenate([first, first, np.where(first > 1, np.nan, 2 * first)]),
        }
    )
    with pytest.raises(tk.DataError, match="Arm 'all': A visit repeats others exactly"):
        tk.little_mcar(repeated, outcome="AVAL", subject="ID", visit="WEEK")
    with pytest.raises(tk.DataError, match="constant at visit 4"):
        tk.little_mcar(flat, **CALL)
