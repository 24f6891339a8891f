"""The synthetic twin of Younger 2009: ten women, four phases in one order, a daily diary.

Printed are the mean reductions from baseline at the end of two phases, and a p. What the twin
assumes beyond the printed figures stands in the constants of this module and in the README of
the fixture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import sqrt

import pandas as pd

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import normal_level, raw_stream, scores_with_moments
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.kernels.score_grid import rounding_interval
from trialkit.studies.synthetic.diary import diary_days, with_total
from trialkit.studies.synthetic.figure_book import FigureBook

__all__ = ["make"]

STUDY = "YOUNGER2009-SYNTHETIC"
SEVERITY = "fm_symptom_severity_vas"
REDUCTION = "mean_pct_reduction_from_baseline"
DRUG = "LDN 4.5 mg"
# Phases in their order, and days of each.
PHASES = {"Baseline": 14, "Placebo": 14, DRUG: 56, "Washout": 14}
# What is compared, as the figures name it.
ENDS = {"Placebo": ("placebo", "end placebo (2 wk)"), DRUG: ("ldn_4.5mg", "end drug (8 wk)")}
# The end of a phase is the mean of its last days: the definition registered for the trial of
# 2013, here an assumption.
LAST_DAYS = 3
# The diary's last days of a phase, flagged for an analysis that leaves the change of phase out.
LAST_WEEK = 7
LEVELS = range(101)
# Diary: level of a woman at baseline, and deviation of a day from her course.
LEVEL, LEVEL_SD, LEVEL_BOUNDS = 62, 10, (42, 82)
DAY_SD, DAY_CORRELATION = 8, Fraction(1, 2)
# Days after which a phase's course has reached its end, and where the washout ends: halfway
# between the end of the drug and the baseline.
REACHED = {"Placebo": 7, DRUG: 28, "Washout": 14}
WASHOUT_SHARE = Fraction(1, 2)
# Reductions on placebo, and reductions on the drug beyond them, in tenths of a percent.
TENTH, PLACEBO_SD, PLACEBO_BOUNDS, GAIN_BOUNDS = "0.1", "12.0", (-30, 30), (-20, 80)
MOST_REDUCED = 900
# Points of reduction beyond placebo that make a responder.
RESPONSE = 30
# Distance from a printed mean, in its last digit, within which ours is brought.
MEAN_BAND = Fraction(3, 10)
ATTEMPTS = 200


@dataclass(frozen=True, slots=True, eq=False)
class _Woman:
    """Diary by phase; `base` is the baseline's total, `ends` the totals of the last days."""

    usubjid: str
    days: Mapping[str, list[int]]
    base: int
    ends: Mapping[str, int]

    def reduction(self, phase: str) -> Fraction:
        """Percent reduction from baseline at the end of a phase."""
        return _reduction(self.base, self.ends[phase])


def make(book: FigureBook, *, seed: int) -> dict[str, pd.DataFrame]:
    """ADSL, ADQS (the diary) and ADEFF (ends of phases); figures used are recorded in `book`."""
    n = book.count("all", "n_analysed", "", "n", used_for="number of women")
    means = {
        phase: book.text(arm, SEVERITY, when, REDUCTION, used_for="mean reduction")
        for phase, (arm, when) in ENDS.items()
    }
    p_value = book.text(
        "ldn_vs_placebo", SEVERITY, "end of phase", "p", used_for="spread of the differences"
    )
    n_responders = book.count("ldn_4.5mg", "responders", "end drug", used_for="responders")
    for attempt in range(ATTEMPTS):
        stream = raw_stream(seed, part=f"younger2009/{attempt}")
        women = _women(n, means, p_value, n_responders, stream)
        if _prints(women, p_value, n_responders):
            break
    else:
        raise DesignError(
            f"No diaries of {n} women with reductions of {' and '.join(means.values())}%, p "
            f"{p_value} and {n_responders} responders were found in {ATTEMPTS} attempts; that "
            "does not prove there are none."
        )
    return {
        "adsl": _adsl(book, women, stream),
        "adqs": pd.DataFrame(row for woman in women for row in _diary_rows(woman)),
        "adeff": pd.DataFrame(row for woman in women for row in _end_rows(woman)),
    }


