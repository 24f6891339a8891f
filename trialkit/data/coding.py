"""A column as whole numbers: one code a label, so that rules compare integers and not text.

Text of blanks only counts as missing, as it does in SAS, where missing text is an empty one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from trialkit.errors import DataError
from trialkit.typing import BoolArray, FloatArray, IntArray

__all__ = ["MISSING", "Coded", "normal_form"]

MISSING = -1
# Dashes that editors put in place of a hyphen; Unicode's own folding keeps them apart.
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """`codes` (n,) index `labels`; -1 where the label is missing or blank."""

    column: str
    codes: IntArray
    labels: tuple[object, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, column: str) -> Coded:
        """Code one column, labels in order of first appearance."""
        try:
            codes, uniques = pd.factorize(frame[column])
        except TypeError as error:
            raise DataError(
                f"Column {column!r} holds values that are not labels: {error}."
            ) from None
        labels = tuple(uniques.tolist())
        renumber = np.full(len(labels) + 1, MISSING, dtype=np.int64)
        kept = [position for position, label in enumerate(labels) if not _is_blank(label)]
        renumber[kept] = np.arange(len(kept))
        # Code -1 reads the last entry, which stays "missing".
        return cls(column, renumber[codes], tuple(labels[position] for position in kept))

    @property
    def is_missing(self) -> BoolArray:
        """Rows (n,) without a label."""
        is_missing: BoolArray = self.codes == MISSING
        return is_missing

    def folded(self) -> Coded:
        """The same column with labels that read as one made one, under the first of them.

        Rules about levels use it, so that a stray blank is reported once, as what it is.
        """
        first: dict[str, int] = {}
        forms = [normal_form(label) for label in self.labels]
        for form in forms:
            first.setdefault(form, len(first))
        if len(first) == len(forms):
            return self
        merged = np.array([*(first[form] for form in forms), MISSING], dtype=np.int64)
        labels = tuple(self.labels[forms.index(form)] for form in first)
        return Coded(self.column, merged[self.codes], labels)

    def label(self, code: int) -> object:
        """The label of a code, None for a missing one."""
        return None if code == MISSING else self.labels[code]

    def numbers(self, values: Mapping[object, float]) -> FloatArray:
        """Per row (n,), the number that `values` gives the row's label; NaN without one."""
        lookup = np.array([*(values.get(label, np.nan) for label in self.labels), np.nan], float)
        return lookup[self.codes]


def normal_form(label: object) -> str:
    """What is left of a label without case, blanks at its ends, and look-alike characters.

    Two labels with one normal form read as the same and count as two. Whole numbers stored
    as 1, 1.0 and "1" have one form.
    """
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    text = str(label)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_DASHES)
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(text.split()).casefold()


def _is_blank(label: object) -> bool:
    return isinstance(label, str) and not label.strip()
