"""Phases of a fixed order against R's nlme, and by identities."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference.loader import assert_close, reference_case

import trialkit as tk
from trialkit.analyses.phase_contrast import PhaseFit

CASE = "crossover/g_fixed_sequence_diary"
PHASES = ["Baseline", "Placebo", "LDN", "Washout"]
ROLES: dict[str, Any] = {"outcome": "AVAL", "subject": "USUBJID", "phase": "APHASE", "day": "ADY"}


@cache
def fitted(random_subject: bool = True, reference: str = "Baseline") -> PhaseFit:
    return tk.phase_contrast(
        reference_case(CASE).data(),
        **ROLES,
        reference=reference,
        phase_order=PHASES,
        random_subject=random_subject,
    )


def same(ours: pd.DataFrame, theirs: pd.DataFrame, rtol: float = 1e-8) -> None:
    for name in ("estimate", "se", "df", "statistic", "ci_low", "ci_high"):
        assert_close(ours[name], theirs[name], rtol)
    assert_close(ours["p_value"], theirs["p_value"], 100 * rtol, atol=1e-300)


@pytest.mark.reference
@pytest.mark.parametrize(("analysis", "random_subject"), [("lme_ar1", True), ("gls_ar1", False)])
class TestReference:
    def test_coefficients(self, analysis: str, random_subject: bool) -> None:
        theirs = reference_case(CASE).table(analysis, "coefficients")
        names = ["Intercept", *(f"phase[T.{p}]" for p in PHASES[1:])]
        assert theirs["term"].tolist() == ["(Intercept)", *(f"APHASE{p}" for p in PHASES[1:])]
        ours = fitted(random_subject).coefficients().frame().set_index("term").loc[names]
        same(ours, theirs)

    def test_contrasts(self, analysis: str, random_subject: bool) -> None:
        theirs = reference_case(CASE).table(analysis, "contrasts")
        ours = fitted(random_subject).contrasts(kind="pairwise").frame().set_index("contrast")
        same(ours.loc[theirs["contrast"]], theirs)

    def test_covariance(self, analysis: str, random_subject: bool) -> None:
        expected, fit = reference_case(CASE)[analysis], fitted(random_subject)
        assert_close(fit.sd_residual, expected["sd_residual"], 1e-9)
        assert_close(fit.phi, expected["phi"], 1e-9)
        assert_close(fit.deviance, expected["deviance_reml"], 1e-12)
        assert np.isnan(fit.sd_between) != random_subject
        if random_subject:
            assert_close(fit.sd_between, expected["sd_between"], 1e-9)
            assert fit.contrasts().estimates[0].df == expected["df_containment"]
            b = fit.coef
            reported = np.concatenate([b, np.sqrt(np.diagonal(fit.vcov))])
            # nlme itself stops at about 1e-5 of the standard errors.
            assert_close(reported, expected["nlme_reported"], 1e-3, atol=1e-4)


@pytest.mark.reference
def test_phase_means_paired_t() -> None:
    """Subjects' phase means: a crossover of fixed subjects without periods is a paired t."""
    data = reference_case(CASE).data()
    means = data.groupby(["USUBJID", "APHASE"], observed=True)["AVAL"].mean().reset_index()
    theirs = reference_case(CASE).table("phase_means_paired_t").set_index("contrast")
    for label, expected in theirs.iterrows():
        test, reference = str(label).split(" - ")
        two = means[means["APHASE"].isin([test, reference])]
        fit = tk.crossover(
            two.assign(SEQ="fixed", PER=two["APHASE"].map(PHASES.index)),
            outcome="AVAL",
            subject="USUBJID",
            sequence="SEQ",
            period="PER",
            treatment="APHASE",
            reference=reference,
            subject_effect="fixed",
            period_effect=False,
        )
        same(fit.contrasts().frame(), pd.DataFrame([expected]), 1e-9)


def test_the_result_says_what_is_confounded() -> None:
    fit = fitted(reference="Placebo")
    assert "treatment is confounded with time" in fit.contrasts().notes[0]
    assert "treatment is confounded" in repr(fit)
    assert fit.frame()["contrast"].tolist() == [
        "Baseline - Placebo",
        "LDN - Placebo",
        "Washout - Placebo",
    ]
    assert fit.where(contrast="LDN - Placebo").single().estimate == fit.frame()["estimate"][1]


def test_the_reference_changes_labels_and_signs_alone() -> None:
    there = fitted().contrasts().where(contrast="LDN - Baseline").single()
    back = fitted(reference="LDN").contrasts().where(contrast="Baseline - LDN").single()
    assert_close([back.estimate, back.se], [-there.estimate, there.se], 1e-8)
    means = fitted().lsmeans().frame().set_index("phase")["estimate"]
    assert_close(means["LDN"] - means["Baseline"], there.estimate, 1e-9)


