"""The data of a plan: read once, and identified by their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trialkit.data.reading import read
from trialkit.errors import TrialkitError
from trialkit.plan.paths import inside
from trialkit.plan.schema import Plan

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataSource", "read_data", "read_one"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data set of a plan: its name there, its file, its size and SHA-256."""

    name: str
    file: str
    sha256: str
    n_rows: int
    n_columns: int


def read_data(plan: Plan) -> tuple[Mapping[str, pd.DataFrame], tuple[DataSource, ...]]:
    """Every data set of the plan, by name, and what identifies each."""
    frames, sources = {}, []
    for name in plan.data:
        frames[name], source = read_one(plan, name)
        sources.append(source)
    return frames, tuple(sources)


def read_one(plan: Plan, name: str) -> tuple[pd.DataFrame, DataSource]:
    """One data set; raises as `read`, with the plan's name of the data set in front."""
    try:
        path = inside(plan.folder, plan.data[name])
        frame = read(path)
    except TrialkitError as problem:
        raise type(problem)(f"[data] {name}: {problem}") from problem
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return frame, DataSource(
        name=name,
        file=plan.data[name],
        sha256=digest,
        n_rows=len(frame),
        n_columns=len(frame.columns),
    )
