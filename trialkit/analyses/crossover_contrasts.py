"""Contrasts between the treatments of a crossover, whatever model was fitted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trialkit.analyses.arm_contrasts import ContrastKind, arm_contrasts
from trialkit.analyses.back_transform import as_ratios
from trialkit.analyses.linear_fit import Inference, LinearFit, linear_estimates
from trialkit.analyses.simultaneous import Multiplicity, adjust_contrasts
from trialkit.results import EstimateTable
from trialkit.typing import ContrastAdjustment

__all__ = ["treatment_contrasts"]


def treatment_contrasts(
    fit: LinearFit,
    *,
    columns: Sequence[int],
    treatments: Sequence[object],
    kind: ContrastKind,
    adjust: ContrastAdjustment,
    inference: Inference,
    is_log: bool,
    notes: tuple[str, ...],
) -> EstimateTable:
    """Key `contrast`; `columns` are those of the treatments after the first.

    Nothing interacts with the treatment: its own coefficients are the contrast.
    """
    compared = arm_contrasts(kind, treatments)
    request = Multiplicity(adjust, None, inference.alternative)
    request.check(kind=compared.kind, n_groups=1)
    rows = np.zeros((len(compared.names), fit.coef.size))
    rows[:, list(columns)] = compared.weights[:, 1:]
    table = EstimateTable(
        estimates=linear_estimates(
            fit,
            rows,
            labels=compared.names,
            counts=[fit.n] * len(compared.names),
            scale="difference",
            method=fit.method,
            inference=inference,
        ),
        keys={"contrast": compared.names},
        variable=fit.model_frame.outcome,
        notes=notes,
    )
    table = adjust_contrasts(
        table, rows @ fit.vcov @ rows.T, request=request, n_arms=len(treatments)
    )
    return as_ratios(table) if is_log else table
