"""mmrm's "Kenward-Roger", which holds in its own parameters: our kernel, handed those.

The kernel does not know the parameters it is given, so agreement here is evidence for the
second-derivative term that no published value in natural parameters gives.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from kernels.mmrm.mmrm_parameters import parameters, sigma
from reference.loader import ROOT, assert_close, reference_case

from trialkit.kernels.mmrm.fit import MarginalFit, fit_marginal
from trialkit.kernels.mmrm.information import covariance_information
from trialkit.kernels.mmrm.kenward_roger import adjusted_covariance, kenward_roger_df
from trialkit.kernels.mmrm.layout import layout

pytestmark = pytest.mark.reference

NAMES = {
    "us": "unstructured",
    "toep": "toeplitz",
    "toeph": "toeplitz-het",
    "ar1": "ar1",
    "ar1h": "ar1-het",
    "cs": "compound-symmetry",
    "csh": "compound-symmetry-het",
    "ad": "ante-dependence",
    "adh": "ante-dependence-het",
}
CASES = sorted(path.parent.name for path in (ROOT / "mmrm").glob("*/expected.json"))
GRID = [
    (case, key)
    for case in CASES
    for key, analysis in reference_case(f"mmrm/{case}").analyses.items()
    if "kenward_roger" in analysis
]


def fit_of(case: str, key: str) -> tuple[MarginalFit, list[str], list[object]]:
    """The fit of a case, its columns in R's spelling, and its covariance groups."""
    reference = reference_case(f"mmrm/{case}")
    call = reference[key]["call"]
    data = reference.data()
    outcome = "AVAL" if "AVAL ~" in call else "CHG"
    visits = data.drop_duplicates("AVISITN").sort_values("AVISITN")["AVISIT"].tolist()
    data = data[data[outcome].notna()]
    visit = pd.Categorical(data["AVISIT"], categories=visits).codes.astype(np.int64)
    dummies = {f"AVISIT{v}": (data["AVISIT"] == v).to_numpy(float) for v in visits[1:]}
    columns = {"(Intercept)": np.ones(len(data)), **dummies}
    arms: list[object] = []
    if "TRT01P" in call:
        arms = ["Placebo", *sorted(set(data["TRT01P"]) - {"Placebo"})]
        treated = {f"TRT01P{a}": (data["TRT01P"] == a).to_numpy(float) for a in arms[1:]}
        base = data["BASE"].to_numpy(float)
        columns |= treated | {"BASE": base}
        columns |= {f"{t}:{v}": treated[t] * dummies[v] for t in treated for v in dummies}
        if "BASE*AVISIT" in call.replace(" ", ""):
            columns |= {f"{v}:BASE": dummies[v] * base for v in dummies}
        if "STRATA1" in call:
            columns["STRATA1NONE"] = (data["STRATA1"] == "NONE").to_numpy(float)
    grouped = "by_arm" in key
    arm = pd.Categorical(data["TRT01P"], categories=arms).codes if grouped else None
    lay = layout(
        subject=pd.factorize(data["USUBJID"])[0].astype(np.int64),
        visit=visit,
        n_visits=len(visits),
        group=None if arm is None else arm.astype(np.int64),
        n_groups=len(arms) if grouped else 1,
    )
    fit = fit_marginal(
        np.column_stack(list(columns.values())),
        data[outcome].to_numpy(float),
        layout=lay,
        covariance=NAMES[key.split("_")[0]],
        weights=data["NDIARY"].to_numpy(float) / 7 if "weights" in call else None,
    )
    return fit, list(columns), arms


def test_grid_has_every_kind_of_case() -> None:
    assert {key.split("_")[0] for _, key in GRID} == set(NAMES)
    assert {case[0] for case, _ in GRID} == set("abcef")


@pytest.mark.parametrize(("case", "key"), GRID)
def test_kenward_roger_in_mmrm_parameters(case: str, key: str) -> None:
    fit, columns, _ = fit_of(case, key)
    analysis = reference_case(f"mmrm/{case}")[key]
    short = key.split("_")[0]
    theta = np.split(np.array(analysis["theta"]), fit.patterns.n_groups)
    for each, own in zip(theta, fit.sigma, strict=True):
        assert_close(sigma(short, each, fit.patterns.n_visits), own[0], rtol=1e-6)
    naturals = [
        parameters(short, each, fit.patterns.n_visits, np.log(fit.basis.scale)) for each in theta
    ]
    information = covariance_information(fit, naturals=naturals)
    adjusted = fit.basis.covariance(adjusted_covariance(fit, information))
    se = np.sqrt(np.diagonal(adjusted))
    df = kenward_roger_df(fit, information, fit.basis.contrasts(np.eye(len(columns))))
    table = pd.DataFrame(analysis["kenward_roger"]["fixed_effects"]).set_index("term")
    rows = table.loc[[name if name in table.index else _swapped(name) for name in columns]]
    # The eight-visit case is nearly singular; its README allows 1e-4 for its unstructured.
    loose = case.startswith("f_") and short == "us"
    assert_close(se, rows["se"], rtol=1e-4 if loose else 1e-7)
    assert_close(df, rows["df"], rtol=1e-4 if loose else 1e-5)


def _swapped(name: str) -> str:
    left, right = name.split(":")
    return f"{right}:{left}"
