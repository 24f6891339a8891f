"""The audit finds what cannot be true together and is quiet on what can."""

from __future__ import annotations

from io import StringIO

import pandas as pd
import pytest

import trialkit as tk
from trialkit.errors import DataError
from trialkit.studies.fixtures import names, read_figures, study_folder

IMPOSSIBLE, INCONSISTENT, SUSPICIOUS = "impossible", "inconsistent", "suspicious"


def published(*studies: str) -> pd.DataFrame:
    frames = [read_figures(study_folder(name)) for name in studies or names()]
    return pd.concat(frames, ignore_index=True)


def found(frame: pd.DataFrame) -> pd.DataFrame:
    return tk.studies.audit(frame).frame()


def rules(frame: pd.DataFrame) -> list[tuple[str, str]]:
    table = found(frame)
    return list(zip(table["rule"], table["verdict"], strict=True))


def figures(
    *rows: tuple[str, str, str], outcome: str = "pain", study: str = "made up", **columns: str
) -> pd.DataFrame:
    """Rows of arm, statistic and printed."""
    frame = pd.DataFrame(list(rows), columns=["arm", "statistic", "printed"])
    return frame.assign(study=study, outcome=outcome, **columns)


def test_columns_of_the_findings() -> None:
    assert list(found(published()).columns) == ["study", "outcome", "rule", "verdict", "detail"]
    assert list(found(figures(("a", "mean", "1"))).columns) == list(found(published()).columns)


def test_findings_on_the_bundled_figures_are_these_and_no_others() -> None:
    table = found(published())
    counted = table.groupby(["study", "rule", "verdict"], observed=True).size().to_dict()
    assert counted == {
        ("bested2023", "quoted-sd", INCONSISTENT): 2,
        ("innova2026", "contrast-sd", SUSPICIOUS): 1,
        ("innova2026", "grim", IMPOSSIBLE): 2,
        ("innova2026", "grim", SUSPICIOUS): 2,
        ("nielsen2026_final_resp", "interval-centre", INCONSISTENT): 6,
    }


@pytest.mark.parametrize("name", ["final2024", "irwin2024", "polo2019", "younger2013"])
def test_sound_studies_are_quiet_and_were_checked(name: str) -> None:
    audit = tk.studies.audit(published(name))
    assert audit.frame().empty
    assert audit.checks()["n_applied"].sum() > 0


def test_the_primary_row_of_final_is_checked_and_quiet() -> None:
    frame = published("final2024")
    primary = frame[frame["arm"].str.contains("-") & (frame["outcome"] == "pain_nrs")]
    checks = tk.studies.audit(primary).checks().set_index("rule")["n_applied"]
    assert checks[["interval-order", "interval-centre", "p-interval"]].tolist() == [1, 1, 1]
    assert found(primary).empty


def test_every_interval_of_nielsen_is_off_centre() -> None:
    frame = published("nielsen2026_final_resp")
    table = found(frame)
    assert set(table["outcome"]) == set(frame["outcome"])
    assert set(table["rule"]) == {"interval-centre"}
    depression = table[table["outcome"].str.contains("depression")].iloc[0]
    assert "0.96 (0.92, 2.66) is centred on 1.559 to 1.570 (log scale)" in depression["detail"]


@pytest.mark.parametrize("studies", [("bested2023",), ("bested2023", "younger2013")])
def test_requoted_sds_are_held_against_the_source(studies: tuple[str, ...]) -> None:
    details = found(published(*studies))["detail"].tolist()
    assert len(details) == 2
    assert "SD 12.5; younger2013 prints half-width 9.3" in details[0]
    assert "implies 23.9 to 24.1" in details[0]
    assert "SD 14.6; younger2013 prints half-width 10.8" in details[1]
    assert "implies 27.7 to 28.0" in details[1]


def half_widths_as_sds(study: str) -> pd.DataFrame:
    frame = published("younger2013")
    is_width = frame["statistic"] == "ci95_halfwidth"
    return frame.assign(
        statistic=frame["statistic"].where(~is_width, "sd"), study=study, outcome=frame["outcome"]
    )


def test_half_widths_entered_as_sds_contradict_the_paired_p() -> None:
    table = found(half_widths_as_sds("a review"))
    paired = table[table["rule"] == "paired-sd"]
    assert paired["verdict"].tolist() == [IMPOSSIBLE]
    # The SD of differences that p needs, 22.2, exceeds 9.3 + 10.8.
    assert "differences with SD 21.9 to 22.6" in paired["detail"].item()
    copied = table[table["rule"] == "copied-spread"]
    assert copied["verdict"].tolist() == [SUSPICIOUS, SUSPICIOUS]


