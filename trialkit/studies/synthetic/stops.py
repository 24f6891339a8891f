"""Those who stopped treatment, as a table of intercurrent events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from trialkit.studies.synthetic.conduct import Subject

__all__ = ["EVENT", "stops"]

EVENT = "treatment stopped"
COLUMNS = ("STUDYID", "USUBJID", "TRT01P", "ICE", "ICEREAS", "ASTDT", "ASTDY", "AVISIT")


def stops(
    subjects: Sequence[Subject], *, study: str, planned: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """ADICE: one row a subject who stopped, with reason, last day and the first visit after it.

    A visit has its own date, or else that of its `planned` study day.
    """
    rows = [
        {
            "STUDYID": study,
            "USUBJID": subject.usubjid,
            "TRT01P": subject.arm,
            "ICE": EVENT,
            "ICEREAS": subject.treatment_reason,
            "ASTDT": subject.end_treatment.isoformat(),
            "ASTDY": subject.day(subject.end_treatment),
            "AVISIT": _first_after(subject, planned or {}),
        }
        for subject in subjects
        if subject.treatment_reason
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _first_after(subject: Subject, planned: Mapping[str, int]) -> str | None:
    dates: dict[str, date] = {
        label: subject.start + timedelta(days=day - 1) for label, day in planned.items()
    } | subject.visits
    later = {label: when for label, when in dates.items() if when > subject.end_treatment}
    return min(later, key=lambda label: later[label]) if later else None
