"""Estimating equations of a crossover: R, slow implementations, identities, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_cases import ROLES
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import special, stats

import trialkit as tk
from trialkit.analyses import gee_engine
from trialkit.analyses.crossover_gee_fit import CrossoverGeeFit
from trialkit.analyses.gee_engine import GeeProblem, fit_gee
from trialkit.data.model_frame import build_model_frame
from trialkit.errors import ConvergenceError, DataError, DesignError, SpecError

ROUGH = {"vcov": "robust", "df": "normal"}


def trial(
    n: int = 24, sequences: tuple[str, ...] = ("AB", "BA"), seed: int = 3, lost: float = 0.0
) -> pd.DataFrame:
    """Correlated counts, events, categories and scores under A (Placebo), B, C."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        order, level = sequences[i % len(sequences)], rng.normal()
        for k, t in enumerate(order, start=1):
            eta = 0.5 * level - 0.5 * (t == "B") - 0.2 * (t == "C") + 0.2 * (k == 2)
            score = eta + rng.logistic()
            rows.append(
                {"USUBJID": f"S{i:03d}", "SEQ": order, "PERIOD": k}
                | {"TRTA": {"A": "Placebo", "B": "LDN", "C": "mid"}[t]}
                | {"COUNT": rng.poisson(np.exp(1.2 + eta)), "EVENT": int(score > 0)}
                | {"GRADE": int(np.digitize(score, [-1, 0.5])), "AVAL": 50 + 8 * score}
                | {"DAYS": float(rng.integers(10, 30))}
            )
    frame = pd.DataFrame(rows)
    return frame[rng.uniform(size=len(frame)) >= lost].reset_index(drop=True)


def gee(data: pd.DataFrame, family: str, **choices: Any) -> CrossoverGeeFit:
    column = {"poisson": "COUNT", "binomial": "EVENT", "ordinal": "GRADE", "gaussian": "AVAL"}
    return tk.crossover_gee(
        data, **{**ROLES, "outcome": column[family], "family": family, **choices}
    )


# --- R -------------------------------------------------------------------------------------------

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


# --- a slow implementation -----------------------------------------------------------------------

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


# --- identities ----------------------------------------------------------------------------------


def test_the_poisson_ratio_is_that_given_each_subjects_total() -> None:
    data = trial(21)
    sums = data.groupby(["SEQ", "PERIOD"], observed=True)["COUNT"].sum()
    by_hand = np.sqrt(
        sums["AB", 2] * sums["BA", 1] / (sums["AB", 1] * sums["BA", 2])
    )  # the binomial share of period 2 in each sequence, on the odds scale
    for correlation in ("independence", "exchangeable"):
        fit = gee(data, "poisson", correlation=correlation)
        assert_close(fit.contrasts().single().estimate, by_hand, 1e-9)


def test_the_difference_of_shares_is_that_of_mcnemar() -> None:
    data = trial(30)
    theirs = tk.crossover_binary(data, **{**ROLES, "outcome": "EVENT"})
    theirs_row = theirs.where(test="risk-difference").single()
    choices = {"period_effect": False, "sequence_effect": False, "correlation": "independence"}
    row = gee(data, "gaussian", outcome="EVENT", **choices, **ROUGH).contrasts().single()
    assert_close([row.estimate, row.se], [theirs_row.estimate, theirs_row.se], 1e-9)


def test_the_linear_model_is_the_fixed_subject_analysis_but_for_its_variance() -> None:
    data = trial(25)
    fixed = tk.crossover(data, **ROLES, subject_effect="fixed").contrasts().single()
    wide = data.pivot(index="USUBJID", columns="PERIOD", values="AVAL")
    first = data.drop_duplicates("USUBJID").set_index("USUBJID")["SEQ"].reindex(wide.index)
    d = (wide[1] - wide[2]) / 2
    by_sequence = [d[first == label] for label in ("AB", "BA")]
    for kind, less in (("robust", 0), ("mancl-derouen", 1)):
        row = gee(data, "gaussian", vcov=kind).contrasts().single()
        assert_close(row.estimate, fixed.estimate, 1e-9)
        variance = sum(((v - v.mean()) ** 2).sum() / (v.size - less) ** 2 for v in by_sequence)
        assert_close(row.se, np.sqrt(variance), 1e-8)


