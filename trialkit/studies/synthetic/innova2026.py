"""The synthetic twin of INNOVA 2026: naltrexone 4.5 mg or placebo, four visits in 12 months.

What the twin assumes beyond the printed figures stands in the constants of this module and of
`innova2026_scores`, and in the README of the fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd

from trialkit.kernels.grid_moments import raw_stream
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.conduct import Subject, enrol, sample, visit_dates
from trialkit.studies.synthetic.events import adverse_events
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.innova2026_scores import pain
from trialkit.studies.synthetic.scores_frame import adqs
from trialkit.studies.synthetic.stops import stops

__all__ = ["make"]

STUDY = "INNOVA2026-SYNTHETIC"
ARMS = {"ldn_4.5mg": "LDN 4.5 mg", "placebo": "Placebo"}
VISIT_DAYS = {"Baseline": 1, "Month 3": 92, "Month 6": 183, "Month 12": 366}
WINDOW = 7  # days either side
ENROLMENT = date(2021, 9, 1), date(2023, 6, 30)  # not known here
BLOCKS = (4, 6)
# One of each arm was randomised and not analysed; why is not known here.
LEFT_EARLY = "WITHDRAWAL BY SUBJECT"
FIRST_WEEKS = 28  # days within which they left


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL, ADQS, ADAE and ADICE of the twin; every figure used is recorded in `book`."""
    sizes = {
        label: book.count(arm, "randomised", "", "n", used_for="number of subjects")
        for arm, label in ARMS.items()
    }
    subjects = enrol(
        sizes,
        blocks=BLOCKS,
        first=ENROLMENT[0],
        last=ENROLMENT[1],
        prefix="INNOVA-SYN",
        stream=raw_stream(seed, part="innova/enrolment"),
    )
    _see(book, subjects, raw_stream(seed, part="innova/visits"))
    analysed = [subject for subject in subjects if not subject.study_reason]
    people = {
        arm: [subject.usubjid for subject in analysed if subject.arm == label]
        for arm, label in ARMS.items()
    }
    scores = pain(book, people, seed=seed)
    affected = _affected(book, subjects, raw_stream(seed, part="innova/affected"))
    return {
        "adsl": _adsl(subjects, affected),
        "adqs": adqs(
            analysed,
            [scores],
            study=STUDY,
            completed={subject.usubjid: True for subject in analysed},
        ),
        "adae": adverse_events(
            subjects,
            study=STUDY,
            affected=affected,
            serious=set(),
            withdrawn=set(),
            stream=raw_stream(seed, part="innova/events"),
        ),
        "adice": stops(subjects, study=STUDY, planned=VISIT_DAYS),
    }


def _see(book: FigureBook, subjects: Sequence[Subject], stream: RawStream) -> None:
    """Dates of all visits, and who left before the first rating and is not analysed."""
    for arm, label in ARMS.items():
        members = [subject for subject in subjects if subject.arm == label]
        analysed = book.count(arm, "ITT analysed", "", "n", used_for="number analysed")
        left = sample(members, len(members) - analysed, stream)
        for subject in members:
            if subject in left:
                subject.study_reason = subject.treatment_reason = LEFT_EARLY
                last = subject.start + timedelta(days=1 + stream.below(FIRST_WEEKS))
            else:
                subject.visits = visit_dates(subject, VISIT_DAYS, window=WINDOW, stream=stream)
                last = subject.visits["Month 12"]
            subject.end_study = subject.end_treatment = last


def _affected(book: FigureBook, subjects: Sequence[Subject], stream: RawStream) -> set[str]:
    chosen: set[str] = set()
    for arm, label in ARMS.items():
        members = [subject.usubjid for subject in subjects if subject.arm == label]
        count = book.count(arm, "any adverse event", "12 mo", used_for="any adverse event")
        chosen |= set(sample(members, count, stream))
    return chosen


def _adsl(subjects: Sequence[Subject], affected: set[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "STUDYID": STUDY,
                "USUBJID": subject.usubjid,
                "ARM": subject.arm,
                "TRT01P": subject.arm,
                "TRT01A": subject.arm,
                "ITTFL": "N" if subject.study_reason else "Y",
                "SAFFL": "Y",
                "COMPLFL": "N" if subject.study_reason else "Y",
                "RANDDT": subject.start.isoformat(),
                "TRTSDT": subject.start.isoformat(),
                "TRTEDT": subject.end_treatment.isoformat(),
                "EOTSTT": "DISCONTINUED" if subject.treatment_reason else "COMPLETED",
                "DCTREAS": subject.treatment_reason or None,
                "EOSSTT": "DISCONTINUED" if subject.study_reason else "COMPLETED",
                "DCSREAS": subject.study_reason or None,
                "EOSDT": subject.end_study.isoformat(),
                "ANYAEFL": "Y" if subject.usubjid in affected else "N",
            }
            for subject in subjects
        ]
    )
