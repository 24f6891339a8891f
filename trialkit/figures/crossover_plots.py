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
    """One line a subject, the sequences side by side: `values` (n, periods), NaN where missing.

    `sequence` (n,) is each subject's. The heavy line joins the means of what is there.
    """
    width = len(periods)
    axes = new_axes(max(4.4, 0.42 * width * len(sequences)), 3.6) if ax is None else ax
    ticks, names = [], []
    for code, label in enumerate(sequences):
        color = ARM_COLORS[(code + 1) % len(ARM_COLORS)]
        place = code * width + np.arange(width, dtype=float)
        own = values[sequence == code]
        own = own[~np.isnan(own).all(axis=1)]
        for row in own:
            axes.plot(place, row, "o-", color=color, linewidth=0.8, markersize=2.5, alpha=0.45)
        seen = ~np.isnan(own).all(axis=0) if own.size else np.zeros(width, dtype=np.bool_)
        if seen.any():
            mean = np.nanmean(own[:, seen], axis=0)
            axes.plot(place[seen], mean, "s-", color=INK, linewidth=2.0, markersize=5)
        axes.annotate(
            f"{label} (n = {len(own)})",
            (place.mean(), 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=color,
        )
        ticks += place.tolist()
        names += list(periods)
    axes.set_xticks(ticks, names)
    axes.set_xlabel("Period, by sequence; heavy line: mean")
    axes.set_ylabel(y_label)
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
    n_incomplete: int = 0,
    y_label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Each subject's two values (n,) joined by a line, and their means, by pingouin.

    Blue where the test is lower, red where it is higher; `n_incomplete` subjects have no pair.
    """
    import pandas as pd
    import pingouin

    axes = new_axes(4.0, 4.2) if ax is None else ax
    n = len(reference)
    pairs = pd.DataFrame(
        {
            "subject": np.tile(np.arange(n), 2),
            "treatment": np.repeat([0, 1], n),
            "value": np.concatenate([reference, test]),
        }
    )
    higher, lower = ARM_COLORS[2], ARM_COLORS[1]
    pingouin.plot_paired(
        data=pairs,
        dv="value",
        within="treatment",
        subject="subject",
        order=[0, 1],
        boxplot=False,
        ax=axes,
        colors=[higher, MUTED, lower],
        pointplot_kwargs={"scale": 0.4, "marker": "o", "alpha": 0.6},
    )
    means = [np.mean(reference), np.mean(test)]
    axes.plot([0, 1], means, "s-", color=INK, linewidth=2.2, markersize=6, zorder=5)
    sizes = [int((test < reference).sum()), int((test > reference).sum())]
    axes.plot([], [], "o-", color=lower, label=f"Lower ({sizes[0]})")
    axes.plot([], [], "o-", color=higher, label=f"Higher ({sizes[1]})")
    axes.plot([], [], "s-", color=INK, label="Mean")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.set_xticks([0, 1], list(labels))
    axes.set_xlim(-0.3, 1.3)
    without = f"; {n_incomplete} without a pair not drawn" if n_incomplete else ""
    axes.set_xlabel(f"{n} subjects{without}")
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
