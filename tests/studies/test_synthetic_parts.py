"""The pieces of the generator: figures, compatible totals, spreads, scores, enrolment, events."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from itertools import product
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trialkit.errors import DataError, DesignError
from trialkit.kernels.grid_moments import MomentSums, moment_sums, raw_stream
from trialkit.studies.fixtures import fixtures_root
from trialkit.studies.synthetic.change import change_sums, sd_from_interval, sd_from_p
from trialkit.studies.synthetic.compatible import PrintedMean, compatible_totals
from trialkit.studies.synthetic.conduct import Subject, enrol, sample, visit_dates
from trialkit.studies.synthetic.course import between
from trialkit.studies.synthetic.events import adverse_events
from trialkit.studies.synthetic.figure_book import FigureBook
from trialkit.studies.synthetic.innova2026_scores import month_three
from trialkit.studies.synthetic.irwin2024 import grid_and_totals
from trialkit.studies.synthetic.polo2019 import count_from_percent
from trialkit.studies.synthetic.visit_scores import (
    Correlation,
    VisitTargets,
    reduced_by,
    scores_given,
)


def book_of(study: str) -> FigureBook:
    return FigureBook.read(fixtures_root() / study / "published.csv")


def test_reading_a_figure_marks_it_as_calibrated() -> None:
    book = book_of("final2024")
    assert book.calibrated() == []
    assert book.count("placebo", "any adverse event", "wk12", used_for="events") == 43
    assert book.text("all", "age", "baseline", "sd", used_for="age") == "8.8"
    assert [(row["outcome"], row["used_for"]) for row in book.calibrated()] == [
        ("any adverse event", "events"),
        ("age", "age"),
    ]


def test_a_figure_given_twice_is_refused(tmp_path: Path) -> None:
    text = (fixtures_root() / "polo2019" / "published.csv").read_text(encoding="utf-8")
    path = tmp_path / "published.csv"
    path.write_text(text + text.splitlines()[-1] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="two figures for ldn_3-4\\.5mg, cognitive function"):
        FigureBook.read(path)


# Totals


def test_compatible_totals_print_all_three() -> None:
    first = PrintedMean(printed="-1.3", n=49, step=Fraction(1, 7))
    second = PrintedMean(printed="-0.9", n=50, step=Fraction(1, 7))
    a, b = compatible_totals(first, second, difference="-0.34")
    assert round(a / 7 / 49, 1) == -1.3
    assert round(b / 7 / 50, 1) == -0.9
    assert round(a / 7 / 49 - b / 7 / 50, 2) == -0.34


@settings(deadline=None, max_examples=30)
@given(
    tenths=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    sizes=st.tuples(st.integers(3, 12), st.integers(3, 12)),
    hundredths=st.integers(-100, 100),
)
def test_compatible_totals_agree_with_trying_every_pair(
    tenths: tuple[int, int], sizes: tuple[int, int], hundredths: int
) -> None:
    printed = [f"{value / 10:.1f}" for value in tenths]
    difference = f"{hundredths / 100:.2f}"
    exists = any(
        abs(Fraction(a, sizes[0]) - Fraction(printed[0])) < Fraction(1, 20)
        and abs(Fraction(b, sizes[1]) - Fraction(printed[1])) < Fraction(1, 20)
        and abs(Fraction(a, sizes[0]) - Fraction(b, sizes[1]) - Fraction(difference))
        < Fraction(1, 200)
        for a, b in product(range(-1, 40), range(-1, 40))
    )
    first, second = (
        PrintedMean(printed=mean, n=n, step=Fraction(1))
        for mean, n in zip(printed, sizes, strict=True)
    )
    if exists:
        a, b = compatible_totals(first, second, difference=difference)
        assert abs(a / sizes[0] - b / sizes[1] - hundredths / 100) < 0.005
    else:
        with pytest.raises(DesignError, match="No totals in steps of 1 print"):
            compatible_totals(first, second, difference=difference)


def test_peg_in_thirds_cannot_print_its_difference() -> None:
    step, before, after, refused = grid_and_totals(book_of("irwin2024"), 31)
    assert (step, before, after) == (Fraction(1, 10), 2255, 2051)
    assert "steps of 1/3" in refused
    assert "0.6452 to 0.6452" in refused


@pytest.mark.parametrize(
    ("arm", "n", "total", "seen", "proofs"),
    [
        ("ldn_4.5mg", 47, 360, 46, ["344/47 = 7.3191 and 345/47 = 7.3404"]),
        (
            "placebo",
            49,
            366,
            47,
            ["334/49 = 6.8163 and 335/49 = 6.8367", "No 48 whole-number changes"],
        ),
    ],
)
def test_innova_is_refused_at_the_analysed_numbers(
    arm: str, n: int, total: int, seen: int, proofs: list[str]
) -> None:
    plan = month_three(book_of("innova2026"), arm, n=n, baseline_total=total)
    assert plan.seen == seen
    assert len(plan.refused) == len(proofs) == n - seen
    assert all(proof in text for proof, text in zip(proofs, plan.refused, strict=True))
    # Those seen and those not add up to everyone's baseline.
    change = plan.sums.total - (total - plan.missing_baseline)
    assert change / seen == pytest.approx(-0.33 if arm != "placebo" else -0.64, abs=0.005)


def test_counts_behind_percentages() -> None:
    assert [count_from_percent(text, 218) for text in ("92.2", "51.4", "23.9", "21.1")] == [
        201,
        112,
        52,
        46,
    ]
    with pytest.raises(DesignError, match=r"50% of 218 can be \[108, 109, 110\]"):
        count_from_percent("50", 218)


# Spreads


def test_sd_from_an_interval_gives_the_interval_back() -> None:
    sizes = {"a": 49, "b": 50}
    sd = sd_from_interval("-0.95", "0.27", sizes)
    se = sd * sqrt(1 / 49 + 1 / 50)
    assert 2 * stats.t.ppf(0.975, 97) * se == pytest.approx(1.22, rel=1e-12)
    # One group: the paired change of Irwin, 1.51 as worked out in its source.
    assert sd_from_interval("0.10", "1.21", {"all": 31}) == pytest.approx(1.513, abs=5e-4)


def test_sd_from_p_gives_p_back() -> None:
    sizes = {"a": 49, "b": 50}
    sd = sd_from_p("0.004", Fraction(-9, 10), sizes)
    statistic = 0.9 / (sd * sqrt(1 / 49 + 1 / 50))
    assert 2 * stats.t.sf(statistic, 97) == pytest.approx(0.004, rel=1e-9)


def test_change_sums_bracket_the_sd() -> None:
    sums = change_sums({"a": 50}, {"a": -325}, sd=1.5, band=0.01, step=Fraction(1, 7))["a"]
    for squares, sign in ((sums.squares_low, -1), (sums.squares_high, 1)):
        sd = sqrt((squares - sums.total**2 / 50) / 49) / 7
        assert sd == pytest.approx(1.5 * (1 + sign * 0.01), rel=1e-3)


def test_narrowed_sums_stay_within_the_band() -> None:
    wide = MomentSums(n=50, total=10, squares_low=100, squares_high=200)
    narrow = wide.narrowed(Fraction(1, 10))
    assert (narrow.squares_low, narrow.squares_high, narrow.total) == (144, 156, 10)
    single = MomentSums(n=50, total=10, squares_low=100, squares_high=100)
    assert single.narrowed(Fraction(1, 10)) == single


# Scores of a visit


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), value=st.sampled_from([0.2, 0.5, 0.7]))
def test_a_visit_meets_moments_correlation_and_responders(seed: int, value: float) -> None:
    stream = raw_stream(seed)
    history = [(score,) for score in sample([4, 5, 6, 6, 7, 7, 8, 8, 9, 10] * 4, 40, stream)]
    sums = moment_sums("6.20", "2.00", n=40, low=0, high=10)[0]
    targets = VisitTargets(
        measure="score",
        sums=sums,
        levels=range(11),
        correlations={0: Correlation(value=value, tolerance=0.02)},
        responders={30: 9, 50: 4},
    )
    first = np.array(history)[:, 0]
    last = np.array(scores_given(history, targets, stream=stream))
    assert f"{last.mean():.2f}" == "6.20"
    assert last.std(ddof=1) == pytest.approx(2.0, abs=0.0051)
    assert np.corrcoef(first, last)[0, 1] == pytest.approx(value, abs=0.021)
    assert np.sum(first - last >= 0.3 * first) == 9
    assert np.sum(first - last >= 0.5 * first) == 4


def test_a_visit_that_cannot_be_is_refused() -> None:
    targets = VisitTargets(
        measure="score",
        sums=MomentSums(n=3, total=30, squares_low=300, squares_high=300),
        levels=range(11),
        responders={50: 3},
    )
    with pytest.raises(DesignError, match="does not prove there are none"):
        scores_given([(9,), (9,), (9,)], targets, stream=raw_stream(1))


@pytest.mark.parametrize(
    ("baseline", "score", "expected"),
    [(10, 7, True), (70, 49, True), (70, 50, False), (7, 5, False)],
)
def test_the_cut_itself_counts(baseline: int, score: int, expected: bool) -> None:
    assert reduced_by(30, baseline=baseline, score=score) is expected


def test_interim_scores_lie_between_without_noise() -> None:
    path = between(
        [60, 10], [20, 30], share=Fraction(1, 2), noise=Fraction(0), levels=range(71),
        stream=raw_stream(1),
    )  # fmt: skip
    assert path == [40, 20]


# Conduct


def test_enrolment_is_in_order_and_balanced() -> None:
    subjects = enrol(
        {"Drug": 49, "Placebo": 50},
        blocks=(4, 6),
        first=date(2021, 1, 1),
        last=date(2021, 12, 31),
        prefix="X",
        stream=raw_stream(3),
    )
    arms = [subject.arm for subject in subjects]
    assert (arms.count("Drug"), arms.count("Placebo")) == (49, 50)
    assert [s.start for s in subjects] == sorted(s.start for s in subjects)
    lead = np.cumsum([1 if arm == "Drug" else -1 for arm in arms])
    assert np.abs(lead).max() <= 3


def test_arm_sizes_that_blocks_cannot_give_are_refused() -> None:
    with pytest.raises(DesignError, match="No list of permuted blocks"):
        enrol(
            {"Drug": 40, "Placebo": 10},
            blocks=(4,),
            first=date(2021, 1, 1),
            last=date(2021, 1, 2),
            prefix="X",
            stream=raw_stream(3),
        )


def person(days: int) -> Subject:
    start = date(2021, 3, 1)
    end = date.fromordinal(start.toordinal() + days - 1)
    return Subject(usubjid="X-1", arm="Drug", start=start, end_treatment=end, end_study=end)


def test_visits_stay_within_their_window_and_there_is_no_day_zero() -> None:
    subject = person(80)
    stream = raw_stream(5)
    for _ in range(50):
        seen = visit_dates(subject, {"First": 1, "Last": 85}, window=3, stream=stream)
        assert subject.day(seen["First"]) == 1
        assert 82 <= subject.day(seen["Last"]) <= 88
    assert subject.day(date(2021, 2, 28)) == -1


def test_more_than_there_are_cannot_be_chosen() -> None:
    with pytest.raises(DesignError, match="3 of 2 candidates"):
        sample(["a", "b"], 3, raw_stream(1))


@pytest.mark.parametrize("days", [1, 2, 80])
def test_a_withdrawal_event_is_the_last_before_the_end(days: int) -> None:
    for seed in range(30):
        events = adverse_events(
            [person(days)],
            study="S",
            affected={"X-1"},
            serious={"X-1"},
            withdrawn={"X-1"},
            stream=raw_stream(seed),
        )
        assert events["ASTDY"].between(1, days).all()
        assert events["AEACN"].iloc[-1] == "DRUG WITHDRAWN"
        assert events["AESER"].iloc[-1] == "Y"
        assert events["ASTDY"].is_monotonic_increasing
        assert (events["AESER"] == "Y").sum() == 1
