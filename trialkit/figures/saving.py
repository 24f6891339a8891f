"""Figures as files whose bytes depend on the drawing alone."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["png_bytes", "svg_bytes"]

# Element identifiers are hashes salted at random by default. Text is drawn as outlines: the
# page looks the same where the font is missing.
_SETTINGS = {"svg.hashsalt": "trialkit", "svg.fonttype": "path"}
# No date, no version of the drawing library.
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
_DOTS_PER_INCH = 200


def svg_bytes(draw: Callable[[], Axes]) -> bytes:
    """The figure that `draw` makes, as SVG.

    It is drawn and saved under matplotlib's own defaults, whatever a user has set; the
    settings are back as they were afterwards.
    """
    return _saved(draw, "svg")


def png_bytes(draw: Callable[[], Axes]) -> bytes:
    """The figure that `draw` makes, as PNG at 200 dots an inch; settings as in `svg_bytes`."""
    return _saved(draw, "png")


def _saved(draw: Callable[[], Axes], kind: str) -> bytes:
    from matplotlib import pyplot as plt
    from matplotlib import style
    from matplotlib.figure import Figure

    stream = BytesIO()
    with style.context(["default", _SETTINGS]):
        figure = draw().get_figure()
        if not isinstance(figure, Figure):
            raise TypeError("An Axes without a figure of its own cannot be saved.")
        dpi = _DOTS_PER_INCH if kind == "png" else "figure"
        figure.savefig(stream, format=kind, metadata=_METADATA[kind], dpi=dpi)
        plt.close(figure)
    return stream.getvalue()
