"""What a path that was cut short at its tolerance has left to go; nothing of limits is used."""

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Evidence, identity
from linreg_mirror.problems import Problem

MOST = 1e-5  # of |x|_1, beyond which a path is not at its end


def left_of(problem: Problem, x: Array, metric: Array, exponents: Array | float = 0.0) -> float:
    """Return twice |dx|_1 of the Newton step dx = W e + W X'(X W X')^+ (y - X(x + W e)) in the metric W.

    As flows do, it moves the dual vector alone, after the exponents have changed by e; twice, as it is right to first
    order. An interpolator whose exponents stay has nothing left, be it the right one or not.
    """
    root = np.sqrt(metric)
    changed = metric * exponents
    step = root * np.linalg.lstsq(problem.X * root, problem.residual(x + changed))[0]
    return 2 * float(np.abs(changed - step).sum())


def ends_at(
    problem: Problem, x: Array, metric: Array, end: Array, tolerance: float, exponents: Array | float = 0.0
) -> Evidence:
    """Return evidence that a path which stands at x goes to `end`: what it has left to go is subtracted, and small."""
    size, left = float(np.abs(end).sum()), left_of(problem, x, metric, exponents)
    found = identity(np.maximum(float(np.abs(x - end).sum()) - left, 0.0) / size, tolerance)
    return Evidence(min(found.margin, MOST - left / size), f"{found.detail}, the path has {left / size:.1e} left")
