"""What a fitted crossover says of the rows that it is fitted to."""

from __future__ import annotations

import pandas as pd

from trialkit.analyses.crossover_model import CrossoverModel
from trialkit.analyses.crossover_rows import contribution_frame

__all__ = ["AnalysedCrossover"]


class AnalysedCrossover:
    """Counts of subjects and rows, for fits that keep their `model`."""

    __slots__ = ()
    model: CrossoverModel

    @property
    def n(self) -> int:
        """Number of subjects with an analysed row."""
        return len(self.model.subjects)

    @property
    def n_subjects(self) -> int:
        """Number of subjects with an analysed row."""
        return self.n

    @property
    def n_observations(self) -> int:
        """Number of analysed rows."""
        return self.model.frame.n

    @property
    def n_excluded(self) -> int:
        """Number of rows left out."""
        return int(self.model.analysed.size - self.model.frame.n)

    def contributions(self) -> pd.DataFrame:
        """Analysed periods of every subject: columns subject, sequence, n_periods, periods."""
        return contribution_frame(self.model.rows, self.model.analysed)
