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
    lots = [(system, term) for system, term, weight in CATALOGUE for _ in range(weight)]
    rows = []
    for subject in subjects:
        if subject.usubjid not in affected:
            continue
        length = subject.day(subject.end_treatment)
        days = sorted(stream.below(length) + 1 for _ in range(stream.below(3) + 1))
        stops = subject.usubjid in withdrawn
        if stops:
            days[-1] = max(length - stream.below(3), days[-1], 1)
        for number, day in enumerate(days, start=1):
            ends = number == len(days)
            system, term = draw(lots, stream)
            severity = draw(SEVERITIES, stream)
            grave = ends and subject.usubjid in serious
            if grave:
                (system, term), severity = SERIOUS, "SEVERE"
            related = "N" if grave or system.startswith("Infections") else draw("YYN", stream)
            rows.append(
                {
                    "STUDYID": study,
                    "USUBJID": subject.usubjid,
                    "TRT01P": subject.arm,
                    "TRT01A": subject.arm,
                    "AESEQ": number,
                    "AEBODSYS": system,
                    "AEDECOD": term,
                    "ASTDT": (subject.start + timedelta(days=day - 1)).isoformat(),
                    "ASTDY": day,
                    "AESEV": severity,
                    "AESER": "Y" if grave else "N",
                    "AEREL": related,
                    "AEACN": "DRUG WITHDRAWN" if ends and stops else "DOSE NOT CHANGED",
                    "TRTEMFL": "Y",
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
