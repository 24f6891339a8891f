"""The synthetic twin of Irwin 2024: 31 patients, PEG before and after, reasons for stopping.

What the twin assumes beyond the printed figures stands in the constants of this module and in
the README of the fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import sqrt

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import MomentSums, moment_sums, raw_stream, scores_with_moments
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.change import sd_from_interval
from trialkit.studies.synthetic.compatible import PrintedMean, compatible_totals
from trialkit.studies.synthetic.conduct import Subject, sample
from trialkit.studies.synthetic.events import adverse_events
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.scores_frame import Parameter, adqs
from trialkit.studies.synthetic.stops import stops
from trialkit.studies.synthetic.visit_scores import Correlation, VisitTargets, scores_given

__all__ = ["grid_and_totals", "make"]

STUDY = "IRWIN2024-SYNTHETIC"
ARM = "ldn"
LABEL = "LDN"
VISITS = {"Baseline": 0, "Follow-up": 1}
REASONS = {
    "stopped: lack of benefit": "LACK OF EFFICACY",
    "stopped: loss of benefit": "LOSS OF EFFICACY",
    "stopped: side effects": "ADVERSE EVENT",
    "stopped: other": "OTHER",
}
# The PEG is the mean of three items from 0 to 10. Charts hold it in thirds or, rounded, to one
# decimal; the second is tried where the first cannot carry the printed means.
THIRDS, TENTHS = Fraction(1, 3), Fraction(1, 10)
LOW, HIGH = 0, 10
# Charts of 2014 to 2022; at least one month on treatment. Durations are not printed.
STARTS = date(2014, 1, 1), date(2022, 3, 31)
LEAST_DAYS, MOST_DAYS = 30, 270
# Share of the printed SD's rounding band within which the follow-up's sum of squares is held,
# and the tolerance of the correlation: together they leave the change its printed interval.
SQUARES_SHARE = Fraction(1, 10)
CORRELATION_TOLERANCE = 0.001


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL, ADQS, ADAE and ADICE of the twin; every figure used is recorded in `book`."""
    n = book.denominator(ARM, "discontinued", "", used_for="number of patients")
    stopped = book.count(ARM, "discontinued", "", used_for="stopped treatment")
    stream = raw_stream(seed, part="irwin/conduct")
    reasons = [
        reason
        for outcome, reason in REASONS.items()
        for _ in range(book.count(ARM, outcome, "", used_for="reasons for stopping"))
    ]
    if len(reasons) != stopped:
        raise DesignError(f"{len(reasons)} reasons are printed for {stopped} who stopped.")
    subjects = _patients(stream.shuffled([*reasons, *[""] * (n - stopped)]), stream)
    scores = _peg(book, [subject.usubjid for subject in subjects], seed)
    affected = _affected(book, subjects, stream)
    frame = adqs(
        subjects,
        [scores],
        study=STUDY,
        completed={subject.usubjid: not subject.treatment_reason for subject in subjects},
    )
    withdrawn = {s.usubjid for s in subjects if s.treatment_reason == "ADVERSE EVENT"}
    return {
        "adsl": _adsl(subjects, affected, withdrawn),
        # A chart review has neither an analysis by intention to treat nor completers.
        "adqs": frame.drop(columns=["ITTFL", "COMPLFL"]),
        "adae": adverse_events(
            subjects,
            study=STUDY,
            affected=affected,
            serious=set(),
            withdrawn=withdrawn,
            stream=raw_stream(seed, part="irwin/events"),
        ),
        "adice": stops(subjects, study=STUDY),
    }


def _patients(reasons: Sequence[str], stream: RawStream) -> list[Subject]:
    span = (STARTS[1] - STARTS[0]).days + 1
    starts = sorted(STARTS[0] + timedelta(days=stream.below(span)) for _ in reasons)
    subjects = []
    for number, (start, reason) in enumerate(zip(starts, reasons, strict=True), start=1):
        seen = start + timedelta(days=LEAST_DAYS + stream.below(MOST_DAYS - LEAST_DAYS + 1))
        subjects.append(
            Subject(
                usubjid=f"IRWIN-SYN-{number:03d}",
                arm=LABEL,
                start=start,
                end_treatment=seen,
                end_study=seen,
                treatment_reason=reason,
                visits={"Baseline": start, "Follow-up": seen},
            )
        )
    return subjects


