"""Bias and coverage of censored fits, by simulation: pairs, draws and arms, 10 to 70% censored.

Each replication is one analyte of a panel of independent analytes; the limit of quantification
is the quantile that leaves the wanted share below it. Pairs: n subjects before and after, SD 1
between subjects and 0.5 within, a fall of 0.6 (log2). Draws: the same with three draws a phase
and SD 0.3 between a subject's phases. Arms: n subjects in all, SD 1, a fall of 0.8. Compared:
maximum likelihood ("tobit") and half the limit.

    python validation/panel.py [--replications 1000] [--write validation/panel]

`--write` makes PATH.md and PATH.png (bias over censoring). `THRESHOLDS` are allowances beyond
three Monte Carlo standard errors; they apply to the tobit fits in the cells named there, in
which nearly all replications have an estimate. A run with fewer than
`MIN_REPLICATIONS_TO_CHECK` replications reports and judges nothing. Exit code 1 where a cell
misses its threshold.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import trialkit as tk

SEED = 20261102
MIN_REPLICATIONS_TO_CHECK = 500
SHARES = (0.1, 0.3, 0.5, 0.7)
SIZES = {"paired": (8, 16, 30, 50), "draws": (8,), "parallel": (20, 50)}
EFFECT = {"paired": -0.6, "draws": -0.6, "parallel": -0.8}
N_DRAWS = {"paired": 1, "draws": 3}
RULES = ("tobit", "half")
LEVEL = 0.95
# Design -> (most censoring judged at each n, bias allowed, shortfall of coverage allowed).
# Few subjects with much censoring leave the variance nearly undetermined: reported, not judged.
THRESHOLDS = {
    ("paired", 8): (0.3, 0.05, 0.03),
    ("paired", 16): (0.5, 0.05, 0.03),
    ("paired", 30): (0.7, 0.05, 0.02),
    ("paired", 50): (0.7, 0.04, 0.02),
    ("draws", 8): (0.3, 0.05, 0.03),
    # Wald z with the maximum-likelihood variance, as survreg: short in small samples.
    ("parallel", 20): (0.5, 0.06, 0.05),
    ("parallel", 50): (0.7, 0.06, 0.03),
}


def panel(design: str, n: int, share: float, m: int, rng: np.random.Generator) -> pd.DataFrame:
    draw = np.zeros(1, dtype=np.int64)
    if design in N_DRAWS:
        r = N_DRAWS[design]
        own = rng.normal(0, 1, (m, n, 1))
        phases = own + (rng.normal(0, 0.3, (m, n, 2)) if r > 1 else 0.0)
        y = np.repeat(phases, r, axis=2) + rng.normal(0, 0.5, (m, n, 2 * r))
        y = y + np.repeat([0.0, EFFECT[design]], r)
        condition = np.tile(np.repeat(["A", "B"], r), m * n)
        who = np.tile(np.repeat(np.arange(n), 2 * r), m)
        draw = np.tile(np.arange(r), 2 * m * n)
    else:
        arm = np.arange(n) % 2
        y = rng.normal(0, 1, (m, n)) + EFFECT[design] * arm
        condition = np.tile(np.where(arm == 1, "B", "A"), m)
        who = np.tile(np.arange(n), m)
    # The limit is that of the distribution, not of the sample: as an assay's is.
    limit = np.quantile(y, share)
    return pd.DataFrame(
        {
            "USUBJID": who,
            "ARM": condition,
            "DRAW": draw if draw.size > 1 else 0,
            "PARAMCD": np.repeat(np.arange(m), y[0].size),
            "AVAL": y.ravel(),
            "LLOQ": limit,
        }
    )


def cell(design: str, n: int, share: float, m: int, rng: np.random.Generator) -> list[dict]:
    frame = panel(design, n, share, m, rng)
    truth = EFFECT[design]
    rows = []
    for rule in RULES:
        found = tk.compare_panel(
            frame,
            analyte="PARAMCD",
            value="AVAL",
            subject="USUBJID",
            design="parallel" if design == "parallel" else "paired",
            visit=None if design == "parallel" else "DRAW",
            condition="ARM",
            reference="A",
            transform="none",
            lloq="LLOQ",
            censoring=rule,
            adjust="none",
            ci_level=LEVEL,
        ).frame()
        ok = found[found["status"] == "ok"]
        error = ok["estimate"] - truth
        covered = (ok["ci_low"] <= truth) & (ok["ci_high"] >= truth)
        rows.append(
            {
                "design": design,
                "n": n,
                "censored": share,
                "rule": rule,
                "estimated": len(ok) / m,
                "bias": error.mean(),
                "bias_mcse": error.std() / np.sqrt(len(ok)),
                "rmse": np.sqrt((error**2).mean()),
                "coverage": covered.mean(),
                "coverage_mcse": np.sqrt(covered.mean() * (1 - covered.mean()) / len(ok)),
            }
        )
    return rows


def misses(table: pd.DataFrame) -> list[str]:
    found = []
    for row in table[table["rule"] == "tobit"].to_dict("records"):
        most, bias, short = THRESHOLDS[row["design"], row["n"]]
        if row["censored"] > most:
            continue
        where = f"{row['design']}, n = {row['n']}, {100 * row['censored']:.0f}% censored"
        if abs(row["bias"]) > bias + 3 * row["bias_mcse"]:
            found.append(f"{where}: bias {row['bias']:.3f}")
        if row["coverage"] < LEVEL - short - 3 * row["coverage_mcse"]:
            found.append(f"{where}: coverage {row['coverage']:.3f}")
    return found


def draw(table: pd.DataFrame, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (design, n) in enumerate((("paired", 30), ("parallel", 50)), start=1):
        axes = figure.add_subplot(1, 2, place)
        chosen = table[(table["design"] == design) & (table["n"] == n)]
        for rule, style in (("tobit", "-o"), ("half", "--s")):
            part = chosen[chosen["rule"] == rule]
            x = 100 * part["censored"]
            axes.errorbar(x, part["bias"], 3 * part["bias_mcse"], fmt=style, label=rule, ms=4)
        axes.axhline(0, color="#8a8a8a", linewidth=0.8)
        axes.set_title(f"{design}, n = {n}", fontsize=9)
        axes.set_xlabel("below the limit [%]")
        axes.set_ylabel("bias of the log2 difference")
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def as_markdown(table: pd.DataFrame, replications: int) -> str:
    shown = table.assign(censored=(100 * table["censored"]).round().astype(int))
    columns = ["design", "n", "censored", "rule", "estimated", "bias", "rmse", "coverage"]
    lines = [
        f"# Censored panels: {replications} replications a cell, seed {SEED}",
        "",
        "Bias and RMSE on log2 (truth: -0.6 within subjects, -0.8 parallel); "
        "coverage of 95% intervals;",
        "`estimated` is the share of replications with an estimate, to which the rest refers.",
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
    ]
    for row in shown[columns].to_dict("records"):
        cells = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--write", type=Path)
    chosen = parser.parse_args()
    rows: list[dict] = []
    for design, sizes in SIZES.items():
        for n in sizes:
            for share in SHARES:
                seed = np.random.SeedSequence([SEED, n, round(100 * share), len(design)])
                rng = np.random.default_rng(seed)
                rows += cell(design, n, share, chosen.replications, rng)
                print(pd.DataFrame(rows[-2:]).round(3).to_string(header=False), flush=True)
    table = pd.DataFrame(rows)
    if chosen.write:
        text = as_markdown(table, chosen.replications)
        chosen.write.with_suffix(".md").write_text(text, encoding="utf-8")
        draw(table, chosen.write.with_suffix(".png"))
    if chosen.replications < MIN_REPLICATIONS_TO_CHECK:
        print("Too few replications to judge.")
        return 0
    found = misses(table)
    print("\n".join(found) or "Every judged cell within its threshold.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
