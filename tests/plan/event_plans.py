"""Plans with a table of intercurrent events: the table, an analysis, the files, a run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from plan.tiny import HEAD, tiny_data

from trialkit.plan import PlanRun, load_plan, run_plan

EVENTS = """
[events]
data = "adice"
event = "ICE"
day = "ASTDY"
visits = { "Week 4" = 29, "Week 12" = 85 }
"""
STOPS = {"S-03": 10, "S-06": 40, "S-11": 40, "S-20": 84, "S-24": 200}
POLICY = 'stopped = "treatment-policy"'
ROLES = {"arm": "TRT01P", "reference": "Placebo", "subject": "USUBJID"}


def stops(**changed: object) -> pd.DataFrame:
    frame = pd.DataFrame({"USUBJID": list(STOPS), "ICE": "stopped", "ASTDY": list(STOPS.values())})
    return frame.assign(**changed)


def entry(
    intercurrent: str,
    body: str = 'method = "ttest"',
    *,
    where: str = '{ AVISIT = "Week 12" }',
    name: str = "primary",
) -> str:
    condition = f"where = {where}\n" if where else ""
    return (
        f'\n[[analysis]]\nname = "{name}"\n{body}\n{condition}'
        'estimand = { treatment = "LDN", population = "all", variable = "change", '
        f'intercurrent = {{ {intercurrent} }}, summary = "difference" }}\n'
    )


def write(
    folder: Path,
    analyses: str,
    *,
    events: str = EVENTS,
    table: pd.DataFrame | None = None,
    data: pd.DataFrame | None = None,
) -> Path:
    head = HEAD.replace('adqs = "adqs.csv"', 'adqs = "adqs.csv"\nadice = "adice.csv"')
    folder.mkdir(parents=True, exist_ok=True)
    (tiny_data() if data is None else data).to_csv(folder / "adqs.csv", index=False)
    (stops() if table is None else table).to_csv(folder / "adice.csv", index=False)
    path = folder / "plan.toml"
    path.write_text(head + events + analyses, encoding="utf-8")
    return path


def run(folder: Path, analyses: str, **changed: object) -> PlanRun:
    return run_plan(load_plan(write(folder, analyses, **changed)))


def after_stop(data: pd.DataFrame) -> pd.Series:
    day = data["USUBJID"].map(STOPS)
    return data["AVISIT"].map({"Week 4": 29, "Week 12": 85}) > day