def test_half_widths_entered_as_sds_under_the_study_itself_are_named() -> None:
    table = found(half_widths_as_sds("younger2013"))
    details = table.loc[table["rule"] == "quoted-sd", "detail"].tolist()
    assert len(details) == 2
    assert all("the half-width was taken for an SD" in detail for detail in details)


def test_half_widths_without_p_are_known_by_their_mean() -> None:
    frame = half_widths_as_sds("a review")
    frame = frame[frame["statistic"].isin(["mean", "sd"])]
    assert {rule for rule, _ in rules(frame)} == {"copied-spread"}


ARMS = (
    ("ldn", "mean", "28.8"),
    ("placebo", "mean", "18.0"),
    ("ldn vs placebo", "p", "0.016"),
)


def spread(first: str, second: str) -> tuple[tuple[str, str, str], ...]:
    return (("ldn", "sd", first), ("placebo", "sd", second))


SHARED_N = (("all", "n", "28"),)
OWN_N = (("ldn", "n", "28"), ("placebo", "n", "28"))


@pytest.mark.parametrize(
    ("sds", "numbers", "expected"),
    [
        (("24.0", "27.9"), SHARED_N, []),
        (("12.5", "14.6"), SHARED_N, [("paired-sd", SUSPICIOUS)]),
        (("11.0", "12.0"), SHARED_N, [("paired-sd", SUSPICIOUS)]),
        (("10.0", "11.5"), SHARED_N, [("paired-sd", IMPOSSIBLE)]),
        (("24.0", "60.0"), SHARED_N, [("paired-sd", IMPOSSIBLE)]),  # needs r above 1
        (("15.5", "16.5"), OWN_N, []),  # 15.5^2 / 28 + 16.5^2 / 28 is 4.28 squared
        (("12.5", "14.6"), OWN_N, [("contrast-sd", SUSPICIOUS)]),
        (("10.0", "11.5"), OWN_N, [("contrast-sd", INCONSISTENT)]),
    ],
)
def test_sds_against_the_contrast(
    sds: tuple[str, str], numbers: tuple[tuple[str, str, str], ...], expected: list[object]
) -> None:
    assert rules(figures(*ARMS, *spread(*sds), *numbers)) == expected


def test_baseline_sds_are_not_held_against_a_later_contrast() -> None:
    base = figures(*ARMS[:2], *spread("1.0", "1.0"), *OWN_N, timepoint="baseline")
    later = figures(ARMS[2], timepoint="week 12")
    assert rules(pd.concat([base, later], ignore_index=True)) == []


@pytest.mark.parametrize(
    ("sd", "other", "expected"),
    [
        ("24.0", ("ci95_halfwidth", "9.3"), []),
        ("9.3", ("ci95_halfwidth", "9.3"), [("sd-or-se", INCONSISTENT)]),
        ("4.5", ("ci95_halfwidth", "9.3"), [("sd-or-se", INCONSISTENT)]),
        ("4.5", ("se", "4.5"), [("sd-or-se", INCONSISTENT)]),
        ("24.0", ("se", "4.5"), []),
        ("126", ("se", "4.5"), [("sd-or-se", INCONSISTENT)]),
    ],
)
def test_sd_se_and_half_width_of_one_mean(
    sd: str, other: tuple[str, str], expected: list[object]
) -> None:
    frame = figures(("a", "mean", "30.1"), ("a", "sd", sd), ("a", *other), ("a", "n", "28"))
    assert rules(frame) == expected


def test_the_kind_of_confusion_is_said() -> None:
    frame = figures(("a", "mean", "28.8"), ("a", "sd", "4.5"), ("a", "se", "4.5"), ("a", "n", "28"))
    assert "the SD is the standard error" in found(frame)["detail"].item()


def test_an_se_beside_another_arms_sd() -> None:
    sds = (("a", "sd", "0.19"), ("b", "sd", "1.6"))
    assert rules(figures(*sds, ("a", "n", "49"), ("b", "n", "50"))) == [("arms-sd", SUSPICIOUS)]
    assert rules(figures(*sds, ("a", "n", "4"), ("b", "n", "4"))) == []  # chance can do that
    assert rules(figures(*sds)) == []  # nothing to judge it by


