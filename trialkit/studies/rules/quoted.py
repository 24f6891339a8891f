"""Standard deviations quoted from another study, against what that study printed.

A row quotes study S where its outcome names S's author and year ("pain reduction of Younger
2013, as re-quoted"), or where it is a row of S itself. S's own figures are those under audit,
then those bundled with trialkit. Compared is the arm of the same first word ("ldn", "placebo")
and an outcome that is the same or shares a word with the quoting one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import sqrt

from trialkit.studies.figure import Figure
from trialkit.studies.formulas.intervals import quantile
from trialkit.studies.rules.bundled import bundled_record
from trialkit.studies.rules.record import Cell, Check, Record
from trialkit.studies.rules.spread import half_width_of

__all__ = ["quoted_sds"]

_STUDY = re.compile(r"^([a-z]+)(\d{4})")
_WORD = re.compile(r"[a-z]{3,}")
# Words of many outcomes that tie no two of them together.
_COMMON = frozenset({"and", "the", "from", "baseline", "score", "change", "mean", "quoted", "vas"})


def quoted_sds(record: Record) -> Iterator[Check]:
    """Rule `quoted-sd`: a quoted SD is the one printed, or follows from the printed interval."""
    bundled = bundled_record()
    for cell in record.cells:
        sd = cell.first(("sd",))
        if sd is None:
            continue
        sources = [
            (name, record if name in record.by_study else bundled)
            for name in {**bundled.by_study, **record.by_study}
            if name != cell.study and _is_named(name, cell.outcome)
        ]
        if cell.study in bundled.by_study:
            sources.append((cell.study, bundled))
        for name, source in sources:
            for original in source.by_study[name]:
                if original is not cell and _is_same_quantity(cell, original, name):
                    yield from _compare(cell, sd, original, source)


def _is_named(study: str, outcome: str) -> bool:
    match = _STUDY.match(study)
    if match is None:
        return False
    author, year = match.groups()
    return bool(re.search(rf"\b{author}\b\D*\b{year}\b", outcome, re.IGNORECASE))


def _is_same_quantity(cell: Cell, original: Cell, study: str) -> bool:
    if _first_word(cell.arm) != _first_word(original.arm):
        return False
    if cell.study == study:
        return (cell.arm, cell.outcome, cell.timepoint) == (
            original.arm,
            original.outcome,
            original.timepoint,
        )
    return bool(_words(cell.outcome) & _words(original.outcome))


def _compare(cell: Cell, sd: Figure, original: Cell, source: Record) -> Iterator[Check]:
    """Every SD that the original allows; nothing where it prints no spread."""
    printed = original.first(("sd",))
    if printed is not None:
        fits = sd.interval is None or sd.interval.overlaps(*printed.bounds)
        detail = f"SD {sd.printed}; {original.study} prints {printed.printed}"
        yield cell.check("quoted-sd", None if fits else "inconsistent", detail)
        return
    numbers = [size.n for size in source.sizes(original) if size.n > 1]
    width = half_width_of(original, numbers[0]) if numbers else None
    if width is None or sd.interval is None:
        return
    n, (low, high, words) = numbers[0], width
    to_sd = sqrt(n) / quantile(n - 1)
    fits = sd.interval.overlaps(low * to_sd, high * to_sd)
    itself = ": the half-width was taken for an SD" if sd.interval.overlaps(low, high) else ""
    detail = (
        f"SD {sd.printed}; {original.study} prints {words} ({original.place}), which at n {n} "
        f"implies {low * to_sd:.1f} to {high * to_sd:.1f}{itself}"
    )
    yield cell.check("quoted-sd", None if fits else "inconsistent", detail)


def _first_word(arm: str) -> str:
    match = re.match(r"[a-z]+", arm.lower())
    return match.group() if match else ""


def _words(outcome: str) -> set[str]:
    return set(_WORD.findall(outcome.lower().replace("_", " "))) - _COMMON
