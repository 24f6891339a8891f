"""What can go wrong, one class a stage, all under `TrialkitError`.

A message says what is wrong, where (column, subject, visit, count) and what is allowed or
what to do next. Each class is also the built-in exception a caller who has never heard of
trialkit would catch.
"""

from __future__ import annotations

__all__ = [
    "ConvergenceError",
    "DataError",
    "DesignError",
    "MissingExtraError",
    "SpecError",
    "TrialkitError",
    "TrialkitWarning",
]


class TrialkitError(Exception):
    """Root of every error that trialkit raises on purpose."""


class DataError(TrialkitError, ValueError):
    """The data cannot be read, or cannot support what was asked of them."""


class DesignError(TrialkitError, ValueError):
    """Who got what, and when, contradicts the declared design or the method's needs."""


class SpecError(TrialkitError, ValueError):
    """An argument, formula or plan asks for something that is not offered or not defined."""


class ConvergenceError(TrialkitError, RuntimeError):
    """An iterative fit did not reach its optimum; no number is returned."""


class MissingExtraError(TrialkitError, ImportError):
    """An optional dependency is not installed; the message names the extra."""


class TrialkitWarning(UserWarning):
    """Root of the warnings: the number stands, and the reader should know something."""
