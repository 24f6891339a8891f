"""A plan of a few analyses on forty made-up subjects, written into a folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ESTIMAND = """estimand = { treatment = "LDN against placebo", population = "all randomised", \
variable = "change in pain at week 12", intercurrent = { withdrawal = "treatment policy" }, \
summary = "difference in means" }
"""
HEAD = """[plan]
title = "A tiny trial"
study = "tiny"
seed = 7

[data]
adqs = "adqs.csv"

[design]
type = "parallel"
data = "adqs"
subject = "USUBJID"
arm = "TRT01P"
reference = "Placebo"
outcome = "CHG"
visit = "AVISIT"
visit_order = ["Week 4", "Week 12"]
baseline = "BASE"
"""
PRIMARY = """
[[analysis]]
name = "primary"
method = "ttest"
where = { AVISIT = "Week 12" }
"""
FURTHER = """
[[analysis]]
name = "d, pooled SD"
method = "effect_size"
where = { AVISIT = "Week 12", SEX = ["F", "M"] }
ESTIMAND
[[analysis]]
name = "ranks"
method = "rank_sum"
where = { AVISIT = "Week 12" }
ESTIMAND
[[analysis]]
name = "ANCOVA"
method = "ancova"
formula = "CHG ~ TRT01P + BASE + C(SITE)"
where = { AVISIT = "Week 12" }
ESTIMAND
"""
PLAN = HEAD + PRIMARY + ESTIMAND + FURTHER.replace("ESTIMAND", ESTIMAND)


def tiny_data() -> pd.DataFrame:
    """Two visits of forty subjects in two arms, by arithmetic rather than by chance."""
    rows = []
    for number in range(40):
        arm = "LDN 6 mg" if number % 2 else "Placebo"
        base = 4 + number % 6
        for position, visit in enumerate(("Week 4", "Week 12")):
            change = (number * 7 + position * 3) % 5 - 3 + (0.5 if number % 2 else 0.0)
            rows.append(
                {
                    "USUBJID": f"S-{number:02d}",
                    "TRT01P": arm,
                    "SITE": 1 + number % 3,
                    "SEX": "FM"[number % 3 == 0],
                    "AVISIT": visit,
                    "BASE": base,
                    "CHG": change,
                    "CRIT2FL": "Y" if change <= -2 else "N",
                }
            )
    return pd.DataFrame(rows)


def write_plan(folder: Path, text: str = PLAN) -> Path:
    """The plan and its data in `folder`; the plan's path."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny_data().to_csv(folder / "adqs.csv", index=False)
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path
