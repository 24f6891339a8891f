"""Estimates of a logarithm carried back to ratios and geometric means."""

from __future__ import annotations

from dataclasses import replace
from math import exp

from trialkit.results import Estimate, EstimateTable

__all__ = ["as_ratios"]

LIMITS = ("ci_low_adjusted", "ci_high_adjusted")


def as_ratios(table: EstimateTable) -> EstimateTable:
    """The table of a log-scale analysis with estimates and limits as ratios.

    `se` and `statistic` stay on the log scale, as everywhere with `scale="ratio"`.
    """
    extras = {
        name: tuple(_exp(value) for value in values) if name in LIMITS else values
        for name, values in table.extras.items()
    }
    return replace(table, estimates=tuple(_ratio(row) for row in table.estimates), extras=extras)


def _ratio(row: Estimate) -> Estimate:
    return replace(
        row,
        estimate=_exp(row.estimate),
        ci_low=_exp(row.ci_low),
        ci_high=_exp(row.ci_high),
        scale="ratio",
    )


def _exp(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]
    try:
        return exp(number)
    except OverflowError:
        return float("inf")
