"""The rows of a reference grid whose fitted values are the LS means.

A *cell* is one arm at one visit (and one level of each `by` factor). Its row L (P,) averages
the design rows over the other factors, with covariates at their mean over the analysed rows:
with equal weights, with each factor's marginal share of the analysed rows, or, counterfactually,
over the analysed subjects themselves with only the arm (and the visit) set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import isclose, isfinite, prod

import numpy as np
import pandas as pd

from trialkit.analyses.choices import check_choice
from trialkit.analyses.linear_fit import LinearFit
from trialkit.data.model_frame import Factor
from trialkit.errors import SpecError
from trialkit.typing import FloatArray, IntArray

__all__ = ["MEAN_WEIGHTS", "Cells", "Visits", "mean_cells", "weights_phrase"]

MEAN_WEIGHTS = {
    "equal": "equal weights",
    "observed": "observed marginal weights",
    "counterfactual": "average prediction over subjects",
}
# A grid beyond this is a factor with hundreds of levels crossed with others: minutes, not
# seconds, and more likely an identifier than a stratum.
LARGEST_GRID = 200_000

Visits = Mapping[object, float] | Sequence[object] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Groups of cells: `rows` (groups, arms, P), `counts` (groups, arms) of analysed rows.

    `keys` (visit, by factors) has one value a group; `arms` are the arm's labels.
    """

    rows: FloatArray
    counts: IntArray
    arms: tuple[object, ...]
    keys: Mapping[str, tuple[object, ...]]


def mean_cells(
    fit: LinearFit,
    *,
    weights: str,
    at: Mapping[str, object] | None,
    by: Sequence[str],
    visits: Visits,
) -> Cells:
    """Rows of L for every arm, within every visit and every level of `by`."""
    check_choice("weights", weights, MEAN_WEIGHTS)
    frame = fit.model_frame
    if at is not None and not isinstance(at, Mapping):
        raise SpecError(f"at={at!r}: give a mapping of variable to value, such as {{'BASE': 5}}.")
    fixed = _checked_at(fit, dict(at or {}), by)
    _check_by(fit, by)
    groups_by = [*by, *([fit.visit] if fit.visit else [])]
    groups = list(product(*(frame.factors[name].levels for name in groups_by)))
    arms = frame.factors[fit.arm].levels
    cells = [
        {**dict(zip(groups_by, group, strict=True)), fit.arm: arm}
        for group in groups
        for arm in arms
    ]
    if weights == "counterfactual":
        rows = _counterfactual_rows(fit, cells, fixed, by)
    else:
        rows = _grid_rows(fit, cells, fixed, weights, by)
    counts = np.array([_count(frame.analysed, cell) for cell in cells])
    result = Cells(
        rows=rows.reshape(len(groups), len(arms), -1),
        counts=counts.reshape(len(groups), len(arms)),
        arms=arms,
        keys=_group_keys(fit, groups_by, groups),
    )
    return _choose_visits(fit, result, visits)


def weights_phrase(fit: LinearFit, weights: str, at: Mapping[str, object] | None) -> str:
    """How the LS means are averaged, in words for `method`."""
    fixed = dict(at or {})
    parts = [f"LS means, {MEAN_WEIGHTS[weights]}"]
    free = [name for name in fit.model_frame.covariate_means if name not in fixed]
    if free and weights != "counterfactual":
        parts.append("covariates at their mean")
    parts.extend(f"{name}={value}" for name, value in fixed.items())
    return ", ".join(parts)


def _group_keys(
    fit: LinearFit, names: Sequence[str], groups: Sequence[tuple[object, ...]]
) -> dict[str, tuple[object, ...]]:
    keys: dict[str, tuple[object, ...]] = {}
    order = sorted(range(len(names)), key=lambda i: names[i] != fit.visit)  # the visit first
    for i in order:
        key = "visit" if names[i] == fit.visit else names[i]
        keys[key] = tuple(group[i] for group in groups)
    return keys


def _checked_at(fit: LinearFit, at: dict[str, object], by: Sequence[str]) -> dict[str, object]:
    """Values to hold variables at: covariates at numbers, factors at one of their levels."""
    frame = fit.model_frame
    for name, value in at.items():
        if name in (fit.arm, fit.visit, *by):
            raise SpecError(f"at= cannot fix {name!r}: the LS means are reported by it.")
        if name in frame.factors:
            levels = frame.factors[name].levels
            if value not in levels:
                raise SpecError(
                    f"at= gives {name}={value!r}; levels: {', '.join(map(repr, levels))}."
                )
        elif name in frame.covariate_means:
            if isinstance(value, bool) or not isinstance(value, int | float | np.number):
                raise SpecError(f"at= gives {name}={value!r}, which is not a number.")
            if not isfinite(value):
                raise SpecError(f"at= gives {name}={value!r}, which is not finite.")
        else:
            known = [*frame.covariate_means, *frame.factors]
            raise SpecError(f"at= names {name!r}, not in the model; it has {', '.join(known)}.")
    return at


