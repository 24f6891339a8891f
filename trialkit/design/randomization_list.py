"""A randomisation list: who will get what, with everything needed to make it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trialkit.errors import SpecError
from trialkit.results import display
from trialkit.results.columns import freeze_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RandomizationList"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RandomizationList:
    """Random assignments in the order in which they are to be used.

    `assigned` is the column that was randomised, "arm" or "sequence"; `ratio` its labels with
    their shares in a block; `strata` the stratum columns. `orders` holds, for a crossover, the
    treatments of each sequence by period. `seed` makes the same list again, whether it was
    given or drawn from a generator; `method` says every choice. Whoever holds the list can
    foresee assignments: keep it, and its seed, from those who enrol.
    """

    columns: Mapping[str, tuple[object, ...]]
    assigned: str
    ratio: tuple[tuple[str, int], ...]
    strata: tuple[str, ...]
    seed: int
    method: str
    orders: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        n_rows = len(next(iter(self.columns.values()), ()))
        frozen = freeze_columns(self.columns, n_rows, what="Column")
        object.__setattr__(self, "columns", frozen)

    def __len__(self) -> int:
        return len(self.columns[self.assigned])

    def __repr__(self) -> str:
        return display.as_text(self.balance(), title=self._title(), notes=self._notes())

    def _repr_html_(self) -> str:
        return display.as_html(self.balance(), title=self._title(), notes=self._notes())

    def frame(self) -> pd.DataFrame:
        """One row an assignment.

        Columns: `randomization_number`, the strata, `block` (counted within a stratum),
        `block_size`, then `arm`; for a crossover `sequence, period_1, period_2, ...`.
        """
        import pandas as pd

        return pd.DataFrame({name: list(values) for name, values in self.columns.items()})

    def periods(self) -> pd.DataFrame:
        """The list of a crossover, one row an assignment and period.

        Columns: `randomization_number, sequence, period, treatment`. Raises SpecError for a
        parallel list, which has no periods.
        """
        import pandas as pd

        if not self.orders:
            raise SpecError("A parallel list has no periods; .frame() has its arms.")
        orders = dict(self.orders)
        numbers, sequences = self.columns["randomization_number"], self.columns["sequence"]
        rows = [
            (number, sequence, period, treatment)
            for number, sequence in zip(numbers, sequences, strict=True)
            for period, treatment in enumerate(orders[str(sequence)], start=1)
        ]
        names = ["randomization_number", "sequence", "period", "treatment"]
        return pd.DataFrame(rows, columns=names)

    def balance(self) -> pd.DataFrame:
        """Assignments of each arm (or sequence) by stratum, beside what the ratio asks for.

        Columns: the strata, the assigned column, `n`, `expected`. With strata, the rows of
        the whole list follow, their strata "all". Whole blocks make `n` equal `expected`.
        """
        import pandas as pd

        counts: dict[tuple[object, ...], dict[str, int]] = {}
        everyone = ("all",) * len(self.strata)
        strata = zip(*(self.columns[name] for name in self.strata), strict=True)
        places = list(strata) if self.strata else [()] * len(self)
        for place, label in zip(places, self.columns[self.assigned], strict=True):
            for key in dict.fromkeys((place, everyone)):
                count = counts.setdefault(key, {name: 0 for name, _ in self.ratio})
                count[str(label)] += 1
        shares = sum(share for _, share in self.ratio)
        keys = [key for key in counts if key != everyone] + [everyone] * (everyone in counts)
        rows = [
            (*key, label, counts[key][label], share * sum(counts[key].values()) / shares)
            for key in keys
            for label, share in self.ratio
        ]
        return pd.DataFrame(rows, columns=[*self.strata, self.assigned, "n", "expected"])

    def write_csv(self, path: str | Path) -> Path:
        """Write `.frame()` as CSV and return the path; the same list gives the same bytes."""
        from trialkit.data.writing import write_csv

        write_csv(self.frame(), path)
        return Path(path)

    def _title(self) -> str:
        return f"Randomisation list of {len(self)} to {len(self.ratio)} {self.assigned}s"

    def _notes(self) -> tuple[str, ...]:
        return (f"Method: {self.method}.",)
