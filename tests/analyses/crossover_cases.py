"""How the crossover reference cases are read by their tests."""

from __future__ import annotations

from typing import Any

import pandas as pd
from reference.loader import assert_close, reference_case

import trialkit as tk
from trialkit.analyses.crossover_fit import CrossoverFit

ROLES: dict[str, Any] = {
    "outcome": "AVAL",
    "subject": "USUBJID",
    "sequence": "SEQ",
    "period": "PERIOD",
    "treatment": "TRTA",
    "reference": "Placebo",
}
AB_BA = ("crossover/a_ab_ba_complete", "crossover/b_ab_ba_missing")
WILLIAMS = ("crossover/c_williams_3x3", "crossover/d_williams_4x4")
# R's term -> ours, in the tables of tests.
TERMS = {
    "TRTA": "treatment",
    "PERIOD": "period",
    "SEQ": "sequence",
    "BASE": "baseline",
    "USUBJID": "subject",
}


def data_of(case: str) -> pd.DataFrame:
    """The case's data, treatments in the order of its README."""
    data = reference_case(case).data()
    doses = sorted(data["TRTA"].unique(), key=lambda label: (label != "Placebo", label))
    return data.assign(TRTA=pd.Categorical(data["TRTA"], categories=doses))


def fit_of(case: str, **choices: Any) -> CrossoverFit:
    """The crossover of a case with these choices."""
    return tk.crossover(data_of(case), **{**ROLES, **choices})


def our_term(name: str, treatments: list[str]) -> str:
    """R's coefficient in our spelling."""
    if name == "(Intercept)":
        return "Intercept"
    if name == "BASE":
        return "baseline"
    if name.startswith("CARRY_"):
        return f"carryover[{treatments['ABCD'.index(name[-1])]}]"
    prefix = next(p for p in ("TRTA", "PERIOD", "SEQ") if name.startswith(p))
    return f"{TERMS[prefix]}[T.{name.removeprefix(prefix)}]"


def same_rows(
    ours: pd.DataFrame, theirs: pd.DataFrame, *, rtol: float, df_rtol: float | None = None
) -> None:
    """Estimate, standard error, df, statistic, p and interval of aligned tables."""
    assert len(ours) == len(theirs) > 0
    scale = float(theirs["se"].abs().max())
    for name in ("estimate", "se", "ci_low", "ci_high"):
        if name in theirs:
            assert_close(ours[name], theirs[name], rtol=max(rtol, df_rtol or 0), atol=rtol * scale)
    assert_close(ours["df"], theirs["df"], rtol=df_rtol or rtol)
    if "statistic" in theirs:
        assert_close(ours["statistic"], theirs["statistic"], rtol=rtol, atol=rtol)
        assert_close(ours["p_value"], theirs["p_value"], rtol=10 * (df_rtol or rtol), atol=1e-15)
