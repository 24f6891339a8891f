"""One contrast of a panel as independent units: what each contributes, and what could be exchanged.

In a parallel design a unit is a subject and its effect column the arm; in a paired or a
crossover design a unit is a subject's difference between the two conditions, its effect
column the constant. Period (crossover) and plate enter as nuisance columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trialkit.analyses.panel_cells import (
    PanelCells,
    PanelColumns,
    design_columns,
    refuse_missing,
    refuse_two_arms,
)
from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_plates import plate_codes
from trialkit.analyses.panel_sequences import (
    alike_but_for_order,
    has_more_periods,
    later_condition,
    within_alike,
)
from trialkit.analyses.two_arms import contrast_label
from trialkit.data.vectors import stratum_codes
from trialkit.errors import DesignError, SpecError
from trialkit.kernels.arrangements import Labels, Signs
from trialkit.kernels.linear import aliased_columns
from trialkit.kernels.order_statistics_regression import regress_on_order
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = [
    "PanelUnits",
    "completed",
    "condition_counts",
    "condition_masks",
    "has_several_draws",
    "make_units",
    "only",
    "only_subjects",
    "present_by_condition",
]

# log2 of what stands for a value below its limit, less log2 of the limit.
SUBSTITUTE = {"half": -1.0, "half-sqrt2": -0.5}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PanelUnits:
    """m analytes of n units with c conditions of r draws each: `y` (m, n, c, r).

    c is 2 (the reference first) within subjects, 1 in a parallel design. `effect` (n,) is the
    column whose coefficient is the contrast, `nuisance` (n, q) the columns beside it, `own` (m,
    n) a baseline of each analyte. `cell_nuisance` (n, c, q) are those of the single samples.
    `labels` (n,) say which of the two roles a unit was given (crossover: 1 = the condition came
    after the reference), `strata` (n,) within which groups roles were given. `draws` (n, c, r)
    names the draws, where they have names. `random_plate` (n,) are codes of plates with a
    variance. `plate_differs`: between a subject's conditions; `has_more_periods`: than two.
    `is_log`: `y` holds logarithms.
    """

    analytes: tuple[object, ...]
    contrast: str
    conditions: tuple[object, object]
    subjects: tuple[object, ...]
    design: str
    y: FloatArray
    side: IntArray
    effect: FloatArray
    nuisance: FloatArray
    own: FloatArray | None
    cell_nuisance: FloatArray
    labels: FloatArray
    strata: IntArray
    draws: NDArray[np.object_] | None = None
    random_plate: IntArray | None = None
    plate_differs: bool = False
    has_more_periods: bool = False
    is_log: bool = True

    @property
    def is_within(self) -> bool:
        """Whether a unit holds both conditions."""
        return self.design != "parallel"

    @property
    def present(self) -> BoolArray:
        """Measurements there are (m, n, c, r)."""
        return ~np.isnan(self.y)

    @property
    def used(self) -> BoolArray:
        """Analyte by unit (m, n): whether the unit can contribute to the contrast."""
        complete: BoolArray = np.all(np.any(self.present, axis=3), axis=2)
        if self.own is not None:
            complete &= ~np.isnan(self.own)
        return complete

    @property
    def n_censored(self) -> IntArray:
        """Measurements beyond a limit among the units used (m,)."""
        beyond = self.present & (self.side != 0) & self.used[:, :, None, None]
        return np.asarray(beyond.sum(axis=(1, 2, 3)), dtype=np.int64)

    def arrangements(self) -> Signs | Labels:
        """How the roles could have been given."""
        if self.design == "paired":
            return Signs(n=len(self.subjects))
        return Labels(labels=self.labels, strata=self.strata)

    def condition_means(self, y: FloatArray) -> FloatArray:
        """Means of the draws (m, n, c), NaN without one."""
        count = (~np.isnan(y)).sum(axis=3)
        return np.where(count > 0, np.nansum(y, axis=3) / np.maximum(count, 1), np.nan)

    def response(self, y: FloatArray) -> FloatArray:
        """What a unit contributes (m, n): its value, or the difference of its conditions."""
        mean = self.condition_means(y)
        return mean[:, :, 1] - mean[:, :, 0] if self.is_within else mean[:, :, 0]


def make_units(
    cells: PanelCells, columns: PanelColumns, code: int, options: PanelOptions
) -> PanelUnits:
    """The units of condition `code` against the reference."""
    contrast = contrast_label(cells.conditions[code], cells.conditions[0])
    if options.design == "parallel":
        units = _parallel(cells, columns, code, contrast, options)
    else:
        units = _within(cells, columns, code, contrast, options.design)
    if aliased_columns(np.column_stack([units.nuisance, units.effect]))[-1]:
        raise DesignError(
            f"{contrast}: the contrast is a combination of the columns adjusted for; its effect "
            "cannot be told from theirs."
        )
    for array in (units.y, units.side, units.effect, units.nuisance, units.labels, units.strata):
        array.flags.writeable = False
    return units


def _parallel(
    cells: PanelCells, columns: PanelColumns, code: int, contrast: str, options: PanelOptions
) -> PanelUnits:
    chosen = np.flatnonzero(np.isin(cells.condition, (0, code)))
    who = cells.subject[chosen]
    refuse_two_arms(cells, columns, chosen, who)
    y, side = cells.y[:, chosen], cells.side[:, chosen]
    own = None
    if cells.baseline is not None:
        own = cells.baseline[:, chosen]
        if options.outcome == "change":
            y, own = y - own, None
    attributes = cells.attributes.iloc[chosen].reset_index(drop=True)
    names = list(dict.fromkeys((*columns.covariates, *columns.strata)))
    is_random = options.plate_effect == "random" and columns.plate is not None
    names += [columns.plate] if columns.plate and not is_random else []
    nuisance = np.column_stack([np.ones(chosen.size), design_columns(attributes, names)])
    treated = (cells.condition[chosen] == code).astype(np.float64)
    strata = stratum_codes(attributes, columns.strata)[0]
    return PanelUnits(
        analytes=cells.analytes,
        contrast=contrast,
        conditions=(cells.conditions[0], cells.conditions[code]),
        subjects=tuple(cells.subjects[i] for i in who),
        design="parallel",
        y=y[:, :, None, None],
        side=side[:, :, None, None],
        effect=treated,
        nuisance=nuisance,
        own=own,
        cell_nuisance=nuisance[:, None, :],
        labels=treated,
        strata=strata,
        random_plate=plate_codes(attributes, columns.plate, treated) if is_random else None,
        is_log=cells.is_log,
    )


def _within(
    cells: PanelCells, columns: PanelColumns, code: int, contrast: str, design: str
) -> PanelUnits:
    order = [np.flatnonzero(cells.condition == c) for c in (0, code)]
    both = np.intersect1d(cells.subject[order[0]], cells.subject[order[1]])
    if both.size == 0:
        raise DesignError(
            f"No subject has samples under both {cells.conditions[0]!r} and "
            f"{cells.conditions[code]!r}: the design is not {design}."
        )
    places = _draw_places(cells, order, both)
    y = np.where(places >= 0, cells.y[:, places], np.nan)
    side = np.where(places >= 0, cells.side[:, places], 0)
    cell_columns = _cell_columns(cells, columns, places, design)
    nuisance = cell_columns[:, 1] - cell_columns[:, 0]
    if columns.plate and places.shape[2] > 1:
        raise DesignError("plate= with several draws in a condition is not offered.")
    labels, strata = _roles(cells, columns, places, design, code)
    return PanelUnits(
        analytes=cells.analytes,
        contrast=contrast,
        conditions=(cells.conditions[0], cells.conditions[code]),
        subjects=tuple(cells.subjects[i] for i in both),
        design=design,
        y=y,
        side=side,
        effect=np.ones(both.size),
        nuisance=nuisance,
        own=None,
        cell_nuisance=np.concatenate([np.ones((*cell_columns.shape[:2], 1)), cell_columns], 2),
        labels=labels,
        strata=strata,
        draws=_draw_names(cells, columns, places),
        plate_differs=_plate_differs(cells, columns, places),
        has_more_periods=has_more_periods(cells, columns),
        is_log=cells.is_log,
    )


def _plate_differs(cells: PanelCells, columns: PanelColumns, places: IntArray) -> bool:
    if columns.plate is None:
        return False
    plates = cells.attributes[columns.plate].astype("category").cat.codes.to_numpy()[places]
    return bool((np.where(places >= 0, plates, plates[:, :1, :1]) != plates[:, :1, :1]).any())


def _draw_names(
    cells: PanelCells, columns: PanelColumns, places: IntArray
) -> NDArray[np.object_] | None:
    if columns.draw is None:
        return None
    names = np.array([*cells.attributes[columns.draw].tolist(), None], dtype=np.object_)
    return names[places]  # the last is where there is no draw


def _draw_places(cells: PanelCells, order: list[IntArray], both: IntArray) -> IntArray:
    """The cell of each unit, condition and draw (n, 2, r); -1 where there is none."""
    found = []
    for group in order:
        group = group[np.isin(cells.subject[group], both)]
        unit = np.searchsorted(both, cells.subject[group])
        in_order = np.argsort(unit, kind="stable")
        unit, group = unit[in_order], group[in_order]
        draw = np.arange(unit.size) - np.searchsorted(unit, unit)
        found.append((unit, draw, group))
    n_draws = max(int(draw.max()) for _, draw, _ in found) + 1
    places = np.full((both.size, 2, n_draws), -1, dtype=np.int64)
    for which, (unit, draw, group) in enumerate(found):
        places[unit, which, draw] = group
    return places


def _cell_columns(
    cells: PanelCells, columns: PanelColumns, places: IntArray, design: str
) -> FloatArray:
    """Period and plate of every unit's two conditions (n, 2, q)."""
    names = [columns.period] if design == "crossover" and columns.period else []
    names += [columns.plate] if columns.plate else []
    first = places[:, :, 0]
    if not names:
        return np.empty((*first.shape, 0))
    used = cells.attributes.iloc[first.ravel()].reset_index(drop=True)
    refuse_missing(used, names)
    # A period is a label, also where it is numbered.
    used = used.assign(**{name: used[name].astype(str) for name in names})
    return design_columns(used, names).reshape(*first.shape, -1)


