"""Standard deviation, standard error or half-width: which of them was printed as the SD.

A standard error entered as a standard deviation is too small by the square root of n, a 95%
half-width by half of that. Either makes the arms look less variable than their own interval,
or than the contrast between them, allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, sqrt

from scipy import special

from trialkit.kernels.rounding import reachable_range
from trialkit.studies.figure import Figure
from trialkit.studies.formulas.intervals import quantile, two_sample_se
from trialkit.studies.formulas.spread import pooled_sd
from trialkit.studies.rules.arm_pairs import ArmPair, arm_pairs
from trialkit.studies.rules.record import Cell, Check, Record, Verdict, is_contrast

__all__ = ["half_width_of", "sd_against_interval", "sds_against_contrast", "sds_of_arms"]

# A model-based interval may differ from sd / sqrt(n); confusing SD, SE and half-width makes a
# factor of sqrt(n) or sqrt(n) / 2.
MODEL_FACTOR = 1.5
# A contrast as wide as if a fifth of the persons were missing asks where they are.
SHORTFALL = sqrt(1 / 0.8)
# Two arms of one trial measured alike: a factor beyond this is more likely an SE beside an SD.
ARMS_FACTOR, ARMS_CHANCE = 4.0, 1e-4
# A printed zero may be a very small number.
TINY = 1e-12


def half_width_of(cell: Cell, n: int) -> tuple[float, float, str] | None:
    """Half-width of the 95% interval of an arm's own mean, as a range, and its words."""
    printed = cell.first(("ci95_halfwidth",))
    if printed is not None:
        return *printed.bounds, f"half-width {printed.printed}"
    low, high = cell.first(("ci95_lo",)), cell.first(("ci95_hi",))
    if low is not None and high is not None and cell.first(("mean", "mean_change")):
        shortest = max((high.bounds[0] - low.bounds[1]) / 2, 0.0)
        longest = (high.bounds[1] - low.bounds[0]) / 2
        return shortest, longest, f"interval {low.printed} to {high.printed}"
    se = cell.first(("se",))
    if se is not None:
        t = quantile(n - 1)
        return t * max(se.bounds[0], 0.0), t * se.bounds[1], f"SE {se.printed}"
    return None


def sd_against_interval(record: Record) -> Iterator[Check]:
    """Rule `sd-or-se`: an arm's SD against the interval, half-width or SE of the same mean."""
    for cell in record.cells:
        sd = cell.first(("sd",))
        numbers = [size.n for size in record.sizes(cell) if size.n > 1]
        if sd is None or is_contrast(cell.arm) or not numbers:
            continue
        n = numbers[0]
        width = half_width_of(cell, n)
        if width is None:
            continue
        low, high, words = width
        to_sd = sqrt(n) / quantile(n - 1)
        too_small = low * to_sd > MODEL_FACTOR * sd.bounds[1]
        too_large = high * to_sd * MODEL_FACTOR < sd.bounds[0]
        detail = (
            f"SD {sd.printed}; {words} at n {n} implies {low * to_sd:.3g} to {high * to_sd:.3g}"
            f"{_named_as(sd, low, high, n)}"
        )
        yield cell.check("sd-or-se", "inconsistent" if too_small or too_large else None, detail)


def sds_against_contrast(record: Record) -> Iterator[Check]:
    """Rules `paired-sd` and `contrast-sd`: the arms' SDs against the contrast between them.

    Within persons (the arms share the study's n), the SD of the differences that the contrast
    needs fixes the within-person correlation: outside -1 to 1 it is impossible, below 0
    suspicious. Between persons, the standard error may exceed what the SDs give only where
    fewer were analysed than printed.
    """
    for pair in arm_pairs(record):
        yield _within_persons(pair) if pair.is_within_person else _between_persons(pair)


