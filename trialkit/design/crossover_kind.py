"""Which crossover design the data show, and whether it is balanced for first-order carryover.

The design is read from what most subjects of each sequence got in each period. It is *balanced*
when every treatment is followed by every other equally often over the sequences, and *strongly*
so when also by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trialkit.data.coded_rows import CodedRows
from trialkit.data.coding import Coded, normal_form
from trialkit.typing import IntArray

__all__ = ["CrossoverKind", "crossover_kind", "describe_crossover"]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossoverKind:
    """The design seen: `order` (sequences, periods) of treatment codes, -1 where not known.

    `letters` (t) stand for the treatments in the name; `followed` (t, t) counts the sequences'
    steps from one treatment (row) to the next.
    """

    name: str
    letters: tuple[str, ...]
    order: IntArray
    followed: IntArray
    subjects: IntArray
    is_balanced: bool

    @property
    def n_treatments(self) -> int:
        """Number of treatments t."""
        return int(self.followed.shape[0])


def crossover_kind(
    rows: CodedRows, sequence: Coded, treatment: Coded, reference: object
) -> CrossoverKind | None:
    """The design of these rows; None where periods, sequences or treatments are not known.

    In its name A is the reference, the other letters follow the treatments' labels.
    """
    if rows.position is None or rows.subject is None:
        return None
    known = ~(sequence.is_missing | treatment.is_missing | np.isnan(rows.position))
    if not known.any():
        return None
    places, rank = np.unique(rows.position[known], return_inverse=True)
    given = np.zeros((len(sequence.labels), places.size, len(treatment.labels)), dtype=np.int64)
    np.add.at(given, (sequence.codes[known], rank, treatment.codes[known]), 1)
    order = np.where(2 * given.max(axis=2) > given.sum(axis=2), given.argmax(axis=2), -1)
    followed = _followed(order, len(treatment.labels))
    pairs = np.unique(np.stack([sequence.codes[known], rows.subject.codes[known]], axis=1), axis=0)
    letters = _letters(treatment, reference)
    return CrossoverKind(
        name=_name(order, letters),
        letters=letters,
        order=order,
        followed=followed,
        subjects=np.bincount(pairs[:, 0], minlength=len(sequence.labels)),
        is_balanced=_is_balanced(followed),
    )


def describe_crossover(kind: CrossoverKind, sequence: Coded, treatment: Coded) -> Iterator[str]:
    """Sentences on the design: its name, its sequences with their subjects, its balance."""
    n_sequences, n_periods = kind.order.shape
    sizes = ", ".join(
        f"{label} {count}"
        for label, count in zip(sequence.labels, kind.subjects.tolist(), strict=True)
    )
    unequal = "" if np.ptp(kind.subjects) <= 1 else " (unequal)"
    yield (
        f"Design seen: {kind.name}; {_number(kind.n_treatments, 'treatment')}, "
        f"{_number(n_periods, 'period')}, {_number(n_sequences, 'sequence')}, "
        f"subjects {sizes}{unequal}.{_key(kind, treatment)}"
    )
    if kind.n_treatments > 1 and n_periods > 1:
        yield _balance(kind, treatment)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _letters(treatment: Coded, reference: object) -> tuple[str, ...]:
    """The letter of each treatment: A is the reference, the others follow their labels."""
    labels = treatment.labels
    # The design's reference is one of the labels as they read, whatever its case and blanks.
    first = normal_form(reference)
    places = sorted(
        range(len(labels)),
        key=lambda code: (normal_form(labels[code]) != first, normal_form(labels[code])),
    )
    return tuple(ALPHABET[places.index(code) % len(ALPHABET)] for code in range(len(labels)))


def _key(kind: CrossoverKind, treatment: Coded) -> str:
    """What the letters of the design's name stand for, where it has some of its own."""
    pairs = sorted(zip(kind.letters, map(str, treatment.labels), strict=True))
    if "(" not in kind.name or all(letter == label for letter, label in pairs):
        return ""
    return f" {', '.join(f'{letter} is {label}' for letter, label in pairs)}."


def _balance(kind: CrossoverKind, treatment: Coded) -> str:
    if kind.is_balanced:
        own = np.diagonal(kind.followed)
        off = kind.followed[~np.eye(kind.n_treatments, dtype=bool)]
        strongly = " strongly" if own.size and (own == off[0]).all() else ""
        text = f"It is{strongly} balanced for first-order carryover"
        if kind.name == "AB/BA":
            return f"{text}, which is the sequence effect under another name."
        return f"{text}."
    steps = [
        (int(kind.followed[a, b]), f"{treatment.labels[a]} to {treatment.labels[b]}")
        for a in range(kind.n_treatments)
        for b in range(kind.n_treatments)
        if a != b
    ]
    rarest, most = min(steps), max(steps)
    return (
        "It is not balanced for first-order carryover: the step from "
        f"{rarest[1]} occurs {rarest[0]} time(s), that from {most[1]} {most[0]}."
    )


def _followed(order: IntArray, n_treatments: int) -> IntArray:
    followed = np.zeros((n_treatments, n_treatments), dtype=np.int64)
    before, after = order[:, :-1].ravel(), order[:, 1:].ravel()
    known = (before >= 0) & (after >= 0)
    np.add.at(followed, (before[known], after[known]), 1)
    return followed


def _is_balanced(followed: IntArray) -> bool:
    off = followed[~np.eye(followed.shape[0], dtype=bool)]
    return bool(off.size and off.min() > 0 and np.ptp(off) == 0)


def _name(order: IntArray, letters: tuple[str, ...]) -> str:
    """The design by name; what it lacks otherwise."""
    n_treatments = len(letters)
    n_sequences, n_periods = order.shape
    if n_periods == 1:
        return "no crossover, one period only"
    if (order < 0).any():
        return "crossover with periods in which no treatment prevails"
    words = sorted("".join(letters[code] for code in row) for row in order.tolist())
    if n_sequences == 1:
        return "one fixed order"
    if n_treatments == 2 and set(words) == {"AB", "BA"}:
        return "AB/BA"
    if n_treatments == 2 and set(words) == {"AA", "AB", "BA", "BB"}:
        return "Balaam (AA/AB/BA/BB)"
    once = all(len(set(row)) == n_periods for row in order.tolist())
    if once and n_periods == n_treatments:
        return _square(order, n_treatments)
    if once and n_periods < n_treatments:
        return "incomplete blocks"
    if n_treatments == 2:
        # Full: the variance within subjects can be had of both treatments, as from ABB/BAA too.
        repeated = [bool(((order == code).sum(axis=1) >= 2).any()) for code in range(2)]
        if any(repeated):
            return f"{'full' if all(repeated) else 'partial'} replicate ({'/'.join(words)})"
    return f"crossover ({'/'.join(words)})"


def _square(order: IntArray, n_treatments: int) -> str:
    size = f"{n_treatments}x{n_treatments}"
    columns = np.stack([(order == code).sum(axis=0) for code in range(n_treatments)])
    is_uniform = np.ptp(columns) == 0
    if is_uniform and _is_balanced(_followed(order, n_treatments)):
        return f"Williams {size}"
    return f"Latin square {size}" if is_uniform else f"complete blocks {size}"