def diary(n: int = 6, days: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    who, when = np.divmod(np.arange(n * days), days)
    return pd.DataFrame(
        {
            "USUBJID": who,
            "ADY": when + 1,
            "APHASE": np.where(when < days // 2, "Placebo", "LDN"),
            "AVAL": 50 + 5 * rng.normal(size=n)[who] + rng.normal(size=n * days),
        }
    )


def contrast(data: pd.DataFrame, **choices: Any) -> PhaseFit:
    given = {"reference": "Placebo", "phase_order": ["Placebo", "LDN"], **choices}
    return tk.phase_contrast(data, **{**ROLES, **given})


def test_independent_days_on_complete_data_are_the_fixed_subject_analysis() -> None:
    data = diary()
    row = contrast(data, correlation="independent").contrasts().single()
    dummies = np.eye(6)[data["USUBJID"]]
    x = np.column_stack([dummies, data["APHASE"] == "LDN"])
    b, rss, *_ = np.linalg.lstsq(x, data["AVAL"], rcond=None)
    se = np.sqrt(rss[0] / (120 - 7) * np.linalg.inv(x.T @ x)[-1, -1])
    assert_close([row.estimate, row.se, row.df], [b[-1], se, 113], 1e-7)
    satterthwaite = contrast(data, correlation="independent", df="satterthwaite")
    assert_close(satterthwaite.contrasts().single().df, 113, 1e-6)


def test_without_subjects_and_correlation_it_is_least_squares() -> None:
    data = diary()
    fit = contrast(data, correlation="independent", random_subject=False)
    table = tk.ttest(data, outcome="AVAL", arm="APHASE", reference="Placebo", equal_var=True)
    row, theirs = fit.contrasts().single(), table.single()
    assert_close([row.estimate, row.se, row.df], [theirs.estimate, theirs.se, theirs.df], 1e-9)


def test_degrees_of_freedom_of_the_serial_model() -> None:
    data = reference_case(CASE).data()
    given = {"reference": "Baseline", "phase_order": PHASES}
    df = {
        name: tk.phase_contrast(data, **ROLES, **given, df=name).contrasts().estimates[0].df
        for name in ("satterthwaite", "residual", "normal")
    }
    assert df["normal"] == np.inf
    assert df["residual"] == len(data) - 4
    # Correlated days carry less than as many independent ones.
    assert 10 < df["satterthwaite"] < df["residual"]


def test_rows_without_outcome_are_counted() -> None:
    data = diary()
    data.loc[[1, 30], "AVAL"] = np.nan
    fit = contrast(data, correlation="independent")
    assert fit.n_observations == 118
    assert any("118 of 120 rows analysed" in note for note in fit.notes)
    assert_close(
        fit.frame()["estimate"],
        contrast(data.dropna(), correlation="independent").frame()["estimate"],
        1e-12,
    )


def test_refusals() -> None:
    data = diary()
    with pytest.raises(tk.DataError, match="phase_order="):
        contrast(data, phase_order=None)
    with pytest.raises(tk.DataError, match="is not a phase"):
        contrast(data, reference="Drug")
    with pytest.raises(tk.DataError, match=r"Subject 0 has more than one row on ADY 1 \(1 row"):
        contrast(pd.concat([data, data.iloc[:1]]))
    with pytest.raises(tk.DataError, match="ADY' is missing in 1 row"):
        contrast(data.assign(ADY=[np.nan, *data["ADY"][1:]]))
    with pytest.raises(tk.SpecError, match="allowed: ar1, independent"):
        contrast(data, correlation="toeplitz")
    with pytest.raises(tk.ConvergenceError, match="independent"):
        contrast(data)
    with pytest.raises(tk.SpecError, match="is for random subjects"):
        contrast(data, random_subject=False, df="containment")
    with pytest.raises(tk.DataError, match="no value"):
        contrast(data.assign(AVAL=np.nan))


def two_phases(drop: np.ndarray, seed: int) -> pd.DataFrame:
    """Eight subjects, 14 days of placebo and 42 of a drug that lowers day d of it by `drop[d]`."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(8):
        error = rng.normal(0, 6)
        level = rng.normal(60, 10)
        for day in range(56):
            error = 0.5 * error + rng.normal(0, 6 * np.sqrt(0.75))
            effect = drop[day - 14] if day >= 14 else 0.0
            phase = "Placebo" if day < 14 else "LDN"
            rows.append((subject, phase, day, level - effect + error))
    return pd.DataFrame(rows, columns=["USUBJID", "APHASE", "ADY", "AVAL"])


def of_diary(data: pd.DataFrame, **options: Any) -> PhaseFit:
    order = ["Placebo", "LDN"]
    return tk.phase_contrast(data, **ROLES, reference="Placebo", phase_order=order, **options)


def test_a_gradual_change_is_noted_and_a_step_is_not() -> None:
    gradual = np.minimum(np.arange(42), 28.0)
    fit = of_diary(two_phases(gradual, seed=11))
    (note,) = [text for text in fit.contrasts().notes if "step" in text]
    row = fit.contrasts().single()
    data = two_phases(gradual, seed=11)
    means = data.groupby(["USUBJID", "APHASE"])["AVAL"].mean().unstack()
    plain = (means["LDN"] - means["Placebo"]).mean()
    apart = abs(row.estimate - plain) / row.se
    assert f"{row.estimate:.4g} with correlated days, {plain:.4g} as the plain" in note
    assert f"{apart:.1f} standard errors apart" in note
    assert note.startswith("LDN - Placebo: ")
    assert not any(
        "step" in text for text in of_diary(two_phases(np.full(42, 15.0), seed=11)).notes
    )
    # Independent errors take nothing for autocorrelation: that fit is the plain difference.
    independent = of_diary(data, correlation="independent")
    assert independent.contrasts().single().estimate == pytest.approx(plain, rel=1e-9)
    assert not any("step" in text for text in independent.notes)


def test_phases_of_different_subjects_are_refused() -> None:
    data = two_phases(np.minimum(np.arange(42), 28.0), seed=11)
    apart = data[(data["USUBJID"] < 4) == (data["APHASE"] == "LDN")]
    with pytest.raises(tk.DesignError, match="No subject has two phases of column 'APHASE'"):
        of_diary(apart)


def test_a_phase_of_other_subjects_leaves_no_plain_difference_to_note() -> None:
    data = two_phases(np.minimum(np.arange(42), 28.0), seed=11)
    phases = ["Placebo", "LDN", "Later"]
    others = data["USUBJID"] >= 6
    moved = data.assign(APHASE=data["APHASE"].mask(others, "Later"))
    fit = tk.phase_contrast(moved, **ROLES, reference="Placebo", phase_order=phases)
    assert len(fit.contrasts()) == 2
    assert not any("step" in text for text in fit.notes)


def test_phases_in_different_orders_are_a_crossover() -> None:
    data = diary()
    turned = data["USUBJID"] == 1
    data.loc[turned, "ADY"] = -data.loc[turned, "ADY"]
    with pytest.raises(tk.DesignError, match=r"Subject 1 enters phase .* before .*trialkit.cross"):
        contrast(data, correlation="independent")
    # To return to a phase is no other order.
    back = diary()
    last = back.groupby("USUBJID")["ADY"].transform("max")
    back.loc[back["ADY"] == last, "APHASE"] = back["APHASE"].iloc[0]
    assert len(contrast(back, correlation="independent").frame()) == len(
        contrast(diary(), correlation="independent").frame()
    )


def test_roles_that_cannot_be() -> None:
    data = diary()
    with pytest.raises(tk.SpecError, match="random_subject='no' is not offered"):
        contrast(data, random_subject="no")
    with pytest.raises(tk.SpecError, match="are four columns; got ADY"):
        contrast(data, outcome="ADY")
    with pytest.raises(tk.SpecError, match="is the column of the phases itself"):
        contrast(data, phase_order="APHASE")
    with pytest.raises(tk.SpecError, match="phase_order=5 is neither a list"):
        contrast(data, phase_order=5)
    with pytest.raises(tk.DataError, match="values that are not labels"):
        contrast(data.assign(USUBJID=[[i] for i in data["USUBJID"]]))


def test_means_count_subjects_and_not_their_days() -> None:
    data = pd.DataFrame(
        [
            {"ID": who, "DAY": day, "PH": 1 + (day > 4), "Y": 4.0 * who + day**2 % 7}
            for who in range(5)
            for day in range(1, 9)
            if who > 0 or day <= 4
        ]
    )
    fit = tk.phase_contrast(
        data,
        outcome="Y",
        subject="ID",
        phase="PH",
        day="DAY",
        reference=1,
        correlation="independent",
        df="satterthwaite",
    )
    assert fit.lsmeans().frame()["n"].tolist() == [5, 4]
    assert "Satterthwaite df" in fit.method


def test_one_subject_has_no_variance_between() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {"ID": "a", "DAY": range(30), "PH": [1] * 15 + [2] * 15, "Y": rng.normal(size=30)}
    )
    roles: dict[str, Any] = {"outcome": "Y", "subject": "ID", "phase": "PH", "day": "DAY"}
    choices: dict[str, Any] = {"reference": 1, "correlation": "independent"}
    with pytest.raises(tk.DataError, match=r"One subject \('a'\).*random_subject=False"):
        tk.phase_contrast(data, **roles, **choices)
    own = tk.phase_contrast(data, **roles, **choices, random_subject=False)
    plain = tk.ttest(data, outcome="Y", arm="PH", reference=1, equal_var=True).single()
    row = own.contrasts().single()
    assert_close(
        [row.estimate, row.se, row.p_value], [plain.estimate, plain.se, plain.p_value], 1e-9
    )
