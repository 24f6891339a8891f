"""Parquet files, column types as they are stored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from trialkit.data.columns import EXACT_INTEGER, finish, require_names
from trialkit.data.formats import PARQUET_MAGIC
from trialkit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_parquet"]

# pandas stores an unnamed index that is not 0, 1, 2, ... under such a name.
_INDEX = re.compile(r"__index_level_\d+__")


def read_parquet(path: Path, data: bytes) -> pd.DataFrame:
    """Every row and column of a Parquet file; see `trialkit.read` for the rules."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if len(data) < 12 or not data.endswith(PARQUET_MAGIC):
        raise DataError(
            f"{path}: a Parquet file ends in PAR1, this one in {data[-4:]!r}: it is cut off."
        )
    try:
        table = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True).read()
        table.validate(full=True)
        names = [name for name in table.column_names if not _INDEX.fullmatch(name)]
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: the Parquet file is damaged: {error}.") from error
    require_names(path, names)
    columns = {name: _column(path, name, table.column(name)) for name in names}
    return finish(columns, table.num_rows, _labels(table.schema.metadata))


def _column(path: Path, name: str, column: pa.ChunkedArray) -> pd.Series[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise DataError(
            f"{path}: column {name!r} holds {kind} values; only single values are read."
        )
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    if pa.types.is_null(kind):
        return pd.Series(np.full(len(column), np.nan))
    if column.null_count and pa.types.is_boolean(kind):
        return pd.Series(pd.array(column.to_pylist(), dtype="boolean"))
    if column.null_count and pa.types.is_integer(kind):
        bounds = pc.min_max(column).as_py()
        if any(abs(value) > EXACT_INTEGER for value in bounds.values() if value is not None):
            return pd.Series(pd.array(column.to_pylist(), dtype="Int64"))
    series = pd.Series(column.to_pandas(date_as_object=False))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        series = series.where(series.notna() & (series != ""), np.nan)
    return series


def _labels(metadata: dict[bytes, bytes] | None) -> dict[str, str]:
    """The labels of a frame that pandas wrote with `attrs["labels"]`."""
    try:
        attrs = json.loads((metadata or {}).get(b"PANDAS_ATTRS", b"{}"))
        labels = attrs.get("labels", {})
        return {str(name): str(label) for name, label in labels.items()}
    except (ValueError, AttributeError):
        return {}
