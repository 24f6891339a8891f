"""One `[[analysis]]` of a plan: what every method's entry has, and what a method is.

A method is a row of the table in `trialkit.plan.methods`: the model of its arguments, a
subclass of `AnalysisSpec`, and a function that runs it on the selected rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, TypeAlias

from pydantic import BeforeValidator, Field

from trialkit.plan.estimand import Estimand
from trialkit.plan.fields import CiLevel, Column, Label, Level, Model, as_tuple

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "AnalysisSpec",
    "Answer",
    "ArmSpec",
    "Drawn",
    "Method",
    "Picture",
    "ResultTable",
    "Runner",
    "Scalar",
    "SubjectSpec",
]


class ResultTable(Protocol):
    """What every table of results offers: keys, one tidy frame, rows of single statistics."""

    @property
    def keys(self) -> Mapping[str, tuple[object, ...]]:
        """The columns that tell the rows apart."""

    @property
    def variable(self) -> str:
        """The outcome."""

    def frame(self) -> pd.DataFrame:
        """The tidy, unrounded frame, with a column `method`."""

    def to_ard(self) -> pd.DataFrame:
        """One row a statistic."""


Scalar: TypeAlias = str | int | float | bool
OneOrMore: TypeAlias = (
    Scalar | Annotated[tuple[Scalar, ...], BeforeValidator(as_tuple), Field(min_length=1)]
)

# The name labels tables, files and messages: plain letters, one line.
NAME = r"^[A-Za-z0-9][A-Za-z0-9 _.()%>=<,+-]{0,79}$"


class AnalysisSpec(Model):
    """What every analysis says, whatever its method.

    `where` keeps the rows whose columns equal the value given (or one of a list of values);
    `data` is a name of `[data]`, by default that of `[design]`. Where `[design]` has them, it
    supplies the keys in `needs` and `takes` that are left out; without the former the analysis
    is refused. `ci_level` comes from `[plan]`.

    Where the plan has `[events]`, `composite` is the outcome that an event met by that strategy
    makes (a failure's score; of a responder flag the other value unless given), and
    `while_on_treatment` the summary of the outcomes up to an event met by that one: "last".
    """

    needs: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[tuple[str, ...]] = ()
    # A method that describes the events themselves has no outcome for them to touch: what it
    # leaves out comes from [events] and the estimand instead of [design].
    describes_events: ClassVar[bool] = False
    name: Annotated[str, Field(pattern=NAME)]
    method: str
    estimand: Estimand
    data: Label | None = None
    where: Mapping[Label, OneOrMore] = Field(default_factory=dict)
    composite: Level | bool | None = None
    while_on_treatment: Literal["last"] | None = None

    @property
    def draws(self) -> bool:
        """Whether chance enters, so that the analysis needs a seed."""
        return False

    @property
    def completes(self) -> bool:
        """Whether a subject whose outcome is missing is analysed all the same."""
        return False

    def arguments(self) -> dict[str, Any]:
        """The method's own arguments, by the names of the public function."""
        common = set(AnalysisSpec.model_fields)
        return {key: getattr(self, key) for key in type(self).model_fields if key not in common}


class SubjectSpec(AnalysisSpec):
    """One outcome, one row a subject.

    With `subject` (by default that of `[design]`) a subject with several rows is refused: a
    filter on the visit that was forgotten does not go unseen.
    """

    needs: ClassVar[tuple[str, ...]] = ("outcome",)
    takes: ClassVar[tuple[str, ...]] = ("subject",)
    outcome: Column | None = None
    subject: Column | None = None


class ArmSpec(AnalysisSpec):
    """A comparison with the reference arm."""

    needs: ClassVar[tuple[str, ...]] = ("arm", "reference")
    arm: Column | None = None
    reference: Level | None = None
    ci_level: CiLevel | None = None


# What draws one figure: a bound method of a result, which other processes can send.
Picture: TypeAlias = "Callable[[], Axes]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Tables with pictures of their own: caption to what draws it.

    Without this an analysis has one picture, that of its main table of estimates.
    """

    tables: dict[str, ResultTable]
    pictures: Mapping[str, Picture]


Answer: TypeAlias = "dict[str, ResultTable] | Drawn"
# Called with the arguments, the rows and, where a method takes something further, that.
Runner: TypeAlias = "Callable[..., Answer]"


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a plan: its arguments, and how they and the rows become tables.

    The first table of the runner's answer is the main one. `further` names what a method takes
    beside its rows: the "events" to impute from, or the subjects "analysed" elsewhere in the plan.
    """

    spec: type[AnalysisSpec]
    run: Runner
    further: Literal["", "events", "analysed"] = ""
