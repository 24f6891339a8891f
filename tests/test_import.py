"""`import trialkit` costs next to nothing, and its table of contents is true."""

from __future__ import annotations

import json
import subprocess
import sys

import trialkit

HEAVY = (
    "numpy", "pandas", "scipy", "statsmodels", "lifelines", "pingouin", "matplotlib", "formulaic",
    "pyreadstat", "pyarrow", "pydantic",
)  # fmt: skip
# Modules that `import trialkit` may pull in beyond those of a bare interpreter.
MAX_NEW_MODULES = 10


def modules_after(statement: str) -> set[str]:
    code = (
        f"import sys; before = set(sys.modules); {statement};"
        "new = sorted(set(sys.modules) - before); import json; print(json.dumps(new))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_pulls_in_nothing_heavy() -> None:
    new = modules_after("import trialkit")
    assert not [name for name in new if name.split(".")[0] in HEAVY]
    assert len(new) <= MAX_NEW_MODULES, sorted(new)


def test_errors_do_not_bring_pandas() -> None:
    assert "pandas" not in modules_after("from trialkit import DataError, EstimateTable")


def test_every_name_of_the_contents_resolves() -> None:
    for name in trialkit.__all__:
        assert getattr(trialkit, name) is not None
    assert sorted(trialkit.__all__) == sorted(set(trialkit.__all__))
    assert set(trialkit.__all__) <= set(dir(trialkit))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(trialkit, "no_such_name")
