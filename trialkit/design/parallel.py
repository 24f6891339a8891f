"""The parallel design: every subject belongs to one arm throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialkit.design.roles import check_label, check_roles, column_names, level_order

__all__ = ["Parallel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Roles of the columns in a parallel-group trial: one row a subject, or a subject and visit.

    `subject` and `arm` name the columns of who and of the treatment group, `reference` is the
    arm that the others are compared with (a label of that column). `outcome` is the analysed
    number, `baseline` its value before treatment (constant within a subject), `visit` the time
    point in the column's own labels. `visit_order` is needed when these are plain text: the
    labels in order, or the name of a numeric column such as AVISITN; numbers and Categoricals
    carry their own order. `strata` are the columns that randomisation was stratified by.

    Nothing here looks at data; `trialkit.check(frame, design)` does. Raises SpecError for an
    empty name, for a column with two roles and for an order of visits that are not named.

    Example
    -------
    >>> from trialkit.design.parallel import Parallel
    >>> design = Parallel(subject="USUBJID", arm="TRT01P", reference="Placebo",
    ...                   outcome="CHG", visit="AVISIT", visit_order="AVISITN", baseline="BASE")
    >>> design.arm, design.strata
    ('TRT01P', ())
    """

    subject: str
    arm: str
    reference: object
    outcome: str | None = None
    visit: str | None = None
    visit_order: str | Sequence[object] | None = None
    baseline: str | None = None
    strata: Sequence[str] = ()

    def __post_init__(self) -> None:
        strata = column_names("Parallel", "strata", self.strata)
        roles: dict[str, object] = {
            "subject": self.subject,
            "arm": self.arm,
            "outcome": self.outcome,
            "visit": self.visit,
            "baseline": self.baseline,
        }
        roles.update({f"strata[{position}]": name for position, name in enumerate(strata)})
        check_roles("Parallel", roles, optional=("outcome", "visit", "baseline"))
        check_label("Parallel", "reference", self.reference)
        order = level_order("Parallel", "visit_order", self.visit_order, of=self.visit)
        object.__setattr__(self, "strata", strata)
        object.__setattr__(self, "visit_order", order)
