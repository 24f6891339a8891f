"""Estimating equations of a crossover against R and against slow implementations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_gee_trials import ROUGH, gee, trial
from reference.loader import assert_close, reference_case
from scipy import special, stats

from trialkit.analyses.gee_engine import GeeProblem, fit_gee
from trialkit.data.model_frame import build_model_frame

CASE = "parallel/f_gee_repeated"


def engine(response: str, family: Any, *, is_exchangeable: bool) -> tuple[Any, pd.DataFrame]:
    data = reference_case(CASE).data()
    data["AVISIT"] = pd.Categorical(
        data["AVISIT"], categories=data.sort_values("AVISITN")["AVISIT"].unique()
    )
    data["TRT01P"] = pd.Categorical(
        data["TRT01P"], categories=sorted(data["TRT01P"].unique(), key=lambda a: a != "Placebo")
    )
    frame = build_model_frame(f"{response} ~ TRT01P*AVISIT + BASE", data)
    codes, subjects = pd.factorize(data["USUBJID"])
    problem = GeeProblem(
        y=np.asarray(frame.response),
        x=np.asarray(frame.matrix),
        subject=codes,
        subjects=tuple(subjects),
        family=family,
        log_exposure=None,
        is_exchangeable=is_exchangeable,
    )
    names = [name.replace("[T.", "").replace("]", "") for name in frame.columns]
    fit = fit_gee(problem, names)
    rows = pd.DataFrame({"estimate": fit.coef, "se": np.sqrt(np.diagonal(fit.robust))}, index=names)
    rows["cr3"] = np.sqrt(np.diagonal(fit.bias_reduced))
    return fit, rows.rename(index={"Intercept": "(Intercept)"})


@pytest.mark.reference
class TestGeepack:
    @pytest.mark.parametrize("correlation", ["independence", "exchangeable"])
    @pytest.mark.parametrize(("response", "family"), [("CHG", "gaussian"), ("RESP", "binomial")])
    def test_estimates_and_covariance(self, response: str, family: str, correlation: str) -> None:
        theirs = reference_case(CASE)[f"geepack_{response.lower()}_{correlation}"]
        table = pd.DataFrame(theirs["coefficients"]).set_index("term")
        fit, rows = engine(response, family, is_exchangeable=correlation == "exchangeable")
        ours = rows.loc[table.index]
        assert_close(ours["estimate"], table["estimate"], 1e-6)
        assert_close(ours["se"], table["se"], 1e-6)
        assert_close(fit.dispersion, theirs["phi"], 1e-6)
        if correlation == "exchangeable":
            assert_close(fit.association, theirs["alpha"], 1e-6)
        else:
            assert np.isnan(fit.association)

    def test_mancl_derouen_is_cr3_of_the_linear_model(self) -> None:
        table = pd.DataFrame(reference_case(CASE)["clubsandwich_lm"]["table"])
        _, rows = engine("CHG", "gaussian", is_exchangeable=False)
        for kind, column in (("CR0", "se"), ("CR3", "cr3")):
            theirs = table[table["type"] == kind].set_index("term")
            assert_close(rows.loc[theirs.index, column], theirs["se"], 1e-7)


MEANS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "poisson": (np.exp, lambda mu: mu),
    "binomial": (special.expit, lambda mu: mu * (1 - mu)),
    "gaussian": (lambda eta: eta, np.ones_like),
}


def design(data: pd.DataFrame, *, sequence: bool = True) -> np.ndarray:
    treatments = sorted(data["TRTA"].unique(), key=lambda t: (t != "Placebo", t))
    columns = [np.ones(len(data))]
    for column, levels in (
        ("TRTA", treatments),
        ("PERIOD", sorted(data["PERIOD"].unique())),
        *([("SEQ", sorted(data["SEQ"].unique()))] if sequence else []),
    ):
        columns += [(data[column] == level).to_numpy(float) for level in levels[1:]]
    return np.column_stack(columns)


def blocks(data: pd.DataFrame) -> list[np.ndarray]:
    who = data["USUBJID"].to_numpy()
    return [np.flatnonzero(who == label) for label in pd.unique(who)]


def slow(
    y: np.ndarray,
    x: np.ndarray,
    own: list[np.ndarray],
    family: str,
    offset: Any,
    exchangeable: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Fisher scoring with dense matrices, then either sandwich."""
    inverse, variance = MEANS[family]
    beta, alpha = np.zeros(x.shape[1]), 0.0
    beta[0] = {"poisson": np.log(max(y.mean(), 0.1)), "binomial": 0.0, "gaussian": y.mean()}[family]
    for _ in range(80):
        mu = inverse(x @ beta + offset)
        v = variance(mu)
        slope = (v if family != "gaussian" else np.ones_like(mu))[:, None] * x
        r = (y - mu) / np.sqrt(v)
        if exchangeable:
            pairs = sum(len(k) * (len(k) - 1) / 2 for k in own)
            cross = sum((r[k].sum() ** 2 - (r[k] ** 2).sum()) / 2 for k in own)
            alpha = cross / pairs / np.mean(r**2)
        weights, bread = [], np.zeros((x.shape[1],) * 2)
        score = np.zeros(x.shape[1])
        for k in own:
            shape = np.full((len(k), len(k)), alpha)
            np.fill_diagonal(shape, 1.0)
            w = np.linalg.inv(np.sqrt(np.outer(v[k], v[k])) * shape)
            weights.append(w)
            bread += slope[k].T @ w @ slope[k]
            score += slope[k].T @ w @ (y - mu)[k]
        beta = beta + np.linalg.solve(bread, score)
    inverse_bread = np.linalg.inv(bread)
    meats = np.zeros((2, *bread.shape))
    for k, w in zip(own, weights, strict=True):
        leverage = slope[k] @ inverse_bread @ slope[k].T @ w
        for which, residual in enumerate(
            ((y - mu)[k], np.linalg.solve(np.eye(len(k)) - leverage, (y - mu)[k]))
        ):
            u = slope[k].T @ w @ residual
            meats[which] += np.outer(u, u)
    robust, reduced = (inverse_bread @ m @ inverse_bread for m in meats)
    return beta, robust, reduced, alpha


