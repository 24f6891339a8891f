"""One loader for every reference case: our own data sets with R's results on them.

A case is a folder `<area>/<name>/` with `data.csv`, `expected.json` and `README.md`. The
environment variable TRIALKIT_REFERENCE points the same tests at another folder of this layout
(the pack made again with other seeds), so a test never holds a number of the data itself.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(os.environ.get("TRIALKIT_REFERENCE") or Path(__file__).parent)

# JSON has no infinity: the pack writes these words instead.
_WORDS = {"Inf": math.inf, "-Inf": -math.inf}


@dataclass(frozen=True)
class ReferenceCase:
    """The data of one case and R's results on them, by analysis id.

    `tools` are the R packages that made them, with versions: a pack made again where a package
    is missing lacks its results, and says so here.
    """

    name: str
    folder: Path
    analyses: dict[str, dict[str, Any]]
    tools: dict[str, str]

    def data(self, file: str = "data.csv") -> pd.DataFrame:
        """A fresh copy of the case's data; an empty field is a missing value."""
        return pd.read_csv(self.folder / file, keep_default_na=False, na_values=[""])

    def __getitem__(self, analysis: str) -> dict[str, Any]:
        return self.analyses[analysis]

    def table(self, analysis: str, name: str = "table") -> pd.DataFrame:
        """A table of results as a frame; null becomes NaN, "Inf" infinity."""
        return pd.DataFrame(self.analyses[analysis][name])


@cache
def reference_case(name: str) -> ReferenceCase:
    """Load a case such as "parallel/a_two_arm_week12"."""
    folder = ROOT / name
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return ReferenceCase(name, folder, _decode(expected["analyses"]), expected.get("tools", {}))


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    return math.nan if value is None else value


def assert_close(actual: Any, expected: Any, rtol: float, atol: float = 0.0) -> None:
    """Equality to `rtol` relative; `atol` only where the truth may be zero."""
    np.testing.assert_allclose(
        np.asarray(actual, dtype=float), np.asarray(expected, dtype=float), rtol=rtol, atol=atol
    )