def _women(
    n: int, means: Mapping[str, str], p_value: str, n_responders: int, stream: RawStream
) -> list[_Woman]:
    """Women whose reductions are those drawn, as near as whole scores come to them."""
    targets = _targets(n, means, p_value, n_responders, stream)
    baselines = [_phase_days("Baseline", {"Baseline": _level(stream)}, stream) for _ in range(n)]
    totals = [sum(days) for days in baselines]
    ends = {phase: _nearest_ends(totals, targets[phase], means[phase]) for phase in ENDS}
    women = []
    for place, days in enumerate(baselines):
        levels = {"Baseline": Fraction(totals[place], PHASES["Baseline"])}
        levels |= {phase: Fraction(ends[phase][place], LAST_DAYS) for phase in ENDS}
        levels["Washout"] = levels[DRUG] + WASHOUT_SHARE * (levels["Baseline"] - levels[DRUG])
        phases = {"Baseline": days}
        for phase in list(PHASES)[1:]:
            drawn = _phase_days(phase, levels, stream)
            if phase in ENDS:
                last = with_total(drawn[-LAST_DAYS:], ends[phase][place], levels=LEVELS)
                drawn = [*drawn[:-LAST_DAYS], *last]
            phases[phase] = drawn
        women.append(
            _Woman(
                f"YOUNGER09-SYN-{place + 1:02d}",
                phases,
                totals[place],
                {phase: ends[phase][place] for phase in ENDS},
            )
        )
    return women


def _targets(
    n: int, means: Mapping[str, str], p_value: str, n_responders: int, stream: RawStream
) -> dict[str, list[int]]:
    """Reductions in tenths of a percent, placebo and drug, woman by woman."""
    placebo, drug = (Fraction(means[phase]) for phase in ENDS)
    gain = drug - placebo
    plain = scores_with_moments(
        means["Placebo"],
        PLACEBO_SD,
        n=n,
        step=TENTH,
        low=PLACEBO_BOUNDS[0],
        high=PLACEBO_BOUNDS[1],
        rng=stream.below(2**62),
    ).tolist()
    gains = scores_with_moments(
        f"{float(gain):.1f}",
        f"{_sd_of(gain, p_value, n):.1f}",
        n=n,
        step=TENTH,
        low=GAIN_BOUNDS[0],
        high=GAIN_BOUNDS[1],
        at_least={RESPONSE: n_responders},
        rng=stream.below(2**62),
    ).tolist()
    for _ in range(ATTEMPTS):
        reached = [a + b for a, b in zip(plain, gains, strict=True)]
        if max(reached) <= MOST_REDUCED:
            return {"Placebo": plain, DRUG: reached}
        gains = stream.shuffled(gains)
    raise DesignError(f"No pairing keeps the reductions at or below {MOST_REDUCED / 10:g}%.")


def _sd_of(gain: Fraction, p_value: str, n: int) -> float:
    """SD of the differences at which the paired t-test has this p."""
    from scipy import special

    return float(gain) / -float(special.stdtrit(n - 1, float(p_value) / 2)) * sqrt(n)


def _level(stream: RawStream) -> Fraction:
    while True:
        level = normal_level(stream, mean=Fraction(LEVEL), sd=Fraction(LEVEL_SD))
        if LEVEL_BOUNDS[0] <= level <= LEVEL_BOUNDS[1]:
            return Fraction(level)


def _phase_days(phase: str, levels: Mapping[str, Fraction], stream: RawStream) -> list[int]:
    """A phase's diary around a course that goes from the phase before to its own level."""
    names = list(PHASES)
    before = levels[names[max(names.index(phase) - 1, 0)]]
    reached = REACHED.get(phase, 1)
    course = [
        before + (levels[phase] - before) * min(Fraction(day, reached), Fraction(1))
        for day in range(1, PHASES[phase] + 1)
    ]
    return diary_days(course, sd=DAY_SD, correlation=DAY_CORRELATION, levels=LEVELS, stream=stream)


