"""A table of results that is neither estimates nor tests: counts, listings, figures of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialkit.results import ard, display
from trialkit.results.columns import freeze_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FrameTable", "frame_table"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FrameTable:
    """Figures with the keys that tell them apart; unrounded. `notes` as in an EstimateTable."""

    keys: Mapping[str, tuple[object, ...]]
    figures: Mapping[str, tuple[object, ...]]
    variable: str
    method: str
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n_rows = len(next(iter(self.figures.values())))
        object.__setattr__(self, "keys", freeze_columns(self.keys, n_rows, what="Key"))
        object.__setattr__(self, "figures", freeze_columns(self.figures, n_rows, what="Figure"))

    def __repr__(self) -> str:
        return display.as_text(self.frame(), title=self.variable, notes=self._said())

    def _repr_html_(self) -> str:
        return display.as_html(self.frame(), title=self.variable, notes=self._said())

    def frame(self) -> pd.DataFrame:
        """The tidy frame: keys, the figures, `method`."""
        import pandas as pd

        frame = pd.DataFrame({k: list(v) for k, v in {**self.keys, **self.figures}.items()})
        return frame.assign(method=self.method)

    def to_ard(self) -> pd.DataFrame:
        """One row a figure; columns as in `EstimateTable.to_ard`."""
        return ard.analysis_results(
            self.frame(), keys=tuple(self.keys), variable=self.variable, notes=self.notes
        )

    def _said(self) -> tuple[str, ...]:
        return (f"{self.method}.", *self.notes)


def frame_table(
    frame: pd.DataFrame,
    *,
    keys: Sequence[str],
    variable: str,
    method: str,
    notes: Sequence[str] = (),
) -> FrameTable:
    """A frame as a table of results: the columns in `keys` tell its rows apart."""
    columns = {str(name): tuple(frame[name].tolist()) for name in frame.columns}
    return FrameTable(
        keys={name: columns[name] for name in keys},
        figures={name: values for name, values in columns.items() if name not in keys},
        variable=variable,
        method=method,
        notes=tuple(notes),
    )
