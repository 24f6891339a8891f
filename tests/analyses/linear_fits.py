"""A fit that is not ours: least squares with a visit factor, as a mixed model will plug in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.analyses.linear_estimates import LinearEstimates
from trialkit.data.levels import arm_levels, visit_levels
from trialkit.data.model_frame import ModelFrame, build_model_frame
from trialkit.kernels.estimability import null_space
from trialkit.kernels.linear import (
    WaldTest,
    aliased_columns,
    least_squares,
    ols_covariance,
    wald_f,
)
from trialkit.typing import BoolArray, FloatArray

ARMS = ["Placebo", "LDN 3.0 mg", "LDN 4.5 mg"]
VISITS = ["Week 4", "Week 8", "Week 12"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VisitFit(LinearEstimates):
    """Independent errors; degrees of freedom that differ by contrast, as Kenward-Roger's do."""

    model_frame: ModelFrame
    arm: str
    visit: str | None
    coef: FloatArray
    vcov: FloatArray
    aliased: BoolArray
    null_space: FloatArray
    residual_df: float
    n: int
    method: str = "visits, OLS"
    df_by_contrast: bool = False

    def df(self, contrast: FloatArray) -> float:
        if not self.df_by_contrast:
            return self.residual_df
        return self.residual_df / (1 + float(np.abs(contrast).sum()) % 1)

    def f_test(self, hypothesis: FloatArray) -> WaldTest:
        return wald_f(
            coef=self.coef, vcov=self.vcov, hypothesis=hypothesis, den_df=self.residual_df
        )


def visit_data(seed: int = 4, n_subjects: int = 36) -> pd.DataFrame:
    """A long frame, unbalanced: dropout at later visits, uneven strata."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(n_subjects):
        arm = ARMS[subject % 3]
        base, stratum = rng.normal(7, 1), "b" if rng.random() < 0.3 else "a"
        for week, visit in enumerate(VISITS):
            change = rng.normal(-0.5 * week - 0.4 * (subject % 3), 1) - 0.3 * (base - 7)
            gone = subject % 7 == 0 and week == 2
            rows.append((f"S{subject}", arm, visit, stratum, base, np.nan if gone else change))
    return pd.DataFrame(rows, columns=["USUBJID", "TRT01P", "AVISIT", "STRATA", "BASE", "CHG"])


def fit_visits(
    data: pd.DataFrame,
    formula: str = "CHG ~ TRT01P*AVISIT + BASE*AVISIT + STRATA",
    *,
    reference: str = "Placebo",
    df_by_contrast: bool = False,
    visit: str | None = "AVISIT",
) -> VisitFit:
    levels = {"TRT01P": arm_levels(data, "TRT01P", reference)}
    if visit is not None:
        levels[visit] = visit_levels(data, visit, VISITS)
    frame = build_model_frame(
        formula, data, levels=levels, every_level=("TRT01P",), subject="USUBJID"
    )
    aliased = aliased_columns(frame.matrix)
    fit = least_squares(x=frame.matrix, y=frame.response, aliased=aliased)
    return VisitFit(
        model_frame=frame,
        arm="TRT01P",
        visit=visit,
        coef=fit.coef,
        vcov=ols_covariance(fit),
        aliased=aliased,
        null_space=null_space(frame.matrix),
        residual_df=float(fit.df_residual),
        n=frame.n_subjects,
        df_by_contrast=df_by_contrast,
    )
