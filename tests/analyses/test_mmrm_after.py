"""What follows a fit of tk.mmrm: residuals, scores, predictions, simulated outcomes, plots."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.mmrm_trials import VISITS, fit, trial

import trialkit as tk


def test_residuals_follow_the_data_and_are_white_when_scaled() -> None:
    data = trial(n=300, missing=0.1)
    model = fit(data)
    raw = model.residuals()
    assert raw.index.equals(data.index[data["CHG"].notna()])
    fitted = model.predict(data.loc[raw.index])["prediction"]
    np.testing.assert_allclose(raw, data.loc[raw.index, "CHG"] - fitted)
    scaled = model.residuals(kind="scaled")
    assert scaled.std() == pytest.approx(1, abs=0.06)
    wide = scaled.groupby(data["AVISIT"], observed=True).std()
    assert (abs(wide - 1) < 0.15).all()
    with pytest.raises(tk.SpecError, match="kind='pearson' is not offered"):
        model.residuals(kind="pearson")


def test_scores_sum_to_zero_over_subjects() -> None:
    model = fit(trial(), weights="W")
    scores = model.scores()
    assert scores.index.name == "USUBJID"
    assert list(scores.columns) == list(model.columns)
    np.testing.assert_allclose(scores.sum(), 0, atol=1e-7 * scores.abs().max().max())


@pytest.mark.parametrize("weights", [None, "W"])
@pytest.mark.parametrize("group", [None, "TRT01P"])
def test_conditional_prediction_is_the_regression_on_what_was_seen(
    weights: str | None, group: str | None
) -> None:
    data = trial(n=60, missing=0.2)
    model = fit(data, weights=weights, group=group)
    ours = model.predict(data, conditional=True)
    x = model.model_frame.rows_for(data)
    for subject in data["USUBJID"].unique()[:25]:
        rows = np.flatnonzero(data["USUBJID"] == subject)
        seen = data["CHG"].iloc[rows].notna().to_numpy()
        label = data["TRT01P"].iloc[rows[0]]
        sigma = (model.covariance[label] if group else model.covariance).to_numpy()
        root = np.sqrt(data["W"].iloc[rows]) if weights else np.ones(3)
        v = sigma / np.outer(root, root)
        b = v[~seen][:, seen] @ np.linalg.inv(v[seen][:, seen])
        residual = data["CHG"].iloc[rows[seen]] - x[rows[seen]] @ model.coef
        truth = x[rows[~seen]] @ model.coef + b @ residual
        np.testing.assert_allclose(ours["prediction"].iloc[rows[~seen]], truth, rtol=1e-8)
        np.testing.assert_allclose(
            ours["prediction"].iloc[rows[seen]], data["CHG"].iloc[rows[seen]], rtol=1e-8
        )
        left = np.diagonal(v[~seen][:, ~seen] - b @ v[seen][:, ~seen])
        np.testing.assert_allclose(ours["sd"].iloc[rows[~seen]], np.sqrt(left), rtol=1e-8)
        turned = x[rows[~seen]] - b @ x[rows[seen]]
        se = np.sqrt(np.diagonal(turned @ model.vcov @ turned.T))
        np.testing.assert_allclose(ours["se"].iloc[rows[~seen]], se, rtol=1e-8)
        assert (ours.iloc[rows[seen]][["se", "sd"]] == 0).all().all()


def test_conditional_prediction_uses_the_subjects_own_times() -> None:
    data = trial(n=50, missing=0.2)
    model = fit(data, covariance="spatial-exponential", time="ADY")
    ours = model.predict(data, conditional=True)
    sigma = model.covariance
    variance = sigma.iloc[0, 0]
    days = data.groupby("AVISIT", observed=True)["ADY"]
    mean = data[data["CHG"].notna()].groupby("AVISIT", observed=True)["ADY"].mean()
    scale = -(mean["Week 4"] - mean["Week 2"]) / np.log(sigma.loc["Week 2", "Week 4"] / variance)
    assert days.std().min() > 0
    incomplete = data["CHG"].isna().groupby(data["USUBJID"], observed=True).sum()
    subject = incomplete[(incomplete > 0) & (incomplete < 3)].index[0]
    rows = np.flatnonzero(data["USUBJID"] == subject)
    time = data["ADY"].iloc[rows].to_numpy()
    v = variance * np.exp(-np.abs(np.subtract.outer(time, time)) / scale)
    seen = data["CHG"].iloc[rows].notna().to_numpy()
    b = v[~seen][:, seen] @ np.linalg.inv(v[seen][:, seen])
    x = model.model_frame.rows_for(data.iloc[rows])
    residual = data["CHG"].iloc[rows[seen]] - x[seen] @ model.coef
    truth = x[~seen] @ model.coef + b @ residual
    np.testing.assert_allclose(ours["prediction"].iloc[rows[~seen]], truth, rtol=1e-7)


def test_marginal_prediction_is_the_mean_with_its_error() -> None:
    data = trial()
    model = fit(data)
    grid = pd.DataFrame({"TRT01P": ["LDN 4.5 mg"], "AVISIT": ["Week 4"], "BASE": [5.0]})
    row = model.lsmeans(at={"BASE": 5.0}).where(arm="LDN 4.5 mg", visit="Week 4").single()
    ours = model.predict(grid).iloc[0]
    assert ours["prediction"] == pytest.approx(row.estimate)
    assert ours["se"] == pytest.approx(row.se)
    assert len(model.predict()) == model.n_observations


def test_predictions_that_cannot_be_are_refused() -> None:
    data = trial()
    model = fit(data)
    with pytest.raises(tk.SpecError, match="needs a frame"):
        model.predict(conditional=True)
    with pytest.raises(tk.SpecError, match="outcome 'CHG' as a column"):
        model.predict(data.drop(columns="CHG"), conditional=True)
    with pytest.raises(tk.DataError, match=r"two rows at 'Week 2'"):
        model.predict(pd.concat([data, data.iloc[:1]]), conditional=True)
    with pytest.raises(tk.DataError, match="Week 99"):
        model.predict(data.assign(AVISIT="Week 99"), conditional=True)


@pytest.mark.parametrize("weight", [0.0, -1.0, np.nan])
def test_conditional_predictions_refuse_weights_that_are_none(weight: float) -> None:
    data = trial()
    model = fit(data, weights="W")
    with pytest.raises(tk.DataError, match="missing or not above zero in 1 row"):
        model.predict(data.assign(W=data["W"].where(data.index != 4, weight)), conditional=True)


def test_nothing_to_predict_is_refused() -> None:
    data = trial()
    with pytest.raises(tk.DataError, match="has no rows"):
        fit(data).predict(data.iloc[:0], conditional=True)


def test_conditional_predictions_refuse_a_subject_whose_group_changes() -> None:
    data = trial()
    model = fit(data, group="SEX", covariance="compound-symmetry")
    other = data.assign(SEX=["F", "M", "F", *data["SEX"].tolist()[3:]])
    with pytest.raises(tk.DataError, match=r"'S-000' changes 'SEX'"):
        model.predict(other, conditional=True)


def test_conditional_predictions_refuse_missing_and_tied_times() -> None:
    data = trial()
    model = fit(data, time="ADY", covariance="spatial-exponential")
    with pytest.raises(tk.DataError, match="1 missing value"):
        model.predict(data.assign(ADY=data["ADY"].where(data.index != 4)), conditional=True)
    with pytest.raises(tk.DataError, match="distinct times"):
        model.predict(data.assign(ADY=14.0), conditional=True)


@pytest.mark.parametrize("conditional", [False, True])
def test_prediction_of_an_arm_never_seen_at_a_visit_is_missing(conditional: bool) -> None:
    data = trial()
    is_empty = ((data["TRT01P"] != "Placebo") & (data["AVISIT"] == "Week 12")).to_numpy()
    model = fit(data[~is_empty], drop_aliased=True)
    wanted = data.assign(CHG=data["CHG"].mask(is_empty))
    ours = model.predict(wanted, conditional=conditional)
    assert ours.loc[is_empty, ["prediction", "se"]].isna().all(axis=None)
    assert ours.loc[~is_empty].notna().all(axis=None)


def test_simulated_outcome_has_a_seed_and_the_index_of_the_data() -> None:
    data = trial()
    model = fit(data)
    one, again = model.simulate(3), model.simulate(np.random.default_rng(3))
    pd.testing.assert_series_equal(one, again)
    assert one.index.equals(data.index[data["CHG"].notna()])
    assert one.name == "CHG"
    for nothing in (None, True, "7"):
        with pytest.raises(tk.SpecError, match="rng="):
            model.simulate(nothing)


def test_a_refit_of_a_simulated_outcome_finds_the_parameters() -> None:
    data = trial(n=600, missing=0.1)
    model = fit(data)
    again = fit(data.assign(CHG=model.simulate(11)))
    np.testing.assert_allclose(again.covariance, model.covariance, rtol=0.25)
    assert np.abs((again.coef - model.coef) / np.sqrt(np.diagonal(model.vcov))).max() < 4


def test_plots_draw_arms_over_visits_and_residuals() -> None:
    model = fit(trial())
    axes = model.plot()
    assert [text.get_text() for text in axes.get_xticklabels()] == VISITS
    assert [text.get_text() for text in axes.texts] == list(model.lsmeans().frame()["arm"].unique())
    assert model.plot(axes) is axes
    for kind in ("fitted", "normal"):
        assert model.plot_residuals(kind=kind).get_lines()
    with pytest.raises(tk.SpecError, match="kind='leverage'"):
        model.plot_residuals(kind="leverage")
    assert fit(trial(), "CHG ~ TRT01P + BASE").plot() is not None
    (line,) = fit(trial(), "CHG ~ AVISIT", arm=None, reference=None).plot().lines[:-1]
    assert len(line.get_ydata()) == len(VISITS)
