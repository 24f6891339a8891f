"""What tk.mmrm refuses: options, roles, data, and covariances that are not determined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from analyses.mmrm_trials import VISITS, fit, trial

import trialkit as tk


def test_a_factor_of_one_level_is_named_as_the_user_wrote_it() -> None:
    data = trial().query("AVISITN == 2")
    data = data.assign(AVISIT=pd.Categorical(data["AVISITN"]))
    with pytest.raises(tk.DataError, match=r"one level among the \d+ analysed rows \(2\)"):
        fit(data, "CHG ~ TRT01P*AVISIT", visit_order=None)


def test_weights_are_a_column_by_name() -> None:
    data = trial()
    with pytest.raises(tk.SpecError, match="by its name, not by a Series"):
        fit(data, weights=data["W"])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"covariance": "exchangeable"}, "covariance='exchangeable' is not offered"),
        ({"method": "eb"}, "method='eb' is not offered; allowed: reml, ml"),
        ({"df": "containment"}, "df='containment' is not offered"),
        ({"vcov": "HC3"}, "vcov='HC3' is not offered; allowed: CR0, CR2, CR3"),
        ({"information": "average"}, "information='average' is not offered"),
        ({"covariance": "sp_exp"}, "needs time="),
        ({"time": "ADY"}, "time= applies to 'spatial-exponential' only"),
        ({"df": "kenward-roger", "vcov": "CR0"}, "does not go with vcov='CR0'"),
        ({"df": "kenward-roger-linear", "method": "ml"}, "defined for method='reml'"),
        ({"arm": None}, "arm= and reference= go together"),
        ({"reference": None}, "arm= and reference= go together"),
    ],
)
def test_options_that_are_not_offered_or_exclude_each_other(kwargs, message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        fit(trial(), **kwargs)


def test_a_formula_without_the_arm_is_refused() -> None:
    with pytest.raises(tk.SpecError, match="no term with the arm 'TRT01P'"):
        fit(trial(), "CHG ~ BASE*AVISIT")


def test_two_rows_of_a_subject_at_a_visit_are_refused() -> None:
    data = trial()
    twice = pd.concat([data, data.iloc[[4]]], ignore_index=True)
    with pytest.raises(tk.DataError, match=r"Subject 'S-001' has more than one .* 'Week 4'"):
        fit(twice)


def test_a_visit_nobody_attended_is_refused() -> None:
    data = trial()
    data.loc[data["AVISIT"] == "Week 12", "CHG"] = np.nan
    with pytest.raises(tk.DataError, match="Visit 'Week 12' of 'AVISIT' has no analysed row"):
        fit(data)


def test_text_visits_need_an_order() -> None:
    with pytest.raises(tk.DataError, match="order of the visits"):
        fit(trial(), visit_order=None)
    by_column = fit(trial(), visit_order="AVISITN")
    assert by_column.contrasts().frame()["visit"].tolist() == VISITS
    numeric = fit(trial(), "CHG ~ TRT01P*AVISITN + BASE", visit="AVISITN", visit_order=None)
    assert numeric.contrasts().frame()["visit"].tolist() == [2, 4, 12]


def test_a_changing_group_is_refused() -> None:
    data = trial()
    data.loc[4, "SEX"] = "F" if data.loc[4, "SEX"] == "M" else "M"
    with pytest.raises(tk.DataError, match="Subject 'S-001' changes 'SEX'"):
        fit(data, group="SEX")


def test_weights_must_be_above_zero() -> None:
    data = trial(missing=0.0)
    data.loc[7, "W"] = 0.0
    with pytest.raises(tk.DataError, match=r"Weights 'W' are not above zero in 1 row\(s\), .* 7"):
        fit(data, weights="W")
    data.loc[7, "W"] = np.nan
    assert fit(data, weights="W").missing == {"W": 1}


def test_equal_times_of_a_subject_are_refused() -> None:
    data = trial(missing=0.0)
    data.loc[4, "ADY"] = data.loc[3, "ADY"]
    with pytest.raises(tk.DataError, match="Subject 'S-001' has two rows at ADY="):
        fit(data, covariance="sp_exp", time="ADY")


def test_a_constant_outcome_is_refused() -> None:
    with pytest.raises(tk.DataError, match="is 1 in all 120 analysed rows"):
        fit(trial(missing=0.0).assign(CHG=1.0))


def test_a_covariance_that_is_not_determined_names_visits_and_counts() -> None:
    data = trial(n=40, missing=0.0)
    odd = data["USUBJID"].str[-1].astype(int) % 2 == 1
    apart = data[~((data["AVISIT"] == "Week 4") & odd) & ~((data["AVISIT"] == "Week 12") & ~odd)]
    with pytest.raises(tk.ConvergenceError) as caught:
        fit(apart, "CHG ~ TRT01P + AVISIT")
    text = str(caught.value)
    assert "no subject was seen at both AVISIT 'Week 4', 'Week 12'" in text
    assert "40 subjects, 0 of them" in text
    assert "toeplitz-het" in text
    repeated = data.copy()
    wide = data["CHG"].to_numpy().reshape(-1, 3).copy()
    wide[:, 2] = wide[:, 1]
    repeated["CHG"] = wide.ravel()
    with pytest.raises(tk.ConvergenceError, match=r"AVISIT 'Week 4', 'Week 12' has no variance"):
        fit(repeated)
    few = fit_error(data[data["USUBJID"] < "S-003"], "CHG ~ AVISIT", arm=None, reference=None)
    assert "3 subjects" in few
    unseen = data[~((data["AVISIT"] == "Week 12") & (data["TRT01P"] == "Placebo"))]
    named = fit_error(unseen, "CHG ~ TRT01P + AVISIT", group="TRT01P")
    assert "of TRT01P 'Placebo'" in named
    assert "no subject was seen at AVISIT 'Week 12'" in named
    assert "or no group=" in named


def fit_error(data: pd.DataFrame, formula: str, **kwargs: Any) -> str:
    with pytest.raises(tk.ConvergenceError) as caught:
        fit(data, formula, **kwargs)
    return str(caught.value)
