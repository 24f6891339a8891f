"""One wording for an option that is not offered."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from trialkit.errors import SpecError

__all__ = ["check_choice", "check_flag"]


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise SpecError, listing what is `allowed`, unless `value` is among it."""
    options = list(allowed)
    if value not in options:
        raise SpecError(f"{name}={value!r} is not offered; allowed: {', '.join(options)}.")


def check_flag(name: str, value: object, *, or_none: bool = False) -> None:
    """Raise SpecError unless `value` is True or False (or None, where that is a choice)."""
    if not (isinstance(value, bool | np.bool_) or (or_none and value is None)):
        allowed = "True, False, None" if or_none else "True, False"
        raise SpecError(f"{name}={value!r} is not offered; allowed: {allowed}.")