def _nearest_ends(bases: Sequence[int], targets: Sequence[int], printed: str) -> list[int]:
    """Totals of the last days nearest the targets, moved by one until the mean prints clearly."""
    ends = [
        round(LAST_DAYS * Fraction(base, PHASES["Baseline"]) * (1 - Fraction(target, 1000)))
        for base, target in zip(bases, targets, strict=True)
    ]
    low, high = rounding_interval(printed, len(printed.partition(".")[2]))
    allowed = MEAN_BAND * (high - low)

    def off(moved: Sequence[int]) -> Fraction:
        reductions = [_reduction(base, end) for base, end in zip(bases, moved, strict=True)]
        return abs(sum(reductions, Fraction(0)) / len(reductions) - Fraction(printed))

    while off(ends) > allowed:
        options = [
            [end + step * (place == moved) for place, end in enumerate(ends)]
            for moved in range(len(ends))
            for step in (-1, 1)
            if 0 <= ends[moved] + step <= LAST_DAYS * LEVELS[-1]
        ]
        best = min(options, key=off)
        if off(best) >= off(ends):
            break
        ends = best
    return ends


def _reduction(base: int, end: int) -> Fraction:
    return 100 * (1 - Fraction(end * PHASES["Baseline"], base * LAST_DAYS))


def _gains(women: Sequence[_Woman]) -> list[Fraction]:
    return [woman.reduction(DRUG) - woman.reduction("Placebo") for woman in women]


def _prints(women: Sequence[_Woman], p_value: str, n_responders: int) -> bool:
    """Whether the paired t-test and the responders are still those printed."""
    from scipy import special

    gains = _gains(women)
    mean = sum(gains, Fraction(0)) / len(gains)
    squares = sum(((gain - mean) ** 2 for gain in gains), Fraction(0))
    df = len(gains) - 1
    t = float(mean) / sqrt(float(squares) / df / len(gains))
    p = 2 * float(special.stdtr(df, -abs(t)))
    low, high = rounding_interval(p_value, len(p_value.partition(".")[2]))
    responders = sum(gain >= RESPONSE for gain in gains)
    return float(low) < p < float(high) and responders == n_responders


def _diary_rows(woman: _Woman) -> list[dict[str, object]]:
    days = [
        (number, phase, len(scores) - place <= LAST_WEEK, score)
        for number, (phase, scores) in enumerate(woman.days.items(), start=1)
        for place, score in enumerate(scores)
    ]
    return [
        {
            "STUDYID": STUDY,
            "USUBJID": woman.usubjid,
            "PARAMCD": "FMSEV",
            "PARAM": "Severity of fibromyalgia symptoms today (0-100 VAS)",
            "APHASE": phase,
            "APHASEN": number,
            "ADY": day,
            "AVAL": score,
            "ANL01FL": "Y" if is_last else "N",
        }
        for day, (number, phase, is_last, score) in enumerate(days, start=1)
    ]


def _end_rows(woman: _Woman) -> list[dict[str, object]]:
    names = list(PHASES)
    return [
        {
            "STUDYID": STUDY,
            "USUBJID": woman.usubjid,
            "PARAMCD": "FMSEVEND",
            "PARAM": f"Severity of symptoms (mean of the last {LAST_DAYS} days of the phase)",
            "APHASE": phase,
            "APHASEN": names.index(phase) + 1,
            "ADY": sum(PHASES[name] for name in names[: names.index(phase) + 1]),
            "BASE": round(woman.base / PHASES["Baseline"], 4),
            "AVAL": round(woman.ends[phase] / LAST_DAYS, 4),
            "PCTRED": round(float(woman.reduction(phase)), 4),
        }
        for phase in ENDS
    ]


def _adsl(book: FigureBook, women: Sequence[_Woman], stream: RawStream) -> pd.DataFrame:
    """One row a woman; who had which side effect is chance."""
    effects = {
        "VIVIDFL": "vivid dreams",
        "NAUSINFL": "transient nausea and insomnia",
    }
    flagged = {}
    for column, outcome in effects.items():
        count = book.count("ldn_4.5mg", outcome, "", used_for="side effects")
        flagged[column] = stream.shuffled(["Y"] * count + ["N"] * (len(women) - count))
    return pd.DataFrame(
        {
            "STUDYID": STUDY,
            "USUBJID": woman.usubjid,
            "SEX": "F",
            "TRT01P": DRUG,
            "RESPFL": "Y" if gain >= RESPONSE else "N",
            **{column: flags[place] for column, flags in flagged.items()},
        }
        for place, (woman, gain) in enumerate(zip(women, _gains(women), strict=True))
    )