def _check_by(fit: LinearFit, by: Sequence[str]) -> None:
    for name in by:
        if name in (fit.arm, fit.visit):
            raise SpecError(f"by={name!r}: LS means are reported by {name!r} already.")
        if name not in fit.model_frame.factors:
            others = [f for f in fit.model_frame.factors if f not in (fit.arm, fit.visit)]
            raise SpecError(
                f"by={name!r} is not a factor of the model; factors: {', '.join(others) or 'none'}."
            )


def _grid_rows(
    fit: LinearFit,
    cells: Sequence[Mapping[str, object]],
    fixed: Mapping[str, object],
    weights: str,
    by: Sequence[str],
) -> FloatArray:
    frame = fit.model_frame
    averaged = [
        factor
        for name, factor in frame.factors.items()
        if name not in (fit.arm, fit.visit, *by) and name not in fixed
    ]
    sizes = [len(factor.levels) for factor in averaged]
    if len(cells) * prod(sizes) > LARGEST_GRID:
        raise SpecError(
            f"LS means would average {prod(sizes)} combinations of the levels of "
            f"{', '.join(factor.name for factor in averaged)}; use weights='counterfactual' or "
            "fewer factors."
        )
    combinations = [
        dict(zip((factor.name for factor in averaged), levels, strict=True))
        for levels in product(*(factor.levels for factor in averaged))
    ]
    grid = [
        {**frame.covariate_means, **fixed, **cell, **combination}
        for cell in cells
        for combination in combinations
    ]
    rows = frame.rows_for(pd.DataFrame(grid)).reshape(len(cells), len(combinations), -1)
    return np.asarray(np.einsum("g,cgp->cp", _shares(averaged, weights), rows))


def _shares(averaged: Sequence[Factor], weights: str) -> FloatArray:
    """Weight of each combination of levels, in the order of the grid; they sum to one."""
    shares = np.ones(1)
    for factor in averaged:
        own = np.array(factor.shares)
        if weights == "equal":
            own = np.full(own.size, 1.0 / own.size)
        shares = np.outer(shares, own).ravel()
    return shares


def _counterfactual_rows(
    fit: LinearFit,
    cells: Sequence[Mapping[str, object]],
    fixed: Mapping[str, object],
    by: Sequence[str],
) -> FloatArray:
    """Average rows over the analysed subjects (those in the `by` level), arm and visit set."""
    frame = fit.model_frame
    rows = []
    for cell in cells:
        inside = np.ones(frame.n, dtype=np.bool_)
        for name in by:
            inside &= (frame.analysed[name] == cell[name]).to_numpy()
        shares = frame.subject_shares[inside]
        if not shares.size:
            rows.append(np.full(len(frame.columns), np.nan))
            continue
        everybody = frame.analysed[inside].copy()
        for name, value in {**fixed, **cell}.items():
            everybody[name] = pd.Series([value] * len(everybody), index=everybody.index)
        rows.append(shares @ frame.rows_for(everybody) / shares.sum())
    return np.array(rows)


def _count(analysed: pd.DataFrame, cell: Mapping[str, object]) -> int:
    inside = np.ones(len(analysed), dtype=np.bool_)
    for name, level in cell.items():
        inside &= (analysed[name] == level).to_numpy()
    return int(inside.sum())


def _choose_visits(fit: LinearFit, cells: Cells, visits: Visits) -> Cells:
    """All visits, the listed ones, or their weighted average."""
    if visits is None:
        return cells
    if fit.visit is None:
        raise SpecError("visits= needs a model with a visit factor; this one has none.")
    known = fit.model_frame.factors[fit.visit].levels
    if isinstance(visits, str):
        raise SpecError(f"visits={visits!r}: give a list of visits, or a mapping of weights.")
    for visit in visits:
        if visit not in known:
            raise SpecError(f"visits= names {visit!r}; visits: {', '.join(map(repr, known))}.")
    if not isinstance(visits, Mapping):
        kept = [i for visit in visits for i in _at_visit(cells, visit)]
        return _take(cells, kept)
    return _average_visits(cells, dict(visits))


def _average_visits(cells: Cells, visits: dict[object, float]) -> Cells:
    if any(not isfinite(w) or w < 0 for w in visits.values()) or not isclose(
        sum(visits.values()), 1.0, abs_tol=1e-9
    ):
        raise SpecError(f"visits={visits!r} averages: weights must be at least 0 and sum to 1.")
    label = "average: " + ", ".join(f"{visit} ({w:g})" for visit, w in visits.items())
    parts = [(_take(cells, _at_visit(cells, visit)), w) for visit, w in visits.items()]
    first = parts[0][0]
    return Cells(
        rows=sum((part.rows * w for part, w in parts[1:]), start=first.rows * parts[0][1]),
        counts=sum((part.counts for part, _ in parts[1:]), start=first.counts),
        arms=cells.arms,
        keys={**first.keys, "visit": tuple(label for _ in first.keys["visit"])},
    )


def _at_visit(cells: Cells, visit: object) -> list[int]:
    return [i for i, label in enumerate(cells.keys["visit"]) if label == visit]


def _take(cells: Cells, kept: Sequence[int]) -> Cells:
    return Cells(
        rows=cells.rows[list(kept)],
        counts=cells.counts[list(kept)],
        arms=cells.arms,
        keys={name: tuple(values[i] for i in kept) for name, values in cells.keys.items()},
    )
