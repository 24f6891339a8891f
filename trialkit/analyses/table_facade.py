"""A result of several tables that answers, where one is meant, with its main one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trialkit.results import Estimate, EstimateTable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ContrastsFacade", "TableFacade"]


class TableFacade:
    """What a table of estimates can be asked, passed on to `main_table`."""

    __slots__ = ()

    @property
    def main_table(self) -> EstimateTable:
        """The table that is meant where none is named."""
        raise NotImplementedError

    def frame(self) -> pd.DataFrame:
        """The main table, tidy and unrounded."""
        return self.main_table.frame()

    def where(self, **keys: object) -> EstimateTable:
        """The rows of the main table whose keys have these values."""
        return self.main_table.where(**keys)

    def single(self) -> Estimate:
        """The one estimate of a main table of one row."""
        return self.main_table.single()

    def adjust(self, method: str, *, family: str | Sequence[str] | None = None) -> EstimateTable:
        """The main table with p-values adjusted for multiplicity."""
        return self.main_table.adjust(method, family=family)

    def to_ard(self) -> pd.DataFrame:
        """The main table, one row a statistic."""
        return self.main_table.to_ard()

    def __len__(self) -> int:
        return len(self.main_table)

    def __repr__(self) -> str:
        return repr(self.main_table)

    def _repr_html_(self) -> str:
        return self.main_table._repr_html_()


class ContrastsFacade(TableFacade):
    """A result whose main table are its contrasts."""

    __slots__ = ()

    contrasts: EstimateTable

    @property
    def main_table(self) -> EstimateTable:
        """The contrasts."""
        return self.contrasts

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each contrast with its interval."""
        return self.contrasts.plot(ax)
