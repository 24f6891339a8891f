"""Adverse events with the printed numbers of people affected; their terms are invented."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.conduct import Subject, draw

__all__ = ["CATALOGUE", "adverse_events"]

# Body system, preferred term, weight in lots. Which events occurred, and how often, is not
# printed by any of the studies: these are common complaints in trials of pain, not findings.
CATALOGUE = (
    ("Nervous system disorders", "Headache", 6),
    ("Nervous system disorders", "Dizziness", 4),
    ("Psychiatric disorders", "Abnormal dreams", 4),
    ("Psychiatric disorders", "Insomnia", 4),
    ("Gastrointestinal disorders", "Nausea", 6),
    ("Gastrointestinal disorders", "Diarrhoea", 3),
    ("Gastrointestinal disorders", "Abdominal pain", 2),
    ("General disorders and administration site conditions", "Fatigue", 3),
    ("Vascular disorders", "Hot flush", 1),
    ("Infections and infestations", "Nasopharyngitis", 3),
)
SERIOUS = ("Infections and infestations", "Pneumonia")
SEVERITIES = ("MILD", "MILD", "MILD", "MODERATE", "MODERATE", "SEVERE")
COLUMNS = (
    "STUDYID",
    "USUBJID",
    "TRT01P",
    "TRT01A",
    "AESEQ",
    "AEBODSYS",
    "AEDECOD",
    "ASTDT",
    "ASTDY",
    "AESEV",
    "AESER",
    "AEREL",
    "AEACN",
    "TRTEMFL",
)


def adverse_events(
    subjects: Sequence[Subject],
    *,
    study: str,
    affected: set[str],
    serious: set[str],
    withdrawn: set[str],
    stream: RawStream,
) -> pd.DataFrame:
    """ADAE: one to three events for everyone affected, none for the others.

    `serious` and `withdrawn` are among `affected`; their last event is serious, or is the one
    for which treatment was stopped, on the last day of treatment or just before.
    """
    rows = []
    for subject in subjects:
        if subject.usubjid not in affected:
            continue
        stops = subject.usubjid in withdrawn
        days = _days(subject.day(subject.end_treatment), stops=stops, stream=stream)
        for number, day in enumerate(days, start=1):
            last = number == len(days)
            grave = last and subject.usubjid in serious
            rows.append(
                {
                    "STUDYID": study,
                    "USUBJID": subject.usubjid,
                    "TRT01P": subject.arm,
                    "TRT01A": subject.arm,
                    "AESEQ": number,
                    "ASTDT": (subject.start + timedelta(days=day - 1)).isoformat(),
                    "ASTDY": day,
                    "AESER": "Y" if grave else "N",
                    "AEACN": "DRUG WITHDRAWN" if last and stops else "DOSE NOT CHANGED",
                    "TRTEMFL": "Y",
                    **_kind(grave=grave, stream=stream),
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _days(length: int, *, stops: bool, stream: RawStream) -> list[int]:
    """One to three days of treatment in order; the last near its end for one who stops."""
    days = sorted(stream.below(length) + 1 for _ in range(stream.below(3) + 1))
    if stops:
        days[-1] = max(length - stream.below(3), days[-1], 1)
    return days


def _kind(*, grave: bool, stream: RawStream) -> dict[str, str]:
    """Body system, term, severity and relation of one event."""
    lots = [(system, term) for system, term, weight in CATALOGUE for _ in range(weight)]
    system, term = draw(lots, stream)
    severity = draw(SEVERITIES, stream)
    if grave:
        (system, term), severity = SERIOUS, "SEVERE"
    related = "N" if grave or system.startswith("Infections") else draw("YYN", stream)
    return {"AEBODSYS": system, "AEDECOD": term, "AESEV": severity, "AEREL": related}
