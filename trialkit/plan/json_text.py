"""JSON whose bytes depend on the values alone.

Floats are written in the shortest form that reads back to the same double. JSON knows neither
NaN nor infinity: NaN is null, the infinities are the words "Inf" and "-Inf".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isinf, isnan
from typing import Any

import numpy as np

__all__ = ["json_bytes"]


def json_bytes(value: object) -> bytes:
    """`value` as indented ASCII JSON with a final newline, keys in their own order."""
    return (json.dumps(_plain(value), indent=1, allow_nan=False) + "\n").encode("ascii")


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if isnan(value):
            return None
        if isinf(value):
            return "Inf" if value > 0 else "-Inf"
        return value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value)
