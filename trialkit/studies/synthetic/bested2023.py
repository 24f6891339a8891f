"""The synthetic twin of Bested 2023: 58 persons in two sequences, FIQR and SPIR in two periods.

Printed are medians and interquartile ranges of the differences, effect sizes and p. How many
were analysed is not. What the twin assumes beyond the printed figures stands in the constants
of this module and in the README of the fixture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import nearest_level, normal_level, raw_stream
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.ranked_differences import PrintedRanks, ranked_differences

__all__ = ["make"]

STUDY = "BESTED2023-SYNTHETIC"
CONTRAST, WHEN = "ldn_4.5mg - placebo", "end of 3-wk period"
SEQUENCES = {"LDN-Placebo": ("LDN 4.5 mg", "Placebo"), "Placebo-LDN": ("Placebo", "LDN 4.5 mg")}
# Persons with both periods: an assumption. The printed p and effect sizes allow 37 to 55, and
# accounts of the paper (not the paper, which was not read) say 52.
ANALYSED = 52


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """An instrument: `unit` is its step; bounds and moments are in whole units, and assumed.

    `level_sd` is between persons, `noise` that of a score before treatment around the level.
    """

    outcome: str
    param: str
    unit: Fraction
    high: int
    level: int
    level_sd: int
    noise: int
    largest: int


SCALES = {
    # A FIQR lies on sixths, and no median of 52 differences of sixths prints -1.65.
    "FIQR": _Scale(
        outcome="FIQR",
        param="Revised Fibromyalgia Impact Questionnaire (0-100)",
        unit=Fraction(1, 100),
        high=10_000,
        level=5_500,
        level_sd=1_400,
        noise=700,
        largest=4_500,
    ),
    # -0.33 and 6.33 are thirds.
    "SPIR": _Scale(
        outcome="SPIR (summed pain intensity ratings)",
        param="Summed pain intensity ratings (0-30)",
        unit=Fraction(1, 3),
        high=90,
        level=48,
        level_sd=14,
        noise=8,
        largest=50,
    ),
}


@dataclass(frozen=True, slots=True)
class _Person:
    usubjid: str
    sequence: str
    is_completer: bool


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL and ADQS of the twin; every figure used is recorded in `book`."""
    people = _people(book, raw_stream(seed, part="bested/conduct"))
    rows: list[dict[str, object]] = []
    for code, scale in SCALES.items():
        printed = _printed(book, scale.outcome)
        stream = raw_stream(seed, part=f"bested/{code}")
        drawn = ranked_differences(printed, unit=scale.unit, largest=scale.largest, stream=stream)
        complete = [person.usubjid for person in people if person.is_completer]
        differences = dict(zip(complete, drawn, strict=True))
        for person in people:
            rows += _rows(person, code, scale, differences.get(person.usubjid), stream)
    return {"adsl": _adsl(people), "adqs": pd.DataFrame(rows)}


def _people(book: FigureBook, stream: RawStream) -> list[_Person]:
    """The randomised in random order, half in each sequence; who left in the washout."""
    n = book.count("all", "randomised", "", "n", used_for="number randomised")
    gone = n - ANALYSED
    if gone < 0:
        raise DesignError(f"{ANALYSED} are taken as analysed, more than the {n} randomised.")
    sizes = {"LDN-Placebo": (n // 2, gone // 2), "Placebo-LDN": (n - n // 2, gone - gone // 2)}
    flags = [
        (sequence, place >= left)
        for sequence, (size, left) in sizes.items()
        for place in range(size)
    ]
    return [
        _Person(f"BESTED23-SYN-{number:02d}", *flag)
        for number, flag in enumerate(stream.shuffled(flags), start=1)
    ]


def _printed(book: FigureBook, outcome: str) -> PrintedRanks:
    def text(statistic: str, used_for: str) -> str:
        return book.text(CONTRAST, outcome, WHEN, statistic, used_for=used_for)

    return PrintedRanks(
        n=ANALYSED,
        median=text("median_difference", "median of the differences"),
        iqr=text("IQR_of_difference", "quartiles of the differences"),
        effect_size=text("effect_size", "signed ranks of the differences"),
        p_value=text("p", "signed ranks of the differences"),
    )


def _rows(
    person: _Person, code: str, scale: _Scale, difference: int | None, stream: RawStream
) -> list[dict[str, object]]:
    level, scores = _scores(scale, difference, stream)
    levels = range(scale.high + 1)
    rows = []
    for period, treatment in enumerate(SEQUENCES[person.sequence], start=1):
        before = nearest_level(
            levels, normal_level(stream, mean=Fraction(level), sd=Fraction(scale.noise))
        )
        is_seen = person.is_completer or period == 1
        is_drug = treatment != "Placebo"
        rows.append(
            {
                "STUDYID": STUDY,
                "USUBJID": person.usubjid,
                "TRTSEQP": person.sequence,
                "APERIOD": period,
                "TRTA": treatment,
                "PARAMCD": code,
                "PARAM": scale.param,
                "BASE": _value(before, scale) if is_seen else None,
                "AVAL": _value(scores[treatment], scale) if is_seen else None,
                "DIFF": None if difference is None or not is_drug else _value(difference, scale),
                "ANL01FL": "Y" if person.is_completer else "N",
            }
        )
    return rows


def _scores(
    scale: _Scale, difference: int | None, stream: RawStream
) -> tuple[int, Mapping[str, int]]:
    """A level and the scores around it, a difference apart; who left has a score by chance."""
    while True:
        level = normal_level(stream, mean=Fraction(scale.level), sd=Fraction(scale.level_sd))
        apart = (
            normal_level(stream, mean=Fraction(0), sd=Fraction(scale.noise))
            if difference is None
            else difference
        )
        drug = level + apart // 2
        scores = {"LDN 4.5 mg": drug, "Placebo": drug - apart}
        if all(0 <= score <= scale.high for score in (level, *scores.values())):
            return level, scores


def _value(units: int, scale: _Scale) -> float:
    return float(units * scale.unit)


def _adsl(people: Sequence[_Person]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "STUDYID": STUDY,
            "USUBJID": person.usubjid,
            "TRTSEQP": person.sequence,
            "EOSSTT": "COMPLETED" if person.is_completer else "DISCONTINUED",
            "ANL01FL": "Y" if person.is_completer else "N",
        }
        for person in people
    )
