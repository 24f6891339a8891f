"""Every published figure of a study beside the figure trialkit computes, with a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import nan
from typing import TYPE_CHECKING

from trialkit.errors import DataError, SpecError
from trialkit.results import display
from trialkit.studies.bundle import Study, load
from trialkit.studies.calibration import calibrated_figures
from trialkit.studies.figure import Figure, FigureKey, figures_of
from trialkit.studies.printing import as_printed, prints_the_same
from trialkit.studies.recipe import Recipe, Recomputation, read_recipe
from trialkit.studies.summary import Recomputed, Verdict, recompute, verdict
from trialkit.studies.twin import Twin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Reproduction", "ReproductionRow", "reproduce"]

COUNTED = ("summary", "synthetic")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproductionRow:
    """One published figure beside ours; the order of the fields is that of the frame's columns.

    `reproduced_printed` is ours at the printed decimals. `reproduced` of an "n/N" is its count.
    """

    study: str
    outcome: str
    timepoint: str
    statistic: str
    published: str
    reproduced: float
    reproduced_low: float
    reproduced_high: float
    agrees: Verdict
    basis: str
    provenance: str
    note: str
    arm: str
    reproduced_printed: str
    published_value: float = field(default=nan)
    published_unit: float = field(default=nan)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reproduction:
    """Every published figure of one study beside ours, none left out.

    `basis` says how ours was made: `summary` (from other published figures), `synthetic` (by the
    real analysis from the simulated trial), `derived` (nothing printed to compare), `calibrated`
    (used to make the simulated trial: agrees by construction and is not counted) or
    `not reproducible` (the note says why). One figure may have a row of several.
    """

    name: str
    rows: tuple[ReproductionRow, ...]

    def frame(self) -> pd.DataFrame:
        """One row a figure and basis, unrounded.

        Columns: study, outcome, timepoint, statistic, published (text as printed), reproduced,
        reproduced_low, reproduced_high, agrees (True, False, "uninformative", None where there
        is nothing to compare), basis, provenance, note, then arm and reproduced_printed.
        """
        import pandas as pd

        columns = [item.name for item in fields(ReproductionRow)][:-2]
        data = {name: [getattr(row, name) for row in self.rows] for name in columns}
        # An object column keeps True, False and None apart from text and from numbers.
        data["agrees"] = pd.Series(data["agrees"], dtype=object)  # type: ignore[assignment]
        return pd.DataFrame(data)

    def counts(self) -> dict[str, int]:
        """Number of rows that agree, disagree or are uninformative, and of those not counted."""
        judged = [row.agrees for row in self.rows if row.basis in COUNTED]
        others = [row.basis for row in self.rows]
        return {
            "agrees": sum(value is True for value in judged),
            "disagrees": sum(value is False for value in judged),
            "uninformative": judged.count("uninformative"),
            **{
                basis: others.count(basis)
                for basis in ("derived", "calibrated", "not reproducible")
            },
        }

    @property
    def failures(self) -> tuple[ReproductionRow, ...]:
        """Rows that should agree and do not.

        A calibrated figure that is missed is among them: agreeing is no evidence there, but
        missing it means that the simulated trial is not what it is said to be.
        """
        return tuple(row for row in self.rows if row.agrees is False)

    @property
    def all_agree(self) -> bool:
        """Whether no row that should agree fails to."""
        return not self.failures

    def __repr__(self) -> str:
        return display.as_text(self._shown(), title=self.name, notes=self._footnotes())

    def _repr_html_(self) -> str:
        return display.as_html(self._shown(), title=self.name, notes=self._footnotes())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Ours about the printed figure, in units of its last digit, one line a row.

        The band holds what prints the same; a line is the range that the inputs' rounding
        allows. Only what counts as evidence is drawn: summary and synthetic rows.
        """
        from trialkit.figures.agreement import agreement

        shown = [row for row in self.rows if row.basis in COUNTED]
        return agreement(
            labels=[_plot_label(row) for row in shown],
            published=[row.published_value for row in shown],
            unit=[row.published_unit for row in shown],
            reproduced=[row.reproduced for row in shown],
            low=[row.reproduced_low for row in shown],
            high=[row.reproduced_high for row in shown],
            ax=ax,
        )

    def _tally(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in self.counts().items() if count)

    def _shown(self) -> pd.DataFrame:
        """The rows for reading: notes as numbers, agreement by construction in brackets."""
        columns = ["arm", "outcome", "timepoint", "statistic", "published", "reproduced_printed"]
        frame = self.frame()
        agrees = [_agreement_word(row) for row in self.rows]
        numbers = self._note_numbers()
        marked = [
            f"{row.statistic} [{numbers[row.note]}]" if row.note else row.statistic
            for row in self.rows
        ]
        return (
            frame[[*columns, "agrees", "basis"]]
            .rename(columns={"reproduced_printed": "reproduced"})
            .assign(agrees=agrees, statistic=marked)
        )

    def _note_numbers(self) -> dict[str, int]:
        notes = dict.fromkeys(row.note for row in self.rows if row.note)
        return {note: number for number, note in enumerate(notes, start=1)}

    def _footnotes(self) -> tuple[str, ...]:
        notes = (f"[{number}] {note}" for note, number in self._note_numbers().items())
        return (*notes, self._tally())


