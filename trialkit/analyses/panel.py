"""Many analytes compared between conditions, with limits of quantification and multiplicity."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from trialkit.analyses.panel_cells import PanelCells, PanelColumns, read_cells
from trialkit.analyses.panel_choices import (
    Censoring,
    PanelAdjustment,
    PanelDesign,
    PanelOptions,
    PanelTest,
    PlateEffect,
    Repeated,
    Transform,
    Trend,
)
from trialkit.analyses.panel_fits import ContrastFits, fit_contrast
from trialkit.analyses.panel_permutation import Permuted, westfall_young
from trialkit.analyses.panel_table import PanelTable
from trialkit.analyses.panel_units import PanelUnits, make_units
from trialkit.errors import SpecError, TrialkitWarning
from trialkit.typing import Alternative

__all__ = ["compare_panel"]

PERMUTED = ("maxt", "minp")


def compare_panel(
    data: pd.DataFrame,
    *,
    analyte: str,
    value: str,
    subject: str,
    design: PanelDesign,
    condition: str,
    reference: object,
    visit: str | None = None,
    repeated: Repeated = "mixed",
    period: str | None = None,
    sequence: str | None = None,
    strata: Sequence[str] = (),
    plate: str | None = None,
    plate_effect: PlateEffect = "fixed",
    baseline: str | None = None,
    outcome: Literal["level", "change"] = "level",
    covariates: Sequence[str] = (),
    lloq: str | float | None = None,
    uloq: str | float | None = None,
    baseline_lloq: str | float | None = None,
    censoring: Censoring = "tobit",
    transform: Transform = "log2",
    test: PanelTest = "t",
    moderated: bool = False,
    trend: Trend = False,
    robust: bool = False,
    adjust: PanelAdjustment = "fdr_bh",
    permutations: int | pd.DataFrame | None = None,
    assayed: int | Literal["unknown"] | None = None,
    rng: np.random.Generator | int | None = None,
    ci_level: float = 0.95,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
) -> PanelTable:
    """Mean log2 difference of every analyte, each other condition minus the reference.

    One row of `data` is one measurement: an `analyte` of a `subject` under a `condition`.
    Keys: analyte, contrast. `estimate` is on the log2 scale; extras are `fold_change` with its
    interval, `n_censored`, and the share `detected` under the condition and the reference.
    Each contrast uses its own two conditions; p-values are adjusted within a contrast.

    design="paired" compares a subject's two conditions; "crossover" adjusts for `period`;
    "parallel" compares arms, with `baseline` (transformed like the value) as covariate or, with
    outcome="change", subtracted, and `covariates`, `strata` and `plate` adjusted for
    (plate_effect="random": a variance between three or more plates by REML, bounded at zero,
    Kenward-Roger; not with censored values by "tobit"). A baseline at or below `baseline_lloq` is
    half its limit (limit / sqrt 2 under "half-sqrt2").

    `visit` names several draws of a subject under a condition. They are taken by a mixed model
    (repeated="mixed": random subject and subject-by-condition effects, REML with variances that may
    fall below zero, Kenward-Roger with the expected information); draws of equal number then
    give the t test of their means. repeated="mean" compares unweighted means of unequal draws,
    too; rank, moderated and permutation statistics are those of the means.

    A value at or below its own `lloq` (a column, or a number) is left-censored there, one at or
    above `uloq` right-censored. `censoring`: "tobit", maximum likelihood (between arms Wald z
    as R's survreg; within subjects a mixed model with a subject effect, with several draws also
    one of each subject's condition, t); "half" and
    "half-sqrt2" substitute; "ros" is regression on order statistics within an arm, for two arms
    without adjustment (it does not say which subject has which value); "drop" leaves censored
    values out. Analytes without a censored value are compared by least squares
    and t under every rule. One without a measured value in a condition has no estimate: its
    row gives an exact test on detection and, under "tobit", a profile-likelihood bound.

    transform="none" takes the values as logarithms to base 2 already (Olink's NPX); "linear"
    compares them in their own unit, without fold changes and substitution. test="t"
    is Student's; "welch" and "wilcoxon" (Hodges-Lehmann estimate) adjust for nothing.
    `moderated` shrinks the variances (Smyth 2004; not for tobit fits), with a `trend` in the
    mean response (True, as limma on these responses) or the mean level ("level": for paired
    data limma's subject blocks), `robust` against outlying variances, or both.

    `adjust`: fdr_bh, fdr_by, holm, hochberg, hommel, bonferroni, none, or the step-down
    Westfall-Young "maxt" and "minp" of the t statistics (Wilcoxon: of the rank sums; tobit: of
    the t statistics of the scores). They rearrange within the design (crossover: the sequences,
    with more than two periods among those alike but for the order of the two treatments),
    completely where there are at most 2^20 arrangements; otherwise `permutations` (a count,
    10,000 by default) are drawn with `rng` and `p_adjusted_se` is their error. A frame gives the
    arrangements: one column a subject, one row an arrangement, 1 = not the reference (crossover:
    1 = after the reference). `assayed` is the number of analytes measured, reported or not;
    "unknown" draws a warning, None takes those in `data` to be all.

    Raises DataError for repeated measurements, values without a logarithm and labels that are
    missing; DesignError where the data contradict the design; SpecError for combinations that
    are not defined.

    References: Tobin (1958), doi:10.2307/1907382; Smyth (2004), doi:10.2202/1544-6115.1027;
    Westfall & Young (1993) Resampling-based multiple testing; Ge, Dudoit & Speed (2003),
    doi:10.1007/BF02595811.

    Example
    -------
    >>> import pandas as pd
    >>> rows = [(s, v, a, 2.0 ** (x + (v == "Week 8") * d))
    ...         for a, d in (("IL6", -1), ("TNF", 0.2))
    ...         for s, x, d in zip("ABCD", (1, 2, 3, 4), (d, d - 0.2, d + 0.1, d - 0.3))
    ...         for v in ("Baseline", "Week 8")]
    >>> data = pd.DataFrame(rows, columns=["USUBJID", "AVISIT", "PARAMCD", "AVAL"])
    >>> panel = compare_panel(data, analyte="PARAMCD", value="AVAL", subject="USUBJID",
    ...                       design="paired", condition="AVISIT", reference="Baseline")
    >>> panel.frame()[["analyte", "estimate", "fold_change", "p_adjusted"]].round(3)
      analyte  estimate  fold_change  p_adjusted
    0     IL6      -1.1        0.467       0.002
    1     TNF       0.1        1.072       0.353
    """
    options = PanelOptions(
        design=design,
        censoring=censoring,
        transform=transform,
        outcome=outcome,
        test=test,
        moderated=moderated,
        trend=trend,
        robust=robust,
        adjust=adjust,
        ci_level=ci_level,
        alternative=alternative,
        null=null,
        repeated=repeated,
        plate_effect=plate_effect,
    )
    columns = PanelColumns(
        analyte=analyte,
        value=value,
        subject=subject,
        condition=condition,
        reference=reference,
        draw=visit,
        period=period,
        sequence=sequence,
        strata=_names(strata),
        plate=plate,
        covariates=_names(covariates),
        lloq=lloq,
        uloq=uloq,
        baseline=baseline,
        baseline_lloq=baseline_lloq,
    )
    _check_arguments(columns, options, permutations)
    cells = _with_baseline_rule(read_cells(data, columns, transform=transform), censoring)
    units = tuple(
        make_units(cells, columns, code, options) for code in range(1, len(cells.conditions))
    )
    fits = [fit_contrast(item, options) for item in units]
    notes = [*cells.notes, *_left_out(cells, units), *(note for f in fits for note in f.notes)]
    n_assayed, said = _denominator(assayed, len(cells.analytes))
    table = _table(cells, units, fits, options, value, (*notes, said), n_assayed)
    if adjust not in PERMUTED:
        return table if adjust == "none" else table.adjust(adjust, family="contrast")
    permuted = [
        westfall_young(item, options, _testable(fit), permutations=permutations, rng=rng)
        for item, fit in zip(units, fits, strict=True)
    ]
    return _with_permuted(table, permuted)


def _names(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _check_arguments(
    columns: PanelColumns, options: PanelOptions, permutations: int | pd.DataFrame | None
) -> None:
    is_parallel = options.design == "parallel"
    for name, given, wanted in (
        ("visit", columns.draw, not is_parallel),
        ("period", columns.period, options.design == "crossover"),
        ("sequence", columns.sequence, options.design == "crossover"),
        ("baseline", columns.baseline, is_parallel),
        ("covariates", columns.covariates, is_parallel),
    ):
        if given and not wanted:
            raise SpecError(f'{name}= does not apply to design="{options.design}".')
    if options.design == "crossover" and columns.period is None:
        raise SpecError('design="crossover" needs period=, the column of the period.')
    if options.repeated != "mixed" and columns.draw is None:
        raise SpecError(f'repeated="{options.repeated}" is for several draws; name them by visit=.')
    if options.plate_effect == "random" and columns.plate is None:
        raise SpecError('plate_effect="random" needs plate=, the column of the plate.')
    if columns.baseline is None and columns.baseline_lloq is not None:
        raise SpecError("baseline_lloq= is given without baseline=.")
    if options.outcome == "change" and columns.baseline is None:
        raise SpecError('outcome="change" needs baseline=, the column to subtract.')
    if permutations is not None and options.adjust not in PERMUTED:
        raise SpecError(f'permutations= is for adjust="maxt" or "minp", not "{options.adjust}".')


def _with_baseline_rule(cells: PanelCells, censoring: str) -> PanelCells:
    """A baseline below its limit as half of it, or its share by sqrt 2 where that is the rule."""
    if cells.baseline is None or cells.baseline_side is None:
        return cells
    if not cells.is_log and (cells.baseline_side == -1).any():
        raise SpecError(
            "A baseline below its limit is substituted on the log scale, "
            'not for transform="linear".'
        )
    step = -0.5 if censoring == "half-sqrt2" else -1.0
    moved = np.where(cells.baseline_side == -1, cells.baseline + step, cells.baseline)
    return replace(cells, baseline=moved)


def _left_out(cells: PanelCells, units: Iterable[PanelUnits]) -> list[str]:
    """Subjects of a contrast that some or all analytes could not use."""
    notes = []
    for item in units:
        if not item.is_within:
            continue
        there = np.isin(cells.condition, [cells.conditions.index(c) for c in item.conditions])
        lost = np.unique(cells.subject[there]).size - len(item.subjects)
        if lost:
            notes.append(
                f"{item.contrast}: {lost} subject(s) left out, without a sample under both."
            )
        n_halves = int((item.present.any(axis=(2, 3)) & ~item.used).sum())
        if n_halves:
            notes.append(
                f"{item.contrast}: {n_halves} time(s) an analyte of a subject has values under one "
                "condition only, and is left out."
            )
    return notes


def _denominator(assayed: object, n_present: int) -> tuple[int | None, str]:
    """The number of analytes assayed, and the sentence about it."""
    if assayed is None:
        return n_present, f"{n_present} analytes compared, taken to be all that were assayed."
    if assayed == "unknown":
        said = (
            f"{n_present} analytes compared; how many were assayed is not known, so that the "
            "adjusted p-values hold for these alone."
        )
        warnings.warn(said, TrialkitWarning, stacklevel=3)
        return None, said
    n_assayed = 0
    if isinstance(assayed, int | np.integer) and not isinstance(assayed, bool):
        n_assayed = int(assayed)
    if n_assayed < n_present:
        raise SpecError(
            f'assayed={assayed!r}; give "unknown" or a whole number of at least the '
            f"{n_present} analytes in the data."
        )
    beyond = f"; the other {n_assayed - n_present} are not in the data, and not in the family"
    return n_assayed, (
        f"{n_present} of {n_assayed} analytes assayed are compared"
        f"{beyond if n_assayed > n_present else ''}."
    )


def _table(
    cells: PanelCells,
    units: tuple[PanelUnits, ...],
    fits: list[ContrastFits],
    options: PanelOptions,
    value: str,
    notes: tuple[str, ...],
    n_assayed: int | None,
) -> PanelTable:
    rows = [row for fit in fits for row in fit.estimates]
    found = [item for fit in fits for item in fit.detections]
    extras: dict[str, list[object]] = {}
    if cells.is_log:
        extras["fold_change"] = _powers([row.estimate for row in rows])
        extras["fold_change_low"] = _powers([row.ci_low for row in rows])
        extras["fold_change_high"] = _powers([row.ci_high for row in rows])
    extras |= {
        "n_censored": [int(n) for fit in fits for n in fit.n_censored],
        "detected": [item.share[1] for item in found],
        "detected_reference": [item.share[0] for item in found],
    }
    if options.moderated:
        extras |= _moderated_columns(fits)
    return PanelTable(
        estimates=tuple(rows),
        keys={
            "analyte": tuple(name for item in units for name in item.analytes),
            "contrast": tuple(item.contrast for item in units for _ in item.analytes),
        },
        extras={name: tuple(values) for name, values in extras.items()},
        variable=f"log2 {value}" if options.transform == "log2" else value,
        notes=tuple(dict.fromkeys(note for note in notes if note)),
        units=units,
        cells=cells,
        options=options,
        n_assayed=n_assayed,
    )


def _powers(log2_values: list[float]) -> list[object]:
    with np.errstate(over="ignore"):
        return list(np.exp2(np.array(log2_values, dtype=np.float64)).tolist())


def _moderated_columns(fits: list[ContrastFits]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {}
    for fit in fits:
        if fit.moderated is None:
            continue
        for name, values in fit.moderated.columns().items():
            full = np.full(len(fit.estimates), np.nan)
            full[fit.moderated.rows] = values
            columns.setdefault(name, []).extend(float(item) for item in full)
    return columns


def _testable(fit: ContrastFits) -> np.ndarray:
    """Analytes with an estimate and a p-value: those a permutation can rearrange."""
    ok = [row.status == "ok" for row in fit.estimates]
    return np.flatnonzero(ok).astype(np.int64)


def _with_permuted(table: PanelTable, permuted: list[Permuted]) -> PanelTable:
    def column(name: str) -> tuple[float, ...]:
        return tuple(float(v) for item in permuted for v in getattr(item, name))

    extras = dict(table.extras)
    extras["p_permutation"] = column("raw")
    extras["p_single_step"] = column("single_step")
    if any(np.nansum(item.error) > 0 for item in permuted):
        extras["p_adjusted_se"] = column("error")
    labels = dict.fromkeys(item.label for item in permuted)
    return replace(table, extras=extras).with_adjusted(column("step_down"), "; ".join(labels))
