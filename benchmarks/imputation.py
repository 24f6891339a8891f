"""Time of reference-based imputation and of a tipping grid, beside R's rbmi where it is installed.

The same data and method in one run: conditional-mean imputation under jump to reference with
the jackknife (a fit without each subject, imputation, ANCOVA at every visit, pooling), 100
approximate-Bayesian draws, and a two-dimensional grid of 41 by 41 deltas. Data are in memory;
the best of several runs counts, by the clock and in seconds of processor (the two are equal on
an idle machine with one thread of linear algebra); the ratio is that of the clocks. A contender
that is not installed is named as missing, and rbmi's times measured elsewhere are printed as
such.

    OMP_NUM_THREADS=1 python benchmarks/imputation.py [--sizes 172x4,200x4] [--repeats 10]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import trialkit as tk

SEED = 20260601
FORMULA = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"
ANALYSIS = "CHG ~ TRT01P + BASE"
ROLES = {
    "subject": "USUBJID",
    "visit": "AVISIT",
    "visit_order": "AVISITN",
    "arm": "TRT01P",
    "reference": "Placebo",
    "analysis": ANALYSIS,
}
# R's rbmi 1.5.2 on R 4.2.2, two cores, 172 patients by 4 visits: seconds.
MEASURED = {"jackknife, j2r": 12.5, "100 approximate-Bayesian draws": 7.0}
R_SCRIPT = """
suppressPackageStartupMessages(library(rbmi))
d <- read.csv({path!r}, stringsAsFactors = TRUE)
d$AVISIT <- factor(d$AVISIT, levels = unique(d$AVISIT[order(d$AVISITN)]))
d$TRT01P <- relevel(d$TRT01P, "Placebo")
ice <- do.call(rbind, lapply(split(d, d$USUBJID), function(x) {{
  k <- max(c(0, which(!is.na(x$CHG)))); if (k == nrow(x)) NULL else
  data.frame(USUBJID = x$USUBJID[1], AVISIT = x$AVISIT[k + 1], strategy = "JR") }}))
v <- set_vars(subjid = "USUBJID", visit = "AVISIT", outcome = "CHG", group = "TRT01P",
              covariates = c("BASE*AVISIT", "TRT01P*AVISIT"), strategy = "strategy")
va <- v; va$covariates <- "BASE"
run <- function(m) {{
  dr <- draws(d, ice, v, m, quiet = TRUE)
  im <- impute(dr, references = c("Placebo" = "Placebo", "LDN 4.5 mg" = "Placebo"))
  pool(analyse(im, ancova, vars = va)) }}
t <- system.time(run(method_condmean(type = "jackknife")))[["elapsed"]]
cat("jackknife, j2r =", t, "\\n")
t <- system.time(run(method_approxbayes(n_samples = 100)))[["elapsed"]]
cat("100 approximate-Bayesian draws =", t, "\\n")
"""


def trial(size: str) -> pd.DataFrame:
    """A two-arm trial with monotone dropout and a few gaps; every visit has a row."""
    n, m = (int(part) for part in size.split("x"))
    rng = np.random.default_rng([SEED, n, m])
    visit = np.arange(m)
    scale = 1 + 0.1 * visit
    covariance = 0.7 ** np.abs(np.subtract.outer(visit, visit)) * np.outer(scale, scale)
    arm = np.arange(n) % 2
    base = rng.normal(6.5, 1.0, n)
    change = rng.standard_normal((n, m)) @ np.linalg.cholesky(covariance).T
    change += -0.4 * arm[:, None] * (1 + visit) / 2 - 0.3 * (base[:, None] - 6.5)
    left = np.where(rng.random(n) < 0.25, rng.integers(1, m, n), m)
    change[visit[None, :] >= left[:, None]] = np.nan
    gap = rng.random((n, m)) < 0.02
    gap[:, 0] = False
    change[gap] = np.nan
    width = len(str(n))
    return pd.DataFrame(
        {
            "USUBJID": np.repeat([f"S{i:0{width}d}" for i in range(n)], m),
            "TRT01P": np.repeat(np.where(arm == 1, "LDN 4.5 mg", "Placebo"), m),
            "AVISIT": np.tile([f"Week {4 * (k + 1)}" for k in range(m)], n),
            "AVISITN": np.tile(4 * (visit + 1), n),
            "BASE": np.repeat(base, m),
            "CHG": change.ravel(),
        }
    )


def tasks(data: pd.DataFrame) -> dict[str, Callable[[], object]]:
    steps = np.linspace(0, 4, 41)
    return {
        "jackknife, j2r": lambda: tk.reference_based(FORMULA, data, strategy="j2r", **ROLES),
        "jackknife, five strategies": lambda: tk.reference_based(
            FORMULA, data, strategy=["mar", "j2r", "cr", "cir", "lmcf"], **ROLES
        ),
        "100 approximate-Bayesian draws": lambda: tk.reference_based(
            FORMULA, data, variance="rubin", n_samples=100, rng=1, **ROLES
        ),
        "1000 bootstrap samples": lambda: tk.reference_based(
            FORMULA, data, variance="bootstrap", n_samples=1000, rng=1, **ROLES
        ),
        "tipping grid, 41 x 41": lambda: tk.tipping_point(
            FORMULA, data, deltas={"Placebo": steps, "LDN 4.5 mg": steps}, **ROLES
        ),
    }


def best_of(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Least seconds by the clock, and least seconds of processor, of several runs."""
    clock, processor = [], []
    for _ in range(repeats):
        begin = time.perf_counter(), time.process_time()
        call()
        clock.append(time.perf_counter() - begin[0])
        processor.append(time.process_time() - begin[1])
    return min(clock), min(processor)


def rbmi(data: pd.DataFrame) -> dict[str, float]:
    """Seconds of R's rbmi on the same data, or nothing where it is not installed."""
    check = "quit(status = !requireNamespace('rbmi', quietly = TRUE))"
    if (
        shutil.which("Rscript") is None
        or subprocess.run(["Rscript", "-e", check], capture_output=True).returncode != 0
    ):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        data.to_csv(path, index=False)
        script = Path(folder) / "run.R"
        script.write_text(R_SCRIPT.format(path=str(path)), encoding="utf-8")
        run = subprocess.run(["Rscript", str(script)], capture_output=True, text=True, check=True)
    lines = [line.split(" = ") for line in run.stdout.splitlines() if " = " in line]
    return {name: float(value) for name, value in lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="172x4,200x4")
    parser.add_argument("--repeats", type=int, default=10)
    given = parser.parse_args()
    for size in given.sizes.split(","):
        data = trial(size)
        peer = rbmi(data)
        print(f"\n{size}: {int(data['CHG'].isna().sum())} of {len(data)} outcomes missing")
        print(f"{'':34}{'clock':>10}{'processor':>11}{'rbmi':>10}{'times':>8}")
        for name, call in tasks(data).items():
            call()  # imports are not part of an analysis
            seconds, processor = best_of(call, given.repeats)
            theirs = peer.get(name)
            mark = "" if theirs is not None else "*"
            if theirs is None and size == "172x4":
                theirs = MEASURED.get(name)
            text = f"{theirs:9.2f}{mark or ' '}" if theirs else f"{'-':>10}"
            ratio = f"{theirs / seconds:7.0f}x" if theirs else ""
            print(f"{name:34}{seconds:9.3f}s{processor:10.3f}s{text}{ratio}")
    if not peer:
        print("\nrbmi is not installed here. * measured elsewhere: rbmi 1.5.2, R 4.2.2, two cores,")
        print("172 patients by 4 visits, the same method on data of the same shape.")


if __name__ == "__main__":
    main()
