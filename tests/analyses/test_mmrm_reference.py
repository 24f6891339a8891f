"""tk.mmrm against R's mmrm 0.3.18 on every case of the reference pack.

Kenward-Roger: the tables under `kenward_roger_linear` do not depend on the parametrisation and
are compared with our linear form, and with our Kenward-Roger where Sigma is linear in its
natural parameters. `kenward_roger` holds in mmrm's own parameters and is compared in
tests/kernels/mmrm/test_reference_parameters.py.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reference.loader import ROOT, assert_close, reference_case

import trialkit as tk
from trialkit.analyses.mmrm_fit import MmrmFit

pytestmark = pytest.mark.reference

CASES = sorted(path.parent.name for path in (ROOT / "mmrm").glob("*/expected.json"))
LINEAR = ("us", "toep", "cs")
ROBUST = {"empirical": "CR0", "empirical_jackknife": "CR3", "empirical_bias_reduced": "CR2"}
# Reference key -> our df; None: which kernels the value checks depends on the structure.
METHODS = {
    "satterthwaite": ("satterthwaite",),
    "kenward_roger_linear": ("kenward-roger-linear",),
    "between_within": ("between-within",),
    "residual": ("residual",),
}


def options(case: str, key: str) -> dict[str, Any]:
    """How R's call reads here."""
    call = "".join(reference_case(f"mmrm/{case}")[key]["call"].split())
    base = "BASE*AVISIT" if "BASE*AVISIT" in call else "BASE"
    formula = f"CHG ~ TRT01P*AVISIT + {base}"
    if "STRATA1" in call:
        formula += " + STRATA1"
    has_arm = "TRT01P" in call
    return {
        "formula": formula if has_arm else "AVAL ~ AVISIT",
        "covariance": key.split("_")[0],
        "method": "ml" if key.endswith("_ml") else "reml",
        "group": "TRT01P" if "by_arm" in key else None,
        "weights": "WEIGHT" if "weights" in call else None,
        "arm": "TRT01P" if has_arm else None,
        "reference": "Placebo" if has_arm else None,
    }


@cache
def fitted(case: str, key: str, df: str | None = None, vcov: str | None = None) -> MmrmFit:
    data = reference_case(f"mmrm/{case}").data()
    if "NDIARY" in data:
        data["WEIGHT"] = data["NDIARY"] / 7
    chosen = options(case, key)
    return tk.mmrm(
        chosen.pop("formula"),
        data,
        subject="USUBJID",
        visit="AVISIT",
        visit_order="AVISITN",
        df=df,
        vcov=vcov,
        **chosen,
    )


def grid(*needed: str) -> list[tuple[str, str]]:
    return [
        (case, key)
        for case in CASES
        for key, analysis in reference_case(f"mmrm/{case}").analyses.items()
        if all(name in analysis for name in needed)
    ]


def rows_of(name: str) -> list[tuple[str, str, str]]:
    return [(case, key, method) for case, key in grid(name) for method in METHODS[name]]


# The Kenward-Roger of natural parameters is the linear one where Sigma is linear in them.
INFERENCE = [
    *(row for name in METHODS for row in rows_of(name)),
    *(
        (case, key, "kenward-roger")
        for case, key in grid("kenward_roger_linear")
        if key.split("_")[0] in LINEAR
    ),
]


def r_term(name: str) -> str:
    """Our column in R's spelling, with the parts of an interaction sorted."""
    if name == "Intercept":
        return "(Intercept)"
    return ":".join(sorted(part.replace("[T.", "").replace("]", "") for part in name.split(":")))


def compare(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, rtol: float, df_rtol: float, atol: float
) -> None:
    assert len(ours) == len(theirs) > 0
    for name in ("estimate", "se", "ci_low", "ci_high", "statistic"):
        scale = np.abs(theirs["se"]).to_numpy() if name != "statistic" else 1.0
        gap = np.abs(ours[name].to_numpy() - theirs[name].to_numpy())
        assert (gap <= rtol * np.abs(theirs[name].to_numpy()) + atol * scale).all(), name
    assert_close(ours["df"], theirs["df"], rtol=df_rtol)
    assert_close(ours["p_value"], theirs["p_value"], rtol=max(df_rtol, 1e-5), atol=1e-14)


