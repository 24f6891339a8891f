"""Figures of a synthetic twin computed afresh from its CSV files, with nothing of trialkit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

Key = tuple[str, str, str, str]  # arm, outcome, timepoint, statistic
LABELS = {
    "ldn_6mg": "LDN 6 mg",
    "ldn_4.5mg": "LDN 4.5 mg",
    "placebo": "Placebo",
    "ldn": "LDN",
    "ldn_3-4.5mg": "LDN 3-4.5 mg",
}


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])


def published(folder: Path, name: str = "published") -> dict[Key, str]:
    frame = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    keys = frame[["arm", "outcome", "timepoint", "statistic"]].itertuples(index=False, name=None)
    return dict(zip(keys, frame["printed"], strict=True))


def prints(value: object, printed: str) -> bool:
    """Whether a value prints so, away from the rounding boundary; counts as text."""
    if isinstance(value, str):
        return value == printed
    decimals = len(printed.partition(".")[2])
    return abs(float(value) - float(printed)) < 0.5 * 10**-decimals - 1e-9  # type: ignore[arg-type]


def arm_of(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    return frame[frame["TRT01P"] == LABELS[arm]]


def share(frame: pd.DataFrame, flag: str, arm: str) -> str:
    rows = arm_of(frame, arm)
    return f"{(rows[flag] == 'Y').sum()}/{len(rows)}"


def two_sample(treated: pd.Series, control: pd.Series) -> dict[str, float]:
    """Difference, interval and p of the t-test with one variance."""
    test = stats.ttest_ind(treated, control)
    low, high = test.confidence_interval()
    return {
        "mean_difference": treated.mean() - control.mean(),
        "ci95_lo": low,
        "ci95_hi": high,
        "p": test.pvalue,
    }


def one_sample(values: pd.Series) -> dict[str, float]:
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    return {"mean_change": values.mean(), "ci95_lo": low, "ci95_hi": high}


def final2024(folder: Path) -> dict[Key, object]:
    adsl, adqs = table(folder, "adsl"), table(folder, "adqs")
    pain = adqs[(adqs["PARAMCD"] == "NRSPAIN") & (adqs["AVISIT"] == "Week 12")]
    memory = adqs[(adqs["PARAMCD"] == "FIQRMEM") & (adqs["AVISIT"] == "Week 12")]
    found: dict[Key, object] = {
        ("all", "age", "baseline", "mean"): adsl["AGE"].mean(),
        ("all", "age", "baseline", "sd"): adsl["AGE"].std(),
        ("all", "lost to follow-up", "wk12", "n"): float(99 - pain["AVAL"].notna().sum()),
    }
    for arm in ("ldn_6mg", "placebo"):
        rows = arm_of(pain, arm)
        found[arm, "randomised/ITT", "", "n"] = float(len(arm_of(adsl, arm)))
        found[arm, "pain_nrs", "baseline", "mean"] = rows["BASE"].mean()
        found[arm, "pain_nrs", "baseline", "sd"] = rows["BASE"].std()
        for name, value in one_sample(rows["CHG"]).items():
            found[arm, "pain_nrs", "wk12", name] = value
        for number, cut in enumerate((15, 30, 50), start=1):
            outcome = f"pain responder >={cut}% (ITT)"
            found[arm, outcome, "wk12", "n/N"] = share(pain, f"CRIT{number}FL", arm)
        complete = pain[pain["COMPLFL"] == "Y"]
        outcome = "pain responder >=30% (complete case)"
        found[arm, outcome, "wk12", "n/N"] = share(complete, "CRIT2FL", arm)
        for outcome, flag in (
            ("any adverse event", "ANYAEFL"),
            ("discontinuation due to AE", "DCAEFL"),
            ("serious adverse event", "ANYSAEFL"),
        ):
            found[arm, outcome, "wk12", "n/N"] = share(adsl, flag, arm)
        found[arm, "memory problems (FIQR item)", "wk12", "mean_change"] = arm_of(memory, arm)[
            "CHG"
        ].mean()
    contrast = "ldn - placebo"
    treated, control = arm_of(pain, "ldn_6mg"), arm_of(pain, "placebo")
    for name, value in two_sample(treated["CHG"], control["CHG"]).items():
        found[contrast, "pain_nrs", "wk12", name] = value
    pooled = np.sqrt((48 * treated["BASE"].var() + 49 * control["BASE"].var()) / 97)
    difference = treated["CHG"].mean() - control["CHG"].mean()
    found[contrast, "pain_nrs", "wk12", "cohens_d"] = abs(difference) / pooled
    changes = [arm_of(memory, arm)["CHG"] for arm in ("ldn_6mg", "placebo")]
    outcome = "memory problems (FIQR item)"
    found[contrast, outcome, "wk12", "p"] = two_sample(*changes)["p"]
    return found


def innova2026(folder: Path) -> dict[Key, object]:
    adsl, adqs = table(folder, "adsl"), table(folder, "adqs")
    visits = {"Baseline": "baseline", "Month 3": "3 mo", "Month 6": "6 mo", "Month 12": "12 mo"}
    third = adqs[adqs["AVISIT"] == "Month 3"]
    found: dict[Key, object] = {}
    for arm in ("ldn_4.5mg", "placebo"):
        people = arm_of(adsl, arm)
        found[arm, "randomised", "", "n"] = float(len(people))
        found[arm, "ITT analysed", "", "n"] = float((people["ITTFL"] == "Y").sum())
        for label, timepoint in visits.items():
            scores = arm_of(adqs[adqs["AVISIT"] == label], arm)["AVAL"]
            found[arm, "pain_nrs", timepoint, "mean"] = scores.mean()
            found[arm, "pain_nrs", timepoint, "sd"] = scores.std()
        found[arm, "pain_nrs", "3 mo", "mean_change"] = arm_of(third, arm)["CHG"].mean()
        for number, cut in enumerate((15, 30, 50), start=1):
            outcome = f"pain responder >={cut}%"
            found[arm, outcome, "3 mo", "n/N"] = share(third, f"CRIT{number}FL", arm)
        found[arm, "any adverse event", "12 mo", "n/N"] = share(adsl, "ANYAEFL", arm)
    seen = third.dropna(subset=["CHG"])
    treated, control = arm_of(seen, "ldn_4.5mg"), arm_of(seen, "placebo")
    weights = len(treated) - 1, len(control) - 1
    pooled = np.sqrt(np.average([treated["BASE"].var(), control["BASE"].var()], weights=weights))
    difference = treated["CHG"].mean() - control["CHG"].mean()
    found["ldn - placebo", "pain_nrs", "3 mo", "cohens_d"] = difference / pooled
    return found


def irwin2024(folder: Path) -> dict[Key, object]:
    adsl, adqs = table(folder, "adsl"), table(folder, "adqs")
    peg = adqs.pivot(index="USUBJID", columns="AVISIT", values="AVAL")
    before, after = peg["Baseline"], peg["Follow-up"]
    test = stats.ttest_rel(before, after)
    low, high = test.confidence_interval()
    found: dict[Key, object] = {
        ("ldn", "PEG baseline", "", "mean"): before.mean(),
        ("ldn", "PEG baseline", "", "sd"): before.std(),
        ("ldn", "PEG follow-up", "", "mean"): after.mean(),
        ("ldn", "PEG follow-up", "", "sd"): after.std(),
        ("ldn", "PEG change", "", "mean_difference"): (before - after).mean(),
        ("ldn", "PEG change", "", "ci95_lo"): low,
        ("ldn", "PEG change", "", "ci95_hi"): high,
        ("ldn", "PEG change", "", "p"): test.pvalue,
        ("ldn", "side effects reported", "", "n/N"): share(adsl, "ANYAEFL", "ldn"),
        ("ldn", "discontinued", "", "n/N"): f"{adsl['DCTREAS'].notna().sum()}/{len(adsl)}",
    }
    for outcome, reason in (
        ("stopped: lack of benefit", "LACK OF EFFICACY"),
        ("stopped: loss of benefit", "LOSS OF EFFICACY"),
        ("stopped: side effects", "ADVERSE EVENT"),
        ("stopped: other", "OTHER"),
    ):
        count = (adsl["DCTREAS"] == reason).sum()
        found["ldn", outcome, "", "n/N"] = f"{count}/{len(adsl)}"
    return found


def polo2019(folder: Path) -> dict[Key, object]:
    adsl = table(folder, "adsl")
    arm = "ldn_3-4.5mg"
    found: dict[Key, object] = {
        (arm, "positive response", "", "n/N"): share(adsl, "RESPFL", arm),
        (arm, "positive response", "", "pct"): 100 * (adsl["RESPFL"] == "Y").mean(),
        (arm, "follow-up", "", "mean"): adsl["FUDURY"].mean(),
    }
    for outcome, flag in (
        ("outcome data available", "OUTCFL"),
        ("vigilance/alertness improved", "VIGILFL"),
        ("physical performance improved", "PHYSFL"),
        ("cognitive function improved", "COGNFL"),
    ):
        found[arm, outcome, "", "pct"] = 100 * (adsl[flag] == "Y").mean()
    return found


def younger2013(folder: Path) -> dict[Key, object]:
    adsl, adqs = table(folder, "adsl"), table(folder, "adqs")
    rows = adqs[adqs["ANL01FL"] == "Y"]
    wide = rows.pivot(index="USUBJID", columns="TRTA", values="PCTRED")
    pain = "pain_vas_pct_reduction_from_baseline"
    responder = "responder (sig. pain reduction + sig. fatigue or sleep reduction)"
    found: dict[Key, object] = {
        ("all", "n_analysed", "", "n"): float(len(wide)),
        ("all", "pain_vas", "14-d baseline", "mean"): rows[rows["APERIOD"] == 1]["BASE"].mean(),
        ("ldn_vs_placebo", pain, "condition end points", "p"): stats.ttest_rel(
            wide["LDN 4.5 mg"], wide["Placebo"]
        ).pvalue,
    }
    times = {
        "ldn_4.5mg": "last 3 d of LDN phase (12 wk)",
        "placebo": "last 3 d of placebo phase (4 wk)",
    }
    for arm, timepoint in times.items():
        values = wide[LABELS[arm]]
        low, high = stats.ttest_1samp(values, 0).confidence_interval()
        found[arm, pain, timepoint, "mean"] = values.mean()
        found[arm, pain, timepoint, "ci95_halfwidth"] = (high - low) / 2
        flags = rows[rows["TRTA"] == LABELS[arm]]["RESPFL"]
        found[arm, responder, "end", "proportion"] = (flags == "Y").mean()
    for sequence, label in (("LDN first", "LDN-Placebo"), ("placebo first", "Placebo-LDN")):
        women = adsl[adsl["TRTSEQP"] == label]
        completed = (women["EOSSTT"] == "COMPLETED").sum()
        found[sequence, "randomised", "", "n"] = float(len(women))
        found[sequence, "completed", "", "n"] = float(completed)
        found[sequence, "withdrawal by subject", "", "n"] = float(len(women) - completed)
    return found


def parkitny2017(folder: Path) -> dict[Key, object]:
    adsl, adlb = table(folder, "adsl"), table(folder, "adlb")
    found: dict[Key, object] = {("all", "age", "baseline", "mean"): adsl["AGE"].mean()}
    last = "last 2 wk of dosing"
    for name, rows in adlb.groupby("PARAM"):
        outcome = f"plasma {str(name).removesuffix(' (pg/mL)')}"
        women = rows.pivot_table(index="USUBJID", columns="AVISIT", values="AVAL")
        p = stats.ttest_rel(women["LDN 4.5 mg"], women["Baseline"]).pvalue
        found["baseline", outcome, "wk0-2", "mean"] = women["Baseline"].mean()
        found["ldn_4.5mg", outcome, last, "mean"] = women["LDN 4.5 mg"].mean()
        found["drug_vs_baseline", outcome, last, "p_lmm"] = "<0.001" if p < 0.001 else p
    return found


def bested2023(folder: Path) -> dict[Key, object]:
    adsl, adqs = table(folder, "adsl"), table(folder, "adqs")
    found: dict[Key, object] = {("all", "randomised", "", "n"): float(len(adsl))}
    outcomes = {"FIQR": "FIQR", "SPIR": "SPIR (summed pain intensity ratings)"}
    for code, outcome in outcomes.items():
        rows = adqs[(adqs["PARAMCD"] == code) & (adqs["ANL01FL"] == "Y")]
        wide = rows.pivot(index="USUBJID", columns="TRTA", values="AVAL")
        # Scores in thirds: differences are the same where they print the same.
        difference = (wide["LDN 4.5 mg"] - wide["Placebo"]).round(8)
        test = stats.wilcoxon(difference, method="asymptotic")
        key = ("ldn_4.5mg - placebo", outcome, "end of 3-wk period")
        found[*key, "median_difference"] = difference.median()
        found[*key, "IQR_of_difference"] = stats.iqr(difference)
        found[*key, "effect_size"] = abs(test.zstatistic) / np.sqrt(len(wide))
        found[*key, "p"] = test.pvalue
    return found


def younger2009(folder: Path) -> dict[Key, object]:
    adsl, diary = table(folder, "adsl"), table(folder, "adqs")
    phases = {
        phase: rows.pivot(index="USUBJID", columns="ADY", values="AVAL")
        for phase, rows in diary.groupby("APHASE")
    }
    base = phases["Baseline"].mean(axis=1)
    placebo, drug = (
        100 * (1 - phases[phase].iloc[:, -3:].mean(axis=1) / base)
        for phase in ("Placebo", "LDN 4.5 mg")
    )
    severity, mean = "fm_symptom_severity_vas", "mean_pct_reduction_from_baseline"
    n = len(adsl)
    counts = {
        ("responders", "end drug"): (drug - placebo >= 30).sum(),
        ("vivid dreams", ""): (adsl["VIVIDFL"] == "Y").sum(),
        ("transient nausea and insomnia", ""): (adsl["NAUSINFL"] == "Y").sum(),
    }
    return {
        ("all", "n_analysed", "", "n"): float(n),
        ("placebo", severity, "end placebo (2 wk)", mean): placebo.mean(),
        ("ldn_4.5mg", severity, "end drug (8 wk)", mean): drug.mean(),
        ("ldn_vs_placebo", severity, "end of phase", "p"): stats.ttest_rel(drug, placebo).pvalue,
        **{("ldn_4.5mg", *key, "n/N"): f"{count}/{n}" for key, count in counts.items()},
    }


COMPUTED = {
    "bested2023": bested2023,
    "final2024": final2024,
    "innova2026": innova2026,
    "irwin2024": irwin2024,
    "parkitny2017": parkitny2017,
    "polo2019": polo2019,
    "younger2009": younger2009,
    "younger2013": younger2013,
}


def misses(study: str, folder: Path, printed: dict[Key, str]) -> Iterator[str]:
    """Figures among `printed` that the data of a folder do not print as published."""
    computed = COMPUTED[study](folder)
    for key, text in printed.items():
        if key in computed and not prints(computed[key], text):
            yield f"{key}: {computed[key]} does not print {text}"
