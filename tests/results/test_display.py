"""Degrees of freedom read the same on every machine."""

from __future__ import annotations

import pytest

from trialkit.results.display import format_column


@pytest.mark.parametrize("name", ["df", "num_df", "den_df"])
def test_computed_df_that_come_out_whole_are_whole(name: str) -> None:
    assert format_column(name, [96.00000000000054, 94.9999999999994]) == ["96", "95"]
    assert format_column(name, [96.00000000000054, 90.29010172912126]) == ["96.00", "90.29"]
    assert format_column(name, [96.0001]) == ["96.00"]


def test_other_columns_show_what_little_there_is() -> None:
    assert format_column("estimate", [1e-12]) == ["0.000000000001000"]
    assert format_column("estimate", [96.00000000000054]) == ["96.00"]
    assert format_column("estimate", [96.0]) == ["96"]
