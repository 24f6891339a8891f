"""The boxes of the flow hold their lines, and a count stays in one piece."""

from __future__ import annotations

from trialkit.figures.flow import flow_chart


def test_a_count_is_not_broken_at_the_end_of_a_line() -> None:
    axes = flow_chart(
        top=["Assessed (n = 12)"],
        aside=[],
        randomized="Randomised (n = 10)",
        stages=[
            (
                "Analysis",
                [["Analysed (mixed model up to the stop) (n = 4)", "  Excluded (n = 1)"], ["-"]],
            )
        ],
    )
    lines = [line.strip() for text in axes.texts for line in text.get_text().splitlines()]
    assert "(n = 4)" in lines
    assert "Excluded (n = 1)" in lines
    assert not any("\u00a0" in line for line in lines)
    axes.figure.canvas.draw()
