"""The words of a reproduction, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING

from trialkit.report.rounding import round_half_away

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BASES", "COUNTED", "range_of", "records_of", "tally", "verdict_of"]

BASES = {
    "summary": "recomputed from other published figures of the study",
    "synthetic": "estimated by the real analysis from a trial simulated to carry the published "
    "moments",
    "derived": "ours; nothing is printed to compare it with",
    "calibrated": "the figure was used to make the simulated trial: it agrees by construction, "
    "is no evidence and is not counted",
    "not reproducible": "what would be needed is not printed; the note says what",
}
# The bases whose agreement is evidence.
COUNTED = ("summary", "synthetic")


def records_of(frame: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of a reproduction's frame, by column name."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def verdict_of(record: Mapping[str, object]) -> str:
    """A row's verdict in words; empty where there is nothing to compare.

    In brackets where agreement is no evidence.
    """
    agrees, counted = record["agrees"], record["basis"] in COUNTED
    if agrees is None:
        return ""
    if agrees is True:
        return "agrees" if counted else "(agrees)"
    return "DISAGREES" if agrees is False else str(agrees)


def range_of(record: Mapping[str, object]) -> str:
    """The range that the inputs' rounding allows, where ours does not print as published.

    One decimal more than were printed: enough to see that the printed figure lies inside.
    """
    low, high = float(str(record["reproduced_low"])), float(str(record["reproduced_high"]))
    published, ours = str(record["published"]), str(record["reproduced_printed"])
    if not (isfinite(low) and isfinite(high)) or low == high or published == ours:
        return ""
    decimals = len((published or ours).partition(".")[2]) + (1 if published else 0)
    return f"{round_half_away(low, decimals)} to {round_half_away(high, decimals)}"


def tally(counts: Mapping[str, int]) -> str:
    """One line: how many of the counted figures agree, and what was not counted."""
    agree, disagree, vague = (counts[name] for name in ("agrees", "disagrees", "uninformative"))
    parts = [f"{agree} of {agree + disagree + vague} agree"]
    if disagree:
        parts.append(f"{disagree} DISAGREE")
    if vague:
        parts.append(f"{vague} uninformative")
    for basis in ("derived", "calibrated", "not reproducible"):
        if counts.get(basis):
            aside = " (not counted)" if basis == "calibrated" else ""
            parts.append(f"{counts[basis]} {basis}{aside}")
    return "; ".join(parts) + "."
