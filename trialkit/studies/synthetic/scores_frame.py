"""Scores of one parameter as rows of an ADQS data set: long, with change and response flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from trialkit.studies.synthetic.conduct import Subject
from trialkit.studies.synthetic.visit_scores import reduced_by

__all__ = ["Parameter", "adqs"]

# Percent reductions behind CRIT1FL, CRIT2FL and CRIT3FL.
CUTS = (15, 30, 50)
COLUMNS = (
    "STUDYID",
    "USUBJID",
    "TRT01P",
    "TRT01A",
    "ITTFL",
    "COMPLFL",
    "PARAMCD",
    "PARAM",
    "AVISIT",
    "AVISITN",
    "ADT",
    "ADY",
    "AVAL",
    "BASE",
    "CHG",
    "PCHG",
    "ABLFL",
    "ANL01FL",
    *(f"CRIT{k}FL" for k in range(1, len(CUTS) + 1)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One outcome: its codes, its grid step, and scores by visit then subject (in grid units).

    A score of None at a visit is a missed visit. The first visit is the baseline.
    """

    code: str
    label: str
    step: Fraction
    visits: Mapping[str, int]  # label to AVISITN
    scores: Mapping[str, Mapping[str, int | None]]  # visit, then USUBJID


def adqs(
    subjects: Sequence[Subject],
    parameters: Sequence[Parameter],
    *,
    study: str,
    completed: Mapping[str, bool],
) -> pd.DataFrame:
    """Rows by subject, parameter and visit; a missed visit is a row without AVAL.

    CRIT1FL, CRIT2FL, CRIT3FL: score at least 15, 30, 50 percent below baseline, "N" at a missed
    visit (missing counts as no response), empty at baseline. ANL01FL is "Y" where AVAL is
    observed.
    """
    rows = [
        {
            "STUDYID": study,
            "USUBJID": subject.usubjid,
            "TRT01P": subject.arm,
            "TRT01A": subject.arm,
            "ITTFL": "Y",
            "COMPLFL": "Y" if completed[subject.usubjid] else "N",
            "PARAMCD": parameter.code,
            "PARAM": parameter.label,
            **_visit(subject, parameter, label),
        }
        for subject in subjects
        for parameter in parameters
        for label in parameter.visits
    ]
    # Study days stay whole numbers beside missed visits.
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"ADY": "Int64"})


def _visit(subject: Subject, parameter: Parameter, label: str) -> dict[str, object]:
    first = next(iter(parameter.visits))
    base = parameter.scores[first][subject.usubjid]
    score = parameter.scores[label][subject.usubjid]
    row: dict[str, object] = {
        "AVISIT": label,
        "AVISITN": parameter.visits[label],
        "BASE": _decimal(base, parameter.step),
        "ABLFL": "Y" if label == first else None,
    }
    if score is not None:
        when = subject.visits[label]
        row |= {
            "ADT": when.isoformat(),
            "ADY": subject.day(when),
            "AVAL": _decimal(score, parameter.step),
            "ANL01FL": "Y",
        }
    if label != first and base is not None:
        row |= _change(base, score, parameter.step)
    return row


def _change(base: int, score: int | None, step: Fraction) -> dict[str, object]:
    if score is None:
        return {f"CRIT{k}FL": "N" for k in range(1, len(CUTS) + 1)}
    flags = [reduced_by(cut, baseline=base, score=score) for cut in CUTS]
    return {
        "CHG": _decimal(score - base, step),
        # One division of whole numbers: exact at the cuts, where CHG / BASE would not be.
        "PCHG": 100 * (score - base) / base,
        **{f"CRIT{k}FL": "Y" if flag else "N" for k, flag in enumerate(flags, start=1)},
    }


def _decimal(score: int | None, step: Fraction) -> float | None:
    """The score on the instrument's scale, as the nearest float."""
    return None if score is None else float(score * step)
