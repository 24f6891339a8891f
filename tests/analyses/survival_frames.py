"""Small trials with times to an event, for the tests of those analyses."""

from __future__ import annotations

import numpy as np
import pandas as pd
from reference.loader import ReferenceCase, reference_case

CASE = "dropout/a_two_arm_discontinuation"
ARM, REFERENCE = "TRT01P", "Placebo"
PARAMETERS = ("TTDISC", "TTRESP")
TERMS = ["TRT01P", "AGE", "BASE", "STRATA1"]


def case() -> ReferenceCase:
    """The reference case of discontinuation."""
    return reference_case(CASE)


def rows(parameter: str) -> pd.DataFrame:
    """One row a subject of one parameter, with EVENT = 1 - CNSR and WHY missing if censored."""
    data = case().data()
    data = data[data["PARAMCD"] == parameter].reset_index(drop=True)
    return data.assign(EVENT=1 - data["CNSR"], WHY=data["EVNTDESC"].where(data["CNSR"] == 0))


def last_time(parameter: str, arm: object) -> float:
    """The last observed time of an arm: R carries a curve past it, trialkit does not know it."""
    data = rows(parameter)
    return float(data.loc[data[ARM] == arm, "AVAL"].max())


def without_events(cause: str) -> bool:
    """Whether an arm has no event of this cause: the likelihood then has no maximum."""
    counts = rows("TTDISC").assign(own=lambda data: data["WHY"] == cause)
    return bool((counts.groupby(ARM, observed=True)["own"].sum() == 0).any())


def r_term(term: str) -> str:
    """R's name of a coefficient for ours: TRT01P[T.LDN 4.5 mg] is TRT01PLDN 4.5 mg."""
    return term.replace("[T.", "").replace("]", "")


def simulated(seed: int, n: int = 60, n_arms: int = 2) -> pd.DataFrame:
    """A trial with ties, censoring, two reasons, a covariate and a stratum."""
    rng = np.random.default_rng(seed)
    arm = np.arange(n) % n_arms
    age = rng.normal(50, 10, n).round()
    latent = rng.exponential(30 / np.exp(0.4 * arm + 0.02 * (age - 50)))
    time = np.ceil(np.minimum(latent, rng.uniform(5, 60, n)))
    event = (rng.random(n) < 0.7).astype(int)
    why = np.where(rng.random(n) < 0.5, "AE", "LOE").astype(object)
    why[event == 0] = None
    return pd.DataFrame(
        {
            "USUBJID": [f"S{i:03d}" for i in range(n)],
            "ARM": [f"Arm {k}" for k in arm],
            "DAY": time,
            "DISC": event,
            "WHY": why,
            "AGE": age,
            "SITE": rng.choice(["A", "B"], n),
        }
    )