@pytest.mark.parametrize(
    ("estimate", "low", "high", "expected"),
    [
        ("-0.34", "-0.95", "0.27", []),
        ("-0.34", "-0.95", "0.31", [("interval-centre", SUSPICIOUS)]),
        ("-0.34", "-0.95", "0.50", [("interval-centre", INCONSISTENT)]),
        ("-0.34", "0.95", "-0.27", [("interval-order", IMPOSSIBLE)]),
        (
            "0.34",
            "-0.95",
            "0.27",
            [("interval-order", INCONSISTENT), ("interval-centre", INCONSISTENT)],
        ),
    ],
)
def test_additive_intervals(estimate: str, low: str, high: str, expected: list[object]) -> None:
    rows = (("d", "mean_difference", estimate), ("d", "ci95_lo", low), ("d", "ci95_hi", high))
    assert rules(figures(*rows)) == expected


@pytest.mark.parametrize("estimate", ["", "median_difference", "cohens_d", "iqr"])
def test_an_interval_of_anything_can_be_reversed(estimate: str) -> None:
    ends = (("a - b", "ci95_lo", "1.2"), ("a - b", "ci95_hi", "-0.2"))
    own = (("a - b", estimate, "0.5"),) if estimate else ()
    assert rules(figures(*own, *ends)) == [("interval-order", IMPOSSIBLE)]


def test_a_median_lies_within_its_interval_wherever_in_it() -> None:
    ends = (("a - b", "ci95_lo", "-0.2"), ("a - b", "ci95_hi", "1.2"))
    assert rules(figures(("a - b", "median_difference", "-0.2"), *ends)) == []
    outside = figures(("a - b", "median_difference", "-0.4"), *ends)
    assert rules(outside) == [("interval-order", INCONSISTENT)]


def test_ratios_are_centred_on_the_log_scale() -> None:
    rows = [("r", "pooled_or", "2.00"), ("r", "ci95_lo", "1.00"), ("r", "ci95_hi", "4.00")]
    assert rules(figures(*rows)) == []
    rows[0] = ("r", "pooled_or", "2.50")  # the arithmetic middle
    assert rules(figures(*rows)) == [("interval-centre", INCONSISTENT)]


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        ("0.27", []),
        ("0.3", []),
        ("0.72", [("p-interval", INCONSISTENT)]),
        ("0.027", [("p-interval", INCONSISTENT)]),
        ("<0.001", [("p-interval", INCONSISTENT)]),
        (">0.05", []),
    ],
)
def test_p_against_its_interval(p: str, expected: list[object]) -> None:
    rows = (
        ("ldn - placebo", "mean_difference", "-0.34"),
        ("ldn - placebo", "ci95_lo", "-0.95"),
        ("ldn - placebo", "ci95_hi", "0.27"),
        ("ldn - placebo", "p", p),
        ("ldn", "n", "49"),
        ("placebo", "n", "50"),
    )
    assert rules(figures(*rows)) == expected


def test_a_one_percent_interval_keeps_its_level() -> None:
    rows = (("d", "mean_difference", "2.0"), ("d", "ci99_lo", "-0.6"), ("d", "ci99_hi", "4.6"))
    # 2.0 over 2.6 / 2.576 is z = 1.98: p 0.047.
    assert rules(figures(*rows, ("d", "p", "0.05"), ("d", "n", "200"))) == []
    wrong = figures(*rows, ("d", "p", "0.13"), ("d", "n", "200"))
    assert rules(wrong) == [("p-interval", INCONSISTENT)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((("a", "n/N", "161/218"), ("a", "pct", "73.9")), []),
        ((("a", "n/N", "161/218"), ("a", "pct", "80.1")), [("percent-count", INCONSISTENT)]),
        ((("a", "n/N", "9/28"), ("a", "proportion", "0.32")), []),
        ((("a", "n", "28"), ("a", "proportion", "0.32")), []),
        ((("a", "n", "28"), ("a", "proportion", "0.33")), [("percent-grid", SUSPICIOUS)]),
        ((("a", "n/N", "50/49"),), [("range", IMPOSSIBLE)]),
        ((("a", "n/N", "40/60"), ("a", "n", "50")), [("denominator", INCONSISTENT)]),
        ((("a", "n", "49.5"),), [("range", IMPOSSIBLE)]),
        ((("a", "p", "1.2"),), [("range", IMPOSSIBLE)]),
        ((("a", "pct", "120"),), [("range", IMPOSSIBLE)]),
        ((("a", "sd", "-1.2"),), [("range", IMPOSSIBLE)]),
        ((("a", "p", "1.00"), ("b", "pct", "100")), []),
        ((("a", "n", "20"), ("b", "n", "21"), ("all", "n", "40")), [("arms-total", INCONSISTENT)]),
        ((("a", "n", "20"), ("b", "n", "20"), ("all", "n", "40")), []),
        ((("a", "mean", "1.2"), ("a", "mean", "1.3")), [("repeated", INCONSISTENT)]),
        ((("a", "mean", "1.2"), ("a", "mean", "1.2")), []),
    ],
)
def test_counts_and_single_figures(
    rows: tuple[tuple[str, str, str], ...], expected: list[object]
) -> None:
    assert rules(figures(*rows)) == expected


