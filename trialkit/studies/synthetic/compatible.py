"""Totals of two groups that print both means and the difference between them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from trialkit.errors import DesignError
from trialkit.kernels.grid_moments import decimals_of
from trialkit.kernels.grim import grim_totals
from trialkit.kernels.score_grid import rounding_interval

__all__ = ["PrintedMean", "compatible_totals"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedMean:
    """A mean as printed, of `n` scores (or changes) in steps of `step`."""

    printed: str
    n: int
    step: Fraction

    def totals(self) -> list[int]:
        """Totals in units of the step that print the mean."""
        found = grim_totals(
            self.printed, decimals=decimals_of(self.printed), n=self.n, step=self.step
        )
        return [int(total) for total in found]

    def nearest_total(self) -> int:
        """The total whose mean lies nearest the printed one."""
        printed = Fraction(self.printed)
        return min(self.totals(), key=lambda total: abs(self.mean(total) - printed))

    def mean(self, total: int) -> Fraction:
        """The exact mean of a total."""
        return total * self.step / self.n


def compatible_totals(
    first: PrintedMean, second: PrintedMean, *, difference: str
) -> tuple[int, int]:
    """Totals whose means print as given and whose difference, first minus second, prints too.

    Of all such pairs, the one with the greatest product of the three distances from a rounding
    boundary (the analytic centre). Raises DesignError where there is none, with the differences
    that do occur.
    """
    pairs = list(product(first.totals(), second.totals()))
    # A boundary itself prints by the reader's convention and is not used.
    inside = []
    for a, b in pairs:
        room = (
            _slack(first.mean(a), first.printed),
            _slack(second.mean(b), second.printed),
            _slack(first.mean(a) - second.mean(b), difference),
        )
        if min(room) > 0:
            inside.append((room[0] * room[1] * room[2], a, b))
    if not inside:
        reached = sorted(float(first.mean(a) - second.mean(b)) for a, b in pairs)
        shown = f"{reached[0]:.4f} to {reached[-1]:.4f}" if reached else "none at all"
        raise DesignError(
            f"No totals in steps of {first.step} print the means {first.printed} (n {first.n}) "
            f"and {second.printed} (n {second.n}) with the difference {difference}: the "
            f"differences of totals that print both means are {shown}."
        )
    _, a, b = max(inside)
    return a, b


def _slack(value: Fraction, printed: str) -> Fraction:
    """Distance to the nearer rounding boundary, 1 in the middle, negative outside."""
    low, high = rounding_interval(printed, decimals_of(printed))
    return 1 - abs(value - (low + high) / 2) / ((high - low) / 2)
