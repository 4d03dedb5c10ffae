"""The conditions of LASSO: where a penalty on two factors that stays for ever leads."""

import numpy as np

from linreg_mirror._types import Array


def lasso_violation(x: Array, grad_x: Array, weight: float, scale: float) -> float:
    """Return the violation of |g| <= weight, and of g = -weight sign x, weighted with |x|, where x is not 0."""
    outside = np.maximum(np.abs(grad_x) - weight, 0.0).max()
    if weight == 0:
        return float(outside / scale)
    size = np.abs(x)
    on_support = (size * np.abs(grad_x + weight * np.sign(x))).max() / (size.max() or 1.0)
    return float(max(outside, on_support) / scale)