def test_a_higher_threshold_cannot_have_more_responders() -> None:
    easier = figures(("a", "n/N", "13/50"), outcome="responder >=30% (ITT)")
    harder = figures(("a", "n/N", "20/50"), outcome="responder >=50% (ITT)")
    other = figures(("a", "n/N", "20/46"), outcome="responder >=50% (complete case)")
    both = pd.concat([easier, harder, other], ignore_index=True)
    assert rules(both) == [("threshold-order", IMPOSSIBLE)]
    assert rules(pd.concat([easier, other], ignore_index=True)) == []


@pytest.mark.parametrize(
    ("mean", "sd", "n", "step", "expected"),
    [
        ("7.66", "1.55", "47", "1", []),
        ("7.33", "1.48", "47", "1", [("grim", IMPOSSIBLE)]),
        ("7.33", "1.48", "47", "1/7", []),
        # Two scores: SDs are whole multiples of the root of one half.
        ("1.5", "0.80", "2", "1", [("grimmer", IMPOSSIBLE)]),
        ("1.5", "0.71", "2", "1", []),
        ("11.0", "1.0", "20", "1", [("mean-bounds", IMPOSSIBLE)]),
    ],
)
def test_means_and_sds_on_a_grid(
    mean: str, sd: str, n: str, step: str, expected: list[object]
) -> None:
    rows = (("a", "mean", mean), ("a", "sd", sd), ("a", "n", n))
    assert rules(figures(*rows, granularity=step, unit="NRS 0-10"))[:1] == expected


def test_an_sd_too_large_for_its_scale() -> None:
    rows = (("a", "mean", "5.0"), ("a", "sd", "5.2"), ("a", "n", "50"))
    # At most half of ten, times the root of 50 / 49: 5.05.
    assert rules(figures(*rows, unit="NRS 0-10")) == [("sd-bounds", IMPOSSIBLE)]
    assert rules(figures(*rows, unit="0-100 VAS")) == []
    assert rules(figures(*rows, unit="kPa")) == []


@pytest.mark.parametrize("n", ["10000", "10001", "99999999999"])
def test_very_many_persons_are_audited_without_a_search(n: str) -> None:
    moments = (("drug", "n", n), ("drug", "mean", "1.2"), ("drug", "sd", "2.3"))
    assert rules(figures(*moments, granularity="1", unit="NRS 0-10")) == []
    wide = (*moments[:2], ("drug", "sd", "3.4"))  # sqrt(1.25 * 8.75) is 3.31
    assert ("sd-bounds", IMPOSSIBLE) in rules(figures(*wide, granularity="1", unit="NRS 0-10"))


def test_numbers_in_place_of_text_are_audited_with_less_edge() -> None:
    text = published("nielsen2026_final_resp").to_csv(index=False)
    audit = tk.studies.audit(pd.read_csv(StringIO(text)))
    assert len(audit.frame()) == 6
    assert "trailing zeros are lost" in repr(audit)


def test_the_audit_shows_itself() -> None:
    audit = tk.studies.audit(published("bested2023"))
    assert "2 finding(s) in 11 figures" in repr(audit)
    assert "<table" in audit._repr_html_()


def test_an_unreadable_frame_is_refused() -> None:
    with pytest.raises(DataError, match="lack the column"):
        tk.studies.audit(pd.DataFrame({"study": ["s"]}))
    with pytest.raises(DataError, match=r"Row 2 .* column 'printed'"):
        tk.studies.audit(figures(("a", "mean", "1"), ("a", "sd", "high")))


def test_row_order_does_not_matter() -> None:
    frame = published("innova2026", "nielsen2026_final_resp", "bested2023")
    shuffled = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    assert set(map(tuple, found(frame)[["study", "outcome", "rule", "verdict"]].values)) == set(
        map(tuple, found(shuffled)[["study", "outcome", "rule", "verdict"]].values)
    )