def _roles(
    cells: PanelCells, columns: PanelColumns, places: IntArray, design: str, code: int
) -> tuple[FloatArray, IntArray]:
    """Whether the condition came second (crossover), and the groups that exchange their roles."""
    n = places.shape[0]
    attributes = cells.attributes.iloc[places[:, 1, 0]].reset_index(drop=True)
    strata = stratum_codes(attributes, columns.strata)[0]
    if design == "paired" or columns.period is None:
        return np.ones(n), strata
    later = later_condition(cells, columns.period, places)
    subjects = cells.subject[places[:, 0, 0]]
    alike = alike_but_for_order(cells, columns, subjects, code)
    if not has_more_periods(cells, columns):
        return later, strata
    return later, within_alike(strata, alike)


def completed(units: PanelUnits, rule: str) -> FloatArray:
    """`y` with censored values replaced by the rule; what it leaves out is NaN.

    "tobit" leaves the bounds: for analytes without a censored value only. Above the upper
    limit the limit itself stands in, under either substitution.
    """
    if rule in SUBSTITUTE:
        if not units.is_log and (units.side == -1).any():
            raise SpecError(
                f"Substitution for the {int((units.side == -1).sum())} value(s) below their limit "
                '(censoring="half", "half-sqrt2"; under "tobit" global tests and correlations) is '
                'defined for logarithms, not for transform="linear".'
            )
        return np.where(units.side == -1, units.y + SUBSTITUTE[rule], units.y)
    if rule == "drop":
        return np.where(units.side != 0, np.nan, units.y)
    if rule == "ros":
        return _ros(units)
    return units.y


