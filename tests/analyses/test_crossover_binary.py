"""Binary outcomes of a crossover against R, by identities and worked examples."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_cases import ROLES
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.loader import assert_close, reference_case
from scipy import stats

import trialkit as tk
from trialkit.kernels.conditional_logistic import fit_conditional_logistic
from trialkit.kernels.paired_binary import (
    fisher_exact,
    mcnemar,
    newcombe_paired,
    trend_permutation,
)

CASE = "crossover/f_binary_ab_ba"


def binary(data: pd.DataFrame, **choices: Any) -> pd.DataFrame:
    return tk.crossover_binary(data, **{**ROLES, **choices}).frame().set_index("test")


@pytest.mark.reference
class TestReference:
    def rows(self) -> pd.DataFrame:
        return binary(reference_case(CASE).data())

    def test_table_paired(self) -> None:
        expected = reference_case(CASE)["table_paired"]
        data = reference_case(CASE).data()
        wide = data.pivot(index="USUBJID", columns="TRTA", values="AVAL")
        test, reference = wide["LDN 4.5 mg"] == 1, wide["Placebo"] == 1
        counts = {
            "n00": (~test & ~reference).sum(),
            "n01": (test & ~reference).sum(),
            "n10": (~test & reference).sum(),
            "n11": (test & reference).sum(),
        }
        assert counts == {name: expected[name] for name in counts}
        assert self.rows().loc["mcnemar", "n_informative"] == counts["n01"] + counts["n10"]

    def test_mcnemar(self) -> None:
        expected, row = reference_case(CASE)["mcnemar"], self.rows().loc["mcnemar"]
        for ours, theirs in (
            ("chi_square", "chisq"),
            ("p_asymptotic", "p_value"),
            ("p_continuity", "p_continuity"),
            ("p_value", "p_exact"),
            ("p_mid", "p_mid"),
            ("estimate", "conditional_or"),
        ):
            assert_close(row[ours], expected[theirs], 1e-10)
        assert_close([row["ci_low"], row["ci_high"]], expected["or_ci_exact"], 1e-9)
        up = reference_case(CASE)["table_paired"]
        kernel = mcnemar(up["n01"], up["n10"], ci_level=0.95)
        assert_close(kernel.chi_square_corrected, expected["chisq_continuity"], 1e-12)
        difference = self.rows().loc["risk-difference"]
        assert_close(difference["estimate"], expected["rd_B_minus_A"], 1e-12)
        assert_close(difference["se"], expected["rd_se_wald"], 1e-12)

    def test_mainland_gart(self) -> None:
        expected, row = reference_case(CASE)["mainland_gart"], self.rows().loc["mainland-gart"]
        assert_close(row["p_value"], expected["p_fisher"], 1e-10)
        assert_close(row["chi_square"], expected["chisq"], 1e-10)
        assert_close(row["p_asymptotic"], expected["p_chisq"], 1e-10)
        assert_close(np.log(row["estimate"]), expected["log_or_treatment"], 1e-10)
        assert_close(row["estimate"], expected["or_treatment"], 1e-10)
        assert_close(row["se"], expected["se"], 1e-10)
        assert_close([row["ci_low"], row["ci_high"]], expected["ci"], 1e-9)
        assert row["n_informative"] == np.sum(expected["table"])
        assert expected["rows"] == ["AB", "BA"]
        assert expected["columns_p1_minus_p2"] == [-1, 1]

    def test_prescott(self) -> None:
        expected, row = reference_case(CASE)["prescott"], self.rows().loc["prescott"]
        assert_close(row["statistic"], expected["z_BA_minus_AB"], 1e-10)
        assert_close(row["chi_square"], expected["chisq"], 1e-10)
        assert_close(row["p_asymptotic"], expected["p_value"], 1e-10)
        assert_close(row["p_value"], expected["p_exact"], 1e-10)
        assert row["n"] == np.sum(expected["table"])

    def test_conditional_logistic(self) -> None:
        expected = reference_case(CASE)["conditional_logistic"]
        theirs = pd.DataFrame(expected["table"]).set_index("term")
        row = self.rows().loc["conditional-logistic"]
        treatment = theirs.loc["TRTALDN 4.5 mg"]
        assert_close(np.log(row["estimate"]), treatment["estimate"], 1e-8)
        assert_close(row["se"], treatment["se"], 1e-8)
        assert_close(row["statistic"], treatment["statistic"], 1e-8)
        assert_close(row["p_value"], treatment["p_value"], 1e-8)
        data = reference_case(CASE).data()
        x = np.column_stack([data["TRTA"] != "Placebo", data["PERIOD"] == 2]).astype(float)
        y, subject = data["AVAL"].to_numpy(), pd.factorize(data["USUBJID"])[0]
        full = fit_conditional_logistic(x, y, subject)
        assert_close(full.coef, theirs["estimate"], 1e-8)
        assert_close(np.sqrt(np.diagonal(full.vcov)), theirs["se"], 1e-8)
        assert_close(full.log_likelihood, expected["logLik"], 1e-10)
        plain = fit_conditional_logistic(x[:, :1], y, subject)
        assert_close(plain.coef[0], expected["no_period_log_or"], 1e-8)
        assert_close(np.sqrt(plain.vcov[0, 0]), expected["no_period_se"], 1e-8)


def trial(ab: list[tuple[int, int]], ba: list[tuple[int, int]]) -> pd.DataFrame:
    rows = [
        {"USUBJID": f"{sequence}{number}", "SEQ": sequence, "PERIOD": period + 1, "AVAL": value}
        | {"TRTA": {"A": "Placebo", "B": "LDN"}[sequence[period]]}
        for sequence, pairs in (("AB", ab), ("BA", ba))
        for number, pair in enumerate(pairs)
        for period, value in enumerate(pair)
    ]
    return pd.DataFrame(rows)


SOME = trial(
    [(0, 1)] * 5 + [(1, 0)] * 2 + [(0, 0)] * 3 + [(1, 1)],
    [(1, 0)] * 6 + [(0, 1)] + [(1, 1)] * 2 + [(0, 0)],
)


def test_a_period_effect_cancels_where_it_is_adjusted_for() -> None:
    """Everybody's event in period 2: McNemar sees sequences of unequal size, Gart does not."""
    data = trial([(0, 1)] * 12, [(0, 1)] * 4)
    rows = binary(data)
    assert rows.loc["mcnemar", "p_value"] < 0.1
    assert "all have their event in the same period" in rows.loc["mainland-gart", "status"]
    assert "the same in every subject" in rows.loc["prescott", "status"]


