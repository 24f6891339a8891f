"""Doses taken under weekly titration to the highest tolerated dose, as an ADEX data set."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pandas as pd

from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.conduct import Subject

__all__ = ["exposure"]

STEPS_MG = (1.5, 3.0, 4.5, 6.0)
STEP_DAYS = 7
# One in eight stays a step below the full dose. The paper's dose distribution is not known here.
STAY_BELOW = 8
COLUMNS = (
    "STUDYID",
    "USUBJID",
    "TRT01P",
    "TRT01A",
    "EXTRT",
    "EXDOSE",
    "EXDOSU",
    "EXLEVEL",
    "ASTDT",
    "AENDT",
    "ASTDY",
    "AENDY",
)


def exposure(subjects: Sequence[Subject], *, study: str, stream: RawStream) -> pd.DataFrame:
    """One row a dose level: 1.5 mg more every seven days up to 6 mg, until the end of treatment.

    Placebo capsules follow the same levels (EXLEVEL 1 to 4) with a dose of 0 mg.
    """
    rows = []
    for subject in subjects:
        levels = len(STEPS_MG) - (stream.below(STAY_BELOW) == 0)
        active = subject.arm != "Placebo"
        last_day = subject.day(subject.end_treatment)
        for level in range(1, levels + 1):
            first = (level - 1) * STEP_DAYS + 1
            if first > last_day:
                break
            end = last_day if level == levels else min(level * STEP_DAYS, last_day)
            rows.append(
                {
                    "STUDYID": study,
                    "USUBJID": subject.usubjid,
                    "TRT01P": subject.arm,
                    "TRT01A": subject.arm,
                    "EXTRT": "NALTREXONE" if active else "PLACEBO",
                    "EXDOSE": STEPS_MG[level - 1] if active else 0.0,
                    "EXDOSU": "mg",
                    "EXLEVEL": level,
                    "ASTDT": (subject.start + timedelta(days=first - 1)).isoformat(),
                    "AENDT": (subject.start + timedelta(days=end - 1)).isoformat(),
                    "ASTDY": first,
                    "AENDY": end,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))
