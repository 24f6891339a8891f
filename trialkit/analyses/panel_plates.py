"""Assay plates as a random effect in the comparison of two arms."""

from __future__ import annotations

import numpy as np
import pandas as pd

from trialkit.errors import DataError, DesignError
from trialkit.typing import FloatArray, IntArray

__all__ = ["plate_codes"]

# Two plates leave one degree of freedom for the variance between plates.
MIN_PLATES = 3


def plate_codes(attributes: pd.DataFrame, plate: str | None, treated: FloatArray) -> IntArray:
    """Codes of the plates (n,); `treated` (n,) is 1 in the arm compared, 0 in the reference.

    Raises DataError without a plate, DesignError where there are too few for a variance, or
    where the arms share none: then nothing tells them from the plates.
    """
    labels = attributes[plate]
    n_missing = int(labels.isna().sum())
    if n_missing:
        raise DataError(f"Column {plate!r} is missing for {n_missing} sample(s).")
    codes = np.unique(labels.astype(str), return_inverse=True)[1].astype(np.int64)
    n_plates = int(codes.max()) + 1
    if n_plates < MIN_PLATES:
        raise DesignError(
            f'plate_effect="random" needs {MIN_PLATES} plates, there are {n_plates}: too few to '
            'tell a variance from. Take plate_effect="fixed".'
        )
    both = np.bincount(codes, treated) * np.bincount(codes, 1 - treated) > 0
    if not both.any():
        raise DesignError(
            f"None of the {n_plates} plates holds samples of both arms: the contrast cannot be "
            "told from differences between plates."
        )
    return codes
