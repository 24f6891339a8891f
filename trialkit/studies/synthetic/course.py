"""Scores at visits that were not published: a path from baseline to the published visit."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from trialkit.kernels.grid_moments import nearest_level, normal_level
from trialkit.kernels.permuted_blocks import RawStream

__all__ = ["between"]


def between(
    first: Sequence[int],
    last: Sequence[int],
    *,
    share: Fraction,
    noise: Fraction,
    levels: Sequence[int],
    stream: RawStream,
) -> list[int]:
    """Scores after `share` of the change from `first` to `last`, with normal noise, on the levels.

    `noise` is its SD in grid units. An assumption, never an estimate of what happened.
    """
    scores = []
    for start, end in zip(first, last, strict=True):
        drawn = normal_level(stream, mean=start + share * (end - start), sd=noise)
        scores.append(nearest_level(levels, drawn))
    return scores
