"""What crossover_gee refuses: choices, outcomes, designs, equations without a solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from analyses.crossover_cases import ROLES
from analyses.crossover_gee_trials import gee, trial

import trialkit as tk
from trialkit.analyses import gee_engine
from trialkit.errors import ConvergenceError, DataError, DesignError, SpecError


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