def test_exchanging_the_reference_inverts_the_odds() -> None:
    there, back = binary(SOME), binary(SOME, reference="LDN")
    for name in ("mcnemar", "mainland-gart", "conditional-logistic"):
        assert_close(back.loc[name, "estimate"], 1 / there.loc[name, "estimate"], 1e-10)
        assert_close(back.loc[name, "ci_low"], 1 / there.loc[name, "ci_high"], 1e-9)
    assert_close(
        back.loc["risk-difference", "ci_low"], -there.loc["risk-difference", "ci_high"], 1e-12
    )
    assert_close(back["p_value"].fillna(0), there["p_value"].fillna(0), 1e-12)
    assert there.loc["prescott", "statistic"] > 0 > back.loc["prescott", "statistic"]


def test_labels_of_events() -> None:
    labelled = SOME.assign(AVAL=SOME["AVAL"].map({1: "Y", 0: "N"}))
    columns = ["estimate", "p_value"]
    assert_close(binary(labelled, event="Y")[columns].fillna(0), binary(SOME)[columns].fillna(0), 0)
    with pytest.raises(tk.DataError, match="event=1 is not among the values of 'AVAL': 'N', 'Y'"):
        binary(labelled)
    with pytest.raises(tk.DataError, match="must be a flag of two values"):
        binary(SOME.assign(AVAL=range(len(SOME))))
    # A column of twos has no event coded 1: it is a coding that was not given, not "no event".
    with pytest.raises(tk.DataError, match="event=1 is not among the values of 'AVAL': 2"):
        binary(SOME.assign(AVAL=2))
    nobody = binary(SOME.assign(AVAL=0))
    assert nobody.loc["mcnemar", "status"].startswith("no discordant pair")


def test_other_designs_have_conditional_logistic_regression() -> None:
    rng = np.random.default_rng(3)
    names = {"A": "Placebo", "B": "LDN", "C": "LDN high"}
    rows = [
        {"USUBJID": i, "SEQ": seq, "PERIOD": k, "TRTA": names[letter]}
        for i, seq in enumerate(["ABC", "BCA", "CAB"] * 10)
        for k, letter in enumerate(seq)
    ]
    data = pd.DataFrame(rows)
    data["AVAL"] = (rng.random(90) < 0.3 + 0.3 * (data["TRTA"] != "Placebo")).astype(int)
    data.loc[7, "AVAL"] = np.nan
    table = binary(data)
    assert table.index.unique().tolist() == ["conditional-logistic"]
    assert table["contrast"].tolist() == ["LDN - Placebo", "LDN high - Placebo"]
    assert (table["status"] == "ok").all()


