"""tk.mmrm beyond the reference pack: identities, invariances, refusals, and what follows a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk
from trialkit.analyses.mmrm_fit import MmrmFit

VISITS = ["Week 2", "Week 4", "Week 12"]
FORMULA = "CHG ~ TRT01P*AVISIT + BASE*AVISIT"


def trial(*, n: int = 40, seed: int = 1, missing: float = 0.12, arms: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    labels = ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]
    labels = labels[:1] + labels[-(arms - 1) :]
    arm = np.arange(n) % arms
    base = rng.normal(6, 1, n).round(2)
    scale = np.array([1.0, 1.3, 1.6])
    root = np.linalg.cholesky(
        0.6 ** np.abs(np.subtract.outer(np.arange(3), np.arange(3))) * np.outer(scale, scale)
    )
    change = rng.standard_normal((n, 3)) @ root.T - 0.4 * arm[:, None] - 0.2 * base[:, None]
    change[rng.random((n, 3)) < missing] = np.nan
    change[:6] = np.where(np.isnan(change[:6]), 0.3, change[:6])
    return pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S-{i:03d}" for i in range(n)], 3),
            "TRT01P": np.repeat(np.array(labels)[arm], 3),
            "AVISIT": VISITS * n,
            "AVISITN": [2, 4, 12] * n,
            "ADY": (14 * np.array([1, 2, 6] * n) + rng.integers(-2, 3, 3 * n)).astype(float),
            "BASE": np.repeat(base, 3),
            "SEX": np.repeat(np.where(rng.random(n) < 0.5, "F", "M"), 3),
            "W": rng.integers(2, 8, 3 * n) / 7,
            "CHG": change.ravel().round(3),
        }
    )


def fit(data: pd.DataFrame, formula: str = FORMULA, **kwargs: Any) -> MmrmFit:
    roles: dict[str, Any] = {
        "subject": "USUBJID",
        "visit": "AVISIT",
        "visit_order": VISITS,
        "arm": "TRT01P",
        "reference": "Placebo",
    }
    return tk.mmrm(formula, data, **(roles | kwargs))


def test_two_complete_visits_give_the_paired_t_test_exactly() -> None:
    data = trial(n=14, missing=0.0).query("AVISIT != 'Week 4'")
    change = data.pivot_table(index="USUBJID", columns="AVISIT", values="CHG", observed=True)
    difference = (change["Week 12"] - change["Week 2"]).to_numpy()
    for covariance in ("unstructured", "compound-symmetry"):
        model = fit(data, "CHG ~ AVISIT", arm=None, reference=None, covariance=covariance)
        row = model.coefficients().estimates[1]
        assert row.estimate == pytest.approx(difference.mean(), rel=1e-10)
        assert row.se == pytest.approx(difference.std(ddof=1) / np.sqrt(14), rel=1e-9)
        assert row.df == pytest.approx(13, rel=1e-8)
    assert "Kenward-Roger, observed information" in row.method


def test_one_visit_is_ancova() -> None:
    data = trial().query("AVISIT == 'Week 12'")
    model = fit(data, "CHG ~ TRT01P + BASE")
    least_squares = tk.ancova("CHG ~ TRT01P + BASE", data, arm="TRT01P", reference="Placebo")
    ours, theirs = model.contrasts().single(), least_squares.contrasts().single()
    for name in ("estimate", "se", "df", "p_value"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-8)
    assert model.covariance.iloc[0, 0] == pytest.approx(least_squares.sigma**2, rel=1e-8)


def test_complete_data_give_the_two_sample_t_test_at_each_visit() -> None:
    data = trial(n=20, missing=0.0)
    table = fit(data, "CHG ~ TRT01P*AVISIT").contrasts()
    for visit in VISITS:
        at = data[data["AVISIT"] == visit]
        simple = tk.ancova("CHG ~ TRT01P", at, arm="TRT01P", reference="Placebo")
        ours = table.where(visit=visit).single()
        theirs = simple.contrasts().single()
        assert ours.estimate == pytest.approx(theirs.estimate, rel=1e-9)
        assert ours.se == pytest.approx(theirs.se, rel=1e-8)
        assert ours.df == pytest.approx(18, rel=1e-7)


def test_contrasts_are_arm_minus_reference_at_each_visit_in_order() -> None:
    model = fit(trial(arms=3))
    table = model.contrasts().frame()
    assert table["visit"].tolist() == [v for v in VISITS for _ in range(2)]
    assert table["contrast"].tolist()[:2] == ["LDN 3.0 mg - Placebo", "LDN 4.5 mg - Placebo"]
    means = model.lsmeans()
    at = means.where(visit="Week 12").frame().set_index("arm")["estimate"]
    row = model.contrasts().where(visit="Week 12", contrast="LDN 4.5 mg - Placebo").single()
    assert row.estimate == pytest.approx(at["LDN 4.5 mg"] - at["Placebo"])
    assert row.n == model.n_subjects == 40
    assert row.estimate < 0


def test_average_over_visits_is_the_average() -> None:
    model = fit(trial())
    each = model.contrasts().frame().set_index("visit")["estimate"]
    mean = model.contrasts(visits={"Week 4": 0.5, "Week 12": 0.5}).single()
    assert mean.estimate == pytest.approx((each["Week 4"] + each["Week 12"]) / 2)
    assert len(model.contrasts(visits=["Week 12"])) == 1


def test_mvt_over_visits_lies_between_raw_and_bonferroni() -> None:
    model = fit(trial())
    table = model.contrasts(adjust="mvt", family="all").frame()
    assert (table["p_adjusted"] >= table["p_value"]).all()
    assert (table["p_adjusted"] <= np.minimum(1, 3 * table["p_value"]) + 1e-9).all()


def test_default_df_follows_method_and_covariance() -> None:
    data = trial()
    assert fit(data).options.df == "kenward-roger"
    assert fit(data, method="ml").options.df == "satterthwaite"
    robust = fit(data, vcov="CR2")
    assert robust.options.df == "satterthwaite"
    assert "robust CR2, Satterthwaite df" in robust.method
    assert "information" not in robust.method


def test_kenward_roger_differs_from_linear_where_sigma_is_not_linear() -> None:
    data = trial()
    both = [
        fit(data, covariance=c, df=d).contrasts().frame()["se"].to_numpy()
        for c in ("ar1-het", "unstructured")
        for d in ("kenward-roger", "kenward-roger-linear")
    ]
    assert np.abs(both[0] / both[1] - 1).max() > 1e-6
    np.testing.assert_allclose(both[2], both[3], rtol=1e-12)


def test_information_and_normal_reference_are_choices() -> None:
    data = trial()
    observed, expected = fit(data), fit(data, information="expected")
    assert "expected information" in expected.method
    assert not np.allclose(observed.vcov, expected.vcov, rtol=1e-6)
    normal = fit(data, df="normal").contrasts().estimates[0]
    assert normal.df == np.inf
    assert fit(data, df="residual").contrasts().estimates[0].df == np.sum(data.CHG.notna()) - 9
    test = fit(data, df="normal").type3().tests[-1]
    assert test.den_df == np.inf


def test_short_names_are_the_long_ones() -> None:
    data = trial()
    assert (
        fit(data, covariance="adh").deviance == fit(data, covariance="ante-dependence-het").deviance
    )


def test_covariance_by_arm_is_a_dict_in_the_order_of_arms() -> None:
    model = fit(trial(n=60), group="TRT01P")
    assert list(model.covariance) == ["Placebo", "LDN 4.5 mg"]
    for frame in model.covariance.values():
        assert frame.index.tolist() == frame.columns.tolist() == VISITS
    for frame in model.correlation.values():
        np.testing.assert_allclose(np.diagonal(frame), 1)
    assert "unstructured covariance by TRT01P" in model.method
    assert model.n_covariance_parameters == 12


def test_groups_fit_as_apart_where_the_mean_is_apart() -> None:
    data = trial(n=60, missing=0.0)
    joint = fit(data, "CHG ~ TRT01P*AVISIT", group="TRT01P")
    for arm, frame in joint.covariance.items():
        own = tk.mmrm(
            "CHG ~ AVISIT",
            data[data["TRT01P"] == arm],
            subject="USUBJID",
            visit="AVISIT",
            visit_order=VISITS,
        )
        np.testing.assert_allclose(frame, own.covariance, rtol=1e-8)


def test_spatial_exponential_of_equal_steps_is_ar1() -> None:
    data = trial().assign(STEP=lambda d: d["AVISITN"].map({2: 1.0, 4: 2.0, 12: 3.0}))
    spatial = fit(data, covariance="spatial-exponential", time="STEP", df="satterthwaite")
    ar1 = fit(data, covariance="ar1", df="satterthwaite")
    assert spatial.deviance == pytest.approx(ar1.deviance, rel=1e-9)
    np.testing.assert_allclose(spatial.covariance, ar1.covariance, rtol=1e-5)
    np.testing.assert_allclose(
        spatial.contrasts().frame()["df"], ar1.contrasts().frame()["df"], rtol=1e-5
    )
    own = fit(data, covariance="spatial-exponential", time="ADY")
    assert own.covariance.shape == (3, 3)


def test_equal_weights_of_any_size_scale_the_covariance_only() -> None:
    data = trial().assign(TWO=2.0)
    plain, doubled = fit(data), fit(data, weights="TWO")
    np.testing.assert_allclose(doubled.covariance, 2 * plain.covariance, rtol=1e-7)
    np.testing.assert_allclose(doubled.vcov, plain.vcov, rtol=1e-7, atol=1e-12)
    assert doubled.deviance == pytest.approx(plain.deviance, rel=1e-10)
    assert "weights TWO" in doubled.method


def test_type3_agrees_with_the_t_test_of_one_df() -> None:
    data = trial()
    model = fit(data, "CHG ~ TRT01P*AVISIT + BASE", covariance="compound-symmetry")
    row = model.type3().where(term="BASE")
    base = model.coefficients().where(term="BASE").single()
    assert row.tests[0].statistic == pytest.approx(base.statistic**2, rel=1e-8)
    assert row.tests[0].den_df == pytest.approx(base.df, rel=1e-8)
    assert row.tests[0].p_value == pytest.approx(base.p_value, rel=1e-7)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shift=st.floats(-50, 50),
    unit=st.sampled_from([1e-4, 0.1, 10.0, 1e5]),
)
def test_rows_labels_origin_and_unit_do_not_matter(seed: int, shift: float, unit: float) -> None:
    data = trial(seed=seed)
    own = fit(data).contrasts().frame()
    names = dict(zip(data["USUBJID"].unique(), range(1000, 1040), strict=True))
    changed = data.sample(frac=1, random_state=seed).assign(
        USUBJID=lambda d: d["USUBJID"].map(names),
        AVISIT=lambda d: d["AVISIT"].map({"Week 2": "a", "Week 4": "c", "Week 12": "b"}),
        CHG=lambda d: unit * (d["CHG"] + shift),
    )
    other = fit(changed, visit_order=["a", "c", "b"]).contrasts().frame()
    np.testing.assert_allclose(other["estimate"], unit * own["estimate"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(other["se"], unit * own["se"], rtol=1e-6)
    np.testing.assert_allclose(other["df"], own["df"], rtol=1e-6)


def test_exchanged_arms_turn_the_sign() -> None:
    data = trial()
    own = fit(data).contrasts().estimates[2]
    other = fit(data, reference="LDN 4.5 mg").contrasts().estimates[2]
    assert other.estimate == pytest.approx(-own.estimate, rel=1e-8)
    assert other.df == pytest.approx(own.df, rel=1e-8)
    assert other.label == "Placebo - LDN 4.5 mg"


def test_rows_left_out_are_counted() -> None:
    data = trial()
    data.loc[data.index[5], "BASE"] = np.nan
    model = fit(data)
    assert model.n_excluded == len(data) - model.n_observations
    assert model.missing["BASE"] == 1
    assert model.missing["CHG"] == int(data["CHG"].isna().sum())
    assert any("rows excluded" in note for note in model.contrasts().notes)


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


def test_a_factor_of_one_level_is_named_as_the_user_wrote_it() -> None:
    data = trial().query("AVISITN == 2")
    data = data.assign(AVISIT=pd.Categorical(data["AVISITN"]))
    with pytest.raises(tk.DataError, match=r"one level among the \d+ analysed rows \(2\)"):
        fit(data, "CHG ~ TRT01P*AVISIT", visit_order=None)


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


def test_weights_are_a_column_by_name() -> None:
    data = trial()
    with pytest.raises(tk.SpecError, match="by its name, not by a Series"):
        fit(data, weights=data["W"])


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


def test_means_without_an_arm_are_by_visit() -> None:
    data = trial(missing=0.0)
    model = fit(data, "CHG ~ AVISIT", arm=None, reference=None)
    table = model.lsmeans().frame()
    assert table.columns[0] == "visit"
    truth = data.groupby("AVISIT", observed=True)["CHG"].mean()
    np.testing.assert_allclose(table["estimate"], truth[table["visit"]])
    with pytest.raises(tk.SpecError, match="give arm= and reference="):
        model.contrasts()
    with pytest.raises(tk.SpecError, match="LS means without an arm"):
        fit(data, "CHG ~ BASE", arm=None, reference=None).lsmeans()
    assert "coefficient" in repr(model) or "term" in repr(model)


def test_aliased_columns_are_dropped_only_on_request() -> None:
    data = trial().assign(SAME=lambda d: np.where(d["TRT01P"] == "Placebo", "x", "y"))
    formula = "CHG ~ TRT01P*AVISIT + SAME + BASE"
    with pytest.raises(tk.DataError, match=r"coefficients that the others determine: SAME\[T.y\]"):
        fit(data, formula)
    model = fit(data, formula, drop_aliased=True)
    plain = fit(data, "CHG ~ TRT01P*AVISIT + BASE")
    assert "without aliased SAME[T.y]" in model.method
    assert model.deviance == pytest.approx(plain.deviance, rel=1e-9)
    row = model.coefficients().where(term="SAME[T.y]").single()
    assert row.status.startswith("aliased")
    assert model.coefficients().where(term="BASE").single().df == pytest.approx(
        plain.coefficients().where(term="BASE").single().df
    )
    assert model.scores().shape[1] == plain.scores().shape[1]
    assert (model.contrasts().frame()["status"] != "ok").all()


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


def test_the_fit_says_what_it_is() -> None:
    model = fit(trial())
    text = repr(model)
    assert "MMRM CHG ~ TRT01P*AVISIT + BASE*AVISIT" in text
    assert "40 subjects" in text
    assert "&" not in text
    assert "<table" in model._repr_html_()
    assert model.iterations >= 1
    assert model.gradient_norm < 1e-5
    assert model.log_likelihood == pytest.approx(-model.deviance / 2)
    with pytest.raises(AttributeError):
        model.method = "other"


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
