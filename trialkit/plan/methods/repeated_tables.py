"""What a mixed model estimates beside means: its covariance, and how well it fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialkit.results import ard, display
from trialkit.results.columns import freeze_columns
from trialkit.typing import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from trialkit.analyses.mmrm_fit import MmrmFit

__all__ = ["ModelFigures", "covariance_table", "fit_table"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelFigures:
    """Figures of a fitted model that are neither estimates with an error nor tests; unrounded."""

    keys: Mapping[str, tuple[object, ...]]
    figures: Mapping[str, tuple[object, ...]]
    variable: str
    method: str

    def __post_init__(self) -> None:
        n_rows = len(next(iter(self.figures.values())))
        object.__setattr__(self, "keys", freeze_columns(self.keys, n_rows, what="Key"))
        object.__setattr__(self, "figures", freeze_columns(self.figures, n_rows, what="Figure"))

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self.variable, notes=(f"{self.method}.",))

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self.variable, notes=(f"{self.method}.",))

    def frame(self) -> pd.DataFrame:
        """The tidy frame: keys, the figures, `method`."""
        import pandas as pd

        frame = pd.DataFrame({k: list(v) for k, v in {**self.keys, **self.figures}.items()})
        return frame.assign(method=self.method)

    def to_ard(self) -> pd.DataFrame:
        """One row a figure; columns as in `EstimateTable.to_ard`."""
        return ard.analysis_results(
            self.frame(), keys=tuple(self.keys), variable=self.variable, notes=()
        )


def covariance_table(fit: MmrmFit) -> ModelFigures:
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
    return ModelFigures(
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


def fit_table(fit: MmrmFit) -> ModelFigures:
    """Subjects, rows and covariance parameters, deviance and information criteria; one row."""
    return ModelFigures(
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
