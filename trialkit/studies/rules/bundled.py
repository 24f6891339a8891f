"""The bundled studies' figures, for rules that hold a figure against its source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from trialkit.studies.figure import figures_of
from trialkit.studies.fixtures import fixtures_root, names, read_figures
from trialkit.studies.rules.record import Record

__all__ = ["bundled_record"]


def bundled_record() -> Record:
    """All published figures that travel with trialkit, read once."""
    return _read(fixtures_root())


@cache
def _read(root: Path) -> Record:
    figures = [figure for name in names() for figure in figures_of(read_figures(root / name))]
    return Record(figures)