def test_the_odds_ratio_of_two_categories_is_that_of_events() -> None:
    data = trial(30, seed=11)
    events = gee(data, "binomial", correlation="independence").contrasts().single()
    grades = gee(data, "ordinal", outcome="EVENT").contrasts().single()
    assert_close([grades.estimate, grades.se], [events.estimate, events.se], 1e-7)


def test_the_direction_of_an_ordinal_ratio() -> None:
    data = trial(60, seed=2)
    data["GRADE"] = np.where(
        data["TRTA"] == "LDN", data["GRADE"] + (data.index % 3 == 0), data["GRADE"]
    )
    up = gee(data, "ordinal").contrasts().single()
    assert up.estimate > 1
    assert "odds of a higher category (0 < 1 < 2 < 3)" in up.method
    down = gee(data, "ordinal", category_order=[3, 2, 1, 0]).contrasts().single()
    assert_close(down.estimate, 1 / up.estimate, 1e-6)
    words = data.assign(GRADE=data["GRADE"].map(dict(enumerate(["none", "mild", "bad", "worst"]))))
    named = gee(words, "ordinal", category_order=["none", "mild", "bad", "worst"])
    assert named.columns[0] == "GRADE > none"
    assert_close(named.contrasts().single().estimate, up.estimate, 1e-9)


def test_direction_of_the_one_sided_tests_and_null() -> None:
    fit = gee(trial(40, seed=7), "poisson")
    two, less, greater = (
        fit.contrasts(alternative=a).single() for a in ("two-sided", "less", "greater")
    )
    assert less.ci_low == 0
    assert greater.ci_high == np.inf
    assert_close(less.p_value + greater.p_value, 1, 1e-12)
    assert_close(2 * min(less.p_value, greater.p_value), two.p_value, 1e-12)
    assert (less.p_value < 0.5) == (two.estimate < 1)
    moved = fit.contrasts(null=np.log(two.estimate)).single()
    assert_close(moved.p_value, 1, 1e-9)


def test_exposure_divides_the_rate() -> None:
    data = trial(20)
    plain = gee(data, "poisson").contrasts().single()
    same = gee(data.assign(DAYS=7.0), "poisson", exposure="DAYS")
    assert_close(same.contrasts().single().estimate, plain.estimate, 1e-9)
    assert_close(same.coef[0], gee(data, "poisson").coef[0] - np.log(7), 1e-8)
    twice = data.assign(DAYS=np.where(data["TRTA"] == "LDN", 2.0, 1.0))
    assert_close(
        gee(twice, "poisson", exposure="DAYS").contrasts().single().estimate,
        plain.estimate / 2,
        1e-8,
    )
    assert "per DAYS" in same.method


@given(seed=st.integers(0, 200), factor=st.sampled_from([1e-3, 1.0, 1e4]))
@settings(max_examples=6, deadline=None)
def test_order_of_rows_and_units_do_not_matter(seed: int, factor: float) -> None:
    data = trial(14, seed=seed)
    mixed = data.sample(frac=1, random_state=seed).assign(AVAL=lambda d: d["AVAL"] * factor + 1e3)
    a, b = gee(data, "gaussian"), gee(mixed, "gaussian")
    assert_close(b.contrasts().single().estimate / factor, a.contrasts().single().estimate, 1e-7)
    assert_close(b.contrasts().single().se / factor, a.contrasts().single().se, 1e-7)
    assert_close(b.association, a.association, 1e-6)


