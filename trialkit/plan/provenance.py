"""Where the numbers come from: versions, seed, and SHA-256 of plan, data and outputs.

No clock, no path of the machine, no host name: the same plan, data, seed and versions give
the same bytes.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import trialkit
from trialkit.plan.json_text import json_bytes
from trialkit.plan.running import PlanRun

__all__ = ["MANIFEST_SCHEMA", "manifest_json", "versions"]

MANIFEST_SCHEMA = "trialkit-manifest/1"
# The packages whose release can move a number.
_PACKAGES = ("numpy", "scipy", "pandas", "statsmodels", "formulaic")


def manifest_json(run: PlanRun, outputs: Mapping[str, bytes]) -> bytes:
    """The manifest of a run whose other `outputs` are given by file name.

    Keys: `schema`; `plan` (file, sha256, title, study, seed); `versions`; `data` (name, file,
    sha256, rows, columns); `analyses` (name, method, status); `outputs` (file to SHA-256).
    """
    header = run.plan.header
    manifest: dict[str, Any] = {
        "schema": MANIFEST_SCHEMA,
        "plan": {
            "file": run.plan.path.name,
            "sha256": run.plan.sha256,
            "title": header.title,
            "study": header.study,
            "seed": header.seed,
        },
        "versions": versions(),
        "data": [
            {
                "name": source.name,
                "file": source.file,
                "sha256": source.sha256,
                "rows": source.n_rows,
                "columns": source.n_columns,
            }
            for source in run.sources
        ],
        "analyses": [
            {"name": result.name, "method": result.method, "status": result.status}
            for result in run.analyses
        ],
        "outputs": {
            name: hashlib.sha256(content).hexdigest() for name, content in sorted(outputs.items())
        },
    }
    return json_bytes(manifest)


def versions() -> dict[str, str]:
    """The releases that made the numbers."""
    found = {"trialkit": trialkit.__version__, "python": platform.python_version()}
    return found | {name: version(name) for name in _PACKAGES}
