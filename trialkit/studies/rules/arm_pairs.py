"""Two arms with means and SDs, and the printed contrast between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from trialkit.studies.figure import Figure
from trialkit.studies.formulas.intervals import quantile
from trialkit.studies.rules.interval import Interval, interval_of
from trialkit.studies.rules.record import ALL_ARMS, Cell, Record, is_contrast

__all__ = ["ArmPair", "arm_pairs"]

# A p-value this near 1 or 0 leaves the standard error open.
INFORMATIVE_P = (1e-12, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPair:
    """Two arms' SDs and numbers, and the standard error that their contrast was printed with.

    `se_low` to `se_high` is what the rounding allows; `evidence` says which figures it is from.
    """

    contrast: Cell
    sds: tuple[Figure, Figure]
    sizes: tuple[int, int]
    is_within_person: bool
    se_low: float
    se_high: float
    evidence: str


def arm_pairs(record: Record) -> Iterator[ArmPair]:
    """Every contrast whose two arms have a mean, an SD and a number of persons.

    The arms stand at the contrast's timepoint. Where none does, the outcome has one contrast and
    its two arms were each measured at a time of their own, as the phases of a crossover are,
    those are its arms. Two arms at one other time (baseline) are not.
    """
    for cells in record.by_study.values():
        for outcome in dict.fromkeys(cell.outcome for cell in cells):
            here = [cell for cell in cells if cell.outcome == outcome]
            arms = [cell for cell in here if _is_arm(cell)]
            contrasts = [cell for cell in here if is_contrast(cell.arm) and _has_evidence(cell)]
            for contrast in contrasts:
                at_time = [cell for cell in arms if cell.timepoint == contrast.timepoint]
                if not at_time and len(contrasts) == 1 and _are_phases(arms):
                    at_time = arms
                if len({cell.arm for cell in at_time}) == len(at_time) == 2:
                    pair = _pair(record, contrast, (at_time[0], at_time[1]))
                    if pair is not None:
                        yield pair


def _is_arm(cell: Cell) -> bool:
    if is_contrast(cell.arm) or cell.arm == ALL_ARMS:
        return False
    return cell.first(("mean", "mean_change")) is not None and cell.first(("sd",)) is not None


def _are_phases(arms: list[Cell]) -> bool:
    return len(arms) == 2 and arms[0].arm != arms[1].arm and arms[0].timepoint != arms[1].timepoint


def _has_evidence(cell: Cell) -> bool:
    return interval_of(cell) is not None or cell.first(("p",)) is not None


def _pair(record: Record, contrast: Cell, arms: tuple[Cell, Cell]) -> ArmPair | None:
    sizes = [record.sizes(arm) for arm in arms]
    sds = [arm.first(("sd",)) for arm in arms]
    if not all(sizes) or sds[0] is None or sds[1] is None:
        return None
    numbers = (sizes[0][0].n, sizes[1][0].n)
    if min(numbers) < 2:
        return None
    is_within = sizes[0][0].is_shared and sizes[1][0].is_shared
    # Welch's degrees of freedom lie between those of the smaller arm and the pooled ones.
    df = (min(numbers) - 1, numbers[0] - 1 if is_within else sum(numbers) - 2)
    found = _standard_error(contrast, arms, df)
    if found is None:
        return None
    low, high, evidence = found
    return ArmPair(
        contrast=contrast,
        sds=(sds[0], sds[1]),
        sizes=numbers,
        is_within_person=is_within,
        se_low=low,
        se_high=high,
        evidence=evidence,
    )


def _standard_error(
    contrast: Cell, arms: tuple[Cell, Cell], df: tuple[int, int]
) -> tuple[float, float, str] | None:
    interval = interval_of(contrast)
    if interval is not None:
        return _from_interval(interval, df)
    p_figure = contrast.first(("p",))
    means = [arm.first(("mean", "mean_change")) for arm in arms]
    if p_figure is None or means[0] is None or means[1] is None:
        return None
    p_low, p_high = p_figure.bounds
    if p_low < INFORMATIVE_P[0] or p_high > INFORMATIVE_P[1]:
        return None
    apart = (means[0].bounds[0] - means[1].bounds[1], means[0].bounds[1] - means[1].bounds[0])
    if apart[0] <= 0 <= apart[1]:
        return None
    least, most = sorted(map(abs, apart))
    words = f"means {means[0].printed} and {means[1].printed} with p {p_figure.printed}"
    return least / quantile(df[0], p_low / 2), most / quantile(df[1], p_high / 2), words


def _from_interval(interval: Interval, df: tuple[int, int]) -> tuple[float, float, str] | None:
    if interval.scale == "ratio":
        return None
    largest, smallest = (quantile(end, (1 - interval.level) / 2) for end in df)
    low = (interval.high.bounds[0] - interval.low.bounds[1]) / (2 * largest)
    high = (interval.high.bounds[1] - interval.low.bounds[0]) / (2 * smallest)
    return (low, high, str(interval)) if low > 0 else None
