"""One wording for an option that is not offered."""

from __future__ import annotations

from collections.abc import Iterable

from trialkit.errors import SpecError

__all__ = ["check_choice"]


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise SpecError, listing what is `allowed`, unless `value` is among it."""
    options = list(allowed)
    if value not in options:
        raise SpecError(f"{name}={value!r} is not offered; allowed: {', '.join(options)}.")
