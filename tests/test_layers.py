"""Imports point down only; the syntax tree of every file is the witness.

Imports inside functions and under TYPE_CHECKING count like any other: a cycle hidden in a
function is still a misplaced type.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "trialkit"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "_fixtures" not in path.parts)

# Layer of every top-level module or package; imports go to the same or a lower number.
LAYERS = {
    "errors": 0,
    "typing": 0,
    "results": 0,
    "kernels": 1,
    "figures": 1,
    "data": 2,
    "design": 3,
    "analyses": 4,
    "plan": 5,
    "studies": 6,
    "report": 7,
    "cli": 8,
    "__init__": 9,
    "__main__": 9,
}
# Layers on one level that must not see each other.
APART = {("kernels", "figures"), ("figures", "kernels")}
BARRED = {"report": {"analyses", "kernels"}}
# A result's plot() reaches up to figures, when called.
EXCEPTIONS = {("results", "figures")}
# What the lower layers may import from outside.
KERNEL_BARRED = {"pandas", "statsmodels", "lifelines", "pingouin", "formulaic", "matplotlib"}

# pingouin draws the pairs of a crossover, and draws from a frame.
DRAWN_BY_OTHERS = {"crossover_plots.py": {"pandas", "pingouin"}}


def unit_of(path: Path) -> str:
    """The top-level part of trialkit that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> Iterator[tuple[str, int]]:
    """Every module a file imports anywhere, with its line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {path}:{node.lineno}"
            base = node.module or ""
            if base == "trialkit":
                yield from ((f"trialkit.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield base, node.lineno


def internal_imports(path: Path) -> Iterator[tuple[str, int]]:
    for module, line in imported_modules(path):
        if module.startswith("trialkit."):
            yield module.split(".")[1], line


def violations(path: Path) -> list[str]:
    unit = unit_of(path)
    found = []
    for target, line in internal_imports(path):
        if target not in LAYERS or target == unit or (unit, target) in EXCEPTIONS:
            continue
        upward = LAYERS[target] > LAYERS[unit]
        if upward or (unit, target) in APART or target in BARRED.get(unit, set()):
            found.append(f"{path.relative_to(PACKAGE)}:{line} {unit} imports {target}")
    return found


def test_every_part_has_a_layer() -> None:
    assert {unit_of(path) for path in FILES} <= set(LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    assert violations(path) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_kernels_see_only_arrays_and_only_figures_draw(path: Path) -> None:
    outside = {module.split(".")[0] for module, _ in imported_modules(path)}
    if unit_of(path) == "kernels":
        assert not outside & KERNEL_BARRED
    if unit_of(path) == "figures":
        allowed = {"matplotlib"} | DRAWN_BY_OTHERS.get(path.name, set())
        assert not outside & (KERNEL_BARRED - allowed)


def test_modules_of_one_layer_form_no_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        name = name.removesuffix(".__init__")
        if name == "trialkit":
            continue
        graph[name] = {module for module, _ in imported_modules(path)}
    modules = set(graph)
    edges = {
        name: {_module_part(target, modules) for target in targets} - {None, name}
        for name, targets in graph.items()
    }
    done: set[str] = set()
    for start in sorted(edges):
        _walk(start, [], edges, done)


def _module_part(target: str, modules: set[str]) -> str | None:
    while target and target not in modules:
        target = target.rpartition(".")[0]
    return target or None


def _walk(name: str, path: list[str], edges: dict[str, set[str]], done: set[str]) -> None:
    if name in done:
        return
    assert name not in path, f"import cycle: {' -> '.join([*path[path.index(name) :], name])}"
    for target in sorted(edges[name]):
        if not (path and name.startswith(f"{target}.")):
            _walk(target, [*path, name], edges, done)
    done.add(name)


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("kernels", "def f():\n    from trialkit.analyses.ancova import ancova\n"),
        ("results", "if TYPE_CHECKING:\n    import trialkit.data.reading\n"),
        ("report", "from trialkit import kernels\n"),
    ],
)
def test_a_violation_is_seen(
    unit: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "trialkit"
    (package / unit).mkdir(parents=True)
    path = package / unit / "bad.py"
    path.write_text(source)
    monkeypatch.setattr(f"{__name__}.PACKAGE", package)
    assert len(violations(path)) == 1
