"""What a comparison of a panel was asked to do, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from trialkit.analyses.choices import check_choice
from trialkit.errors import SpecError
from trialkit.results import check_alternative, check_level
from trialkit.typing import Alternative

__all__ = [
    "Censoring",
    "PanelAdjustment",
    "PanelDesign",
    "PanelOptions",
    "PanelTest",
    "PlateEffect",
    "Repeated",
    "Transform",
    "Trend",
]

PanelDesign: TypeAlias = Literal["paired", "parallel", "crossover"]
Censoring: TypeAlias = Literal["tobit", "half", "half-sqrt2", "ros", "drop"]
PlateEffect: TypeAlias = Literal["fixed", "random"]
Repeated: TypeAlias = Literal["mixed", "mean"]
Transform: TypeAlias = Literal["log2", "none", "linear"]
PanelTest: TypeAlias = Literal["t", "welch", "wilcoxon"]
Trend: TypeAlias = bool | Literal["level"]
PanelAdjustment: TypeAlias = Literal[
    "none", "bonferroni", "holm", "hochberg", "hommel", "fdr_bh", "fdr_by", "maxt", "minp"
]

DESIGNS = ("paired", "parallel", "crossover")
CENSORING = ("tobit", "half", "half-sqrt2", "ros", "drop")
ADJUSTMENTS = (
    "none",
    "bonferroni",
    "holm",
    "hochberg",
    "hommel",
    "fdr_bh",
    "fdr_by",
    "maxt",
    "minp",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelOptions:
    """The choices that change a number, in the words of `compare_panel`."""

    design: str
    censoring: str
    transform: str
    outcome: str
    test: str
    moderated: bool
    trend: Trend
    robust: bool
    adjust: str
    ci_level: float
    alternative: Alternative
    null: float
    repeated: str = "mixed"
    plate_effect: str = "fixed"

    def __post_init__(self) -> None:
        check_choice("design", self.design, DESIGNS)
        check_choice("censoring", self.censoring, CENSORING)
        check_choice("transform", self.transform, ("log2", "none", "linear"))
        check_choice("outcome", self.outcome, ("level", "change"))
        check_choice("test", self.test, ("t", "welch", "wilcoxon"))
        check_choice("adjust", self.adjust, ADJUSTMENTS)
        check_choice("repeated", self.repeated, ("mixed", "mean"))
        check_choice("plate_effect", self.plate_effect, ("fixed", "random"))
        check_level(self.ci_level)
        check_alternative(self.alternative)
        self._check_moderation()
        self._check_random_plate()
        if self.outcome == "change" and self.design != "parallel":
            raise SpecError(
                f'outcome="change" is for design="parallel"; a {self.design} design compares '
                "within subjects already."
            )
        if self.test == "welch" and self.design != "parallel":
            raise SpecError('test="welch" compares two arms: it needs design="parallel".')
        if self.test == "wilcoxon" and self.design == "crossover":
            raise SpecError('test="wilcoxon" is offered for paired and parallel designs.')
        if self.null != 0 and (self.adjust in ("maxt", "minp") or self.test == "wilcoxon"):
            raise SpecError("null= other than 0 is not offered with rank or permutation tests.")

    def _check_random_plate(self) -> None:
        if self.plate_effect == "fixed":
            return
        if self.design != "parallel":
            raise SpecError(
                f'plate_effect="random" is for design="parallel". In a {self.design} design a '
                "plate that holds both samples of a subject cancels from their difference; where "
                'some do not, plate_effect="fixed" takes it out.'
            )
        if self.test != "t" or self.moderated or self.adjust in ("maxt", "minp"):
            raise SpecError(
                'plate_effect="random" is a mixed model with a t test of its own; test="welch" or '
                '"wilcoxon", moderated=True and adjust="maxt" or "minp" are not defined with it. '
                'With plate_effect="fixed" they are, and strata= the plate permutes within plates.'
            )

    def _check_moderation(self) -> None:
        if self.trend not in (True, False, "level"):
            raise SpecError(f"trend={self.trend!r} is not offered; allowed: True, False, 'level'.")
        for name, value in (("trend", self.trend), ("robust", self.robust)):
            if value and not self.moderated:
                raise SpecError(f"{name}= is a variant of moderation; give moderated=True.")
        if not self.moderated:
            return
        if self.test != "t":
            raise SpecError(f'moderated=True moderates a t statistic, not test="{self.test}".')
        if self.adjust in ("maxt", "minp"):
            raise SpecError(
                f'adjust="{self.adjust}" permutes the ordinary t statistic; use moderated=False.'
            )
