"""The studies travel with the package: a wheel installed elsewhere finds them by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trialkit.studies.fixtures import fixtures_root, names

CHECKOUT = Path(__file__).parents[2]

CHECK = """
import sys
import trialkit as tk
from trialkit.studies.fixtures import fixtures_root

target = sys.argv[1]
assert tk.__file__.startswith(target), tk.__file__
assert str(fixtures_root()).startswith(target), fixtures_root()
study = tk.studies.load("final2024")
assert len(study.data["adsl"]) == 99 and study.plan is not None and len(study.figures) > 0
assert tk.studies.reproduce("irwin2024").all_agree
print(" ".join(tk.studies.names()))
"""


def run(*command: str, cwd: Path, **env: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the package as a wheel installs it, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    python = sys.executable
    run(python, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=CHECKOUT)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--no-deps", "--no-index", "--target", str(target), str(wheel), cwd=folder)
    return target


def test_a_wheel_finds_its_studies_with_no_checkout_beside_it(
    installed: Path, tmp_path: Path
) -> None:
    out = run(sys.executable, "-c", CHECK, str(installed), cwd=tmp_path, PYTHONPATH=str(installed))
    assert out.split() == list(names())


def test_a_wheel_holds_every_file_of_the_studies(installed: Path) -> None:
    bundled = installed / "trialkit" / "_fixtures"
    here = fixtures_root()
    expected = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
    assert {path.relative_to(bundled) for path in bundled.rglob("*") if path.is_file()} >= expected
    assert not (installed / "fixtures").exists()
