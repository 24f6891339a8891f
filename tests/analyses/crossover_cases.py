"""How the crossover reference cases are read by their tests."""

from __future__ import annotations

from typing import Any

import numpy as np
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


def stopped_short(fit: CrossoverFit, case: str, analysis: str) -> bool:
    """Whether lmer's optimiser stopped where the restricted likelihood is not at its maximum.

    Both deviances are computed anew from the full covariance matrix: theirs is the one it
    reports, and ours is smaller.
    """
    theirs = reference_case(case)[analysis]
    if theirs["deviance_reml"] < fit.deviance + 1e-6:
        return False
    sd = fit.variance().frame().set_index("component")["sd"]
    own = dense_deviance(fit, sd["between"], sd["within"])
    other = dense_deviance(fit, theirs["sd_between"], theirs["sd_within"])
    assert_close([own, other], [fit.deviance, theirs["deviance_reml"]], rtol=1e-9)
    return own < other


def dense_deviance(fit: CrossoverFit, between: float, within: float) -> float:
    """-2 restricted log-likelihood at these standard deviations."""
    x, y, subject = fit.model.frame.matrix, fit.model.frame.response, fit.model.subject
    v = between**2 * (subject[:, None] == subject[None]) + within**2 * np.eye(y.size)
    inverse = np.linalg.inv(v)
    information = x.T @ inverse @ x
    residual = y - x @ np.linalg.solve(information, x.T @ inverse @ y)
    parts = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
    constant = (y.size - x.shape[1]) * np.log(2 * np.pi)
    return float(parts + residual @ inverse @ residual + constant)


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