def grid_and_totals(book: FigureBook, n: int) -> tuple[Fraction, int, int, str]:
    """The first grid on which both means and their difference can be printed, and the totals.

    Also the proof for the grids passed over, empty where there is none.
    """
    before = book.text(ARM, "PEG baseline", "", "mean", used_for="mean")
    after = book.text(ARM, "PEG follow-up", "", "mean", used_for="mean")
    fall = book.text(ARM, "PEG change", "", "mean_difference", used_for="difference of the means")
    refused = ""
    for step in (THIRDS, TENTHS):
        first, last = (PrintedMean(printed=mean, n=n, step=step) for mean in (before, after))
        try:
            return step, *compatible_totals(first, last, difference=fall), refused
        except DesignError as error:
            refused = str(error)
    raise DesignError(refused)


def _peg(book: FigureBook, people: Sequence[str], seed: int) -> Parameter:
    n = len(people)
    step, before_total, after_total, _ = grid_and_totals(book, n)
    # Thirds rounded to the grid: on tenths only 0.0, 0.3 and 0.7 occur after the point.
    levels = [round(Fraction(third, 3) / step) for third in range(3 * HIGH + 1)]
    after_sums = _sums(book, "PEG follow-up", after_total, n, step).narrowed(SQUARES_SHARE)
    first = scores_with_moments(
        book.text(ARM, "PEG baseline", "", "mean", used_for="mean"),
        book.text(ARM, "PEG baseline", "", "sd", used_for="SD"),
        n=n,
        step=step,
        low=LOW,
        high=HIGH,
        total=before_total,
        allowed=levels,
        rng=raw_stream(seed, part="irwin/baseline").below(2**62),
    ).tolist()
    low, high = (
        book.text(ARM, "PEG change", "", end, used_for="SD of the change")
        for end in ("ci95_lo", "ci95_hi")
    )
    sd = sd_from_interval(low, high, {ARM: n}) / float(step)
    last = scores_given(
        [(score,) for score in first],
        VisitTargets(
            measure="score",
            sums=after_sums,
            levels=levels,
            correlations={0: _correlation(first, after_sums, sd)},
        ),
        stream=raw_stream(seed, part="irwin/follow-up"),
    )
    scores: dict[str, dict[str, int | None]] = {
        visit: dict(zip(people, values, strict=True))
        for visit, values in zip(VISITS, (first, last), strict=True)
    }
    return Parameter(
        code="PEG", label="PEG, mean of 3 items (0-10)", step=step, visits=VISITS, scores=scores
    )


def _sums(book: FigureBook, outcome: str, total: int, n: int, step: Fraction) -> MomentSums:
    mean = book.text(ARM, outcome, "", "mean", used_for="mean")
    sd = book.text(ARM, outcome, "", "sd", used_for="SD")
    listed = moment_sums(mean, sd, n=n, step=step, low=LOW, high=HIGH)
    return next(sums for sums in listed if sums.total == total)


def _correlation(first: Sequence[int], after: MomentSums, sd: float) -> Correlation:
    """The within-person correlation at which the change has the given SD."""
    n = after.n
    before_squares = sum(score * score for score in first) - sum(first) ** 2 / n
    after_squares = (after.squares_low + after.squares_high) / 2 - after.total**2 / n
    value = (before_squares + after_squares - (n - 1) * sd**2) / (
        2 * sqrt(before_squares * after_squares)
    )
    return Correlation(value=value, tolerance=CORRELATION_TOLERANCE)


def _affected(book: FigureBook, subjects: Sequence[Subject], stream: RawStream) -> set[str]:
    count = book.count(ARM, "side effects reported", "", used_for="side effects")
    stopped = [s.usubjid for s in subjects if s.treatment_reason == "ADVERSE EVENT"]
    others = [s.usubjid for s in subjects if s.usubjid not in stopped]
    return {*stopped, *sample(others, count - len(stopped), stream)}


def _adsl(subjects: Sequence[Subject], affected: set[str], withdrawn: set[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "STUDYID": STUDY,
                "USUBJID": subject.usubjid,
                "ARM": subject.arm,
                "TRT01P": subject.arm,
                "TRT01A": subject.arm,
                "SAFFL": "Y",
                "TRTSDT": subject.start.isoformat(),
                "TRTEDT": subject.end_treatment.isoformat() if subject.treatment_reason else None,
                "EOTSTT": "DISCONTINUED" if subject.treatment_reason else "ONGOING",
                "DCTREAS": subject.treatment_reason or None,
                "ANYAEFL": "Y" if subject.usubjid in affected else "N",
                "DCAEFL": "Y" if subject.usubjid in withdrawn else "N",
            }
            for subject in subjects
        ]
    )
