"""Whole-number pain ratings of the synthetic twin of INNOVA 2026, with the printed moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import (
    MomentSums,
    moment_sums,
    raw_stream,
    scores_with_moments,
)
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.compatible import PrintedMean
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.scores_frame import Parameter
from trialkit.studies.synthetic.visit_scores import Correlation, VisitTargets, scores_given

__all__ = ["MonthThree", "month_three", "pain"]

PAIN = "pain_nrs"
VISITS = {"Baseline": 0, "Month 3": 3, "Month 6": 6, "Month 12": 12}
# Timepoints as the figures call them.
TIMEPOINTS = {"Baseline": "baseline", "Month 3": "3 mo", "Month 6": "6 mo", "Month 12": "12 mo"}
CUTS = (15, 30, 50)
LOW, HIGH = 0, 10
LEVELS = range(LOW, HIGH + 1)
# No within-person correlation is printed: these are assumed.
WITH_BASELINE = Correlation(value=0.5, tolerance=0.03)
WITH_LAST = Correlation(value=0.6, tolerance=0.03)

People = Mapping[str, Sequence[str]]  # identifiers by arm, as the figures call the arms


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthThree:
    """How many were seen at month 3, their sums, and the baseline total of those who were not.

    `refused` holds the proof for every larger number seen.
    """

    seen: int
    sums: MomentSums
    missing_baseline: int
    refused: tuple[str, ...]


def month_three(book: FigureBook, arm: str, *, n: int, baseline_total: int) -> MonthThree:
    """The largest number seen at month 3 at which whole numbers carry mean, SD and mean change.

    At all `n` the printed means are impossible on whole numbers, and at some smaller numbers
    the mean change is: fewer seen is the assumption taken. Raises DesignError where no number
    works, with the proofs.
    """
    mean = book.text(arm, PAIN, "3 mo", "mean", used_for="mean at the visit")
    sd = book.text(arm, PAIN, "3 mo", "sd", used_for="SD at the visit")
    change = book.text(
        arm, PAIN, "3 mo", "mean_change", used_for="mean change of those seen at the visit"
    )
    refused: list[str] = []
    for seen in range(n, 1, -1):
        changes = PrintedMean(printed=change, n=seen, step=Fraction(1)).totals()
        try:
            listed = moment_sums(mean, sd, n=seen, low=LOW, high=HIGH)
        except DesignError as error:
            refused.append(str(error))
            continue
        for sums in listed:
            for total in changes:
                missing = baseline_total - (sums.total - total)
                if (n - seen) * LOW <= missing <= (n - seen) * HIGH:
                    return MonthThree(
                        seen=seen, sums=sums, missing_baseline=missing, refused=tuple(refused)
                    )
        refused.append(f"No {seen} whole-number changes that go with them print {change}.")
    raise DesignError(f"No number seen at month 3 works for {arm}: {' '.join(refused)}")


def pain(book: FigureBook, people: People, *, seed: int) -> Parameter:
    """Pain ratings at all visits; a few of each arm are not seen at month 3."""
    scores: dict[str, dict[str, int | None]] = {label: {} for label in VISITS}
    for arm, members in people.items():
        baseline = scores_with_moments(
            book.text(arm, PAIN, "baseline", "mean", used_for="baseline mean"),
            book.text(arm, PAIN, "baseline", "sd", used_for="baseline SD"),
            n=len(members),
            low=LOW,
            high=HIGH,
            rng=raw_stream(seed, part=f"innova/baseline/{arm}").below(2**62),
        ).tolist()
        first = dict(zip(members, baseline, strict=True))
        third = _third(book, arm, first, raw_stream(seed, part=f"innova/month3/{arm}"))
        scores["Baseline"].update(first)
        scores["Month 3"].update({person: third.get(person) for person in members})
        last = first | third
        for visit in ("Month 6", "Month 12"):
            stream = raw_stream(seed, part=f"innova/{visit}/{arm}")
            last = _later(book, arm, visit, first, last, stream)
            scores[visit].update(last)
    return Parameter(
        code="NRSPAIN",
        label="Pain (NRS 0-10)",
        step=Fraction(1),
        visits=VISITS,
        scores=scores,
    )


def _third(
    book: FigureBook, arm: str, first: Mapping[str, int], stream: RawStream
) -> dict[str, int]:
    """Ratings at month 3 of those who were seen, by identifier."""
    plan = month_three(book, arm, n=len(first), baseline_total=sum(first.values()))
    unseen = _unseen(first, len(first) - plan.seen, plan.missing_baseline, stream)
    seen = [person for person in first if person not in unseen]
    responders = {
        cut: book.count(arm, f"pain responder >={cut}%", "3 mo", used_for="responders")
        for cut in CUTS
    }
    targets = VisitTargets(
        measure="score",
        sums=plan.sums,
        levels=LEVELS,
        correlations={0: WITH_BASELINE},
        responders=responders,
    )
    drawn = scores_given([(first[person],) for person in seen], targets, stream=stream)
    return dict(zip(seen, drawn, strict=True))


def _unseen(first: Mapping[str, int], count: int, total: int, stream: RawStream) -> tuple[str, ...]:
    """People to be missing at month 3, whose baseline ratings add up to `total`."""
    for chosen in combinations(stream.shuffled(list(first)), count):
        if sum(first[person] for person in chosen) == total:
            return chosen
    raise DesignError(f"No {count} baseline ratings add up to {total}.")


def _later(
    book: FigureBook,
    arm: str,
    visit: str,
    first: Mapping[str, int],
    last: Mapping[str, int],
    stream: RawStream,
) -> dict[str, int]:
    """Ratings of everyone at a visit, correlated with the baseline and the last rating."""
    sums = moment_sums(
        book.text(arm, PAIN, TIMEPOINTS[visit], "mean", used_for="mean at the visit"),
        book.text(arm, PAIN, TIMEPOINTS[visit], "sd", used_for="SD at the visit"),
        n=len(first),
        low=LOW,
        high=HIGH,
    )[0]
    targets = VisitTargets(
        measure="score",
        sums=sums,
        levels=LEVELS,
        correlations={0: WITH_BASELINE, 1: WITH_LAST},
    )
    drawn = scores_given(
        [(first[person], last[person]) for person in first], targets, stream=stream
    )
    return dict(zip(first, drawn, strict=True))