def test_an_empty_cell_has_no_finite_odds_ratio() -> None:
    rows = binary(trial([(0, 1)] * 5 + [(0, 0)], [(1, 0)] * 5 + [(0, 1)]))
    assert rows.loc["mainland-gart", "estimate"] == np.inf
    assert "empty cell" in rows.loc["mainland-gart", "status"]
    assert "infinity" in rows.loc["conditional-logistic", "status"]
    alike = binary(trial([(1, 1)] * 3, [(0, 0)] * 3))
    assert (alike.loc[["mcnemar", "mainland-gart", "prescott"], "status"] != "ok").all()


def test_separated_outcomes_say_so_without_a_warning() -> None:
    rows = binary(trial([(0, 1)] * 6 + [(0, 0)] * 8, [(1, 0)] * 6 + [(0, 0)] * 8))
    assert "infinity" in rows.loc["conditional-logistic", "status"]
    assert rows.loc["mcnemar", "estimate"] == np.inf
    assert rows.loc["mcnemar", "p_value"] == pytest.approx(2 / 2**12)


def test_newcombe_worked_example() -> None:
    """Newcombe (1998), Table II: 36 both, 12 first only, 2 second only, none neither."""
    found = newcombe_paired(np.array([[36, 12], [2, 0]]), ci_level=0.95)
    assert np.round(found, 4).tolist() == [0.2, 0.0569, 0.3404]


@pytest.mark.parametrize("table", [[[3, 1], [2, 6]], [[0, 5], [4, 1]], [[7, 2], [2, 7]]])
def test_fisher_is_that_of_scipy(table: list[list[int]]) -> None:

    assert_close(fisher_exact(np.array(table)), stats.fisher_exact(table).pvalue, 1e-12)


def test_permutation_p_is_that_of_all_arrangements() -> None:
    counts = np.array([[3, 2, 1], [1, 1, 4]])
    scores = np.repeat([-1, 0, 1, -1, 0, 1], counts.ravel())
    chosen = int(counts[1].sum())
    sums = np.array([scores[list(c)].sum() for c in combinations(range(scores.size), chosen)])
    centre, observed = chosen * scores.mean(), counts[1] @ [-1, 0, 1]
    expected = np.mean(np.abs(sums - centre) >= abs(observed - centre) - 1e-9)
    found = trend_permutation(counts, np.array([-1, 0, 1]))
    assert_close(found.p_exact, expected, 1e-12)
    assert_close(found.z, (observed - centre) / sums.std(), 1e-10)


def slow_conditional(data: pd.DataFrame) -> np.ndarray:
    """Discordant pairs of AB/BA: a logistic regression of who had the event when, by counting."""
    wide = data.pivot(index=["USUBJID", "SEQ"], columns="PERIOD", values="AVAL").reset_index()
    odds = []
    for sequence in ("AB", "BA"):
        own = wide[wide["SEQ"] == sequence]
        odds.append(((own[2] > own[1]).sum(), (own[2] < own[1]).sum()))
    return np.array(odds)


def test_conditional_odds_are_finite_just_where_the_counts_are() -> None:
    """Small trials at random: separated ones are refused, all others agree with the counts."""
    rng = np.random.default_rng(12)
    seen = {"finite": 0, "infinite": 0}
    for _ in range(60):
        sizes = rng.integers(2, 9, size=2)
        ab, ba = ([tuple(p) for p in rng.integers(0, 2, size=(n, 2))] for n in sizes)
        data = trial(ab, ba)
        if data["AVAL"].nunique() < 2:
            continue
        row, counts = binary(data).loc["conditional-logistic"], slow_conditional(data)
        if (counts > 0).all():
            seen["finite"] += 1
            ratio = np.sqrt(counts[0, 0] * counts[1, 1] / (counts[0, 1] * counts[1, 0]))
            assert_close(row["estimate"], ratio, 1e-8)
            assert_close(row["se"], np.sqrt((1 / counts).sum()) / 2, 1e-8)
        else:
            seen["infinite"] += 1
            assert np.isnan(row["estimate"])
            assert "zero or infinity" in row["status"] or "flat" in row["status"]
    assert min(seen.values()) > 5


def test_a_sequence_of_one_treatment_is_not_ab_ba() -> None:
    data = SOME.assign(TRTA=np.where(SOME["SEQ"] == "AB", "Placebo", "LDN"))
    with pytest.raises(tk.DesignError, match="of sequence 'AB' have 'Placebo' in both periods"):
        binary(data)
    with pytest.raises(tk.DataError, match=r"with an outcome, the first in row 3;"):
        binary(SOME.assign(TRTA=SOME["TRTA"].where(SOME.index != 3)))