@pytest.mark.parametrize("correlation", ["independence", "exchangeable"])
@pytest.mark.parametrize("family", ["poisson", "binomial", "gaussian"])
def test_against_a_slow_implementation(family: str, correlation: str) -> None:
    data = trial(30, ("ABC", "BCA", "CAB", "ACB", "BAC", "CBA"), seed=8, lost=0.15)
    exposure = {"exposure": "DAYS"} if family == "poisson" else {}
    offset = np.log(data["DAYS"].to_numpy()) if exposure else 0.0
    column = {"poisson": "COUNT", "binomial": "EVENT", "gaussian": "AVAL"}[family]
    data["TRTA"] = pd.Categorical(data["TRTA"], categories=["Placebo", "LDN", "mid"])
    y = data[column].to_numpy(float)
    beta, robust, reduced, alpha = slow(
        y, design(data), blocks(data), family, offset, correlation == "exchangeable"
    )
    fit = gee(data, family, correlation=correlation, **exposure)
    assert_close(fit.coef, beta, 1e-7, atol=1e-9)
    assert_close(fit.vcov, reduced, 1e-6, atol=1e-10)
    rough = gee(data, family, correlation=correlation, **exposure, **ROUGH)
    assert_close(rough.vcov, robust, 1e-6, atol=1e-10)
    if correlation == "exchangeable":
        assert_close(fit.association, alpha, 1e-6)
    rows, n_columns = fit.contrasts().frame().set_index("contrast"), len(fit.columns)
    for position, label in ((1, "LDN - Placebo"), (2, "mid - Placebo")):
        se, df = np.sqrt(reduced[position, position]), fit.n - n_columns
        row = rows.loc[label]
        assert_close(row["statistic"], beta[position] / se, 1e-6)
        assert_close(row["df"], df, 0)
        assert_close(row["p_value"], 2 * stats.t.sf(abs(beta[position] / se), df), 1e-6)
        back = np.exp if family != "gaussian" else (lambda value: value)
        wide = stats.t.ppf(0.975, df) * se
        assert_close(row["ci_low"], back(beta[position] - wide), 1e-6)
        assert_close(row["ci_high"], back(beta[position] + wide), 1e-6)
        assert row["scale"] == ("difference" if family == "gaussian" else "ratio")


def test_ordinal_against_a_slow_implementation() -> None:
    data = trial(40, seed=5, lost=0.1)
    y, x, own = data["GRADE"].to_numpy(), design(data)[:, 1:], blocks(data)
    cuts = np.arange(y.max())
    full = np.hstack([np.tile(np.eye(cuts.size), (y.size, 1)), np.repeat(x, cuts.size, axis=0)])
    above = (y[:, None] > cuts).astype(float).ravel()
    theta = np.append(np.linspace(1, -1, cuts.size), np.zeros(x.shape[1]))

    def pieces() -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
        mu = special.expit(full @ theta)
        slope = (mu * (1 - mu))[:, None] * full
        found, bread = [], np.zeros((theta.size,) * 2)
        for rows in own:
            at = (rows[:, None] * cuts.size + cuts).ravel()
            cov = np.zeros((at.size, at.size))
            for block in range(rows.size):
                k = slice(block * cuts.size, (block + 1) * cuts.size)
                m = mu[at[k]]
                cov[k, k] = np.minimum.outer(m, m) - np.outer(m, m)
            w = np.linalg.inv(cov)
            bread += slope[at].T @ w @ slope[at]
            found.append((slope[at], w, above[at] - mu[at]))
        return bread, found

    for _ in range(60):
        bread, found = pieces()
        theta = theta + np.linalg.solve(bread, sum(d.T @ w @ r for d, w, r in found))
    inverse = np.linalg.inv(bread)
    meats = np.zeros((2, *bread.shape))
    for d, w, r in found:
        more = np.linalg.solve(np.eye(r.size) - d @ inverse @ d.T @ w, r)
        for which, residual in enumerate((r, more)):
            u = d.T @ w @ residual
            meats[which] += np.outer(u, u)
    robust, reduced = (inverse @ m @ inverse for m in meats)
    fit = gee(data, "ordinal")
    assert fit.columns[: cuts.size] == tuple(f"GRADE > {c}" for c in cuts)
    assert_close(fit.coef, theta, 1e-7, atol=1e-9)
    assert_close(fit.vcov, reduced, 1e-6, atol=1e-10)
    assert_close(gee(data, "ordinal", **ROUGH).vcov, robust, 1e-6, atol=1e-10)
    # The scores of these equations are those of the proportional odds likelihood.
    at = np.searchsorted(cuts, y)

    def deviance(point: np.ndarray) -> float:
        exceed = special.expit(point[: cuts.size][None] + (x @ point[cuts.size :])[:, None])
        edges = np.hstack([np.ones((y.size, 1)), exceed, np.zeros((y.size, 1))])
        return -2 * float(
            np.log(edges[np.arange(y.size), at] - edges[np.arange(y.size), at + 1]).sum()
        )

    for step in np.eye(theta.size) * 1e-4:
        assert deviance(fit.coef) < min(deviance(fit.coef + step), deviance(fit.coef - step))
