"""Treatment given against treatment due, from the sequence of a crossover subject.

What a sequence asks for in each period is read from its label where the label spells it
("LDN-Placebo", "RTRT"). A label of symbols ("AB" for Placebo and LDN) is read once each symbol
is known to stand for one treatment: the assignment of symbols to treatments that most rows
agree with. Other labels ("1", "Group X") say nothing; what most subjects of the sequence
got in the period is then taken as due.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trialkit.data.coded_rows import CodedRows
from trialkit.data.coding import Coded, normal_form
from trialkit.data.findings import Finding
from trialkit.typing import BoolArray, IntArray

__all__ = ["treatment_against_sequence"]

RULE = "treatment-against-sequence"
_SIGN = r"\s*(?:->|[-/,;>|_+\u2192]|\bthen\b)\s*"
# Between treatment labels, a sign or a blank; between words that may themselves have blanks in
# them ("LDN 4.5-Placebo"), a sign if there is any.
_SIGNS = re.compile(_SIGN)
_SIGNS_OR_BLANKS = re.compile(rf"{_SIGN}|\s+")


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """The treatment code due in each (sequence, period), -1 where none can be said; and why."""

    treatment: IntArray
    reason: str


def treatment_against_sequence(
    rows: CodedRows, sequence: Coded, treatment: Coded
) -> Iterator[Finding]:
    """Rows whose treatment is not the one that the subject's sequence has in that period."""
    if rows.position is None or rows.subject is None or rows.visit is None:
        return
    known = ~(sequence.is_missing | treatment.is_missing | np.isnan(rows.position))
    if not known.any():
        return
    places, rank = np.unique(rows.position[known], return_inverse=True)
    given = np.zeros((len(sequence.labels), places.size, len(treatment.labels)), dtype=np.int64)
    np.add.at(given, (sequence.codes[known], rank, treatment.codes[known]), 1)
    due = _spelled(sequence, treatment, given) or _coded(sequence, treatment, given)
    if due is None:
        due = _majority(given)
        yield from _without_majority(rows, sequence, treatment, given)
        yield from _same_order(sequence, treatment, due)
    expected = np.full(known.size, -1, dtype=np.int64)
    expected[known] = due.treatment[sequence.codes[known], rank]
    is_wrong: BoolArray = (expected >= 0) & (expected != treatment.codes)
    for place in rows.places(is_wrong):
        row = place.first_row
        yield Finding(
            rule=RULE,
            column=treatment.column,
            subject=place.subject,
            visit=place.visit,
            count=place.count,
            message=(
                f"Subject {place.subject} of sequence {sequence.label(int(sequence.codes[row]))!r} "
                f"got {treatment.label(int(treatment.codes[row]))!r} in period {place.visit}; due "
                f"was {treatment.label(int(expected[row]))!r} ({due.reason})."
            ),
        )


def _spelled(sequence: Coded, treatment: Coded, given: IntArray) -> Due | None:
    """Every label is a chain of treatment labels, one a period."""
    n_periods = given.shape[1]
    names = {normal_form(label): code for code, label in enumerate(treatment.labels)}
    chains = [_chain(normal_form(label), names, n_periods) for label in sequence.labels]
    if any(chain is None for chain in chains):
        return None
    due = np.array([chain[:n_periods] for chain in chains if chain], dtype=np.int64)
    return Due(due, "as the sequence spells")


def _chain(text: str, names: Mapping[str, int], n_periods: int) -> list[int] | None:
    """The only way to read `text` as treatment labels in a row, at least one a period."""
    readings: list[list[int]] = []

    def read(rest: str, chain: list[int]) -> None:
        rest = rest[match.end() :] if (match := _SIGNS_OR_BLANKS.match(rest)) else rest
        if not rest:
            readings.append(chain)
            return
        for name, code in names.items():
            if len(readings) < 2 and rest.startswith(name):
                read(rest[len(name) :], [*chain, code])

    read(text, [])
    is_one = len(readings) == 1 and len(readings[0]) >= n_periods
    return readings[0] if is_one else None


