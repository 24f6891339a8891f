"""Type I error and coverage of the mixed model for repeated measures, by simulation.

Two arms, four visits, unstructured covariance, dropout at random (a subject leaves with a
probability that rises with the last observed value). What is tested is the difference at the
last visit, without effect and with one; n is the number of subjects in both arms together.

    python validation/mmrm.py [--replications 2000] [--write validation/mmrm.md]

`THRESHOLDS` are allowances beyond Monte Carlo error (three standard errors of the rate): what
the method's approximation may cost at that size. A run with fewer than
`MIN_REPLICATIONS_TO_CHECK` replications reports and judges nothing. Exit code 1 where a rate
misses its threshold.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

import trialkit as tk
from trialkit.analyses.mmrm_fit import MmrmFit
from trialkit.analyses.mmrm_inference import inference

SEED = 20260302
LEVEL = 0.05
MIN_REPLICATIONS_TO_CHECK = 1000
SIZES = (20, 50, 100, 200)
EFFECTS = (0.0, -0.8)
VISITS = 4
# Method -> n -> allowance for its approximation. Kenward-Roger is made for small samples;
# Satterthwaite keeps the model's standard errors, which are too small in them; the sandwich
# with CR2 corrects both.
THRESHOLDS = {
    "kenward-roger": {20: 0.010, 50: 0.005, 100: 0.005, 200: 0.005},
    "satterthwaite": {20: 0.030, 50: 0.015, 100: 0.010, 200: 0.010},
    "CR2": {20: 0.015, 50: 0.010, 100: 0.010, 200: 0.010},
}
# Share of replications that may fail to converge (counted, and left out of the rates).
MAX_FAILED = 0.01


@dataclass(frozen=True)
class Cell:
    method: str
    n: int
    effect: float


def trial(n: int, effect: float, rng: np.random.Generator) -> pd.DataFrame:
    visit = np.arange(VISITS)
    scale = np.array([1.2, 1.5, 1.8, 2.0])
    root = np.linalg.cholesky(
        0.65 ** np.abs(np.subtract.outer(visit, visit)) * np.outer(scale, scale)
    )
    arm = np.arange(n) % 2
    base = rng.normal(6.5, 1.1, n)
    mean = -0.3 * visit + effect * arm[:, None] * visit / (VISITS - 1)
    change = mean - 0.3 * (base[:, None] - 6.5) + rng.standard_normal((n, VISITS)) @ root.T
    seen = np.ones((n, VISITS), dtype=bool)
    for j in range(1, VISITS):
        leaves = rng.random(n) < 1 / (1 + np.exp(2.8 - 0.5 * change[:, j - 1]))
        seen[:, j] = seen[:, j - 1] & ~leaves
    subject, at = np.nonzero(seen)
    return pd.DataFrame(
        {
            "USUBJID": subject,
            "ARM": np.where(arm[subject] == 1, "drug", "placebo"),
            "VISIT": at,
            "BASE": base[subject],
            "CHG": change[seen],
        }
    )


def fits(data: pd.DataFrame) -> dict[str, MmrmFit]:
    """One fit, with the inference of each method: the estimates are the same."""
    first = tk.mmrm(
        "CHG ~ ARM*VISIT + BASE",
        data,
        subject="USUBJID",
        visit="VISIT",
        arm="ARM",
        reference="placebo",
        df="kenward-roger",
    )
    out = {"kenward-roger": first}
    for method in set(THRESHOLDS) - set(out):
        is_robust = method.startswith("CR")
        options = replace(
            first.options,
            df="satterthwaite" if is_robust else method,
            vcov=method if is_robust else None,
        )
        tests = inference(
            first.marginal,
            first.model_frame.matrix,
            first.model_frame.response,
            options=options,
            layout=first.roles.layout,
            weights=None,
            intercept=0,
        )
        out[method] = replace(first, options=options, inference=tests)
    return out


def outcome(fit: MmrmFit, effect: float) -> tuple[bool, bool]:
    """Whether the hypothesis of no effect is rejected, and whether the interval covers."""
    row = fit.contrasts(visits=[VISITS - 1]).single()
    return row.p_value < LEVEL, row.ci_low <= effect <= row.ci_high


def simulate(replications: int) -> pd.DataFrame:
    """One row a method, size and effect."""
    found = {
        Cell(method, n, effect): [] for n in SIZES for effect in EFFECTS for method in THRESHOLDS
    }
    failed = dict.fromkeys(found, 0)
    for n in SIZES:
        for position, effect in enumerate(EFFECTS):
            for draw in range(replications):
                rng = np.random.default_rng([SEED, n, position, draw])
                try:
                    by_method = fits(trial(n, effect, rng))
                except tk.ConvergenceError:
                    by_method = {}
                for method in THRESHOLDS:
                    cell = Cell(method, n, effect)
                    if method in by_method:
                        found[cell].append(outcome(by_method[method], effect))
                    else:
                        failed[cell] += 1
            print(f"n = {n}, effect {effect:g}: done", file=sys.stderr, flush=True)
    rows = []
    for cell, outcomes in found.items():
        rejected, covered = np.mean(outcomes, axis=0)
        allowed = THRESHOLDS[cell.method][cell.n]
        allowed += 3 * np.sqrt(LEVEL * (1 - LEVEL) / len(outcomes))
        gaps = [abs(1 - covered - LEVEL)] + ([abs(rejected - LEVEL)] if not cell.effect else [])
        is_sound = max(gaps) <= allowed and failed[cell] <= MAX_FAILED * replications
        rows.append(
            {
                "method": cell.method,
                "n": cell.n,
                "effect": cell.effect,
                "rejected": rejected,
                "covered": covered,
                "allowed": allowed,
                "failed": failed[cell],
                "verdict": "ok" if is_sound else "MISSED",
            }
        )
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame, replications: int) -> str:
    head = (
        "# Mixed model for repeated measures: rejection and coverage at 5%\n\n"
        f"`python validation/mmrm.py --replications {replications}`: two arms, four visits, "
        "unstructured covariance, dropout at random; the contrast at the last visit. `rejected` "
        "is the type I error where the effect is zero and power elsewhere; `allowed` is the "
        "distance from 5% (or 95%) that passes: three Monte Carlo standard errors and the "
        "method's allowance. `failed` fits did not converge.\n\n"
        "| method | n | effect | rejected | covered | allowed | failed | verdict |\n"
        "|---|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {r.method} | {r.n} | {r.effect:g} | {r.rejected:.4f} | {r.covered:.4f} | "
        f"{r.allowed:.4f} | {r.failed} | {r.verdict} |"
        for r in table.sort_values(
            ["method", "effect", "n"], ascending=[True, False, True]
        ).itertuples()
    ]
    return head + "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=2000)
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