def test_relabelled_treatments_invert_the_ratio() -> None:
    data = trial(24)
    a = gee(data, "poisson").contrasts().single()
    b = gee(data, "poisson", reference="LDN").contrasts().single()
    assert_close(b.estimate, 1 / a.estimate, 1e-9)
    assert_close([b.se, b.statistic], [a.se, -a.statistic], 1e-9)
    assert (a.label, b.label) == ("LDN - Placebo", "Placebo - LDN")


def test_a_small_trial_keeps_its_correlation_below_one() -> None:
    """With pairs less coefficients as divisor, these subjects would correlate by more than one."""
    rng = np.random.default_rng(2)
    data = trial(8)
    data["AVAL"] = 10 * data["USUBJID"].rank(method="dense") + rng.normal(size=len(data))
    fit = gee(data, "gaussian", sequence_effect=False, period_effect=False)
    assert 0.9 < fit.association < 1


# --- tables and counts ---------------------------------------------------------------------------


def test_terms_carryover_and_multiplicity() -> None:
    data = trial(36, ("ABC", "BCA", "CAB", "ACB", "BAC", "CBA"))
    data["TRTA"] = pd.Categorical(data["TRTA"], categories=["Placebo", "mid", "LDN"])
    fit = gee(data, "poisson", carryover=True, **ROUGH)
    terms = fit.type3().frame().set_index("term")
    assert list(terms.index) == ["sequence", "period", "treatment", "carryover"]
    at = [fit.columns.index(f"carryover[{t}]") for t in ("mid", "LDN")]
    block = fit.vcov[np.ix_(at, at)]
    chi_square = fit.coef[at] @ np.linalg.solve(block, fit.coef[at])
    assert_close(terms.loc["carryover", "statistic"], chi_square / 2, 1e-9)
    assert_close(terms.loc["carryover", "p_value"], stats.chi2.sf(chi_square, 2), 1e-9)
    assert any("diagnostic" in note for note in fit.notes)
    pairs = fit.contrasts(kind="pairwise", adjust="holm").frame()
    assert list(pairs["contrast"]) == ["mid - Placebo", "LDN - Placebo", "LDN - mid"]
    assert_close(pairs["estimate"][2], pairs["estimate"][1] / pairs["estimate"][0], 1e-9)
    assert (pairs["p_adjusted"] >= pairs["p_value"]).all()
    grades = gee(data, "ordinal", carryover=True)
    named = grades.coefficients().frame().set_index("term")
    ratio = grades.where(contrast="LDN - Placebo").single()
    assert_close(np.exp(named.loc["treatment[T.LDN]", "estimate"]), ratio.estimate, 1e-12)
    one = grades.type3().where(term="period").frame()
    hypothesis = [grades.columns.index(f"period[T.{k}]") for k in (2, 3)]
    test = grades.f_test(np.eye(len(grades.columns))[hypothesis])
    assert_close(one["statistic"], test.statistic, 1e-12)
    assert one["den_df"][0] == grades.n - len(grades.columns)


def test_incomplete_subjects_are_counted() -> None:
    data = trial(20)
    data["COUNT"] = data["COUNT"].astype(float)
    data.loc[[0, 5, 8], "COUNT"] = np.nan
    data = data.drop(index=11)
    fit = gee(data, "poisson")
    assert (fit.n, fit.n_observations, fit.n_excluded) == (20, 36, 3)
    assert any("4 of 20 subjects lack a period" in note for note in fit.notes)
    assert fit.contributions()["n_periods"].sum() == 36
    complete = gee(data, "poisson", complete_cases=True)
    assert (complete.n, complete.n_observations) == (16, 32)
    assert not any("lack a period" in note for note in complete.notes)
    left = data.groupby("USUBJID")["COUNT"].transform("count") == 2
    assert_close(complete.coef, gee(data[left], "poisson").coef, 1e-9)


