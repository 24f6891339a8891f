"""What a mixed model estimates beside means: its covariance, and how well it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trialkit.plan.frame_table import FrameTable
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from trialkit.analyses.mmrm_fit import MmrmFit

__all__ = ["covariance_table", "fit_table"]


def covariance_table(fit: MmrmFit) -> FrameTable:
    """Covariance and correlation of every pair of visits, keys `visit, visit_2[, group]`.

    With periods every pair of visits within periods, with the keys `period, period_2`. The
    lower triangle, row by row, as the print of a covariance matrix has it.
    """
    sigmas, correlations = _by_group(fit.covariance), _by_group(fit.correlation)
    places = [
        (label, row, column)
        for label, sigma in sigmas.items()
        for row in range(len(sigma))
        for column in range(row + 1)
    ]
    visits, n_visits = fit.roles.visits, len(fit.roles.visits)
    keys: dict[str, tuple[object, ...]] = {
        "visit": tuple(visits[row % n_visits] for _, row, _ in places),
        "visit_2": tuple(visits[column % n_visits] for _, _, column in places),
    }
    if fit.roles.periods is not None:
        periods = fit.roles.periods
        keys["period"] = tuple(periods[row // n_visits] for _, row, _ in places)
        keys["period_2"] = tuple(periods[column // n_visits] for _, _, column in places)
    if fit.columns_by_role["group"] is not None:
        keys["group"] = tuple(label for label, _, _ in places)
    return FrameTable(
        keys=keys,
        figures={
            "covariance": tuple(float(sigmas[g][i, j]) for g, i, j in places),
            "correlation": tuple(float(correlations[g][i, j]) for g, i, j in places),
        },
        variable=fit.model_frame.outcome,
        method=fit.method,
    )


def _by_group(found: pd.DataFrame | dict[object, pd.DataFrame]) -> dict[object, FloatArray]:
    frames = found if isinstance(found, dict) else {None: found}
    return {label: frame.to_numpy(dtype=float) for label, frame in frames.items()}


def fit_table(fit: MmrmFit) -> FrameTable:
    """Subjects, rows and covariance parameters, deviance and information criteria; one row."""
    return FrameTable(
        keys={},
        figures={
            "n_subjects": (fit.n_subjects,),
            "n_observations": (fit.n_observations,),
            "n_excluded": (fit.n_excluded,),
            "n_covariance_parameters": (fit.n_covariance_parameters,),
            "deviance": (fit.deviance,),
            "aic": (fit.aic,),
            "aicc": (fit.aicc,),
            "bic": (fit.bic,),
        },
        variable=fit.model_frame.outcome,
        method=fit.method,
    )
