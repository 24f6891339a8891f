"""Bias, coverage and variance of reference-based imputation, each strategy under its own truth.

Two arms of 100, four visits, dropout that depends on the last observed outcome and differs by
arm. For each strategy the world is one in which it is right: after dropout a subject's outcomes
come from the conditional distribution that the strategy names, and are never seen. The truth is
the difference at the last visit over a population of that world. Against it stand: the mean
error, the coverage of 95% intervals, and the mean standard error over the standard deviation of
the estimates, for the jackknife and for Rubin's rules over draws.

    python validation/imputation.py [--replications 1000] [--write validation/imputation.md]

What is expected: no bias; a jackknife whose standard error is that of repeated trials; Rubin's
rules equal to it under "mar" and wider under the strategies that borrow from the reference arm
(information anchored, Cro et al. 2019), so that its coverage exceeds 95% there. A run with fewer
than `MIN_REPLICATIONS_TO_CHECK` replications reports and judges nothing. Exit code 1 where a
number misses its threshold.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import trialkit as tk

SEED = 20260603
N, VISITS = 200, 4
POPULATION = 1_000_000
N_DRAWS = 40
LEVEL = 0.95
MIN_REPLICATIONS_TO_CHECK = 500
STRATEGIES = ("mar", "j2r", "cr", "cir", "lmcf")
FORMULA = "CHG ~ BASE*AVISITN + TRT01P*AVISITN".replace("AVISITN", "C(AVISITN)")
ROLES = {
    "subject": "USUBJID",
    "visit": "AVISITN",
    "arm": "TRT01P",
    "reference": "Placebo",
    "analysis": "CHG ~ TRT01P + BASE",
}
SCALE = np.array([1.2, 1.5, 1.8, 1.9])
COVARIANCE = 0.7 ** np.abs(np.subtract.outer(range(VISITS), range(VISITS))) * np.outer(SCALE, SCALE)
PLACEBO = -np.array([0.5, 0.8, 1.0, 1.1])
EFFECT = -np.array([0.3, 0.7, 1.1, 1.3])
# Monte Carlo error is allowed for with three standard errors. Beyond it: the error in standard
# deviations of the estimate that counts as bias, the shortfall of coverage and the relative
# error of the jackknife's standard error that normal intervals at this size may have.
MAX_BIAS = 0.03
MAX_UNDERCOVERAGE = 0.01
MAX_SE_ERROR = 0.03
# Rubin's standard error over the jackknife's must not fall below this under any strategy.
MIN_RUBIN_RATIO = 0.98


def outcomes(
    n: int, strategy: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arm (n,), baseline (n,), all outcomes (n, m) of the strategy's world, and event (n,)."""
    arm = np.arange(n) % 2
    base = rng.normal(6.5, 1.0, n)
    reference = PLACEBO - 0.3 * (base[:, None] - 6.5)
    own = reference + arm[:, None] * EFFECT
    y = own + rng.standard_normal((n, VISITS)) @ np.linalg.cholesky(COVARIANCE).T
    event = np.full(n, VISITS)
    for visit in range(1, VISITS):
        chance = 1 / (1 + np.exp(2.3 - 0.4 * (y[:, visit - 1] + 1) - 0.3 * arm))
        leaves = (event == VISITS) & (rng.random(n) < chance)
        event[leaves] = visit
    for first in range(1, VISITS):
        left = event == first
        y[left, first:] = after(y[left], own[left], reference[left], first, strategy, rng)
    return arm, base, y, event


def after(
    y: np.ndarray,
    own: np.ndarray,
    reference: np.ndarray,
    first: int,
    strategy: str,
    rng: np.random.Generator,
) -> np.ndarray:
    """Outcomes from visit `first` on, given those before, as the strategy has them."""
    mean = own.copy()
    if strategy == "j2r":
        mean[:, first:] = reference[:, first:]
    elif strategy == "cr":
        mean = reference
    elif strategy == "cir":
        start = own[:, first - 1] - reference[:, first - 1]
        mean[:, first:] = reference[:, first:] + start[:, None]
    elif strategy == "lmcf":
        mean[:, first:] = own[:, [first - 1]]
    old, new = slice(0, first), slice(first, VISITS)
    slopes = np.linalg.solve(COVARIANCE[old, old], COVARIANCE[old, new])
    left = COVARIANCE[new, new] - COVARIANCE[new, old] @ slopes
    noise = rng.standard_normal((len(y), VISITS - first)) @ np.linalg.cholesky(left).T
    return mean[:, new] + (y[:, old] - mean[:, old]) @ slopes + noise


