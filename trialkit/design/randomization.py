"""Randomisation lists by permuted blocks, for parallel and for crossover trials.

A *block* is a run of assignments in which every arm stands in exactly its share; its order is
drawn uniformly from all orders. A *stratum* is one combination of levels of the stratum
columns, with a list of its own. A *sequence* is the order of treatments of one subject.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import gcd
from string import ascii_uppercase
from typing import Literal, TypeGuard

import numpy as np

from trialkit.design.randomization_list import RandomizationList
from trialkit.errors import SpecError
from trialkit.kernels.permuted_blocks import RawStream, block_sizes, fillable, streams
from trialkit.kernels.williams import Square, cyclic_square, williams_square

__all__ = ["randomize", "randomize_crossover"]

CrossoverDesign = Literal["williams", "latin-square", "ab-ba"]
Stratum = tuple[str, ...]

# A seed drawn from a generator: long enough that two lists never share one by chance, short
# enough to be copied by hand.
DRAWN_SEED_BITS = 63
# Column names of the list itself, which no stratum may take.
OWN_COLUMNS = ("randomization_number", "block", "block_size", "arm", "sequence", "n", "expected")


def randomize(
    arms: Mapping[str, int] | Sequence[str],
    *,
    n: int | Mapping[Stratum, int],
    blocks: int | Sequence[int],
    strata: Mapping[str, Sequence[str]] | None = None,
    rng: np.random.Generator | int | None = None,
    ids: Sequence[str] | None = None,
) -> RandomizationList:
    """Random assignment of `n` subjects to arms by permuted blocks, within strata.

    `arms` are labels for equal allocation, or a mapping of label to its share in the ratio
    (`{"LDN": 2, "Placebo": 1}`). `blocks` is one block size or several; each size is a
    multiple of the ratio's sum, and of several one is drawn for each block with equal
    probability (near the end, only those that let the list end on a whole block). `strata`
    maps each column to its levels; every combination gets a list of its own, independent of
    the others. `n` counts the assignments of the whole list, with `strata` those of each
    stratum (or a mapping of levels to the number, such as `{("Oslo", "F"): 24, ...}`); it must
    be a sum of whole blocks, since a list cut within a block is not balanced. `ids` are the
    randomisation numbers, "R001", "R002", ... when left out.

    Chance enters through `rng` alone: an integer seed, or a generator from which a seed is
    drawn. The seed stands in the result and makes the same list again; the stream used is one
    that numpy keeps unchanged between releases.

    Raises SpecError without `rng`, and for arms, blocks, strata or counts that do not fit.

    Example
    -------
    >>> from trialkit.design.randomization import randomize
    >>> allocation = randomize({"LDN": 2, "Placebo": 1}, n=12, blocks=(3, 6), rng=2024)
    >>> allocation.balance()["n"].tolist()
    [8, 4]
    """
    return _allocate(
        assigned="arm",
        ratio=_ratio(arms),
        n=n,
        blocks=blocks,
        strata=strata,
        rng=rng,
        ids=ids,
        what="permuted blocks",
    )


def randomize_crossover(
    treatments: Sequence[str],
    *,
    n: int | Mapping[Stratum, int],
    design: CrossoverDesign = "williams",
    blocks: int | Sequence[int] | None = None,
    strata: Mapping[str, Sequence[str]] | None = None,
    rng: np.random.Generator | int | None = None,
    ids: Sequence[str] | None = None,
) -> RandomizationList:
    """Random assignment of `n` subjects to the treatment sequences of a crossover design.

    Sequences are written in letters, A for the first of `treatments`, B for the second, ...
    `design`: "williams", in which each treatment follows each other one equally often (k
    sequences for an even number k of treatments, 2k for an odd one); "latin-square", the k
    rotations ABC, BCA, CAB, balanced over periods and not for carryover; "ab-ba", the two
    sequences of two treatments. Subjects are allocated to sequences equally, by permuted
    blocks; `blocks` is the number of sequences when left out, and otherwise, like `n`,
    `strata`, `rng` and `ids`, as in `randomize`.

    Raises SpecError without `rng`, for fewer than two treatments, for a design that does not
    take as many, and for blocks or counts that do not fit.

    Reference: Williams (1949), Australian Journal of Scientific Research A 2:149-168.

    Example
    -------
    >>> from trialkit.design.randomization import randomize_crossover
    >>> allocation = randomize_crossover(["Placebo", "LDN 1.5", "LDN 4.5"], n=12, rng=7)
    >>> sorted(set(allocation.frame()["sequence"]))
    ['ABC', 'ACB', 'BAC', 'BCA', 'CAB', 'CBA']
    """
    labels = _labels("treatments", treatments)
    square = _square(design, len(labels))
    sequences = ["".join(ascii_uppercase[entry] for entry in row) for row in square]
    orders = tuple(
        (name, tuple(labels[entry] for entry in row))
        for name, row in zip(sequences, square, strict=True)
    )
    legend = ", ".join(f"{ascii_uppercase[i]} = {label}" for i, label in enumerate(labels))
    return _allocate(
        assigned="sequence",
        ratio=tuple((name, 1) for name in sequences),
        n=n,
        blocks=len(sequences) if blocks is None else blocks,
        strata=strata,
        rng=rng,
        ids=ids,
        what=f"{design} crossover ({legend}), permuted blocks",
        orders=orders,
    )


def _allocate(
    *,
    assigned: str,
    ratio: tuple[tuple[str, int], ...],
    n: int | Mapping[Stratum, int],
    blocks: int | Sequence[int],
    strata: Mapping[str, Sequence[str]] | None,
    rng: np.random.Generator | int | None,
    ids: Sequence[str] | None,
    what: str,
    orders: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> RandomizationList:
    sizes = _block_sizes(blocks, ratio)
    levels = _strata(strata or {})
    counts = _counts(n, levels, sizes)
    numbers = _numbers(ids, sum(counts.values()))
    seed = _seed(rng)
    rows: list[tuple[object, ...]] = []
    for (stratum, count), stream in zip(counts.items(), streams(seed, len(counts)), strict=True):
        rows += [(*stratum, *row) for row in _stratum_rows(count, sizes, ratio, stream)]
    periods = [f"period_{period}" for period in range(1, len(orders[0][1]) + 1)] if orders else []
    by_label = dict(orders)
    names = [*levels, "block", "block_size", assigned, *periods]
    full = [(*row, *by_label.get(str(row[-1]), ())) for row in rows]
    columns: dict[str, tuple[object, ...]] = {"randomization_number": numbers}
    columns |= {name: tuple(row[place] for row in full) for place, name in enumerate(names)}
    return RandomizationList(
        columns=columns,
        assigned=assigned,
        ratio=ratio,
        strata=tuple(levels),
        seed=seed,
        method=_method(what, sizes, ratio, levels, seed),
        orders=orders,
    )


def _stratum_rows(
    count: int, sizes: Sequence[int], ratio: Sequence[tuple[str, int]], stream: RawStream
) -> Iterator[tuple[int, int, str]]:
    """Block number, block size and label of each assignment of one stratum."""
    total = sum(share for _, share in ratio)
    for block, size in enumerate(block_sizes(count, sizes, stream), start=1):
        content = [label for label, share in ratio for _ in range(share * size // total)]
        for label in stream.shuffled(content):
            yield block, size, label


def _ratio(arms: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(arms, Mapping):
        return tuple((label, 1) for label in _labels("arms", arms))
    labels = _labels("arms", list(arms))
    for label in labels:
        if not _is_count(arms[label]) or arms[label] < 1:
            raise SpecError(
                f"The share of {label!r} is a whole number of at least 1, not {arms[label]!r}."
            )
    # 2:2 is 1:1, which smaller blocks can hold.
    common = gcd(*(int(arms[label]) for label in labels))
    return tuple((label, int(arms[label]) // common) for label in labels)


def _labels(role: str, labels: object) -> tuple[str, ...]:
    if isinstance(labels, str) or not isinstance(labels, Sequence):
        raise SpecError(f"{role} is a sequence of labels, not {labels!r}.")
    for label in labels:
        if not isinstance(label, str) or not label.strip():
            raise SpecError(f"{role}: {label!r} is not a label; a label is text.")
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise SpecError(f"{role} needs at least two labels, each given once; got {list(labels)}.")
    return tuple(labels)


def _square(design: str, k: int) -> Square:
    if design not in ("williams", "latin-square", "ab-ba"):
        raise SpecError(
            f"design={design!r} is not offered; allowed: williams, latin-square, ab-ba."
        )
    if design == "ab-ba" and k != 2:
        raise SpecError(f"ab-ba is for two treatments; got {k}: use williams or latin-square.")
    if k > len(ascii_uppercase):
        raise SpecError(f"{k} treatments; at most {len(ascii_uppercase)} have a letter each.")
    return cyclic_square(k) if design == "latin-square" else williams_square(k)


def _block_sizes(blocks: object, ratio: Sequence[tuple[str, int]]) -> tuple[int, ...]:
    total = sum(share for _, share in ratio)
    sizes: list[int] = []
    for size in blocks if isinstance(blocks, Sequence) else [blocks]:
        if not _is_count(size) or size < 1 or size % total:
            raise SpecError(
                f"Block size {size!r} is not a multiple of {total}, the sum of the ratio "
                f"{_ratio_text(ratio)}."
            )
        sizes.append(int(size))
    if not sizes or len(set(sizes)) < len(sizes):
        raise SpecError(f"blocks needs at least one size, each given once; got {sizes}.")
    return tuple(sizes)


def _strata(strata: object) -> dict[str, tuple[str, ...]]:
    if not isinstance(strata, Mapping):
        raise SpecError(f"strata maps each column to its levels, not {strata!r}.")
    levels: dict[str, tuple[str, ...]] = {}
    for column, values in strata.items():
        if not isinstance(column, str) or not column.strip():
            raise SpecError(f"strata: {column!r} is not the name of a column.")
        if column in OWN_COLUMNS or column.startswith("period_"):
            raise SpecError(f"strata: {column!r} is a column of the list itself; rename it.")
        if isinstance(values, str) or not isinstance(values, Sequence) or not values:
            raise SpecError(f"strata: the levels of {column!r} are a sequence, not {values!r}.")
        if len(set(values)) < len(values):
            raise SpecError(f"strata: {column!r} has a level more than once: {list(values)}.")
        if "all" in values:
            raise SpecError(f"strata: 'all' is not a level of {column!r}; it means the total.")
        levels[column] = tuple(values)
    return levels


def _counts(
    n: object, levels: Mapping[str, tuple[str, ...]], sizes: Sequence[int]
) -> dict[Stratum, int]:
    combinations = list(product(*levels.values()))
    if isinstance(n, Mapping):
        given = {key if isinstance(key, tuple) else (key,): value for key, value in n.items()}
        if not levels or set(given) != set(combinations):
            raise SpecError(
                f"n as a mapping gives one number for each of the {len(combinations)} strata; "
                f"missing: {sorted(set(combinations) - set(given))}, "
                f"unknown: {sorted(set(given) - set(combinations), key=str)}."
            )
        counts = {stratum: given[stratum] for stratum in combinations}
    else:
        counts = dict.fromkeys(combinations, n)
    for stratum, count in counts.items():
        _check_count(count, sizes, where=f" in stratum {' / '.join(stratum)}" if stratum else "")
    return {stratum: int(count) for stratum, count in counts.items()}


def _check_count(count: object, sizes: Sequence[int], *, where: str) -> None:
    if not _is_count(count) or count < 1:
        raise SpecError(f"n={count!r}{where} is not a whole number of at least 1.")
    number = int(count)
    reachable = fillable(number + max(sizes), sizes)
    if not reachable[number]:
        below = [total for total in range(1, number) if reachable[total]][-1:]
        above = [total for total in range(number, len(reachable)) if reachable[total]][:1]
        nearest = " and ".join(map(str, below + above))
        raise SpecError(
            f"n={number}{where} cannot be made of whole blocks of {', '.join(map(str, sizes))}; "
            f"nearest: {nearest}."
        )


def _numbers(ids: Sequence[str] | None, total: int) -> tuple[str, ...]:
    if ids is None:
        width = max(3, len(str(total)))
        return tuple(f"R{number:0{width}d}" for number in range(1, total + 1))
    if isinstance(ids, str) or len(ids) != total or len(set(ids)) != total:
        raise SpecError(f"ids needs {total} different randomisation numbers, one an assignment.")
    return tuple(ids)


def _seed(rng: object) -> int:
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**DRAWN_SEED_BITS, dtype=np.int64))
    if rng is None:
        raise SpecError("A randomisation list needs rng=: an integer seed or a numpy Generator.")
    if not isinstance(rng, int | np.integer) or isinstance(rng, bool) or rng < 0:
        raise SpecError(f"rng={rng!r} is not an integer seed of at least 0, nor a Generator.")
    return int(rng)


def _method(
    what: str,
    sizes: Sequence[int],
    ratio: Sequence[tuple[str, int]],
    levels: Mapping[str, tuple[str, ...]],
    seed: int,
) -> str:
    size = f"of {sizes[0]}" if len(sizes) == 1 else f"of random size {', '.join(map(str, sizes))}"
    within = " by ".join(f"{name} ({len(values)})" for name, values in levels.items())
    stratified = f"; stratified by {within}" if within else "; not stratified"
    return f"{what} {size}; ratio {_ratio_text(ratio)}{stratified}; PCG64, seed {seed}"


def _ratio_text(ratio: Sequence[tuple[str, int]]) -> str:
    return " : ".join(f"{label} {share}" for label, share in ratio)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
