"""Frames without a fault, and how a test puts one in and finds it again."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trialkit.data.findings import CheckReport
from trialkit.design.crossover import Crossover
from trialkit.design.parallel import Parallel

__all__ = [
    "COLUMNS",
    "CROSSOVER",
    "PARALLEL",
    "crossover_data",
    "only",
    "parallel_data",
    "put",
    "rules",
]

PARALLEL = Parallel(
    subject="USUBJID",
    arm="TRT01P",
    reference="Placebo",
    outcome="AVAL",
    visit="AVISIT",
    visit_order="AVISITN",
    baseline="BASE",
    strata=("SITE", "SEX"),
)
CROSSOVER = Crossover(
    subject="USUBJID",
    sequence="SEQ",
    period="PERIOD",
    treatment="TRTA",
    reference="Placebo",
    outcome="AVAL",
)
COLUMNS = ["rule", "subject", "visit", "column", "count", "message", "severity"]


def parallel_data() -> pd.DataFrame:
    """Eight subjects at Baseline, Week 2 and Week 12, with dates and study days; sound."""
    rng = np.random.default_rng(1)
    rows = []
    for number in range(8):
        base = round(float(rng.uniform(4, 9)), 1)
        start = pd.Timestamp("2024-01-10") + pd.Timedelta(days=number)
        for visit, week in (("Baseline", 0), ("Week 2", 2), ("Week 12", 12)):
            aval = base if week == 0 else round(float(rng.uniform(2, 9)), 1)
            rows.append(
                {
                    "USUBJID": f"S{number}",
                    "TRT01P": "Placebo" if number % 2 else "LDN 6 mg",
                    "SITE": "Oslo" if number < 4 else "Odense",
                    "SEX": "F",
                    "AVISIT": visit,
                    "AVISITN": week,
                    "ADY": 1 + 7 * week,
                    "ADT": (start + pd.Timedelta(weeks=week)).date().isoformat(),
                    "RANDDT": start.date().isoformat(),
                    "TRTSDT": start.date().isoformat(),
                    "TRTEDT": "2024-06",
                    "AVAL": aval,
                    "BASE": base,
                    "CHG": round(aval - base, 1),
                }
            )
    return pd.DataFrame(rows)


def crossover_data() -> pd.DataFrame:
    """Eight subjects, sequences AB and BA, two periods; A is Placebo, B is LDN; sound."""
    letters = {"A": "Placebo", "B": "LDN 6 mg"}
    return pd.DataFrame(
        [
            {
                "USUBJID": f"S{number}",
                "SEQ": sequence,
                "PERIOD": period,
                "TRTA": letters[letter],
                "AVAL": float(number + period),
            }
            for number in range(8)
            for sequence in [("AB", "BA")[number % 2]]
            for period, letter in enumerate(sequence, start=1)
        ]
    )


def rules(report: CheckReport) -> set[str]:
    return set(report.frame()["rule"])


def only(report: CheckReport, rule: str) -> pd.DataFrame:
    """The report's frame, after checking that one rule fired and no other."""
    frame = report.frame()
    assert set(frame["rule"]) == {rule}, report
    return frame


def put(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    values = frame[column].tolist()
    values[row] = value
    return frame.assign(**{column: values})
