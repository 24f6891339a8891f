"""N-of-1 series against slow implementations of every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.n_of_1_series import dummies, fit, series
from reference.loader import assert_close
from scipy import optimize, stats


@pytest.mark.parametrize("how", ["plain", "cycle", "trend"])
def test_subjects_are_one_regression_with_their_own_terms(how: str) -> None:
    """All subjects in one dense least-squares problem by pseudo-inverse, Helmert-free."""
    data = series()
    who = dummies(data["ID"])
    treated = (data["TRT"] == "LDN").to_numpy(float)[:, None]
    nuisance = {
        "plain": who,
        "cycle": dummies(data["ID"] + data["CYCLE"].astype(str)),
        "trend": np.hstack([who, who * data["WEEK"].to_numpy(float)[:, None]]),
    }[how]
    x = np.hstack([who * treated, nuisance])
    y = data["PAIN"].to_numpy()
    inverse = np.linalg.pinv(x.T @ x)
    beta = inverse @ x.T @ y
    residual = y - x @ beta
    df = y.size - np.linalg.matrix_rank(x)
    s2 = residual @ residual / df
    choices = {"plain": {}, "cycle": {"cycle": "CYCLE"}, "trend": {"trend": True, "period": "WEEK"}}
    rows = fit(data, **choices[how]).by_subject().frame()
    assert list(rows["subject"]) == list(pd.unique(data["ID"]))
    k = who.shape[1]
    assert_close(rows["estimate"], beta[:k], 1e-9)
    assert_close(rows["se"], np.sqrt(s2 * np.diagonal(inverse)[:k]), 1e-9)
    assert_close(rows["df"], df, 0)
    assert_close(rows["sd_within"], np.sqrt(s2), 1e-9)
    wide = stats.t.ppf(0.975, df) * rows["se"]
    assert_close(rows["ci_low"], rows["estimate"] - wide, 1e-9)
    counts = data.groupby(["ID", "TRT"]).size().unstack()
    assert list(rows["n_reference"]) == list(counts["Placebo"])
    assert list(rows["n"]) == list(counts.sum(axis=1))


def test_variances_by_subject_are_student_t() -> None:
    data = series()
    rows = fit(data, variances="by-subject").by_subject().frame().set_index("subject")
    for label, own in data.groupby("ID"):
        drug, placebo = (own.loc[own["TRT"] == t, "PAIN"] for t in ("LDN", "Placebo"))
        test = stats.ttest_ind(drug, placebo)
        assert_close(rows.loc[label, "statistic"], test.statistic, 1e-10)
        assert_close(rows.loc[label, "p_value"], test.pvalue, 1e-9)
        assert rows.loc[label, "df"] == len(own) - 2


def test_pairs_within_cycles_are_the_paired_t() -> None:
    data = series(even=True)
    table = fit(data, cycle="CYCLE", variances="by-subject").by_subject()
    rows = table.frame().set_index("subject")
    for label, own in data.groupby("ID"):
        wide = own.pivot(index="CYCLE", columns="TRT", values="PAIN")
        test = stats.ttest_rel(wide["LDN"], wide["Placebo"])
        assert_close(rows.loc[label, ["statistic", "df"]], [test.statistic, test.df], 1e-10)


def test_serial_correlation_against_a_dense_likelihood() -> None:
    data = series(5, cycles=6, seed=11)
    rng = np.random.default_rng(4)
    parts = []
    for _, own in data.groupby("ID", sort=False):
        e = np.zeros(len(own))
        for t in range(len(own)):
            e[t] = (0.6 * e[t - 1] if t else 0) + rng.normal()
        parts.append(own.assign(PAIN=5 - (own["TRT"] == "LDN") + e))
    data = pd.concat(parts)
    who = dummies(data["ID"])
    x = np.hstack([who * (data["TRT"] == "LDN").to_numpy(float)[:, None], who])
    y, same = data["PAIN"].to_numpy(), who @ who.T
    gap = np.abs(np.subtract.outer(data["WEEK"].to_numpy(), data["WEEK"].to_numpy()))

    def pieces(phi: float) -> tuple[np.ndarray, np.ndarray, float, float]:
        v = np.where(same > 0, phi**gap, 0.0)
        w = np.linalg.inv(v)
        bread = x.T @ w @ x
        beta = np.linalg.solve(bread, x.T @ w @ y)
        r = y - x @ beta
        s2 = r @ w @ r / (y.size - x.shape[1])
        free = y.size - x.shape[1]
        deviance = free * np.log(s2) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(bread)[1]
        return beta, s2 * np.linalg.inv(bread), s2, float(deviance)

    phi = optimize.minimize_scalar(
        lambda p: pieces(p)[3], bounds=(0.01, 0.95), method="bounded", options={"xatol": 1e-10}
    ).x
    beta, cov, s2, _ = pieces(phi)
    ours = fit(data, period="WEEK", correlation="ar1")
    rows = ours.by_subject().frame()
    assert_close(ours.phi, phi, 1e-5)
    assert_close(rows["estimate"], beta[:5], 1e-5)
    assert_close(rows["se"], np.sqrt(np.diagonal(cov))[:5], 1e-5)
    assert_close(rows["sd_within"], np.sqrt(s2), 1e-5)
    assert (rows["df"] < len(data) - x.shape[1] + 1).all()
    assert "AR(1) errors by WEEK (REML)" in ours.method
    assert ours.heterogeneity().frame()["den_df"][0] == np.inf


@pytest.mark.parametrize("tau2", ["reml", "paule-mandel", "dersimonian-laird"])
@pytest.mark.parametrize("ci", ["hksj", "normal"])
def test_the_mean_of_the_subjects(tau2: Any, ci: Any) -> None:
    """Summary, prediction and shrinkage from the subjects' rows and the stated tau2."""
    ours = fit(series(spread=1.5), variances="by-subject", tau2=tau2, ci=ci)
    own, row = ours.by_subject().frame(), ours.contrasts().frame().iloc[0]
    y, v = own["estimate"].to_numpy(), own["se"].to_numpy() ** 2
    w = 1 / (v + row["tau2"])
    mean, se, df, k = w @ y / w.sum(), w.sum() ** -0.5, np.inf, y.size
    if ci == "hksj":
        se, df = se * np.sqrt(w @ (y - mean) ** 2 / (k - 1)), k - 1
    assert_close(row[["estimate", "se", "df", "n"]].astype(float), [mean, se, df, k], 1e-9)
    t = stats.t.ppf(0.975, df)
    assert_close([row["ci_low"], row["ci_high"]], [mean - t * se, mean + t * se], 1e-9)
    wide = t * np.sqrt(se**2 + row["tau2"])
    assert_close(
        row[["prediction_low", "prediction_high"]].astype(float), [mean - wide, mean + wide], 1e-9
    )
    assert_close(row["tau"] ** 2, row["tau2"], 1e-12)
    shrunk = ours.shrunken().frame()
    share = row["tau2"] / (row["tau2"] + v)
    assert_close(shrunk["share"], share, 1e-10)
    assert_close(shrunk["estimate"], share * y + (1 - share) * mean, 1e-9)
    assert_close(shrunk["se"], np.sqrt(share * v + (1 - share) ** 2 * se**2), 1e-9)
    fixed = (y / v).sum() / (1 / v).sum()
    test = ours.heterogeneity().frame().iloc[0]
    q = ((y - fixed) ** 2 / v).sum()
    assert_close([test["q"], test["statistic"]], [q, q / (k - 1)], 1e-9)
    assert_close(test["p_value"], stats.chi2.sf(q, k - 1), 1e-9)
