"""The exact path of a mirror flow, to compare others with: Taylor series of order 30 in extended precision.

Nothing of it is ours otherwise: s' = X x - y with x = b sinh(q), q = -2 X's, whose coefficients follow from those of
exp(q) and exp(-q) one by one.
"""

import numpy as np

from benchmarks.harness import Array
from linreg_mirror.problems import Problem

_ORDER = 30
_WIDE = np.longdouble
_EPS = float(np.finfo(_WIDE).eps)


def exact_path(problem: Problem, scale: float, times: Array) -> Array:
    """Return x at each time, shape (T, d), of the flow of x = m*w from m = sqrt(2b), w = 0, without a penalty."""
    X, y = problem.X.astype(_WIDE), problem.y.astype(_WIDE)
    s, t, points = np.zeros(problem.n, dtype=_WIDE), 0.0, []
    for goal in times:
        while t < goal:
            series = _series(X, y, _WIDE(scale), s)
            # The first two terms left out are about as large as the last two kept.
            size = max(float(np.abs(s).max()), float(np.abs(series[1]).max()) * _EPS, 1e-300)
            last = (float(np.abs(series[k]).max()) for k in (_ORDER - 1, _ORDER))
            radius = [(_EPS * size / c) ** (1 / k) for k, c in zip((_ORDER - 1, _ORDER), last, strict=True) if c]
            h = min([0.8 * r for r in radius] + [goal - t])
            s = _evaluated(series, _WIDE(h))
            t = goal if h == goal - t else t + h
        points.append((_WIDE(scale) * np.sinh(-2 * (X.T @ s))).astype(float))
    return np.array(points)


def _series(X: Array, y: Array, b: np.longdouble, s: Array) -> Array:
    """Return the coefficients of s around its present value, shape (order + 1, n)."""
    coefficients = np.zeros((_ORDER + 1, len(y)), dtype=_WIDE)
    rising, falling, slopes = (np.zeros((_ORDER + 1, X.shape[1]), dtype=_WIDE) for _ in range(3))
    coefficients[0], q = s, -2 * (X.T @ s)
    rising[0], falling[0] = np.exp(q), np.exp(-q)
    for k in range(_ORDER):
        force = X @ (b / 2 * (rising[k] - falling[k])) - (y if k == 0 else 0)
        coefficients[k + 1] = force / (k + 1)
        slopes[k] = -2 * (X.T @ force)  # of q'
        backwards = slice(k, None, -1)
        rising[k + 1] = (slopes[: k + 1] * rising[backwards]).sum(axis=0) / (k + 1)
        falling[k + 1] = -(slopes[: k + 1] * falling[backwards]).sum(axis=0) / (k + 1)
    return coefficients


def _evaluated(series: Array, h: np.longdouble) -> Array:
    value = series[-1]
    for coefficient in series[-2::-1]:
        value = coefficient + h * value
    return value
