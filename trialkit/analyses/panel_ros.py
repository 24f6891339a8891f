"""Regression on order statistics: what it fills in, and where that may be used.

The method fills in a sample: its mean, spread and quantiles. Which member of the sample gets
which of the values below one limit it does not say, so that nothing may rest on that.
"""

from __future__ import annotations

import numpy as np

from trialkit.analyses.panel_choices import PanelOptions
from trialkit.analyses.panel_units import PanelUnits
from trialkit.errors import SpecError

__all__ = ["refuse_arbitrary_values", "refuse_ros"]


def refuse_ros(units: PanelUnits, options: PanelOptions) -> None:
    """Raise SpecError where the filled-in values are not defined or would be paired up."""
    if options.censoring != "ros":
        return
    n_above = int((units.side == 1).sum())
    if n_above:
        raise SpecError(
            f'censoring="ros" is for values below a limit; {n_above} lie above theirs. Choose '
            'censoring="tobit".'
        )
    if units.is_within:
        refuse_arbitrary_values(units, options, "a difference within a subject")
    adjusted = units.own is not None or units.nuisance.shape[1] > 1
    if adjusted or units.random_plate is not None:
        what = "an adjustment for baseline=, covariates=, strata= or plate="
        refuse_arbitrary_values(units, options, what)
    if options.outcome == "change":
        refuse_arbitrary_values(units, options, "a change from the baseline")
    if options.adjust in ("maxt", "minp") and units.n_censored.any():
        raise SpecError(
            f'adjust="{options.adjust}" with censoring="ros" is not offered: values filled in '
            "within each arm are not exchangeable between the arms."
        )


def refuse_arbitrary_values(units: PanelUnits, options: PanelOptions, what: str) -> None:
    """Raise SpecError where `what` would use whose value is which below a limit."""
    n = int(np.sum(units.n_censored))
    if options.censoring == "ros" and n:
        raise SpecError(
            f'censoring="ros" fills in {n} value(s) by their order, and does not say which subject '
            f"has which: {what} would be arbitrary. It is for the comparison of two arms without "
            'adjustment; choose censoring="tobit", "half", "half-sqrt2" or "drop".'
        )
