"""Predictions of a mixed model on a frame: marginal, or given a subject's observed visits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.analyses.mmrm_roles import Roles
from trialkit.data.model_columns import numeric_column
from trialkit.data.model_frame import ModelFrame
from trialkit.data.names import require_columns
from trialkit.errors import DataError, SpecError
from trialkit.kernels.estimability import is_estimable
from trialkit.kernels.mmrm.fit import MarginalFit
from trialkit.kernels.mmrm.structures import structure
from trialkit.kernels.mmrm.subjects import conditional
from trialkit.typing import FloatArray, IntArray

__all__ = ["conditional_prediction", "marginal_prediction"]


def marginal_prediction(
    frame: ModelFrame,
    data: pd.DataFrame,
    *,
    coef: FloatArray,
    vcov: FloatArray,
    null_space: FloatArray,
) -> pd.DataFrame:
    """Mean and its standard error at each row of `data`, NaN where the fit determines none."""
    rows = frame.rows_for(data)
    se = np.sqrt(np.maximum(np.einsum("np,pq,nq->n", rows, vcov, rows), 0.0))
    values = pd.DataFrame({"prediction": rows @ coef, "se": se}, index=data.index)
    values.loc[~is_estimable(rows, null_space)] = np.nan
    return values


def conditional_prediction(
    frame: ModelFrame,
    data: pd.DataFrame,
    *,
    fit: MarginalFit,
    coef: FloatArray,
    vcov: FloatArray,
    null_space: FloatArray,
    columns: Mapping[str, str | None],
    roles: Roles,
) -> pd.DataFrame:
    """Mean of each row given the subject's observed outcomes, its se, and the sd around it.

    Mean and se are NaN where the fit determines none (aliased coefficients).
    `columns` maps the roles subject, visit, period, group, time and weights to column names.
    """
    names = [name for name in columns.values() if name is not None]
    if frame.outcome not in data.columns:
        raise SpecError(
            f"conditional=True needs the outcome {frame.outcome!r} as a column of the frame, "
            "missing where not observed."
        )
    require_columns(data, names)
    if data.empty:
        raise DataError("The frame to predict has no rows.")
    x = frame.rows_for(data)
    y = numeric_column(data[frame.outcome].fillna(0.0), frame.outcome).to_numpy(np.float64)
    is_seen = data[frame.outcome].notna().to_numpy()
    place = _place(data, columns, roles)
    n, m = place.group.size, place.n_visits
    slot = (place.subject, place.visit)
    weight = np.ones(len(data))
    if columns["weights"] is not None:
        weight = _weights(data, columns["weights"])
    seen = np.zeros((n, m), dtype=np.bool_)
    seen[slot] = is_seen
    residual = np.zeros((n, m))
    residual[slot] = np.where(is_seen, (y - x @ coef) * np.sqrt(weight), 0.0)
    result = conditional(_sigmas(fit, place), seen, residual)
    design = np.zeros((n, m, coef.size))
    design[slot] = x * np.sqrt(weight)[:, None]
    # The mean given what was seen is linear in b: (X - C X_seen) b + C y.
    design = design - result.weights @ np.where(seen[:, :, None], design, 0.0)
    own = design[slot] / np.sqrt(weight)[:, None]
    se = np.sqrt(np.maximum(np.einsum("np,pq,nq->n", own, vcov, own), 0.0))
    variance = np.diagonal(result.variance, axis1=1, axis2=2)[slot] / weight
    mean = x @ coef + result.shift[slot] / np.sqrt(weight)
    known = is_seen | is_estimable(own, null_space)
    return pd.DataFrame(
        {
            "prediction": np.where(known, mean, np.nan),
            "se": np.where(known, np.where(is_seen, 0.0, se), np.nan),
            "sd": np.where(is_seen, 0.0, np.sqrt(np.maximum(variance, 0.0))),
        },
        index=data.index,
    )


def _codes(data: pd.DataFrame, name: str, labels: tuple[object, ...]) -> IntArray:
    codes = pd.Index(list(labels)).get_indexer(pd.Index(data[name])).astype(np.int64)
    strange = np.flatnonzero(codes < 0)
    if strange.size:
        label = data[name].iloc[strange[:1]].tolist()[0]
        raise DataError(
            f"Column {name!r} has {label!r}, which the model does not know; "
            f"it has {', '.join(map(repr, labels))}."
        )
    return codes


def _weights(data: pd.DataFrame, name: str) -> FloatArray:
    values = numeric_column(data[name], name).to_numpy(np.float64)
    n_bad = int((~(values > 0)).sum())
    if n_bad:
        raise DataError(
            f"Weights {name!r} are missing or not above zero in {n_bad} row(s) of the frame; "
            "conditional predictions need every row's."
        )
    return values


def _times(data: pd.DataFrame, name: str, subject: IntArray) -> FloatArray:
    values = numeric_column(data[name], name).to_numpy(np.float64)
    if np.isnan(values).any():
        raise DataError(
            f"Column {name!r} has {int(np.isnan(values).sum())} missing value(s); conditional "
            "predictions need every row's time."
        )
    ordered = np.lexsort((values, subject))
    if ((np.diff(subject[ordered]) == 0) & (np.diff(values[ordered]) == 0)).any():
        raise DataError(
            f"A subject of the frame has two rows at the same {name!r}; a spatial covariance "
            "needs distinct times."
        )
    return values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """Subject and visit codes of the rows (N,), group (n,) and times (n, m) of the subjects."""

    subject: IntArray
    visit: IntArray
    group: IntArray
    n_visits: int
    time: FloatArray | None


def _place(
    data: pd.DataFrame,
    columns: Mapping[str, str | None],
    roles: Roles,
) -> _Place:
    subject = pd.factorize(data[columns["subject"]])[0].astype(np.int64)
    if (subject < 0).any():
        raise DataError(f"Column {columns['subject']!r} has missing values.")
    visit = np.zeros(len(data), dtype=np.int64)
    if columns["visit"] is not None:
        visit = _codes(data, columns["visit"], roles.visits)
    if columns["period"] is not None and roles.periods is not None:
        visit = visit + len(roles.visits) * _codes(data, columns["period"], roles.periods)
    n = int(subject.max()) + 1
    counts = np.zeros((n, len(roles.cells)), dtype=np.int64)
    np.add.at(counts, (subject, visit), 1)
    if (counts > 1).any():
        row = data.iloc[np.flatnonzero(counts[subject, visit] > 1)[:1]]
        places = [name for name in (columns["period"], columns["visit"]) if name is not None]
        where = ", ".join(repr(row[name].tolist()[0]) for name in places)
        raise DataError(
            f"Subject {row[columns['subject']].tolist()[0]!r} has two rows at {where}; "
            "conditional predictions take one."
        )
    group = np.zeros(n, dtype=np.int64)
    if columns["group"] is not None:
        own = _codes(data, columns["group"], roles.groups)
        group[subject] = own
        strays = np.flatnonzero(group[subject] != own)
        if strays.size:
            who = data[columns["subject"]].iloc[strays[:1]].tolist()[0]
            raise DataError(
                f"Subject {who!r} changes {columns['group']!r} between visits; a subject has one "
                "covariance, so the group stays the same."
            )
    time = None
    if columns["time"] is not None:
        time = np.zeros(counts.shape)
        time[subject, visit] = _times(data, columns["time"], subject)
    return _Place(subject=subject, visit=visit, group=group, n_visits=len(roles.cells), time=time)


def _sigmas(fit: MarginalFit, place: _Place) -> FloatArray:
    """Covariance (n, m, m) of each subject's visits, in the outcome's unit."""
    if place.time is None:
        return np.stack([sigma[0] for sigma in fit.sigma])[place.group]
    m = place.n_visits
    distance = np.abs(place.time[:, :, None] - place.time[:, None, :])
    out = np.empty((place.group.size, m, m))
    for group, theta in enumerate(fit.optimum.thetas):
        own = place.group == group
        each = structure("spatial-exponential", n_visits=m, distance=distance[own])
        out[own] = fit.basis.scale**2 * each.sigma(theta)
    return out
