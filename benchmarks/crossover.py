"""Time of a crossover with Kenward-Roger inference, beside R's lme4 and pbkrtest.

Both get the same frame in one run, data in memory, from formula to the table of treatment
contrasts with Kenward-Roger standard errors and degrees of freedom. Times are seconds of
processor with one BLAS thread; the best of several runs counts. Where R or its packages are
missing, that is said. The script compares the numbers too, and stops where they differ.

    python benchmarks/crossover.py [--sizes ab-ba-60,williams4-48,williams4-200,williams4-1000]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

import trialkit as tk  # noqa: E402

SIZES = ("ab-ba-60", "williams4-48", "williams4-200", "williams4-1000")
SEQUENCES = {"ab-ba": ("AB", "BA"), "williams4": ("ADBC", "BACD", "CBDA", "DCAB")}
SEED = 20260304
MISSING = 0.08
SECONDS, REPEATS = 5.0, 40
# What both must agree to: lme4's optimiser stops at about 1e-6 of the variances.
TOLERANCE = 1e-4
R_SCRIPT = """
suppressPackageStartupMessages({{ library(lme4); library(pbkrtest) }})
d <- read.csv({path!r}, stringsAsFactors = TRUE); d$PERIOD <- factor(d$PERIOD)
f <- function() {{
  m <- lmer(AVAL ~ TRTA + PERIOD + SEQ + (1 | USUBJID), d)
  b <- fixef(m); V <- vcovAdj(m); k <- grep("^TRTA", names(b))
  df <- sapply(k, function(j) {{ L <- numeric(length(b)); L[j] <- 1; Lb_ddf(L, vcov(m), V) }})
  cbind(b[k], sqrt(diag(as.matrix(V)))[k], df)
}}
t <- Inf; spent <- 0
for (i in 1:{repeats}) {{
  e <- sum(system.time(s <- f())[1:2]); t <- min(t, e); spent <- spent + e
  if (spent > {seconds}) break
}}
cat("seconds", t, "\\n"); cat("row", format(t(s), digits = 15), "\\n")
"""


def trial(size: str) -> pd.DataFrame:
    design, _, n = size.rpartition("-")
    rng = np.random.default_rng(SEED)
    sequences = SEQUENCES[design]
    effect = {"A": 0.0, "B": -0.3, "C": -0.7, "D": -0.9}
    rows = []
    for subject in range(int(n)):
        sequence = sequences[subject % len(sequences)]
        level = 6 + rng.normal()
        for period, letter in enumerate(sequence, start=1):
            value = level - 0.1 * period + effect[letter] + 0.8 * rng.normal()
            if period == 1 or rng.random() > MISSING:
                rows.append((f"S{subject:04d}", sequence, period, letter, round(value, 2)))
    return pd.DataFrame(rows, columns=["USUBJID", "SEQ", "PERIOD", "TRTA", "AVAL"])


def ours(data: pd.DataFrame) -> tuple[float, np.ndarray]:
    best, spent = np.inf, 0.0
    for _ in range(REPEATS):
        start = time.process_time()
        fit = tk.crossover(
            data,
            outcome="AVAL",
            subject="USUBJID",
            sequence="SEQ",
            period="PERIOD",
            treatment="TRTA",
            reference="A",
            information="expected",
        )
        table = fit.contrasts().frame()
        used = time.process_time() - start
        best, spent = min(best, used), spent + used
        if spent > SECONDS:
            break
    return best, table[["estimate", "se", "df"]].to_numpy()


def theirs(data: pd.DataFrame) -> tuple[float, np.ndarray] | str:
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        data.to_csv(path, index=False)
        script = R_SCRIPT.format(path=str(path), repeats=REPEATS, seconds=SECONDS)
        done = subprocess.run(
            ["Rscript", "-e", script], capture_output=True, text=True, check=False, timeout=1800
        )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    lines = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    return float(lines["seconds"][0]), np.array(lines["row"], dtype=float).reshape(-1, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=",".join(SIZES))
    failed = False
    print("| trial | rows | trialkit, s | lme4 + pbkrtest, s | ratio |\n|---|---|---|---|---|")
    for size in parser.parse_args().sizes.split(","):
        data = trial(size)
        seconds, table = ours(data)
        other = theirs(data)
        if isinstance(other, str):
            print(f"| {size} | {len(data)} | {seconds:.4f} | missing: {other} | |")
            continue
        gap = np.abs(table - other[1]).max(axis=0) / np.abs(other[1]).max(axis=0)
        if gap.max() > TOLERANCE:
            print(f"{size}: results differ by {gap.max():.1e}", file=sys.stderr)
            failed = True
        ratio = other[0] / seconds
        print(
            f"| {size} | {len(data)} | {seconds:.4f} | {other[0]:.3f} | {ratio:.0f} |", flush=True
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
