"""Analysis populations as a result: who is in, who is out, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialkit.errors import DataError, SpecError
from trialkit.results import display
from trialkit.results.columns import freeze_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Populations"]

# The arm of subjects who have none, in counts.
NO_ARM = "(no arm)"
MAX_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Populations:
    """Analysis populations of one trial, over the same subjects.

    `subjects`, `planned` and `received` give each subject's label, planned arm and arm of the
    treatment received (None where there is none). `reasons` maps a population to one text a
    subject, empty for its members; `definitions` to what puts a subject in it. The safety
    population is counted by `received` where `actual_arm` was named, all others by `planned`.
    """

    subject: str
    arm: str
    actual_arm: str | None
    arms: tuple[object, ...]
    subjects: tuple[object, ...]
    planned: tuple[object, ...]
    received: tuple[object, ...]
    reasons: Mapping[str, tuple[object, ...]]
    definitions: Mapping[str, str]

    def __post_init__(self) -> None:
        frozen = freeze_columns(self.reasons, len(self.subjects), what="Population")
        object.__setattr__(self, "reasons", frozen)
        object.__setattr__(self, "definitions", dict(self.definitions))

    def __repr__(self) -> str:
        return display.as_text(self.counts(), title=self._title(), notes=self._notes())

    def _repr_html_(self) -> str:
        return display.as_html(self.counts(), title=self._title(), notes=self._notes())

    @property
    def names(self) -> tuple[str, ...]:
        """The populations that are defined."""
        return tuple(self.reasons)

    def members(self, population: str) -> tuple[object, ...]:
        """The subjects of a population, in the order of the data."""
        reasons = self._reasons(population)
        return tuple(who for who, reason in zip(self.subjects, reasons, strict=True) if not reason)

    def arm_column(self, population: str) -> str:
        """The column of arms to analyse a population by: as treated for safety, if named."""
        self._reasons(population)
        as_treated = population == "safety" and self.actual_arm is not None
        return str(self.actual_arm) if as_treated else self.arm

    def select(self, frame: pd.DataFrame, population: str) -> pd.DataFrame:
        """The rows of `frame` whose subject is in a population, index kept.

        Raises DataError for rows of subjects whom the populations do not know.
        """
        members = self.members(population)
        if self.subject not in frame:
            raise DataError(f"No column {self.subject!r} in the frame; it names the subjects.")
        present = frame[self.subject]
        unknown = present[~present.isin(list(self.subjects))]
        if len(unknown):
            named = ", ".join(map(str, unknown.unique().tolist()[:MAX_NAMED]))
            raise DataError(
                f"{unknown.nunique(dropna=False)} subject(s) of the frame are not among the "
                f"{len(self.subjects)} of the populations: {named}."
            )
        return frame.loc[present.isin(list(members))]

    def frame(self) -> pd.DataFrame:
        """Who is excluded and why: one row a population and subject.

        Columns `population, subject, arm, reason`; `arm` is the planned one. A subject with
        several reasons has them in one row.
        """
        import pandas as pd

        rows = [
            (population, who, arm, reason)
            for population, reasons in self.reasons.items()
            for who, arm, reason in zip(self.subjects, self.planned, reasons, strict=True)
            if reason
        ]
        return pd.DataFrame(rows, columns=["population", "subject", "arm", "reason"], dtype=object)

    def counts(self) -> pd.DataFrame:
        """Subjects in and out of each population by arm, and in all.

        Columns `population, arm, n, n_excluded`; the rows with arm "all" are the totals. Those
        excluded count under their planned arm. Raises DataError if a population and those
        excluded from it do not add up to all subjects.
        """
        import pandas as pd

        rows = []
        for population, reasons in self.reasons.items():
            arms = self.received if self.arm_column(population) != self.arm else self.planned
            tally: dict[object, list[int]] = {arm: [0, 0] for arm in self.arms}
            for arm, planned, reason in zip(arms, self.planned, reasons, strict=True):
                label = planned if reason else arm
                tally.setdefault(NO_ARM if label is None else label, [0, 0])[bool(reason)] += 1
            included, excluded = map(sum, zip(*tally.values(), strict=True))
            if (included, included + excluded) != (len(self.members(population)), len(self)):
                raise DataError(
                    f"Population {population!r}: {included} in and {excluded} out do not make "
                    f"{len(self)} subjects."
                )
            rows += [(population, arm, *both) for arm, both in tally.items()]
            rows.append((population, "all", included, excluded))
        return pd.DataFrame(rows, columns=["population", "arm", "n", "n_excluded"])

    def switched(self) -> pd.DataFrame:
        """Subjects who received another treatment than planned: `subject, arm, actual_arm`."""
        import pandas as pd

        rows = [
            (who, planned, received)
            for who, planned, received in zip(
                self.subjects, self.planned, self.received, strict=True
            )
            if received is not None and received != planned
        ]
        return pd.DataFrame(rows, columns=["subject", "arm", "actual_arm"], dtype=object)

    def __len__(self) -> int:
        return len(self.subjects)

    def _reasons(self, population: str) -> tuple[object, ...]:
        if population not in self.reasons:
            raise SpecError(
                f"No population {population!r}; defined: {', '.join(self.names)}. A population is "
                "defined by a flag column (flags=), safety also by treated=, per-protocol also by "
                "deviations=."
            )
        return self.reasons[population]

    def _title(self) -> str:
        return f"Analysis populations of {len(self)} subjects"

    def _notes(self) -> tuple[str, ...]:
        return tuple(f"{name}: {text}." for name, text in self.definitions.items())
