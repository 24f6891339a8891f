"""Squares of treatment orders for crossover trials, as row numbers 0..k-1.

A *square* is a tuple of rows; a row is one sequence, its entries the treatments of periods
1..k. In a Latin square each treatment stands once in every row and every column. A *Williams*
design is also balanced for first-order carryover: each treatment follows each other treatment
equally often. One square does it for an even number of treatments, a pair for an odd one.

Reference: Williams (1949), Australian Journal of Scientific Research A 2:149-168.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["Square", "cyclic_square", "successions", "williams_square"]

Square = tuple[tuple[int, ...], ...]


def cyclic_square(k: int) -> Square:
    """The Latin square (k rows) whose row i is 0..k-1 rotated by i: ABC, BCA, CAB."""
    return tuple(tuple((row + column) % k for column in range(k)) for row in range(k))


def williams_square(k: int) -> Square:
    """The Williams design for k treatments: k rows when k is even, 2k when it is odd.

    The first row runs 0, 1, k-1, 2, k-2, ...: its k-1 steps are all different modulo k, so
    that its rotations contain every ordered pair once. For odd k the steps come in equal
    pairs instead, and the mirror images supply the pairs that the rotations lack.
    """
    first = [0]
    for step in range(1, k // 2 + 1):
        first += [step, k - step] if step != k - step else [step]
    rotations = tuple(tuple((entry + shift) % k for entry in first) for shift in range(k))
    if k % 2 == 0:
        return rotations
    return (*rotations, *(row[::-1] for row in rotations))


def successions(square: Sequence[Sequence[int]]) -> Counter[tuple[int, int]]:
    """How often each ordered pair (treatment, the one given in the next period) occurs."""
    return Counter((before, after) for row in square for before, after in pairwise(row))
