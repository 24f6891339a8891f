"""Pain and memory of the synthetic twin of FINAL 2024, with the printed moments and counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from trialkit.kernels.grid_moments import MomentSums, raw_stream, scores_with_moments
from trialkit.kernels.permuted_blocks import RawStream
from trialkit.studies.synthetic.change import change_sums, sd_from_interval, sd_from_p
from trialkit.studies.synthetic.compatible import PrintedMean, compatible_totals
from trialkit.studies.synthetic.course import between
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.scores_frame import Parameter
from trialkit.studies.synthetic.visit_scores import Correlation, VisitTargets, scores_given

__all__ = ["CONTRAST", "VISITS", "memory", "pain"]

CONTRAST = "ldn - placebo"
PAIN, MEMORY = "pain_nrs", "memory problems (FIQR item)"
VISITS = {"Baseline": 0, "Week 4": 4, "Week 8": 8, "Week 12": 12}
CUTS = (15, 30, 50)
# Mean of seven daily ratings from 0 to 10; four or more on entry.
PAIN_STEP, PAIN_ENTRY, PAIN_TOP = Fraction(1, 7), 4, 10
PAIN_LEVELS, MEMORY_LEVELS = range(71), range(11)
# Change unrelated to baseline: the one correlation under which the unadjusted difference and
# the one adjusted for baseline agree at the printed decimals. The paper does not say which it
# printed.
CHANGE_ON_BASELINE = Correlation(value=0.0, tolerance=0.008)
# Baseline of the memory item and its correlation with the change are not printed.
MEMORY_BASELINE = {"ldn_6mg": ("6.1", "2.0"), "placebo": ("5.9", "2.1")}
MEMORY_CORRELATION = Correlation(value=-0.3, tolerance=0.05)
# Relative half-width of the band for the SD of a change. The interval of the pain difference,
# printed to two decimals, leaves 0.8 percent, of which adjusting for a covariate takes up to
# 0.6; the p-value of the memory item leaves 1.3 percent, and whole numbers need some of it.
PAIN_BAND, MEMORY_BAND = 0.002, 0.008
# Share of the week 12 change reached at the interim visits, and the noise about it (0-10 scale).
INTERIM = {"Week 4": Fraction(1, 2), "Week 8": Fraction(4, 5)}
INTERIM_NOISE = Fraction(4, 5)

People = Mapping[str, Sequence[str]]  # identifiers by arm, as the figures call the arms


def pain(book: FigureBook, people: People, *, seed: int) -> Parameter:
    """Seven-day mean pain at all visits."""
    scores: dict[str, dict[str, int | None]] = {label: {} for label in VISITS}
    sums = _pain_change(book, {arm: len(members) for arm, members in people.items()})
    for arm, members in people.items():
        first = scores_with_moments(
            book.text(arm, PAIN, "baseline", "mean", used_for="baseline mean"),
            book.text(arm, PAIN, "baseline", "sd", used_for="baseline SD"),
            n=len(members),
            step=PAIN_STEP,
            low=PAIN_ENTRY,
            high=PAIN_TOP,
            rng=raw_stream(seed, part=f"final/pain/{arm}").below(2**62),
        ).tolist()
        responders = {
            cut: book.count(arm, f"pain responder >={cut}% (ITT)", "wk12", used_for="responders")
            for cut in CUTS
        }
        last = scores_given(
            [(score,) for score in first],
            VisitTargets(
                measure="change",
                sums=sums[arm],
                levels=PAIN_LEVELS,
                correlations={0: CHANGE_ON_BASELINE},
                responders=responders,
            ),
            stream=raw_stream(seed, part=f"final/week12/{arm}"),
        )
        stream = raw_stream(seed, part=f"final/interim/{arm}")
        _enter(scores, members, first, last, PAIN_LEVELS, INTERIM_NOISE / PAIN_STEP, stream)
    return Parameter(
        code="NRSPAIN",
        label="Pain, mean of 7 daily ratings (NRS 0-10)",
        step=PAIN_STEP,
        visits=VISITS,
        scores=scores,
    )


def _pain_change(book: FigureBook, sizes: Mapping[str, int]) -> dict[str, MomentSums]:
    """Total and spread of the change by arm, from the difference between arms and its interval.

    The intervals of the two arms are left out: that both arms have one SD is assumed, and their
    intervals then follow.
    """
    means = {
        arm: PrintedMean(
            printed=book.text(arm, PAIN, "wk12", "mean_change", used_for="mean change"),
            n=n,
            step=PAIN_STEP,
        )
        for arm, n in sizes.items()
    }
    difference = book.text(
        CONTRAST, PAIN, "wk12", "mean_difference", used_for="difference of the mean changes"
    )
    totals = compatible_totals(means["ldn_6mg"], means["placebo"], difference=difference)
    low, high = (
        book.text(CONTRAST, PAIN, "wk12", end, used_for="SD of the change, one in both arms")
        for end in ("ci95_lo", "ci95_hi")
    )
    sd = sd_from_interval(low, high, sizes)
    return change_sums(
        sizes, dict(zip(means, totals, strict=True)), sd=sd, band=PAIN_BAND, step=PAIN_STEP
    )


def memory(book: FigureBook, people: People, *, seed: int) -> Parameter:
    """The FIQR memory item at all visits: its printed changes, and the SD its p-value implies."""
    scores: dict[str, dict[str, int | None]] = {label: {} for label in VISITS}
    sums = _memory_change(book, {arm: len(members) for arm, members in people.items()})
    for arm, members in people.items():
        mean, sd = MEMORY_BASELINE[arm]
        first = scores_with_moments(
            mean,
            sd,
            n=len(members),
            low=1,
            high=10,
            rng=raw_stream(seed, part=f"final/memory/{arm}").below(2**62),
        ).tolist()
        last = scores_given(
            [(score,) for score in first],
            VisitTargets(
                measure="change",
                sums=sums[arm],
                levels=MEMORY_LEVELS,
                correlations={0: MEMORY_CORRELATION},
            ),
            stream=raw_stream(seed, part=f"final/memory-week12/{arm}"),
        )
        stream = raw_stream(seed, part=f"final/memory-interim/{arm}")
        _enter(scores, members, first, last, MEMORY_LEVELS, INTERIM_NOISE, stream)
    return Parameter(
        code="FIQRMEM",
        label="FIQR item, memory problems (0-10)",
        step=Fraction(1),
        visits=VISITS,
        scores=scores,
    )


def _memory_change(book: FigureBook, sizes: Mapping[str, int]) -> dict[str, MomentSums]:
    means = {
        arm: PrintedMean(
            printed=book.text(arm, MEMORY, "wk12", "mean_change", used_for="mean change"),
            n=n,
            step=Fraction(1),
        )
        for arm, n in sizes.items()
    }
    totals = {arm: mean.nearest_total() for arm, mean in means.items()}
    treated, control = (means[arm].mean(totals[arm]) for arm in means)
    p_value = book.text(
        CONTRAST, MEMORY, "wk12", "p", used_for="SD of the change, one in both arms"
    )
    sd = sd_from_p(p_value, treated - control, sizes)
    return change_sums(sizes, totals, sd=sd, band=MEMORY_BAND, step=Fraction(1))


def _enter(
    scores: Mapping[str, dict[str, int | None]],
    members: Sequence[str],
    first: Sequence[int],
    last: Sequence[int],
    levels: Sequence[int],
    noise: Fraction,
    stream: RawStream,
) -> None:
    """Enter the scores of one arm, with the interim visits in between."""
    scores["Baseline"].update(zip(members, first, strict=True))
    for visit, share in INTERIM.items():
        path = between(first, last, share=share, noise=noise, levels=levels, stream=stream)
        scores[visit].update(zip(members, path, strict=True))
    scores["Week 12"].update(zip(members, last, strict=True))
