"""Estimates and the tables they come in: the words every layer above speaks."""

from trialkit.results.estimate import Estimate, check_alternative, check_level, check_null
from trialkit.results.tables import EstimateTable, TestTable

__all__ = [
    "Estimate",
    "EstimateTable",
    "TestTable",
    "check_alternative",
    "check_level",
    "check_null",
]