@given(up=st.integers(0, 9), down=st.integers(0, 9), level=st.sampled_from([0.8, 0.95]))
@settings(max_examples=40, deadline=None)
def test_mcnemar_by_its_definition(up: int, down: int, level: float) -> None:
    """Exact, mid-p and limits from the binomial distribution, point by point."""
    n = up + down
    if n == 0:
        return
    share = stats.binom.pmf(np.arange(n + 1), n, 0.5)
    distance = np.abs(np.arange(n + 1) - n / 2)
    two = mcnemar(up, down, ci_level=level)
    as_extreme = share[np.isclose(distance, distance[up])].sum()
    more = share[distance > distance[up] + 1e-9].sum()
    assert_close(two.p_exact, more + as_extreme, 1e-10)
    assert_close(two.p_mid, more + as_extreme / 2, 1e-10)
    assert_close(two.p_value, stats.chi2.sf((up - down) ** 2 / n, 1), 1e-10)
    for alternative, beyond, sign in (("greater", share[up + 1 :], 1), ("less", share[:up], -1)):
        one = mcnemar(up, down, ci_level=level, alternative=alternative)
        assert_close(one.p_exact, beyond.sum() + share[up], 1e-10)
        assert_close(one.p_mid, beyond.sum() + share[up] / 2, 1e-10)
        assert_close(one.p_value, stats.norm.sf(sign * (up - down) / np.sqrt(n)), 1e-10)
        assert_close(one.p_corrected, stats.norm.sf((sign * (up - down) - 1) / np.sqrt(n)), 1e-10)
        exact = stats.binomtest(up, n, alternative=alternative).proportion_ci(level)
        limits = [p / (1 - p) if p < 1 else np.inf for p in exact]
        assert_close([one.low, one.high], limits, 1e-8)


def test_one_sided_tests_are_those_of_their_definitions() -> None:
    table = np.array([[3, 9], [7, 2]])
    for alternative in ("less", "greater"):
        theirs = stats.fisher_exact(table, alternative=alternative).pvalue
        assert_close(fisher_exact(table, alternative=alternative), theirs, 1e-10)
    less, greater = (binary(SOME, alternative=a) for a in ("less", "greater"))
    two = binary(SOME)
    for name in ("mcnemar", "mainland-gart", "prescott", "conditional-logistic"):
        # SOME has more events under LDN.
        assert greater.loc[name, "p_value"] < two.loc[name, "p_value"] < less.loc[name, "p_value"]
        assert greater.loc[name, "method"].endswith("one-sided (greater)")
    for name in ("mcnemar", "mainland-gart", "conditional-logistic"):
        assert greater.loc[name, "ci_high"] == np.inf
        assert less.loc[name, "ci_low"] == 0
        assert greater.loc[name, "ci_low"] > two.loc[name, "ci_low"]
    for name in ("mainland-gart", "prescott"):
        z = np.sqrt(two.loc[name, "chi_square"])
        assert_close(greater.loc[name, "p_asymptotic"], stats.norm.sf(z), 1e-10)
        assert_close(less.loc[name, "p_asymptotic"], stats.norm.cdf(z), 1e-10)
    wide = binary(SOME, ci_level=0.9).loc["risk-difference"]
    assert_close(greater.loc["risk-difference", "ci_low"], wide["ci_low"], 1e-12)
    assert_close(less.loc["risk-difference", "ci_high"], wide["ci_high"], 1e-12)
    assert greater.loc["risk-difference", "ci_high"] == np.inf
    with pytest.raises(tk.SpecError, match="alternative='more' is not offered"):
        binary(SOME, alternative="more")
    with pytest.raises(tk.SpecError, match=r"ci_level=0\.4 with a one-sided alternative"):
        binary(SOME, alternative="less", ci_level=0.4)


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_prescott_permutes_the_subjects(alternative: Any) -> None:
    counts = np.array([[1, 2, 2], [2, 1, 3]])
    scores = np.repeat([-1, 0, 1], counts.sum(axis=0))
    chosen, observed = int(counts[1].sum()), int(counts[1] @ [-1, 0, 1])
    sums = np.array([scores[list(c)].sum() for c in combinations(range(scores.size), chosen)])
    mean = sums.mean()
    share = {
        "two-sided": np.abs(sums - mean) >= abs(observed - mean) - 1e-9,
        "less": sums <= observed,
        "greater": sums >= observed,
    }[alternative].mean()
    found = trend_permutation(counts, np.array([-1, 0, 1]), alternative=alternative)
    assert_close(found.p_exact, share, 1e-12)