def _coded(sequence: Coded, treatment: Coded, given: IntArray) -> Due | None:
    """Every label is a row of symbols, each standing for one treatment throughout."""
    from scipy.optimize import linear_sum_assignment

    words = [_symbols(normal_form(label), given.shape[1]) for label in sequence.labels]
    symbols = sorted({symbol for word in words for symbol in word})
    if not all(words) or len(symbols) != len(treatment.labels):
        return None
    number = {symbol: position for position, symbol in enumerate(symbols)}
    word_codes = np.array([[number[symbol] for symbol in word] for word in words])
    agreement = np.zeros((len(symbols), len(treatment.labels)), dtype=np.int64)
    for row, word in enumerate(word_codes):
        for period, symbol in enumerate(word):
            agreement[symbol] += given[row, period]
    _, stands_for = linear_sum_assignment(agreement, maximize=True)
    chosen = agreement[np.arange(len(symbols)), stands_for]
    if (2 * chosen <= agreement.sum(axis=1)).any():
        # No symbol can be said to stand for a treatment that less than half its rows got.
        return None
    totals = agreement.sum(axis=1)
    legend = ", ".join(
        f"{symbol.upper() if len(symbol) == 1 else symbol} is {treatment.labels[code]} "
        f"in {count} of {total} rows"
        for symbol, code, count, total in zip(
            symbols, stands_for.tolist(), chosen, totals, strict=True
        )
    )
    return Due(stands_for[word_codes].astype(np.int64), legend)


def _symbols(label: str, n_periods: int) -> Sequence[str]:
    """A normal form as one symbol a period, letters or separated words; empty if neither."""
    if len(label) == n_periods and label.isalnum():
        return tuple(label)
    splits = (separator.split(label) for separator in (_SIGNS, _SIGNS_OR_BLANKS))
    return next((words for words in splits if len(words) == n_periods > 1 and all(words)), ())


def _majority(given: IntArray) -> Due:
    best = given.argmax(axis=2)
    is_strict = 2 * given.max(axis=2) > given.sum(axis=2)
    reason = "what most of the sequence got; its label spells no treatments"
    return Due(np.where(is_strict, best, -1), reason)


def _without_majority(
    rows: CodedRows, sequence: Coded, treatment: Coded, given: IntArray
) -> Iterator[Finding]:
    """Periods of a sequence in which no treatment was given to more than half."""
    total = given.sum(axis=2)
    undecided = (total > 0) & (2 * given.max(axis=2) <= total)
    for place, period in np.argwhere(undecided).tolist():
        name = _period_name(rows, period)
        got = ", ".join(
            f"{label!r} ({given[place, period, code]} rows)"
            for code, label in enumerate(treatment.labels)
            if given[place, period, code]
        )
        yield Finding(
            rule=RULE,
            column=treatment.column,
            visit=name,
            count=int(total[place, period]),
            message=(
                f"Sequence {sequence.labels[place]!r} has no one treatment in period {name}: {got}."
            ),
        )


def _same_order(sequence: Coded, treatment: Coded, due: Due) -> Iterator[Finding]:
    """Two sequences whose subjects got the same treatments in the same order."""
    seen: dict[tuple[int, ...], int] = {}
    for code, order in enumerate(due.treatment.tolist()):
        key = tuple(order)
        if -1 in key:
            continue
        if key in seen:
            names = " then ".join(str(treatment.labels[step]) for step in key)
            yield Finding(
                rule=RULE,
                column=sequence.column,
                count=int((sequence.codes == code).sum()),
                message=(
                    f"Sequences {sequence.labels[seen[key]]!r} and {sequence.labels[code]!r} got "
                    f"the same treatments in the same order: {names}."
                ),
            )
        seen.setdefault(key, code)


def _period_name(rows: CodedRows, rank: int) -> object:
    """The label of the period that stands at `rank` among those that occur."""
    if rows.visit is None or rows.position is None:
        return None
    places, first = np.unique(rows.position, return_index=True)
    return rows.visit.label(int(rows.visit.codes[first[~np.isnan(places)][rank]]))
