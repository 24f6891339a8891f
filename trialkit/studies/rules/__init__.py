"""Consistency rules: published figures that cannot be true together, one idea a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trialkit.studies.rules import copied, counts, grid, interval, quoted, single, spread
from trialkit.studies.rules.record import Check, Record

__all__ = ["RULES"]

RULES: tuple[Callable[[Record], Iterator[Check]], ...] = (
    single.possible_values,
    single.repeated_figures,
    interval.interval_order,
    interval.interval_centre,
    interval.p_against_interval,
    spread.sd_against_interval,
    spread.sds_against_contrast,
    spread.sds_of_arms,
    quoted.quoted_sds,
    copied.copied_half_widths,
    counts.percent_against_count,
    counts.percent_has_a_count,
    counts.denominator_within_arm,
    counts.thresholds_in_order,
    counts.arms_add_up,
    grid.grim,
    grid.grimmer,
    grid.bounded_moments,
)
