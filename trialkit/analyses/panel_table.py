"""A compared panel: its table of estimates, and what can be drawn and asked further."""

from __future__ import annotations

from dataclasses import dataclass

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_units import PanelUnits
from trialkit.results import EstimateTable

__all__ = ["PanelTable"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)
class PanelTable(EstimateTable):
    """Estimates by analyte and contrast, with the measurements they came from.

    `n_assayed` is the number of analytes the laboratory measured, None where it is not known:
    the denominator of "17 were lower". `units` are locked arrays, one entry a contrast; they
    are what the figures, the global tests and the sensitivity strip are made from.
    """

    units: tuple[PanelUnits, ...] = ()
    options: PanelOptions | None = None
    n_assayed: int | None = None
