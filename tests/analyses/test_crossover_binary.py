"""Binary outcomes of a crossover against R, by identities and worked examples."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.crossover_cases import ROLES
from reference.loader import assert_close, reference_case

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
    from scipy import stats

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
