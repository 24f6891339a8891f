"""The two commands of the README exist, and installing is tied to what was installed."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def recipe(target: str) -> str:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(target)}:(.*?)(?=^\S|\Z)", makefile, re.M | re.S)
    assert found, target
    return found.group(1)


def test_continuous_integration_runs_the_readme_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in readme
    assert "make reproduce" in readme


def test_the_test_command_covers_lint_types_tests_and_notebooks() -> None:
    assert set(recipe("test").split()) == {"lint", "types", "unit", "notebooks"}


def test_constraints_hold_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    wrong = [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+_-]+", line)
    ]
    assert wrong == []
