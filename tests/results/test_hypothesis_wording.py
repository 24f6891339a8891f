from __future__ import annotations

from trialkit.results.estimate import with_hypothesis


def test_only_an_unusual_hypothesis_is_named() -> None:
    assert with_hypothesis("t test", "two-sided", 0) == "t test"
    assert with_hypothesis("t test", "less", -0.5) == "t test, one-sided (less), null=-0.5"
