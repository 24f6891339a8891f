"""Counts and the shares printed for them."""

from __future__ import annotations

__all__ = [
    "attainable_percentage",
    "attainable_proportion",
    "count_from_percentage",
    "percentage",
    "percentage_of_part",
    "total_of_four",
]


def percentage(count: float, total: float) -> float:
    """`count` as a percentage of `total`."""
    return 100 * count / total


def count_from_percentage(percent: float, total: float) -> float:
    """Whole number of persons nearest to this percentage of `total`."""
    return float(round(percent * total / 100))


def attainable_percentage(percent: float, total: float) -> float:
    """Percentage of the whole number of persons out of `total` nearest to a printed one.

    Prints as the printed one only if some number of persons does: a percentage that no count
    gives is found out.
    """
    return percentage(count_from_percentage(percent, total), total)


def attainable_proportion(proportion: float, total: float) -> float:
    """As `attainable_percentage`, for a share between 0 and 1."""
    return attainable_percentage(100 * proportion, total) / 100


def percentage_of_part(count: float, percent: float, total: float) -> float:
    """`count` as a percentage of the persons who are `percent` of `total`."""
    return percentage(count, count_from_percentage(percent, total))


def total_of_four(first: float, second: float, third: float, fourth: float) -> float:
    """Persons in any of four reasons that exclude each other."""
    return first + second + third + fourth
