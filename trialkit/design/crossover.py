"""The crossover design: every subject gets several treatments, in the order of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialkit.design.roles import check_label, check_roles, level_order

__all__ = ["Crossover"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossover:
    """Roles of the columns in a crossover trial: one row a subject and period (and measurement).

    `subject` names the column of who, `sequence` the order of treatments assigned, `period`
    the place in that order, `treatment` what was given in the period, and `reference` the
    treatment that the others are compared with (a label of that column). `outcome` is the
    analysed number. `measurement` names the visit or day that tells several rows of a period
    apart; without it a subject has one row a period. `period_order` is needed when periods are
    plain text: their labels in order, or the name of a numeric column; numbers and Categoricals
    carry their own order.

    Nothing here looks at data; `trialkit.check(frame, design)` does. Raises SpecError for an
    empty name and for a column with two roles.

    Example
    -------
    >>> from trialkit.design.crossover import Crossover
    >>> design = Crossover(subject="USUBJID", sequence="SEQ", period="PERIOD",
    ...                    treatment="TRTA", reference="Placebo", outcome="AVAL")
    >>> design.reference
    'Placebo'
    """

    subject: str
    sequence: str
    period: str
    treatment: str
    reference: object
    outcome: str | None = None
    measurement: str | None = None
    period_order: str | Sequence[object] | None = None

    def __post_init__(self) -> None:
        roles: dict[str, object] = {
            "subject": self.subject,
            "sequence": self.sequence,
            "period": self.period,
            "treatment": self.treatment,
            "outcome": self.outcome,
            "measurement": self.measurement,
        }
        check_roles("Crossover", roles, optional=("outcome", "measurement"))
        check_label("Crossover", "reference", self.reference)
        order = level_order("Crossover", "period_order", self.period_order, of=self.period)
        object.__setattr__(self, "period_order", order)
