"""A crossover with fixed subjects: the analysis of variance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trialkit.analyses.crossover_fit import CrossoverFit
from trialkit.analyses.crossover_inference import CrossoverInference
from trialkit.analyses.crossover_model import CrossoverModel
from trialkit.analyses.crossover_random import require_variation
from trialkit.analyses.crossover_variance import WITHIN, Variances
from trialkit.errors import DataError
from trialkit.kernels.linear import WaldTest, f_tail
from trialkit.kernels.within_subject import WithinFit, between_within_sums, fit_within

__all__ = ["fit_fixed"]


def fit_fixed(
    model: CrossoverModel, index: pd.Index, *, log: bool, sequence_effect: bool
) -> CrossoverFit:
    """The fit by least squares, each subject with an effect of its own."""
    x, y = model.frame.matrix, model.frame.response
    require_variation(model)
    n_subjects, n_slopes = len(model.subjects), x.shape[1] - 1
    if y.size - n_subjects - n_slopes <= 0:
        raise DataError(
            f"{y.size} analysed rows of {n_subjects} subjects leave no residual degree of freedom "
            f"beside {n_slopes} effects."
        )
    fit = fit_within(x, y, model.subject)
    df = float(fit.df_residual)
    inference = CrossoverInference(
        coef=fit.coef, vcov=fit.vcov, single_df=lambda rows: np.full(rows.shape[0], df)
    )
    return CrossoverFit(
        model=model,
        inference=inference,
        variances=Variances(
            theta={WITHIN: fit.mse},
            spread={(WITHIN, WITHIN): fit.mse**2 * 2 / df},
            treatments=model.rows.treatments,
            log=log,
            n=n_subjects,
            method="mean square within subjects",
            df=df,
        ),
        method=f"crossover{' of log outcome' if log else ''}, fixed subject, residual df",
        residual=fit.residuals,
        index=index,
        deviance=None,
        is_at_bound=False,
        extra_tests=_subject_tests(model, fit, sequence_effect),
    )


def _subject_tests(
    model: CrossoverModel, fit: WithinFit, sequence_effect: bool
) -> dict[str, tuple[WaldTest, float]]:
    """Subjects against the residual, and sequences against subjects within them."""
    tests = {"subject": _ratio(fit.subject_sum_sq, fit.subject_df, fit.mse, fit.df_residual)}
    _, group = np.unique(model.sequence, return_inverse=True)
    if sequence_effect and group.max() > 0:
        sum_sq, num_df, error, den_df = between_within_sums(
            model.frame.response, model.subject, group.astype(np.int64)
        )
        if den_df > 0:
            tests = {"sequence": _ratio(sum_sq, num_df, error / den_df, den_df), **tests}
    return tests


def _ratio(sum_sq: float, num_df: int, mean_square: float, den_df: int) -> tuple[WaldTest, float]:
    statistic = sum_sq / num_df / mean_square
    p_value = f_tail(statistic, num_df, den_df)
    return (
        WaldTest(statistic=statistic, num_df=num_df, den_df=den_df, p_value=p_value),
        sum_sq,
    )
