"""`trialkit studies`: what is bundled."""

from __future__ import annotations

from trialkit import studies
from trialkit.cli.terminal import plain_table, say

__all__ = ["show_studies"]


def show_studies(name: str | None) -> bool:
    """List the bundled studies, or show one; always sound."""
    if name is None:
        _list()
    else:
        _show(name)
    return True


def _list() -> None:
    rows = []
    for name in studies.names():
        study = studies.load(name)
        sets = ", ".join(f"{key} ({len(frame)} rows)" for key, frame in study.data.items())
        rows.append([name, str(len(study.figures)), sets or "none", "yes" if study.plan else "no"])
    headings = ("Study", "Published figures", "Synthetic data", "Plan")
    say(plain_table(headings, rows, is_number=(False, True, False, False)))


def _show(name: str) -> None:
    study = studies.load(name)
    say(repr(study))
    say(f"Files: {study.folder}")
    if study.plan is not None:
        say(f"Plan: {study.plan.header.title}")
        for spec in study.plan.analyses:
            say(f"  {spec.name} ({spec.method}): {spec.estimand.variable}")
    if study.readme:
        say()
        say(study.readme.rstrip())
