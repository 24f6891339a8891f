"""The command line starts quickly, and ends with one message and a code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from plan.tiny import write_plan
from typer.testing import CliRunner

import trialkit
from trialkit.cli.main import app, main

# What takes longer to import than a person waits without noticing.
HEAVY = {"pandas", "numpy", "scipy.stats", "statsmodels", "matplotlib", "pydantic", "rich.table"}


def trialkit_process(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trialkit", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "sys.argv = ['trialkit', '--help']\n"
        "from trialkit.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('MODULES' + json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "reproduce" in done.stdout
    assert not HEAVY & set(json.loads(done.stdout.split("MODULES")[1]))


@pytest.mark.parametrize("command", ["reproduce", "run", "check", "audit", "studies"])
def test_every_command_explains_itself(command: str) -> None:
    done = CliRunner().invoke(app, [command, "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.output == f"trialkit {trialkit.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "none.csv"], "trialkit: none.csv: there is no such file.\n"),
        (["reproduce", "final2023"], "trialkit: No bundled study is called 'final2023'. Did you"),
        (["studies", "x"], "trialkit: No bundled study is called 'x'."),
        (["check", "none.csv"], "trialkit: "),
    ],
)
def test_an_error_is_one_message_on_standard_error_and_code_two(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["trialkit", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)


def test_an_error_has_no_traceback(tmp_path: Path) -> None:
    done = trialkit_process("run", "none.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "trialkit: Plan 'none.toml': there is no such file.\n"


def test_an_unknown_option_is_a_usage_error() -> None:
    done = trialkit_process("run", "--workes", "2", "x.toml")
    assert done.returncode == 2
    assert "No such option: --workes" in done.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    code = f"{sys.executable} -m trialkit reproduce polo2019 | head -n 1"
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "polo2019\n"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_an_interrupt_ends_without_a_traceback(tmp_path: Path) -> None:
    path = write_plan(tmp_path)
    # The signal comes while the command is at work, and is sent by the command itself.
    code = (
        "import os, signal, sys\n"
        "import trialkit.cli.run as run\n"
        "run.load_plan = lambda path: os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.argv = ['trialkit', 'run', {str(path)!r}]\n"
        "from trialkit.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 128 + signal.SIGINT
    assert "Traceback" not in done.stderr
    assert os.listdir(tmp_path) != []