def sds_of_arms(record: Record) -> Iterator[Check]:
    """Rule `arms-sd`: SDs of one outcome at one time that differ no more than chance allows.

    Flagged is a factor of four or more that an F test of equal variances puts below one in ten
    thousand; without numbers of persons nothing is judged.
    """
    groups: dict[tuple[str, str, str], list[tuple[Figure, Cell, int]]] = {}
    for cell in record.cells:
        sd, sizes = cell.first(("sd",)), record.sizes(cell)
        if sd is not None and not is_contrast(cell.arm) and sizes and sizes[0].n > 1:
            key = (cell.study, cell.outcome, cell.timepoint)
            groups.setdefault(key, []).append((sd, cell, sizes[0].n))
    for members in groups.values():
        if len(members) > 1:
            members.sort(key=lambda member: member[0].point)
            (small, cell, n), (large, _, n_large) = members[0], members[-1]
            factor = large.bounds[0] / max(small.bounds[1], TINY)
            chance = special.fdtrc(n_large - 1, n - 1, factor**2)
            detail = f"SD {small.printed} beside {large.printed} in another arm: an SE?"
            is_apart = factor > ARMS_FACTOR and chance < ARMS_CHANCE
            yield cell.check("arms-sd", "suspicious" if is_apart else None, detail)


def _within_persons(pair: ArmPair) -> Check:
    n = pair.sizes[0]

    def correlation(sd: float, sd_reference: float, se: float) -> float:
        if sd <= 0 or sd_reference <= 0:
            return inf
        return (sd**2 + sd_reference**2 - n * se**2) / (2 * sd * sd_reference)

    found = reachable_range(
        correlation,
        {
            "sd": _positive(pair.sds[0]),
            "sd_reference": _positive(pair.sds[1]),
            "se": (pair.se_low, pair.se_high),
        },
    )
    needed = f"{sqrt(n) * pair.se_low:.1f} to {sqrt(n) * pair.se_high:.1f}"
    sds = f"SDs {pair.sds[0].printed} and {pair.sds[1].printed}"
    words = f"{pair.evidence} at n {n} for both arms needs differences with SD {needed}"
    detail = f"{sds}: {words}, a within-person correlation of {found.low:.2f} to {found.high:.2f}"
    verdict: Verdict | None = None
    if found.high < -1 or found.low > 1:
        verdict = "impossible"
        detail += ", which no data have: half-widths or SEs entered as SDs?"
    elif found.high < 0:
        verdict = "suspicious"
        detail += ", against all experience with repeated scores"
    return pair.contrast.check("paired-sd", verdict, detail)


def _between_persons(pair: ArmPair) -> Check:
    (first, second), (n, n_reference) = pair.sds, pair.sizes
    largest = first.bounds[1], n, second.bounds[1], n_reference
    pooled = pooled_sd(*largest) * sqrt(1 / n + 1 / n_reference)
    widest = max(two_sample_se(*largest), pooled)
    # Were the arms the same persons after all, the most adverse correlation would give this.
    adverse = (first.bounds[1] + second.bounds[1]) / sqrt(min(n, n_reference))
    detail = (
        f"{pair.evidence}: a standard error of {pair.se_low:.3g} to {pair.se_high:.3g}; "
        f"SDs {first.printed} and {second.printed} at n {n} and {n_reference} give at most "
        f"{widest:.3g}: "
    )
    if pair.se_low > max(adverse, SHORTFALL * widest):
        reason = "no design gives that; SEs or half-widths entered as SDs?"
        return pair.contrast.check("contrast-sd", "inconsistent", detail + reason)
    if pair.se_low > SHORTFALL * widest:
        reason = "fewer were analysed, or the model is not the simple difference"
        return pair.contrast.check("contrast-sd", "suspicious", detail + reason)
    return pair.contrast.check("contrast-sd", None, "")


def _positive(sd: Figure) -> tuple[float, float]:
    low, high = sd.bounds
    return max(low, TINY), max(high, TINY)


def _named_as(sd: Figure, low: float, high: float, n: int) -> str:
    """Say so where the printed SD is the half-width, or the standard error, itself."""
    t = quantile(n - 1)
    if sd.interval is not None and sd.interval.overlaps(low, high):
        return ": the SD is the half-width"
    if sd.interval is not None and sd.interval.overlaps(low / t, high / t):
        return ": the SD is the standard error"
    return ""
