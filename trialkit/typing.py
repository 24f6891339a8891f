"""Names for the shapes and choices that recur in signatures."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Alternative",
    "BoolArray",
    "ContrastAdjustment",
    "FloatArray",
    "IntArray",
    "MeanWeights",
    "Scale",
]

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]

Alternative: TypeAlias = Literal["two-sided", "less", "greater"]

# "difference": additive, arm minus reference. "ratio": estimated on the log scale, reported
# back-transformed. "mean": one level, not a comparison. "coefficient": a model parameter.
# "standardized": in standard deviations. "probability": a share between 0 and 1.
Scale: TypeAlias = Literal[
    "difference", "ratio", "mean", "coefficient", "standardized", "probability"
]

# How differences between arms are adjusted for multiplicity.
ContrastAdjustment: TypeAlias = Literal[
    "none",
    "bonferroni",
    "sidak",
    "holm",
    "hochberg",
    "hommel",
    "fdr_bh",
    "fdr_by",
    "dunnett",
    "dunnett-stepdown",
    "tukey",
    "mvt",
]

# How LS means average over what they are not reported by.
MeanWeights: TypeAlias = Literal["equal", "observed", "counterfactual"]
