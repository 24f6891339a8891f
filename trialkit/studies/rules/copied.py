"""A mean with an SD that a bundled study prints as the same mean with its half-width or SE.

The slip of a review that copies "28.8 +- 9.3" without asking what follows the sign. It needs no
name of the study: the two texts are the evidence, so short ones are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from trialkit.studies.rules.bundled import bundled_record
from trialkit.studies.rules.record import Check, Record

__all__ = ["copied_half_widths"]

# Two printed digits meet by chance too often.
DIGITS_NEEDED = 3
SPREADS = {"ci95_halfwidth": "95% half-width", "se": "standard error"}


def copied_half_widths(record: Record) -> Iterator[Check]:
    """Rule `copied-spread`: no mean comes with another study's half-width as its SD."""
    known = {key: words for key, words in _printed_spreads()}
    for cell in record.cells:
        mean, sd = cell.first(("mean", "mean_change")), cell.first(("sd",))
        if mean is None or sd is None or _digits(mean.printed) < DIGITS_NEEDED:
            continue
        words = known.get((mean.printed, sd.printed))
        detail = f"mean {mean.printed} with SD {sd.printed}: {words}"
        yield cell.check("copied-spread", "suspicious" if words else None, detail)


def _printed_spreads() -> Iterator[tuple[tuple[str, str], str]]:
    for cell in bundled_record().cells:
        mean = cell.first(("mean", "mean_change"))
        for statistic, called in SPREADS.items():
            spread = cell.first((statistic,))
            if mean is not None and spread is not None:
                words = f"{cell.study} prints {spread.printed} as the {called} of that mean"
                yield (mean.printed, spread.printed), words


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)