def test_a_category_that_no_analysed_row_has_is_no_cut() -> None:
    data = trial(30)
    data.loc[0, "GRADE"] = 9
    data.loc[1, "GRADE"] = np.nan
    fit = gee(data, "ordinal", complete_cases=True)
    assert fit.categories == (0, 1, 2)


def test_the_text_says_what_was_done() -> None:
    fit = gee(trial(20), "binomial")
    assert fit.method == (
        "crossover GEE, logistic marginal probability, population-averaged, exchangeable (moments "
        "as geepack) working correlation, Mancl-DeRouen bias-reduced sandwich covariance, t with "
        "subjects less coefficients df"
    )
    assert "20 subjects, 40 rows; sequences AB, BA" in repr(fit)
    assert "population-averaged" in fit._repr_html_()
    assert fit.plot().get_xscale() == "log"
    assert fit.frame().equals(fit.contrasts().frame())


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"family": "normal"}, "family='normal' is not offered; allowed: poisson, binomial"),
        ({"vcov": "naive"}, "vcov='naive' is not offered; allowed: mancl-derouen, robust"),
        ({"df": "residual"}, "df='residual' is not offered; allowed: subjects, normal"),
        ({"correlation": "ar1"}, "correlation='ar1' is not offered"),
        ({"event": 2}, "event= is for family='binomial'"),
        ({"category_order": [1, 2]}, "category_order= is for family='ordinal'"),
        ({"period_effect": "no"}, "period_effect='no' is not offered; allowed: True, False"),
        ({"exposure": "COUNT"}, "exposure='COUNT' is the outcome itself"),
        ({"carryover": "maybe"}, "carryover='maybe' is not offered"),
    ],
)
def test_choices_that_are_not_offered(choices: dict[str, Any], match: str) -> None:
    with pytest.raises(SpecError, match=match):
        tk.crossover_gee(trial(), **{**ROLES, "outcome": "COUNT", "family": "poisson", **choices})


def test_ordinal_has_no_exchangeable_correlation_and_no_exposure() -> None:
    with pytest.raises(SpecError, match="has correlation='independence' only"):
        gee(trial(), "ordinal", correlation="exchangeable")
    with pytest.raises(SpecError, match="exposure= is for family='poisson', not for 'ordinal'"):
        gee(trial(), "ordinal", exposure="DAYS")


def test_outcomes_that_are_not_of_the_family() -> None:
    data = trial()
    with pytest.raises(DataError, match=r"has 1 other value\(s\), the first -1"):
        gee(data.assign(COUNT=data["COUNT"].where(data.index != 3, -1)), "poisson")
    with pytest.raises(DataError, match="Of a rate, give the count and exposure="):
        gee(data.assign(COUNT=data["COUNT"] / data["DAYS"]), "poisson")
    with pytest.raises(DataError, match="must be a flag of two values; it holds"):
        gee(data, "binomial", outcome="GRADE")
    text = data.assign(GRADE=data["GRADE"].map({0: "mild", 1: "bad", 2: "worst"}))
    with pytest.raises(DataError, match=r"order of the categories in column 'GRADE'.*category_ord"):
        gee(text, "ordinal")
    with pytest.raises(DataError, match="category_order does not place 'worst'"):
        gee(text, "ordinal", category_order=["mild", "bad"])
    with pytest.raises(DataError, match="'COUNT' is 3 in all 48 analysed rows"):
        gee(data.assign(COUNT=3), "poisson")
    with pytest.raises(DataError, match="'GRADE' is 'bad' in all 48"):
        gee(data.assign(GRADE="bad"), "ordinal")


def test_exposures_that_are_none() -> None:
    data = trial()
    with pytest.raises(DataError, match="'DAYS' is 0 in row 4"):
        gee(data.assign(DAYS=data["DAYS"].where(data.index != 4, 0.0)), "poisson", exposure="DAYS")
    data.loc[5, "DAYS"] = np.nan
    with pytest.raises(
        DataError, match=r"missing in 1 row\(s\) with an outcome, the first in row 5"
    ):
        gee(data, "poisson", exposure="DAYS")
    data["COUNT"] = data["COUNT"].astype(float)
    data.loc[5, "COUNT"] = np.nan
    assert gee(data, "poisson", exposure="DAYS").n_observations == len(data) - 1


