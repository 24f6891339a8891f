"""The outputs committed with a notebook are what it prints today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TIMEOUT = 300


def printed(notebook: Any) -> list[list[str]]:
    """What each cell shows as text; pictures by their kind only."""
    return [
        [
            output.get("text") or output.get("data", {}).get("text/plain", "")
            for output in cell.get("outputs", [])
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_still_hold(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a notebook shows its figures by its own
    committed = nbformat.read(path, as_version=4)
    expected = printed(committed)
    assert any(texts for texts in expected), "committed without its outputs"
    fresh = NotebookClient(
        committed, timeout=TIMEOUT, resources={"metadata": {"path": path.parent}}
    )
    fresh.execute()
    assert printed(fresh.nb) == expected


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_use_the_public_api_only(path: Path) -> None:
    code = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    lines = [line.strip() for source in code for line in source.splitlines()]
    inner = [x for x in lines if x.startswith(("from trialkit", "import trialkit."))]
    assert inner == []
