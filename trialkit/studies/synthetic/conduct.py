"""Who enters when, into which arm, and on which dates they are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

from trialkit.errors import DesignError
from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["Subject", "draw", "enrol", "sample", "visit_dates"]

T = TypeVar("T")

# Permuted-block lists drawn until the last enrolment leaves the arms at their printed sizes.
LISTS = 2000


@dataclass(slots=True)
class Subject:
    """One person: identifier, arm, first and last day on treatment and in the study, reasons.

    An empty reason means completed. `visits` maps a visit label to its date.
    """

    usubjid: str
    arm: str
    start: date
    end_treatment: date
    end_study: date
    treatment_reason: str = ""
    study_reason: str = ""
    visits: dict[str, date] = field(default_factory=dict)

    def day(self, when: date) -> int:
        """Study day: 1 on the first day of treatment, -1 on the day before."""
        days = (when - self.start).days
        return days + 1 if days >= 0 else days


def draw(items: Sequence[T], stream: RawStream) -> T:
    """One item, each as likely as any other."""
    return items[stream.below(len(items))]


def sample(items: Sequence[T], count: int, stream: RawStream) -> list[T]:
    """`count` different items in random order; raises DesignError where there are too few."""
    if count > len(items):
        raise DesignError(f"{count} of {len(items)} candidates cannot be chosen.")
    return stream.shuffled(items)[:count]


def enrol(
    sizes: Mapping[str, int],
    *,
    blocks: Sequence[int],
    first: date,
    last: date,
    prefix: str,
    stream: RawStream,
) -> list[Subject]:
    """Subjects in order of randomisation by permuted blocks of two arms, 1:1.

    The list is drawn again until its first entries have the given arm sizes: the last block is
    one that enrolment cut short.
    """
    arms = _assignments(sizes, blocks, stream)
    span = (last - first).days + 1
    dates = sorted(first + timedelta(days=stream.below(span)) for _ in arms)
    return [
        Subject(
            usubjid=f"{prefix}-{k:03d}", arm=arm, start=when, end_treatment=when, end_study=when
        )
        for k, (arm, when) in enumerate(zip(arms, dates, strict=True), start=1)
    ]


def _assignments(sizes: Mapping[str, int], blocks: Sequence[int], stream: RawStream) -> list[str]:
    total = sum(sizes.values())
    for _ in range(LISTS):
        arms: list[str] = []
        while len(arms) < total:
            share = draw(blocks, stream) // len(sizes)
            arms += stream.shuffled([arm for arm in sizes for _ in range(share)])
        arms = arms[:total]
        if all(arms.count(arm) == size for arm, size in sizes.items()):
            return arms
    raise DesignError(
        f"No list of permuted blocks of {list(blocks)} cut at {total} gave the arm sizes "
        f"{dict(sizes)} in {LISTS} draws."
    )


def visit_dates(
    subject: Subject, days: Mapping[str, int], *, window: int, stream: RawStream
) -> dict[str, date]:
    """A date a visit: its study day, give or take `window` days; day 1 is exact."""
    dates = {}
    for label, day in days.items():
        slip = 0 if day == 1 else stream.below(2 * window + 1) - window
        dates[label] = subject.start + timedelta(days=day - 1 + slip)
    return dates
