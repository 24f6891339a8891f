"""Locally weighted linear regression, robust by reweighting (Cleveland 1979).

The smoother of R's `lowess`, to its rounding: tricube weights over the nearest share of the
points, bisquare weights of the residuals, and straight lines between fits that lie closer than
`delta`. Reference: Cleveland (1979) J Am Stat Assoc 74:829-836,
doi:10.1080/01621459.1979.10481038.
"""

from __future__ import annotations

import numpy as np

from trialkit.typing import FloatArray

__all__ = ["lowess"]

# Within this share of the farthest neighbour (or of six median residuals) the weight is one,
# beyond the other it is zero: the dialect of Cleveland's program and of R.
FULL, NONE = 0.001, 0.999
# A spread of the neighbours below this share of the whole range determines no slope.
SMALLEST_SPREAD = 0.001
# Median residuals below this share of their mean: the fit is exact, and is left alone.
EXACT = 1e-7
# Fits are interpolated within this share of the range of x.
DELTA_SHARE = 0.01


def lowess(x: FloatArray, y: FloatArray, *, share: float, iterations: int) -> FloatArray:
    """Fitted values (n,) of y (n,) on x (n,), in the order given.

    `share` of the points is the neighbourhood; `iterations` counts the robust refits after
    the first.
    """
    order = np.argsort(x, kind="stable")
    x_sorted, y_sorted = x[order], y[order]
    n = x.size
    n_near = max(2, min(n, int(share * n + 1e-7)))
    delta = DELTA_SHARE * float(x_sorted[-1] - x_sorted[0])
    weight: FloatArray | None = None
    fitted = y_sorted.copy()
    for refit in range(iterations + 1):
        fitted = _pass(x_sorted, y_sorted, n_near, delta, weight)
        if refit == iterations:
            break
        residual = np.abs(y_sorted - fitted)
        scale = 6 * float(np.median(residual))
        if scale < EXACT * float(residual.mean()):
            break
        weight = _falling(residual, scale, 2, 2)
    out = np.empty(n)
    out[order] = fitted
    return out


def _falling(distance: FloatArray, scale: float, inner: int, outer: int) -> FloatArray:
    """(1 - (d / scale)^inner)^outer, one near zero and zero near the scale."""
    weight = (1 - (distance / scale if scale else distance) ** inner) ** outer
    return np.where(distance <= FULL * scale, 1.0, np.where(distance <= NONE * scale, weight, 0.0))


def _pass(
    x: FloatArray, y: FloatArray, n_near: int, delta: float, weight: FloatArray | None
) -> FloatArray:
    """One sweep over the sorted points: local fits, and lines between those `delta` apart."""
    n = x.size
    fitted = np.empty(n)
    left, last, i = 0, -1, 0
    while True:
        while left + n_near < n and x[i] - x[left] > x[left + n_near] - x[i]:
            left += 1
        fitted[i] = _local(x, y, i, left, left + n_near - 1, weight)
        if last >= 0 and last < i - 1:
            inside = slice(last + 1, i)
            part = (x[inside] - x[last]) / (x[i] - x[last])
            fitted[inside] = part * fitted[i] + (1 - part) * fitted[last]
        last = i
        same = int(np.searchsorted(x, x[last], side="right"))
        fitted[last:same] = fitted[last]
        last = same - 1
        if last >= n - 1:
            return fitted
        beyond = int(np.searchsorted(x, x[last] + delta, side="right"))
        i = max(last + 1, beyond - 1)


def _local(
    x: FloatArray, y: FloatArray, i: int, left: int, right: int, weight: FloatArray | None
) -> float:
    """The weighted line through the neighbours of x[i], at x[i]."""
    reach = float(max(x[i] - x[left], x[right] - x[i]))
    # Ties of the last neighbour belong to the neighbourhood as well.
    stop = int(np.searchsorted(x, x[i] + reach, side="right"))
    near, values = x[left:stop], y[left:stop]
    w = _falling(np.abs(near - x[i]), reach, 3, 3)
    if weight is not None:
        w = w * weight[left:stop]
    total = float(w.sum())
    if total <= 0:
        return float(y[i])
    w = w / total
    if reach > 0:
        centre = float(w @ near)
        spread = float(w @ (near - centre) ** 2)
        if np.sqrt(spread) > SMALLEST_SPREAD * float(x[-1] - x[0]):
            w = w * (1 + (x[i] - centre) / spread * (near - centre))
    return float(w @ values)