def tolerances(case: str, key: str) -> dict[str, float]:
    """The case READMEs': f is nearly singular, d allows 1e-6."""
    if case.startswith("f_"):
        loose = 1e-4 if key.startswith("us") else 1e-6
        return {"rtol": loose, "df_rtol": max(loose, 1e-5), "atol": loose}
    rtol = 1e-6 if case.startswith("d_") else 1e-7
    return {"rtol": rtol, "df_rtol": 1e-5, "atol": rtol}


def reference_table(case: str, key: str, block: str, name: str) -> pd.DataFrame:
    return pd.DataFrame(reference_case(f"mmrm/{case}")[key][block][name])


def check_block(fit: MmrmFit, case: str, key: str, block: str, weights: str = "equal") -> None:
    expected = reference_case(f"mmrm/{case}")[key][block]
    limits = tolerances(case, key)
    if "fixed_effects" in expected:
        theirs = reference_table(case, key, block, "fixed_effects")
        theirs.index = [":".join(sorted(term.split(":"))) for term in theirs["term"]]
        ours = fit.coefficients().frame()
        compare(ours, theirs.loc[[r_term(name) for name in ours["term"]]], **limits)
    if "lsmeans" in expected:
        theirs = reference_table(case, key, block, "lsmeans").set_index(["TRT01P", "AVISIT"])
        ours = fit.lsmeans(weights=weights).frame()
        labels = list(zip(ours["arm"], ours["visit"], strict=True))
        compare(ours, theirs.loc[labels], **limits)
        theirs = reference_table(case, key, block, "differences")
        theirs["contrast"] = theirs["contrast"].str.replace("[()]", "", regex=True)
        ours = fit.contrasts(weights=weights).frame()
        labels = list(zip(ours["contrast"], ours["visit"], strict=True))
        compare(ours, theirs.set_index(["contrast", "AVISIT"]).loc[labels], **limits)
    if "type3" in expected:
        theirs = reference_table(case, key, block, "type3")
        theirs.index = [":".join(sorted(term.split(":"))) for term in theirs["term"]]
        ours = (
            fit.type3()
            .where(term=[t for t in fit.type3().frame()["term"] if t != "Intercept"])
            .frame()
        )
        theirs = theirs.loc[[r_term(name) for name in ours["term"]]]
        assert_close(ours["num_df"], theirs["num_df"], rtol=0)
        assert_close(ours["statistic"], theirs["statistic"], rtol=10 * limits["rtol"])
        assert_close(ours["den_df"], theirs["den_df"], rtol=limits["df_rtol"])
        assert_close(ours["p_value"], theirs["p_value"], rtol=1e-5, atol=1e-14)


def test_the_whole_grid_is_here() -> None:
    structures = {"us", "toep", "toeph", "ar1", "ar1h", "ad", "adh", "cs", "csh"}
    assert [case[0] for case in CASES] == list("abcdef")
    a = [key for case, key in grid("deviance") if case.startswith("a_")]
    assert set(a) == {f"{s}_reml" for s in structures} | {"us_ml", "cs_ml", "ar1h_ml"}
    seen = {(case[0], method) for case, _, method in INFERENCE}
    for case in "acef":
        assert {m for c, m in seen if c == case} == {
            "satterthwaite",
            "kenward-roger-linear",
            "kenward-roger",
            "between-within",
            "residual",
        }
    assert {m for c, m in seen if c == "b"} == {
        "satterthwaite",
        "kenward-roger-linear",
        "kenward-roger",
        "between-within",
    }
    for case, key in grid("deviance"):
        blocks = {n for n in METHODS if n in reference_case(f"mmrm/{case}")[key]}
        assert blocks >= {"satterthwaite", "between_within"}, (case, key)
    assert len(ROBUST_GRID) == 3 * 3 * 3


