"""The published figures a generator reads, and the record of which it has read."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from trialkit.errors import DataError

__all__ = ["CALIBRATED_COLUMNS", "FigureBook"]

KEYS = ("arm", "outcome", "timepoint", "statistic")
CALIBRATED_COLUMNS = (*KEYS, "printed", "used_for")


@dataclass(slots=True)
class FigureBook:
    """Figures of one study by arm, outcome, timepoint and statistic.

    Reading a figure marks it as calibrated: a generator has no other way to the numbers, so the
    record of what was used is complete.
    """

    path: Path
    printed: dict[tuple[str, ...], str]
    used: dict[tuple[str, ...], str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> FigureBook:
        """The figures of a `published.csv`; raises DataError for a figure given twice."""
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        printed: dict[tuple[str, ...], str] = {}
        for row in rows:
            key = tuple(row[name] for name in KEYS)
            if key in printed:
                raise DataError(f"{path} has two figures for {', '.join(filter(None, key))}.")
            printed[key] = row["printed"]
        return cls(path=path, printed=printed)

    def text(self, arm: str, outcome: str, timepoint: str, statistic: str, *, used_for: str) -> str:
        """The figure as printed; the reading is recorded with what it is used for."""
        key = (arm, outcome, timepoint, statistic)
        if key not in self.printed:
            raise DataError(f"{self.path} has no figure {', '.join(filter(None, key))}.")
        self.used[key] = used_for
        return self.printed[key]

    def count(
        self, arm: str, outcome: str, timepoint: str, statistic: str = "n/N", *, used_for: str
    ) -> int:
        """The count of an "n/N" or "n" figure."""
        return int(self.text(arm, outcome, timepoint, statistic, used_for=used_for).split("/")[0])

    def denominator(self, arm: str, outcome: str, timepoint: str, *, used_for: str) -> int:
        """The number of subjects of an "n/N" figure."""
        return int(self.text(arm, outcome, timepoint, "n/N", used_for=used_for).split("/")[1])

    def calibrated(self) -> list[dict[str, str]]:
        """One row a figure read, in the order of the published figures."""
        return [
            {**dict(zip(KEYS, key, strict=True)), "printed": printed, "used_for": self.used[key]}
            for key, printed in self.printed.items()
            if key in self.used
        ]
