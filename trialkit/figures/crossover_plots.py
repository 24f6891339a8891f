"""A crossover drawn: subjects over periods, means by sequence, pairs, residuals by period."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from trialkit.figures.style import ARM_COLORS, INK, MUTED, new_axes, quiet
from trialkit.typing import FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["paired_treatments", "period_means", "residuals_by_period", "subject_profiles"]

MARKERS = "os^Dv<>P"
# Points of one period are spread over this share of the distance between periods.
SPREAD = 0.12


def subject_profiles(
    *,
    values: FloatArray,
    sequence: IntArray,
    sequences: Sequence[str],
    periods: Sequence[str],
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One line a subject: `values` (n, periods), NaN where missing; coloured by `sequence` (n,)."""
    axes = new_axes(5.6, 3.8) if ax is None else ax
    place = np.arange(len(periods), dtype=float)
    for code, label in enumerate(sequences):
        color = ARM_COLORS[(code + 1) % len(ARM_COLORS)]
        for number, row in enumerate(values[sequence == code]):
            axes.plot(
                place,
                row,
                "o-",
                color=color,
                linewidth=0.8,
                markersize=3,
                alpha=0.6,
                label=label if number == 0 else None,
            )
    axes.set_xticks(place, list(periods))
    axes.set_xlabel("Period")
    axes.set_ylabel(y_label)
    axes.legend(frameon=False, fontsize=9, title="Sequence", title_fontsize=9)
    return quiet(axes)


def period_means(
    *,
    values: FloatArray,
    sequence: IntArray,
    period: IntArray,
    treatment: IntArray,
    sequences: Sequence[str],
    periods: Sequence[str],
    treatments: Sequence[str],
    ci_level: float,
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Mean of each sequence in each period with its t interval; the marker is the treatment."""
    from scipy.special import stdtrit

    axes = new_axes(5.6, 3.8) if ax is None else ax
    for code, label in enumerate(sequences):
        color = ARM_COLORS[(code + 1) % len(ARM_COLORS)]
        shift = SPREAD * (code - (len(sequences) - 1) / 2)
        points = []
        for place in range(len(periods)):
            chosen = (sequence == code) & (period == place)
            own = values[chosen]
            if own.size == 0:
                continue
            points.append((place + shift, own.mean()))
            marker = MARKERS[int(treatment[chosen][0]) % len(MARKERS)]
            axes.plot(*points[-1], marker, color=color, markersize=6)
            if own.size > 1:
                half = -float(stdtrit(own.size - 1, (1 - ci_level) / 2))
                half *= own.std(ddof=1) / sqrt(own.size)
                axes.vlines(place + shift, own.mean() - half, own.mean() + half, color=color)
        axes.plot(*np.array(points).T, "-", color=color, linewidth=1.0, label=label)
    for code, label in enumerate(treatments):
        axes.plot([], [], MARKERS[code % len(MARKERS)], color=INK, label=label)
    axes.set_xticks(np.arange(len(periods)), list(periods))
    axes.set_xlabel("Period")
    axes.set_ylabel(f"Mean {y_label} ({100 * ci_level:g}% CI)")
    # Beside the axes: intervals reach into every corner.
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return quiet(axes)


def paired_treatments(
    *,
    reference: FloatArray,
    test: FloatArray,
    labels: tuple[str, str],
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Each subject's two values (n,) joined by a line; blue where the test is lower, else red."""
    axes = new_axes(3.8, 3.8) if ax is None else ax
    for low, high in zip(reference, test, strict=True):
        color = ARM_COLORS[1] if high < low else ARM_COLORS[2] if high > low else MUTED
        axes.plot([0, 1], [low, high], "o-", color=color, linewidth=0.8, markersize=3, alpha=0.7)
    axes.plot([0, 1], [np.mean(reference), np.mean(test)], "s-", color=INK, linewidth=2.0)
    axes.set_xticks([0, 1], list(labels))
    axes.set_xlim(-0.3, 1.3)
    axes.set_ylabel(y_label)
    return quiet(axes)


def residuals_by_period(
    *,
    residual: FloatArray,
    period: IntArray,
    periods: Sequence[str],
    y_label: str = "Residual",
    ax: Axes | None = None,
) -> Axes:
    """Points of `residual` (n,) over the periods, with each period's mean and a line at zero."""
    axes = new_axes(5.0, 3.6) if ax is None else ax
    # Rows of a period stand beside each other in their order: no chance in a figure.
    place = period.astype(float)
    for code in range(len(periods)):
        own = np.flatnonzero(period == code)
        place[own] += SPREAD * np.linspace(-1, 1, own.size) if own.size > 1 else 0.0
        if own.size:
            axes.hlines(residual[own].mean(), code - SPREAD, code + SPREAD, color=ARM_COLORS[1])
    axes.plot(place, residual, "o", color=INK, markersize=3, alpha=0.5)
    axes.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
    axes.set_xticks(np.arange(len(periods)), list(periods))
    axes.set_xlabel("Period")
    axes.set_ylabel(y_label)
    return quiet(axes)
