"""Published studies: their figures, synthetic twins, reproduction and consistency audit."""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as in trialkit/__init__.py
if TYPE_CHECKING:
    from trialkit.studies.auditing import Audit, audit
    from trialkit.studies.bundle import Study, load
    from trialkit.studies.fixtures import names
    from trialkit.studies.reproduction import Reproduction, reproduce

__all__ = ["Audit", "Reproduction", "Study", "audit", "load", "names", "reproduce"]

_HOME = {
    "Audit": "auditing",
    "Reproduction": "reproduction",
    "Study": "bundle",
    "audit": "auditing",
    "load": "bundle",
    "names": "fixtures",
    "reproduce": "reproduction",
}


def __getattr__(name: str) -> object:
    if name in _HOME:
        value = getattr(import_module(f"trialkit.studies.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'trialkit.studies' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