def truth(strategy: str) -> float:
    """The difference at the last visit over a large population of the strategy's world."""
    rng = np.random.default_rng([SEED, 1, STRATEGIES.index(strategy)])
    arm, base, y, _ = outcomes(POPULATION, strategy, rng)
    x = np.column_stack([np.ones_like(base), arm, base])
    return float(np.linalg.lstsq(x, y[:, -1], rcond=None)[0][1])


def trial(strategy: str, replication: int) -> pd.DataFrame:
    rng = np.random.default_rng([SEED, 2, STRATEGIES.index(strategy), replication])
    arm, base, y, event = outcomes(N, strategy, rng)
    y[np.arange(VISITS) >= event[:, None]] = np.nan
    return pd.DataFrame(
        {
            "USUBJID": np.repeat(np.arange(N), VISITS),
            "TRT01P": np.repeat(np.where(arm == 1, "Drug", "Placebo"), VISITS),
            "AVISITN": np.tile(4 * np.arange(1, VISITS + 1), N),
            "BASE": np.repeat(base, VISITS),
            "CHG": y.ravel(),
        }
    )


def row(strategy: str, replications: int) -> dict[str, object]:
    """Both analyses of every replication, against the truth."""
    true = truth(strategy)
    found: dict[str, list[tuple[float, float, bool]]] = {"jackknife": [], "rubin": []}
    for replication in range(replications):
        data = trial(strategy, replication)
        for variance, chance in (
            ("jackknife", {}),
            ("rubin", {"n_samples": N_DRAWS, "rng": replication}),
        ):
            result = tk.reference_based(
                FORMULA, data, strategy=strategy, variance=variance, **ROLES, **chance
            )
            one = result.where(visit=4 * VISITS).single()
            found[variance].append((one.estimate, one.se, one.ci_low < true < one.ci_high))
    jack, rubin = (np.array(found[name], dtype=float) for name in ("jackknife", "rubin"))
    spread = jack[:, 0].std(ddof=1)
    return {
        "strategy": strategy,
        "truth": true,
        "bias in SD": (jack[:, 0].mean() - true) / spread,
        "coverage jackknife": jack[:, 2].mean(),
        "coverage rubin": rubin[:, 2].mean(),
        "SE/SD jackknife": jack[:, 1].mean() / spread,
        "SE/SD rubin": rubin[:, 1].mean() / rubin[:, 0].std(ddof=1),
        "SE rubin/jackknife": rubin[:, 1].mean() / jack[:, 1].mean(),
    }


def problems(each: dict[str, object], replications: int) -> list[str]:
    """What misses its threshold in one row."""
    value = {name: float(number) for name, number in each.items() if name != "strategy"}
    root = np.sqrt(replications)
    out = []
    if abs(value["bias in SD"]) > MAX_BIAS + 3 / root:
        out.append("bias")
    for name in ("jackknife", "rubin"):
        error = 3 * np.sqrt(LEVEL * (1 - LEVEL)) / root
        if value[f"coverage {name}"] < LEVEL - MAX_UNDERCOVERAGE - error:
            out.append(f"coverage of {name}")
    # The standard deviation of r estimates has a relative standard error of 1 / sqrt(2 r).
    if abs(value["SE/SD jackknife"] - 1) > MAX_SE_ERROR + 3 / (np.sqrt(2) * root):
        out.append("jackknife standard error")
    if value["SE rubin/jackknife"] < MIN_RUBIN_RATIO:
        out.append("Rubin below the jackknife")
    if each["strategy"] == "mar" and abs(value["SE rubin/jackknife"] - 1) > MAX_SE_ERROR:
        out.append("Rubin and jackknife differ under mar")
    return out


def report(table: pd.DataFrame, replications: int) -> str:
    columns = list(table.columns)
    lines = [
        "# Reference-based imputation by simulation",
        "",
        f"{replications} trials a strategy, {N} subjects by {VISITS} visits, seed {SEED}; "
        f"{N_DRAWS} draws for Rubin's rules. Monte Carlo standard error of a coverage of 0.95: "
        f"{np.sqrt(LEVEL * (1 - LEVEL) / replications):.4f}.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for _, line in table.iterrows():
        cells = [str(v) if isinstance(v, str) else f"{v:.3f}" for v in line]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    rows = [row(strategy, given.replications) for strategy in STRATEGIES]
    text = report(pd.DataFrame(rows), given.replications)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")
    if given.replications < MIN_REPLICATIONS_TO_CHECK:
        print(f"Fewer than {MIN_REPLICATIONS_TO_CHECK} replications: nothing is judged.")
        return 0
    found = {str(each["strategy"]): problems(each, given.replications) for each in rows}
    for strategy, names in found.items():
        if names:
            print(f"{strategy}: {', '.join(names)}")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
