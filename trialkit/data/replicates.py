"""Technical replicates: one value from several wells, and how far the wells are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.data.names import require_columns
from trialkit.data.vectors import number_vector, require_frame
from trialkit.errors import DataError, SpecError
from trialkit.typing import FloatArray

__all__ = ["assay_cv", "average_replicates"]


def average_replicates(
    data: pd.DataFrame,
    *,
    by: Sequence[str],
    value: str = "AVAL",
    lloq: str | None = "LLOQ",
    uloq: str | None = "ULOQ",
    how: Literal["geometric", "arithmetic"],
) -> pd.DataFrame:
    """Mean of the replicates of each group of `by`, with what is known of its limit.

    One row of the result is one group: the columns of `by`, `value`, the limit columns, and
    N_REPLICATES (wells with a value). `how` must be said: the geometric mean suits
    concentrations compared on logarithms. Where a replicate lies below its limit, the mean of
    the others with that limit is a bound that the true mean cannot pass: the group is
    censored there. Missing wells are left out.

    Raises DataError where a group has wells beyond both limits (its mean has no bound), a
    value is not positive under "geometric", or a group column is missing in a row.

    Example
    -------
    >>> import pandas as pd
    >>> wells = pd.DataFrame({"S": ["a", "a", "b", "b"], "AVAL": [1.0, 4.0, 0.5, 2.0],
    ...                       "LLOQ": [0.5, 0.5, 0.5, 0.5]})
    >>> average_replicates(wells, by=["S"], uloq=None, how="geometric")
       S  AVAL  LLOQ  N_REPLICATES
    0  a   2.0   NaN             2
    1  b   1.0   1.0             2
    """
    if how not in ("geometric", "arithmetic"):
        raise SpecError(f"how={how!r} is not offered; allowed: geometric, arithmetic.")
    frame = require_frame(data)
    limits = [name for name in (lloq, uloq) if name is not None]
    require_columns(frame, [*by, value, *limits])
    group, first = _groups(frame, by)
    y = number_vector(frame, value)
    low = number_vector(frame, lloq) if lloq else np.full(len(frame), np.nan)
    high = number_vector(frame, uloq) if uloq else np.full(len(frame), np.nan)
    below, above = y <= low, y >= high
    y = np.where(below, low, np.where(above, high, y))
    known = ~np.isnan(y)
    if how == "geometric" and (y[known] <= 0).any():
        raise DataError(
            f"{value!r} has {int((y[known] <= 0).sum())} value(s) at or below zero: they have no "
            "geometric mean."
        )
    n = np.bincount(group, known, minlength=first.size)
    scaled = np.log(np.where(known, y, 1.0)) if how == "geometric" else np.where(known, y, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(group, scaled, minlength=first.size) / n
    mean = np.exp(mean) if how == "geometric" else mean
    any_below = np.bincount(group, below, minlength=first.size) > 0
    any_above = np.bincount(group, above, minlength=first.size) > 0
    if (any_below & any_above).any():
        row = frame.iloc[first[int(np.argmax(any_below & any_above))]]
        where = ", ".join(f"{name}={row[name]!r}" for name in by)
        raise DataError(f"{where}: wells lie below and above the range; their mean has no bound.")
    out = frame[list(by)].iloc[first].reset_index(drop=True).assign(**{value: mean})
    if lloq:
        out[lloq] = np.where(any_below, mean, np.nan)
    if uloq:
        out[uloq] = np.where(any_above, mean, np.nan)
    return out.assign(N_REPLICATES=n.astype(np.int64))


def _groups(frame: pd.DataFrame, by: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The group of each row and the first row of each group, in order of appearance."""
    missing = frame[list(by)].isna().any(axis=1)
    if missing.any():
        raise DataError(f"{int(missing.sum())} row(s) have no label in {', '.join(by)}.")
    codes = frame.groupby(list(by), sort=False, observed=True).ngroup().to_numpy()
    _, first = np.unique(codes, return_index=True)
    return codes, first


def assay_cv(
    data: pd.DataFrame,
    *,
    analyte: str = "PARAMCD",
    sample: str = "SAMPLE",
    plate: str = "PLATE",
    value: str = "AVAL",
    lloq: str | None = "LLOQ",
    uloq: str | None = "ULOQ",
) -> pd.DataFrame:
    """Intra- and inter-assay coefficients of variation [%] of every analyte.

    Intra-assay: wells of one sample on one plate; the root of the mean squared CV over the
    groups with two or more (`n_groups`). Inter-assay: means of one sample over plates, over
    the samples on two or more plates (`n_samples`), such as controls. Wells beyond a limit
    are left out and counted in `n_beyond`. NaN where there is nothing to compare.
    """
    frame = require_frame(data)
    limits = [name for name in (lloq, uloq) if name is not None]
    require_columns(frame, [analyte, sample, plate, value, *limits])
    y = number_vector(frame, value)
    beyond = np.zeros(len(frame), dtype=np.bool_)
    if lloq:
        beyond |= y <= number_vector(frame, lloq)
    if uloq:
        beyond |= y >= number_vector(frame, uloq)
    used = frame[[analyte, sample, plate]].assign(y=np.where(beyond, np.nan, y), beyond=beyond)
    rows = []
    for name, part in used.groupby(analyte, sort=False, observed=True):
        wells = part.dropna(subset="y").groupby([sample, plate], observed=True)["y"]
        means = wells.mean()
        between = means.groupby(level=0)
        intra, n_groups = _root_mean_cv(wells.std(ddof=1), wells.mean(), wells.count())
        inter, n_samples = _root_mean_cv(between.std(ddof=1), between.mean(), between.count())
        rows.append((name, intra, n_groups, inter, n_samples, int(part["beyond"].sum())))
    columns = ["analyte", "intra_cv", "n_groups", "inter_cv", "n_samples", "n_beyond"]
    return pd.DataFrame(rows, columns=columns)


def _root_mean_cv(sd: pd.Series, mean: pd.Series, count: pd.Series) -> tuple[float, int]:
    several = (count >= 2).to_numpy()
    if not several.any():
        return float("nan"), 0
    cv: FloatArray = (sd / mean).to_numpy(dtype=np.float64)[several]
    return float(100 * np.sqrt(np.mean(cv**2))), int(several.sum())
