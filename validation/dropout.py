"""Type I error and coverage of the analyses of dropout, by simulation.

Two arms of n / 2, exponential times to two reasons, uniform censoring, times in whole days
(ties). Without effect the hazards are equal; with one the reason of interest comes half as fast
in the other arm (in the subdistribution for Fine-Gray: see `trial`).

    python validation/dropout.py [--replications 1000] [--write validation/dropout.md]

`ALLOWED` is what the method's approximation may cost at that size, beyond three Monte Carlo
standard errors. Exact intervals must not fall below their level. A run with fewer than
`MIN_REPLICATIONS_TO_CHECK` replications reports and judges nothing. Exit code 1 where a rate
misses its threshold.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import trialkit as tk

SEED = 20261122
LEVEL = 0.05
MIN_REPLICATIONS_TO_CHECK = 1000
SIZES = (60, 200)
HORIZON = 84
# Hazards a day of the two reasons; the days are coarse enough for ties.
HAZARDS = (0.008, 0.006)
HAZARD_RATIO = 0.5
ALLOWED = {60: 0.02, 200: 0.01}
# Rates that may only err on one side: an exact interval covers too often.
CONSERVATIVE = {"exact difference"}


def trial(n: int, ratio: float, rng: np.random.Generator) -> pd.DataFrame:
    """One row a subject; AGE acts on both reasons, so that adjusting pays."""
    arm = np.arange(n) % 2
    age = rng.normal(0, 1, n)
    risk = np.exp(0.3 * age)
    first = rng.exponential(1 / (HAZARDS[0] * np.where(arm == 1, ratio, 1.0) * risk))
    second = rng.exponential(1 / (HAZARDS[1] * risk))
    end = np.minimum(HORIZON, rng.uniform(40, 140, n))
    time = np.ceil(np.minimum(np.minimum(first, second), end))
    left = np.minimum(first, second) < end
    why = np.where(first < second, "LOE", "AE").astype(object)
    why[~left] = None
    return pd.DataFrame(
        {
            "ARM": np.where(arm == 1, "drug", "placebo"),
            "DAY": time,
            "DISC": left.astype(int),
            "WHY": why,
            "LOE": (why == "LOE").astype(int),
            "AGE": age,
            "STATUS": np.where(left, "DISCONTINUED", "COMPLETED"),
        }
    )


def truth(ratio: float) -> dict[str, float]:
    """What the estimators aim at, from one very large trial without censoring before the end."""
    rng = np.random.default_rng([SEED, 1])
    n = 4_000_000
    arm = np.arange(n) % 2
    risk = np.exp(0.3 * rng.normal(0, 1, n))
    first = rng.exponential(1 / (HAZARDS[0] * np.where(arm == 1, ratio, 1.0) * risk))
    second = rng.exponential(1 / (HAZARDS[1] * risk))
    time = np.ceil(np.minimum(first, second))
    kept = np.minimum(time, 60)
    drug = arm == 1
    # The median lies on whole days: the first day by which half have left.
    return {
        "survival": float((time[drug] > 42).mean()),
        "median": float(np.ceil(np.median(np.minimum(first, second)[~drug]))),
        "rmst": float(kept[drug].mean() - kept[~drug].mean()),
        "incidence": float(((time <= 42) & (first < second))[drug].mean()),
    }


def replicate(data: pd.DataFrame, ratio: float, aim: dict[str, float]) -> dict[str, bool]:
    """Rejections (no effect) or coverage of each method on one trial."""
    arms = {"arm": "ARM", "reference": "placebo"}
    times = {"time": "DAY", "event": "DISC", **arms}
    curves = tk.kaplan_meier(data, **times)
    drug = curves.at([42]).where(arm="drug").single()
    median = curves.median().where(arm="placebo").single()
    median_high = np.inf if np.isnan(median.ci_high) else median.ci_high
    plain = tk.rmst(data, tau=60, **times).where(measure="difference").single()
    adjusted = tk.rmst(data, tau=60, covariates="AGE", **times)
    adjusted_row = adjusted.where(measure="difference").single()
    incidence = tk.cumulative_incidence(data, time="DAY", cause="WHY", times=[42], **arms)
    own = incidence.where(cause="LOE", arm="drug").single()
    hazard = tk.cox(data, time="DAY", event="LOE", covariates="AGE", **arms)
    hazard_row = hazard.where(term="ARM[T.drug]").single()
    found = {
        "Kaplan-Meier, log-log": drug.ci_low <= aim["survival"] <= drug.ci_high,
        "median, Brookmeyer-Crowley": median.ci_low <= aim["median"] <= median_high,
        "restricted mean": plain.ci_low <= aim["rmst"] <= plain.ci_high,
        "restricted mean, adjusted": adjusted_row.ci_low <= aim["rmst"] <= adjusted_row.ci_high,
        "Aalen-Johansen, log-log": own.ci_low <= aim["incidence"] <= own.ci_high,
        "Cox, Efron": hazard_row.ci_low <= ratio <= hazard_row.ci_high,
    }
    if ratio == 1:
        gray = tk.gray_test(data, time="DAY", cause="WHY", **arms)
        fine = tk.fine_gray(data, time="DAY", cause="WHY", causes=["LOE"], **arms).single()
        found["log-rank"] = tk.logrank(data, **times).tests[0].p_value >= LEVEL
        found["Gray"] = gray.where(cause="LOE").tests[0].p_value >= LEVEL
        found["Fine-Gray"] = fine.p_value >= LEVEL
        found["proportional hazards"] = hazard.proportional_hazards().tests[0].p_value >= LEVEL
    return found


def exact_coverage(n: int, ratio: float) -> float:
    """Coverage of the exact difference, summed over every table: no chance in it."""
    from scipy import stats

    size = min(n // 2, 30)
    chances = 0.4 * ratio, 0.4
    x = np.arange(size + 1)
    mass = [stats.binom.pmf(x, size, p) for p in chances]
    covered = 0.0
    for i in x:
        for j in x:
            if mass[0][i] * mass[1][j] < 1e-7:
                continue
            flags = [1] * i + [0] * (size - i) + [1] * j + [0] * (size - j)
            data = pd.DataFrame({"ARM": ["drug"] * size + ["placebo"] * size, "DCAEFL": flags})
            row = tk.ae_withdrawal(data, arm="ARM", reference="placebo").single()
            if row.ci_low - 1e-6 <= chances[0] - chances[1] <= row.ci_high + 1e-6:
                covered += mass[0][i] * mass[1][j]
    return covered


def simulate(replications: int) -> pd.DataFrame:
    """One row a method, size and hazard ratio."""
    rows = []
    for n in SIZES:
        for position, ratio in enumerate((1.0, HAZARD_RATIO)):
            aim = truth(ratio)
            found: dict[str, list[bool]] = {}
            failed = 0
            for draw in range(replications):
                data = trial(n, ratio, np.random.default_rng([SEED, n, position, draw]))
                try:
                    outcome = replicate(data, ratio, aim)
                except (tk.ConvergenceError, tk.DataError):
                    failed += 1
                    continue
                for method, is_right in outcome.items():
                    found.setdefault(method, []).append(bool(is_right))
            for method, outcomes in found.items():
                rows.append(
                    judged(method, n, ratio, float(np.mean(outcomes)), len(outcomes), failed)
                )
            if n == SIZES[0]:
                rows.append(judged("exact difference", n, ratio, exact_coverage(n, ratio), 0, 0))
            print(f"n = {n}, hazard ratio {ratio:g}: done", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def judged(
    method: str, n: int, ratio: float, right: float, replications: int, failed: int
) -> dict[str, object]:
    error = 3 * np.sqrt(LEVEL * (1 - LEVEL) / replications) if replications else 1e-9
    allowed = error + (ALLOWED[n] if replications else 0.0)
    low = 1 - LEVEL - allowed
    high = 1.0 if method in CONSERVATIVE else 1 - LEVEL + allowed
    return {
        "method": method,
        "n": n,
        "ratio": ratio,
        "right": right,
        "low": low,
        "high": high,
        "failed": failed,
        "verdict": "ok" if low <= right <= high else "MISSED",
    }


def as_markdown(table: pd.DataFrame, replications: int) -> str:
    head = (
        "# Analyses of dropout: how often they are right, at 95%\n\n"
        f"`python validation/dropout.py --replications {replications}`. `right` is the share of "
        "intervals that cover the truth, and for tests (log-rank, Gray, Fine-Gray, proportional "
        "hazards) of true hypotheses not rejected; it passes between `low` and `high`: three "
        "Monte Carlo standard errors and the method's allowance. The exact difference is summed "
        "over every table and may not fall below 95%.\n\n"
        "| method | n | hazard ratio | right | low | high | failed | verdict |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {r.method} | {r.n} | {r.ratio:g} | {r.right:.4f} | {r.low:.4f} | {r.high:.4f} | "
        f"{r.failed} | {r.verdict} |"
        for r in table.sort_values(["method", "ratio", "n"]).itertuples()
    ]
    return head + "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--write", type=Path, help="file for the table in Markdown")
    chosen = parser.parse_args()
    table = simulate(chosen.replications)
    text = as_markdown(table, chosen.replications)
    print(text)
    if chosen.write:
        chosen.write.write_text(text, encoding="utf-8")
    if chosen.replications < MIN_REPLICATIONS_TO_CHECK:
        print(f"Fewer than {MIN_REPLICATIONS_TO_CHECK} replications: nothing is judged.")
        return 0
    return int((table["verdict"] != "ok").any())


if __name__ == "__main__":
    sys.exit(main())
