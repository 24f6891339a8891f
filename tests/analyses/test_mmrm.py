"""tk.mmrm beyond the reference pack: identities, choices, invariances, tables."""

from __future__ import annotations

import numpy as np
import pytest
from analyses.mmrm_trials import VISITS, fit, trial
from hypothesis import given, settings
from hypothesis import strategies as st

import trialkit as tk


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
