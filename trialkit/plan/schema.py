"""The analysis plan as a value: frozen, printable, every key known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self, TypeAlias, Union

from pydantic import BeforeValidator, Field, model_validator

from trialkit.plan.analysis import AnalysisSpec
from trialkit.plan.design import Design
from trialkit.plan.events import Events
from trialkit.plan.fields import CiLevel, Label, Model, as_tuple
from trialkit.plan.methods import METHODS

__all__ = ["Header", "Plan"]

# The names of data sets label columns and messages.
DataName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]
MAX_SEED = 2**63 - 1  # the largest integer a TOML file holds

if TYPE_CHECKING:
    AnyAnalysis: TypeAlias = AnalysisSpec
else:
    AnyAnalysis = Annotated[
        Union[tuple(method.spec for method in METHODS.values())],  # noqa: UP007
        Field(discriminator="method"),
    ]


class Header(Model):
    """`[plan]`: what it is, and what holds for every analysis that does not say otherwise.

    `seed` gives each analysis into which chance enters, and that has no `rng` of its own, a seed
    made from it and the analysis's name.

    `keep_going = true` turns an analysis that fails into a row of the results that says why;
    by default a failure stops the run.
    """

    title: Label
    study: Label | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] | None = None
    ci_level: CiLevel = 0.95
    keep_going: bool = False


class Plan(Model):
    """A plan as loaded: its file's contents, the folder it may read from, and its SHA-256."""

    header: Header = Field(alias="plan")
    data: Annotated[Mapping[DataName, Label], Field(min_length=1)]
    design: Design | None = None
    events: Events | None = None
    analyses: Annotated[
        tuple[AnyAnalysis, ...],
        BeforeValidator(as_tuple),
        Field(alias="analysis", min_length=1, max_length=1000),
    ]
    path: Path = Field(exclude=True)
    sha256: str = Field(exclude=True)

    @model_validator(mode="after")
    def _names_are_consistent(self) -> Self:
        names = [item.name for item in self.analyses]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two analyses are named {name!r}; each needs its own name")
        uses = {
            f"[[analysis]] {item.name!r}": item.data
            for item in self.analyses
            if not (item.describes_events and item.data is None and self.events is not None)
        }
        if self.design is not None:
            uses = {"[design]": self.design.data, **uses}
        if self.events is not None:
            uses["[events]"] = self.events.data
        for item in self.analyses:
            given = getattr(item, "events", None)
            if isinstance(given, str):
                uses[f"[[analysis]] {item.name!r}, events"] = given
        for place, used in uses.items():
            if used is not None and used not in self.data:
                raise ValueError(
                    f"{place}: data = {used!r} is not in [data]; there: {', '.join(self.data)}"
                )
            if used is None and self.default_data is None:
                raise ValueError(
                    f"{place} does not say which data set it uses; add data = with one of: "
                    f"{', '.join(self.data)}"
                )
        return self

    @property
    def default_data(self) -> str | None:
        """The data set of an analysis that names none: the design's, or the only one."""
        if self.design is not None and self.design.data is not None:
            return self.design.data
        return next(iter(self.data)) if len(self.data) == 1 else None

    @property
    def folder(self) -> Path:
        """Where the plan lies, and the only place it reads from."""
        return self.path.parent
