"""The synthetic twin of Parkitny 2017: eight women, a baseline fortnight and one on naltrexone.

Six analytes, those whose printed means and p-values could be had; how many were assayed is not
known. What the twin assumes beyond the printed figures stands in the constants of this module
and in the README of the fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import raw_stream, scores_with_moments
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.figure_book import FigureBook

__all__ = ["make"]

STUDY = "PARKITNY2017-SYNTHETIC"
WOMEN = 8
# Analysis code -> outcome as the figures name it.
ANALYTES = {
    "TNFA": "plasma TNF-alpha",
    "IL1B": "plasma IL-1beta",
    "IL6": "plasma IL-6",
    "IL10": "plasma IL-10",
    "IL17A": "plasma IL-17A",
    "TGFB": "plasma TGF-beta",
}
PHASES = {"Baseline": ("baseline", "wk0-2"), "LDN 4.5 mg": ("ldn_4.5mg", "last 2 wk of dosing")}
# Deviations of the women and of the draws: symmetric, so that means stay exact. How many draws
# there were in either fortnight is not printed.
WOMEN_PATTERN = (-7, -5, -3, -1, 1, 3, 5, 7)
DRAW_PATTERN = (-3, -1, 1, 3)
# Spread between women and a unit of the draws' pattern, as shares of the mean.
BETWEEN, WITHIN = Fraction(2, 5), Fraction(1, 40)
# |t| on seven degrees of freedom that has each printed two-sided p; "<0.001" is taken as 0.0005.
T_OF_P = {
    "0.002": Fraction(4785, 1000),
    "0.01": Fraction(3499, 1000),
    "<0.001": Fraction(6082, 1000),
    "0.008": Fraction(3660, 1000),
    "0.003": Fraction(4442, 1000),
    "0.006": Fraction(3885, 1000),
}
# Standard deviation of the women's pattern times 1000, and the square root of eight.
PATTERN_SD, ROOT_N = Fraction(4899, 1000), Fraction(2828427, 1000000)
ATTEMPTS = 1000
AGE_SD, AGES = "10", (25, 65)


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL and ADLB of the twin; every figure used is recorded in `book`."""
    people = [f"PARKITNY-SYN-{number:02d}" for number in range(1, WOMEN + 1)]
    ages = scores_with_moments(
        book.text("all", "age", "baseline", "mean", used_for="age"),
        AGE_SD,
        n=WOMEN,
        low=AGES[0],
        high=AGES[1],
        rng=raw_stream(seed, part="parkitny/age").below(2**62),
    )
    adsl = [
        {"STUDYID": STUDY, "USUBJID": person, "SEX": "F", "AGE": int(age), "TRT01P": "LDN 4.5 mg"}
        for person, age in zip(people, ages, strict=True)
    ]
    rows: list[dict[str, object]] = []
    for code, outcome in ANALYTES.items():
        rows += _analyte(book, people, code, outcome, raw_stream(seed, part=f"parkitny/{code}"))
    return {"adsl": pd.DataFrame(adsl), "adlb": pd.DataFrame(rows)}


def _analyte(
    book: FigureBook, people: Sequence[str], code: str, outcome: str, stream: RawStream
) -> list[dict[str, object]]:
    """All draws of one analyte, in hundredths of a pg/mL until the last."""
    levels = {
        phase: _hundredths(book.text(arm, outcome, when, "mean", used_for="mean of the phase"))
        for phase, (arm, when) in PHASES.items()
    }
    printed = book.text(
        "drug_vs_baseline", outcome, PHASES["LDN 4.5 mg"][1], "p_lmm", used_for="spread of change"
    )
    if printed not in T_OF_P:
        raise DesignError(f"p = {printed} of {outcome} has no t listed; add it to T_OF_P.")
    first, second = levels.values()
    spread = abs(second - first) * ROOT_N / T_OF_P[printed] / PATTERN_SD
    means = _women(first, second, spread, stream)
    rows: list[dict[str, object]] = []
    for visit, phase in enumerate(PHASES):
        for person, pair in zip(people, means, strict=True):
            unit = max(1, round(pair[visit] * WITHIN / 2))
            for draw, step in enumerate(stream.shuffled(DRAW_PATTERN), start=1):
                rows.append(
                    {
                        "STUDYID": STUDY,
                        "USUBJID": person,
                        "PARAMCD": code,
                        "PARAM": f"{outcome.removeprefix('plasma ')} (pg/mL)",
                        "AVISIT": phase,
                        "AVISITN": visit,
                        "DRAW": draw,
                        "AVAL": (pair[visit] + unit * step) / 100,
                        "AVALU": "pg/mL",
                    }
                )
    return rows


def _women(first: int, second: int, spread: Fraction, stream: RawStream) -> list[tuple[int, int]]:
    """Each woman's two phase means: their averages printed, their differences as spread."""
    for _ in range(ATTEMPTS):
        own, change = stream.shuffled(WOMEN_PATTERN), stream.shuffled(WOMEN_PATTERN)
        before = [first + round(first * BETWEEN * step / PATTERN_SD) for step in own]
        after = [
            value + second - first + round(spread * step)
            for value, step in zip(before, change, strict=True)
        ]
        # No phase mean below a fifth of the average: concentrations are positive.
        if min(after) > second // 5:
            return list(zip(before, after, strict=True))
    raise DesignError(f"No arrangement keeps all values of a mean of {second / 100} positive.")


def _hundredths(printed: str) -> int:
    return round(Fraction(printed) * 100)
