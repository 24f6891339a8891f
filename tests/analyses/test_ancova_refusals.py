"""What tk.ancova refuses, and designs of less than full rank."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from analyses.ancova_trials import fit_of, trial
from reference.loader import assert_close

from trialkit.errors import DataError, SpecError


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("CHG ~ BASE", {}, "has no term with the arm 'TRT01P'; it has BASE"),
        ("CHG ~ TRT01P", {"vcov": "HC5"}, "vcov='HC5' is not offered; allowed: ols, HC0"),
        ("CHG", {}, "not of the form"),
    ],
)
def test_specifications_that_are_refused(
    formula: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        fit_of(trial(), formula, **options)


@pytest.mark.parametrize(
    ("formula", "options", "message"),
    [
        ("CHG ~ TRT01P", {"reference": "PBO"}, "'PBO' is not an arm.*'LDN 3.0 mg'"),
        ("CHG ~ ARMCD", {"arm": "ARMCD"}, "No column 'ARMCD'"),
        ("CHG ~ TRT01P + BASE + BASE2", {}, r"that the others determine: BASE2\."),
        ("CHG ~ TRT01P*CELL", {}, r"determine: TRT01P\[T.LDN 4.5 mg\]:CELL\[T.v\]"),
        ("CONSTANT ~ TRT01P", {}, "is 3 in all 48 analysed rows"),
        ("DOUBLE ~ TRT01P + BASE", {}, "reproduces the outcome exactly"),
        ("CHG ~ TRT01P + ONCE", {"vcov": "HC3"}, "1 row.s., the first 17, have leverage one"),
        ("CHG ~ TRT01P + LOST", {}, "Level 'LDN 3.0 mg' of 'TRT01P' has no analysed row"),
        ("CHG ~ TRT01P", {"subject": "SITE"}, "1 subject.s. have more than one .* 'same' with 48"),
    ],
)
def test_data_that_are_refused(formula: str, options: dict[str, object], message: str) -> None:
    data = trial()
    data = data.assign(
        BASE2=2 * data["BASE"] - 1,
        CELL=["v" if arm == "Placebo" or i % 2 else "u" for i, arm in enumerate(data["TRT01P"])],
        CONSTANT=3.0,
        DOUBLE=2 * data["BASE"],
        ONCE=["x" if i == 17 else "y" for i in range(48)],
        LOST=[np.nan if arm == "LDN 3.0 mg" else 1.0 * i for i, arm in enumerate(data["TRT01P"])],
        SITE="same",
    )
    data.loc[data["TRT01P"] == "LDN 4.5 mg", "CELL"] = "u"
    data.loc[0, "CELL"] = "u"
    with pytest.raises(DataError, match=message):
        fit_of(data, formula, **options)


def test_leverage_one_is_no_obstacle_to_the_others() -> None:
    data = trial()
    data["ONCE"] = ["x" if i == 17 else "y" for i in range(48)]
    for vcov in ("ols", "HC0", "HC1"):
        fit = fit_of(data, "CHG ~ TRT01P + ONCE", vcov=vcov)
        without = fit_of(data.drop(index=17), "CHG ~ TRT01P")
        assert_close(fit.coef[1:3], without.coef[1:], rtol=1e-9)


def test_no_residual_degrees_of_freedom() -> None:
    data = trial().iloc[:3]
    with pytest.raises(DataError, match="3 analysed rows leave no residual degrees of freedom"):
        fit_of(data, "CHG ~ TRT01P")
    with pytest.raises(DataError, match="3 analysed rows cannot determine 4 coefficients"):
        fit_of(data, "CHG ~ TRT01P + BASE")


def test_one_arm_is_nothing_to_compare() -> None:
    data = trial()
    with pytest.raises(DataError, match=r"one level among .*: there is nothing to compare"):
        fit_of(data[data["TRT01P"] == "Placebo"], "CHG ~ TRT01P + BASE")


def test_repeated_subjects_are_refused_only_when_declared() -> None:
    data = pd.concat([trial(), trial().iloc[:2]], ignore_index=True)
    with pytest.raises(DataError, match=r"2 subject.s. have more than one analysed row, the first"):
        fit_of(data, subject="USUBJID")
    data.loc[[48, 49], "CHG"] = np.nan
    assert fit_of(data, subject="USUBJID").n == 48


def test_dropped_aliased_coefficients_leave_some_means_undetermined() -> None:
    """No woman took the higher dose: her mean is not estimable, and nor is that arm's."""
    data = trial()
    data = data[~((data["TRT01P"] == "LDN 4.5 mg") & (data["SEX"] == "F"))]
    fit = fit_of(data, "CHG ~ TRT01P*SEX + BASE", drop_aliased=True)
    assert [name for name, out in zip(fit.columns, fit.aliased, strict=True) if out] == [
        "TRT01P[T.LDN 4.5 mg]:SEX[T.M]"
    ]
    coefficients = fit.coefficients().frame().set_index("term")
    assert coefficients["status"].iloc[-1] == "aliased: a combination of columns before it"
    assert np.isnan(coefficients["estimate"].iloc[-1])
    assert (coefficients["status"].iloc[:-1] == "ok").all()
    means = fit.lsmeans()
    assert [row.status.split(":")[0] for row in means.estimates] == ["ok", "ok", "not estimable"]
    assert np.isnan(means.estimates[2].estimate)
    within = fit.lsmeans(by="SEX")
    assert within.where(SEX="M", arm="LDN 4.5 mg").single().status == "ok"
    assert within.where(SEX="F", arm="LDN 4.5 mg").single().status.startswith("not estimable")
    contrasts = fit.contrasts(by="SEX")
    assert contrasts.where(SEX="F").frame()["status"].str.startswith("not").tolist() == [0, 1]
    assert "without aliased TRT01P[T.LDN 4.5 mg]:SEX[T.M]" in means.estimates[0].method
    fixed = fit.lsmeans(at={"SEX": "M"})
    assert (fixed.frame()["status"] == "ok").all()
    with pytest.raises(DataError, match=r"Type III tests .* are not defined"):
        fit.type3()
    with pytest.raises(DataError, match=r"needs the joint distribution .* has none"):
        fit.contrasts(adjust="dunnett")
    bonferroni = fit.contrasts(adjust="bonferroni").frame()
    assert_close(bonferroni["p_adjusted"][0], min(1, 2 * bonferroni["p_value"][0]), rtol=1e-12)
    assert bonferroni[["p_adjusted", "ci_low_adjusted"]].iloc[1].isna().all()