@pytest.mark.parametrize(("family", "column"), [("poisson", "COUNT"), ("binomial", "EVENT")])
def test_an_empty_treatment_is_refused(family: str, column: str) -> None:
    data = trial()
    data.loc[data["TRTA"] == "LDN", column] = 0
    with pytest.raises(DataError, match=r"of .*treatment\[T.LDN\].* are infinite"):
        gee(data, family)


def test_separated_categories_are_refused() -> None:
    data = trial()
    data["GRADE"] = np.where(data["TRTA"] == "LDN", 2, data.index % 2)
    with pytest.raises(DataError, match=r"treatment\[T.LDN\].* are infinite"):
        gee(data, "ordinal")
    # A single period in which nobody has the top grade separates nothing under proportional odds.
    data = trial(40)
    data.loc[(data["PERIOD"] == 2) & (data["GRADE"] == 2), "GRADE"] = 1
    assert np.isfinite(gee(data, "ordinal").coef).all()


def test_one_subject_with_an_effect_of_its_own_is_refused() -> None:
    data = trial(9)
    lonely = data["SEQ"].eq("BA") & ~data["USUBJID"].eq("S001")
    with pytest.raises(DataError, match="Subject 'S001' alone determines an effect"):
        gee(data[~lonely], "poisson")


def test_too_few_subjects_and_effects_that_are_not_separate() -> None:
    with pytest.raises(DataError, match="4 subjects leave no degree of freedom beside 4 coeff"):
        gee(trial(4), "gaussian")
    with pytest.raises(DesignError, match="Carryover"):
        gee(trial(), "poisson", carryover=True)


def test_equations_that_are_not_solved_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gee_engine, "MAX_ITERATIONS", 2)
    data = trial(20, ("ABC", "BCA", "CAB"), lost=0.2)
    with pytest.raises(ConvergenceError, match="were not solved in 2 steps: Iteration limit"):
        gee(data, "poisson")


def test_a_correlation_that_no_covariance_has_raises() -> None:
    data = trial(12, ("ABC", "BCA", "CAB"))
    # Two periods that go opposite ways in subjects who have no third; the others hardly vary.
    short = data["USUBJID"].str.endswith(("0", "1", "2", "3", "4", "5"))
    up = np.where(data["PERIOD"] == 2, 1.0, -1.0) * np.where(data.index % 7 < 4, 1.0, 1.2)
    data["AVAL"] = up * np.where(short, 10, 0.1)
    data = data[~(short & (data["PERIOD"] == 3))]
    with pytest.raises(ConvergenceError, match=r"working correlation is -0.*outside -0.5 to 1"):
        gee(data, "gaussian", period_effect=False, sequence_effect=False)
    # Its naive covariance has no square roots: that is no reason to stop earlier, with a warning.
    with pytest.raises(ConvergenceError, match="there is no such covariance"):
        gee(trial(7, seed=6, lost=0.2), "gaussian")


def test_a_covariance_that_statsmodels_replaces_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cuts of nearly the same probability: their covariance, but for rounding, singular."""
    from statsmodels.genmod.cov_struct import OrdinalIndependence

    exact = OrdinalIndependence.covariance_matrix

    def rounded(self: Any, expected: Any, index: int) -> Any:
        covariance, is_correlation = exact(self, expected, index)
        least = np.linalg.eigvalsh(covariance)[0] if index == 0 else 0.0
        return covariance - 1.01 * least * np.eye(len(expected)), is_correlation

    monkeypatch.setattr(OrdinalIndependence, "covariance_matrix", rounded)
    with pytest.raises(ConvergenceError, match="a category is all but empty"):
        gee(trial(12), "ordinal")
