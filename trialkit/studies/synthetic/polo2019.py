"""The synthetic twin of Polo 2019: 218 charts, who responded and in what, how long followed.

What the twin assumes beyond the printed figures stands in the constants of this module and in
the README of the fixture.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import decimals_of, raw_stream, scores_with_moments
from trialkit.kernels.grim import grim_totals
from trialkit.studies.synthetic.conduct import draw, sample
from trialkit.studies.synthetic.figure_book import FigureBook

__all__ = ["count_from_percent", "make"]

STUDY = "POLO2019-SYNTHETIC"
ARM = "ldn_3-4.5mg"
LABEL = "LDN 3-4.5 mg"
DOSES_MG = (3.0, 4.5)
# Flags of improvement among the responders, by the figure they come from.
IMPROVED = {
    "VIGILFL": "vigilance/alertness improved",
    "PHYSFL": "physical performance improved",
    "COGNFL": "cognitive function improved",
}
# Charts of 2010 to 2014. Follow-up in whole months; its SD is not printed.
FIRST, LAST = date(2010, 1, 1), date(2014, 12, 31)
MONTH, FOLLOW_UP_SD = Fraction(1, 12), "1.1"
LONGEST_YEARS = Fraction(58, 12)
DAYS_A_MONTH = Fraction(36525, 1200)


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL of the twin; every figure used is recorded in `book`."""
    n = book.denominator(ARM, "positive response", "", used_for="number of charts")
    positive = book.count(ARM, "positive response", "", used_for="positive responses")
    stream = raw_stream(seed, part="polo/response")
    people = [f"POLO-SYN-{number:03d}" for number in range(1, n + 1)]
    known = sample(people, count_from_percent(_percent(book, "outcome data available"), n), stream)
    responders = sample(known, positive, stream)
    improved = {
        flag: set(sample(responders, count_from_percent(_percent(book, outcome), n), stream))
        for flag, outcome in IMPROVED.items()
    }
    rows = []
    for person, followed in zip(people, _months(book, n, seed), strict=True):
        days = round(followed * DAYS_A_MONTH)
        start = FIRST + timedelta(days=stream.below((LAST - FIRST).days - days + 1))
        flags = {"OUTCFL": known, "RESPFL": responders, **improved}
        rows.append(
            {
                "STUDYID": STUDY,
                "USUBJID": person,
                "ARM": LABEL,
                "TRT01P": LABEL,
                "TRT01A": LABEL,
                "DOSEMG": draw(DOSES_MG, stream),
                "TRTSDT": start.isoformat(),
                "LFUDT": (start + timedelta(days=days)).isoformat(),
                "FUDURM": followed,
                "FUDURY": followed / 12,
                **{flag: "Y" if person in members else "N" for flag, members in flags.items()},
            }
        )
    return {"adsl": pd.DataFrame(rows)}


def _months(book: FigureBook, n: int, seed: int) -> list[int]:
    """Follow-up in whole months, its mean printed in years."""
    drawn = scores_with_moments(
        book.text(ARM, "follow-up", "", "mean", used_for="follow-up"),
        FOLLOW_UP_SD,
        n=n,
        step=MONTH,
        low=MONTH,
        high=LONGEST_YEARS,
        rng=raw_stream(seed, part="polo/follow-up").below(2**62),
    )
    return [int(months) for months in drawn]


def _percent(book: FigureBook, outcome: str) -> str:
    return book.text(ARM, outcome, "", "pct", used_for="count behind the percentage")


def count_from_percent(percent: str, n: int) -> int:
    """The one count of `n` that prints the percentage; raises DesignError for none or several.

    >>> count_from_percent("92.2", 218)
    201
    """
    counts = grim_totals(percent, decimals=decimals_of(percent), n=n, step=100, low=0).tolist()
    if len(counts) != 1:
        raise DesignError(f"{percent}% of {n} can be {counts or 'no count'}; it must be one.")
    return int(counts[0])
