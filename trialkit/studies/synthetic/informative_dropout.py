"""A trial that never was: 12 weeks, two arms, and dropout that depends on pain and on the arm.

On placebo those leave whose pain stays high (lack of efficacy); on treatment many leave early
for adverse events, whatever their pain, after they had begun to improve. So the completers of
placebo look better than all of placebo would, and the drug's early gains are carried forward by
whoever carries them: analyses that differ in what they take unseen outcomes to be must differ.

All scores are whole tenths and all chances whole thousandths, drawn from the raw stream, so
that the bytes depend on the seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from trialkit.kernels.grid_moments import normal_level, raw_stream
from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["TRUE_DIFFERENCE", "VISITS", "make"]

STUDY = "DROPOUT-SYNTHETIC"
PLACEBO, DRUG = "Placebo", "LDN 4.5 mg"
PER_ARM = 120
# Visit and its planned day.
VISITS = {"Baseline": 0, "Week 2": 14, "Week 4": 28, "Week 8": 56, "Week 12": 84}
LAST_DAY = 84
# Mean change from baseline, tenths of a point on the 0-10 scale, at each visit after baseline,
# had nobody left. The difference at week 12 is the truth of the hypothetical estimand.
MEAN_CHANGE = {PLACEBO: (-3, -6, -8, -9), DRUG: (-7, -12, -16, -19)}
TRUE_DIFFERENCE = -1.0
BASELINE_MEAN, BASELINE_SD = Fraction(66), Fraction(11)
# A subject's own tendency to improve, full by week 12; and the visit's own noise.
RESPONSE_SD, NOISE_SD = Fraction(16), Fraction(8)
# Share of a subject's own tendency present at each visit.
GROWTH = (Fraction(1, 3), Fraction(1, 2), Fraction(3, 4), Fraction(1))
SCALE_TOP = 100
# Chance in thousandths of leaving after a visit: for lack of efficacy a slope in the tenths of
# pain above a threshold; for adverse events by visit, for other reasons at every visit.
EFFICACY_SLOPE, EFFICACY_FROM = {PLACEBO: 12, DRUG: 7}, 58
ADVERSE = {PLACEBO: (10, 10, 10), DRUG: (110, 70, 25)}
OTHER = 12


@dataclass(frozen=True, slots=True)
class Leaving:
    """After which visit (its position, baseline 0) a subject leaves, on which day and why."""

    after: int
    day: int
    reason: str


def make(*, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL (a row a subject), ADQS (a row a subject and visit attended), ADICE (a row a leaver)."""
    stream = raw_stream(seed, part="informative-dropout")
    arms = stream.shuffled([PLACEBO] * PER_ARM + [DRUG] * PER_ARM)
    subjects, scores, events = [], [], []
    for number, arm in enumerate(arms, start=1):
        person = f"DROP-SYN-{number:03d}"
        pain = _pain(arm, stream)
        left = _leaving(arm, pain, stream)
        age = min(75, max(20, normal_level(stream, mean=Fraction(49), sd=Fraction(11))))
        subjects.append(_subject(person, arm, age, pain[0], left))
        scores += _visits(person, arm, pain, left)
        events += [] if left is None else [_event(person, arm, left)]
    return {
        "adsl": pd.DataFrame(subjects),
        "adqs": pd.DataFrame(scores),
        "adice": pd.DataFrame(events),
    }


def _pain(arm: str, stream: RawStream) -> list[int]:
    """Pain in tenths at every visit, as it would be without leaving."""
    start = normal_level(stream, mean=BASELINE_MEAN, sd=BASELINE_SD)
    start = min(SCALE_TOP, max(40, start))  # entry needs a pain of 4 or more
    tendency = normal_level(stream, mean=Fraction(0), sd=RESPONSE_SD)
    pain = [start]
    for mean, share in zip(MEAN_CHANGE[arm], GROWTH, strict=True):
        noise = normal_level(stream, mean=Fraction(0), sd=NOISE_SD)
        level = round(start + mean + share * tendency + noise)
        pain.append(min(SCALE_TOP, max(0, level)))
    return pain


def _leaving(arm: str, pain: list[int], stream: RawStream) -> Leaving | None:
    """Chances are drawn after each visit after baseline but the last."""
    days = list(VISITS.values())
    for place in range(1, len(days) - 1):
        above = max(0, pain[place] - EFFICACY_FROM)
        chances = {
            "LACK OF EFFICACY": EFFICACY_SLOPE[arm] * above,
            "ADVERSE EVENT": ADVERSE[arm][place - 1],
            "WITHDRAWAL BY SUBJECT": OTHER,
        }
        drawn = stream.below(1000)
        day = days[place] + 1 + stream.below(days[place + 1] - days[place] - 1)
        for reason, chance in chances.items():
            if drawn < chance:
                return Leaving(place, day, reason)
            drawn -= chance
    return None


def _subject(
    person: str, arm: str, age: int, baseline: int, left: Leaving | None
) -> dict[str, object]:
    reason = "" if left is None else left.reason
    return {
        "STUDYID": STUDY,
        "USUBJID": person,
        "ARM": arm,
        "TRT01P": arm,
        "AGE": age,
        "BASE": baseline / 10,
        "ITTFL": "Y",
        "SAFFL": "Y",
        "COMPLFL": "Y" if left is None else "N",
        "EOSSTT": "COMPLETED" if left is None else "DISCONTINUED",
        "DCSREAS": reason,
        "DCAEFL": "Y" if reason == "ADVERSE EVENT" else "N",
        "DISCFL": "N" if left is None else "Y",
        "TRTDURD": LAST_DAY if left is None else left.day,
    }


def _event(person: str, arm: str, left: Leaving) -> dict[str, object]:
    return {
        "STUDYID": STUDY,
        "USUBJID": person,
        "TRT01P": arm,
        "ICE": "left the trial",
        "ICEREAS": left.reason,
        "ASTDY": left.day,
    }


def _visits(
    person: str, arm: str, pain: list[int], left: Leaving | None
) -> list[dict[str, object]]:
    last = len(pain) - 1 if left is None else left.after
    return [
        {
            "STUDYID": STUDY,
            "USUBJID": person,
            "TRT01P": arm,
            "PARAMCD": "NRSPAIN",
            "AVISIT": visit,
            "AVISITN": day // 7,
            "ADY": max(day, 1),  # there is no day 0
            "AVAL": pain[place] / 10,
            "BASE": pain[0] / 10,
            "CHG": (pain[place] - pain[0]) / 10 if place else None,
        }
        for place, (visit, day) in enumerate(VISITS.items())
        if place <= last
    ]
