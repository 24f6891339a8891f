"""Plans of imputation give what the functions give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.testing import assert_frame_equal
from plan.tiny import ESTIMAND, HEAD, tiny_data

import trialkit as tk
from trialkit.plan import load_plan, run_plan
from trialkit.plan.running import PlanRun

FORMULA = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"
ROLES = {
    "subject": "USUBJID",
    "visit": "AVISIT",
    "visit_order": ["Week 4", "Week 12"],
    "arm": "TRT01P",
    "reference": "Placebo",
}


def data() -> pd.DataFrame:
    frame = tiny_data()
    rng = np.random.default_rng(1)
    frame["CHG"] = frame["CHG"] + rng.normal(size=len(frame)).round(3)
    left = frame["USUBJID"].isin(["S-03", "S-10", "S-21", "S-33"])
    frame.loc[left & (frame["AVISIT"] == "Week 12"), "CHG"] = np.nan
    return frame


def run(folder: Path, body: str, formula: str = FORMULA) -> PlanRun:
    data().to_csv(folder / "adqs.csv", index=False)
    text = f'{HEAD}\n[[analysis]]\nname = "primary"\nformula = "{formula}"\n{body}\n{ESTIMAND}'
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return run_plan(load_plan(path))


def test_reference_based_imputation(tmp_path: Path) -> None:
    found = run(
        tmp_path,
        'method = "reference_based"\nstrategy = ["mar", "j2r"]\n'
        'events = [{ USUBJID = "S-03", AVISIT = "Week 12" }, '
        '{ USUBJID = "S-21", AVISIT = "Week 12", strategy = "cr" }]\n'
        'delta = [{ arm = "LDN 6 mg", delta = 0.5 }]',
    )
    events = pd.DataFrame(
        {
            "USUBJID": ["S-03", "S-21"],
            "AVISIT": ["Week 12"] * 2,
            "strategy": [None, "cr"],
        }
    )
    direct = tk.reference_based(
        FORMULA,
        data(),
        strategy=["mar", "j2r"],
        events=events,
        delta=pd.DataFrame({"arm": ["LDN 6 mg"], "delta": [0.5]}),
        **ROLES,
    )
    assert_frame_equal(found.table("primary").frame(), direct.frame())
    assert_frame_equal(found.table("primary", "lsmeans").frame(), direct.lsmeans.frame())


def test_chance_takes_the_seed_that_is_written(tmp_path: Path) -> None:
    body = 'method = "reference_based"\nvariance = "rubin"\nn_samples = 5\nrng = 3'
    direct = tk.reference_based(FORMULA, data(), variance="rubin", n_samples=5, rng=3, **ROLES)
    assert_frame_equal(run(tmp_path, body).table("primary").frame(), direct.frame())


def test_tipping_point(tmp_path: Path) -> None:
    body = 'method = "tipping_point"\ndeltas = { Placebo = [0, 1], "LDN 6 mg" = [0.0, 2.5] }'
    direct = tk.tipping_point(
        FORMULA, data(), deltas={"Placebo": [0, 1], "LDN 6 mg": [0, 2.5]}, **ROLES
    )
    assert_frame_equal(run(tmp_path, body).table("primary").frame(), direct.frame())


def test_pattern_mixture(tmp_path: Path) -> None:
    body = 'method = "pattern_mixture"\nrestriction = ["ccmv", "acmv"]'
    formula = "CHG ~ TRT01P + BASE"
    direct = tk.pattern_mixture(formula, data(), restriction=["ccmv", "acmv"], **ROLES)
    found = run(tmp_path, body, formula)
    assert_frame_equal(found.table("primary").frame(), direct.frame())
    assert_frame_equal(found.table("primary", "lsmeans").frame(), direct.lsmeans.frame())


def test_last_observation_carried_forward(tmp_path: Path) -> None:
    analysis = "CHG ~ TRT01P + BASE"
    found = run(tmp_path, 'method = "locf_sensitivity"', analysis)
    direct = tk.locf_sensitivity(analysis, data(), **ROLES)
    assert_frame_equal(found.table("primary").frame(), direct.frame())
