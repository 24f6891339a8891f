"""Files written into a folder: whole or not at all, and nobody else's touched."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from trialkit.data.atomic import write_bytes
from trialkit.errors import DataError

__all__ = ["write_outputs", "write_run"]

MANIFEST = "manifest.json"
_FIGURE = re.compile(r"^figure-[a-z0-9-]+\.svg$")


def write_outputs(folder: Path, outputs: Mapping[str, bytes]) -> None:
    """Write each file of `outputs` into `folder`, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise DataError(f"Folder {str(folder)!r} cannot be made: {problem.strerror}.") from None
    for name, content in outputs.items():
        write_bytes(folder / name, content)


def write_run(folder: Path, outputs: Mapping[str, bytes], manifest: bytes) -> None:
    """Write a run's outputs, then the manifest, which is true only once they are there.

    Figures that an earlier run left, and that this one does not make, are removed: only those
    an earlier manifest lists, and only while their bytes are still what it says.
    """
    stale = _listed_figures(folder) - set(outputs)
    write_outputs(folder, {**outputs, MANIFEST: manifest})
    for name in stale:
        (folder / name).unlink(missing_ok=True)


def _listed_figures(folder: Path) -> set[str]:
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())["outputs"]
        return {
            name
            for name, digest in listed.items()
            if _FIGURE.match(name)
            and hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()  # no manifest of ours: nothing that may be removed
