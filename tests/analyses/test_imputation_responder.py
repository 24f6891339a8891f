"""Response after imputation: standardised risks against statsmodels, and in the limit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from analyses.imputation_frames import ANALYSIS, FORMULA, ROLES, trial
from statsmodels.genmod.families import Binomial

import trialkit as tk
from trialkit.analyses.reference_based import ReferenceBased
from trialkit.kernels.standardized_risk import standardized_risks

CHANCE = {"variance": "rubin", "n_samples": 20, "rng": 2}


def complete() -> pd.DataFrame:
    return trial(80).assign(CHG=lambda d: d["CHG"].fillna(-1.0 - d["BASE"] / 7))


def run(data: pd.DataFrame, **other: object) -> ReferenceBased:
    arguments = {**ROLES, "analysis": ANALYSIS, "responder": "CHG <= -1", **CHANCE, **other}
    return tk.reference_based(FORMULA, data, **arguments)


def by_statsmodels(last: pd.DataFrame) -> tuple[float, float]:
    """Risk difference and its delta-method standard error, by numerical gradient."""
    fit = smf.glm("RESP ~ C(TRT01P, Treatment('Placebo')) + BASE", last, family=Binomial()).fit(
        tol=1e-14
    )

    def difference(b: np.ndarray) -> float:
        shift, base = b[1], last["BASE"].to_numpy()
        eta = b[0] + b[2] * base
        return float((1 / (1 + np.exp(-eta - shift)) - 1 / (1 + np.exp(-eta))).mean())

    b = fit.params.to_numpy()
    steps = 1e-6 * np.eye(3)
    slope = np.array([(difference(b + h) - difference(b - h)) / 2e-6 for h in steps])
    return difference(b), float(np.sqrt(slope @ fit.cov_params().to_numpy() @ slope))


def test_complete_data_give_the_standardised_risk_difference() -> None:
    data = complete()
    last = data[data["AVISITN"] == 12].assign(RESP=lambda d: (d["CHG"] <= -1).astype(float))
    estimate, se = by_statsmodels(last)
    row = run(data).where(visit=12).single()
    assert row.estimate == pytest.approx(estimate, rel=1e-8)
    assert row.se == pytest.approx(se, rel=1e-5)
    assert row.df == np.inf
    means = run(data).lsmeans.where(visit=12).frame()
    assert set(means["scale"]) == {"probability"}
    assert means["estimate"].diff().iloc[1] == pytest.approx(estimate, rel=1e-8)


def test_a_threshold_may_be_a_share_of_a_column() -> None:
    data = complete()
    by_share = run(data, responder="CHG <= -0.2 * BASE").where(visit=12).single()
    last = data[data["AVISITN"] == 12].assign(RESP=lambda d: (d["CHG"] <= -0.2 * d["BASE"]) * 1.0)
    assert by_share.estimate == pytest.approx(by_statsmodels(last)[0], rel=1e-8)
    assert "response CHG <= -0.2 * BASE" in by_share.method


def test_missing_outcomes_add_variance_between_imputations() -> None:
    frame = run(trial(80), strategy=["mar", "j2r"]).frame()
    last = frame[frame["visit"] == 12]
    assert (last["between"] > 0).all()
    assert np.isfinite(last["df"]).all()


def test_response_is_counted_in_draws_and_not_in_their_mean() -> None:
    # Everyone left has a mean below the threshold; their draws lie above it now and then.
    data = trial(80)
    cut = "CHG <= 1"
    drawn = run(data, responder=cut, strategy="mar", n_samples=100)
    risk = drawn.lsmeans.where(visit=12, arm="Drug").single().estimate
    means = drawn.imputed
    last = means[(means["AVISITN"] == 12) & (means["TRT01P"] == "Drug")]
    assert (last.loc[~last["is_observed"], "mar"] <= 1).all()
    assert risk < (last["mar"] <= 1).mean()


def test_an_outcome_without_maximum_has_no_number() -> None:
    z = np.column_stack([np.ones(20), np.repeat([0.0, 1.0], 10)])
    each = np.stack([np.column_stack([np.ones(20), np.full(20, a)]) for a in (0.0, 1.0)])
    outcome = np.stack([np.repeat([0.0, 1.0], 10), np.tile([0.0, 1.0], 10)])
    fits = standardized_risks(z, each, outcome)
    assert fits.is_fitted.tolist() == [False, True]
    np.testing.assert_allclose(fits.risk[1], [0.5, 0.5])
    row = run(complete(), responder="CHG <= 1000").where(visit=12).single()
    assert "no maximum" in row.status
    assert np.isnan(row.estimate)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variance": "jackknife", "rng": None, "n_samples": None}, "imputes conditional means"),
        ({"variance": "bootstrap"}, "is not how often they do"),
        ({"weights": "equal"}, "weights='counterfactual' only"),
        ({"responder": "AVAL <= 1"}, "not of the form 'CHG <= -2'"),
        ({"responder": "CHG == 1"}, "not of the form"),
        ({"responder": "CHG <= __import__('os')"}, "not of the form"),
    ],
)
def test_rules_that_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(tk.SpecError, match=message):
        run(trial(), **change)