def _agreement_word(row: ReproductionRow) -> str:
    """The verdict as one word, in brackets where it holds by construction."""
    if row.agrees is None:
        return ""
    word = row.agrees if isinstance(row.agrees, str) else "yes" if row.agrees else "NO"
    return f"({word})" if row.basis == "calibrated" else word


def reproduce(name: str) -> Reproduction:
    """Recompute every published figure of a bundled study and compare it with the print.

    A summary figure agrees when a value that prints as it is reachable while every input varies
    within its own printed rounding; a range wider than ten units of its last digit is
    "uninformative". A synthetic figure agrees when ours prints the same. Raises SpecError for
    an unknown study; DataError for a published figure that the study's recipe leaves out.

    Example
    -------
    >>> import trialkit as tk
    >>> found = tk.studies.reproduce("irwin2024").frame()
    >>> row = found[(found["statistic"] == "p") & (found["basis"] == "summary")].iloc[0]
    >>> row["published"], f"{row['reproduced']:.4f}", row["agrees"]
    ('0.022', '0.0214', True)
    """
    study = load(name)
    recipe = read_recipe(study.folder)
    figures = _figures(study, recipe)
    calibrated = calibrated_figures(study.folder)
    twin = Twin(study)
    named = [
        (item.key, _computed(item, name, figures, calibrated, twin))
        for item in recipe.recomputations
    ]
    for gap in recipe.missing:
        named += [(key, _missing(_known(key, figures, name), name, gap.note)) for key in gap.keys]
    _refuse_gaps(name, figures, {key for key, row in named if row.basis != "derived"})
    order = {key: position for position, key in enumerate(figures)}
    # Stable: a figure's rows keep the recipe's order, and what nobody printed comes last.
    named.sort(key=lambda item: (item[1].basis == "derived", order.get(item[0], len(order))))
    return Reproduction(name=name, rows=tuple(row for _, row in named))


def _figures(study: Study, recipe: Recipe) -> dict[FigureKey, Figure]:
    import pandas as pd

    stated = pd.DataFrame(list(recipe.printed))
    frames = [study.figures, stated] if len(stated) else [study.figures]
    listed = figures_of(pd.concat(frames, ignore_index=True))
    return {figure.key: figure for figure in listed}


def _known(key: FigureKey, figures: Mapping[FigureKey, Figure], study: str) -> Figure:
    if key not in figures:
        raise SpecError(f"{study}: no published figure is called {key}.")
    return figures[key]


def _computed(
    item: Recomputation,
    study: str,
    figures: Mapping[FigureKey, Figure],
    calibrated: frozenset[FigureKey],
    twin: Twin,
) -> ReproductionRow:
    figure = None if item.basis == "derived" else _known(item.key, figures, study)
    if item.source is None:
        found = recompute(item, figures)
        return _row(item, study, figure, found, None if figure is None else verdict(figure, found))
    value, total = twin.value(item.source)
    found = Recomputed(value=value, low=nan, high=nan)
    agrees = None if figure is None else prints_the_same(figure, value, total)
    is_target = item.basis == "synthetic" and item.key in calibrated
    return _row(
        item, study, figure, found, agrees, basis="calibrated" if is_target else None, total=total
    )


def _row(
    item: Recomputation,
    study: str,
    figure: Figure | None,
    found: Recomputed,
    agrees: Verdict,
    *,
    basis: str | None = None,
    total: int | None = None,
) -> ReproductionRow:
    return ReproductionRow(
        study=study,
        outcome=item.key.outcome,
        timepoint=item.key.timepoint,
        statistic=item.key.statistic,
        published="" if figure is None else figure.printed,
        reproduced=found.value,
        reproduced_low=found.low,
        reproduced_high=found.high,
        agrees=agrees,
        basis=basis or item.basis,
        provenance="" if figure is None else figure.provenance,
        note=item.note,
        arm=item.key.arm,
        reproduced_printed=as_printed(figure, found.value, total),
        published_value=nan if figure is None else figure.point,
        published_unit=nan if figure is None else figure.last_digit,
    )


def _missing(figure: Figure, study: str, note: str) -> ReproductionRow:
    return ReproductionRow(
        study=study,
        outcome=figure.outcome,
        timepoint=figure.timepoint,
        statistic=figure.statistic,
        published=figure.printed,
        reproduced=nan,
        reproduced_low=nan,
        reproduced_high=nan,
        agrees=None,
        basis="not reproducible",
        provenance=figure.provenance,
        note=note,
        arm=figure.arm,
        reproduced_printed="",
        published_value=figure.point,
        published_unit=figure.last_digit,
    )


def _refuse_gaps(study: str, figures: Mapping[FigureKey, Figure], named: set[FigureKey]) -> None:
    """A figure that the recipe forgets would read as one that was never published."""
    forgotten = [str(key) for key in figures if key not in named]
    if forgotten:
        raise DataError(
            f"{study}: the recipe leaves out {len(forgotten)} published figure(s): "
            f"{'; '.join(forgotten)}."
        )


def _plot_label(row: ReproductionRow) -> str:
    words = (row.arm, row.outcome, row.timepoint, row.statistic)
    return f"{', '.join(word for word in words if word)}: {row.published} ({row.basis})"