@pytest.mark.parametrize(("case", "key"), grid("deviance"))
def test_fit(case: str, key: str) -> None:
    expected = reference_case(f"mmrm/{case}")[key]
    fit = fitted(case, key, "residual")
    hard = case.startswith("f_")
    assert_close(fit.deviance, expected["deviance"], rtol=1e-6 if hard else 1e-9)
    assert_close(fit.log_likelihood, expected["logLik"], rtol=1e-6 if hard else 1e-9)
    for name in ("aic", "aicc", "bic"):
        assert_close(getattr(fit, name), expected[name], rtol=1e-6 if hard else 1e-9)
    assert fit.n_subjects == expected["n_subjects"]
    assert fit.n_observations == expected["n_obs"]
    assert fit.n_covariance_parameters == expected["n_theta"]
    grouped = "rows" not in expected["covariance"]
    theirs = expected["covariance"] if grouped else {None: expected["covariance"]}
    ours = fit.covariance if grouped else {None: fit.covariance}
    assert set(ours) == set(theirs)
    for label, matrix in theirs.items():
        frame = ours[label].loc[matrix["rows"], matrix["cols"]]
        assert_close(frame, matrix["values"], rtol=1e-4 if hard else 1e-6)
    if "beta_vcov" in expected:
        names = [":".join(sorted(t.split(":"))) for t in expected["beta_vcov"]["rows"]]
        order = [names.index(r_term(name)) for name in fit.columns]
        truth = np.array(expected["beta_vcov"]["values"])[np.ix_(order, order)]
        assert_close(fit.vcov, truth, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(("case", "key", "method"), INFERENCE)
def test_inference(case: str, key: str, method: str) -> None:
    name = "kenward_roger_linear" if method == "kenward-roger" else method.replace("-", "_")
    check_block(fitted(case, key, method), case, key, name)


@pytest.mark.parametrize(("case", "key"), grid("satterthwaite_lsmeans_proportional_strata"))
def test_observed_weights_of_strata(case: str, key: str) -> None:
    fit = fitted(case, key, "satterthwaite")
    block = "satterthwaite_lsmeans_proportional_strata"
    check_block(fit, case, key, block, weights="observed")


ROBUST_GRID = [
    (case, key, *name.split("__"))
    for case in CASES
    for key, analysis in reference_case(f"mmrm/{case}").analyses.items()
    for name in analysis
    if "__" in name
]


@pytest.mark.parametrize(("case", "key", "vcov", "df"), ROBUST_GRID)
def test_robust_covariance(case: str, key: str, vcov: str, df: str) -> None:
    fit = fitted(case, key, df.replace("_", "-"), ROBUST[vcov])
    check_block(fit, case, key, f"{vcov}__{df}")
    block = reference_case(f"mmrm/{case}")[key][f"{vcov}__{df}"]
    if "vcov" in block:
        names = [":".join(sorted(t.split(":"))) for t in block["vcov"]["rows"]]
        order = [names.index(r_term(name)) for name in fit.columns]
        truth = np.array(block["vcov"]["values"])[np.ix_(order, order)]
        assert_close(fit.vcov, truth, rtol=1e-6, atol=1e-10)


def test_two_complete_visits_are_the_paired_t_test() -> None:
    case = next(name for name in CASES if name.startswith("e_"))
    paired = reference_case(f"mmrm/{case}")["paired_t"]
    row = fitted(case, "us_reml").coefficients().estimates[1]
    for name in ("estimate", "se", "df", "statistic", "p_value", "ci_low", "ci_high"):
        assert_close(getattr(row, name), paired[name], rtol=1e-9)


@pytest.mark.parametrize("key", ["random_subject", "random_subject_no_sequence"])
def test_expected_information_is_pbkrtest(key: str) -> None:
    """A random intercept is compound symmetry, as long as its variance is above zero."""
    reference = reference_case("crossover/b_ab_ba_missing")
    expected = reference[key]
    sequence = "" if "no_sequence" in key else " + SEQ"
    fit = tk.mmrm(
        f"AVAL ~ TRTA + PERIOD{sequence}",
        reference.data(),
        subject="USUBJID",
        period="PERIOD",
        arm="TRTA",
        reference="Placebo",
        period_covariance="cs",
        information="expected",
    )
    if expected["sd_between"] == 0:  # lmer stops at the bound, this model does not
        assert fit.deviance < expected["deviance_reml"]
        return
    assert_close(fit.deviance, expected["deviance_reml"], rtol=1e-9)
    assert_close(fit.covariance.iloc[0, 1], expected["sd_between"] ** 2, rtol=1e-6)
    theirs = pd.DataFrame(expected["kenward_roger"]["fixed_effects"])
    ours = fit.coefficients().frame()
    for name in ("estimate", "se", "df", "p_value"):
        assert_close(ours[name], theirs[name], rtol=1e-6)
