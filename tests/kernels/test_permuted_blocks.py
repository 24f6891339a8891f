"""The stream behind randomisation lists: uniform, reproducible, and whole blocks only."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest

from trialkit.errors import SpecError
from trialkit.kernels.permuted_blocks import RawStream, block_sizes, fillable, streams


def test_every_order_of_three_is_equally_likely() -> None:
    stream = RawStream(np.random.SeedSequence(20260301))
    n = 12_000
    counts = Counter("".join(stream.shuffled("abc")) for _ in range(n))
    expected = n / 6
    chi2 = sum((counts["".join(order)] - expected) ** 2 / expected for order in permutations("abc"))
    # The 0.9999 quantile of chi-square on 5 df: a fixed seed passes or a biased shuffle fails.
    assert chi2 < 25.74


def test_below_covers_its_range_and_nothing_else() -> None:
    stream = RawStream(np.random.SeedSequence(1))
    assert {stream.below(5) for _ in range(200)} == {0, 1, 2, 3, 4}
    assert {stream.below(1) for _ in range(5)} == {0}


def test_a_word_past_the_last_whole_multiple_is_drawn_again() -> None:
    words = iter([2**64 - 1, 7])

    class Bits:
        def random_raw(self) -> int:
            return next(words)

    stream = RawStream(np.random.SeedSequence(1))
    stream._bits = Bits()  # type: ignore[assignment]
    # 2**64 is 1 modulo 5: its last word would make 0 likelier than the others.
    assert stream.below(5) == 2


def test_strata_have_streams_of_their_own_that_further_strata_leave_alone() -> None:
    def words(count: int) -> list[list[int]]:
        return [[stream.below(10**6) for _ in range(4)] for stream in streams(5, count)]

    assert words(3)[:2] == words(2)
    assert len({tuple(row) for row in words(50)}) == 50


def test_fillable_is_what_whole_blocks_reach() -> None:
    assert [n for n, ok in enumerate(fillable(14, (4, 6))) if ok] == [0, 4, 6, 8, 10, 12, 14]


@pytest.mark.parametrize("length", [4, 10, 100, 1000])
def test_blocks_add_up_to_the_length(length: int) -> None:
    sizes = block_sizes(length, (4, 6), RawStream(np.random.SeedSequence(length)))
    assert sum(sizes) == length
    assert set(sizes) <= {4, 6}


def test_sizes_are_drawn_evenly() -> None:
    sizes = block_sizes(50_000, (4, 6), RawStream(np.random.SeedSequence(3)))
    share = sizes.count(4) / len(sizes)
    # Four standard errors of a proportion of one half among about ten thousand blocks.
    assert abs(share - 0.5) < 4 * 0.5 / len(sizes) ** 0.5


def test_a_length_that_blocks_cannot_fill_is_refused() -> None:
    with pytest.raises(SpecError, match="9 cannot be made of whole blocks of 4, 6"):
        block_sizes(9, (4, 6), RawStream(np.random.SeedSequence(1)))
