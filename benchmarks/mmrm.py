"""Time and peak memory of the mixed model for repeated measures, beside what else is installed.

Every contender gets the same frame in one run: from formula to coefficient table, data in
memory, each in a process of its own (peak memory is that process's). Times are seconds of
processor, with one BLAS thread: on an idle machine the same as by the clock, and on a busy one
still comparable. A contender that is not installed is named as missing; one that passes the
limit is stopped.

    python benchmarks/mmrm.py [--sizes 200x4,1000x10] [--limit 60] [--only trialkit]
    python benchmarks/mmrm.py --iterations --sizes 1000x6,10000x6,100000x6

Contenders: trialkit (Kenward-Roger, Satterthwaite), R's mmrm (both), R's nlme::gls (unstructured,
its own normal-theory table), statsmodels MixedLM (a random intercept: compound symmetry, the
nearest it can do, with normal-theory inference).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

SIZES = ("200x4", "1000x10", "10000x6", "100000x6")
FORMULA = "CHG ~ BASE*AVISIT + TRT01P*AVISIT"
SEED = 20260301
# A contender is repeated for so many seconds, at most so often; the best run counts.
SECONDS = 5.0
REPEATS = 40
R_COMMON = """
d <- read.csv({path!r}, stringsAsFactors = TRUE)
d$AVISIT <- factor(d$AVISIT, levels = unique(d$AVISIT[order(d$AVISITN)]))
d$TRT01P <- relevel(d$TRT01P, "Placebo"); d$VI <- as.integer(d$AVISIT)
f <- function() {{ {call} }}
t <- Inf; spent <- 0
for (i in 1:{repeats}) {{
  e <- sum(system.time(s <- f())[1:2]); t <- min(t, e); spent <- spent + e
  if (spent > {seconds}) break
}}
cat("seconds", t, "\\n")
"""
R_CALLS = {
    "mmrm": (
        "library(mmrm); fit <- mmrm(CHG ~ BASE*AVISIT + TRT01P*AVISIT + us(AVISIT | USUBJID), d, "
        "method = '{method}'); summary(fit)"
    ),
    "nlme": (
        "library(nlme); fit <- gls(CHG ~ BASE*AVISIT + TRT01P*AVISIT, d, "
        "correlation = corSymm(form = ~ VI | USUBJID), weights = varIdent(form = ~ 1 | AVISIT)); "
        "summary(fit)"
    ),
}


@dataclass(frozen=True)
class Contender:
    name: str
    package: str
    method: str

    @property
    def is_r(self) -> bool:
        return self.package in R_CALLS


CONTENDERS = (
    Contender("trialkit, Kenward-Roger", "trialkit", "kenward-roger"),
    Contender("trialkit, Satterthwaite", "trialkit", "satterthwaite"),
    Contender("R mmrm, Kenward-Roger", "mmrm", "Kenward-Roger"),
    Contender("R mmrm, Satterthwaite", "mmrm", "Satterthwaite"),
    Contender("R nlme::gls, unstructured", "nlme", ""),
    Contender("statsmodels MixedLM, random intercept", "statsmodels", ""),
)


def trial(size: str) -> pd.DataFrame:
    """A two-arm trial with dropout and intermittent gaps; rows as they were observed."""
    n, m = (int(part) for part in size.split("x"))
    rng = np.random.default_rng([SEED, n, m])
    visit = np.arange(m)
    scale = 1 + 0.1 * visit
    root = np.linalg.cholesky(
        0.7 ** np.abs(np.subtract.outer(visit, visit)) * np.outer(scale, scale)
    )
    arm = np.arange(n) % 2
    base = rng.normal(6.5, 1.0, n)
    change = rng.standard_normal((n, m)) @ root.T
    change += -0.1 * arm[:, None] * visit - 0.3 * (base[:, None] - 6.5)
    left = np.where(rng.random(n) < 0.25, rng.integers(1, m, n), m)
    seen = visit[None, :] < left[:, None]
    seen &= rng.random((n, m)) > 0.06
    seen[:, 0] = True
    subject, at = np.nonzero(seen)
    width = len(str(n))
    return pd.DataFrame(
        {
            "USUBJID": np.char.add("S", np.char.zfill(subject.astype(str), width)),
            "TRT01P": np.where(arm[subject] == 1, "LDN 4.5 mg", "Placebo"),
            "AVISIT": np.char.add("Week ", (2 * at + 2).astype(str)),
            "AVISITN": 2 * at + 2,
            "BASE": base[subject],
            "CHG": change[seen],
        }
    )


def run_trialkit(data: pd.DataFrame, method: str) -> None:
    import trialkit as tk

    fit = tk.mmrm(
        FORMULA,
        data,
        subject="USUBJID",
        visit="AVISIT",
        visit_order="AVISITN",
        arm="TRT01P",
        reference="Placebo",
        df=method,
    )
    fit.coefficients().frame()


def run_statsmodels(data: pd.DataFrame) -> None:
    from statsmodels.regression.mixed_linear_model import MixedLM

    MixedLM.from_formula(FORMULA, data, groups="USUBJID").fit(reml=True).summary()


def iteration_cost(size: str) -> float:
    """Milliseconds of one Newton iteration, from a start far from the optimum."""
    import trialkit as tk
    from trialkit.kernels.mmrm.optimise import maximise

    fit = tk.mmrm(
        FORMULA, trial(size), subject="USUBJID", visit="AVISIT", visit_order="AVISITN"
    ).marginal
    start = [s.starts(np.eye(fit.patterns.n_visits))[0] for s in fit.structures]
    best = np.inf
    for _ in range(REPEATS):
        begin = time.process_time()
        optimum = maximise(fit.likelihood, fit.structures, start)
        best = min(best, (time.process_time() - begin) / optimum.iterations)
    return 1000 * best


def run_here(package: str, method: str, path: str) -> None:
    """One contender of Python in this process: the best of a few runs."""
    data = pd.read_parquet(path)
    call = (
        (lambda: run_trialkit(data, method))
        if package == "trialkit"
        else (lambda: run_statsmodels(data))
    )
    if package == "trialkit":
        run_trialkit(data.head(400), method)  # imports are not part of a fit
    best, spent = np.inf, 0.0
    for _ in range(REPEATS):
        begin = time.process_time()
        call()
        elapsed = time.process_time() - begin
        best, spent = min(best, elapsed), spent + elapsed
        if spent > SECONDS:
            break
    print("seconds", best)


def is_installed(contender: Contender) -> bool:
    if not contender.is_r:
        return True
    if shutil.which("Rscript") is None:
        return False
    check = f"quit(status = !requireNamespace('{contender.package}', quietly = TRUE))"
    return subprocess.run(["Rscript", "-e", check], capture_output=True).returncode == 0


def command(contender: Contender, folder: Path) -> list[str]:
    if not contender.is_r:
        script = str(Path(__file__).resolve())
        path = str(folder / "trial.parquet")
        return [sys.executable, script, "--run", contender.package, contender.method, path]
    call = R_CALLS[contender.package].format(method=contender.method)
    text = R_COMMON.format(
        path=str(folder / "trial.csv"), call=call, repeats=REPEATS, seconds=SECONDS
    )
    script_r = folder / "run.R"
    script_r.write_text(text, encoding="utf-8")
    return ["Rscript", str(script_r)]


def measure(contender: Contender, folder: Path, limit: int) -> tuple[str, str]:
    """Seconds and peak memory as text; a dash where the limit was passed."""
    out = folder / "out.txt"

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))

    with out.open("w") as target:
        process = subprocess.Popen(
            command(contender, folder),
            stdout=target,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            preexec_fn=restrict,
        )
        _, status, usage = os.wait4(process.pid, 0)
    if os.WIFSIGNALED(status):
        return f"over {limit} s", "-"
    words = out.read_text().split()
    if status != 0 or "seconds" not in words:
        return "failed", "-"
    seconds = float(words[words.index("seconds") + 1])
    return f"{seconds:.3g} s", f"{usage.ru_maxrss / 1024:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=",".join(SIZES[:3]), help="subjects x visits, by commas")
    parser.add_argument("--limit", type=int, default=60, help="seconds a contender may take")
    parser.add_argument("--only", default="", help="contenders whose name holds this")
    parser.add_argument("--iterations", action="store_true", help="cost of one iteration, alone")
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run_here(*chosen.run)
        return
    if chosen.iterations:
        for size in chosen.sizes.split(","):
            print(f"{size}: {iteration_cost(size):.2f} ms an iteration")
        return
    contenders = [c for c in CONTENDERS if chosen.only in c.name]
    present = [c for c in contenders if is_installed(c)]
    print("| subjects x visits | rows | contender | time | peak memory |")
    print("|---|---|---|---|---|")
    for size in chosen.sizes.split(","):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = trial(size)
            data.to_parquet(folder / "trial.parquet")
            if any(c.is_r for c in present):
                data.to_csv(folder / "trial.csv", index=False)
            for contender in present:
                seconds, memory = measure(contender, folder, chosen.limit)
                print(
                    f"| {size} | {len(data)} | {contender.name} | {seconds} | {memory} |",
                    flush=True,
                )
    for contender in contenders:
        if contender not in present:
            print(f"\nNot found, so not measured: {contender.name}.")


if __name__ == "__main__":
    main()
