"""The synthetic twin of FINAL 2024: 99 women, naltrexone 6 mg or placebo, 12 weeks.

What the twin assumes beyond the printed figures stands in the constants of this module and of
`final2024_scores`, and in the README of the fixture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import raw_stream, scores_with_moments
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.conduct import Subject, enrol, sample, visit_dates
from trialkit.studies.synthetic.events import adverse_events
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.final2024_biobank import biobank
from trialkit.studies.synthetic.final2024_scores import VISITS, memory, pain
from trialkit.studies.synthetic.scores_frame import Parameter, adqs
from trialkit.studies.synthetic.stops import stops
from trialkit.studies.synthetic.titration import exposure
from trialkit.studies.synthetic.visit_scores import reduced_by

__all__ = ["make"]

STUDY = "FINAL2024-SYNTHETIC"
ARMS = {"ldn_6mg": "LDN 6 mg", "placebo": "Placebo"}
VISIT_DAYS = {"Baseline": 1, "Week 4": 29, "Week 8": 57, "Week 12": 85}
WINDOW = 3  # days either side
# First and last randomisation: screening ran from 6 January 2021 to 27 December 2022.
ENROLMENT = date(2021, 1, 20), date(2022, 12, 27)
BLOCKS = (4, 6)
AGES = 18, 64
OTHER_REASON = "WITHDRAWAL BY SUBJECT"
COMPLETE_CASE = "pain responder >=30% (complete case)"


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL, ADQS, ADAE, ADEX, ADLB and ADICE of the twin; every figure used goes into `book`."""
    sizes = {
        label: book.count(arm, "randomised/ITT", "", "n", used_for="number of subjects")
        for arm, label in ARMS.items()
    }
    subjects = enrol(
        sizes,
        blocks=BLOCKS,
        first=ENROLMENT[0],
        last=ENROLMENT[1],
        prefix="FINAL-SYN",
        stream=raw_stream(seed, part="final/enrolment"),
    )
    _see(book, subjects, raw_stream(seed, part="final/visits"))
    people = {
        arm: [subject.usubjid for subject in subjects if subject.arm == label]
        for arm, label in ARMS.items()
    }
    scores = [pain(book, people, seed=seed), memory(book, people, seed=seed)]
    _stop(book, subjects, scores[0], raw_stream(seed, part="final/stops"))
    flags = _events(book, subjects, raw_stream(seed, part="final/affected"))
    completed = {subject.usubjid: not subject.treatment_reason for subject in subjects}
    return {
        "adsl": _adsl(book, subjects, flags, seed),
        "adqs": adqs(subjects, scores, study=STUDY, completed=completed),
        "adae": adverse_events(
            subjects,
            study=STUDY,
            affected=flags["ANYAEFL"],
            serious=flags["ANYSAEFL"],
            withdrawn=flags["DCAEFL"],
            stream=raw_stream(seed, part="final/events"),
        ),
        "adex": exposure(subjects, study=STUDY, stream=raw_stream(seed, part="final/dose")),
        "adlb": biobank(subjects, study=STUDY, seed=seed),
        "adice": stops(subjects, study=STUDY),
    }


def _see(book: FigureBook, subjects: Sequence[Subject], stream: RawStream) -> None:
    """Dates of all visits; nobody is lost to follow-up."""
    lost = book.count("all", "lost to follow-up", "wk12", "n", used_for="observed at week 12")
    if lost:
        raise DesignError(f"{lost} lost to follow-up are printed; the twin keeps everyone.")
    for subject in subjects:
        subject.visits = visit_dates(subject, VISIT_DAYS, window=WINDOW, stream=stream)
        subject.end_study = subject.end_treatment = subject.visits["Week 12"]


