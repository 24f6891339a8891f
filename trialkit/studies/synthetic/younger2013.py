"""The synthetic twin of Younger 2013: 31 women in two sequences, reduction of pain in each phase.

What the twin assumes beyond the printed figures stands in the constants of this module and in
the README of the fixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import raw_stream, scores_with_moments
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.paired_scores import paired_with_p

__all__ = ["make"]

STUDY = "YOUNGER2013-SYNTHETIC"
PAIN = "pain_vas_pct_reduction_from_baseline"
RESPONDER = "responder (sig. pain reduction + sig. fatigue or sleep reduction)"
# Timepoint and length in weeks of each condition, and its label in the data.
CONDITIONS = {
    "ldn_4.5mg": ("last 3 d of LDN phase (12 wk)", "LDN 4.5 mg", 12),
    "placebo": ("last 3 d of placebo phase (4 wk)", "Placebo", 4),
}
SEQUENCES = {"LDN first": ("ldn_4.5mg", "placebo"), "placebo first": ("placebo", "ldn_4.5mg")}
LABELS = {"LDN first": "LDN-Placebo", "placebo first": "Placebo-LDN"}
# Percentages in steps of 0.1; a worsening beyond the baseline score again is left out.
TENTH, LOWEST, HIGHEST = "0.1", -100, 100
# Two-week mean of a 0-100 scale; its SD is not printed.
BASELINE_SD, BASELINE_LOW, BASELINE_HIGH = "15.0", 15, 95
# One completer is not analysed, and nothing says of which sequence.
NOT_ANALYSED_OF = "LDN first"


@dataclass(frozen=True, slots=True)
class _Woman:
    usubjid: str
    sequence: str
    is_completer: bool
    is_analysed: bool


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL and ADQS of the twin; every figure used is recorded in `book`."""
    stream = raw_stream(seed, part="younger/conduct")
    women = _women(book, stream)
    analysed = [w for w in women if w.is_analysed]
    reductions = _reductions(book, len(analysed), seed)
    responders = {
        arm: _top(scores, _responders(book, arm, len(analysed)))
        for arm, scores in reductions.items()
    }
    baseline = scores_with_moments(
        book.text("all", "pain_vas", "14-d baseline", "mean", used_for="baseline"),
        BASELINE_SD,
        n=len(analysed),
        step=TENTH,
        low=BASELINE_LOW,
        high=BASELINE_HIGH,
        rng=raw_stream(seed, part="younger/baseline").below(2**62),
    ).tolist()
    place = {woman.usubjid: number for number, woman in enumerate(analysed)}
    rows = [
        _row(woman, period, arm, place.get(woman.usubjid), baseline, reductions, responders)
        for woman in women
        for period, arm in enumerate(SEQUENCES[woman.sequence], start=1)
    ]
    return {"adsl": _adsl(women), "adqs": pd.DataFrame(rows)}


def _women(book: FigureBook, stream: RawStream) -> list[_Woman]:
    """The randomised in random order; who withdrew, and the completer who is not analysed."""
    flags = []
    n_analysed = book.count("all", "n_analysed", "", "n", used_for="number analysed")
    for sequence in SEQUENCES:
        randomised = book.count(sequence, "randomised", "", "n", used_for="size of the sequence")
        withdrew = book.count(
            sequence, "withdrawal by subject", "", "n", used_for="withdrawals of the sequence"
        )
        flags += [(sequence, place >= withdrew) for place in range(randomised)]
    spare = sum(completed for _, completed in flags) - n_analysed
    if spare < 0:
        raise DesignError(f"{n_analysed} are analysed, more than the completers.")
    left_out = [
        position
        for position, (sequence, completed) in enumerate(flags)
        if completed and sequence == NOT_ANALYSED_OF
    ][:spare]
    marked = [
        (sequence, completed, completed and position not in left_out)
        for position, (sequence, completed) in enumerate(flags)
    ]
    return [
        _Woman(f"YOUNGER13-SYN-{number:02d}", *flag)
        for number, flag in enumerate(stream.shuffled(marked), start=1)
    ]


def _reductions(book: FigureBook, n: int, seed: int) -> dict[str, list[int]]:
    """Reductions in tenths of a percent, paired so that the paired t-test prints its p."""
    drawn = {}
    for arm, (timepoint, _, _) in CONDITIONS.items():
        mean = book.text(arm, PAIN, timepoint, "mean", used_for="reduction of pain")
        half = book.text(arm, PAIN, timepoint, "ci95_halfwidth", used_for="SD of the reduction")
        drawn[arm] = scores_with_moments(
            mean,
            _sd_of(half, n),
            n=n,
            step=TENTH,
            low=LOWEST,
            high=HIGHEST,
            rng=raw_stream(seed, part=f"younger/{arm}").below(2**62),
        ).tolist()
    p_value = book.text(
        "ldn_vs_placebo", PAIN, "condition end points", "p", used_for="pairing of the conditions"
    )
    stream = raw_stream(seed, part="younger/pairing")
    drawn["placebo"] = paired_with_p(drawn["ldn_4.5mg"], drawn["placebo"], p_value, stream)
    return drawn


def _sd_of(half_width: str, n: int) -> str:
    """The SD, to one decimal, whose 95% interval has this half-width."""
    from scipy import special

    return f"{float(half_width) * sqrt(n) / -float(special.stdtrit(n - 1, 0.025)):.1f}"


def _responders(book: FigureBook, arm: str, n: int) -> int:
    share = book.text(arm, RESPONDER, "end", "proportion", used_for="number of responders")
    counts = [k for k in range(n + 1) if f"{k / n:.2f}" == share]
    if len(counts) != 1:
        raise DesignError(f"A proportion of {share} of {n} can be {counts or 'no count'}.")
    return counts[0]


def _top(scores: Sequence[int], count: int) -> set[int]:
    """Positions of the largest reductions: responders had a significant one."""
    ranked = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return set(ranked[:count])


def _row(
    woman: _Woman,
    period: int,
    arm: str,
    place: int | None,
    baseline: Sequence[int],
    reductions: dict[str, list[int]],
    responders: dict[str, set[int]],
) -> dict[str, object]:
    _, label, weeks = CONDITIONS[arm]
    known = place is not None
    base = baseline[place] / 10 if place is not None else None
    reduction = reductions[arm][place] / 10 if place is not None else None
    final = None if base is None or reduction is None else round(base * (1 - reduction / 100), 2)
    flag = "" if place is None else "Y" if place in responders[arm] else "N"
    return {
        "STUDYID": STUDY,
        "USUBJID": woman.usubjid,
        "TRTSEQP": LABELS[woman.sequence],
        "APERIOD": period,
        "TRTA": label,
        "WEEKS": weeks,
        "PARAMCD": "PAINVAS",
        "PARAM": "Pain, 0-100 VAS, mean of the last 3 days",
        "BASE": base,
        "AVAL": final,
        "PCTRED": reduction,
        "RESPFL": flag,
        "ANL01FL": "Y" if known else "N",
    }


def _adsl(women: Sequence[_Woman]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "STUDYID": STUDY,
            "USUBJID": woman.usubjid,
            "SEX": "F",
            "TRTSEQP": LABELS[woman.sequence],
            "EOSSTT": "COMPLETED" if woman.is_completer else "DISCONTINUED",
            "DCSREAS": "" if woman.is_completer else "WITHDRAWAL BY SUBJECT",
            "ANL01FL": "Y" if woman.is_analysed else "N",
        }
        for woman in women
    )