def _ros(units: PanelUnits) -> FloatArray:
    """Censored values read off the line through the order statistics of their condition.

    Which subject gets which of the values below one limit is arbitrary; `panel_ros` refuses
    what would rest on it.
    """
    out = units.y.copy()
    for row in range(out.shape[0]):
        for chosen in _present_masks(units, row):
            values, censored = out[row][chosen], units.side[row][chosen] == -1
            measured = values[~censored]
            if not censored.any():
                continue
            if np.unique(measured).size < 2:
                out[row][chosen] = np.where(censored, np.nan, values)
                continue
            part = out[row]
            part[chosen] = regress_on_order(values, censored).completed
    return out


def _present_masks(units: PanelUnits, row: int) -> list[BoolArray]:
    """Measurements (n, c, r) of an analyte by condition, the reference first."""
    present = ~np.isnan(units.y[row])
    if units.is_within:
        which = np.arange(2)[None, :, None]
    else:
        which = units.labels.astype(np.int64)[:, None, None]
    return [present & (which == code) for code in (0, 1)]


def present_by_condition(units: PanelUnits, row: int) -> tuple[int, int]:
    """Measurements of an analyte there are, used or not, the reference first."""
    first, second = (int(mask.sum()) for mask in _present_masks(units, row))
    return first, second


def condition_masks(units: PanelUnits, row: int) -> list[BoolArray]:
    """Measurements (n, c, r) of an analyte by condition among the units used."""
    part = only(units, np.array([row]))
    used = part.used[0][:, None, None]
    return [mask & used for mask in _present_masks(part, 0)]


def condition_counts(units: PanelUnits, chosen: BoolArray) -> IntArray:
    """How many of the `chosen` measurements (m, n, c, r) each condition has: (m, 2)."""
    if units.is_within:
        return np.asarray(chosen.sum(axis=(1, 3)), dtype=np.int64)
    by_unit = chosen.sum(axis=(2, 3))
    treated = by_unit @ units.labels.astype(np.int64)
    return np.column_stack([by_unit.sum(axis=1) - treated, treated]).astype(np.int64)


def has_several_draws(units: PanelUnits) -> BoolArray:
    """Analytes (m,) with two values of a subject under one condition."""
    several = units.present.sum(axis=3) > 1
    return np.asarray((several & units.used[:, :, None]).any(axis=(1, 2)))


def only(units: PanelUnits, rows: IntArray) -> PanelUnits:
    """The same contrast of some of its analytes."""
    return replace(
        units,
        analytes=tuple(units.analytes[row] for row in rows),
        y=units.y[rows],
        side=units.side[rows],
        own=None if units.own is None else units.own[rows],
    )


def only_subjects(units: PanelUnits, chosen: IntArray) -> PanelUnits:
    """The same contrast of the subjects at these positions, in that order."""
    return replace(
        units,
        subjects=tuple(units.subjects[i] for i in chosen),
        y=units.y[:, chosen],
        side=units.side[:, chosen],
        effect=units.effect[chosen],
        nuisance=units.nuisance[chosen],
        own=None if units.own is None else units.own[:, chosen],
        cell_nuisance=units.cell_nuisance[chosen],
        labels=units.labels[chosen],
        strata=units.strata[chosen],
        draws=None if units.draws is None else units.draws[chosen],
        random_plate=None if units.random_plate is None else units.random_plate[chosen],
    )
