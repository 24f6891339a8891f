"""Ratio of two independent proportions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf, log, nan, sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from trialkit.analyses.choices import check_choice
from trialkit.errors import DataError, SpecError
from trialkit.results import Estimate, EstimateTable, check_alternative, check_level, check_null
from trialkit.typing import Alternative, IntArray

__all__ = ["RATIO_METHODS", "risk_ratio"]

RATIO_METHODS = ("log-wald",)


def risk_ratio(
    x: ArrayLike,
    n: ArrayLike,
    x_ref: ArrayLike,
    n_ref: ArrayLike,
    *,
    method: Literal["log-wald"] = "log-wald",
    continuity: float = 0.0,
    label: str | Sequence[str] = "arm - reference",
    variable: str = "",
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> EstimateTable:
    """Risk ratio (x / n) / (x_ref / n_ref): events and subjects of an arm and the reference.

    Counts are numbers, or vectors (m,) of equal length with one `label` each (key: contrast).
    "log-wald" (Katz): the log ratio has variance 1/x - 1/n + 1/x_ref - 1/n_ref and is taken
    as normal; `se` and `statistic` are on the log scale, and so is `null` (0 is a ratio of
    one; log(1.25) a margin of 1.25). Extras: `x`, `n_arm`, `x_ref`, `n_ref`, and the two
    risks, all as observed.

    Where an arm has no event, or everyone has one in both, this interval does not exist: the
    row has no limits and no p-value, and `status` says why. `continuity=0.5` adds a half to
    each of the four cells (events and non-events of both arms) of every table, estimate
    included; nothing is ever added unasked.

    Raises DataError for counts that are not whole, negative, or above the number of subjects.

    Reference: Katz, Baptista, Azen & Pike (1978) Biometrics 34:469-474, doi:10.2307/2530610.

    Example
    -------
    >>> row = risk_ratio(20, 49, 13, 50).single()
    >>> round(row.estimate, 2), round(row.ci_low, 2), round(row.ci_high, 2)
    (1.57, 0.88, 2.79)
    """
    check_level(ci_level)
    check_alternative(alternative)
    check_null(null)
    check_choice("method", method, RATIO_METHODS)
    if not (isinstance(continuity, int | float) and 0 <= continuity < inf):
        raise SpecError(f"continuity={continuity!r} must be zero (nothing added) or above.")
    counts = _counts(x=x, n=n, x_ref=x_ref, n_ref=n_ref)
    labels = (label,) if isinstance(label, str) else tuple(label)
    if len(labels) != counts.shape[1]:
        raise SpecError(f"{len(labels)} label(s) for {counts.shape[1]} comparison(s).")
    rows = [
        _log_wald(
            *column,
            continuity=continuity,
            label=name,
            ci_level=ci_level,
            alternative=alternative,
            null=null,
        )
        for name, column in zip(labels, counts.T.tolist(), strict=True)
    ]
    events, subjects, events_ref, subjects_ref = (tuple(v.tolist()) for v in counts)
    return EstimateTable(
        estimates=tuple(rows),
        keys={"contrast": labels},
        extras={
            "x": events,
            "n_arm": subjects,
            "x_ref": events_ref,
            "n_ref": subjects_ref,
            "risk_arm": tuple((counts[0] / counts[1]).tolist()),
            "risk_ref": tuple((counts[2] / counts[3]).tolist()),
        },
        variable=variable,
    )


def _log_wald(
    x: int,
    n: int,
    x_ref: int,
    n_ref: int,
    *,
    continuity: float,
    label: str,
    ci_level: float,
    alternative: Alternative,
    null: float,
) -> Estimate:
    estimate, se, status = _log_ratio(x, n, x_ref, n_ref, continuity)
    method = "risk ratio, log-Wald"
    if continuity:
        method += f", {continuity:g} added to every cell"
    if null:
        method += ", null on the log scale"
    row = Estimate.from_z(
        label=label,
        estimate=estimate,
        se=se,
        n=n + n_ref,
        method=method,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
        scale="ratio",
    )
    return replace(row, status=status) if status else row


def _log_ratio(
    x: int, n: int, x_ref: int, n_ref: int, continuity: float
) -> tuple[float, float, str]:
    """Log ratio, its standard error, and why the latter does not exist where it does not."""
    events, size = x + continuity, n + 2 * continuity
    events_ref, size_ref = x_ref + continuity, n_ref + 2 * continuity
    if events > 0 and events_ref > 0:
        estimate = log(events / size) - log(events_ref / size_ref)
        # One minus the risk over the events: no cancellation where everyone has one.
        misses, misses_ref = size - events, size_ref - events_ref
        se = sqrt(misses / (events * size) + misses_ref / (events_ref * size_ref))
        everyone = "every subject of both arms has the event: no log-Wald interval"
        return estimate, se, "" if se > 0 else everyone
    if events > 0:
        return inf, nan, "no event in the reference: no log-Wald interval"
    if events_ref > 0:
        return -inf, nan, "no event in the arm: no log-Wald interval"
    return nan, nan, "no event in either arm: no risk ratio"


def _counts(**counts: ArrayLike) -> IntArray:
    """The four counts as whole numbers (4, m); DataError for what cannot be a count."""
    vectors = {name: np.atleast_1d(np.asarray(value)) for name, value in counts.items()}
    sizes = {name: vector.shape for name, vector in vectors.items()}
    if len(set(sizes.values())) > 1 or any(len(shape) != 1 for shape in sizes.values()):
        raise SpecError(f"x, n, x_ref and n_ref need one length; got {sizes}.")
    for name, vector in vectors.items():
        if vector.dtype.kind not in "iuf" or not np.all(vector == np.floor(vector)):
            raise DataError(f"{name}={vector.tolist()} must hold whole numbers.")
        if not (np.isfinite(vector).all() and (vector >= 0).all()):
            raise DataError(f"{name}={vector.tolist()} must be finite and not below zero.")
    for events, subjects in (("x", "n"), ("x_ref", "n_ref")):
        above = vectors[events] > vectors[subjects]
        if above.any() or (vectors[subjects] == 0).any():
            raise DataError(
                f"{events}={vectors[events].tolist()} of {subjects}={vectors[subjects].tolist()}: "
                "events cannot exceed subjects, and there must be subjects."
            )
    return np.array([vector.astype(np.int64) for vector in vectors.values()])
