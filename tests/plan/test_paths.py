"""A plan reads regular files of its own folder and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from plan.tiny import PLAN, write_plan

from trialkit.errors import SpecError
from trialkit.plan import load_plan, run_plan
from trialkit.plan.paths import inside


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "plan"
    (inner / "data").mkdir(parents=True)
    (inner / "data" / "adqs.csv").write_text("x\n1\n")
    (tmp_path / "secret.csv").write_text("x\n1\n")
    (inner / "out.csv").symlink_to(tmp_path / "secret.csv")
    (inner / "in.csv").symlink_to(inner / "data" / "adqs.csv")
    (inner / "up").symlink_to(tmp_path)
    (inner / "null.csv").symlink_to("/dev/null")
    os.mkfifo(inner / "pipe.csv")
    return inner


@pytest.mark.parametrize("text", ["data/adqs.csv", "./data/adqs.csv", "in.csv"])
def test_a_file_of_the_folder_is_found(folder: Path, text: str) -> None:
    assert inside(folder, text) == (folder / "data" / "adqs.csv").resolve()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("../secret.csv", r"holds '\.\.'"),
        ("data/../../secret.csv", r"holds '\.\.'"),
        ("data/../data/adqs.csv", r"holds '\.\.'"),
        ("/etc/passwd", "does not start in the plan's folder"),
        ("~/x.csv", "does not start in the plan's folder"),
        ("~root/x.csv", "does not start in the plan's folder"),
        ("//server/share/x.csv", "does not start in the plan's folder"),
        ("..\\secret.csv", "holds a backslash"),
        ("\\\\server\\share", "holds a backslash"),
        ("C:/x.csv", "names a drive"),
        ("c:x.csv", "names a drive"),
        ("https://example.org/x.csv", "is a URL"),
        ("file:///etc/passwd", "is a URL"),
        ("s3://bucket/x.csv", "is a URL"),
        ("data:text/csv,x", "is a URL"),
        ("x\0.csv", "holds a control character"),
        ("x\n.csv", "holds a control character"),
        ("NUL", "names a device"),
        ("data/con.csv", "names a device"),
        ("COM1", "names a device"),
        ("out.csv", "leads outside the plan's folder"),
        ("up/secret.csv", "leads outside the plan's folder"),
        ("null.csv", "leads outside the plan's folder"),
        ("pipe.csv", "is not a regular file"),
        ("data", "is not a regular file"),
        (".", "is not a regular file"),
        ("none.csv", "there is no such file"),
        ("x" * 400, "cannot be followed: File name too long"),
    ],
)
def test_everything_else_is_refused(folder: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        inside(folder, text)


def test_a_loop_of_links_is_refused(folder: Path) -> None:
    (folder / "a.csv").symlink_to(folder / "b.csv")
    (folder / "b.csv").symlink_to(folder / "a.csv")
    with pytest.raises(SpecError, match="cannot be followed: "):
        inside(folder, "a.csv")


def test_a_run_names_the_data_set_whose_path_is_refused(tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path, PLAN.replace('"adqs.csv"', '"../adqs.csv"')))
    with pytest.raises(SpecError, match=r"\[data\] adqs: path '\.\./adqs\.csv' holds '\.\.'"):
        run_plan(plan)
