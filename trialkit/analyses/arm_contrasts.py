"""Which arms are compared: with the reference, all pairs, or by named weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trialkit.errors import SpecError
from trialkit.typing import FloatArray

__all__ = ["ArmContrasts", "ContrastKind", "arm_contrasts"]

# Weights of a contrast are written by hand: their sum may miss zero by rounding, not by more.
SUM_TOLERANCE = 1e-9

Weights = Mapping[str, Sequence[float] | Mapping[object, float]]
ContrastKind = Literal["reference", "pairwise"] | Weights | pd.DataFrame | ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmContrasts:
    """Named contrasts of k arms: weights (q, k), each row summing to zero."""

    kind: Literal["reference", "pairwise", "matrix"]
    names: tuple[str, ...]
    weights: FloatArray


def arm_contrasts(kind: ContrastKind, arms: Sequence[object]) -> ArmContrasts:
    """Contrasts of `arms`, the reference first.

    "reference": each arm minus the first. "pairwise": each arm minus every arm before it.
    Otherwise named weights over the arms in this order: a mapping of name to weights (a
    sequence, or a mapping of arm to weight with zero for arms left out), a frame with contrasts
    as index and arms as columns, or an array (q, k), named by its weights. Raises SpecError for
    weights that do not sum to zero, and for arms that are not there.
    """
    if isinstance(kind, str):
        return _standard(kind, arms)
    if isinstance(kind, pd.DataFrame):
        if not (kind.index.is_unique and kind.columns.is_unique):
            raise SpecError("kind= names a contrast or an arm twice.")
        rows: Weights = {str(name): row.to_dict() for name, row in kind.iterrows()}
    elif isinstance(kind, Mapping):
        rows = kind
    else:
        array = _array(kind)
        rows = {_weights_name(row, arms): row.tolist() for row in array}
        if len(rows) < len(array):
            raise SpecError(f"kind= gives one contrast twice: {', '.join(rows)}.")
    if not rows:
        raise SpecError("kind= names no contrast.")
    weights = np.array([_weights(name, row, arms) for name, row in rows.items()])
    return ArmContrasts(kind="matrix", names=tuple(map(str, rows)), weights=weights)


def _array(kind: ArrayLike) -> FloatArray:
    try:
        array = np.atleast_2d(np.asarray(kind, dtype=np.float64))
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 2 or not array.size:
        raise SpecError(
            f"kind={kind!r} is not offered; allowed: 'reference', 'pairwise', or weights over the "
            "arms: a mapping of name to weights, a frame, or rows of equal length."
        )
    return array


def _standard(kind: str, arms: Sequence[object]) -> ArmContrasts:
    if kind == "reference":
        pairs = [(i, 0) for i in range(1, len(arms))]
    elif kind == "pairwise":
        pairs = [(i, j) for i in range(1, len(arms)) for j in range(i)]
    else:
        raise SpecError(
            f"kind={kind!r} is not offered; allowed: 'reference', 'pairwise', or named weights "
            "over the arms."
        )
    weights = np.zeros((len(pairs), len(arms)))
    for row, (plus, minus) in enumerate(pairs):
        weights[row, plus], weights[row, minus] = 1.0, -1.0
    return ArmContrasts(
        kind="reference" if kind == "reference" else "pairwise",
        names=tuple(f"{arms[plus]} - {arms[minus]}" for plus, minus in pairs),
        weights=weights,
    )


def _weights(
    name: str, row: Sequence[float] | Mapping[object, float], arms: Sequence[object]
) -> list[float]:
    if isinstance(row, Mapping):
        unknown = [arm for arm in row if arm not in arms]
        if unknown:
            raise SpecError(
                f"Contrast {name!r} names the arm {unknown[0]!r}; arms: "
                f"{', '.join(map(repr, arms))}."
            )
        weights = [float(row.get(arm, 0.0)) for arm in arms]
    else:
        try:
            weights = [float(weight) for weight in row]
        except (TypeError, ValueError):
            raise SpecError(f"Contrast {name!r} is {row!r}; give a number for each arm.") from None
    if len(weights) != len(arms):
        raise SpecError(
            f"Contrast {name!r} has {len(weights)} weights for {len(arms)} arms: "
            f"{', '.join(map(repr, arms))}."
        )
    largest = max(abs(weight) for weight in weights)
    if not np.isfinite(weights).all() or largest == 0:
        raise SpecError(f"Contrast {name!r} needs finite weights that are not all zero.")
    if abs(sum(weights)) > SUM_TOLERANCE * largest:
        raise SpecError(
            f"Contrast {name!r} sums to {sum(weights):g}; the weights of a contrast sum to zero."
        )
    return weights


def _weights_name(row: FloatArray, arms: Sequence[object]) -> str:
    if row.size != len(arms):
        return str(row.tolist())
    return " ".join(f"{weight:+g}*({arm})" for weight, arm in zip(row, arms, strict=True) if weight)