def _stop(
    book: FigureBook, subjects: Sequence[Subject], scores: Parameter, stream: RawStream
) -> None:
    """Who stopped treatment, why and when: as many as the complete cases leave out.

    They are drawn from those without even a 15 percent reduction, so that the responders are
    the same whether an observed or a failed response is counted for them.
    """
    visits = list(VISITS)
    for arm, label in ARMS.items():
        members = [subject for subject in subjects if subject.arm == label]
        kept = book.denominator(arm, COMPLETE_CASE, "wk12", used_for="completed treatment")
        for_event = book.count(
            arm, "discontinuation due to AE", "wk12", used_for="stopped for an adverse event"
        )
        unchanged = [
            subject for subject in members if not _reduced(scores, visits, subject.usubjid)
        ]
        stopped = sample(unchanged, len(members) - kept, stream)
        for number, subject in enumerate(stopped):
            subject.treatment_reason = "ADVERSE EVENT" if number < for_event else OTHER_REASON
            # Between the second and the tenth week.
            subject.end_treatment = subject.start + timedelta(days=10 + stream.below(60))


def _reduced(scores: Parameter, visits: Sequence[str], usubjid: str) -> bool:
    first, last = scores.scores[visits[0]][usubjid], scores.scores[visits[-1]][usubjid]
    if first is None or last is None:
        raise DesignError(f"Subject {usubjid} has no pain score at {visits[0]} or {visits[-1]}.")
    return reduced_by(15, baseline=first, score=last)


def _events(
    book: FigureBook, subjects: Sequence[Subject], stream: RawStream
) -> dict[str, set[str]]:
    """Who had any adverse event, a serious one, or stopped for one."""
    flags: dict[str, set[str]] = {"ANYAEFL": set(), "ANYSAEFL": set(), "DCAEFL": set()}
    for arm, label in ARMS.items():
        members = [subject for subject in subjects if subject.arm == label]
        stopped = [s.usubjid for s in members if s.treatment_reason == "ADVERSE EVENT"]
        others = [s.usubjid for s in members if s.usubjid not in stopped]
        affected = book.count(arm, "any adverse event", "wk12", used_for="any adverse event")
        serious = book.count(arm, "serious adverse event", "wk12", used_for="serious events")
        drawn = sample(others, affected - len(stopped), stream)
        flags["DCAEFL"] |= set(stopped)
        flags["ANYAEFL"] |= {*stopped, *drawn}
        flags["ANYSAEFL"] |= set(drawn[:serious])
    return flags


def _adsl(
    book: FigureBook, subjects: Sequence[Subject], flags: Mapping[str, set[str]], seed: int
) -> pd.DataFrame:
    ages = _ages(book, len(subjects), seed)
    # Ninety-eight White women and one Arctic Asian.
    other = raw_stream(seed, part="final/race").below(len(subjects))
    return pd.DataFrame(
        [
            {
                "STUDYID": STUDY,
                "USUBJID": subject.usubjid,
                "ARM": subject.arm,
                "TRT01P": subject.arm,
                "TRT01A": subject.arm,
                "AGE": age,
                "SEX": "F",
                "RACE": "ARCTIC ASIAN" if number == other else "WHITE",
                "ITTFL": "Y",
                "SAFFL": "Y",
                "COMPLFL": "N" if subject.treatment_reason else "Y",
                "RANDDT": subject.start.isoformat(),
                "TRTSDT": subject.start.isoformat(),
                "TRTEDT": subject.end_treatment.isoformat(),
                "EOTSTT": "DISCONTINUED" if subject.treatment_reason else "COMPLETED",
                "DCTREAS": subject.treatment_reason or None,
                "EOSSTT": "COMPLETED",
                "EOSDT": subject.end_study.isoformat(),
                **{
                    flag: "Y" if subject.usubjid in members else "N"
                    for flag, members in flags.items()
                },
            }
            for number, (subject, age) in enumerate(zip(subjects, ages, strict=True))
        ]
    )


def _ages(book: FigureBook, n: int, seed: int) -> list[int]:
    """Ages in whole years."""
    drawn = scores_with_moments(
        book.text("all", "age", "baseline", "mean", used_for="age"),
        book.text("all", "age", "baseline", "sd", used_for="age"),
        n=n,
        low=AGES[0],
        high=AGES[1],
        rng=raw_stream(seed, part="final/age").below(2**62),
    )
    return [int(age) for age in drawn]
